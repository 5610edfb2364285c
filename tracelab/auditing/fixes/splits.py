"""How to hand the context on: over HTTP and gRPC, through queues, between threads and tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

_QUEUES: Final = {
    "": "Put the context into each message's headers where it is sent (`inject`), and take it out where it is consumed "
    "(`extract`) as the parent of the span that works on one message, or as links of one that works on many. See that "
    "the broker and what stands between keep headers.",
    "python": "Instrument both ends with the package of the client library (opentelemetry-instrumentation-pika, "
    "-kafka-python, -confluent-kafka, -aiokafka, -aio-pika, -celery, -botocore and -boto3sqs for SQS). By hand: "
    "`propagate.inject(headers)` before sending, and `propagate.extract(headers)` with a getter that reads bytes "
    "(Kafka's headers are a list of pairs) as `context=` of the consumer's span, or as `links=` for a batch. Redis "
    "lists have no headers: put the carrier into the message.",
    "java": "Run the Java agent on both ends, or wrap the clients: KafkaTelemetry of opentelemetry-kafka-clients-2.6 "
    "(`wrap(producer)`, `wrap(consumer)`), SpringRabbit and SqsTelemetry likewise. In a batch listener add a link for "
    "each record. The agent loses the context where records are handed to another thread: wrap that executor in "
    "`Context.taskWrapping(executor)`.",
    "nodejs": "Register the client's instrumentation before the client is required: @opentelemetry/instrumentation-"
    "kafkajs, -amqplib, -aws-sdk (SQS, SNS). By hand: `propagation.inject(context.active(), message.headers)`, and "
    "`propagation.extract(context.active(), message.headers)` as the parent; Kafka's header values are Buffers, turn "
    "them into text. BullMQ has its telemetry in bullmq-otel.",
    "go": "Wrap the client: kotel.NewKotel for franz-go, otelsarama's wrappers for sarama, or by hand "
    "`otel.GetTextMapPropagator().Inject(ctx, carrier)` into the headers, and `Extract` where messages are consumed. "
    "Call `otel.SetTextMapPropagator(propagation.TraceContext{})` once at the start: without it nothing is injected.",
    "dotnet": "Use the client's own ActivitySource (RabbitMQ.Client 7 with RabbitMQ.Client.OpenTelemetry, "
    "OpenTelemetry.Instrumentation.ConfluentKafka, MassTransit, Azure.Messaging.*), and add it with `AddSource`. By "
    "hand: `Propagators.DefaultTextMapPropagator.Inject(...)` into the headers, `Extract` on the other end, its "
    "ActivityContext as parent or link.",
}  # fmt: skip

_IN_PROCESS: Final = {
    "": "Hand the current context over together with the work: take it where the work is submitted, and attach it in "
    "the thread or task that does it, before the first span begins there.",
    "python": "Threads do not inherit context variables. Install opentelemetry-instrumentation-threading "
    "(`ThreadingInstrumentor().instrument()`, covers Thread, Timer and ThreadPoolExecutor), or submit with the "
    "context: `executor.submit(contextvars.copy_context().run, work, ...)`; `asyncio.to_thread` does so by itself, "
    "`loop.run_in_executor` does not. For processes send a carrier: `propagate.inject(carrier)`, there `extract`.",
    "java": "Wrap the executor: `Context.taskWrapping(executorService)`, or one task: `Context.current().wrap(task)`. "
    "The Java agent does so for java.util.concurrent, Kotlin coroutines and Reactor, not for pools of your own: "
    "name those in OTEL_INSTRUMENTATION_EXECUTORS_INCLUDE. With Spring's @Async set a ContextPropagatingTaskDecorator.",
    "nodejs": "Register an AsyncLocalStorageContextManager (NodeTracerProvider.register() and NodeSDK do), and bind "
    "callbacks that a pool or a queue of your own calls later: `context.bind(context.active(), callback)`, or "
    "`AsyncResource.bind(callback)`. Worker threads need a carrier: `propagation.inject` into what is posted.",
    "go": "Pass `ctx` of the request to the goroutine or put it into the job that is sent over the channel, instead of "
    "`context.Background()`; where the work outlives the request use `context.WithoutCancel(ctx)`, which keeps the "
    "span.",
    "dotnet": "Activity.Current flows with async/await and Task.Run, not through channels, timers and threads of your "
    "own, nor where ExecutionContext.SuppressFlow is used: put `Activity.Current?.Context` into the work item, and "
    "start with it: `source.StartActivity(name, kind, parentContext)`.",
    "ruby": "Wrap the block: `context = OpenTelemetry::Context.current`, and in the thread "
    "`OpenTelemetry::Context.with_current(context) { ... }`; opentelemetry-instrumentation-concurrent_ruby does so for "
    "concurrent-ruby's pools.",
    "php": "Keep the context with the work: `$context = Context::getCurrent()`, later `$scope = $context->activate()` "
    "and `$scope->detach()`; for fibers enable OTEL_PHP_FIBERS_ENABLED.",
    "rust": "Attach the context to the future or the closure: `FutureExt::with_context(cx)` of opentelemetry, with "
    "tracing `.instrument(span)`; in `spawn_blocking` enter a clone of `Span::current()`.",
}  # fmt: skip

SPLITS: Final[Fixes] = {
    "lost-in-process": _IN_PROCESS,
    "parentless-consumer": _QUEUES,
}
"""Tables of the rules about splits."""

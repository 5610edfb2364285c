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

_ANY_HOP: Final = {
    "": "See that both ends use the same propagators (OTEL_PROPAGATORS, most often tracecontext,baggage), that the "
    "caller injects the context into what it sends, and that the callee extracts it before its first span begins. "
    "Proxies and gateways between them must let the headers `traceparent` and `tracestate` pass.",
}

_HTTP: Final = {
    "": "Send the context with the request: instrument the HTTP client that is used here, or call the propagator's "
    "`inject` on its headers, and the server's `extract`. Both ends need the same propagators (OTEL_PROPAGATORS, most "
    "often tracecontext,baggage), and proxies between them must let `traceparent` and `tracestate` pass.",
    "python": "Instrument the client library that makes this call: opentelemetry-instrumentation-requests, -httpx, "
    "-aiohttp-client, -urllib3 or -urllib (with its `...Instrumentor().instrument()` before the first session is "
    "made), or add the context by hand: `propagate.inject(headers)`. On the callee's side see that the framework is "
    "instrumented (-fastapi, -flask, -django, -aiohttp-server, -asgi, -wsgi). Both need the same OTEL_PROPAGATORS "
    "(tracecontext,baggage).",
    "java": "Use the Java agent, which covers the usual HTTP clients, or wrap the client: "
    "JavaHttpClientTelemetry.newHttpClient, OkHttpTelemetry.newCallFactory, ApacheHttpClientTelemetry, "
    "SpringWebTelemetry as interceptor of a RestTemplate. With Spring build clients from the RestTemplateBuilder, "
    "RestClient.Builder or WebClient.Builder bean: `new RestTemplate()` carries no context. "
    "Set the same OTEL_PROPAGATORS on both ends (tracecontext,baggage; b3multi for older services).",
    "nodejs": "Load the SDK before anything that makes requests (`node --import` or `--require`), with "
    "@opentelemetry/instrumentation-undici for fetch and undici, -http for http, axios and got. By hand: "
    "`propagation.inject(context.active(), headers)`. Bundlers (webpack, esbuild) and ES modules loaded without the "
    "hook @opentelemetry/instrumentation/hook.mjs keep the instrumentation from working.",
    "go": "Wrap the client's transport: `http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport)}`, "
    "and make the request with the context: `http.NewRequestWithContext(ctx, ...)`. Wrap the server's handler in "
    "otelhttp.NewHandler (or otelgin, otelecho, otelmux). Call "
    "`otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, "
    "propagation.Baggage{}))` once: Go's default propagates nothing.",
    "dotnet": "HttpClient writes `traceparent` by itself while Activity.Current is set: add "
    "AddHttpClientInstrumentation, look for Activity.Current that is lost (a SocketsHttpHandler with "
    "ActivityHeadersPropagator = null, DistributedContextPropagator.CreateNoOutputPropagator(), calls from timers), "
    "and add AddAspNetCoreInstrumentation on the callee's side.",
    "webjs": "Browsers send `traceparent` to other origins only if told so: set `propagateTraceHeaderCorsUrls` of "
    "@opentelemetry/instrumentation-fetch and -xml-http-request, and let the server allow the header "
    "(Access-Control-Allow-Headers: traceparent, tracestate).",
    "ruby": "Install the instrumentation of the HTTP library: opentelemetry-instrumentation-net_http, -faraday, "
    "-http_client, -httpx (`c.use 'OpenTelemetry::Instrumentation::Faraday'`), and -rack or -rails on the callee's "
    "side. By hand: `OpenTelemetry.propagation.inject(headers)`.",
    "php": "Install open-telemetry/opentelemetry-auto-psr18, -auto-guzzle or -auto-curl beside the extension, or by "
    "hand: `TraceContextPropagator::getInstance()->inject($headers)`.",
    "rust": "Wrap the client: reqwest-middleware with reqwest-tracing's TracingMiddleware, or inject by hand with "
    "opentelemetry-http's HeaderInjector, HeaderExtractor on the other end; call "
    "`global::set_text_map_propagator(TraceContextPropagator::new())` once.",
    "cpp": "Inject into the request's headers by hand: `propagator->Inject(carrier, context)`, and set the propagator "
    "with `GlobalTextMapPropagator::SetGlobalPropagator`. Envoy and nginx carry it with their own tracing turned on.",
}

_GRPC: Final = {
    "": "Send the context in the call's metadata: add the instrumentation's interceptor to the client's channel and to "
    "the server, or inject into the metadata by hand. Both ends need the same propagators (OTEL_PROPAGATORS).",
    "python": "opentelemetry-instrumentation-grpc: `GrpcInstrumentorClient().instrument()` before the channel is made "
    "(`GrpcAioInstrumentorClient` for grpc.aio), `GrpcInstrumentorServer` on the other end; or "
    "`grpc.intercept_channel(channel, client_interceptor())`. Channels that were made before are not covered.",
    "java": "Use the Java agent, or add GrpcTelemetry of opentelemetry-grpc-1.6: "
    "`createClientInterceptor()` on the channel, `createServerInterceptor()` on the server.",
    "nodejs": "@opentelemetry/instrumentation-grpc, loaded before @grpc/grpc-js; by hand: "
    "`propagation.inject(context.active(), metadata, {set: (m, k, v) => m.set(k, v)})`.",
    "go": "Give the connection `grpc.WithStatsHandler(otelgrpc.NewClientHandler())` and the server "
    "`grpc.StatsHandler(otelgrpc.NewServerHandler())`, call with the request's ctx, and set "
    "`otel.SetTextMapPropagator(propagation.TraceContext{})` once: Go's default propagates nothing.",
    "dotnet": "Add AddGrpcClientInstrumentation together with AddHttpClientInstrumentation (which writes the headers; "
    "with SuppressDownstreamInstrumentation the former does), and AddAspNetCoreInstrumentation on the server.",
    "ruby": "opentelemetry-instrumentation-grpc on both ends.",
    "rust": "Inject into tonic's metadata in an interceptor of the client (a MetadataMap injector), extract in a layer "
    "of the server, and set the TraceContextPropagator once.",
}

SPLITS: Final[Fixes] = {
    "split-trace": _ANY_HOP,
    "split-trace:http": _HTTP,
    "split-trace:grpc": _GRPC,
    "split-trace:queue": _QUEUES,
    "lost-in-process": _IN_PROCESS,
    "parentless-consumer": _QUEUES,
}
"""Tables of the rules about splits."""

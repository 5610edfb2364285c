"""How to mend trees of spans that are not whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

_SAMPLED_ALONE: Final = (
    "Nothing is broken, but these traces stay torn. Let every service follow its caller's decision "
    "(OTEL_TRACES_SAMPLER=parentbased_traceidratio with one ratio for all), or sample whole traces in a Collector "
    "(tail_sampling) instead of single spans."
)
_WINDOW: Final = (
    "Nothing is broken: the dump begins or ends in the middle of these traces. Fetch a longer window, or fetch the "
    "traces whole by their ids."
)
_LOST: Final = (
    "The instrumentation is right; spans were lost on their way. Look at the exporter's log and the Collector's "
    "otelcol_exporter_send_failed_spans and otelcol_receiver_refused_spans at that time, let the exporter retry, and "
    "give the batch processor more room (OTEL_BSP_MAX_QUEUE_SIZE)."
)

STRUCTURE: Final[Fixes] = {
    "missing-parent": {
        "": "Look for what makes the parent and does not export it: a proxy or a library whose spans are dropped, an "
        "exporter that is not flushed before the process ends, or a queue of the batch processor that overflows "
        "(OTEL_BSP_MAX_QUEUE_SIZE).",
        "python": "Look for what makes the parent and does not export it: call `provider.shutdown()` before the "
        "process ends, and with gunicorn or uWSGI set up the TracerProvider after the fork (a post_fork hook).",
        "java": "Look for what makes the parent and does not export it: an instrumentation whose spans a processor "
        "or a sampler drops, `SdkTracerProvider.shutdown()` that is never called, or a queue that overflows "
        "(-Dotel.bsp.max.queue.size).",
        "nodejs": "Look for what makes the parent and does not export it: spans that are never ended, a process that "
        "ends before `sdk.shutdown()` has resolved, or a queue that overflows (OTEL_BSP_MAX_QUEUE_SIZE).",
        "go": "Look for what makes the parent and does not export it: a span without `defer span.End()`, a "
        "TracerProvider without `Shutdown(ctx)` before main returns, or a queue that overflows "
        "(sdktrace.WithMaxQueueSize).",
        "dotnet": "Look for what makes the parent and does not export it: an ActivitySource that is made but not added "
        "(`AddSource(name)`), ASP.NET Core's own Activity without `AddAspNetCoreInstrumentation()`, or a "
        "TracerProvider that is not disposed of.",
    },
    "missing-parent:sampling": {"": _SAMPLED_ALONE},
    "missing-parent:window": {"": _WINDOW},
    "missing-parent:lost-export": {"": _LOST},
    "missing-server-span": {
        "": "Instrument what takes these calls in the called service (its HTTP or RPC server, its consumer), and make "
        "sure that it reads the caller's `traceparent`.",
        "python": "Instrument the server: `FastAPIInstrumentor.instrument_app(app)`, `FlaskInstrumentor()`, "
        "`GrpcInstrumentorServer().instrument()`, or start it with `opentelemetry-instrument`.",
        "java": "Start the service with `-javaagent:opentelemetry-javaagent.jar`, and look whether "
        "`otel.instrumentation.<name>.enabled=false` turns the server's instrumentation off.",
        "nodejs": "Load the instrumentation before the server's module (`node --require "
        "@opentelemetry/auto-instrumentations-node/register`), and look at OTEL_NODE_DISABLED_INSTRUMENTATIONS.",
        "go": "Wrap the handler: `otelhttp.NewHandler(mux, ...)`, or "
        "`grpc.StatsHandler(otelgrpc.NewServerHandler())` for a gRPC server.",
        "dotnet": "Add `AddAspNetCoreInstrumentation()` to the service's tracing, and look whether its Filter leaves "
        "these requests out.",
    },
    "missing-server-span:sampling": {"": _SAMPLED_ALONE},
    "missing-server-span:window": {"": _WINDOW},
    "missing-server-span:lost-export": {"": _LOST},
    "several-roots": {
        "": "Hand on the whole context, not the trace id alone: where it is carried by hand, inject and extract with "
        "the propagator (W3C `traceparent`), and look whether a processor clears `parent_span_id`.",
        "python": "Hand on the whole context: `context = propagate.extract(carrier)` and "
        "`tracer.start_as_current_span(name, context=context)`, not a SpanContext made of the trace id alone.",
        "java": "Hand on the whole context: `propagator.extract(Context.current(), carrier, getter)` and "
        "`spanBuilder.setParent(context)`, not an IdGenerator that gives out the caller's trace id.",
        "nodejs": "Hand on the whole context: `propagation.extract(context.active(), carrier)` as the third argument "
        "of `tracer.startSpan`, not a trace id that is set by hand.",
        "go": "Hand on the whole context: `otel.GetTextMapPropagator().Extract(ctx, carrier)` and the ctx that it "
        "returns, not a SpanContext with a TraceID alone.",
        "dotnet": "Hand on the whole context: `Propagators.DefaultTextMapPropagator.Extract(...)` and its "
        "`ActivityContext` as parent, not an Activity whose trace id is set by hand.",
    },
    "client-root": {
        "": "Start a span for what makes the call (the job, the page, the message), so that its calls hang together; "
        "nothing is to do where a single call is all there is.",
    },
    "missing-client-span": {
        "": "Instrument the library that makes the call, rather than writing `traceparent` by hand: its client span "
        "holds the time on the network, the retries and the peer.",
        "python": "Instrument the client's library: `RequestsInstrumentor().instrument()`, "
        "`HTTPXClientInstrumentor().instrument()`, `GrpcInstrumentorClient().instrument()`.",
        "java": "Let the agent instrument the client (look at `otel.instrumentation.<name>.enabled`), or use the "
        "library instrumentation of it, such as `OkHttpTelemetry` or `ApacheHttpClientTelemetry`.",
        "nodejs": "Load the client's instrumentation before its module: `@opentelemetry/instrumentation-http`, "
        "`-undici` (for fetch), `-grpc`, `-amqplib`, `-kafkajs`.",
        "go": "Use a traced client: `otelhttp.NewTransport(http.DefaultTransport)` as its Transport, or "
        "`grpc.WithStatsHandler(otelgrpc.NewClientHandler())`.",
        "dotnet": "Add `AddHttpClientInstrumentation()`, `AddGrpcClientInstrumentation()` or the client library's "
        "ActivitySource (`AddSource(name)`) to the tracing of the caller.",
    },
    "internal-across-services": {
        "": "Make the span that takes the call a server (or consumer) span, best by instrumenting the server's "
        "library; where both run in one process, give that process one `service.name` and tell its parts apart by "
        "`service.namespace` or the scope's name.",
    },
    "double-instrumentation": {
        "": "Leave one of the two instrumentations out: both wrap the same call, cost twice and count it twice.",
        "python": "Leave one of the two out (OTEL_PYTHON_DISABLED_INSTRUMENTATIONS), and look whether "
        "`instrument()` is called by hand in a program that `opentelemetry-instrument` starts.",
        "java": "Leave one of the two out: the agent instruments what the library instrumentation or the framework "
        "(Micrometer Tracing, Spring) wraps already; `-Dotel.instrumentation.<name>.enabled=false`.",
        "nodejs": "Leave one of the two out (OTEL_NODE_DISABLED_INSTRUMENTATIONS): frameworks such as Next.js make "
        "spans themselves for what `@opentelemetry/instrumentation-http` or `-undici` instruments as well.",
        "go": "Leave one of the two out: look for `otelhttp.NewTransport` or `otelhttp.NewHandler` around what is "
        "wrapped already, by the framework's middleware or a shared client.",
        "dotnet": "Leave one of the two out: a client library with an ActivitySource of its own (Azure SDK, gRPC) runs "
        "over HttpClient; set `SuppressDownstreamInstrumentation`, or filter its requests.",
    },
    "span-cycle": {
        "": "Look at what writes the ids: a generator of span ids that repeats itself, a span that is started with its "
        "own context as parent, or a converter that mixes up the two ids.",
    },
}

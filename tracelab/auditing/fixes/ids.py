"""How to mend ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

IDS: Final[Fixes] = {
    "exported-twice": {
        "": "Let one exporter send these spans: look for two span processors or exporters with the same endpoint, an "
        "agent beside an SDK that is set up by hand, and Collector pipelines that meet again. Retries after a timeout "
        "also send a batch twice: give the exporter more time (OTEL_EXPORTER_OTLP_TIMEOUT).",
        "python": "Call `provider.add_span_processor` once: look for set-up code that runs twice (reloaders, "
        "`opentelemetry-instrument` beside code of one's own), and for retries after a timeout "
        "(OTEL_EXPORTER_OTLP_TIMEOUT).",
        "java": "Look for the Java agent beside an `OpenTelemetrySdk` that is built by hand, for two exporters in "
        "OTEL_TRACES_EXPORTER, and for retries after a timeout (OTEL_EXPORTER_OTLP_TIMEOUT).",
        "nodejs": "Look for two `NodeSDK` in one process (`--require` beside `sdk.start()` in the code), for a "
        "`traceExporter` beside `spanProcessors`, and for retries after a timeout (OTEL_EXPORTER_OTLP_TIMEOUT).",
        "go": "Look for two `sdktrace.WithBatcher` with the same exporter, and for retries after a timeout "
        "(OTEL_EXPORTER_OTLP_TIMEOUT).",
        "dotnet": "Look for `AddOtlpExporter` that is called twice, for `UseOtlpExporter` beside it, and for the "
        "automatic instrumentation beside an SDK that is set up by hand.",
    },
    "duplicate-span-id": {
        "": "Use the SDK's own generator of ids, seeded anew in every process: look for a generator of one's own, for "
        "a seed that is constant or copied by a fork, and for code that copies a span's context into new spans.",
        "python": "Use `opentelemetry.sdk.trace.id_generator.RandomIdGenerator`; where code calls `random.seed`, or "
        "workers are forked, call `random.seed()` anew in each (gunicorn and uWSGI: in a post_fork hook).",
        "java": "Use `IdGenerator.random()`; look for a generator of one's own in `SdkTracerProviderBuilder."
        "setIdGenerator`.",
        "nodejs": "Use `RandomIdGenerator` of `@opentelemetry/sdk-trace-base`; look for an `idGenerator` of one's own, "
        "and for tests' mocks of `Math.random`.",
        "go": "Leave out `sdktrace.WithIDGenerator`, or seed the generator from crypto/rand, not with a constant.",
        "dotnet": "Leave ids to `Activity`; look for `SetIdFormat`, `SetParentId` and ids that are set by hand.",
    },
    "shared-span-id": {
        "": "Nothing is broken while all tools know Zipkin's shared spans. To have a span for each side, let the "
        "server begin a span of its own (Brave: `Tracing.newBuilder().supportsJoin(false)`), or use OpenTelemetry's "
        "SDK.",
        "java": "Give each side a span of its own: `Tracing.newBuilder().supportsJoin(false)` in Brave (Spring Cloud "
        "Sleuth: `spring.sleuth.supports-join=false`).",
    },
    "invalid-id": {
        "": "Make trace ids of 16 and span ids of 8 random bytes, written as lower-case hex, not all zeros: use the "
        "SDK's generator, and a W3C propagator (OTEL_PROPAGATORS=tracecontext,baggage) where ids come from outside.",
    },
    "short-trace-id": {
        "": "Make trace ids of 128 bits and hand them on whole: with B3 turn on 128 bits in every sender, better use "
        "W3C's headers everywhere (OTEL_PROPAGATORS=tracecontext,baggage).",
        "java": "Make trace ids of 128 bits: Brave `traceId128Bit(true)`, Sleuth `spring.sleuth.trace-id128=true`, "
        "old Jaeger clients JAEGER_TRACEID_128BIT=true; better use OpenTelemetry's SDK with W3C's headers.",
        "go": "Make trace ids of 128 bits: zipkin-go `zipkin.WithTraceID128Bit(true)`, old Jaeger clients "
        "JAEGER_TRACEID_128BIT=true; better use OpenTelemetry's SDK with W3C's headers.",
    },
    "reused-trace-id": {
        "": "Begin a new trace for every request: look for a generator of ids with a constant seed, for workers that "
        "are forked after it was seeded, and for a context or a traceparent header that is kept and used again.",
        "python": "Begin a new trace for every request: seed anew in every worker (gunicorn and uWSGI: `random.seed()` "
        "and the TracerProvider in a post_fork hook), and detach contexts (`context.detach(token)`).",
        "java": "Begin a new trace for every request: close every `Scope` (try-with-resources), so that no thread of "
        "the pool keeps a context, and look for a constant seed in an `IdGenerator`.",
        "nodejs": "Begin a new trace for every request: look for a context that is kept in a module's variable, and "
        "for a traceparent header that a client keeps.",
        "go": "Begin a new trace for every request: do not keep a `context.Context` with a span beyond its request, "
        "and seed no `IDGenerator` with a constant.",
        "dotnet": "Begin a new trace for every request: stop every Activity, and look for `SetParentId` and for "
        "`Activity.Current` that background work inherits (`ExecutionContext.SuppressFlow`).",
    },
    "non-random-trace-id": {
        "": "Use the SDK's generator of ids: at least the last 7 bytes must be random (W3C Trace Context, level 2), "
        "for samplers decide by them.",
        "python": "Use `opentelemetry.sdk.trace.id_generator.RandomIdGenerator`; of a generator of one's own at least "
        "the last 7 bytes of the trace id must be random.",
        "java": "Use `IdGenerator.random()`; of a generator of one's own at least the last 7 bytes of the trace id "
        "must be random.",
        "nodejs": "Use `RandomIdGenerator` of `@opentelemetry/sdk-trace-base`; of a generator of one's own at least "
        "the last 7 bytes of the trace id must be random.",
        "go": "Leave out `sdktrace.WithIDGenerator`; of a generator of one's own at least the last 7 bytes of the "
        "trace id must be random.",
    },
}

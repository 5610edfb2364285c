"""How to mend sampling flags and thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

FLAGS: Final[Fixes] = {
    "mixed-sampling-flags": {
        "": "Let the service follow its callers' decision (OTEL_TRACES_SAMPLER=parentbased_always_on or "
        "parentbased_traceidratio), and hand the flags of the incoming traceparent on unchanged.",
        "python": "Give the TracerProvider `sampler=ParentBased(...)` of `opentelemetry.sdk.trace.sampling`, or set "
        "OTEL_TRACES_SAMPLER=parentbased_traceidratio; build no `SpanContext` without `trace_flags`.",
        "java": "Use `Sampler.parentBased(...)`, or OTEL_TRACES_SAMPLER=parentbased_traceidratio; where a "
        "`SpanContext` is built by hand, hand on `TraceFlags`.",
        "nodejs": "Use `new ParentBasedSampler({ root: ... })`, or OTEL_TRACES_SAMPLER=parentbased_traceidratio; where "
        "a `SpanContext` is built by hand, hand on `traceFlags`.",
        "go": "Use `sdktrace.ParentBased(...)`, or OTEL_TRACES_SAMPLER=parentbased_traceidratio; where a "
        "`trace.SpanContextConfig` is built by hand, hand on `TraceFlags`.",
        "dotnet": "Use `SetSampler(new ParentBasedSampler(...))`, and set `ActivityTraceFlags` where an "
        "`ActivityContext` is built by hand.",
    },
    "unsampled-span-recorded": {
        "": "Export only what is sampled: look for a span processor or an exporter of one's own that passes on spans "
        "which are only recorded (RECORD_ONLY), or for a proxy that begins traces with traceparent flags 00.",
        "python": "Current exporters of Python write no W3C flags, which is harmless. Else look for a SpanProcessor of "
        "one's own that exports without asking `span.context.trace_flags.sampled`.",
        "java": "Look for a SpanProcessor of one's own that exports without asking `spanContext.isSampled()`, and for "
        "`setExportUnsampledSpans(true)` of the BatchSpanProcessor.",
        "nodejs": "Look for a SpanProcessor of one's own that exports without asking "
        "`span.spanContext().traceFlags & TraceFlags.SAMPLED`.",
        "go": "Look for a SpanProcessor of one's own that exports without asking `s.SpanContext().IsSampled()`.",
        "dotnet": "Look for a processor of one's own that exports without asking `activity.Recorded`.",
    },
    "inconsistent-sampling-threshold": {
        "": "Let only samplers that decide by the trace id write `ot=th`, and let children hand on what their parent "
        "says: a sampler that keeps for other reasons must leave `th` out.",
    },
}

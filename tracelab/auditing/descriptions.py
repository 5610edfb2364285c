"""What each rule means: a title, and why it matters, for lists of rules and for code hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.findings import Severity


@dataclass(frozen=True)
class Description:
    """What a rule is about.

    Attributes
    ----------
    subject
        What it belongs to, as the wings of `rules/` are named.
    title
        What is found, in a few words.
    why
        Why it matters, in a sentence.
    severity
        How much it matters where it is at its worst.
    """

    subject: str
    title: str
    why: str
    severity: Severity = "warning"


DESCRIPTIONS: Final[dict[str, Description]] = {
    "missing-parent": Description(
        "structure",
        "The parent of a span is missing",
        "A span whose parent never came begins a fragment of its own: nobody sees who called it, and what its caller "
        "waited for.",
    ),
    "several-roots": Description(
        "structure",
        "A trace has several roots",
        "A trace that begins more than once is not one request: its duration, its critical path and its outcome are "
        "not those of a user's request.",
    ),
    "client-root": Description(
        "structure",
        "A trace begins with a call",
        "A call that nothing made hides the request or the job that it belongs to, and every call of a request "
        "becomes a trace of its own.",
        severity="info",
    ),
    "missing-client-span": Description(
        "structure",
        "A request came from another service without a client span",
        "Without the caller's client span nobody can tell the time on the network and in queues from the time in the "
        "service that was called.",
    ),
    "missing-server-span": Description(
        "structure",
        "A call of an instrumented service has no server span",
        "The service that was called makes spans for others, so that the time in this call is a blind spot: its "
        "server span was lost, or its context was.",
    ),
    "internal-across-services": Description(
        "structure",
        "A span within a service has its parent in another one",
        "Work that crossed a border without a client and a server span is missing in service graphs and in the "
        "figures of requests.",
    ),
    "double-instrumentation": Description(
        "structure",
        "One call is recorded twice",
        "Two libraries record the same call: calls are counted twice, and every one of them costs twice.",
    ),
    "span-cycle": Description(
        "structure",
        "Spans are each other's parents",
        "A circle has no beginning: no tool can draw it, and its spans belong to no request.",
        severity="error",
    ),
    "split-trace": Description(
        "splits",
        "A request goes on in another trace",
        "The context is not handed on at this edge: what the callee did is found in a trace of its own, and no "
        "request can be followed across it.",
        severity="error",
    ),
    "parentless-consumer": Description(
        "splits",
        "Messages are consumed with neither parent nor link",
        "Nothing leads from the work on a message back to the request that sent it.",
    ),
    "lost-in-process": Description(
        "splits",
        "The context is lost between threads or tasks",
        "Work that a request gives to a thread pool or a task begins a trace of its own, so that the request looks "
        "faster and simpler than it is.",
        severity="error",
    ),
    "clock-skew": Description(
        "clocks",
        "The clocks of two hosts differ",
        "Spans of one host stand at the wrong time among those of others: gaps, critical paths and the order of "
        "events are wrong by as much.",
    ),
    "child-outside-parent": Description(
        "clocks",
        "Spans begin before their parents or end after them",
        "Work that goes on after its caller has answered is either meant so, or a span that is ended too early or "
        "too late; its time is on no critical path.",
    ),
    "event-outside-span": Description(
        "clocks",
        "Events lie outside of their span",
        "An event that is not in the time of its span cannot be seen where it happened.",
    ),
    "duplicate-span-id": Description(
        "ids",
        "Different spans of a trace have the same id",
        "Children of these spans cannot be told apart, and backends keep one of them or mix both.",
        severity="error",
    ),
    "exported-twice": Description(
        "ids",
        "The same spans came twice",
        "Every count, rate and cost that rests on these spans is too high.",
    ),
    "shared-span-id": Description(
        "ids",
        "Client and server share one span",
        "Zipkin's older way lets both sides of a call have one id; OpenTelemetry needs one for each, else one side "
        "is taken for a duplicate.",
    ),
    "invalid-id": Description(
        "ids",
        "Ids are not valid",
        "Ids of the wrong length, with other characters or of zeros only are dropped by others on the way, and the "
        "trace ends there.",
        severity="error",
    ),
    "short-trace-id": Description(
        "ids",
        "Trace ids have 64 bits",
        "Systems that write these ids with 128 bits, and those that cut them, take one trace for two.",
    ),
    "reused-trace-id": Description(
        "ids",
        "One trace id stands for unrelated requests",
        "Requests that share an id are one endless trace, which no view can show and which samplers keep or drop "
        "as a whole.",
        severity="error",
    ),
    "non-random-trace-id": Description(
        "ids",
        "Trace ids are not random where samplers read them",
        "Samplers decide by the last 56 bits of the trace id: ids that are not random there are kept far too often, "
        "or never.",
    ),
    "mixed-sampling-flags": Description(
        "flags",
        "The spans of a trace disagree on whether it is sampled",
        "A service that decides anew and does not follow its parent leaves traces with holes.",
    ),
    "unsampled-span-recorded": Description(
        "flags",
        "Spans were exported that are marked as not sampled",
        "What is counted from such spans does not stand for what samplers kept, and their children are missing.",
    ),
    "inconsistent-sampling-threshold": Description(
        "flags",
        "Sampling thresholds contradict each other",
        "Weights are computed from these thresholds: where they are wrong, so is every total that is estimated.",
    ),
    "old-attribute-names": Description(
        "conventions",
        "Attributes have names that are deprecated",
        "Dashboards, alerts and tools that know the current semantic conventions do not see these attributes.",
    ),
    "mixed-attribute-names": Description(
        "conventions",
        "The same is said under an old and a new name",
        "A query by either name sees a part of the spans only, and looks as if that were all.",
    ),
    "attribute-at-wrong-level": Description(
        "conventions",
        "Attributes stand where the semantic conventions do not have them",
        "What belongs to the resource and stands on spans, or the other way round, is not found by tools that follow "
        "the conventions.",
    ),
    "missing-service-name": Description(
        "conventions",
        "Spans do not say which service they are of",
        "Spans of all programs without a name look like one service, and nobody is told of their errors.",
        severity="error",
    ),
    "error-attribute-without-status": Description(
        "failures",
        "Spans say that they failed, and their status does not",
        "Error rates, alerts and tail sampling go by the status: these failures are not counted and not kept.",
    ),
    "server-error-without-status": Description(
        "failures",
        "Answers of 5xx are not marked as errors",
        "Error rates, alerts and tail sampling go by the status: these failures are not counted and not kept.",
    ),
    "exception-without-error": Description(
        "failures",
        "Spans with an exception are not marked as errors",
        "Either the exception was handled and is noise, or a failure is not counted; only the service can say which.",
    ),
    "error-without-type": Description(
        "failures",
        "Failed spans do not say of which type the error is",
        "Without error.type failures cannot be grouped by what they are.",
    ),
    "error-type-on-success": Description(
        "failures",
        "Spans that did not fail have a type of error",
        "Counts by error.type include requests that went well.",
    ),
    "unbounded-span-names": Description(
        "names",
        "Span names contain ids or values",
        "Nearly every span has a name of its own, so that nothing can be grouped by operation, and metrics from spans "
        "grow without end.",
    ),
    "secret-in-attributes": Description(
        "secrets",
        "Attributes contain secrets",
        "Everyone who may read traces may use these credentials; they are also in backups and in exports.",
        severity="error",
    ),
    "personal-data-in-attributes": Description(
        "secrets",
        "Attributes contain personal data",
        "Traces are read by many and kept for long, and are rarely deleted on a person's request.",
    ),
}
"""Every rule that findings name, by subject."""

EXPLANATIONS: Final = {
    "sampling": "Sampling explains this: the spans that are missing were not kept.",
    "window": "The window explains this: what is missing lies before or after the time of these spans.",
    "lost-export": "A lost export explains this: spans were made and never came, the context was handed on.",
}
"""What explains findings better than a fault does, in a sentence."""

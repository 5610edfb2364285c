"""How to mend clocks, and times that are not those of what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracelab.auditing.fixes.table import Fixes

CLOCKS: Final[Fixes] = {
    "clock-skew": {
        "": "Let the host follow the same time servers as the others (`chronyc tracking` or `timedatectl "
        "timesync-status` tells how far it is off); containers have the clock of their host. Until then let the "
        "backend correct it (Jaeger: `max_clock_skew_adjust` of `jaeger_query`).",
    },
    "child-outside-parent": {
        "": "If the work is meant to go on after the answer, begin a span of its own for it and tie it by a link; else "
        "end the parent when all that it waits for has ended. A child that begins before its parent has a start time "
        "that was given by hand, or the clock was set back meanwhile.",
        "python": "If the work is meant to go on after the answer, begin a root span for it with "
        "`tracer.start_as_current_span(name, context=Context(), links=[Link(parent_context)])`; else leave the "
        "parent's `with` block only when all tasks are awaited. Look for `start_time=` where a child begins before its "
        "parent.",
        "java": "If the work is meant to go on after the answer, begin a root span for it with "
        "`spanBuilder.setNoParent().addLink(parentContext)`; else call `end()` of the parent when the last future has "
        "completed. Look for `setStartTimestamp` where a child begins before its parent.",
        "nodejs": "If the work is meant to go on after the answer, begin a root span for it with "
        "`tracer.startSpan(name, { root: true, links: [{ context: parentContext }] })`; else await all promises before "
        "`span.end()`. Look for `startTime` where a child begins before its parent.",
        "go": "If the work is meant to go on after the answer, begin a root span for it with "
        "`trace.WithNewRoot()` and `trace.WithLinks(...)`; else wait for the goroutines before `span.End()`. Look for "
        "`trace.WithTimestamp` where a child begins before its parent.",
        "dotnet": "If the work is meant to go on after the answer, start an Activity without a parent and with an "
        "`ActivityLink`; else await all tasks before the parent is disposed. Look for `SetStartTime` where a child "
        "begins before its parent.",
    },
    "event-outside-span": {
        "": "Let the SDK take the time of events, or give it the same clock that times the span; record what happens "
        "after the end on the span in which it happens.",
        "python": "Leave `timestamp=` out of `span.add_event` and `record_exception` (it is nanoseconds since 1970, "
        "not milliseconds), and record before the span's `with` block is left.",
        "java": "Leave the timestamp out of `span.addEvent`, or give it the right unit (`addEvent(name, time, "
        "TimeUnit)`), and record before `span.end()`.",
        "nodejs": "Leave the time out of `span.addEvent`: `performance.now()` and `Date.now()` are different clocks in "
        "one process.",
        "go": "Leave `trace.WithTimestamp` out of `span.AddEvent`, and record before `span.End()`.",
        "dotnet": "Leave the timestamp out of `new ActivityEvent(name)`, and add it before the Activity is stopped.",
    },
}

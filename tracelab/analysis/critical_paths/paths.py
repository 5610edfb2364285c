"""The critical path: for every moment of a trace, the one span that it was waiting for."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations, starts
from tracelab.analysis.asynchronous import consumers, left_running, process_columns
from tracelab.analysis.critical_paths.algorithm import Clipped, Sections, clip, walk
from tracelab.clocks.doubts import timed_forest
from tracelab.conforming import takes_any_frame
from tracelab.options import choice
from tracelab.schema import DURATION, TIME

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Ints
    from tracelab.forest import Forest

Method: TypeAlias = Literal["tracelab", "jaeger"]

BASIS: Final = pl.Enum(["forced", "left_running", "ambiguous"])
"""What a section rests on, as `Sections.basis` numbers it."""

_BATCH: Final = 1 << 18
"""How many spans are walked at once: with more the arrays outgrow the caches, and a span takes twice as long."""


@takes_any_frame
def critical_path(spans: Spans, *, method: Method = "tracelab") -> pl.DataFrame:
    """Find the critical path of every trace.

    The path is told backwards. From the end of a root, time belongs to the root down to the end of the child that
    finished last before; then to that child, in the same way; then it goes on from the child's start. What is left at
    the beginning is the root's own. Shortening a section of the path is the only way to shorten the trace.

    Parameters
    ----------
    spans
        The spans.
    method
        How to decide where the spans leave room.

        `"tracelab"`: a child may end in the very instant in which the next one starts, and both are on the path; of
        children that end together the one that starts first is taken, then the one with the smaller id. Every root
        has a path, that of a fragment whose parent is missing too, and its sections cover it from start to end
        without overlap. A child that ends after its parent was waited for, up to the end of the parent, if it answers
        a call (a server span; a span of no kind below a client span) or ran elsewhere: in another service, or in
        another process or host as far as the resources of both say (`service.instance.id`, `host.name`,
        `process.pid`, `k8s.pod.name` and their kin). A call is waited for until it times out, and clocks of two hosts
        may differ. In one process the parent has gone on without it: the child was left running, and is off the path
        with all that is below it.

        `"jaeger"`: the sections that Jaeger UI shows (as of August 2026). A child that ends in the instant in which
        the next starts is skipped and its time given to the parent; spans that take no time may split a section of
        their parent; a fragment whose parent is missing has no path. (Where Jaeger UI goes by the order of the input,
        among siblings with equal times, we go by span id.)

        Both clip children to their parents, top down, and do not follow calls from a producer to a consumer, which
        nobody waits for. Links never block.

    Returns
    -------
    One row per section, in order of traces (by first start, then id), fragments and time: `trace_id`, `root_span_id`,
    `span_id`, `service_name`, `name` (String), `start_time` (Datetime), `duration` (Duration), `order` (UInt32, counts
    the sections of a root from 0), `basis` (Enum: `forced` if nothing else ran during the section but the span and its
    ancestors; `left_running` if nothing else did but what had been left running in the same process, which is taken
    as not waited for; `ambiguous` if other spans did, so that the spans alone cannot tell what was waited for).

    Raises
    ------
    TracelabError
        There is no such method.

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Notes
    -----
    Jaeger UI's rules are those of `CriticalPath` in jaeger-ui; that back-to-back siblings are both on the path is also
    how CRISP has it (Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice Architectures", USENIX
    ATC 2022).

    Times have lost digits where whole microseconds were written down (Jaeger, Zipkin), or where the start was read from
    a clock of milliseconds and the duration was not (JavaScript). A child that ends later than its parent by no more
    than that may have cost, 2 microseconds and 1 millisecond, ended in time. Where starts and durations alike are
    whole milliseconds, as in frames whose times were cut to that, the same holds for 1 of them where it is no more than
    10 % of the child, and for 2 where they are no more than 1 %; a shorter child that ends later was left running.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api      ==========
    ...   auth   .==
    ...   db     ...======
    ... ''')
    >>> critical_path(spans)["name"].to_list()
    ['api', 'auth', 'db', 'api']
    """
    frame, forest = timed_forest(spans, *process_columns(spans))
    sections = path_sections(frame, forest, method=method)
    first = np.concatenate(([True], np.diff(forest.root[sections.owner]) != 0))[: sections.owner.size]
    begins = np.flatnonzero(first)
    number = np.arange(first.size) - np.repeat(begins, np.diff(begins, append=first.size))
    owner = pl.Series(sections.owner)
    return pl.DataFrame(
        [
            frame["trace_id"].gather(owner),
            frame["span_id"].gather(forest.root[sections.owner]).alias("root_span_id"),
            frame["span_id"].gather(owner),
            frame["service_name"].gather(owner),
            frame["name"].gather(owner),
            pl.Series("start_time", sections.start).cast(TIME),
            pl.Series("duration", sections.end - sections.start).cast(DURATION),
            pl.Series("order", number).cast(pl.UInt32),
            basis_of(sections),
        ]
    )


def path_sections(frame: pl.DataFrame, forest: Forest, *, method: Method) -> Sections:
    """Give the sections as places and nanoseconds, for answers that count on.

    The frame has its `process_columns`: where they are missing, a service is taken for one process.
    """
    rules = _tracelab if choice("method", method, get_args(Method)) == "tracelab" else _jaeger
    parts = []
    for low, high in forest.batches(_BATCH):
        some, trees = frame[low:high], forest.between(low, high)
        start = starts(some)
        found = walk(some, trees, rules(some, trees, start, start + durations(some)))
        parts.append(replace(found, owner=found.owner + low))
    if len(parts) == 1:
        return parts[0]
    return Sections(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Sections)))


def basis_of(sections: Sections) -> pl.Series:
    """Name the basis of every section."""
    return pl.Series("basis", BASIS.categories).cast(BASIS).gather(pl.Series(sections.basis))


def _tracelab(frame: pl.DataFrame, forest: Forest, start: Ints, end: Ints) -> Clipped:
    low, high = clip(forest, start, end)
    unheard = forest.below(consumers(frame, forest))
    running_on = forest.below(left_running(frame, forest, start, end))
    left = np.flatnonzero(running_on & ~unheard)
    ran = np.maximum(start[left], start[forest.root[left]]), np.minimum(end[left], end[forest.root[left]])
    meanwhile = ran[1] > ran[0]
    return Clipped(
        low,
        high,
        (high > low) & ~unheard & ~running_on,
        left[meanwhile],
        ran[0][meanwhile],
        ran[1][meanwhile],
        tie=low,
        strict=False,
    )


def _jaeger(frame: pl.DataFrame, forest: Forest, start: Ints, end: Ints) -> Clipped:
    low, high = clip(forest, start, end)
    above_start, above_end = low[forest.parent], high[forest.parent]
    late, early = start >= above_end, end <= above_start
    dropped = forest.has_parent & np.where(start >= above_start, late, early)
    orphaned = ~forest.has_parent & frame["parent_span_id"].is_not_null().to_numpy()
    alive = ~forest.below(dropped | orphaned | consumers(frame, forest))
    nothing = np.zeros(0, dtype=np.int64)
    return Clipped(low, high, alive, nothing, nothing, nothing, tie=start, strict=True)

"""Self time: what a span did itself while no child of it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations, group_starts, running_max, starts
from tracelab.clocks.doubts import timed_forest
from tracelab.conforming import takes_any_frame
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.forest import Forest

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)

_ROW = "__row"


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Stretches of time inside spans that no child covers; a span without children is not looked at.

    Attributes
    ----------
    owner
        Place of the span.
    start, end
        The stretch; it may be empty.
    before, after
        Places of the child that ended when the stretch began and of the one that starts when it ends; -1 if none.
    """

    owner: Ints
    start: Ints
    end: Ints
    before: Ints
    after: Ints


@takes_any_frame
def with_self_time(spans: FrameT) -> FrameT:
    """Add the time that each span spent itself: what is left of it when its children are taken away.

    Children are clipped to the span, and where they overlap the time counts once.

    Parameters
    ----------
    spans
        The spans. Children that are not in the frame cannot be taken away: add the time before you filter.

    Returns
    -------
    The frame with `self_time` (Duration), rows as they were. A LazyFrame is computed when it is collected.

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api      ==========
    ...   auth   .===
    ...   db     ...====
    ... ''')
    >>> with_self_time(spans)["self_time"].dt.total_milliseconds().to_list()
    [4, 3, 4]
    """
    if isinstance(spans, pl.LazyFrame):
        return spans.map_batches(
            _with_self_time,
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            schema={**spans.collect_schema(), "self_time": DURATION},
        )
    return _with_self_time(spans)


def _with_self_time(spans: pl.DataFrame) -> pl.DataFrame:
    frame, forest = timed_forest(spans.with_row_index(_ROW), _ROW)
    own = self_times(frame, forest)
    by_row = np.empty_like(own)
    by_row[frame[_ROW].to_numpy()] = own
    return spans.with_columns(pl.Series("self_time", by_row).cast(DURATION))


def self_times(frame: pl.DataFrame, forest: Forest) -> Ints:
    """Give the nanoseconds of every span during which none of its children ran."""
    found = uncovered(frame, forest)
    own = durations(frame)
    begins = group_starts(found.owner)
    own[found.owner[begins]] = np.add.reduceat(found.end - found.start, begins) if begins.size else 0
    return own


def uncovered(frame: pl.DataFrame, forest: Forest) -> Uncovered:
    """List for every child the stretch that it ends, and for every parent the one after its last child."""
    children = forest.siblings()
    parent = forest.parent[children]
    begins = group_starts(parent)
    start, end = starts(frame), starts(frame) + durations(frame)
    low, high = start[parent], end[parent]
    since, until = np.clip(start[children], low, high), np.clip(end[children], low, high)
    reached = running_max(until, parent)
    covered = np.concatenate((low[:1], reached[:-1]))
    covered[begins] = low[begins]
    ended_last = _last_to_end(children, until, reached, parent)
    before = np.concatenate(([-1], ended_last[:-1]))[: children.size]
    before[begins] = -1
    last = np.concatenate((begins[1:], [children.size]))[: begins.size] - 1
    owner = np.concatenate((parent, parent[last]))
    order = np.argsort(np.concatenate((np.arange(children.size), last)), kind="stable")
    return Uncovered(
        owner[order],
        np.concatenate((covered, reached[last]))[order],
        np.concatenate((np.maximum(since, covered), high[last]))[order],
        np.concatenate((before, ended_last[last]))[order],
        np.concatenate((children, np.full(last.size, -1)))[order],
    )


def _last_to_end(children: Ints, until: Ints, reached: Ints, parent: Ints) -> Ints:
    """Name for every child the one that has reached furthest up to it."""
    fresh = np.concatenate(([True], (reached[1:] > reached[:-1]) | (parent[1:] != parent[:-1])))[: children.size]
    fresh &= until == reached
    leader = np.maximum.accumulate(np.where(fresh, np.arange(children.size), 0))
    return children[leader]

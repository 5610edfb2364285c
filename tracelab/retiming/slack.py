"""Slack and drag: how much each span alone may grow before its trace does, and what the trace gains without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import polars as pl

from tracelab.analysis.asynchronous import process_columns
from tracelab.clocks.doubts import timed_forest
from tracelab.conforming import takes_any_frame
from tracelab.retiming.crowds import crowds_of
from tracelab.retiming.order import order_of, placed
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.forest import Forest
    from tracelab.retiming.crowds import Crowds
    from tracelab.retiming.order import Placed

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)

_ROW: Final = "__row"
_BATCH: Final = 1 << 18
_COLUMNS: Final = ("slack_optimistic", "slack_pessimistic", "drag_optimistic", "drag_pessimistic")


@takes_any_frame
def with_slack(spans: FrameT) -> FrameT:
    """Add how much each span alone may grow before its trace takes longer, and what the trace gains without it.

    Both are what `what_if` says of that span alone, with its two bounds: the slack is the longest growth that leaves
    the root of its fragment as long as it is, the drag is what is saved if the span and all below it take no time.

    Parameters
    ----------
    spans
        The spans, of whole traces.

    Returns
    -------
    The frame with `slack_optimistic`, `slack_pessimistic`, `drag_optimistic`, `drag_pessimistic` (Duration), rows as
    they were. What nobody waited for has no drag (0), and may grow without end: its slack is null. Pessimistic values
    are never larger than optimistic ones. A LazyFrame is computed when it is collected.

    Notes
    -----
    Drag is a term of project planning: S. A. Devaux, "Total Project Control" (1999). A span on the critical path has no
    slack; its drag is less than its duration where another span that ran meanwhile would take its place.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    ==========
    ...   auth .===
    ...   db   .=====
    ...   log  .......==
    ... ''')
    >>> with_slack(spans).select(pl.col("slack_pessimistic", "drag_pessimistic").dt.total_milliseconds()).rows()
    [(0, 10), (2, 0), (0, 2), (0, 2)]
    """
    if isinstance(spans, pl.LazyFrame):
        return spans.map_batches(
            _with_slack,
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            schema={**spans.collect_schema(), **dict.fromkeys(_COLUMNS, DURATION)},
        )
    return _with_slack(spans)


def _with_slack(spans: pl.DataFrame) -> pl.DataFrame:
    frame, forest = timed_forest(spans.with_row_index(_ROW), _ROW, *process_columns(spans))
    found = np.zeros((len(_COLUMNS), frame.height), dtype=np.int64)
    awaited = np.zeros(frame.height, dtype=bool)
    row = frame[_ROW].to_numpy()
    for low, high in forest.batches(_BATCH):
        part = placed(frame[low:high], forest.between(low, high))
        found[:, row[low:high]] = slack_and_drag(part)
        awaited[row[low:high]] = part.awaited
    columns = [pl.Series(name, values).cast(DURATION) for name, values in zip(_COLUMNS, found, strict=True)]
    unlimited = pl.Series(~awaited)
    return spans.with_columns([*(column.set(unlimited, None) for column in columns[:2]), *columns[2:]])


def slack_and_drag(spans: Placed) -> Ints:
    """Give the optimistic and the pessimistic slack, then both drags, of each place; 0 where nobody waited."""
    order = order_of(spans, np.ones_like(spans.awaited))
    crowds = crowds_of(spans, order)
    slack = [_summed_down(spans.forest, local) for local in (crowds.most_slack(), crowds.least_slack())]
    result: Ints = np.where(spans.awaited, np.stack([*slack, *_drag(spans, crowds)]), 0)
    return result


def _summed_down(forest: Forest, local: Ints) -> Ints:
    """Add up what is said of each span and of all above it."""
    steps = np.append(local, 0)
    np.subtract.at(steps, np.arange(local.size) + forest.size, local)
    return np.cumsum(steps[:-1])


def _drag(spans: Placed, crowds: Crowds) -> tuple[Ints, Ints]:
    """Give what each span saves at most and at least: all are carried up at once, from crowd to crowd."""
    least = np.where(spans.awaited, spans.end - spans.start, 0)
    most = least.copy()
    nearest = crowds.nearest(spans.forest)
    at = nearest.copy()
    going = np.flatnonzero((crowds.number[at] >= 0) & (most > 0))
    while going.size:
        member = crowds.number[at[going]]
        least[going] = np.minimum(least[going], crowds.cap[member])
        most[going] = crowds.saved(member, most[going])
        at[going] = nearest[spans.forest.parent[at[going]]]
        going = going[(crowds.number[at[going]] >= 0) & (most[going] > 0)]
    return most, least

"""Each trace before and after a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations
from tracelab.analysis.asynchronous import process_columns
from tracelab.analysis.traces import first_roots
from tracelab.clocks.doubts import timed_forest
from tracelab.conforming import span_frame
from tracelab.differences.sides import matching_rows
from tracelab.retiming.changing import change_of, retimed
from tracelab.retiming.order import placed
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.differences.sides import Where
    from tracelab.forest import Forest
    from tracelab.retiming.changing import Change, Length, Part
    from tracelab.retiming.order import Placed

_CHOSEN: Final = "__chosen"
_BATCH: Final = 1 << 18
"""How many spans are retimed at once, for the same reason as with critical paths."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Traces that are ready to be retimed.

    Attributes
    ----------
    frame, forest
        The spans in places.
    root
        The place of the span that begins each trace.
    parts
        The spans in batches of whole fragments, each with its first place.
    before
        How long each trace takes from end to end: as long as the span that begins it.
    """

    frame: pl.DataFrame
    forest: Forest
    root: Ints
    parts: tuple[tuple[int, Placed], ...]
    before: Ints

    @property
    def counted(self) -> Flags:
        """Mark the spans that can change how long their trace takes."""
        leads = np.zeros(self.frame.height, dtype=bool)
        leads[self.root] = True
        awaited = np.concatenate([part.awaited for _, part in self.parts])
        return awaited & leads[self.forest.root]

    def retimed(self, chosen: Flags, change: Change) -> tuple[Ints, Ints]:
        """Give what each trace takes after a change of the chosen spans, at least and at most."""
        low, high = np.zeros(chosen.size, dtype=np.int64), np.zeros(chosen.size, dtype=np.int64)
        for begin, spans in self.parts:
            part = slice(begin, begin + spans.start.size)
            if chosen[part].any():
                changes = retimed(spans, chosen[part], change)
                low[part], high[part] = changes.low, changes.high
        return self.before + low[self.root], self.before + high[self.root]


def eager_frame(spans: Any) -> pl.DataFrame:
    """Conform the spans, and compute them where they are lazy."""
    frame = span_frame(spans)
    return frame.collect() if isinstance(frame, pl.LazyFrame) else frame


def cohort_of(spans: pl.DataFrame, *columns: str | pl.Expr) -> Cohort:
    """Make traces ready to be retimed."""
    frame, forest = timed_forest(spans, *process_columns(spans), *columns)
    root = first_roots(frame, forest) if frame.height else np.zeros(0, dtype=np.int64)
    parts = tuple((low, placed(frame[low:high], forest.between(low, high))) for low, high in forest.batches(_BATCH))
    return Cohort(frame, forest, root, parts, durations(frame)[root])


def chosen_cohort(spans: Any, where: Where) -> tuple[Cohort, Flags]:
    """Make traces ready to be retimed, and mark the spans for which a condition holds."""
    frame = eager_frame(spans)
    marks = pl.Series(_CHOSEN, matching_rows(frame, where))
    cohort = cohort_of(frame.with_columns(marks), _CHOSEN)
    return cohort, cohort.frame[_CHOSEN].to_numpy()


def per_trace(cohort: Cohort, chosen: Flags, low: Ints, high: Ints) -> pl.DataFrame:
    """List traces before and after."""
    root = pl.Series(cohort.root)
    traces = cohort.root.size
    return pl.DataFrame(
        [
            cohort.frame["trace_id"].gather(root),
            cohort.frame["service_name"].gather(root),
            cohort.frame["name"].gather(root),
            pl.Series("chosen_spans", np.bincount(cohort.forest.trace[chosen], minlength=traces)).cast(pl.UInt32),
            pl.Series("before", cohort.before).cast(DURATION),
            pl.Series("after_optimistic", low).cast(DURATION),
            pl.Series("after_pessimistic", high).cast(DURATION),
        ]
    )


def retime(
    spans: Any,
    where: Where,
    *,
    factor: float | None = None,
    duration: Length | None = None,
    remove: bool = False,
    part: Part = "whole",
) -> pl.DataFrame:
    """Say how long each trace would take if some of its spans took less time, or more.

    Parameters
    ----------
    spans, where, factor, duration, remove, part
        As in `what_if`.

    Returns
    -------
    One row per trace, the one first whose pessimistic bound differs most from before, then by id: `trace_id`,
    `service_name`, `name` (String, of the span that begins the trace), `chosen_spans` (UInt32), `before`,
    `after_optimistic`, `after_pessimistic` (Duration, from end to end: of the span that begins the trace).

    Raises
    ------
    TracelabError
        As in `what_if`.
    QueryError
        `where` is no query for spans.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    ==========
    ...   auth .===
    ...   db   ....====
    ... ''')
    >>> retime(spans, "{ name = `db` }", factor=0.5)["after_pessimistic"].item()
    datetime.timedelta(microseconds=8000)
    """
    change = change_of(factor, duration, remove, part)
    cohort, chosen = chosen_cohort(spans, where)
    low, high = cohort.retimed(chosen, change)
    away = (pl.col("after_pessimistic") - pl.col("before")).abs()
    return per_trace(cohort, chosen, low, high).sort(away, "trace_id", descending=[True, False])

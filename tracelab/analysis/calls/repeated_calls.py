"""Repeated calls: many like ones under one parent, such as N+1 queries and retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations, group_starts, running_max, starts
from tracelab.conforming import takes_any_frame
from tracelab.forest import build_forest
from tracelab.options import whole
from tracelab.schema import DURATION, TIME

if TYPE_CHECKING:
    import numpy.typing as npt

    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Ints


@takes_any_frame
def repeated_calls(spans: Spans, *, min_count: int = 5) -> pl.DataFrame:
    """Find like calls under one parent: the N+1 queries, the loops over items, the retries.

    Children of one span are alike if they have the same service, name and kind. Other calls may come between them.

    Parameters
    ----------
    spans
        The spans.
    min_count
        How many like calls are worth a row.

    Returns
    -------
    One row per run, that with the longest total first, then by ids and names: `trace_id`, `parent_span_id` (String),
    `parent_service_name`, `parent_name`, `service_name`, `name` (String), `kind` (Enum), `count` (UInt32), `total`
    (Duration, of all calls), `elapsed` (Duration, from the first start to the last end), `sequential` (Boolean, no call
    started before the one before it had ended), `start_time` (Datetime, of the first call).

    Raises
    ------
    TracelabError
        `min_count` is no whole number, or less than 2.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... shop         ==========
    ...   SELECT item .==
    ...   SELECT item ...==
    ...   SELECT item .....==
    ... ''')
    >>> repeated_calls(spans, min_count=3).select("parent_name", "name", "count", "sequential").row(0)
    ('shop', 'SELECT item', 3, True)
    """
    fewest = whole("min_count", min_count, least=2, why="One call is no repetition.")
    frame, forest = build_forest(spans)
    children = forest.siblings()
    many = np.bincount(forest.parent[children], minlength=frame.height)[forest.parent[children]] >= fewest
    children = children[many]
    alike = frame[children].select(
        "service_name", "name", "kind", pl.Series("parent", forest.parent[children]), pl.Series("place", children)
    )
    repeated = (
        alike.lazy()
        .filter(pl.len().over("parent", "service_name", "name", "kind") >= fewest)
        .with_columns(run=pl.col("place").min().over("parent", "service_name", "name", "kind"))
        .sort("run", "place")
        .collect()
    )
    return _runs(frame, repeated["place"].to_numpy(), repeated["run"].to_numpy(), repeated["parent"].to_numpy())


def _runs(frame: pl.DataFrame, places: Ints, run: Ints, parent: Ints) -> pl.DataFrame:
    """Add the calls of each run up; they stand in order of their starts."""
    begins = group_starts(run)
    start, length = starts(frame)[places], durations(frame)[places]
    reached = running_max(start + length, run)
    apart = np.ones(places.size, dtype=bool)
    apart[1:] = start[1:] >= reached[:-1]
    apart[begins] = True
    last = np.append(begins[1:], places.size)[: begins.size] - 1
    calls, above = frame[places[begins]], frame[parent[begins]]
    return pl.DataFrame(
        [
            calls["trace_id"],
            above["span_id"].alias("parent_span_id"),
            above["service_name"].alias("parent_service_name"),
            above["name"].alias("parent_name"),
            *calls.select("service_name", "name", "kind"),
            pl.Series("count", np.diff(begins, append=places.size)).cast(pl.UInt32),
            pl.Series("total", _sums(np.add, length, begins)).cast(DURATION),
            pl.Series("elapsed", reached[last] - start[begins]).cast(DURATION),
            pl.Series("sequential", _sums(np.logical_and, apart, begins)),
            pl.Series("start_time", start[begins]).cast(TIME),
        ]
    ).sort(
        "total",
        "trace_id",
        "parent_span_id",
        "service_name",
        "name",
        "kind",
        descending=[True, False, False, False, False, False],
    )


def _sums(how: np.ufunc, values: npt.NDArray[Any], begins: Ints) -> npt.NDArray[Any]:
    """Reduce each run to one value."""
    reduced: npt.NDArray[Any] = how.reduceat(values, begins) if begins.size else values[:0]
    return reduced

"""One trace as the rows of a timeline, for everything that draws one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.paths import critical_path
from tracelab.errors import TracelabError
from tracelab.schema import is_error

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_ROW_COLUMNS: Final = ("span_id", "name", "service_name", "kind", "depth", "tree_left", "tree_right", "parent_span_id")


def trace_spans(spans: Spans, trace_id: str) -> pl.DataFrame:
    """Give the spans of one trace, in tree order.

    Raises
    ------
    TracelabError
        There is no such trace.
    """
    found = spans.lazy().filter(pl.col("trace_id") == trace_id).sort("tree_left").collect()
    if found.is_empty():
        known = spans.lazy().select(pl.col("trace_id").unique()).collect()["trace_id"].to_list()
        near = get_close_matches(trace_id, known, n=2, cutoff=0.5)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else f" The frame holds {len(known):,} traces."
        raise TracelabError(f"There is no trace {trace_id!r}.{hint}")
    return found


def slowest_traces(spans: Spans, *, count: int) -> pl.DataFrame:
    """Give the slowest traces and what their first root is called.

    Returns
    -------
    `trace_id`, `service_name`, `name` (String), `duration` (Duration), slowest first.
    """
    end = (pl.col("start_time") + pl.col("duration")).max()
    return (
        spans.lazy()
        .group_by("trace_id")
        .agg(
            pl.col("service_name", "name").sort_by("depth", "start_time", "span_id").first(),
            duration=end - pl.col("start_time").min(),
        )
        .top_k(count, by=["duration", "trace_id"])
        .sort("duration", "trace_id", descending=[True, False])
        .collect()
    )


def timeline_rows(trace: pl.DataFrame) -> pl.DataFrame:
    """Give the rows of a timeline: one per span, in tree order.

    Returns
    -------
    `row` (UInt32), `span_id`, `name`, `service_name`, `kind`, `depth`, `tree_left`, `tree_right`, `parent_span_id`,
    `start`, `length` (Int64, nanoseconds; start since the trace began), `below` (UInt32, how many spans are below it),
    `is_error` (Boolean), `fragment` (Boolean, its parent is missing).
    """
    return (
        trace.lazy()
        .sort("tree_left")
        .with_row_index("row")
        .select(
            "row",
            *_ROW_COLUMNS,
            start=(pl.col("start_time") - pl.col("start_time").min()).dt.total_nanoseconds(),
            length=pl.col("duration").dt.total_nanoseconds(),
            below=_below(),
            is_error=is_error(),
            fragment=(pl.col("depth") == 0) & pl.col("parent_span_id").is_not_null(),
        )
        .collect()
    )


def path_sections(trace: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Give the critical path of a trace in the terms of its timeline.

    Returns
    -------
    `row` (UInt32), `span_id` (String), `start`, `length` (Int64, nanoseconds), in order of `start`.
    """
    begin = trace["start_time"].min()
    return (
        critical_path(trace)
        .lazy()
        .join(rows.lazy().select("row", "span_id"), on="span_id")
        .select(
            "row",
            "span_id",
            start=(pl.col("start_time") - pl.lit(begin)).dt.total_nanoseconds(),
            length=pl.col("duration").dt.total_nanoseconds(),
        )
        .sort("start", "row")
        .collect()
    )


def shown_rows(rows: pl.DataFrame, *, folded: frozenset[str] = frozenset(), text: str = "") -> pl.DataFrame:
    """Leave out what is folded away, and what neither matches the text nor leads to a match; number the rest anew."""
    left, right = rows["tree_left"].to_numpy(), rows["tree_right"].to_numpy()
    keep = np.ones(rows.height, dtype=bool)
    if text:
        found = (
            pl.concat_str("service_name", "name", separator=" ")
            .str.to_lowercase()
            .str.contains(text.lower(), literal=True)
        )
        hits = left[rows.select(found).to_series().to_numpy()]
        keep &= np.searchsorted(hits, right) > np.searchsorted(hits, left)
    closed = np.flatnonzero(rows["span_id"].is_in(list(folded)).to_numpy())
    if closed.size:
        # Rows are sorted by tree_left, so what lies below a row is a run of rows: count the runs that are open.
        ends = np.searchsorted(left, right[closed])
        change = np.bincount(closed + 1, minlength=rows.height + 1) - np.bincount(ends, minlength=rows.height + 1)
        keep &= np.cumsum(change)[: rows.height] <= 0
    return rows.filter(pl.Series(keep)).with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))


def active_spans(rows: pl.DataFrame, *, bins: int) -> tuple[list[float], list[int]]:
    """Count the spans that are open over the time of the trace: edges in nanoseconds, and counts."""
    start = rows["start"].to_numpy()
    end = start + rows["length"].to_numpy()
    total = max(int(end.max(initial=1)), 1)
    first = np.minimum(start * bins // total, bins - 1)
    last = np.minimum(end * bins // total, bins - 1)
    change = np.bincount(first, minlength=bins + 1) - np.bincount(last + 1, minlength=bins + 1)
    return (np.arange(bins) * total / bins).tolist(), np.cumsum(change)[:bins].tolist()


def _below() -> pl.Expr:
    """Count descendants: every one takes two numbers between left and right."""
    return ((pl.col("tree_right") - pl.col("tree_left")) // 2).alias("below")

"""One trace as the rows of a timeline, for everything that draws one.

A row is a span; its `place` is where it stands in the trace, in tree order, and stays the same whatever is folded or
filtered. What lies below a span are the `below` places right behind it.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations, starts
from tracelab.analysis.asynchronous import process_columns
from tracelab.analysis.critical_paths.paths import path_sections
from tracelab.analysis.latency.self_time import self_times
from tracelab.errors import TracelabError
from tracelab.forest import build_forest
from tracelab.markup import NO_NAME
from tracelab.schema import is_error

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Ints

_AT: Final = "__row"
_ID_LENGTH: Final = 32
_COMPARED: Final = 5_000


def trace_spans(spans: Spans, trace_id: str | None = None) -> pl.DataFrame:
    """Give the spans of one trace, in tree order; of the slowest one where no id is given.

    The id may be written in capitals or without its leading zeros, as some tools do.

    Raises
    ------
    TracelabError
        There is no such trace, or none at all, or the id is no text.
    """
    if trace_id is None:
        slowest = slowest_traces(spans, count=1)
        if slowest.is_empty():
            raise TracelabError("There are no spans to show. Pass a frame that holds at least one trace.")
        trace_id = str(slowest["trace_id"][0])
    if not isinstance(trace_id, str):
        raise TracelabError(f"`trace_id` must be the id of a trace as text, and is {trace_id!r}.")
    canonical = trace_id.strip().lower().rjust(_ID_LENGTH, "0")
    found = spans.lazy().filter(pl.col("trace_id").is_in([trace_id, canonical])).with_row_index(_AT).collect()
    if trace_id != canonical and (found["trace_id"] == trace_id).any():
        found = found.filter(pl.col("trace_id") == trace_id)
    if found.is_empty():
        raise TracelabError(f"There is no trace {trace_id!r}. {_near(spans, trace_id)}")
    order = build_forest(found, _AT)[0][_AT]
    # Frames of many columns are slow to gather, and most stand in this order already.
    return (found if order.is_sorted() else found[order]).drop(_AT)


def slowest_traces(spans: Spans, *, count: int | None = None) -> pl.DataFrame:
    """Give the slowest traces, or all of them, and what their first root is called, with a placeholder for no name.

    Returns
    -------
    `trace_id`, `service_name`, `name` (String), `duration` (Duration), `spans` (UInt32), slowest first, then by id.
    """
    end = (pl.col("start_time") + pl.col("duration")).max()
    return (
        spans.lazy()
        .group_by("trace_id")
        .agg(
            _named("service_name", "name").sort_by("depth", "start_time", "span_id").first(),
            duration=end - pl.col("start_time").min(),
            spans=pl.len().cast(pl.UInt32),
        )
        .sort("duration", "trace_id", descending=[True, False])
        .head(2**32 - 1 if count is None else count)
        .collect()
    )


def typeable(text: pl.Expr) -> pl.Expr:
    """Give text as one can type it into a box that finds it: in small letters, in one line.

    What is pasted into a box loses its line breaks, without a blank for any.
    """
    return text.str.to_lowercase().str.replace_all("[\r\n]+", "")


def timeline_rows(trace: pl.DataFrame) -> pl.DataFrame:
    """Give the rows of a timeline: one per span of `trace_spans`, in the same order.

    Returns
    -------
    `row`, `place` (UInt32, equal until something is left out), `span_id`, `name` (with a placeholder for none),
    `service_name`, `kind`, `depth`, `below` (UInt32, how many spans are below it), `start`, `length`, `self_time`
    (Int64, nanoseconds; start since the trace began), `is_error` (Boolean), `fragment` (Boolean, its parent is
    missing), `early`, `late` (Int64, the nanoseconds by which it starts before its parent, and ends after it; 0 where
    it does not).
    """
    frame, forest = build_forest(trace, is_error())
    start, end = starts(frame), starts(frame) + durations(frame)
    parent = np.where(forest.has_parent, forest.parent, np.arange(start.size))
    return (
        frame.lazy()
        .with_row_index("place")
        .select(
            row="place",
            place="place",
            span_id="span_id",
            name=_named("name"),
            service_name="service_name",
            kind="kind",
            depth=pl.Series(forest.depth, dtype=pl.UInt32),
            below=pl.Series(forest.size - 1, dtype=pl.UInt32),
            start=(pl.col("start_time") - pl.col("start_time").min()).dt.total_nanoseconds(),
            length=pl.col("duration").dt.total_nanoseconds(),
            self_time=pl.Series(self_times(frame, forest)),
            is_error=pl.col("is_error").fill_null(value=False),
            fragment=pl.Series(~forest.has_parent) & pl.col("parent_span_id").is_not_null(),
            early=pl.Series(np.maximum(start[parent] - start, 0), dtype=pl.Int64),
            late=pl.Series(np.maximum(end - end[parent], 0), dtype=pl.Int64),
        )
        .collect()
    )


def timeline_path(trace: pl.DataFrame) -> pl.DataFrame:
    """Give the critical path of a trace in the terms of its timeline.

    Returns
    -------
    `place` (UInt32), `start`, `length` (Int64, nanoseconds; start since the trace began), sorted by both.
    """
    frame, forest = build_forest(trace, *process_columns(trace))
    sections = path_sections(frame, forest, method="tracelab")
    begin = int(starts(frame).min(initial=2**63 - 1))
    return pl.DataFrame(
        {
            "place": pl.Series(sections.owner, dtype=pl.UInt32),
            "start": pl.Series(sections.start - begin, dtype=pl.Int64),
            "length": pl.Series(sections.end - sections.start, dtype=pl.Int64),
        }
    ).sort("place", "start")


def trace_length(rows: pl.DataFrame) -> int:
    """Give the nanoseconds from the first start to the last end; at least one."""
    ends = rows["start"].to_numpy() + rows["length"].to_numpy()
    return int(ends.max(initial=1))


def shown_rows(rows: pl.DataFrame, *, folded: frozenset[int] = frozenset(), text: str = "") -> pl.DataFrame:
    """Leave out what is folded away, and what neither matches the text nor leads to a match; number the rest anew.

    Parameters
    ----------
    rows
        All rows of the timeline.
    folded
        Places below which everything is hidden.
    text
        What the service or name must hold, in capitals or not.
    """
    places = np.arange(rows.height)
    ends = places + 1 + rows["below"].to_numpy()
    keep = np.ones(rows.height, dtype=bool)
    if text:
        words = typeable(pl.concat_str("service_name", "name", separator=" "))
        hits = rows.select(words.str.contains(typeable(pl.lit(text)), literal=True)).to_series().to_numpy()
        before = np.concatenate([[0], np.cumsum(hits)])
        keep &= before[ends] > before[places]
    outer, closes = _outermost(rows, folded)
    # What lies below a row is a run of rows: count the runs that are open.
    change = np.bincount(outer + 1, minlength=rows.height + 2) - np.bincount(closes, minlength=rows.height + 2)
    keep &= np.cumsum(change)[: rows.height] <= 0
    return rows.filter(pl.Series(keep)).with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))


def telling_rows(rows: pl.DataFrame, sections: pl.DataFrame, *, most: int) -> pl.DataFrame:
    """Keep the rows that tell most of a trace, at most so many, and number them anew; all where there are no more.

    First come spans that failed, then those with the most time on the critical path, then the longest. With a span
    come those that it stands below, so that what is left is still one tree.

    Parameters
    ----------
    rows
        All rows of the timeline.
    sections
        Its critical path, as `timeline_path` gives it.
    most
        How many rows to keep.
    """
    if rows.height <= most:
        return rows
    on_path = np.zeros(rows.height, dtype=np.int64)
    np.add.at(on_path, sections["place"].to_numpy(), sections["length"].to_numpy())
    order = np.lexsort((rows["length"].to_numpy(), on_path, rows["is_error"].to_numpy()))
    rank = np.empty(rows.height, dtype=np.int64)
    rank[order] = np.arange(rows.height)
    # What leads to a row is worth as much as the best row below it, and comes before it where they are worth the same.
    worth = _best_below(rank, rows["depth"].to_numpy().astype(np.int64))
    chosen = np.sort(np.lexsort((np.arange(rows.height), -worth))[:most])
    return rows[chosen].with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))


def _best_below(values: Ints, depths: Ints) -> Ints:
    """Give every row the largest value of itself and of what is below it, level by level from the deepest."""
    best = values.copy()
    levels = np.split(np.argsort(depths, kind="stable"), np.cumsum(np.bincount(depths))[:-1])
    for above, level in zip(levels[-2::-1], levels[:0:-1], strict=True):
        if above.size:
            np.maximum.at(best, above[np.maximum(np.searchsorted(above, level) - 1, 0)], best[level])
    return best


def folded_path(sections: pl.DataFrame, rows: pl.DataFrame, folded: frozenset[int]) -> pl.DataFrame:
    """Give the sections of what is folded away to the span that it is folded into, so that a fold loses no path.

    Parameters
    ----------
    sections
        As `timeline_path` gives them.
    rows
        All rows of the timeline.
    folded
        Places below which everything is hidden.
    """
    outer, ends = _outermost(rows, folded)
    if not outer.size:
        return sections
    places = sections["place"].to_numpy().astype(np.int64)
    last = np.searchsorted(outer, places) - 1
    inside = (last >= 0) & (places < ends[last])
    shown = pl.Series("place", np.where(inside, outer[last], places), dtype=pl.UInt32)
    return sections.with_columns(shown).sort("place", "start")


def _named(*columns: str) -> pl.Expr:
    """Put a placeholder where a name holds nothing but blanks, so that there is something to click."""
    name = pl.col(columns)
    return pl.when(name.str.strip_chars() != "").then(name).otherwise(pl.lit(NO_NAME)).name.keep()


def _outermost(rows: pl.DataFrame, folded: frozenset[int]) -> tuple[Ints, Ints]:
    """Find the folded places that are in no other: the places, and where what is below each ends."""
    closed = np.array(sorted(place for place in folded if place < rows.height), dtype=np.int64)
    ends = closed + 1 + rows["below"].to_numpy().astype(np.int64)[closed]
    covered = np.maximum.accumulate(np.concatenate([[0], ends]))[:-1]
    return closed[closed >= covered], ends[closed >= covered]


def path_marks(sections: pl.DataFrame, rows: pl.DataFrame, *, low: int, high: int, steps: int = 500) -> pl.DataFrame:
    """Give the sections that some rows show between two instants, those that an eye cannot tell apart made one.

    A parent that waits for a hundred thousand children in turn has as many sections on the path. No more than `steps`
    can be seen in a row, so no more are given.

    Returns
    -------
    `row` (UInt32), `start`, `length` (Int64, nanoseconds), sorted by both.
    """
    step = max((high - low) // steps, 1)
    end = pl.col("start") + pl.col("length")
    last = pl.col("end").cum_max().shift().over("place")
    return (
        sections.lazy()
        .filter(pl.col("start") <= high, end >= low)
        .join(rows.lazy().select("place", "row"), on="place")
        .sort("place", "start")
        .with_columns(end=end)
        .with_columns(part=(pl.col("start") - last > step).fill_null(value=True).cum_sum())
        .group_by("row", "part")
        .agg(pl.col("start").min(), pl.col("end").max())
        .select("row", "start", length=pl.col("end") - pl.col("start"))
        .sort("row", "start")
        .collect()
    )


def active_spans(rows: pl.DataFrame, *, bins: int) -> tuple[list[float], list[int]]:
    """Count the spans that are open over the time of the trace: edges in nanoseconds, and counts."""
    start = rows["start"].to_numpy()
    end = start + rows["length"].to_numpy()
    total = trace_length(rows)
    # In floats: nanoseconds times bins may be more than 64 bits hold.
    first = np.minimum(start / total * bins, bins - 1).astype(np.int64)
    last = np.minimum(end / total * bins, bins - 1).astype(np.int64)
    change = np.bincount(first, minlength=bins + 1) - np.bincount(last + 1, minlength=bins + 1)
    return (np.arange(bins) * (total / bins)).tolist(), np.cumsum(change)[:bins].tolist()


def busy_time(rows: pl.DataFrame) -> tuple[int, int]:
    """Give the time of these rows without those that run through most of it, if they are the fewer: start and end."""
    longest = rows["length"].max() or 0
    short = rows.filter(pl.col("length") * 2 < longest)
    chosen = short if 2 * short.height >= rows.height > 0 else rows
    low, high = chosen.select(low=pl.col("start").min(), high=(pl.col("start") + pl.col("length")).max()).row(0)
    return low or 0, high or 0


def parent_place(rows: pl.DataFrame, place: int) -> int | None:
    """Find the parent of a row among all rows of a timeline: the last before it that is less deep."""
    above = rows.select((pl.col("depth").head(place) < pl.col("depth").get(place)).arg_true().last()).item()
    return None if above is None else int(above)


def _near(spans: Spans, trace_id: str) -> str:
    """Say which ids are near: those that begin or end alike, else those that are spelt alike."""
    known = spans.lazy().select(pl.col("trace_id").unique().sort()).collect()["trace_id"]
    text = trace_id.strip().lower()
    alike = known.filter(known.str.starts_with(text[:8]) | known.str.ends_with(text[-8:])) if text else known.head(0)
    near = get_close_matches(text, (alike if alike.len() else known).head(_COMPARED).to_list(), n=2, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    count = "1 trace" if known.len() == 1 else f"{known.len():,} traces"
    return f"The frame holds {count}; see trace_summary(spans)."

"""A trace as a picture in plain text, for messages: who was called when, how long, and what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.analysis.failures import has_failed
from tracelab.display.words import counted
from tracelab.forest import build_forest
from tracelab.markup import cut, named, visible
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

_BAR: Final = 32
_LABEL: Final = 44
_FAILED: Final = "__failed"


def picture(spans: pl.DataFrame, trace_id: str, *, most: int = 20) -> list[str]:
    """Draw a trace, a line per span: those that take longest and those that failed, in the order of the tree."""
    trace = spans.filter(pl.col("trace_id") == trace_id)
    if trace.is_empty():
        return []
    frame, forest = build_forest(trace, "span_id", has_failed(trace).alias(_FAILED))
    start, length = (frame[name].to_physical() for name in ("start_time", "duration"))
    first, last = int(start.min()), int((start + length).max())  # type: ignore[arg-type]  # there are spans
    rows = frame.select(
        "service_name",
        "name",
        pl.Series("depth", forest.depth),
        pl.col(_FAILED).fill_null(value=False).alias("failed"),
        pl.Series("start", start - first),
        pl.Series("length", length),
    ).with_row_index("place")
    kept = rows.sort("failed", "length", "place", descending=[True, True, False]).head(most).sort("place")
    left_out = [f"  ... and {counted(rows.height - kept.height, 'shorter span')}"] if rows.height > kept.height else []
    head = f"trace {visible(cut(trace_id, 64))}, {counted(rows.height, 'span')} in {format_duration(last - first)}"
    return [head, *_lines(kept.iter_rows(named=True), max(last - first, 1)), *left_out]


def _lines(rows: Iterable[dict[str, Any]], whole: int) -> Iterable[str]:
    for row in rows:
        label = "  " * min(row["depth"] + 1, 8) + visible(f"{named(row['service_name'])}::{named(row['name'])}")
        at = min(row["start"] * _BAR // whole, _BAR - 1)
        long = max(row["length"] * _BAR // whole, 1)
        bar = "." * at + "=" * min(long, _BAR - at)
        failed = "!" if row["failed"] else " "
        yield f"{cut(label, _LABEL):{_LABEL}} {bar + failed:{_BAR + 1}} {format_duration(row['length'])}".rstrip()

"""Events that lie outside of the time of their spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

_GRAINS: Final = (1_000_000_000, 1_000_000, 1_000)
_HARMLESS: Final = 1_000_000
_WARNINGS: Final = "span.jaeger.warnings"


def event_outside_span(evidence: Evidence) -> pl.DataFrame:
    """Find spans with events before their start or after their end."""
    events = evidence.frame["events"]
    counts = events.list.len().to_numpy().astype(np.int64)
    having = np.flatnonzero(counts)
    if not having.size:
        return nothing()
    times = events.explode(empty_as_null=False, keep_nulls=False).struct.field("time").to_physical()
    time = times.fill_null(0).to_numpy()
    owner = np.repeat(having, counts[having])
    # Without a time an event or a span is nowhere.
    outside = np.where(
        (time > 0) & (evidence.start[owner] > 0),
        np.maximum(evidence.start[owner] - time, time - evidence.end[owner]),
        0,
    )
    first = np.cumsum(counts[having]) - counts[having]
    by = np.maximum.reduceat(outside, first)
    shown = by > 0
    if not shown.any():
        return nothing()
    shown = by > 2 * _grain(evidence.start[having[shown]], time[outside > 0])
    return findings_of(
        evidence,
        Symptom(
            "event-outside-span",
            "warning",
            _says,
            shown=shown,
            rows=having,
            detail=_adjusted(evidence, having),
            details=("", "adjusted"),
            weight=by,
            unit="spans with events",
            figures={"by": by},
            judge=_judged,
        ),
    )


def _grain(*times: Ints) -> int:
    """Tell how coarse times are: the larger of seconds, milliseconds and microseconds that all of some are whole in."""
    return max(next((size for size in _GRAINS if not np.any(some % size)), 1) for some in times)


def _adjusted(evidence: Evidence, rows: Ints) -> Ints:
    """Mark the spans that Jaeger has moved, and whose events may not have moved along."""
    warnings = evidence.text(_WARNINGS)
    if warnings.null_count() == warnings.len():
        return np.zeros(rows.size, dtype=np.int64)
    skewed = warnings.gather(pl.Series(rows)).str.contains("(?i)clock skew").fill_null(value=False)
    return skewed.to_numpy().astype(np.int64)


def _judged(groups: pl.DataFrame) -> pl.DataFrame:
    harmless = (pl.col("by") < _HARMLESS) | (pl.col("_detail") == 1)
    return groups.with_columns(
        severity=pl.when(harmless).then(pl.lit("info")).otherwise("severity"), detail=pl.lit(None, dtype=pl.String)
    )


def _says(group: Group) -> str:
    by = format_duration(group["by"])
    return (
        f"{group['said_count']} of {group['service']} have events before their start or after their end, half by {by}."
    )

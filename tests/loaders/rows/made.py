"""Small tables of spans as text, and what reading them gave."""

from __future__ import annotations

import csv
import io
import json
import warnings
from typing import TYPE_CHECKING, Any

import polars as pl

from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read

if TYPE_CHECKING:
    from collections.abc import Iterable

TRACE = "5b1f3a7c9e2d4f60718293a4b5c6d7e8"
ROOT, CHILD = "a0b1c2d3e4f50617", "b1c2d3e4f5061728"
START = "2026-03-01T12:00:00Z"
START_NS = 1_772_366_400_000_000_000


def table(*rows: dict[str, Any], separator: str = ",") -> bytes:
    """Write rows as CSV."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def lines(*rows: dict[str, Any]) -> bytes:
    """Write rows as JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet(frame: pl.DataFrame) -> bytes:
    """Write a frame as parquet."""
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def row(**fields: Any) -> dict[str, Any]:
    """Give a row of a span that lasts from its start for 5 ms; None takes a field away."""
    span = {"trace_id": TRACE, "span_id": ROOT, "name": "work", "start_time": START, "duration_ms": 5, **fields}
    return {name: value for name, value in span.items() if value is not None}


def quietly(content: bytes, **options: Any) -> pl.DataFrame:
    """Read without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LoadWarning)
        return read(content, **options)


def found(content: bytes, **options: Any) -> dict[str, int]:
    """Count the problems."""
    report = load_report(content, **options).filter(pl.col("problem") != "spans")
    return dict(report.select("problem", "count").iter_rows())


def example(content: bytes, problem: str, **options: Any) -> str:
    """Give the example of a problem."""
    text: str = load_report(content, **options).filter(pl.col("problem") == problem)["example"].item()
    return text


def nanoseconds(spans: pl.DataFrame) -> list[tuple[int, int]]:
    """Give starts and durations as numbers."""
    return spans.select(pl.col("start_time").dt.timestamp("ns"), pl.col("duration").dt.total_nanoseconds()).rows()


def durations_of(values: Iterable[Any], name: str = "duration") -> list[int]:
    """Read durations that are written so, each in a span of its own."""
    rows = [{**row(duration_ms=None, span_id=f"{number:015x}a"), name: value} for number, value in enumerate(values, 1)]
    return [length for _, length in nanoseconds(quietly(table(*rows)).sort("span_id"))]


def starts_of(values: Iterable[Any], name: str = "start_time") -> list[int]:
    """Read starts that are written so, each in a span of its own."""
    rows = [{**row(start_time=None, span_id=f"{number:015x}a"), name: value} for number, value in enumerate(values, 1)]
    return [start for start, _ in nanoseconds(quietly(table(*rows)).sort("span_id"))]

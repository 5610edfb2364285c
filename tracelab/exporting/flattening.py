"""Answers for spreadsheets: columns that CSV and Excel have a place for, which polars then writes itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.display.records import cell
from tracelab.frames import as_polars
from tracelab.markup import cut
from tracelab.options import choice

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_FACTORS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000}
_EXACT: Final = 2**53
_LONGEST: Final = 32_767
"""Characters in a cell of Excel."""
_BETWEEN: Final = "; "


def flatten(frame: Any, *, unit: str = "ms") -> pl.DataFrame:
    """Make any answer, or any frame, one that CSV and Excel can hold: `tl.flatten(answer).write_excel("answer.xlsx")`.

    CSV has no place for durations, lists and structs, Excel none for times with a zone, and both run text that begins
    like a formula. Here durations are numbers, in columns that say the unit, times are UTC without saying so in each
    cell, lists of plain values are joined with `; `, other nested values are JSON, and text that a spreadsheet would
    run has an apostrophe before it. What remains for polars to do is `write_csv` or `write_excel` (which needs
    `xlsxwriter`).

    Parameters
    ----------
    frame
        An answer, a span frame, or any other frame of polars, pandas or Arrow; a LazyFrame is computed.
    unit
        The unit of durations: `"ns"`, `"us"`, `"ms"` or `"s"`.

    Returns
    -------
    The same rows. A column of durations `p95` is `p95_ms` (Float64), one of times `start_time` is `start_time_utc`
    (Datetime without a zone), and other columns keep their names, guarded as text is. Numbers, booleans and dates stay
    numbers, booleans and dates, but: NaN and infinities are null; whole numbers beyond 2^53, which a spreadsheet would
    round, and decimals are text. All other values are text of at most 32,767 characters, the last of which says that it
    was cut. Names that differ only in capitals, which Excel takes for one, get numbers.

    Raises
    ------
    SchemaError
        It is no frame.
    TracelabError
        There is no such unit.

    Examples
    --------
    >>> from tracelab.analysis import trace_summary
    >>> from tracelab.synthetic import draw
    >>> answer = trace_summary(draw("api::=1+1  =====")).select("name", "duration", "start_time")
    >>> print(flatten(answer).write_csv().strip())
    name,duration_ms,start_time_utc
    '=1+1,5.0,2026-05-01T12:00:00.000000000
    """
    size = _UNITS[choice("unit", unit, tuple(_UNITS))]
    given = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    known = as_polars(given, what="frame", remedy="Pass an answer of tracelab, or any other frame.", mixed_as_text=True)
    return pl.DataFrame(_named_apart([_flat(known[name], unit, size) for name in known.columns]))


def _flat(column: pl.Series, unit: str, size: int) -> pl.Series:
    """Make a column one that a spreadsheet holds, under its new name."""
    dtype, name = column.dtype, cell(column.name)
    if isinstance(dtype, pl.Duration):
        counts = column.to_physical() * _FACTORS[dtype.time_unit] if unit == "ns" else column.to_physical()
        share = 1 if unit == "ns" else size / _FACTORS[dtype.time_unit]
        return (counts.cast(pl.Float64) / share).alias(f"{name}_{unit}")
    if isinstance(dtype, pl.Datetime):
        utc = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else column
        return utc.alias(f"{name}_utc" if dtype.time_zone else name)
    if dtype.is_float():
        return column.to_frame("x").select(pl.when(pl.col("x").is_finite()).then("x")).to_series().alias(name)
    if dtype.is_integer():
        beyond = bool((column.cast(pl.Int128).abs() > _EXACT).any())
        return (column.cast(pl.String) if beyond else column).alias(name)
    if dtype in (pl.Boolean, pl.Date, pl.Time, pl.Null):
        return column.alias(name)
    write = _writer(dtype)
    texts = [None if value is None else cut(cell(write(value)), _LONGEST) for value in column.to_list()]
    return pl.Series(name, texts, dtype=pl.String)


def _writer(dtype: pl.DataType) -> Callable[[Any], str]:
    """Choose how values without a place of their own are written."""
    if isinstance(dtype, pl.List) and not dtype.inner.is_nested():
        return lambda values: _BETWEEN.join("" if value is None else _plain(value) for value in values)
    if dtype.is_nested():
        return lambda value: json.dumps(value, ensure_ascii=False, default=_plain)
    return _plain


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _named_apart(columns: list[pl.Series]) -> list[pl.Series]:
    """Give numbers to names that are one without their capitals."""
    seen: set[str] = set()
    found = []
    for column in columns:
        name, number = column.name, 1
        while name.lower() in seen:
            number += 1
            name = f"{column.name}_{number}"
        seen.add(name.lower())
        found.append(column.alias(name))
    return found

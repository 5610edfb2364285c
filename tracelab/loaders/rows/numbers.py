"""Numbers of some unit as nanoseconds, exactly: what instants and lengths of time have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.loaders.columns.text import float_text
from tracelab.loaders.rows.ids import NO_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.loaders.report.findings import Findings, Problem
    from tracelab.loaders.rows.table import Column, Table

SCALE: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
LARGEST: Final = 2**63 - 1
_DIGITS: Final = {"ns": 0, "us": 3, "ms": 6, "s": 9}
_NUMBER: Final = r"^([+-]?)(\d*)(?:[.](\d*))?$"
_EXPONENT: Final = r"^[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d{1,3}$"


@dataclass(slots=True)
class Times:
    """A column of nanoseconds, null where there is none, and the unit in which most of its numbers were."""

    values: pl.Series
    unit: str | None = None
    guessed: str = ""
    numbers: int = 0


def numbers_in(column: Column) -> pl.Series:
    """Give the numbers of a column, as floats, to see how large they are."""
    found = [
        (values if values.dtype != pl.String else values.str.strip_chars()).cast(pl.Float64, strict=False)
        for _, values in column.scalars
        if values.dtype.is_numeric() or values.dtype == pl.String
    ]
    return pl.concat([each.rename("") for each in found]).drop_nulls() if found else pl.Series(dtype=pl.Float64)


def has_numbers(table: Table, names: list[str]) -> bool:
    """Say whether some of the values are numbers without a unit."""
    return any(numbers_in(table.columns[name]).len() for name in names)


def as_text(values: pl.Series) -> pl.Series | None:
    if values.dtype == pl.String:
        return values.str.strip_chars()
    if values.dtype.is_float():
        return float_text(values)
    if values.dtype == pl.Binary:
        return values.cast(pl.String, strict=False)
    return values.cast(pl.String) if values.dtype.is_integer() else None


def says_nothing(text: pl.Series) -> pl.Series:
    return text.is_null() | text.str.to_lowercase().is_in(NO_WORDS)


def count_bad(
    values: pl.Series, bad: pl.Series, problem: Problem, place: Callable[[int], str], rows: Any, findings: Findings
) -> None:
    count = int(bad.sum() or 0)
    if count:
        first = bad.arg_max() or 0
        findings.add(problem, count, place=place(int(rows[first])), example=values[first])


def decimals(values: pl.Series, unit: str) -> tuple[pl.Series, pl.Series]:
    """Read numbers of a unit as nanoseconds, exactly; gives them and which values are numbers.

    A number that does not fit into 64 bits is null, and a number all the same.
    """
    scale = SCALE[unit]
    whole = values if values.dtype == pl.Int64 else values.cast(pl.Int64, strict=False)
    read = scaled(whole, scale)
    known = whole.is_not_null()
    if values.dtype != pl.String or whole.null_count() == values.null_count():
        return read, known
    where = (whole.is_null() & values.is_not_null()).arg_true()
    rest = values.gather(where)
    more, is_number = _fractions(rest, unit)
    return read.scatter(where, more), known.scatter(where, is_number)


def scaled(whole: pl.Series, scale: int) -> pl.Series:
    if scale == 1 or not whole.len():
        return whole
    fits = whole.is_between(-(LARGEST // scale), LARGEST // scale)
    if fits.all():
        return whole * scale
    return whole.to_frame("w").select(pl.when(fits).then(pl.col("w") * scale)).to_series()


def _fractions(text: pl.Series, unit: str) -> tuple[pl.Series, pl.Series]:
    """Read numbers with a fraction or an exponent."""
    digits, scale = _DIGITS[unit], SCALE[unit]
    parts = text.str.extract_groups(_NUMBER).struct.unnest()
    sign, whole, fraction = (parts.to_series(number) for number in range(3))
    plain = sign.is_not_null() & ((whole.str.len_bytes() > 0) | (fraction.str.len_bytes() > 0).fill_null(value=False))
    nanos = _fraction_of(fraction, digits)
    number = scaled(whole.replace("", "0").cast(pl.Int64, strict=False), scale) + nanos
    read = number.to_frame("n").select(pl.when(sign == "-").then(-pl.col("n")).otherwise("n")).to_series()
    read = read.to_frame("r").select(pl.when(plain & (number >= 0)).then("r")).to_series()
    powers = (text.str.contains(_EXPONENT) & ~plain).fill_null(value=False)
    if powers.any():
        where = powers.arg_true()
        floats = text.gather(where).cast(pl.Float64, strict=False) * scale
        fits = floats.abs() < 2.0**63
        read = read.scatter(
            where, floats.to_frame("f").select(pl.when(fits).then(pl.col("f").round()).cast(pl.Int64)).to_series()
        )
    return read, (plain | powers).fill_null(value=False)


def _fraction_of(fraction: pl.Series, digits: int) -> pl.Series:
    """Give the nanoseconds that the digits behind the point stand for, rounded."""
    padded = fraction.fill_null("").str.pad_end(digits + 1, "0")
    kept = (
        padded.str.slice(0, digits).replace("", "0").cast(pl.Int64, strict=False)
        if digits
        else padded.str.len_bytes().cast(pl.Int64) * 0
    )
    return kept + (padded.str.slice(digits, 1) >= "5").cast(pl.Int64)


def largest_step(values: pl.Series) -> int:
    """Give the largest unit of which all lengths of time are whole numbers."""
    numbers = values.drop_nulls().to_numpy()
    return next((SCALE[unit] for unit in ("s", "ms", "us") if not np.any(numbers % SCALE[unit])), 1)

"""Lengths of time in whole columns: numbers of a unit, and text that says its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.errors import TracelabError
from tracelab.loaders.report import problems
from tracelab.loaders.rows.names import UNIT_OF
from tracelab.loaders.rows.numbers import LARGEST, SCALE, Times, as_text, count_bad, decimals, says_nothing, scaled
from tracelab.loaders.rows.table import dense
from tracelab.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.loaders.report.findings import Findings
    from tracelab.loaders.rows.table import Table

_UNITED: Final = r"^([+-]?)(\d+)(?:[.](\d*))?\s*([a-zA-Zµμ]+)$"
_PERIOD: Final = r"^(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,9})\d*)?S)?)?$"
_CLOCK: Final = r"^(-?)(?:(\d+)(?: days? (?:\+)?|\.))?(\d{1,2}):(\d\d):(\d\d)(?:[.](\d{1,9})\d*)?$"
_LONG_WORDS: Final = re.compile(r"[a-zA-Zµμ]+")


def lengths(table: Table, names: list[str], unit: str, findings: Findings) -> Times:
    """Read columns of lengths of time; numbers are of this unit."""
    pieces, found = [], Times(pl.Series(dtype=pl.Int64), unit)
    for name in reversed(names):
        column = table.columns[name]
        for rows, values in column.scalars:
            read, numbers = _lengths_of(values, unit, table.place, rows, findings)
            pieces.append((rows, read))
            if numbers:
                found.guessed, found.numbers = name, found.numbers + numbers
        for rows, items in column.objects:
            findings.add(problems.BAD_TIME, rows.size, place=table.place(int(rows[0])), example=items[0])
    found.values = dense(pieces, table.height, pl.Int64())
    return found


def _lengths_of(
    values: pl.Series, unit: str, place: Callable[[int], str], rows: Any, findings: Findings
) -> tuple[pl.Series, int]:
    if isinstance(values.dtype, pl.Duration):
        return values.dt.total_nanoseconds(), 0
    text = as_text(values)
    if text is None:
        count_bad(values, values.is_not_null(), problems.BAD_TIME, place, rows, findings)
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, values.len()), 0
    read, is_number = decimals(values if values.dtype == pl.Int64 else text, unit)
    rest = ~is_number & text.is_not_null()
    if rest.any():
        where = rest.arg_true()
        read = read.scatter(where, _worded(text.gather(where)))
    count_bad(text, read.is_null() & ~says_nothing(text), problems.BAD_TIME, place, rows, findings)
    return read, int((is_number & read.is_not_null()).sum())


def _worded(text: pl.Series) -> pl.Series:
    """Read lengths that say their unit: `12.5ms`, `PT0.005S`, `00:00:01.5`, `0 days 00:00:01`, `1m2.5s`."""
    read = _united(text)
    for form in (_period, _clock):
        if not (open_ := read.is_null() & text.is_not_null()).any():
            return read
        where = open_.arg_true()
        read = read.scatter(where, form(text.gather(where)))
    where = (read.is_null() & text.is_not_null()).arg_true()
    if where.len():
        rest = text.gather(where)
        known = {each: _compound(each) for each in rest.unique().to_list()}
        read = read.scatter(where, rest.replace_strict(known, default=None, return_dtype=pl.Int64))
    return read


def _united(text: pl.Series) -> pl.Series:
    """Read one number with one unit."""
    parts = text.str.extract_groups(_UNITED).struct.unnest()
    words = parts.to_series(3)
    read = pl.Series([None], dtype=pl.Int64).new_from_index(0, text.len())
    for word in words.drop_nulls().unique().to_list():
        unit = UNIT_OF.get(word.lower())
        if unit is None:
            continue
        where = (words == word).fill_null(value=False).arg_true()
        numbers = text.gather(where).str.strip_suffix(word).str.strip_chars_end()
        read = read.scatter(where, decimals(numbers, unit)[0])
    return read


def _period(text: pl.Series) -> pl.Series:
    """Read durations of ISO 8601."""
    parts = text.str.extract_groups(_PERIOD).struct.unnest()
    said = text.str.contains(r"\d")
    return _summed(parts, said)


def _clock(text: pl.Series) -> pl.Series:
    """Read hours, minutes and seconds with colons, and days before them."""
    parts = text.str.extract_groups(_CLOCK).struct.unnest()
    read = _summed(parts, text.is_not_null())
    behind = text.str.starts_with("-") & text.str.contains("day")
    if behind.any():
        # Of a timedelta below zero only the days are negative.
        days = scaled(parts.to_series(1).cast(pl.Int64, strict=False), 86_400 * SCALE["s"])
        read = (
            pl.DataFrame({"r": read, "d": days})
            .select(pl.when(behind).then(-pl.col("r") - 2 * pl.col("d")).otherwise("r"))
            .to_series()
        )
    return read


def _summed(parts: pl.DataFrame, said: pl.Series) -> pl.Series:
    """Add days, hours, minutes, seconds and their fraction, with the sign in front."""
    sign = parts.to_series(0)
    days, hours, minutes, seconds = (
        parts.to_series(number).fill_null("0").cast(pl.Int64, strict=False) for number in range(1, 5)
    )
    whole = scaled(((days * 24 + hours) * 60 + minutes) * 60 + seconds, SCALE["s"])
    total = whole + parts.to_series(5).fill_null("").str.pad_end(9, "0").cast(pl.Int64)
    frame = pl.DataFrame({"s": sign, "t": total, "k": said & (total >= 0)})
    signed = pl.when(pl.col("s") == "-").then(-pl.col("t")).otherwise("t")
    return frame.select(pl.when(pl.col("s").is_not_null() & pl.col("k")).then(signed)).to_series()


def _compound(text: str) -> int | None:
    """Read several numbers with units, such as `1h2m3.5s`, or words of units."""
    if len(text) > 64:
        return None
    plain = _LONG_WORDS.sub(lambda found: UNIT_OF.get(found[0].lower(), found[0]), text)
    try:
        number = parse_duration(plain)
    except TracelabError:
        return None
    return number if abs(number) <= LARGEST else None

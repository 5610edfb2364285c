"""Which columns of a table bound which figure, and how two bounds read as one interval."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from tracelab.display.words import BOUNDS, SHARES
from tracelab.units import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from tracelab.display.words import Column

_ENDING: Final = re.compile(r"(.+)_(?:lower|upper)")
_WITH_UNIT: Final = re.compile(r"(\S+) (\S+)")
_DAY: Final = len("2026-05-01 ")
# A shorter bound would lose digits in the unit of the longer one.
_SHORTEST, _LONGEST = 0.1, 999.5


class Bounds(NamedTuple):
    """The columns that bound a figure; None where it is bounded to one side only."""

    lower: str | None
    upper: str | None

    def names(self) -> tuple[str, ...]:
        """Give the columns that are there."""
        return tuple(name for name in self if name is not None)


def bounded(schema: pl.Schema) -> dict[str, Bounds]:
    """Find the figures of a table that other columns bound: `p95_lower` bounds `p95`.

    Beside an estimate that makes up for sampling, `p95_weighted`, they bound that, and not what is known of all spans.
    `lower` and `upper` bound the figure that they stand behind, or else the only share that there is. A bound whose
    figure is not in the table, or is no figure of its kind, bounds nothing: it is a column like others.
    """
    found = {_estimate(schema, base): _beside(schema, base, f"{base}_") for base in _bases(schema)}
    bare = [name for name in schema if name in BOUNDS]
    figure = _before(schema, bare[0], found) if bare else None
    if figure is not None and figure not in found:
        found[figure] = _beside(schema, figure, "")
    return {name: bounds for name, bounds in found.items() if bounds.names()}


def intervals(lower: Column | None, upper: Column | None, figures: Column, ends: Sequence[_Ends]) -> tuple[str, ...]:
    """Write the bounds of every row in brackets: `(1.1 - 3.5 %)`, `(from 1.42 s)`, nothing where there are none."""
    height = len(figures.texts)
    lows = lower.texts if lower else (None,) * height
    highs = upper.texts if upper else (None,) * height
    days = figures.dtype.startswith("Datetime")
    texts = (
        _within_a_day(low, high, text) if days else _interval(low, high, end)
        for low, high, text, end in zip(lows, highs, figures.texts, ends, strict=True)
    )
    return tuple(f"({text})" if text else "" for text in texts)


_Ends = tuple[int | None, int | None] | None


def ends(frame: pl.DataFrame, bounds: Bounds) -> list[_Ends]:
    """Give the nanoseconds of bounds that are durations, which may share a unit; None for all else."""
    columns = [frame[name] if name is not None else None for name in bounds]
    if not all(column is not None and str(column.dtype).startswith("Duration") for column in columns):
        return [None] * frame.height
    lows, highs = (
        [None if count is None else count * NANOSECONDS[column.dtype.time_unit] for count in column.to_physical()]  # type: ignore[attr-defined]
        for column in columns
        if column is not None
    )
    return list(zip(lows, highs, strict=True))


def _bases(schema: pl.Schema) -> list[str]:
    bases = (match.group(1) for name in schema if (match := _ENDING.fullmatch(name)))
    return [base for base in dict.fromkeys(bases) if base in schema and not _ENDING.fullmatch(base)]


def _estimate(schema: pl.Schema, figure: str) -> str:
    weighted = f"{figure}_weighted"
    return weighted if weighted in schema and _kind(schema[weighted]) == _kind(schema[figure]) else figure


def _beside(schema: pl.Schema, figure: str, prefix: str) -> Bounds:
    kind = _kind(schema[figure])
    names = (f"{prefix}{bound}" for bound in BOUNDS)
    return Bounds(*(name if kind and name in schema and _kind(schema[name]) == kind else None for name in names))


def _before(schema: pl.Schema, bound: str, found: dict[str, Bounds]) -> str | None:
    names = [name for name in schema if not any(name in bounds for bounds in found.values())]
    place = names.index(bound)
    before = names[place - 1] if place else ""
    if before and not _ENDING.fullmatch(before) and _kind(schema[before]) == _kind(schema[bound]):
        return before
    shares = [name for name in names if SHARES.fullmatch(name)]
    return shares[0] if len(shares) == 1 else None


def _kind(dtype: pl.DataType) -> str:
    """Say what may bound what: numbers numbers, durations durations, times those of their zone."""
    if dtype.is_numeric():
        return "number"
    if not dtype.is_temporal():
        return ""
    zone = getattr(dtype, "time_zone", None)
    return f"{dtype.base_type()} {zone or ''}"


def _interval(low: str | None, high: str | None, end: _Ends) -> str:
    if low is None or high is None:
        return f"from {low}" if low is not None else f"up to {high}" if high is not None else ""
    if end is not None:
        low = _in_the_unit_of(end, low, high)
    number, other = _WITH_UNIT.fullmatch(low), _WITH_UNIT.fullmatch(high)
    if number and other and number.group(2) == other.group(2):
        low = number.group(1)
    return f"{low} – {high}"  # noqa: RUF001 - how a range is written


def _in_the_unit_of(end: tuple[int | None, int | None], low: str, high: str) -> str:
    """Write the lower of two durations in the unit of the upper one, as far as it keeps its digits there."""
    unit = high.rsplit(" ", 1)[1]
    if end[0] is None or not _WITH_UNIT.fullmatch(high) or not _WITH_UNIT.fullmatch(low):
        return low
    number = end[0] / NANOSECONDS[unit]
    if number == 0:
        return f"0 {unit}"
    return f"{number:.3g} {unit}" if _SHORTEST <= abs(number) < _LONGEST and math.isfinite(number) else low


def _within_a_day(low: str | None, high: str | None, figure: str | None) -> str:
    """Write an interval of times, without the day where it is that of the figure."""
    day = (figure or "")[:_DAY]
    low, high = (text.removeprefix(day) if text is not None else None for text in (low, high))
    return _interval(low, high, None)

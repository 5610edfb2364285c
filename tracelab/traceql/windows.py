"""The time range of a metrics query, and the intervals that it is cut into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from tracelab.errors import QueryError
from tracelab.schema import TIME
from tracelab.traceql.literals import NANOSECONDS, duration_from_text, duration_text

MAX_INTERVALS: Final = 100_000
_SECOND: Final = NANOSECONDS["s"]
_STEPS: Final = tuple(number * _SECOND for number in (3600, 300, 60, 15, 5, 1))
_SHORT: Final = 50 * NANOSECONDS["ms"]
_POINTS: Final = 240


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time in nanoseconds since 1970.

    A range query counts a span in the interval `(t, t + step]` that it starts in, and the point stands at the right
    edge. An instant query has one interval, `[start, end]`.
    """

    start: int
    end: int
    step: int
    instant: bool

    @property
    def count(self) -> int:
        return 1 if self.instant else (self.end - self.start) // self.step

    @property
    def seconds(self) -> float:
        """How long one interval is."""
        return (self.end - self.start if self.instant else self.step) / _SECOND

    def interval(self) -> pl.Expr:
        """Give the number of the interval that a span starts in; null outside of the range."""
        start = pl.col("start_time").to_physical()
        if self.instant:
            return pl.when(start.is_between(self.start, self.end)).then(pl.lit(0, dtype=pl.Int64))
        inside = (start > self.start) & (start <= self.end)
        return pl.when(inside).then((start - self.start - 1) // self.step)

    def time(self, interval: pl.Expr) -> pl.Expr:
        """Give the time at which the point of an interval stands."""
        if self.instant:
            return pl.lit(self.end, dtype=pl.Int64).cast(TIME)
        return (self.start + (interval + 1) * self.step).cast(TIME)


def window(
    spans: pl.LazyFrame,
    *,
    step: str | timedelta | int | None,
    start: datetime | str | int | None,
    end: datetime | str | int | None,
    instant: bool,
) -> Window:
    """Make the window that a caller asked for; what is left open is taken from the spans.

    A range is widened to whole steps since 1970, and begins one step early, as Tempo does it.
    """
    first, last = _instant_of(start), _instant_of(end)
    if first is None or last is None:
        bounds = spans.select(low=pl.col("start_time").min(), high=pl.col("start_time").max()).collect()
        low, high = (bounds[name].to_physical().item() or 0 for name in ("low", "high"))
        first = low if first is None else first
        last = max(high, first) if last is None else last
    if last < first:
        raise QueryError(f"the end of the range, {end}, lies before its start, {start}; exchange them")
    if instant:
        return Window(first if last > first else first - _SECOND, last, max(last - first, 1), instant=True)
    width = default_step(last - first) if step is None else _width(step)
    begin = first - first % width
    begin -= width if begin > width else 0
    stop = last + -last % width
    result = Window(begin, max(stop, begin + width), width, instant=False)
    if result.count > MAX_INTERVALS:
        raise QueryError(
            f"{result.count:,} intervals of {duration_text(width)} are too many; "
            f"choose a step of at least {duration_text(-(-(last - first) // MAX_INTERVALS))}"
        )
    return result


def default_step(span_of_time: int) -> int:
    """Choose a step that gives about 240 points and is a round number.

    Examples
    --------
    >>> [duration_text(default_step(hours * 3_600_000_000_000)) for hours in (1, 3, 24, 24 * 30)]
    ['15s', '45s', '5m0s', '3h0m0s']
    """
    ideal = span_of_time // _POINTS
    if span_of_time < 60 * _SECOND:
        return max(ideal // _SHORT * _SHORT, _SHORT)
    unit = next((unit for unit in _STEPS if unit < ideal), _SECOND)
    return max(ideal // unit * unit, _SECOND)


def _instant_of(value: datetime | str | int | None) -> int | None:
    """Read an instant: a datetime (UTC unless it says otherwise), ISO text, or nanoseconds since 1970."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise QueryError(f"{value!r} is no time; write it as 2026-05-01T12:00:00") from None
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    since = aware.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * _SECOND + since.microseconds * 1000


def _width(step: str | timedelta | int) -> int:
    if isinstance(step, timedelta):
        nanoseconds: int | None = (step.days * 86_400 + step.seconds) * _SECOND + step.microseconds * 1000
    else:
        nanoseconds = duration_from_text(step.replace(" ", "")) if isinstance(step, str) else step
    if nanoseconds is None or nanoseconds < 1:
        raise QueryError(f"{step!r} is no step; write a duration such as 30s, 1m or 1h")
    return nanoseconds

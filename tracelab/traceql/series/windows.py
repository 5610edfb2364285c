"""The time range of a metrics query, and the intervals that it is cut into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from tracelab.errors import QueryError
from tracelab.schema import TIME
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.cursor import shortened
from tracelab.traceql.syntax.literals import NANOSECONDS, duration_from_text, duration_text
from tracelab.units import from_timedelta

MAX_INTERVALS: Final = 100_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
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
    chosen = None if step is None else _width(step)
    first, last = _instant_of("start", start), _instant_of("end", end)
    if first is None or last is None:
        bounds = spans.select(low=pl.col("start_time").min(), high=pl.col("start_time").max()).collect()
        low, high = (bounds[name].to_physical().item() or 0 for name in ("low", "high"))
        first = low if first is None else first
        last = max(high, first) if last is None else last
    if last < first:
        if start is None:
            raise QueryError(f"end={_shown(end)} lies before the first span, which starts at {_time_text(first)}")
        raise QueryError(
            f"the end of the range, {_time_text(last)}, lies before its start, {_time_text(first)}; exchange them"
        )
    if last - first > n.MAX_INT:
        raise QueryError(f"the range from {_time_text(first)} to {_time_text(last)} is longer than 64 bits can count")
    if instant:
        return Window(first if last > first else first - _SECOND, last, max(last - first, 1), instant=True)
    width = default_step(last - first) if chosen is None else chosen
    begin = first - first % width
    begin -= width if begin > width else 0
    stop = last + -last % width
    result = Window(begin, max(stop, begin + width), width, instant=False)
    if not n.MIN_INT <= result.start <= result.end <= n.MAX_INT:
        raise QueryError(f"steps of {duration_text(width)} reach beyond what times can be; choose a smaller step")
    if result.count > MAX_INTERVALS:
        raise QueryError(
            f"{result.count:,} intervals of {duration_text(width)} are too many; "
            f"{'(an int is read as nanoseconds) ' if isinstance(step, int) else ''}"
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


def _instant_of(name: str, value: object) -> int | None:
    """Read an instant: a datetime (UTC unless it says otherwise), ISO text, or nanoseconds since 1970."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise QueryError(f"{name}={_shown(value)} is no time; write it as 2026-05-01T12:00:00") from None
    if value is None:
        return None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        nanoseconds = from_timedelta(aware - _EPOCH)
    elif isinstance(value, int) and not isinstance(value, bool):
        nanoseconds = value
    else:
        raise QueryError(
            f"{name}={_shown(value)} is no time; pass a datetime, a text such as 2026-05-01T12:00:00, "
            "or an int of nanoseconds since 1970"
        )
    if not n.MIN_INT <= nanoseconds <= n.MAX_INT:
        raise QueryError(f"{name}={_shown(value)} is no time between the years 1678 and 2262, which spans can have")
    return nanoseconds


def _width(step: object) -> int:
    """Read a step: a duration as text, a timedelta, or nanoseconds."""
    nanoseconds: int | None = None
    match step:
        case timedelta():
            nanoseconds = from_timedelta(step)
        case str():
            nanoseconds = duration_from_text(step.replace(" ", ""))
        case int() if not isinstance(step, bool):
            nanoseconds = step
    if nanoseconds is None or nanoseconds < 1:
        raise QueryError(f"step={_shown(step)} is no step; write a duration above zero, such as 30s, 1m or 1h")
    if nanoseconds > n.MAX_INT:
        raise QueryError(f"step={_shown(step)} is longer than 64 bits can count; write a duration such as 30s or 1h")
    return nanoseconds


def _shown(value: object) -> str:
    """Show what was passed, cut to a readable length."""
    return shortened(repr(value))


def _time_text(nanoseconds: int) -> str:
    """Write an instant as people do, whatever it was passed as."""
    return f"{pl.select(pl.lit(nanoseconds, dtype=pl.Int64).cast(TIME)).to_series().dt.to_string('iso')[0]}"

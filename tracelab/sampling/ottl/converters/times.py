"""Converters of instants and lengths of time. Where Go takes the zone of the machine, it is UTC here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.sampling.durations import parse_go_duration
from tracelab.sampling.ottl.converters.registry import OPEN, converter
from tracelab.sampling.ottl.instants import WrongTextError, told
from tracelab.sampling.ottl.strptime import UnclearFormatError, check_format, known_zone, read, written
from tracelab.sampling.ottl.values import ConditionFailedError, Duration, NotReplayableError, Time, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

_SECOND: Final = 10**9
_YEAR_ONE: Final = -62_135_596_800 * _SECOND


def _cut(number: int, unit: int) -> tuple[int, int]:
    """Divide towards zero."""
    whole = abs(number) // unit * (1 if number >= 0 else -1)
    return whole, number - whole * unit


def _float_units(name: str, unit: int) -> None:
    def count(duration: Duration) -> float:
        whole, rest = _cut(duration.nanoseconds, unit)
        return whole + rest / unit

    converter(name, "Duration: duration")(count)


def _whole_units(name: str, unit: int) -> None:
    def count(duration: Duration) -> int:
        return _cut(duration.nanoseconds, unit)[0]

    converter(name, "Duration: duration")(count)


for _name, _unit in (("Hours", 3600 * _SECOND), ("Minutes", 60 * _SECOND), ("Seconds", _SECOND)):
    _float_units(_name, _unit)
for _name, _unit in (("Milliseconds", 10**6), ("Microseconds", 10**3), ("Nanoseconds", 1)):
    _whole_units(_name, _unit)


def _since_epoch(name: str, unit: int) -> None:
    def count(time: Time) -> int:
        return wrapped(time.nanoseconds // unit)

    converter(name, "Time: time")(count)


for _name, _unit in (("UnixNano", 1), ("UnixMicro", 10**3), ("UnixMilli", 10**6), ("UnixSeconds", _SECOND)):
    _since_epoch(_name, _unit)


def _part(name: str, of: Callable[[Any, int], int]) -> None:
    def part(time: Time) -> int:
        try:
            return of(*told(time.nanoseconds, time.zone))
        except OverflowError:
            raise NotReplayableError("the year has not four digits") from None

    converter(name, "Time: time")(part)


_part("Year", lambda moment, _: moment.year)
_part("Month", lambda moment, _: moment.month)
_part("Day", lambda moment, _: moment.day)
_part("Hour", lambda moment, _: moment.hour)
_part("Minute", lambda moment, _: moment.minute)
_part("Second", lambda moment, _: moment.second)
_part("Nanosecond", lambda _, rest: rest)
_part("Weekday", lambda moment, _: moment.isoweekday() % 7)


@converter("Duration", "Duration: string")
def duration(text: str) -> Duration:
    length = parse_go_duration(text)
    if length is None:
        raise ConditionFailedError(f"this text is no duration such as '1.5s': {text[:50]!r}")
    return Duration(length)


@converter("Unix", "Seconds: int", "Nanoseconds?: int")
def unix(seconds: int, nanoseconds: int | None) -> Time:
    return Time(seconds * _SECOND + (nanoseconds or 0))


@converter("TruncateTime", "Time: time", "Duration: duration")
def truncate_time(time: Time, step: Duration) -> Time:
    """Cut an instant to a whole number of steps since the year 1."""
    if step.nanoseconds <= 0:
        return time
    return Time(time.nanoseconds - (time.nanoseconds - _YEAR_ONE) % step.nanoseconds, time.zone)


def _check_time(_text: Any, layout: Any, location: Any, _locale: Any) -> None:
    _check_layout(layout)
    if location not in (None, OPEN, "") and not known_zone(str(location)):
        raise ConditionFailedError(f"there is no zone {location!r}")


def _check_layout(layout: Any) -> None:
    if not layout:
        raise ConditionFailedError("a format of times is not empty")
    try:
        check_format(str(layout))
    except WrongTextError as error:
        raise ConditionFailedError(str(error)) from None
    except UnclearFormatError:
        pass


@converter("Time", "Time: string", "Format: text!", "Location?: text!", "Locale?: text!", check=_check_time)
def time_of(text: str, layout: str, location: str | None, locale: str | None) -> Time:
    if not text:
        raise ConditionFailedError("an empty text is no time")
    if locale is not None:
        raise NotReplayableError("names of months and days in another language cannot be replayed")
    try:
        check_format(layout)
        return Time(*read(text, layout, location or "UTC"))
    except WrongTextError as error:
        raise ConditionFailedError(str(error)) from None
    except UnclearFormatError as error:
        raise NotReplayableError(str(error)) from None


def _check_format_time(_time: Any, layout: Any) -> None:
    _check_layout(layout)


@converter("FormatTime", "Time: time", "Format: text!", check=_check_format_time)
def format_time(time: Time, layout: str) -> str:
    try:
        check_format(layout)
        return written(layout, time.nanoseconds, time.zone)
    except (OverflowError, UnclearFormatError) as error:
        raise NotReplayableError(str(error)) from None

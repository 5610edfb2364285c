"""Durations as people write them: text to nanoseconds and back."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from tracelab.errors import TracelabError

if TYPE_CHECKING:
    from datetime import timedelta

NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign of keyboards
    "μs": 1_000,  # U+03BC, the Greek letter
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}

_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ns|us|µs|μs|ms|s|m|h|d|w)")
# Each unit, and from how many of it on the next one is used.
_SHORT: Final = (("ns", 1_000), ("µs", 1_000), ("ms", 1_000), ("s", 60))
_LONG: Final = (("m", "s", 60), ("h", "m", 24), ("d", "h", math.inf))


def parse_duration(text: str) -> int:
    """Give the nanoseconds of a duration written as `1.5s`, `250ms` or `1m30s`.

    Raises
    ------
    TracelabError
        The text is no duration.

    Examples
    --------
    >>> parse_duration("1.5s"), parse_duration("1m30s"), parse_duration("-2ms")
    (1500000000, 90000000000, -2000000)
    """
    body = text.strip()
    sign = -1 if body.startswith("-") else 1
    body = body.lstrip("+-").strip()
    parts = _PART.findall(body)
    if not parts or "".join(_PART.split(body)[::3]).strip():
        raise TracelabError(f"{text!r} is no duration. Write a number and a unit, such as 250ms, 1.5s or 1m30s.")
    return sign * sum(_nanoseconds(number, unit) for number, unit in parts)


def from_timedelta(length: timedelta) -> int:
    """Give the nanoseconds of a timedelta, counted in whole numbers, which floats of seconds would not.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from_timedelta(timedelta(days=-1, microseconds=1))
    -86399999999000
    """
    further: int = getattr(length, "nanoseconds", 0)  # pandas' count further
    return ((length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds) * 1_000 + further


def format_duration(nanoseconds: float) -> str:
    """Write nanoseconds for people: three significant digits, from a minute on two units; `parse_duration` reads it.

    Examples
    --------
    >>> [format_duration(n) for n in (0, 950, 1_234_567, 1_500_000_000, 90_000_000_000, 7_260_000_000_000)]
    ['0 s', '950 ns', '1.23 ms', '1.5 s', '1 m 30 s', '2 h 1 m']
    """
    if not math.isfinite(nanoseconds):
        return f"{nanoseconds} s"
    if nanoseconds < 0:
        return "-" + format_duration(-nanoseconds)
    if nanoseconds < 0.0005:
        return "0 s"
    for unit, most in _SHORT:
        text = _three_digits(nanoseconds / NANOSECONDS[unit])
        if float(text) < most:
            return f"{text} {unit}"
    pairs = (_two_units(nanoseconds, large, small, most) for large, small, most in _LONG)
    return next(pair for pair in pairs if pair is not None)


def _two_units(nanoseconds: float, large: str, small: str, most: float) -> str | None:
    """Write `1 m 30 s`; None where there are so many of the larger unit that a still larger one reads better."""
    number, rest = divmod(round(nanoseconds / NANOSECONDS[small]), NANOSECONDS[large] // NANOSECONDS[small])
    if number >= most:
        return None
    return f"{number} {large} {rest} {small}" if rest else f"{number} {large}"


def _three_digits(value: float) -> str:
    """Spell a number below 1000 without an exponent and without zeros at its end."""
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def _nanoseconds(number: str, unit: str) -> int:
    """Multiply without passing through a float, so that long durations stay exact."""
    whole, _, fraction = number.partition(".")
    scale = NANOSECONDS[unit]
    return int(whole or "0") * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)

"""Durations as people write them: text to nanoseconds and back."""

from __future__ import annotations

import re
from typing import Final

from tracelab.errors import TracelabError

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
_SCALES: Final = (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000))


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


def format_duration(nanoseconds: float) -> str:
    """Write nanoseconds for people, with three significant digits.

    Examples
    --------
    >>> [format_duration(n) for n in (0, 950, 1_234_567, 1_500_000_000, 90_000_000_000, 7_260_000_000_000)]
    ['0 s', '950 ns', '1.23 ms', '1.5 s', '1 m 30 s', '2 h 1 m']
    """
    if nanoseconds < 0:
        return "-" + format_duration(-nanoseconds)
    if nanoseconds >= NANOSECONDS["h"]:
        minutes = round(nanoseconds / NANOSECONDS["m"])
        return f"{minutes // 60} h {minutes % 60} m"
    if nanoseconds >= NANOSECONDS["m"]:
        seconds = round(nanoseconds / NANOSECONDS["s"])
        return f"{seconds // 60} m {seconds % 60} s" if seconds < 3600 else "1 h 0 m"
    if nanoseconds == 0:
        return "0 s"
    for unit, scale in _SCALES:
        if nanoseconds >= scale:
            return f"{_three_digits(nanoseconds / scale)} {unit}"
    return f"{_three_digits(nanoseconds)} ns"


def _three_digits(value: float) -> str:
    """Spell a number from 1 to 1000 without an exponent."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"


def _nanoseconds(number: str, unit: str) -> int:
    """Multiply without passing through a float, so that long durations stay exact."""
    whole, _, fraction = number.partition(".")
    scale = NANOSECONDS[unit]
    return int(whole or "0") * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)

"""Lengths of time as Go writes them: `30s`, `1m30s`, `1.5h`."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART: Final = re.compile("([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_LONGEST: Final = 2**63 - 1
_LONGEST_TEXT: Final = 100


def parse_go_duration(text: str) -> int | None:
    """Read a length of time as nanoseconds, cut to whole ones; None where Go does not take it."""
    if len(text) > _LONGEST_TEXT:
        return None
    sign, digits = (-1 if text[:1] == "-" else 1), text.removeprefix("-") if text[:1] == "-" else text.removeprefix("+")
    if digits == "0":
        return 0
    total, at = 0, 0
    while at < len(digits):
        part = _PART.match(digits, at)
        if part is None:
            return None
        total += int(Fraction(part[1] + "0" if part[1].endswith(".") else part[1]) * _UNITS[part[2]])
        at = part.end()
    return sign * total if digits and total <= _LONGEST else None

"""Lengths of time as Go reads them: `30s`, `1m30s`, `1.5h`."""

from __future__ import annotations

import re
from typing import Final

from tracelab.units import NANOSECONDS

_PART: Final = re.compile(r"(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?P<unit>[^0-9.]+)")
_UNITS: Final = {unit: NANOSECONDS[unit] for unit in ("ns", "us", "µs", "μs", "ms", "s", "m", "h")}
_MOST: Final = 2**63
_MOST_DIGITS: Final = 19


def parse_go_duration(text: str) -> int | None:
    """Read a length of time as nanoseconds, cut to whole ones as Go cuts them; None where Go does not take it.

    Examples
    --------
    >>> [parse_go_duration(text) for text in ("1m30s", "-1.5h", "0", "30", "1d")]
    [90000000000, -5400000000000, 0, None, None]
    """
    negative, body = text.startswith("-"), text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return 0
    total, at = 0, 0
    while at < len(body):
        found = _PART.match(body, at)
        amount = None if found is None else _amount(found["whole"], found["part"] or "", _UNITS.get(found["unit"]))
        if found is None or amount is None or total + amount > _MOST:
            return None
        total, at = total + amount, found.end()
    if not body or (total == _MOST and not negative):
        return None
    return -total if negative else total


def _amount(whole: str, part: str, unit: int | None) -> int | None:
    if unit is None or not (whole or part) or len(whole.lstrip("0")) > _MOST_DIGITS:
        return None
    amount = int(whole.lstrip("0") or "0") * unit
    if amount > _MOST:
        return None
    fraction, scale = 0, 1.0
    for digit in part:
        # Digits that 63 bits do not hold are passed over.
        if fraction > (_MOST - 1) // 10 or fraction * 10 + int(digit) > _MOST:
            break
        fraction, scale = fraction * 10 + int(digit), scale * 10
    return amount + int(float(fraction) * (float(unit) / scale))

"""What figures may be compared with: durations with a unit, shares that say so, and whole numbers; to text and back."""

from __future__ import annotations

import re
from datetime import timedelta
from math import isclose, isfinite, nan
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tracelab.display.words import format_number, format_share
from tracelab.errors import TracelabError
from tracelab.options import shown
from tracelab.units import format_duration, from_timedelta, parse_duration

if TYPE_CHECKING:
    from tracelab.checking.rules.nodes import Unit

_PERCENT: Final = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*")
_UNITS: Final = (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0))
_NUMBER: Final = re.compile(r"\s*(\d[\d_]*(?:\.\d*)?|\.\d+)\s*")


def quantity(what: str, value: Any, unit: Unit, *, most: float = 1.0) -> float:
    """Read a limit: nanoseconds, a share of 1 (up to `most`), or a count.

    Raises
    ------
    TracelabError
        It is none, or it may be read in two ways.
    """
    if isinstance(value, str) and (plain := _NUMBER.fullmatch(value)):
        value = float(plain[1].replace("_", ""))
    readers = {"nanoseconds": _duration, "count": _count}
    return _share(what, value, most) if unit == "share" else readers[unit](what, value)


def in_words(value: float, unit: Unit) -> str:
    """Write a figure for people."""
    if unit == "nanoseconds":
        return format_duration(value)
    return format_share(value) if unit == "share" else format_number(value)


def limit_in_words(value: float, unit: Unit) -> str:
    """Write a limit for people: as figures are, or with all its digits where these would round it away."""
    said = in_words(value, unit)
    if unit == "count" or isclose(_read_back(said, unit), value, rel_tol=1e-9):
        return said
    if unit == "share":
        return f"{value * 100:.10g} %"
    name, length = next((name, length) for name, length in _UNITS if value >= length or name == "ns")
    return f"{value / length:.10g} {name}"


def _read_back(said: str, unit: Unit) -> float:
    if unit == "nanoseconds":
        return float(parse_duration(said))
    found = _PERCENT.fullmatch(said)
    return float(found[1]) / 100 if found else nan


def _duration(what: str, value: Any) -> float:
    if isinstance(value, timedelta):
        length = from_timedelta(value)
    elif isinstance(value, np.timedelta64) and not np.isnat(value):
        length = int(value.astype("timedelta64[ns]").astype(np.int64))
    elif isinstance(value, str):
        length = parse_duration(value)
    elif _is_number(value):
        number = f"{value:g}"
        raise TracelabError(f'{what} is a duration, and {number} may be ms or s: write "{number}ms" or "{number}s"')
    else:
        raise TracelabError(f'{what} is a duration, got {shown(value)}: write "800ms" or "1.5s"')
    if length < 0:
        raise TracelabError(f"{what} is a duration and cannot be below 0, got {shown(value)}")
    return float(length)


def _share(what: str, value: Any, most: float) -> float:
    if isinstance(value, str):
        found = _PERCENT.fullmatch(value)
        if found is None:
            raise TracelabError(f'{what} is a share, got {shown(value)}: write 0.01 or "1%"')
        share = float(found[1]) / 100
    elif not _is_number(value):
        raise TracelabError(f'{what} is a share, got {shown(value)}: write 0.01 or "1%"')
    elif not 0 <= value < 1:
        number = f"{value:g}"
        meant = "" if value < 0 else f": write {number}%" + (" or 100%, whichever is meant" if value == 1 else "")
        raise TracelabError(f"{what} is a share, and {number} is none below 1{meant}")
    else:
        share = float(value)
    if share > most:
        raise TracelabError(f"{what} is a share of at most {100 * most:g}%, got {shown(value)}")
    return share


def _count(what: str, value: Any) -> float:
    whole = isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())
    if whole and not isinstance(value, bool) and value >= 0:
        return float(value)
    raise TracelabError(f"{what} is a whole number, got {shown(value)}: write 100")


def _is_number(value: Any) -> bool:
    no_number = isinstance(value, bool | np.timedelta64)
    return not no_number and isinstance(value, Real) and isfinite(value)

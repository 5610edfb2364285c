"""What the options of answers and figures may be: each is checked here, before any span is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from numbers import Integral, Real
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.errors import SourceError, TracelabError
from tracelab.files import expanded
from tracelab.units import from_timedelta, parse_duration

if TYPE_CHECKING:
    from pathlib import Path

_CALENDAR: Final = re.compile(r"(\d{1,4})(d|w|mo|q|y)")
_LONGEST: Final = 2**63 - 1
_MOST_SECONDS: Final = 1e6
_LEAST_NANOSECONDS: Final = 2**57
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN: Final = 80


def whole(name: str, value: Any, *, least: int, most: int | None = None, why: str = "") -> int:
    """Give a whole number back.

    Raises
    ------
    TracelabError
        It is none, or too small, or too large.
    """
    known = isinstance(value, Integral) and not isinstance(value, bool)
    if known and value >= least and (most is None or value <= most):
        return int(value)
    limits = f"{least} or more" if most is None else f"from {least} to {most}"
    number = "" if known else "a whole number, "
    raise TracelabError(f"`{name}` must be {number}{limits}, got {shown(value)}.{why and ' ' + why}")


def above(name: str, value: Any, limit: float, *, why: str = "") -> float:
    """Give a number back that is larger than another.

    Raises
    ------
    TracelabError
        It is no number, or not that large.
    """
    if _is_number(value) and limit < value < float("inf"):
        return float(value)
    raise TracelabError(f"`{name}` must be above {limit:g}, got {shown(value)}.{why and ' ' + why}")


def share(name: str, value: Any, *, ends: bool, why: str = "") -> float:
    """Give a share of 1 back; with `ends` 0 and 1 are shares too.

    Raises
    ------
    TracelabError
        It does not lie between 0 and 1.
    """
    if _is_number(value) and (0 <= value <= 1 if ends else 0 < value < 1):
        return float(value)
    raise TracelabError(f"`{name}` must lie between 0 and 1, got {shown(value)}.{why and ' ' + why}")


def quantiles(values: Any) -> list[float]:
    """Give quantiles back, each once, the smallest first; a single number is one.

    Raises
    ------
    TracelabError
        There is none, or one does not lie between 0 and 1.
    """
    some = [values] if _is_number(values) or isinstance(values, str) or not isinstance(values, Iterable) else [*values]
    if not some:
        raise TracelabError("`quantiles` must hold at least one, got none. The 95th percentile is 0.95.")
    for value in some:
        if not (_is_number(value) and 0 <= value <= 1):
            raise TracelabError(f"A quantile lies between 0 and 1, got {shown(value)}. The 95th percentile is 0.95.")
    return sorted({float(value) for value in some})


def flag(name: str, value: Any) -> bool:
    """Give a yes or no back.

    Raises
    ------
    TracelabError
        It is neither True nor False.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise TracelabError(f"`{name}` must be True or False, got {shown(value)}.")


def choice(name: str, value: Any, known: Sequence[str]) -> str:
    """Give one of some words back.

    Raises
    ------
    TracelabError
        It is none of them.
    """
    if isinstance(value, str) and value in known:
        return value
    near = get_close_matches(value, known, n=1, cutoff=0.6) if isinstance(value, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise TracelabError(f"`{name}` must be one of {', '.join(map(repr, known))}, got {shown(value)}.{hint}")


def file_path(name: str, value: Any) -> Path:
    """Read the path of a file or folder: text or a path, `~` being one's own folder.

    Raises
    ------
    SourceError
        It is neither, or empty, or names a folder of nobody.
    """
    if isinstance(value, str | PathLike) and isinstance(text := fspath(value), str) and text:
        return expanded(text)
    raise SourceError(f"`{name}` must be the path of a file or folder, got {shown(value)}. Write it as text.")


def nanoseconds(name: str, value: Any) -> int:
    """Read a length of time that is no less than 0: text such as `250ms`, or a timedelta.

    Raises
    ------
    TracelabError
        It is neither, or below 0, or longer than 292 years.
    """
    if isinstance(value, timedelta):
        length = from_timedelta(value)
    elif isinstance(value, str):
        try:
            length = parse_duration(value)
        except TracelabError as error:
            raise TracelabError(f"`{name}`: {error}") from error
    else:
        raise TracelabError(
            f"`{name}` must be a length of time, got {shown(value)}. Write a duration such as 250ms, or a timedelta."
        )
    if 0 <= length <= _LONGEST:
        return length
    raise TracelabError(f"`{name}` must be a length of time from 0 to 292 years, got {shown(value)}.")


def seconds(name: str, value: Any, *, or_none: bool = False) -> float:
    """Read a length of time that is waited: seconds, or a duration such as `30s`; 0 only where `or_none` says so.

    Raises
    ------
    TracelabError
        It is neither, or too short.
    """
    if not _is_number(value):
        length = nanoseconds(name, value) / 1e9
    elif 0 <= value < _MOST_SECONDS:
        length = float(value)
    else:
        raise TracelabError(f"`{name}` must be a length of time, got {shown(value)}. Write seconds, or 30s.")
    if length or or_none:
        return length
    raise TracelabError(f"`{name}` must be above 0, got {shown(value)}. Write seconds, or 30s.")


def instant(name: str, value: Any) -> int:
    """Read an instant: a datetime (UTC unless it says otherwise), ISO text, or whole nanoseconds since 1970.

    Raises
    ------
    TracelabError
        It is none of these, or before 1970, or after 2262.
    """
    read: Any = value
    if isinstance(read, str):
        try:
            read = datetime.fromisoformat(read.strip())
        except ValueError:
            read = None
    if isinstance(read, datetime):
        aware = read if read.tzinfo else read.replace(tzinfo=UTC)
        read = from_timedelta(aware - _EPOCH)
    known = isinstance(read, Integral) and not isinstance(read, bool)
    if known and not isinstance(value, datetime | str) and 0 < read < _LEAST_NANOSECONDS:
        raise TracelabError(
            f"`{name}` is {shown(value)}, which in nanoseconds since 1970 is a time before 1974. Are these seconds, "
            "milliseconds or microseconds? Write nanoseconds, or a datetime."
        )
    if known and 0 <= read <= _LONGEST:
        return int(read)
    raise TracelabError(
        f"`{name}` must be a time from 1970 to 2262, got {shown(value)}. Write a datetime, a text such as "
        "2026-05-01T12:00:00Z, or nanoseconds since 1970."
    )


def window_length(name: str, value: Any) -> str:
    """Read the length of windows of time as polars writes it: text such as `1m` or `1mo`, or a timedelta.

    Raises
    ------
    TracelabError
        It is neither, or not above 0.
    """
    text = value.strip() if isinstance(value, str) else value
    calendar = _CALENDAR.fullmatch(text) if isinstance(text, str) else None
    if calendar and int(calendar[1]):
        return calendar[0]
    try:
        length = 0 if calendar else nanoseconds(name, text)
    except TracelabError:
        length = 0
    if length:
        return f"{length}ns"
    raise TracelabError(
        f"`{name}` must be a length of time, got {shown(value)}. Write a duration such as 30s, 1m or 1h30m."
    )


def shown(value: Any) -> str:
    """Show what was given, cut to a readable length."""
    text = repr(value) if not isinstance(value, pl.DataFrame | pl.LazyFrame | pl.Series) else type(value).__name__
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)

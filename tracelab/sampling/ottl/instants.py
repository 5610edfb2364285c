"""Instants and zones as Go writes and reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class WrongTextError(ValueError):
    """A text that is no instant, or a format of none."""


@lru_cache(maxsize=256)
def zone_of(zone: str | int) -> tzinfo:
    """Give the zone of a name, or of a number of minutes east of Greenwich."""
    if isinstance(zone, int):
        return timezone(timedelta(minutes=zone))
    return UTC if zone in ("UTC", "", "Local") else ZoneInfo(re.sub("/+", "/", zone))


def told(nanoseconds: int, zone: str | int) -> tuple[datetime, int]:
    """Give the date and time of an instant in a zone, and the nanoseconds of its second.

    Raises
    ------
    OverflowError
        The year has not four digits.
    """
    seconds, rest = divmod(nanoseconds, 10**9)
    return (_EPOCH + timedelta(seconds=seconds)).astimezone(zone_of(zone)), rest


def instant(moment: datetime) -> int:
    """Give the nanoseconds since 1970 of a time of whole seconds."""
    since = moment.astimezone(UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9


def offset_text(moment: datetime, *, colon: str, zulu: bool, seconds: bool = False, minutes: bool = True) -> str:
    """Write how far a time is from Greenwich."""
    total = int((moment.utcoffset() or timedelta()).total_seconds())
    if zulu and total == 0:
        return "Z"
    parts = [f"{abs(total) // 3600:02d}"]
    if minutes:
        parts.append(f"{abs(total) // 60 % 60:02d}")
    if seconds:
        parts.append(f"{abs(total) % 60:02d}")
    return ("-" if total < 0 else "+") + colon.join(parts)


def fraction_text(rest: int, digits: int, mark: str = ".") -> str:
    """Write nanoseconds as a decimal fraction without zeros at its end; nothing where nothing is left."""
    text = f"{rest:09d}"[:digits].rstrip("0")
    return mark + text if text else ""


def rfc3339(nanoseconds: int, zone: str | int) -> str:
    """Write an instant as RFC 3339 has it, with as many digits as it needs.

    Raises
    ------
    OverflowError
        The year has not four digits.
    """
    moment, rest = told(nanoseconds, zone)
    date = f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}"
    return date + fraction_text(rest, 9) + offset_text(moment, colon=":", zulu=True)

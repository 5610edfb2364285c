"""Instants as nanoseconds since 1970, however they are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.values import finite, float_number, whole_number
from tracelab.loaders.input.lenient_json import Written
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.report.findings import Findings

_ISO: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9})\d*)?\s*"
    r"(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_SMALLEST_NANOSECONDS: Final = 10**16
_ELAPSED_UNITS: Final = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ns": 1,
}
_ELAPSED_PART: Final = re.compile(r"(\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(h|ms|m|us|\u00b5s|\u03bcs|ns|s)", re.ASCII)
_ELAPSED: Final = re.compile(f"(?:{_ELAPSED_PART.pattern})+", re.ASCII)
_LARGEST: Final = 2**63 - 1
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?")
_MOST_DIGITS: Final = 30
_DOUBLE_DIGITS: Final = 17


def nanoseconds(content: Any, findings: Findings, place: str, *, zero_is_missing: bool = True) -> int | None:
    """Read an instant in nanoseconds; None where it is missing, or no instant (which is counted)."""
    if content is None or content == "":
        return None
    if isinstance(content, dict) and {"low", "high"} <= content.keys():
        # How protobuf.js writes a 64-bit number.
        low, high = whole_number(content["low"]), whole_number(content["high"])
        content = None if low is None or high is None else ((high & 0xFFFFFFFF) << 32) | (low & 0xFFFFFFFF)
    number = whole_number(content)
    if number is None:
        number = _iso(content) if isinstance(content, str) else None
    if number is None:
        real = float_number(content)
        if real is not None and finite(real) and 0 <= real < _LARGEST:
            findings.add(problems.INEXACT_TIME, place=place, example=content)
            number = int(real)
    if number is None or not 0 <= number <= _LARGEST:
        findings.add(problems.BAD_TIME, place=place, example=content)
        return None
    return None if number == 0 and zero_is_missing else number


def scaled(content: Any, unit: int, findings: Findings, place: str) -> int | None:
    """Read a number of some unit (nanoseconds in one) as nanoseconds; zero is a number like any other."""
    if content is None or content == "":
        return None
    number = whole_number(content)
    if number is None:
        real = float_number(content)
        number = None if real is None or not finite(real) else round(real * unit)
    else:
        number *= unit
    if number is None or not 0 <= number <= _LARGEST:
        findings.add(problems.BAD_TIME, place=place, example=content)
        return None
    return number


def elapsed(content: Any, findings: Findings, place: str) -> int | None:
    """Read a duration in nanoseconds, or as protobuf and Go write it: `5s`, `1m0.5s`, `22938000ns`."""
    if content is None or content == "":
        return None
    number = _seconds_and_nanos(content) if isinstance(content, dict) else whole_number(content)
    if number is None and isinstance(content, str) and _ELAPSED.fullmatch(content.strip()):
        parts = _ELAPSED_PART.findall(content)
        number = sum(_fraction_of(amount, _ELAPSED_UNITS[unit]) for amount, unit in parts)
    if number is None or not 0 <= number <= _LARGEST:
        findings.add(problems.BAD_TIME, place=place, example=content)
        return None
    return number


def instant(content: Any, findings: Findings, place: str) -> int | None:
    """Read an instant as protobuf has it: as `nanoseconds` does, or as seconds and nanoseconds."""
    if isinstance(content, dict) and not content.keys().isdisjoint(("seconds", "nanos")):
        number = _seconds_and_nanos(content)
        content = content if number is None else number
    return nanoseconds(content, findings, place)


def instant_of_store(content: Any, findings: Findings, place: str) -> int | None:
    """Read an instant as Elasticsearch does, to which numbers are milliseconds; those as large as nanoseconds are."""
    number = whole_number(content)
    if number is not None and 0 < number < _SMALLEST_NANOSECONDS:
        return scaled(number, 1_000_000, findings, place)
    return nanoseconds(content, findings, place)


def _seconds_and_nanos(content: dict[str, Any]) -> int | None:
    seconds, nanos = (whole_number(content.get(key, 0)) for key in ("seconds", "nanos"))
    return None if seconds is None or nanos is None else seconds * 1_000_000_000 + nanos


def _fraction_of(amount: str, unit: int) -> int:
    """Multiply a decimal number by a unit without rounding it first; what is less than a nanosecond is cut off."""
    whole, _, part = amount.partition(".")
    return int(whole or "0") * unit + int((part or "0").ljust(18, "0")[:18]) * unit // 10**18


def scaled_exactly(content: Any, unit: int, findings: Findings, place: str) -> int | None:
    """Read a number of some unit (nanoseconds in one) as nanoseconds, digit by digit, as multiplied floats are not.

    The digits of a float are the fewest that tell it from others: what was written, if a float was written.
    """
    if content is None or content == "":
        return None
    number: Decimal | None = None
    if isinstance(content, Written):
        number = _decimal(content.text)
    elif isinstance(content, float):
        number = _decimal(repr(content))
        if number is not None and len(number.as_tuple().digits) >= _DOUBLE_DIGITS:
            findings.add(problems.FULL_FLOATS, place=place, example=content)
    elif isinstance(content, int | str) and not isinstance(content, bool):
        number = _decimal(str(content)) if isinstance(content, str) or abs(content) <= _LARGEST else None
    scaled_number = None if number is None else number * unit
    if scaled_number is None or not 0 <= scaled_number <= _LARGEST:
        findings.add(problems.BAD_TIME, place=place, example=content)
        return None
    whole = round(scaled_number)
    if whole != scaled_number:
        findings.add(problems.FINER_TIMES, place=place, example=content)
    return whole


def _decimal(text: str) -> Decimal | None:
    """Read a decimal number; None where it is none, or has an exponent that no time has."""
    text = text.strip()
    number = Decimal(text) if _DECIMAL.fullmatch(text) else None
    return None if number is None or number.adjusted() > _MOST_DIGITS else number


def _iso(text: str) -> int | None:
    """Read ISO 8601 with up to nine digits of a second; without a zone it is UTC."""
    found = _ISO.fullmatch(text.strip())
    if found is None:
        return None
    zone = (found["zone"] or "Z").upper().replace("UTC", "Z").replace("Z", "+00:00")
    try:
        instant = datetime.fromisoformat(f"{found['date']}T{found['time']}{zone}")
    except ValueError:
        return None
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    fraction = int((found["fraction"] or "0").ljust(9, "0"))
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + fraction

"""Instants in whole columns: numbers of a unit, or of the one that their size tells, and what people write."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.loaders.rows.ids import NO_WORDS
from tracelab.loaders.rows.numbers import (
    LARGEST,
    SCALE,
    Times,
    as_text,
    count_bad,
    decimals,
    numbers_in,
    says_nothing,
    scaled,
)
from tracelab.loaders.rows.table import dense

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.loaders.rows.table import Table

# Of a clock that counts from 1970: below the first number seconds, and so on.
_EPOCHS: Final = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))
_FIRST: Final = 10**8
_ISO: Final = (
    r"^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9})\d*)?)?"
    r"\s*(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?: [A-Z]{1,5})?(?: m=[+-][\d.]+)?$"
)
_SLASHED: Final = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)(?:,?\s+(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?(?:\s*([AP])\.?M\.?)?)?"
    r"(?:\s*(?:Z|UTC|GMT))?",
    re.IGNORECASE,
)
_LAST_MONTH: Final = 12
_ODD: Final = (
    "%b %d, %Y @ %H:%M:%S.%f",
    "%b %d, %Y, %H:%M:%S.%f",
    "%Y/%m/%d %H:%M:%S.%f",
    "%Y/%m/%d %H:%M:%S",
    # With points the day always comes first.
    "%d.%m.%Y %H:%M:%S.%f",
    "%d.%m.%Y %H:%M:%S,%f",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y, %H:%M:%S",
)


def instants(table: Table, names: list[str], unit: str, findings: Findings, *, otherwise: str = "s") -> Times:
    """Read columns of instants; numbers are of this unit, or of the one that their size tells."""
    pieces, found = [], Times(pl.Series(dtype=pl.Int64))
    for name in reversed(names):
        column = table.columns[name]
        counted = _epoch_unit(numbers_in(column), unit, otherwise)
        for rows, values in column.scalars:
            read, numbers = _instants_of(values, counted, name, table.place, rows, findings)
            pieces.append((rows, read))
            if numbers:
                found.unit, found.numbers = counted, found.numbers + numbers
                found.guessed = name
        for rows, items in column.objects:
            pieces.append((rows, _instants_of_objects(items, table.place, rows, findings)))
    found.values = dense(pieces, table.height, pl.Int64())
    return found


def _epoch_unit(numbers: pl.Series, unit: str, otherwise: str) -> str:
    """Give the unit of instants: the one that the name says, unless it would put them out of all time."""
    middle = numbers.abs().median()
    if not isinstance(middle, float):
        return unit or otherwise
    if unit and middle * SCALE[unit] <= LARGEST:
        return unit
    if middle < _FIRST:
        return otherwise
    return next((name for limit, name in _EPOCHS if middle < limit), "ns")


def _instants_of(
    values: pl.Series, unit: str, name: str, place: Callable[[int], str], rows: Any, findings: Findings
) -> tuple[pl.Series, int]:
    dtype = values.dtype
    if isinstance(dtype, pl.Datetime) or dtype == pl.Date:
        zone = dtype.time_zone if isinstance(dtype, pl.Datetime) else None
        if zone is None:
            findings.add(problems.TIMES_WITHOUT_ZONE, values.len(), place=name, example=str(values[0]))
        read = values.cast(pl.Datetime("us", zone)).dt.timestamp("us") if dtype == pl.Date else _nanoseconds(values)
        return (read * 1_000 if dtype == pl.Date else read), 0
    text = as_text(values)
    if text is None:
        count_bad(values, values.is_not_null(), problems.BAD_TIME, place, rows, findings)
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, values.len()), 0
    read, is_number = decimals(values if values.dtype == pl.Int64 else text, unit)
    rest = ~is_number & text.is_not_null()
    if rest.any():
        where = rest.arg_true()
        read = read.scatter(where, _iso(text.gather(where), name, findings))
    negative = (read < 0).fill_null(value=False)
    if negative.any():
        read = read.to_frame("r").select(pl.when(~negative).then("r")).to_series()
    count_bad(text, read.is_null() & ~says_nothing(text), problems.BAD_TIME, place, rows, findings)
    return read, int((is_number & read.is_not_null()).sum())


def _nanoseconds(values: pl.Series) -> pl.Series:
    """Give a datetime's nanoseconds, null where they are more than 64 bits hold."""
    micro = values.cast(pl.Datetime("us", values.dtype.time_zone)).dt.timestamp("us")  # type: ignore[attr-defined]
    fits = micro.abs() <= LARGEST // 1_000
    inside = values if fits.all() else values.to_frame("v").select(pl.when(fits).then("v")).to_series()
    return inside.dt.timestamp("ns")


def _iso(text: pl.Series, name: str, findings: Findings) -> pl.Series:
    """Read ISO 8601 and what is close to it; without a zone it is UTC. What else people write, value by value."""
    parts = text.str.extract_groups(_ISO).struct.unnest()
    date, clock, fraction, zone = (parts.to_series(number) for number in range(4))
    clock = clock.fill_null("00:00:00")
    short = clock.str.len_bytes() == 5
    stamp = date + "T" + clock.zip_with(~short, clock + ":00")
    seconds = stamp.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="ms", strict=False).dt.timestamp("ms") // 1_000
    seconds = seconds - _offsets(zone)
    nanos = fraction.fill_null("").str.pad_end(9, "0").cast(pl.Int64)
    read = scaled(seconds, SCALE["s"]) + nanos
    unzoned = date.is_not_null() & zone.is_null()
    if unzoned.any() and "utc" not in name.lower():
        findings.add(problems.TIMES_WITHOUT_ZONE, int(unzoned.sum()), place=name, example=text.filter(unzoned)[0])
    missing = (read.is_null() & text.is_not_null()).arg_true()
    if missing.len():
        odd = text.gather(missing)
        known = _odd_instants(odd, name, findings)
        if any(value is not None for value in known.values()) and "utc" not in name.lower():
            first = next(each for each, value in known.items() if value is not None)
            findings.add(problems.TIMES_WITHOUT_ZONE, odd.len(), place=name, example=first)
        read = read.scatter(missing, odd.replace_strict(known, default=None, return_dtype=pl.Int64))
    return read


def _offsets(zone: pl.Series) -> pl.Series:
    """Give the seconds by which zones are ahead of UTC."""
    distinct = zone.drop_nulls().unique().to_list()
    seconds = {each: _offset(each) for each in distinct}
    return zone.replace_strict(seconds, default=0, return_dtype=pl.Int64).fill_null(0)


def _offset(zone: str) -> int:
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (1 if zone[0] == "+" else -1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def _odd_instants(texts: pl.Series, name: str, findings: Findings) -> dict[str, int | None]:
    """Read what people write; all of a column tell whether the day or the month stands first in it."""
    distinct = texts.unique(maintain_order=True).to_list()
    slashed = {each: parts for each in distinct if (parts := _SLASHED.fullmatch(each.strip()))}
    days = {int(parts[1]) > _LAST_MONTH for parts in slashed.values()}
    months = {int(parts[2]) > _LAST_MONTH for parts in slashed.values()}
    day_first = True in days and True not in months
    if slashed and (True in days) == (True in months) and any(parts[1] != parts[2] for parts in slashed.values()):
        # Nothing decides, or some of them say the one and some the other.
        count = int(texts.is_in(list(slashed)).sum())
        findings.add(problems.DAY_OR_MONTH, count, place=name, example=next(iter(slashed)))
    known: dict[str, int | None] = {}
    for each in distinct:
        parts = slashed.get(each)
        known[each] = _odd_instant(each) if parts is None else _slashed_instant(parts, day_first=day_first)
    return known


def _slashed_instant(parts: re.Match[str], *, day_first: bool) -> int | None:
    """Read a date with slashes and a clock of 12 or 24 hours; where the order is impossible, the other one is meant."""
    first, second, year = int(parts[1]), int(parts[2]), int(parts[3])
    day, month = (first, second) if day_first else (second, first)
    if month > _LAST_MONTH:
        day, month = month, day
    hour, minute, second = int(parts[4] or 0), int(parts[5] or 0), int(parts[6] or 0)
    if parts[8]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if parts[8].upper() == "P" else 0)
    try:
        instant = datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SCALE["s"] + int((parts[7] or "").ljust(9, "0"))


def _odd_instant(text: str) -> int | None:
    """Read an instant as spreadsheets, portals and mails write it."""
    if text.lower() in NO_WORDS or len(text) > 64:
        return None
    instant: datetime | None = None
    for form in _ODD:
        try:
            instant = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        break
    if instant is None:
        try:
            instant = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _instants_of_objects(items: list[Any], place: Callable[[int], str], rows: Any, findings: Findings) -> pl.Series:
    """Read instants that are objects or pairs, as JavaScript, protobuf and databases write them."""
    read = []
    for row, item in zip(rows.tolist(), items, strict=True):
        number = _instant_of(item)
        if number is None or not 0 <= number <= LARGEST:
            findings.add(problems.BAD_TIME, place=place(row), example=item)
            number = None
        read.append(number)
    return pl.Series(read, dtype=pl.Int64)


def _instant_of(item: Any) -> int | None:
    if isinstance(item, list) and len(item) == 2 and all(type(part) is int for part in item):
        return int(item[0]) * SCALE["s"] + int(item[1])
    if not isinstance(item, dict):
        return None
    seconds, nanos = item.get("seconds"), item.get("nanos", 0)
    if isinstance(seconds, str) and re.fullmatch(r"\d{1,12}", seconds):
        seconds = int(seconds)
    if type(seconds) is int and type(nanos) is int:
        return seconds * SCALE["s"] + nanos
    held = item.get("$date", item.get("value"))
    if isinstance(held, dict):
        held = held.get("$numberLong")
    if isinstance(held, str | int) and not isinstance(held, bool):
        values = pl.Series([str(held)])
        unit = _epoch_unit(values.cast(pl.Float64, strict=False).drop_nulls(), "", "ms")
        number, known = decimals(values, unit)
        read = number if known[0] else _iso(values, "utc", Findings())
        return int(read[0]) if read[0] is not None else None
    return None

"""Numbers, times, ids and names in words for people: the one place that says how a value of a frame reads.

What a value is, its dtype says; where the dtype leaves it open, the name of the column does: `SHARES` are the columns
whose numbers are parts of a whole, `CODES` those whose integers name something and count nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from tracelab.markup import cut, visible
from tracelab.schema import is_attribute
from tracelab.units import NANOSECONDS, format_duration

SHARES: Final = re.compile(r"(?:.+_)?(?:share|error_rate(?:_(?:kept|weighted|off|off_kept))?)|duration_off(?:_kept)?")
"""Float columns that read `4.0 %`, where no value is beyond 1."""

DEVIATIONS: Final = re.compile(r".+_off(?:_kept)?")
"""Those of them that may be beyond 1: a figure may be off by more than itself."""

BYTES: Final = re.compile(r"bytes(?:_kept|_per_day)?")
"""Numbers that read `4.3 kB`."""

BOUNDS: Final = ("lower", "upper")
"""Float columns that read like the share that they bound: `lower` beside `error_rate`, and `share_lower`."""

RATES: Final = re.compile(r"(?:.+_)?per_second")
"""Numbers of three digits, since nobody reads more of a rate: `0.955`."""

CODES: Final = re.compile(r"(?:.*[._])?(?:id|port|code|pid|year|flags|version)")
"""Integer columns without separators between thousands; those of attributes have none either."""

IDS: Final = re.compile(r"(?:.*[._])?ids?")
"""Text columns that are never cut."""

SENTENCES: Final = re.compile(r"finding|fix|criterion|seen")
"""Text columns of an answer that are read to their end."""

NULL: Final = "\N{EN DASH}"
"""How a null reads."""

LONGEST: Final = 120
_LONGEST_SENTENCE: Final = 1_500
_ITEMS: Final = 3
_ID_LENGTH: Final = 64
_BYTES: Final = ((1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"))
_MICROSECOND: Final = 1_000

Word = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Column:
    """One column in words: None where a value is null; `number` stands to the right, `whole` is never cut."""

    name: str
    dtype: str
    texts: tuple[str | None, ...]
    number: bool
    whole: bool


def in_words(frame: pl.DataFrame, *, shares: Collection[str] | None = None) -> list[Column]:
    """Put every value of a frame into words; `shares` names its shares where they are known from more rows.

    Examples
    --------
    >>> frame = pl.DataFrame({"p95": [timedelta(seconds=1.02)], "error_rate": [0.04], "spans": [1234]})
    >>> [column.texts[0] for column in in_words(frame)]
    ['1.02 s', '4.0 %', '1,234']
    """
    known = share_columns(frame) if shares is None else shares
    return [_column(column, share=column.name in known) for column in frame]


def share_columns(frame: pl.DataFrame | pl.LazyFrame) -> set[str]:
    """Find the columns that hold parts of a whole, and the bounds beside them.

    A column of such a name in which a value is beyond 1 is none: somebody filled it with per cents, and it stays so.
    """
    floats = {name for name, dtype in frame.lazy().collect_schema().items() if dtype.is_float()}
    named = [name for name in floats if SHARES.fullmatch(name)]
    if not named:
        return set()
    within = (pl.col(named).abs() <= 1 + 1e-9).fill_null(True).all()
    inside = frame.lazy().select(within).collect().row(0, named=True)
    shares = {name for name in named if inside[name] or DEVIATIONS.fullmatch(name)}
    bounds = {*(BOUNDS if shares else ()), *(f"{name}_{bound}" for name in shares for bound in BOUNDS)}
    return shares | (bounds & floats)


def zones(frame: pl.DataFrame) -> dict[str, list[str]]:
    """Give the zones that the times of a frame are written in, and which columns each is for."""
    found: dict[str, list[str]] = {}
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            found.setdefault(dtype.time_zone, []).append(name)
    return found


def counted(number: int, what: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "row"), counted(1234, "row"), counted(0, "row")
    ('1 row', '1,234 rows', 'no rows')
    """
    return f"{number or 'no'} {what}" if number == 1 else f"{f'{number:,}' if number else 'no'} {what}s"


def format_share(share: float) -> str:
    """Write a part of a whole in per cent; what is not quite nothing or not quite all is not rounded to it.

    Examples
    --------
    >>> [format_share(share) for share in (0, 0.000001, 0.0025, 0.04, 0.5, 0.99999, 1)]
    ['0 %', '<0.01 %', '0.25 %', '4.0 %', '50.0 %', '>99.99 %', '100 %']
    """
    percent = share * 100
    size = abs(percent)
    if percent in {0, 100, -100}:
        return f"{percent:.0f} %".removeprefix("-0")
    if size < 0.005:
        return "<0.01 %" if percent > 0 else ">-0.01 %"
    if 99.995 <= size < 100:
        return ">99.99 %" if percent > 0 else "<-99.99 %"
    return f"{percent:.2f} %" if size < 0.995 or 99.95 <= size < 100 else f"{percent:.1f} %"


def format_number(number: float, *, digits: int = 4) -> str:
    """Write a number with at least four significant digits, or so many, and separators between thousands.

    Examples
    --------
    >>> [format_number(number) for number in (0.123456, 12.0, 1234567.8, 1e-9)]
    ['0.1235', '12', '1,234,568', '1e-09']
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    if 1_000 <= abs(number) < 1e15 or number == int(number):
        return f"{number:,.0f}" if abs(number) < 1e15 else f"{number:.{digits}g}"
    return f"{number:,.0f}" if abs(number) >= 10**digits - 0.5 else f"{number:.{digits}g}"


def format_bytes(count: int) -> str:
    """Write a size.

    Examples
    --------
    >>> format_bytes(17), format_bytes(4_321), format_bytes(1_234_567_890)
    ('17 bytes', '4.3 kB', '1.2 GB')
    """
    if count < 1_000:
        return counted(count, "byte")
    # A unit is left where one decimal would round to a thousand of it.
    size, unit = next((one for one in _BYTES if count < 999.95 * one[0]), _BYTES[-1])
    return f"{count / size:,.1f} {unit}"


def _column(column: pl.Series, *, share: bool) -> Column:
    name, dtype = column.name, column.dtype
    number = dtype.is_numeric() or dtype == pl.Duration
    if dtype == pl.Datetime:
        texts = _times(column)
    else:
        counting, by_dtype = _counted_durations(dtype)
        word = format_share if share else _word(name, dtype) if counting == dtype else by_dtype
        texts = [None if value is None else word(value) for value in column.cast(counting).to_list()]
    whole = not dtype.is_nested() and (not isinstance(dtype, pl.String | pl.Categorical) or bool(IDS.fullmatch(name)))
    return Column(name, str(dtype), tuple(texts), number, whole)


def _counted_durations(dtype: pl.DataType) -> tuple[pl.DataType, Word]:
    """Give a dtype with integers for its durations, however deep, and how to write its values.

    Python's own timedelta counts no nanoseconds, and ends where those of polars go on.
    """
    if isinstance(dtype, pl.Duration):
        unit = NANOSECONDS[dtype.time_unit]
        return pl.Int64(), lambda count: NULL if count is None else format_duration(count * unit)
    if isinstance(dtype, pl.List | pl.Array):
        inner, word = _counted_durations(_instance(dtype.inner))
        counting = pl.List(inner) if isinstance(dtype, pl.List) else pl.Array(inner, dtype.size)
        return counting, lambda values: NULL if values is None else _listed([_item(held, word) for held in values])
    if isinstance(dtype, pl.Struct):
        fields = {field.name: _counted_durations(_instance(field.dtype)) for field in dtype.fields}
        counting_fields = pl.Struct({name: inner for name, (inner, _) in fields.items()})
        words = {name: word for name, (_, word) in fields.items()}
        return counting_fields, lambda value: NULL if value is None else _pairs(value, words)
    return dtype, _any_value


def _instance(dtype: Any) -> pl.DataType:
    """Give a dtype that may be written as its class."""
    known: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return known


def _word(name: str, dtype: pl.DataType) -> Word:
    """Choose how the values of a column are written."""
    if dtype.is_integer() and (is_attribute(name) or CODES.fullmatch(name)):
        return str
    if BYTES.fullmatch(name) and dtype.is_numeric():
        return _size
    if RATES.fullmatch(name) and dtype.is_float():
        return lambda value: format_number(value, digits=3)
    if IDS.fullmatch(name) and dtype == pl.String:
        return lambda value: visible(cut(value, max(_ID_LENGTH, LONGEST)))
    if SENTENCES.fullmatch(name) and dtype == pl.String:
        return lambda value: visible(cut(value, _LONGEST_SENTENCE))
    return _any_value


def _size(value: float) -> str:
    return format_bytes(round(value)) if math.isfinite(value) else format_number(value)


def _times(column: pl.Series) -> list[str | None]:
    """Write times as far as they differ: whole seconds, thousandths, or finer where all lie within a second."""
    finest = column.dt.epoch("us")
    if (finest % (_MICROSECOND * 1_000) == 0).all():
        pattern = "%Y-%m-%d %H:%M:%S"
    else:
        low, high = finest.min(), finest.max()
        within = isinstance(low, int) and isinstance(high, int) and 0 < high - low < _MICROSECOND * 1_000
        pattern = "%Y-%m-%d %H:%M:%S%.6f" if within else "%Y-%m-%d %H:%M:%S%.3f"
    return column.dt.strftime(pattern).to_list()


def _any_value(value: Any) -> str:
    """Write a value by what it is in Python; what stands in lists and structs has no dtype of its own here."""
    match value:
        case bool() | None:
            return NULL if value is None else str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return format_number(value)
        case timedelta():
            return format_duration(round(value / timedelta(microseconds=1)) * _MICROSECOND)
        case datetime():
            return visible(value.isoformat(" "))
        case bytes():
            return format_bytes(len(value))
        case Mapping():
            return _pairs(value, {})
        case list() | tuple() | pl.Series():
            return _listed([_item(held) for held in value])
        case _:
            return visible(cut(str(value), LONGEST))


def _pairs(value: Mapping[str, Any], words: Mapping[str, Word]) -> str:
    return _listed([f"{key}={words.get(key, _any_value)(held)}" for key, held in value.items()])


def _item(value: Any, word: Word | None = None) -> str:
    """Write what stands in a list: events and the like by their names, what a policy said by it."""
    if isinstance(value, Mapping) and value.get("policy") and value.get("decision"):
        return visible(cut(f"{value['policy']}: {value['decision']}", LONGEST))
    if isinstance(value, Mapping) and value.get("name"):
        return visible(cut(str(value["name"]), LONGEST))
    return (word or _any_value)(value)


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - _ITEMS:,} more" if len(texts) > _ITEMS else ""
    return ", ".join(visible(text) for text in texts[:_ITEMS]) + more

"""Converters over whole series, for the values that they mostly see; None where a converter must look at each value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.sampling.ottl.columns import (
    BOOL,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIME,
    Cells,
    Column,
    Constant,
    failing,
    mapped,
    unknown,
    with_faults,
)
from tracelab.sampling.ottl.converters.strings import rust_pattern
from tracelab.sampling.ottl.values import text_like

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.sampling.ottl.reading import PartOfRows, Rows

_NANOSECONDS: Final = {"Nano": 1, "Micro": 10**3, "Milli": 10**6, "Seconds": 10**9}


def _is_match(_rows: Rows | PartOfRows, target: Cells, pattern: Cells) -> Cells | None:
    """Look for a pattern in texts, and in what other values are as texts."""
    if isinstance(target, Constant) or not (isinstance(pattern, Constant) and isinstance(pattern.value, str)):
        return None
    texts = _as_texts(target)
    if texts is None:
        return None
    found = texts.parts.get(STRING)
    if found is None:
        found = pl.Series([None], dtype=pl.String()).new_from_index(0, texts.height)
    truth = matches(found, pattern.value).fill_null(value=False)
    for fault in (None if texts.failures is None else texts.failures.is_not_null(), texts.unknown):
        if fault is not None:
            truth = truth.set(fault, None)
    return Column(texts.height, {BOOL: truth.alias(BOOL)}, (), texts.failures, texts.unknown)


_PLAIN: Final = re.compile(r"(?P<start>\^?)(?P<text>[A-Za-z0-9 _/:=,;<>@%#!~\"'-]+)(?P<end>\$?)", re.ASCII)


def matches(texts: pl.Series, pattern: str) -> pl.Series:
    """Tell which texts a pattern matches; one without any special character needs no regular expression."""
    plain = _PLAIN.fullmatch(pattern)
    if plain is None:
        return texts.str.contains(rust_pattern(pattern))
    if plain["start"]:
        return texts == plain["text"] if plain["end"] else texts.str.starts_with(plain["text"])
    return texts.str.ends_with(plain["text"]) if plain["end"] else texts.str.contains(plain["text"], literal=True)


def _as_texts(column: Column) -> Column | None:
    """Write values as texts."""
    if not set(column.parts) - {STRING}:
        return column
    text: pl.Series | None = None
    for kind, part in column.parts.items():
        if kind in (STRING, BOOL, INT):
            written = part.cast(pl.String)
            text = written if text is None else text.zip_with(text.is_not_null(), written)
    rest = {kind: part for kind, part in column.parts.items() if kind not in (STRING, BOOL, INT)}
    if not rest:
        return Column(column.height, {} if text is None else {STRING: text}, (), column.failures, column.unknown)
    found = mapped(text_like, [Column(column.height, rest, column.others)], column.height)
    if not isinstance(found, Column):
        return None
    if text is not None:
        theirs = found.parts.get(STRING)
        text = text if theirs is None else text.zip_with(text.is_not_null(), theirs)
        found = Column(found.height, {STRING: text}, (), found.failures, found.unknown)
    return with_faults(found, column.failures, column.unknown)


def _beginning(starts: bool) -> Callable[..., Cells | None]:
    def answer(_rows: Rows | PartOfRows, target: Cells, piece: Cells) -> Cells | None:
        if not (_only(target, STRING) and isinstance(piece, Constant) and isinstance(piece.value, str)):
            return None
        text = target.parts[STRING]  # type: ignore[union-attr]
        truth = text.str.starts_with(piece.value) if starts else text.str.ends_with(piece.value)
        return _like(target, BOOL, truth)

    return answer


def _only(cells: Cells, kind: str) -> bool:
    """Tell whether all rows hold values of this kind, but for those that have a fault."""
    if isinstance(cells, Constant) or set(cells.parts) != {kind}:
        return False
    faults = [
        each
        for each in (cells.unknown, None if cells.failures is None else cells.failures.is_not_null())
        if each is not None
    ]
    missing = cells.parts[kind].is_null()
    for fault in faults:
        missing = missing & ~fault
    return not missing.any()


def _like(cells: Cells, kind: str, values: pl.Series) -> Column:
    """Make a column of values that were made of those of another, row for row."""
    return Column(values.len(), {kind: values.alias(kind)}, (), failing([cells]), unknown([cells]))


def _is_root(rows: Rows | PartOfRows) -> Cells:
    return Column(rows.height, {BOOL: rows.roots().alias(BOOL)})


def _is_kind(kind: str) -> Callable[..., Cells | None]:
    def answer(_rows: Rows | PartOfRows, target: Cells) -> Cells | None:
        if isinstance(target, Constant):
            return None
        part = target.parts.get(kind)
        truth = pl.Series([False]).new_from_index(0, target.height) if part is None else part.is_not_null()
        for fault in (None if target.failures is None else target.failures.is_not_null(), target.unknown):
            if fault is not None:
                truth = truth.set(fault, None)
        return _like(target, BOOL, truth)

    return answer


def _since_epoch(unit: int) -> Callable[..., Cells | None]:
    def answer(_rows: Rows | PartOfRows, time: Cells) -> Cells | None:
        return _like(time, INT, time.parts[TIME] // unit) if isinstance(time, Column) and _only(time, TIME) else None

    return answer


def _length(_rows: Rows | PartOfRows, target: Cells) -> Cells | None:
    if not (isinstance(target, Column) and _only(target, STRING)):
        return None
    return _like(target, INT, target.parts[STRING].str.len_bytes().cast(pl.Int64))


def _whole_duration(unit: int) -> Callable[..., Cells | None]:
    """Count whole units, towards zero."""

    def answer(_rows: Rows | PartOfRows, duration: Cells) -> Cells | None:
        if not (isinstance(duration, Column) and _only(duration, DURATION)):
            return None
        part = duration.parts[DURATION]
        return _like(duration, INT, part.sign() * (part.abs() // unit))

    return answer


FAST: Final[dict[str, Callable[..., Cells | None]]] = {
    "IsMatch": _is_match,
    "HasPrefix": _beginning(starts=True),
    "HasSuffix": _beginning(starts=False),
    "IsRootSpan": _is_root,
    "IsString": _is_kind(STRING),
    "IsInt": _is_kind(INT),
    "IsDouble": _is_kind(DOUBLE),
    "IsBool": _is_kind(BOOL),
    **{f"Unix{name}": _since_epoch(unit) for name, unit in _NANOSECONDS.items()},
    "Len": _length,
    "Nanoseconds": _whole_duration(1),
    "Microseconds": _whole_duration(10**3),
    "Milliseconds": _whole_duration(10**6),
}
"""Converter to what answers it for whole columns; it is given the rows, too."""

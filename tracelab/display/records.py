"""Answers as JSON lines for programs, and as CSV for spreadsheets."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.markup import acts, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a spreadsheet takes for the start of a formula, also in full width, and behind blanks that it strips.
_FORMULA: Final = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]")
_KEPT: Final = "\n\t"
_DIGITS: Final = {"ns": 9, "us": 6, "ms": 3}
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7e]")


def as_json(frame: pl.DataFrame) -> str:
    """Write one JSON object a row, every text exactly as it is.

    Durations are seconds, times ISO text. Characters that would act on a terminal are written with JSON's own escapes.
    """
    flat = _flat(frame).with_columns(pl.col(_durations(frame)).cast(pl.Float64))
    return _BEYOND_ASCII.sub(_escaped, flat.write_ndjson())


def as_csv(frame: pl.DataFrame) -> str:
    """Write CSV that a spreadsheet shows and does not run.

    A text that begins like a formula gets an apostrophe before it, and control characters other than line breaks and
    tabs are written as escapes; numbers stay numbers. Durations are seconds to the nanosecond, times ISO text, nested
    values JSON.
    """
    flat = _flat(frame)
    columns = [_text_cells(flat[name]) for name, dtype in frame.schema.items() if _is_text(dtype) or dtype.is_nested()]
    return flat.with_columns(columns).rename({name: cell(name) for name in flat.columns}).write_csv()


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Write times as ISO text and durations as the decimals of their seconds."""
    return frame.with_columns(
        *(_seconds(frame[name]) for name in _durations(frame)),
        pl.col(pl.Datetime).dt.to_string("iso:strict"),
    )


def _durations(frame: pl.DataFrame) -> list[str]:
    return [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Duration)]


def _seconds(column: pl.Series) -> pl.Series:
    """Write seconds in decimals, exactly: a float of them would be off by a little, and by more for long ones."""
    dtype = column.dtype
    shift = Decimal(1).scaleb(-_DIGITS[dtype.time_unit] if isinstance(dtype, pl.Duration) else 0)
    texts = (None if count is None else f"{count * shift:f}" for count in column.to_physical().to_list())
    return pl.Series(column.name, texts, dtype=pl.String).str.replace(r"\.?0+$", "")


def _is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def _text_cells(column: pl.Series) -> pl.Series:
    values: Iterable[Any] = column.to_list()
    texts = (
        (json.dumps(value, ensure_ascii=False, default=str) for value in values) if column.dtype.is_nested() else values
    )
    return pl.Series(column.name, [None if text is None else cell(text) for text in texts], dtype=pl.String)


def cell(text: str) -> str:
    """Write text so that a spreadsheet shows it and does not run it."""
    return ("'" if _FORMULA.match(text) else "") + visible(text, keep=_KEPT)


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1] if acts(match.group()) else match.group()

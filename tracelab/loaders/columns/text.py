"""The canonical text of attribute values."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from tracelab.loaders.columns.chunk import BOOL, DOUBLE, INT

_SMALLEST_PLAIN = 1e-4


def as_text(values: pl.Series, kind: int) -> pl.Series:
    """Write values of one kind as text: true/false, integers, floats as Python has them; the rest is text."""
    if kind in (BOOL, INT):
        return values.cast(pl.String)
    return float_text(values) if kind == DOUBLE else values


def float_text(values: pl.Series) -> pl.Series:
    """Write floats as `repr` does. Polars differs from it only for small numbers and NaN."""
    text = values.cast(pl.String)
    odd = ((values.abs() < _SMALLEST_PLAIN) & (values != 0)) | values.is_nan()
    if not odd.any():
        return text
    where = odd.arg_true()
    return text.scatter(where, [repr(value) for value in values.gather(where).to_list()])


def json_text(value: Any) -> str:
    """Write an array or map as JSON, the one way that every loader writes it."""
    return json.dumps(value, ensure_ascii=False)


def scalar_text(value: Any) -> str:
    """Write one value as text, as a `String` column and events have it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json_text(value)


def full_lines(content: bytes) -> list[memoryview]:
    """Give the lines that are not empty, without copying them."""
    view, texts, start = memoryview(content), [], 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = end if end >= 0 else len(content)
        if end > start:
            texts.append(view[start:end])
        start = end + 1
    return texts

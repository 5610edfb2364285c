"""Attribute values out of decoded JSON: OTLP's AnyValue in all its spellings, and plain JSON values."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import (
    ARRAY,
    BOOL,
    BOOLS,
    BYTES,
    DOUBLE,
    DOUBLES,
    EMPTY_ARRAY,
    INT,
    INTS,
    KVLIST,
    STRING,
    STRINGS,
)
from tracelab.loaders.columns.text import json_text, scalar_text
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.report.findings import Findings

Value = tuple[int, Any]

_ARRAYS: Final = {STRING: STRINGS, BOOL: BOOLS, INT: INTS, DOUBLE: DOUBLES}
_SMALLEST_INT: Final = -(2**63)
_LARGEST_INT: Final = 2**63 - 1
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_FIELDS: Final = {
    "stringValue": "string",
    "string_value": "string",
    "boolValue": "bool",
    "bool_value": "bool",
    "intValue": "int",
    "int_value": "int",
    "doubleValue": "double",
    "double_value": "double",
    "arrayValue": "array",
    "array_value": "array",
    "kvlistValue": "kvlist",
    "kvlist_value": "kvlist",
    "bytesValue": "bytes",
    "bytes_value": "bytes",
}


def any_value(content: Any, findings: Findings, place: str) -> Value | None:
    """Read an AnyValue; None where it is empty. What does not fit its type is read as what it looks like."""
    try:
        value = _any_value(content, findings, place)
        return _long_form(value)
    except RecursionError:
        findings.add(problems.TOO_DEEP, place=place)
        return None


def plain_value(content: Any, findings: Findings, place: str) -> Value | None:
    """Read a plain JSON value; None for null."""
    try:
        return _long_form(_plain(content))
    except RecursionError:
        findings.add(problems.TOO_DEEP, place=place)
        return None


def whole_number(content: Any) -> int | None:
    """Read a 64-bit integer written as a number or as text; None if it is none."""
    if isinstance(content, str):
        content = content.strip()
        if not _INTEGER.fullmatch(content):
            return None
        content = int(content)
    if isinstance(content, bool) or not isinstance(content, int):
        return None
    return content if _SMALLEST_INT <= content <= _LARGEST_INT else None


def float_number(content: Any) -> float | None:
    """Read a double written as a number or as text, NaN and infinities included; None if it is none."""
    if isinstance(content, bool) or not isinstance(content, str | int | float):
        return None
    try:
        return float(content)
    except (ValueError, OverflowError):
        return None


def _long_form(value: Value | None) -> Value | None:
    """Write arrays and maps as JSON text, as the long tables have them."""
    if value is None or value[0] <= BYTES:
        return value
    kind, content = value
    if kind == ARRAY:
        # Inside of arrays and maps bytes are base64 text, for JSON has no other place for them.
        kinds = {(STRING if item[0] == BYTES else item[0]) if item else -1 for item in content}
        kind = EMPTY_ARRAY if not kinds else _ARRAYS.get(kinds.pop(), ARRAY) if len(kinds) == 1 else ARRAY
    return kind, json_text(_bare((ARRAY if value[0] == ARRAY else KVLIST, content)))


def _bare(value: Value | None) -> Any:
    """Give the plain JSON value that a value stands for."""
    if value is None:
        return None
    kind, content = value
    if kind == ARRAY:
        return [_bare(item) for item in content]
    if kind == KVLIST:
        return {key: _bare(item) for key, item in content.items()}
    return content


def _any_value(content: Any, findings: Findings, place: str) -> Value | None:
    if not isinstance(content, dict):
        if content is not None:
            findings.add(problems.BAD_VALUE, place=place, example=content)
        return _plain(content)
    for field, held in content.items():
        kind = _FIELDS.get(field)
        if kind is None or held is None:
            continue
        if kind == "array":
            items = held.get("values") if isinstance(held, dict) else held
            return ARRAY, [_any_value(item, findings, place) for item in _listed(items, findings, place)]
        if kind == "kvlist":
            pairs = held.get("values") if isinstance(held, dict) else held
            return KVLIST, _pairs(pairs, findings, place)
        value = _scalar(kind, held)
        if value is None:
            findings.add(problems.BAD_VALUE, place=place, example={field: held})
            return _plain(held)
        return value
    return None


def _scalar(kind: str, held: Any) -> Value | None:
    """Read a scalar of the kind that was said; None if it does not fit."""
    if kind == "string":
        return (STRING, held) if isinstance(held, str) else None
    if kind == "bool":
        known = {"true": True, "false": False}.get(held) if isinstance(held, str) else held
        return (BOOL, known) if isinstance(known, bool) else None
    if kind == "int":
        if isinstance(held, float) and held.is_integer() and abs(held) <= 2**53:
            return INT, int(held)
        number = whole_number(held)
        return None if number is None else (INT, number)
    if kind == "double":
        real = float_number(held)
        return None if real is None else (DOUBLE, real)
    return _bytes(held)


def _bytes(held: Any) -> Value | None:
    """Read bytes in base64 of either alphabet, padded or not, and write them in the standard one."""
    if not isinstance(held, str):
        return None
    standard = held.replace("-", "+").replace("_", "/")
    try:
        content = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return BYTES, base64.b64encode(content).decode("ascii")


def _listed(items: Any, findings: Findings, place: str) -> list[Any]:
    if isinstance(items, list):
        return items
    if items is not None:
        findings.add(problems.BAD_VALUE, place=place, example=items)
    return []


def _pairs(pairs: Any, findings: Findings, place: str) -> dict[str, Value | None]:
    if isinstance(pairs, dict):
        return {key: _plain(item) for key, item in pairs.items()}
    return {
        str(pair.get("key", "")): _any_value(pair.get("value"), findings, place)
        for pair in _listed(pairs, findings, place)
        if isinstance(pair, dict)
    }


def _plain(content: Any) -> Value | None:
    if content is None:
        return None
    if isinstance(content, str):
        return STRING, content
    if isinstance(content, bool):
        return BOOL, content
    if isinstance(content, int):
        return (INT, content) if _SMALLEST_INT <= content <= _LARGEST_INT else (STRING, scalar_text(content))
    if isinstance(content, float):
        return DOUBLE, content
    if isinstance(content, list):
        return ARRAY, [_plain(item) for item in content]
    return KVLIST, {str(key): _plain(item) for key, item in content.items()}


def finite(number: float) -> bool:
    """Say whether a number is neither NaN nor infinite."""
    return math.isfinite(number)

"""CBOR, as OTel-Arrow writes arrays and maps: decoded to what JSON has, bytes as base64."""

from __future__ import annotations

import base64
import struct
from typing import Any, Final

_DEEPEST: Final = 100
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_INDEFINITE: Final = 31
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
_FLOATS: Final = {25: ">e", 26: ">f", 27: ">d"}
_CONSTANTS: Final = {20: False, 21: True, 22: None, 23: None}
_BREAK: Final = object()


class BadCbor(Exception):  # noqa: N818 - it never leaves the loaders
    """Bytes that are no CBOR."""


def decode(content: bytes) -> Any:
    """Decode one value.

    Raises
    ------
    BadCbor
        The bytes are no CBOR, or nested too deep.
    """
    try:
        value, position = _value(content, 0, _DEEPEST)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise BadCbor(str(error)) from error
    if value is _BREAK or position < len(content):
        raise BadCbor("more than one value")
    return value


def _value(content: bytes, position: int, depth: int) -> tuple[Any, int]:
    if not depth:
        raise BadCbor("nested too deep")
    first = content[position]
    major, info = first >> 5, first & 31
    position += 1
    if major == _SIMPLE:
        return _simple(content, position, info)
    if info == _INDEFINITE:
        return _indefinite(content, position, major, depth)
    number, position = _number(content, position, info)
    if major == _UNSIGNED:
        return number, position
    if major == _NEGATIVE:
        return -1 - number, position
    if major in (_BYTES, _TEXT):
        held = content[position : position + number]
        if len(held) < number:
            raise BadCbor("it breaks off")
        text = held.decode("utf-8") if major == _TEXT else base64.b64encode(held).decode("ascii")
        return text, position + number
    if major == _TAG:
        return _value(content, position, depth - 1)
    count = number * (2 if major == _MAP else 1)
    if count > len(content) - position:
        raise BadCbor("it breaks off")
    items = []
    for _ in range(count):
        item, position = _value(content, position, depth - 1)
        items.append(item)
    return _held(major, items), position


def _indefinite(content: bytes, position: int, major: int, depth: int) -> tuple[Any, int]:
    """Decode a value that says where it ends only there."""
    items: list[Any] = []
    while True:
        item, position = _value(content, position, depth - 1)
        if item is _BREAK:
            break
        items.append(item)
    if major == _TEXT and all(isinstance(item, str) for item in items):
        return "".join(items), position
    if major not in (_ARRAY, _MAP):
        raise BadCbor("a value of no length")
    return _held(major, items), position


def _held(major: int, items: list[Any]) -> Any:
    if _BREAK in items or (major == _MAP and len(items) % 2):
        raise BadCbor("it breaks off")
    return items if major == _ARRAY else {str(key): item for key, item in zip(items[::2], items[1::2], strict=True)}


def _number(content: bytes, position: int, info: int) -> tuple[int, int]:
    if info < min(_WIDTHS):
        return info, position
    width = _WIDTHS.get(info)
    if width is None or position + width > len(content):
        raise BadCbor("a number breaks off")
    return int.from_bytes(content[position : position + width], "big"), position + width


def _simple(content: bytes, position: int, info: int) -> tuple[Any, int]:
    if info in _FLOATS:
        width = _WIDTHS[info]
        return struct.unpack(_FLOATS[info], content[position : position + width])[0], position + width
    if info == _INDEFINITE:
        return _BREAK, position
    if info not in _CONSTANTS:
        raise BadCbor("a value of no known kind")
    return _CONSTANTS[info], position

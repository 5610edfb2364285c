"""Zipkin v1 as its thrift structures look in JSON: ids as signed numbers, values as bytes. Told in v1's own JSON."""

from __future__ import annotations

import base64
import binascii
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.fields import fields_of, objects_of, text_of
from tracelab.loaders.documents.values import float_number, whole_number
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracelab.loaders.columns.builder import Builder

_LISTS: Final = ("annotations", "binary_annotations")
_OWN: Final = frozenset(("trace_id", "binary_annotations"))
_FIELDS: Final = frozenset(
    ("trace_id", "trace_id_high", "id", "parent_id", "name", "timestamp", "duration", "debug", *_LISTS)
)
_TIMES: Final = ("timestamp", "duration")
_BOOL, _BYTES, _I16, _I32, _I64, _DOUBLE, _STRING = range(7)
_TYPES: Final = {
    "BOOL": _BOOL,
    "BYTES": _BYTES,
    "I16": _I16,
    "I32": _I32,
    "I64": _I64,
    "DOUBLE": _DOUBLE,
    "STRING": _STRING,
}
_BIG_ENDIAN: Final = {_I16: ">h", _I32: ">i", _I64: ">q", _DOUBLE: ">d"}
_ADDRESSES: Final = ("sa", "ca", "ma")


def is_span(content: dict[str, Any]) -> bool:
    """Say whether an object is a span in thrift's form: numbers as ids, and its lists of annotations, or how long."""
    numbers = (content.get("trace_id"), content.get("id"))
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        return False
    if any(isinstance(content.get(name), list) for name in _LISTS):
        return "span_id" not in content
    return content.keys() <= _FIELDS and all(whole_number(content.get(key)) is not None for key in _TIMES)


def is_part(content: dict[str, Any]) -> bool:
    """Say whether an object among spans in thrift's form is one too, be it without ids."""
    return not _OWN.isdisjoint(content)


def are_texts(contents: Iterable[dict[str, Any]]) -> bool:
    """Say whether values of type STRING are the texts themselves, and not base64 of them, which Go and Java write.

    A short text may look like base64 by chance, so all of an input's values are asked together.
    """
    values = [
        item["value"]
        for content in contents
        for item in objects_of(content.get("binary_annotations"))
        if _type(item) == _STRING and isinstance(item.get("value"), str) and item["value"]
    ]
    return 2 * sum(_from_base64(value) is not None for value in values) < len(values)


def as_v1(content: dict[str, Any], builder: Builder, place: str, *, texts: bool) -> dict[str, Any]:
    """Write a span in v1's own JSON; `texts` says that values are the texts themselves."""
    binary = [
        {**_annotation(item), "key": item.get("key"), "value": _value(item, builder, place, texts=texts)}
        for item in objects_of(content.get("binary_annotations"))
    ]
    found = {
        "traceId": _trace_id(content, builder, place),
        "id": _hex(content.get("id"), builder, place),
        "parentId": _hex(content.get("parent_id"), builder, place),
        "name": content.get("name"),
        "timestamp": content.get("timestamp"),
        "duration": content.get("duration"),
        "debug": content.get("debug"),
        "annotations": [_annotation(item) for item in objects_of(content.get("annotations"))],
        "binaryAnnotations": [item for item in binary if item["value"] is not None],
    }
    return {key: value for key, value in found.items() if value is not None}


def _annotation(item: dict[str, Any]) -> dict[str, Any]:
    host = fields_of(item.get("host"))
    endpoint = {
        "serviceName": text_of(host.get("service_name")) or None,
        "ipv4": _ipv4(host.get("ipv4")),
        "ipv6": _ipv6(host.get("ipv6")),
        "port": (whole_number(host.get("port")) or 0) & 0xFFFF or None,
    }
    known = {key: value for key, value in endpoint.items() if value is not None}
    return {"timestamp": item.get("timestamp"), "value": item.get("value"), "endpoint": known or None}


def _trace_id(content: dict[str, Any], builder: Builder, place: str) -> str | None:
    low = _hex(content.get("trace_id"), builder, place)
    high = _hex(content.get("trace_id_high"), builder, place) if content.get("trace_id_high") else None
    return low if low is None or high is None else high + low


def _hex(content: Any, builder: Builder, place: str) -> str | None:
    """Write a signed number of 64 bits as an id; an id that is text already stays as it is."""
    if content is None or isinstance(content, str):
        return content
    number = content if isinstance(content, int) and not isinstance(content, bool) else None
    if number is None or not -(2**63) <= number < 2**64:
        builder.findings.add(problems.BAD_FIELD, place=place, example=content)
        return None
    return f"{number & (2**64 - 1):016x}"


def _ipv4(content: Any) -> str | None:
    number = whole_number(content)
    if number is None:
        return text_of(content) or None
    return str(IPv4Address(number & 0xFFFFFFFF)) if number else None


def _ipv6(content: Any) -> str | None:
    held = _bytes(content)
    return str(IPv6Address(held)) if held is not None and len(held) == 16 else text_of(content) or None


def _type(item: dict[str, Any]) -> int:
    """Read a type by name or number; bytes that say none are text, as those of most annotations are."""
    said = item.get("annotation_type", _STRING)
    number = _TYPES.get(said.upper()) if isinstance(said, str) else None
    number = whole_number(said) if number is None else number
    return _STRING if number is None or number not in _TYPES.values() else number


def _value(item: dict[str, Any], builder: Builder, place: str, *, texts: bool) -> Any:
    """Read a value of the type that is said; what cannot be read so stays as it is, and is counted."""
    content, kind = item.get("value"), _type(item)
    if content is None or (isinstance(content, bool) and kind == _BOOL):
        return True if content is None and item.get("key") in _ADDRESSES else content
    if kind == _STRING and texts and isinstance(content, str):
        return content
    if kind in _BIG_ENDIAN and float_number(content) is not None and not isinstance(content, str):
        return content
    held = _bytes(content)
    value = None if held is None else _READERS[kind](held)
    if value is None:
        builder.findings.add(problems.BAD_VALUE, place=place, example={"type": kind, "value": content})
        return content
    return value


def _bytes(content: Any) -> bytes | None:
    """Read bytes: base64, or a list of them as numbers, signed or not."""
    if isinstance(content, str):
        try:
            return base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            return None
    if isinstance(content, list) and all(isinstance(byte, int) and -128 <= byte <= 255 for byte in content):
        return bytes(byte & 0xFF for byte in content)
    return None


def _from_base64(text: str) -> str | None:
    held = _bytes(text)
    return None if held is None else _text(held)


def _text(held: bytes) -> str | None:
    """Read text that people can read; base64 by chance seldom is."""
    try:
        text = held.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(sign.isprintable() or sign in "\t\r\n" for sign in text) else None


def _flag(held: bytes) -> bool | None:
    return bool(held[0]) if len(held) == 1 else None


def _number(form: str) -> Callable[[bytes], Any]:
    size = struct.calcsize(form)

    def read(held: bytes) -> Any:
        # Some writers leave zeros behind the number.
        return struct.unpack_from(form, held)[0] if len(held) >= size and not any(held[size:]) else None

    return read


_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    _BOOL: _flag,
    _BYTES: lambda held: base64.b64encode(held).decode("ascii"),
    _STRING: _text,
    **{kind: _number(form) for kind, form in _BIG_ENDIAN.items()},
}

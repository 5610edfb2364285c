"""Values as the Collector has them: which kinds there are, and what is made of them where asked for.

Ints have 64 bits. Maps are dicts and lists are lists; what Go tells apart beyond that has a class here.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelab.sampling.ottl.instants import rfc3339
from tracelab.sampling.ottl.texts import MachineInt, as_go_json, parsed_float, parsed_int

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_INT: Final = -(2**63)
MAX_INT: Final = 2**63 - 1
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_FALSE: Final = ("0", "f", "F", "false", "FALSE", "False")


class NotReplayableError(Exception):
    """What cannot be replayed exactly on this value."""


class ConditionFailedError(Exception):
    """What the Collector answers with an error on a span."""


class WrongTypeError(ConditionFailedError):
    """A value is of another type than a converter takes."""


@dataclass(frozen=True, slots=True)
class Time:
    """An instant in nanoseconds since 1970, and the zone that it is told in: a name, or minutes east of Greenwich."""

    nanoseconds: int
    zone: str | int = "UTC"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self.nanoseconds == other.nanoseconds

    def __hash__(self) -> int:
        return hash(self.nanoseconds)


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in nanoseconds."""

    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Identifier:
    """The bytes of a trace, span or profile id."""

    of: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Structure:
    """A part of a span that has no value of its own: its status, its events or its links."""

    of: str
    length: int | None = None


class Texts(list[str]):
    """A list that Go knows to hold texts only, which it compares with nothing."""


class RawList(list[Any]):
    """A list that is no list of attributes: one that is written out, or that some converters give."""


class RawMap(dict[str, Any]):
    """A map that is no map of attributes, as some converters give it."""


def storable(value: Any) -> None:
    """Refuse what Go cannot store in an attribute.

    Raises
    ------
    ConditionFailedError
        The value is of such a kind, or has one in it.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, RawList):
            waiting.extend(one)
        elif not isinstance(one, RawMap | str | bytes | int | float | MachineInt | None):
            raise ConditionFailedError(f"Go stores no value of type {type_name(one)} in a list or map")


def type_name(value: Any) -> str:
    """Say what a value is, for messages."""
    names: dict[type, str] = {
        type(None): "nil", bool: "bool", int: "int", float: "double", str: "string", bytes: "bytes", Time: "time",
        Duration: "duration", Identifier: "id", Structure: "structure", MachineInt: "int", dict: "map", RawMap: "map",
    }  # fmt: skip
    return names.get(type(value), "list")


def as_kind(kind: str, value: Any) -> Any:
    """Take a value as a converter's argument of this kind; nil stays None where the kind allows it.

    Raises
    ------
    ConditionFailedError
        The value is none of this kind and cannot be made one.
    """
    return _MAKERS[kind](value) if kind in _MAKERS else value


def _typed(name: str, *types: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, types) and not (isinstance(value, bool) and bool not in types):
            return value
        raise WrongTypeError(f"a value of type {name} was expected, and it is {type_name(value)}")

    return check


def text_like(value: Any) -> str | None:
    """Write any value as text, as converters do that take what is like a text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    return json_or_refusal(plain(value))


def json_or_refusal(value: Any, *, tidy: bool = False) -> str:
    """Write a value as JSON, in one of Go's ways.

    Raises
    ------
    ConditionFailedError
        It has none.
    """
    try:
        return as_go_json(value, tidy=tidy)
    except ValueError as error:
        raise ConditionFailedError(str(error)) from None


def _dated(value: Time) -> str:
    try:
        return rfc3339(value.nanoseconds, value.zone)
    except OverflowError:
        raise ConditionFailedError("the year has not four digits") from None


def plain(value: Any) -> Any:
    """Give what JSON is made of for a value of our own."""
    match value:
        case Time():
            return _dated(value)
        case Duration():
            return value.nanoseconds
        case Identifier():
            return list(value.content)
        case Structure():
            return {}
    return value


def attribute_text(value: Any) -> str:
    """Write an attribute's value as text, as where lists and maps are put together.

    Raises
    ------
    ConditionFailedError
        A number in it is infinite or no number.
    """
    if value is None:
        return ""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, str) else json_or_refusal(value, tidy=True)


def _whole_like(value: Any) -> int | None:
    match value:
        case None:
            return None
        case bool() | int():
            return int(value)
        case str():
            if (number := parsed_int(value)) is None:
                raise ConditionFailedError(f"this text is no whole number of 64 bits: {value[:50]!r}")
            return number
        case float():
            return truncated(value)
    raise WrongTypeError(f"a value of type {type_name(value)} cannot be made an int")


def truncated(value: float) -> int:
    """Cut a float to an int as Go does on x86: what does not fit is the least int."""
    return int(value) if -(2.0**63) <= value < 2.0**63 else MIN_INT


def _float_like(value: Any) -> float | None:
    match value:
        case None:
            return None
        case bool() | int() | float():
            return float(value)
        case str():
            if (number := parsed_float(value)) is None:
                raise ConditionFailedError(f"this text is no number: {value[:50]!r}")
            return number
    raise WrongTypeError(f"a value of type {type_name(value)} cannot be made a double")


def _bool_like(value: Any) -> bool | None:
    match value:
        case None:
            return None
        case bool() | int() | float():
            return value != 0
        case str():
            if value not in _TRUE and value not in _FALSE:
                raise ConditionFailedError(f"this text is no bool: {value[:50]!r}")
            return value in _TRUE
    raise WrongTypeError(f"a value of type {type_name(value)} cannot be made a bool")


def _bytes_like(value: Any) -> bytes | None:
    match value:
        case None | bytes():
            return value
        case str():
            return value.encode()
        case bool():
            return bytes([value])
        case int():
            return struct.pack(">q", value)
        case float():
            return struct.pack(">d", value)
    raise WrongTypeError(f"a value of type {type_name(value)} cannot be made bytes")


def _list(value: Any) -> Any:
    if isinstance(value, RawList):
        storable(value)
    return _typed("list", list)(value)


_MAKERS: Final[dict[str, Callable[[Any], Any]]] = {
    "any": lambda value: value,
    "string": _typed("string", str),
    "int": _typed("int", int),
    "double": _typed("double", float),
    "bool": _typed("bool", bool),
    "map": _typed("map", dict),
    "list": _list,
    "time": _typed("time", Time),
    "duration": _typed("duration", Duration),
    "string-like": text_like,
    "int-like": _whole_like,
    "double-like": _float_like,
    "bool-like": _bool_like,
    "bytes-like": _bytes_like,
}


def wrapped(number: int) -> int:
    """Give what 64 bits hold of a whole number."""
    return (number - MIN_INT) % 2**64 + MIN_INT

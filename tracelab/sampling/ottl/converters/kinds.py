"""Converters that say of which kind a value is, or make it another."""

from __future__ import annotations

from math import log
from typing import Any

from tracelab.sampling.ottl.converters.registry import converter
from tracelab.sampling.ottl.operators import same
from tracelab.sampling.ottl.texts import MachineInt
from tracelab.sampling.ottl.values import (
    MAX_INT,
    MIN_INT,
    ConditionFailedError,
    Duration,
    Identifier,
    RawList,
    Structure,
    Time,
    WrongTypeError,
    storable,
    type_name,
)


@converter("IsString", "Target: string", looks=True)
def is_string(value: Any) -> bool:
    return isinstance(value, str)


@converter("IsBool", "Target: bool", looks=True)
def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


@converter("IsInt", "Target: int", looks=True)
def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@converter("IsDouble", "Target: double", looks=True)
def is_double(value: Any) -> bool:
    return isinstance(value, float)


@converter("IsMap", "Target: map", looks=True)
def is_map(value: Any) -> bool:
    return isinstance(value, dict)


@converter("IsList", "Target: any")
def is_list(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, Structure) and value.length is not None)


@converter("IsEmpty", "Target: any")
def is_empty(value: Any) -> bool:
    match value:
        case None:
            return True
        case bool() | int() | float():
            return value == 0
        case str() | bytes() | list() | dict():
            return len(value) == 0
        case Duration() | MachineInt():
            return (value.nanoseconds if isinstance(value, Duration) else value.number) == 0
        case Identifier():
            return not any(value.content)
        case Structure() | Time():
            return False
    raise AssertionError(type_name(value))


@converter("Len", "Target: any")
def length(value: Any) -> int:
    match value:
        case str():
            return len(value.encode())
        case bytes() | list() | dict():
            return len(value)
        case Structure() if value.length is not None:
            return value.length
    raise ConditionFailedError(f"a value of type {type_name(value)} has no length")


@converter("Bool", "Target: bool-like")
def to_bool(value: bool | None) -> bool | None:
    return value


@converter("Int", "Target: int-like")
def to_int(value: int | None) -> int | None:
    return value


@converter("Double", "Target: double-like")
def to_double(value: float | None) -> float | None:
    return value


@converter("String", "Target: string-like")
def to_string(value: str | None) -> str | None:
    return value


@converter("Log", "Target: double-like")
def logarithm(value: float | None) -> float:
    if value is None or value <= 0:
        raise ConditionFailedError("only a number above zero has a logarithm")
    return log(value) if value < float("inf") else value


@converter("ParseInt", "Target: string", "Base: int")
def parse_int(text: str, base: int) -> int:
    wrong = ConditionFailedError(f"this text is no whole number of base {base}: {text[:50]!r}")
    if not text or not (base == 0 or 2 <= base <= 36) or not text.isascii():
        raise wrong
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    if not digits or digits[0] in "+-" or digits != digits.strip() or len(digits) > 200:
        raise wrong
    if base == 0:
        # A zero before the digits makes them octal in Go, and underscores may stand between them.
        octal = len(digits) > 1 and digits[0] == "0" and digits[1] not in "xXoObB"
        digits = "0o" + digits[1:] if octal else digits
    elif "_" in digits or (digits[:2].lower() in ("0x", "0o", "0b") and int(digits[1], 36) >= base):
        raise wrong
    number = _digits(digits, base, wrong) * (-1 if sign == "-" else 1)
    if not MIN_INT <= number <= MAX_INT:
        raise wrong
    return number


def _digits(digits: str, base: int, wrong: ConditionFailedError) -> int:
    """Read digits; Python would also take a prefix such as `0b` where the base says it."""
    try:
        if base == 0:
            return int(digits, 0)
        total = 0
        for digit in digits:
            value = int(digit, 36)
            if value >= base:
                raise wrong
            total = total * base + value
    except ValueError:
        raise wrong from None
    return total


def _check_values(values: Any) -> None:
    if not values:
        raise ConditionFailedError("there is no value at all")


@converter("Coalesce", "Values: [any]", looks=True, check=_check_values)
def coalesce(values: list[Any]) -> Any:
    return next((value for value in values if value is not None), None)


@converter("ContainsValue", "Target: list", "Item: any")
def contains_value(items: list[Any], item: Any) -> bool:
    return any(same(one, item) for one in items)


@converter("Index", "Target: any", "Value: any")
def index(target: Any, value: Any) -> int:
    if isinstance(target, str):
        if not isinstance(value, str):
            raise ConditionFailedError("only a text can be found in a text")
        return target.encode().find(value.encode())
    if isinstance(target, RawList):
        storable(target)
    if not isinstance(target, list):
        raise WrongTypeError(f"nothing can be found in a value of type {type_name(target)}")
    return next((place for place, one in enumerate(target) if same(one, value)), -1)

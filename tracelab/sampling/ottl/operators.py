"""What operators make of two values: comparing, calculating, and taking a value out of another."""

from __future__ import annotations

from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, Final

from tracelab.sampling.ottl.texts import MachineInt
from tracelab.sampling.ottl.values import (
    MAX_INT,
    MIN_INT,
    ConditionFailedError,
    Duration,
    Identifier,
    RawList,
    RawMap,
    Structure,
    Texts,
    Time,
    type_name,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">=": ge, ">": gt}


def compared(operator: str, left: Any, right: Any) -> bool:
    """Compare two values as OTTL does: values of types that do not go together differ, and neither is the greater.

    Raises
    ------
    ConditionFailedError
        Go cannot compare them.
    """
    # An empty value of bytes is nothing to Go.
    left, right = (None if value == b"" and isinstance(value, bytes) else value for value in (left, right))
    if left is None and right is None:
        return operator in ("==", "<=", ">=")
    if _ordered(left, right):
        return _OPERATORS[operator](left, right)
    if isinstance(left, Time | Duration) and type(left) is type(right):
        return _OPERATORS[operator](left.nanoseconds, right.nanoseconds)
    if isinstance(left, Texts) and isinstance(right, Texts) and operator in ("==", "!="):
        raise ConditionFailedError("Go ends in a panic where it compares two lists of texts")
    if operator not in ("==", "!="):
        return False
    return _same(left, right) == (operator == "==")


def same(left: Any, right: Any) -> bool:
    """Compare two values with `==`."""
    return compared("==", left, right)


def _ordered(left: Any, right: Any) -> bool:
    kinds = [_class(left), _class(right)]
    return kinds[0] == kinds[1] != ""


def _class(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "bytes" if isinstance(value, bytes) else ""


def _same(left: Any, right: Any) -> bool:
    match left, right:
        case (Texts(), _) | (_, Texts()):
            return False
        case (list(), list()) | (dict(), dict()):
            return _deeply_same(left, right)
        case (Identifier() | MachineInt() | Structure(), _):
            return type(left) is type(right) and bool(left == right)
    return False


def _deeply_same(left: Any, right: Any) -> bool:
    """Compare lists or maps with all that is in them. Go tells attributes within a plain list from plain values."""
    waiting = [(left, not isinstance(left, RawList), right, not isinstance(right, RawList))]
    while waiting:
        one, plain_one, other, plain_other = waiting.pop()
        if _shape(one, plain=plain_one) != _shape(other, plain=plain_other):
            return False
        within = [plain or not isinstance(value, RawList) for value, plain in ((one, plain_one), (other, plain_other))]
        if isinstance(one, list):
            if len(one) != len(other):
                return False
            waiting.extend((item, within[0], its, within[1]) for item, its in zip(one, other, strict=True))
        elif isinstance(one, dict):
            if one.keys() != other.keys():
                return False
            waiting.extend((value, within[0], other[key], within[1]) for key, value in one.items())
        elif one != other:
            return False
    return True


def _shape(value: Any, *, plain: bool) -> str:
    if isinstance(value, Texts):
        return "texts"
    if isinstance(value, list):
        return "list" if plain or isinstance(value, RawList) else "attributes' list"
    if isinstance(value, dict):
        return "map" if plain or isinstance(value, RawMap) else "attributes' map"
    return type(value).__name__


def calculated(operator: str, left: Any, right: Any) -> Any:
    """Add, subtract, multiply or divide two values.

    Raises
    ------
    ConditionFailedError
        Values of their types do not go together, or it is a division by zero.
    """
    match left, right:
        case (bool(), _) | (_, bool()):
            pass
        case (int() | float(), int() | float()):
            return _number(operator, left, right)
        case (Time(), Duration()) if operator in "+-":
            shift = right.nanoseconds if operator == "+" else -right.nanoseconds
            return Time(left.nanoseconds + shift, left.zone)
        case (Duration(), Time()) if operator == "+":
            return Time(left.nanoseconds + right.nanoseconds, right.zone)
        case (Time(), Time()) if operator == "-":
            return Duration(min(max(left.nanoseconds - right.nanoseconds, MIN_INT), MAX_INT))
        case (Duration(), Duration()) if operator in "+-":
            return Duration(_number(operator, left.nanoseconds, right.nanoseconds))
    raise ConditionFailedError(f"`{operator}` does not go with {type_name(left)} and {type_name(right)}")


def _number(operator: str, left: Any, right: Any) -> Any:
    whole = isinstance(left, int) and isinstance(right, int)
    if not whole:
        left, right = float(left), float(right)
    match operator:
        case "+":
            found = left + right
        case "-":
            found = left - right
        case "*":
            found = left * right
        case _:
            if right == 0:
                raise ConditionFailedError("it is divided by zero")
            found = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1) if whole else left / right
    return wrapped(found) if whole else found


def negated(value: Any) -> Any:
    """Give the negative of a number.

    Raises
    ------
    ConditionFailedError
        It is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConditionFailedError(f"a minus does not go with a value of type {type_name(value)}")
    return wrapped(-value) if isinstance(value, int) else -value


def indexed(value: Any, key: Any, *, strict: bool) -> Any:
    """Take what stands in a map or list under a key.

    A key that a map does not have gives nil in an attribute, and fails in what a converter gives (`strict`).

    Raises
    ------
    ConditionFailedError
        The key does not go with the value, or there is no such place.
    """
    if isinstance(value, dict) and isinstance(key, str):
        if key in value:
            return value[key]
        if not strict:
            return None
        raise ConditionFailedError(f"the map has no key {key[:50]!r}")
    whole = isinstance(key, int) and not isinstance(key, bool)
    if whole and (isinstance(value, list) or (strict and isinstance(value, bytes))):
        if not 0 <= key < len(value):
            raise ConditionFailedError(f"the list has no place {key}")
        # A byte has a type of its own in Go.
        return MachineInt(value[key]) if isinstance(value, bytes) else value[key]
    raise ConditionFailedError(f"a value of type {type_name(value)} has no key of type {type_name(key)}")

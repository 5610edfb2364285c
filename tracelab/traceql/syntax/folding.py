"""Operations between literals, worked out while a query is parsed."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, Final, cast

from tracelab.traceql.syntax.nodes import BOOL, DURATION, FLOAT, INT, MAX_INT, MIN_INT, NUMERIC, STRING, Static

if TYPE_CHECKING:
    from collections.abc import Callable

COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""The operators that compare two values, as Python and polars have them."""

SUMS: Final[dict[str, Callable[[Any, Any], Any]]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
"""The operators that calculate alike with all numbers, as Python and polars have them."""


def folded_sign(operand: Static) -> Static | None:
    """Negate a literal; None if it has no negative."""
    if operand.type not in NUMERIC or not isinstance(operand.value, int | float):
        return None
    return Static(-operand.value, operand.type, operand.at, operand.of_durations)


def folded(sign: str, left: Static, right: Static) -> Static | None:
    """Combine two literals; None if they do not go together or the result cannot be written as a literal.

    Examples
    --------
    >>> folded("+", Static(1, "int"), Static(2, "int"))
    Static(value=3, type='int')
    >>> folded("/", Static(1, "int"), Static(0, "int")) is None
    True
    """
    if left.type in NUMERIC and right.type in NUMERIC:
        return _folded_numbers(sign, left, right)
    if left.type != right.type:
        return None
    if sign in ("=", "!=") or (left.type == STRING and sign in COMPARISONS):
        # Python orders strings by code point, which is the order of their UTF-8 bytes.
        return Static(COMPARISONS[sign](left.value, right.value), BOOL, left.at)
    if left.type == BOOL and sign in ("&&", "||"):
        both = left.value and right.value
        return Static(bool(both if sign == "&&" else left.value or right.value), BOOL, left.at)
    return None


def _folded_numbers(sign: str, left: Static, right: Static) -> Static | None:
    a, b = cast("float", left.value), cast("float", right.value)
    if sign in COMPARISONS:
        return Static(COMPARISONS[sign](a, b), BOOL, left.at)
    if left.type == INT and right.type == INT:
        whole = whole_number(sign, int(a), int(b))
        return None if whole is None or not MIN_INT <= whole <= MAX_INT else Static(whole, INT, left.at)
    number = float_number(sign, float(a), float(b))
    if number is None or not math.isfinite(number):
        return None
    marks = [side.type == DURATION or side.of_durations for side in (left, right)]
    return Static(number, FLOAT, left.at, any(marks))


def whole_number(sign: str, a: int, b: int) -> int | None:
    """Combine two integers as Go does: division cuts towards zero; None where there is no result."""
    if sign in ("/", "%"):
        if b == 0:
            return None
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return quotient if sign == "/" else a - quotient * b
    if sign == "^":
        power = float_number("^", float(a), float(b))
        return int(power) if power is not None and math.isfinite(power) else None
    return SUMS[sign](a, b) if sign in SUMS else None


def float_number(sign: str, a: float, b: float) -> float | None:
    """Combine two floats; None where the operator is no arithmetic or the result is no finite number."""
    if sign in SUMS:
        return float(SUMS[sign](a, b))
    try:
        match sign:
            case "/":
                return a / b
            case "%":
                return math.fmod(a, b)
            case "^":
                return math.pow(a, b)
    except (ArithmeticError, ValueError):
        return None
    return None

"""Numbers without a unit beside durations: TraceQL reads them as nanoseconds, which hardly anybody means."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tracelab.errors import QueryWarning, warn_caller
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.cursor import shortened
from tracelab.traceql.syntax.folding import COMPARISONS
from tracelab.traceql.syntax.literals import NANOSECONDS, duration_text
from tracelab.traceql.syntax.traversal import comparisons, field_expressions, scalar_filters
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAUSIBLE: Final = NANOSECONDS["ms"]
"""From here on a number may well have been meant as nanoseconds."""

_CONVERSION: Final = 1000
"""A factor that turns one unit into another, so that the other side is in that unit too."""

_TOLD: Final = 5
"""Complaints that are told one by one."""
_TIME, _NUMBER, _UNKNOWN = "time", "number", "unknown"


def warn_of_missing_units(parts: Iterable[n.Part]) -> None:
    """Warn where a duration is compared with a number that has no unit."""
    complaints: dict[str | None, None] = {}
    for part in parts:
        for expression in field_expressions(part):
            complaints.update(dict.fromkeys(map(bare_number, comparisons(expression))))
        complaints.update(dict.fromkeys(map(bare_number, scalar_filters(part))))
    told = [complaint for complaint in complaints if complaint is not None]
    for complaint in told[:_TOLD]:
        warn_caller(complaint, QueryWarning)
    if len(told) > _TOLD:
        more = f"{len(told) - _TOLD:,} more comparisons of durations with numbers"
        warn_caller(f"This query has {more}, which are read as nanoseconds.", QueryWarning)


def bare_number(comparison: n.Operation | n.ScalarFilter) -> str | None:
    """Say how a comparison of a duration with a number is read, and what was perhaps meant; None if it is none.

    Examples
    --------
    >>> from tracelab.traceql.syntax.parser import parse
    >>> print(bare_number(parse("{ duration > 100 }").body.stages[0].expression))
    `duration > 100` is read as 100 nanoseconds; did you mean 100ms?
    """
    match comparison:
        case n.Operation(left, (n.Step(operator, right), *_)) if operator in COMPARISONS:
            pass
        case n.ScalarFilter(operator, left, right):
            pass
        case _:
            return None
    for duration, literal in ((left, right), (right, left)):
        if _is_bare(literal) and _measure(duration) == _TIME:
            return _complaint(shortened(f"{left} {operator} {right}"), literal)
    return None


def _is_bare(node: object) -> bool:
    """Tell whether this is a number that somebody may have meant in a unit: zero is the same in all of them."""
    if not isinstance(node, n.Static) or node.type not in (n.INT, n.FLOAT):
        return False
    return node.value not in (0, n.MIN_INT, n.MAX_INT) and not node.of_durations


def _complaint(text: str, literal: n.FieldExpression | n.Scalar) -> str | None:
    if not isinstance(literal, n.Static) or not isinstance(literal.value, int | float):
        return None
    value = abs(literal.value)
    if value >= _PLAUSIBLE:
        exact = round(literal.value)
        return (
            f"`{text}` is read as {exact:,} nanoseconds, which is {format_duration(exact)}; "
            f"write {duration_text(exact)}."
        )
    number = format(Decimal(repr(literal.value)).normalize(), "f")
    noun = "nanosecond" if value == 1 else "nanoseconds"
    return f"`{text}` is read as {number} {noun}; did you mean {number}ms?"


def _measure(node: n.FieldExpression | n.Scalar) -> str:
    """Tell whether an expression gives a time, a plain number, or what one cannot know."""
    match node:
        case n.Static():
            return _TIME if node.type == n.DURATION or node.of_durations else _NUMBER
        case n.Intrinsic():
            return {n.DURATION: _TIME, n.INT: _NUMBER}.get(n.INTRINSIC_TYPES[node.name], _UNKNOWN)
        case n.Unary("-"):
            return _measure(node.operand)
        case n.Aggregate():
            return _NUMBER if node.argument is None else _measure(node.argument)
        case n.ScalarPipeline():
            return _measure(node.aggregate)
        case n.Operation() | n.ScalarOperation():
            measure = _measure(node.first)
            for step in node.steps:
                measure = _combined(measure, step)
            return measure
    return _UNKNOWN


def _combined(left: str, step: n.Step[n.FieldExpression] | n.Step[n.Scalar]) -> str:
    """Calculate with measures: twice a time is a time, a time by a time is a number."""
    operand: n.FieldExpression | n.Scalar = step.operand
    right = _measure(operand)
    if _UNKNOWN in (left, right):
        return _UNKNOWN
    if left == right == _NUMBER:
        return _NUMBER
    match step.operator:
        case "+" | "-":
            return _TIME
        case "/" if left == right:
            return _NUMBER
        case "*" if left != right:
            return _UNKNOWN if _converts(operand) else _TIME
        case "/" if left == _TIME:
            return _UNKNOWN if _converts(operand) else _TIME
    return _UNKNOWN


def _converts(node: object) -> bool:
    """Tell whether multiplying with this, or dividing by it, looks like a change of units."""
    match node:
        case n.Static(int() | float() as value):
            return value != 0 and not 1 / _CONVERSION < abs(value) < _CONVERSION
    return False

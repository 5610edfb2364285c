"""What a query is made of: its field expressions, comparisons and attributes, wherever they stand in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.folding import COMPARISONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def references(expression: n.FieldExpression) -> Iterator[n.Attribute | n.Intrinsic]:
    """List the attributes and intrinsics that an expression reads."""
    match expression:
        case n.Attribute() | n.Intrinsic():
            yield expression
        case n.Unary() | n.Presence():
            yield from references(expression.operand)
        case n.Operation():
            yield from references(expression.first)
            for step in expression.steps:
                yield from references(step.operand)


def field_expressions(part: n.Part) -> Iterator[n.FieldExpression]:
    """List the expressions over one span that a stage is made of."""
    match part:
        case n.Filter() | n.GroupBy():
            yield part.expression
        case n.SpansetOperation() | n.ScalarOperation():
            yield from field_expressions(part.first)
            for step in part.steps:
                yield from field_expressions(step.operand)
        case n.Pipeline():
            for stage in part.stages:
                yield from field_expressions(stage)
        case n.ScalarPipeline():
            for stage in part.stages:
                yield from field_expressions(stage)
            yield from field_expressions(part.aggregate)
        case n.ScalarFilter():
            yield from field_expressions(part.left)
            yield from field_expressions(part.right)
        case n.Aggregate() if part.argument is not None:
            yield part.argument
        case n.Select():
            yield from part.fields


def attributes_asked(expression: n.FieldExpression) -> Iterator[n.Attribute]:
    """List the attributes in an expression, but for those that are asked to be missing."""
    match expression:
        case n.Attribute():
            yield expression
        case n.Unary() | n.Presence(exists=True):
            yield from attributes_asked(expression.operand)
        case n.Operation():
            for operand in (expression.first, *(step.operand for step in expression.steps)):
                yield from attributes_asked(operand)


def scalar_filters(part: n.Part) -> Iterator[n.ScalarFilter]:
    """List the comparisons of aggregates in a stage."""
    match part:
        case n.ScalarFilter():
            yield part
            yield from scalar_filters(part.left)
            yield from scalar_filters(part.right)
        case n.SpansetOperation() | n.ScalarOperation():
            for operand in (part.first, *(step.operand for step in part.steps)):
                yield from scalar_filters(operand)
        case n.Pipeline() | n.ScalarPipeline():
            for stage in part.stages:
                yield from scalar_filters(stage)


def comparisons(expression: n.FieldExpression) -> Iterator[n.Operation]:
    """List the comparisons in an expression; of a chain, the first two sides are what they compare."""
    match expression:
        case n.Unary() | n.Presence():
            yield from comparisons(expression.operand)
        case n.Operation():
            if expression.steps[0].operator in (*COMPARISONS, "=~", "!~"):
                yield expression
            for operand in (expression.first, *(step.operand for step in expression.steps)):
                yield from comparisons(operand)


def compared_types(parts: Iterable[n.Part]) -> dict[n.Attribute, str]:
    """List the attributes that stages name, and the type of the literal that each is compared with, if there is one."""
    kinds: dict[n.Attribute, str] = {}
    for expression in (expression for part in parts for expression in field_expressions(part)):
        for operation in comparisons(expression):
            match operation:
                case n.Operation(n.Attribute() as field, (n.Step(_, n.Static(_, kind)),)):
                    kinds.setdefault(field, kind)
        for attribute in attributes_asked(expression):
            kinds.setdefault(attribute, n.STRING)
    return kinds

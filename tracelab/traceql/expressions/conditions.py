"""Nodes to polars: the expression of one filter, and the value of one field expression."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Final, cast

import polars as pl

from tracelab.traceql.expressions.events import ItemTest, any_item, item_value
from tracelab.traceql.expressions.operators import calculated, compared, either, is_any_of, negated, signed
from tracelab.traceql.expressions.values import Value, decided, literal_value
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.folding import COMPARISONS
from tracelab.traceql.syntax.limits import LOGIC, alike, field_and_literal, runs
from tracelab.traceql.syntax.traversal import references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.traceql.expressions.columns import Columns

_COMPARING: Final = (*COMPARISONS, "=~", "!~")


class Compiler:
    """Turns the nodes of one query into expressions over one frame's columns."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.guard: pl.Expr | None = None

    def condition(self, filter_: n.Filter) -> pl.Expr:
        """Give the boolean expression of `{ ... }`; null counts as no match."""
        expression = filter_.expression
        conjuncts = _conjuncts(expression)
        scopes = [_item_scope_of_test(conjunct) for conjunct in conjuncts]
        if len(conjuncts) > 1 and any(scopes) and all(map(_is_plain, conjuncts)):
            # In a pure `&&` filter all conditions on events must hold for the same event.
            tests = []
            for of in ("event", "link"):
                together = [c for c, scope in zip(conjuncts, scopes, strict=True) if scope == of]
                if together:
                    tests.append(any_item([self.item_test(c, of, number) for number, c in enumerate(together)]))
            others = [c for c, scope in zip(conjuncts, scopes, strict=True) if scope is None]
            if others:
                before = decided(pl.all_horizontal(tests))
                tests = [*(value.truth for value in self.run("&&", others, before)), *tests]
            return pl.all_horizontal(tests)
        return self.value(expression).truth

    def value(self, expression: n.FieldExpression) -> Value:
        """Give the value of an expression on every span."""
        match expression:
            case n.Static():
                return literal_value(expression)
            case n.Attribute() | n.Intrinsic():
                return self.columns.value(expression)
            case n.Unary():
                operand = self.value(expression.operand)
                return negated(operand) if expression.operator == "!" else signed(operand)
            case n.Presence():
                return self.presence(expression)
        return self.operation(expression)

    def presence(self, presence: n.Presence) -> Value:
        """`x = nil`, `x != nil`; of events, whether one of them lacks it or has it."""
        of = n.item_scope(presence.operand)
        if of is not None:
            return decided(any_item([self.item_test(presence, of, 0)]))
        present = self.value(presence.operand).present
        return decided(present if presence.exists else ~present)

    def operation(self, operation: n.Operation) -> Value:
        """Apply a chain of operators from left to right."""
        if operation.steps[0].operator in LOGIC:
            return self.logic(operation)
        of = _item_scope_of_test(operation)
        if of is not None:
            return decided(any_item([self.item_test(operation, of, 0)]))
        left = self.value(operation.first)
        node: n.FieldExpression = operation.first
        for step in operation.steps:
            right = self.value(step.operand)
            if step.operator in _COMPARING:
                sides = self.once(node, left, right), self.once(step.operand, right, left)
                left = compared(step.operator, *sides)
            else:
                result = calculated(step.operator, left, right, where=self.guard)
                left = self.kept(result) if _is_mixed(left) or _is_mixed(right) else result
            node = operation
        return left

    def once(self, node: n.FieldExpression, value: Value, other: Value) -> Value:
        """Keep what was worked out in a column, where each kind of the other side would work it out again."""
        repeated = len(other.kinds) > 1 and isinstance(node, n.Operation | n.Unary | n.Presence)
        return self.kept(value) if repeated else value

    def kept(self, value: Value) -> Value:
        """Keep a value in a column of its own: an expression that repeats its operands grows with every step."""
        if value.literal is not None:
            return value
        if value.settled:
            return decided(self.column(value.truth.fill_null(False)))
        column = self.column(pl.struct(part.alias(kind) for kind, part in value.kinds.items()))
        return replace(value, kinds={kind: column.struct.field(kind) for kind in value.kinds})

    def column(self, expression: pl.Expr) -> pl.Expr:
        """Ask for a column of its own."""
        return self.columns.helper(f"step {len(self.columns.helpers)}", expression)

    def logic(self, operation: n.Operation) -> Value:
        """Apply `&&` and `||`, whole runs of the same one at once."""
        value: Value | None = None
        for operator, operands in runs(operation):
            value = either(operator, [*([] if value is None else [value]), *self.run(operator, operands, value)])
        return cast("Value", value)

    def run(self, operator: str, operands: list[n.FieldExpression], before: Value | None) -> Iterator[Value]:
        """Give the values of operands joined by one operator; `.a = 1 || .a = 2` is one value.

        Later operands are only looked at where the earlier ones left the question open, which matters for a division
        by zero.
        """
        outer = self.guard
        groups = list(self.groups(operator, operands))
        divides = [_divides(group[0]) for group in groups]
        last = len(divides) - 1 - divides[::-1].index(True) if any(divides) else -1
        reached = pl.lit(True) if outer is None else outer
        if before is not None and last >= 0:
            reached = self.column(_still_open(operator, before, reached))
        for number, group in enumerate(groups):
            self.guard = reached if divides[number] else outer
            if len(group) == 1:
                value = self.value(group[0])
            elif (of := _item_scope_of_test(group[0])) is not None:
                # One event for any of several conditions: the events are laid out once for all of them.
                tests = [self.item_test(operand, of, place) for place, operand in enumerate(group)]
                value = decided(any_item(tests, every=False))
            else:
                links = [link for link in map(field_and_literal, group) if link is not None]
                value = is_any_of(self.value(links[0][0]), [link[2] for link in links], negative=links[0][1] == "!=")
            yield value
            if number < last:
                reached = self.column(_still_open(operator, value, reached))
        self.guard = outer

    def groups(self, operator: str, operands: list[n.FieldExpression]) -> Iterator[list[n.FieldExpression]]:
        """Group neighbours that are answered at once: alike ones, and alternatives about events (or links)."""
        for of, neighbours in groupby(operands, key=_item_scope_of_test):
            if of is not None and operator == "||":
                yield list(neighbours)
            else:
                yield from alike(operator, list(neighbours))

    def item_test(self, node: n.FieldExpression, of: str, number: int) -> ItemTest:
        """Give the test of one event (or link) that a condition makes."""
        match node:
            case n.Presence():
                present = item_value(node.operand).present
                return ItemTest(of, present if node.exists else ~present, {}, when_empty=not node.exists)
            case n.Operation(first, (step,)):
                here = n.item_scope(first) == of
                mine, other = (first, step.operand) if here else (step.operand, first)
                beside, columns = self.beside(other, number)
                sides = (item_value(mine), beside) if here else (beside, item_value(mine))
                return ItemTest(of, compared(step.operator, *sides).truth, columns)
        flag = literal_value(n.Static(True, n.BOOL))
        return ItemTest(of, compared("=", item_value(node), flag).truth)

    def beside(self, node: n.FieldExpression, number: int) -> tuple[Value, dict[str, pl.Expr]]:
        """Give what events are compared with: a literal, or a value of the span in columns of its own."""
        value = self.value(node)
        if value.literal is not None:
            return value, {}
        names = {kind: f"beside {number} {kind}" for kind in value.kinds}
        kinds = {kind: pl.col(name) for kind, name in names.items()}
        return (
            Value(kinds, settled=value.settled, identifier=value.identifier),
            {names[kind]: expression for kind, expression in value.kinds.items()},
        )


def _is_mixed(value: Value) -> bool:
    """Tell whether a number may be of several kinds."""
    return sum(kind in n.NUMERIC for kind in value.kinds) > 1


def _conjuncts(expression: n.FieldExpression) -> list[n.FieldExpression]:
    """List what a filter joins with `&&` alone; the whole expression if it is no such chain."""
    match expression:
        case n.Operation(first, steps) if all(step.operator == "&&" for step in steps):
            return [part for operand in (first, *(step.operand for step in steps)) for part in _conjuncts(operand)]
    return [expression]


def _is_plain(node: n.FieldExpression) -> bool:
    """Tell whether an operand of `&&` is one condition, without `||` or `!` inside."""
    match node:
        case n.Unary("!") | n.Operation(_, (n.Step("||" | "&&"), *_)):
            return False
        case n.Unary() | n.Presence():
            return _is_plain(node.operand)
        case n.Operation():
            return all(map(_is_plain, (node.first, *(step.operand for step in node.steps))))
    return True


def _item_scope_of_test(node: n.FieldExpression) -> str | None:
    """Say whether a condition is about one field of an event or a link, compared with something of the span."""
    match node:
        case n.Presence(operand):
            return n.item_scope(operand)
        case n.Operation(first, (n.Step(operator, operand),)) if operator in _COMPARING:
            scopes = [n.item_scope(first), n.item_scope(operand)]
            for of, other in zip(scopes, (operand, first), strict=True):
                if of is not None and not any(n.item_scope(reference) for reference in references(other)):
                    return of
            return None
    return n.item_scope(node)


def _still_open(operator: str, value: Value, reached: pl.Expr) -> pl.Expr:
    truth = value.truth.fill_null(False)
    return reached & (truth if operator == "&&" else ~truth)


def _divides(node: n.FieldExpression) -> bool:
    match node:
        case n.Unary() | n.Presence():
            return _divides(node.operand)
        case n.Operation():
            if any(step.operator in ("/", "%") for step in node.steps):
                return True
            return any(map(_divides, (node.first, *(step.operand for step in node.steps))))
    return False

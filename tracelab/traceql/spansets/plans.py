"""What a query needs of every span: the leaves of its pipeline, gathered before any spanset is formed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.forest import FOREST_COLUMNS
from tracelab.traceql.expressions.conditions import Compiler
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    import polars as pl

    from tracelab.traceql.expressions.columns import Columns
    from tracelab.traceql.expressions.values import Value


SPAN_COLUMNS: Final = FOREST_COLUMNS
"""What every pipeline of more than one filter reads of the spans themselves."""


class Plan:
    """The expressions of one query over one frame, each under a name of its own.

    `masks` and `values` tell under which names the filters and the field expressions of the query are computed.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.compiler = Compiler(self.columns)
        self.expressions: dict[str, pl.Expr] = {}
        self.masks: dict[n.Filter, str] = {}
        self.values: dict[n.FieldExpression, dict[str, str]] = {}

    def add(self, part: n.Part) -> None:
        """Plan for a stage, and for all that is within it."""
        match part:
            case n.Filter():
                self.add_filter(part)
            case n.SpansetOperation():
                for operand in (part.first, *(step.operand for step in part.steps)):
                    self.add(operand)
            case n.Pipeline():
                self.add_all(part.stages)
            case n.ScalarFilter():
                self.add(part.left)
                self.add(part.right)
            case n.ScalarOperation():
                for scalar in (part.first, *(step.operand for step in part.steps)):
                    self.add(scalar)
            case n.ScalarPipeline():
                self.add_all(part.stages)
                self.add(part.aggregate)
            case n.Aggregate() if part.argument is not None:
                self.add_value(part.argument)
            case n.GroupBy():
                self.add_value(part.expression)

    def add_all(self, stages: tuple[n.Stage, ...]) -> None:
        for stage in stages:
            self.add(stage)

    def add_filter(self, filter_: n.Filter) -> None:
        if filter_ not in self.masks:
            self.masks[filter_] = self.name(self.compiler.condition(filter_))

    def add_value(self, expression: n.FieldExpression) -> dict[str, str]:
        """Plan for a value: one name for each kind that it may have."""
        if expression not in self.values:
            kinds = self.settled(self.compiler.value(expression))
            self.values[expression] = {kind: self.name(part) for kind, part in kinds.items()}
        return self.values[expression]

    def settled(self, value: Value) -> dict[str, pl.Expr]:
        if value.settled:
            return {n.BOOL: value.truth.fill_null(False)}
        return value.kinds

    def name(self, expression: pl.Expr) -> str:
        name = f"traceql leaf {len(self.expressions)}"
        self.expressions[name] = expression
        return name

    def selected(self) -> list[pl.Expr]:
        """List the expressions under their names."""
        return [expression.alias(name) for name, expression in self.expressions.items()]

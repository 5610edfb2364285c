"""What all that queries do has in common: text to plan to polars, and errors in plain words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl

from tracelab.errors import QueryError, own_words
from tracelab.traceql.expressions.columns import Columns
from tracelab.traceql.expressions.unknown_names import warn_of_unknown
from tracelab.traceql.spansets.plans import SPAN_COLUMNS, Plan
from tracelab.traceql.spansets.stages import Run
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.limits import plain_recursion
from tracelab.traceql.syntax.parser import parse
from tracelab.traceql.syntax.validation import validate

if TYPE_CHECKING:
    from collections.abc import Iterator


def matching(spans: pl.DataFrame | pl.LazyFrame, traceql: str, function: str) -> pl.LazyFrame:
    """Plan for the spans that a query matches."""
    stages, plan = planned(spans, traceql, function)
    with plain_errors():
        warn_of_unknown(plan.columns, stages)
        return left_by(stages, spans, plan)


def planned(spans: pl.DataFrame | pl.LazyFrame, traceql: str, function: str) -> tuple[tuple[n.Stage, ...], Plan]:
    """Parse and check a query that must be one for spans, and begin its plan.

    An eager frame is looked into, so that the plan is short.
    """
    parsed = checked(traceql)
    if not isinstance(parsed.body, n.Pipeline):
        raise QueryError(
            f"this query gives metrics over time, which {function}() cannot show; ask query_metrics(spans, ...)",
            source=traceql,
            position=0,
        )
    return parsed.body.stages, Plan(Columns.of(spans))


def left_by(stages: tuple[n.Stage, ...], spans: pl.DataFrame | pl.LazyFrame, plan: Plan) -> pl.LazyFrame:
    """Plan for the spans that the stages of a pipeline leave, with the columns that they had."""
    tests = conditions(plan, stages)
    return plan.columns.with_helpers(spans.lazy()).filter(*tests).drop(plan.columns.helpers)


def checked(traceql: str) -> n.Query:
    """Parse and check a query."""
    parsed = parse(traceql)
    validate(parsed)
    return parsed


def conditions(plan: Plan, stages: tuple[n.Stage, ...]) -> list[pl.Expr]:
    """Give the expressions that hold for the spans which the stages of a pipeline leave."""
    if all(isinstance(stage, n.Filter | n.Select | n.Coalesce) for stage in stages):
        return [plan.compiler.condition(stage) for stage in stages if isinstance(stage, n.Filter)]
    plan.add_all(stages)
    plan.columns.require("a query with several stages", *SPAN_COLUMNS)

    def members(columns: pl.Series) -> pl.Series:
        return pl.Series(Run(columns.struct.unnest(), plan).pipeline(stages).members)

    inputs = pl.struct(*SPAN_COLUMNS, *plan.selected())
    return [inputs.map_batches(members, return_dtype=pl.Boolean)]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Keep polars' account of the expression out of our own errors, which say already what happened."""
    try:
        with plain_recursion():
            yield
    except QueryError as error:
        if (text := own_words(error)) == str(error):
            raise
        raise QueryError(text) from None

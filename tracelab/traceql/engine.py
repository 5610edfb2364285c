"""Queries run on a frame: text to plan to polars."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from tracelab.conforming import takes_any_frame_unchecked, with_checks
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

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)


@takes_any_frame_unchecked
def query(spans: FrameT, traceql: str) -> FrameT:
    """Keep the spans that a TraceQL query matches.

    Parameters
    ----------
    spans
        A span frame, whole or filtered, eager or lazy. A single filter on a lazy scan is pushed into the file.
    traceql
        The query, such as `{ span.http.route = "/pay" } >> { status = error } | count() > 2`. A filter may stand
        without its braces: `duration > 2s && service.name = "checkout"`.

    Returns
    -------
    The same kind of frame with the same columns; those rows that are in a matching spanset, in their old order.

    Raises
    ------
    QuerySyntaxError
        The text is no query.
    QueryTypeError
        The query compares or combines what never goes together.
    QueryError
        It is a query for `query_metrics`, it divides by zero, it is larger than what can be answered in good time, or
        it is no text.
    SchemaError
        The frame lacks a column that the query reads.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay  ========  http.route=/pay
    ...   bank::charge ..====!
    ...   bank::log    .......=
    ... ''')
    >>> query(spans, '{ span.http.route = "/pay" } >> { status = error }')["name"].to_list()
    ['charge']
    >>> query(spans, "duration >= 4ms")["name"].to_list()
    ['GET /pay', 'charge']
    """
    found = matching(spans, traceql, "query")
    if isinstance(spans, pl.LazyFrame):
        return with_checks(found)
    with plain_errors():
        return found.collect()


def matching(spans: pl.DataFrame | pl.LazyFrame, traceql: str, function: str) -> pl.LazyFrame:
    """Plan for the spans that a query matches; an eager frame is looked into, so that the plan is short."""
    pipeline = spanset_pipeline(traceql, function)
    columns = Columns.of(spans)
    with plain_errors():
        warn_of_unknown(columns, pipeline.stages)
        tests = conditions(Plan(columns), pipeline.stages)
        return columns.with_helpers(spans.lazy()).filter(*tests).drop(columns.helpers)


def checked(traceql: str) -> n.Query:
    """Parse and check a query."""
    parsed = parse(traceql)
    validate(parsed)
    return parsed


def spanset_pipeline(traceql: str, function: str) -> n.Pipeline:
    """Parse and check a query that must be one for spans."""
    parsed = checked(traceql)
    if not isinstance(parsed.body, n.Pipeline):
        raise QueryError(
            f"this query gives metrics over time, which {function}() cannot show; ask query_metrics(spans, ...)",
            source=traceql,
            position=0,
        )
    return parsed.body


def conditions(plan: Plan, stages: tuple[n.Stage, ...]) -> list[pl.Expr]:
    """Give the expressions that hold for the spans which the stages of a pipeline leave."""
    if all(isinstance(stage, n.Filter | n.Select | n.Coalesce) for stage in stages):
        return [plan.compiler.condition(stage) for stage in stages if isinstance(stage, n.Filter)]
    plan.add_all(stages)
    plan.columns.require("a query with several stages", *SPAN_COLUMNS)

    def members(columns: pl.Series) -> pl.Series:
        run = Run(columns.struct.unnest(), plan)
        return pl.Series(run.stages(stages, run.all()).members)

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

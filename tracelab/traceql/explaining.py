"""What becomes of a query: its canonical form, and the plan that polars follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.conforming import unchecked_frame
from tracelab.schema import SPAN_SCHEMA
from tracelab.traceql.engine import checked, left_by, plain_errors
from tracelab.traceql.expressions.columns import Columns
from tracelab.traceql.spansets.plans import Plan
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.missing_units import warn_of_missing_units
from tracelab.traceql.syntax.traversal import compared_types

if TYPE_CHECKING:
    from collections.abc import Iterator

_DTYPES = {n.INT: pl.Int64(), n.FLOAT: pl.Float64(), n.BOOL: pl.Boolean()}


class Explanation(str):
    """A text that a notebook shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def explain(traceql: str, *, spans: pl.DataFrame | pl.LazyFrame | None = None) -> Explanation:
    """Show how a query was understood, and how it will be run.

    Parameters
    ----------
    traceql
        The query.
    spans
        The frame that it will be run on; without one its attributes are taken to have columns.

    Returns
    -------
    A text: the query in canonical form, with every precedence spelt out, then the polars plan that finds its spans
    (read from the bottom up).

    Raises
    ------
    QuerySyntaxError
        The text is no query.
    QueryTypeError
        The query compares or combines what never goes together.
    QueryError
        The query is larger than what can be answered in good time, or it is no text.
    SchemaError
        `spans` is no frame of spans, or lacks a column that the query reads.

    Examples
    --------
    >>> explain("duration > 2s || status = error && kind = server")
    { ((duration > 2s) || (status = error)) && (kind = server) }
    <BLANKLINE>
    FILTER ((col("duration") > 2s) | (col("status_code") == "error")) & (col("kind") == "server")
    ...
    """
    parsed = checked(traceql)
    known = None if spans is None else unchecked_frame(spans)
    plans = []
    with plain_errors():
        for pipeline in _pipelines(parsed.body):
            warn_of_missing_units(pipeline.stages)
            frame = _imagined(pipeline) if known is None else known
            plans.append(left_by(pipeline.stages, frame, Plan(Columns.of(frame))).explain())
        return Explanation("\n\n".join([str(parsed), *dict.fromkeys(plans)]))


def _pipelines(body: n.Pipeline | n.MetricsOperand) -> Iterator[n.Pipeline | n.MetricsPipeline]:
    """List the pipelines of a query; arithmetic between metrics has several."""
    match body:
        case n.Pipeline() | n.MetricsPipeline():
            yield body
        case n.MetricsOperation():
            yield from _pipelines(body.left)
            yield from _pipelines(body.right)


def _imagined(pipeline: n.Pipeline | n.MetricsPipeline) -> pl.DataFrame:
    """Make an empty frame that has a column for every attribute that a pipeline names."""
    schema = dict(SPAN_SCHEMA)
    for attribute, kind in compared_types(pipeline.stages).items():
        name = f"{attribute.scope or 'span'}.{attribute.name}"
        schema.setdefault(name, _DTYPES.get(kind, pl.String()))
    return pl.DataFrame(schema=schema)

"""Queries: the spans that match."""

from __future__ import annotations

from typing import TypeVar

import polars as pl

from tracelab.conforming import takes_any_frame_unchecked, with_checks
from tracelab.traceql.engine import matching, plain_errors

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

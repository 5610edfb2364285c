"""The time between two kinds of spans of a trace, which TraceQL has no words for."""

from __future__ import annotations

import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.traceql.engine import matching, plain_errors


@takes_any_frame
def gap(spans: pl.DataFrame | pl.LazyFrame, a: str, b: str) -> pl.DataFrame:
    """Measure the time from the end of spans matching `a` to the start of spans matching `b` in the same trace.

    Every span of `b` is measured from the span of `a` that ended last before it started, or just then. A span of `b`
    that starts before any span of `a` has ended is left out: there is no gap, the two overlap (a child and its parent,
    for instance) or come in the other order. A span is never measured from itself. Clocks of different services are
    taken as they are.

    Parameters
    ----------
    spans
        A span frame.
    a, b
        TraceQL queries for spans.

    Returns
    -------
    One row per span of `b` that has a gap before it: `trace_id`, `a_span_id`, `a_name`, `b_span_id`, `b_name` (String),
    `start_time` (Datetime, when the span of `a` ended) and `gap` (Duration). Sorted by `gap`, longest first, then
    `trace_id`, `b_span_id`.

    Raises
    ------
    QueryError
        One of the queries is none for spans, or no text.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... order      ==========
    ...   reserve  .==
    ...   pay      .....===
    ... ''')
    >>> gap(spans, 'name = "reserve"', 'name = "pay"').select("a_name", "b_name", "gap").rows()
    [('reserve', 'pay', datetime.timedelta(microseconds=2000))]
    """
    end = (pl.col("start_time") + pl.col("duration")).alias("end_time")
    columns = ["trace_id", "span_id", "name", "start_time"]
    with plain_errors():
        before = matching(spans, a, "gap").select(*columns[:3], end).sort("end_time", "span_id").collect()
        after = matching(spans, b, "gap").select(columns).sort("start_time", "span_id").collect()
    ended = before.lazy().rename({"span_id": "a_span_id", "name": "a_name"})
    nearest = _nearest(after.lazy(), ended, itself=True).collect()
    # A span that took no time and matches both would be found before itself; it is measured from an earlier end.
    to_itself = nearest["a_span_id"] == nearest["span_id"]
    others = _nearest(nearest.filter(to_itself).lazy().select(columns), ended, itself=False).collect()
    found = pl.concat([nearest.filter(~to_itself), others]).drop_nulls("a_span_id")
    return (
        found.with_columns(gap=pl.col("start_time") - pl.col("end_time"))
        .sort("gap", "trace_id", "span_id", descending=[True, False, False])
        .select(
            "trace_id",
            "a_span_id",
            "a_name",
            b_span_id="span_id",
            b_name="name",
            start_time="end_time",
            gap="gap",
        )
    )


def _nearest(after: pl.LazyFrame, before: pl.LazyFrame, *, itself: bool) -> pl.LazyFrame:
    """Join each span with the one that ended last before it started."""
    return after.join_asof(
        before,
        left_on="start_time",
        right_on="end_time",
        by="trace_id",
        strategy="backward",
        allow_exact_matches=itself,
        coalesce=False,
        check_sortedness=False,
    )

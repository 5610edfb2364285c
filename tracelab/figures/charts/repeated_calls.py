"""Repeated calls: how much time goes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.analysis.calls.repeated_calls import repeated_calls
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.bars import ranked_durations
from tracelab.figures.parts.style import first_rows
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tracelab.analysis.grouping import Spans

_CALL = ("parent_service_name", "parent_name", "service_name", "name")


@takes_any_frame
def plot_repeated_calls(spans: Spans, *, min_count: int = 5, first: int = 20) -> go.Figure:
    """Draw how much time goes to like calls under one parent: N+1 queries, loops, retries.

    Parameters
    ----------
    spans
        A span frame.
    min_count
        As in `repeated_calls`.
    first
        How many kinds of calls to draw, those that take the most time first.

    Returns
    -------
    A plotly Figure: one bar per parent and call, as long as all its runs took together, from the first start to the
    last end of each; the part that is hatched are runs whose calls overlap, the other those one after the other, which
    one call for all would shorten.

    Raises
    ------
    TracelabError
        `first` is no number of rows, or `min_count` no number of calls.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... shop         ==========
    ...   SELECT item .==
    ...   SELECT item ...==
    ... ''')
    >>> plot_repeated_calls(spans, min_count=2).data[0].x
    (4.0,)
    """
    elapsed = pl.col("elapsed").dt.total_nanoseconds()
    kinds = (
        repeated_calls(spans, min_count=min_count)
        .group_by(_CALL)
        .agg(
            runs=pl.len(),
            calls=pl.col("count").sum(),
            most=pl.col("count").max(),
            sequential=elapsed.filter("sequential").sum(),
            overlapping=elapsed.filter(~pl.col("sequential")).sum(),
            trace_id=pl.col("trace_id").sort_by("elapsed", descending=True).first(),
        )
        .sort(pl.col("sequential") + pl.col("overlapping"), *_CALL, descending=[True, False, False, False, False])
    )
    top = first_rows(kinds, first)
    hover = [
        f"<b>{plain(service, longest=60)}::{plain(name, longest=60)}</b> below "
        f"{plain(above_service, longest=60)}::{plain(above, longest=60)}<br>"
        f"{runs:,} runs with {calls:,} calls, the longest of {most:,}<br>"
        f"{format_duration(sequential)} one after the other, {format_duration(overlapping)} overlapping<br>"
        f"for instance in trace {plain(trace_id)}"
        for above_service, above, service, name, runs, calls, most, sequential, overlapping, trace_id in top.iter_rows()
    ]
    return ranked_durations(
        spans,
        top,
        hover,
        solid=("one after the other", top["sequential"]),
        hatched=("overlapping", top["overlapping"]),
        axis="time in runs of like calls",
        below=[f"{calls:,} calls below {name}" for calls, name in top.select("calls", "parent_name").iter_rows()],
        title="Calls made again and again",
        total=kinds.height,
        subtitle=f"{min_count} like calls or more below one parent; the time of all such runs together",
        nothing="No such calls",
    )

"""Gaps: time inside spans that no child covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.analysis.latency.gaps import gaps
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.bars import ranked_durations
from tracelab.figures.parts.style import first_rows, length_text, percent
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from datetime import timedelta

    import plotly.graph_objects as go

    from tracelab.analysis.grouping import Spans

_PLACE = ("service_name", "name", "after", "before")


@takes_any_frame
def plot_gaps(
    spans: Spans, *, min_duration: str | timedelta = "1ms", min_share: float = 0.1, first: int = 20
) -> go.Figure:
    """Draw where time inside of spans is covered by no child.

    Parameters
    ----------
    spans
        A span frame.
    min_duration, min_share
        As in `gaps`.
    first
        How many places to draw, those with the most time first.

    Returns
    -------
    A plotly Figure: one bar per span name and children around the gap, as long as all such gaps together; the part
    that is hatched is the longest of them.

    Raises
    ------
    TracelabError
        `first` is no number of rows, `min_duration` no length of time, or `min_share` no share.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api      ==========
    ...   auth   ===
    ...   db     .......===
    ... ''')
    >>> plot_gaps(spans).data[1].x
    (4.0,)
    """
    length = pl.col("duration").dt.total_nanoseconds()
    places = (
        gaps(spans, min_duration=min_duration, min_share=min_share)
        .group_by(_PLACE)
        .agg(
            count=pl.len(),
            time=length.sum(),
            median=length.median(),
            longest=length.max(),
            share=pl.col("share").median(),
            trace_id=pl.col("trace_id").sort_by("duration", descending=True, maintain_order=True).first(),
        )
        .sort("time", *_PLACE, descending=[True, False, False, False, False])
    )
    top = first_rows(places, first)
    around = pl.format(
        "between {} and {}", pl.col("after").fill_null("its start"), pl.col("before").fill_null("its end")
    )
    hover = [
        f"<b>{plain(service, longest=60)}::{plain(name, longest=60)}</b><br>{plain(where, longest=120)}<br>"
        f"{format_duration(time)} in {count:,} gaps, half of them up to {format_duration(median)}<br>"
        f"half of them up to {part:.0%} of their span<br>"
        f"the longest {format_duration(most)}, in trace {plain(trace_id)}"
        for service, name, where, count, time, median, most, part, trace_id in top.select(
            "service_name", "name", around.alias("where"), "count", "time", "median", "longest", "share", "trace_id"
        ).iter_rows()
    ]
    return ranked_durations(
        spans,
        top,
        hover,
        solid=("all but the longest", top["time"] - top["longest"]),
        hatched=("the longest gap", top["longest"]),
        axis="time that no child covers",
        below=top.select(around).to_series().to_list(),
        title="Gaps inside of spans",
        total=places.height,
        subtitle=f"Of {length_text(min_duration)} and {percent(min_share)} of their span at least, "
        "with what is around them",
        nothing="No such gaps",
    )

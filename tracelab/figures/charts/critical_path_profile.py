"""The critical path profile: where end-to-end time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.analysis.critical_paths.profile import critical_path_profile
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.bars import ranked_bars
from tracelab.figures.parts.groups import with_groups
from tracelab.figures.parts.style import first_rows
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tracelab.analysis.grouping import By, Spans


@takes_any_frame
def plot_critical_path_profile(spans: Spans, *, by: By = ("service_name", "name"), first: int = 20) -> go.Figure:
    """Draw which spans the end-to-end time of all traces went to.

    Parameters
    ----------
    spans
        A span frame.
    by
        As in `critical_path_profile`.
    first
        How many groups to draw, the largest first.

    Returns
    -------
    A plotly Figure: one bar per group, its share of all end-to-end time in per cent; the part that is hatched is
    ambiguous, because the spans do not tell in which order the work was done.

    Raises
    ------
    TracelabError
        `first` is no number of rows, or `by` names no group.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_critical_path_profile(draw("api =====")).data[0].x
    (100.0,)
    """
    profile = critical_path_profile(spans, by=by)
    top = first_rows(profile, first)
    keys = top.columns[: top.columns.index("time")]
    top = with_groups(top, keys)
    hover = [
        f"<b>{plain(group, longest=120)}</b><br>{share:.1%} of end-to-end time<br>"
        f"{format_duration(time)} in {traces:,} traces<br>ambiguous: {ambiguous:.0%}"
        for group, share, time, traces, ambiguous in top.select(
            "group",
            pl.col("share").fill_null(0),
            pl.col("time").dt.total_nanoseconds(),
            "traces",
            pl.col("ambiguous_share").fill_null(0),
        ).iter_rows()
    ]
    unsure = top["share"] * top["ambiguous_share"].fill_null(0)
    return ranked_bars(
        spans,
        top["group"].to_list(),
        top["color"].to_list(),
        hover,
        solid=("order is certain", ((top["share"] - unsure) * 100).to_list()),
        hatched=("order is ambiguous", (unsure * 100).to_list()),
        axis={"title": "share of end-to-end time (%)", "ticksuffix": " %"},
        title="Where end-to-end time goes",
        total=profile.height,
        subtitle="Time on the critical path of all traces: what the answers had to wait for",
        nothing="No spans, or none that took any time",
    )

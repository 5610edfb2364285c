"""Where end-to-end time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.path_profile import critical_path_profile
from tracelab.colors import service_colors
from tracelab.conforming import takes_any_frame
from tracelab.figures.style import GRID, label_rows, styled
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
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

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_critical_path_profile(draw("api =====")).data[0].x
    (100.0,)
    """
    profile = critical_path_profile(spans, by=by)
    top = profile.head(first)
    keys = top.columns[: top.columns.index("time")]
    names = [pl.col(key).cast(pl.String).fill_null("(none)") for key in keys] or [pl.lit("all")]
    top = top.with_columns(group=pl.concat_str(names, separator=" · "))
    colors = service_colors(top["service_name"] if "service_name" in keys else top["group"])
    bar_colors = [colors[name] for name in (top["service_name"] if "service_name" in keys else top["group"])]
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
    figure = go.Figure()
    unsure = top["share"] * top["ambiguous_share"].fill_null(0)
    for part, label, shape in ((top["share"] - unsure, "order is certain", ""), (unsure, "order is ambiguous", "/")):
        figure.add_bar(
            x=(part * 100).to_list(),
            y=list(range(top.height)),
            orientation="h",
            name=label,
            marker={"color": bar_colors, "pattern": {"shape": shape, "fgcolor": "white", "fgopacity": 0.7}},
            hoverinfo="text",
            hovertext=hover,
        )
    figure.update_xaxes(title="share of end-to-end time (%)", gridcolor=GRID)
    label_rows(figure, top["group"].to_list())
    more = f", the first {first} of {profile.height:,}" if profile.height > first else ""
    title = f"Where end-to-end time goes: on the critical path{more}"
    return styled(figure, title=title, barmode="stack", height=150 + 24 * max(top.height, 3))

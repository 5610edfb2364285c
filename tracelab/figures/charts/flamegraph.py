"""One trace as a flame graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.timeline import timeline_rows, trace_length, trace_spans
from tracelab.conforming import takes_any_frame
from tracelab.figures.charts.gantt import (
    ERROR_STYLE,
    HALO,
    INSIDE,
    bar_arrays,
    bar_columns,
    error_arrays,
    time_axis,
    timeline_title,
)
from tracelab.figures.parts.axes import linear_duration_axis
from tracelab.figures.parts.style import LINE, colors_in, framed, time_unit
from tracelab.markup import named, plain

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans


_NARROWEST: Final = 1500
_MOST: Final = 2000
_HIGHEST: Final = 2400
_FAILED: Final = {**ERROR_STYLE, "line": {"color": LINE, "width": 1}}


@takes_any_frame
def plot_flamegraph(spans: Spans, trace_id: str | None = None) -> go.Figure:
    """Draw a trace with its depth downwards: what ran below what, and for how long.

    Parameters
    ----------
    spans
        A span frame.
    trace_id
        The trace to draw; by default the slowest.

    Returns
    -------
    A plotly Figure: one bar per span at the row of its depth. Bars of parallel children lie over each other. Of large
    traces the spans that are too short to be seen are left out, and the title says how many are drawn.

    Raises
    ------
    TracelabError
        There is no such trace, or none at all.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    =====
    ...   db   .===
    ... ''')
    >>> [bar.y for bar in plot_flamegraph(spans).data][:2]
    [(0,), (1,)]
    """
    rows = timeline_rows(trace_spans(spans, trace_id))
    total = trace_length(rows)
    seen = rows.filter((pl.col("length") * _NARROWEST >= total) | (pl.col("depth") == 0))
    longest = seen.sort("length", "place", descending=[True, False]).head(_MOST).sort("place")
    bars = bar_columns(longest, total=total).with_columns(row="depth")
    figure = go.Figure(
        [
            go.Bar(
                **bar_arrays(part := bars.filter(pl.col("service_name") == service)),
                name=plain(named(service), longest=40),
                showlegend=True,
                orientation="h",
                width=0.94,
                text=[plain(name, longest=40) for name in part["name"]],
                textposition="inside",
                insidetextanchor="start",
                insidetextfont={"color": INSIDE, "shadow": HALO},
                constraintext="inside",
                textangle=0,
                opacity=0.92,
                marker={"color": color, "line": {"color": LINE, "width": 0.5}},
                hoverinfo="text",
            )
            for service, color in colors_in(spans, bars["service_name"]).items()
        ]
    )
    if bars["is_error"].any():
        figure.add_scatter(
            **error_arrays(bars), name="error", showlegend=True, mode="markers", marker=_FAILED, hoverinfo="skip"
        )
    levels = int(bars["depth"].to_numpy().max(initial=0)) + 1
    unit, scale = time_unit(total)
    figure.update_yaxes(range=[levels - 0.5, -0.5], visible=False, fixedrange=True)
    figure.update_xaxes(**time_axis(total), **linear_duration_axis(total, scale=scale, unit=unit))
    drawn = f"{rows.height:,} spans" if bars.height == rows.height else f"{bars.height:,} of {rows.height:,} spans"
    return framed(
        figure,
        title=timeline_title(rows, total=total),
        subtitle=f"{drawn if rows.height > 1 else '1 span'}, those below others ran inside of them"
        + (", the slowest trace" if trace_id is None else ""),
        inner=min(26 * levels, _HIGHEST),
        barmode="overlay",
        hovermode="closest",
    ).update_layout(margin={"l": 16})

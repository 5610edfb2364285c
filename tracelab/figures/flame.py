"""One trace as a flame graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.timeline import timeline_rows, trace_spans
from tracelab.colors import service_colors
from tracelab.figures.gantt import bar_arrays, bar_columns, error_trace, trace_length
from tracelab.figures.style import GRID, styled, time_unit
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans


def plot_flamegraph(spans: Spans, trace_id: str) -> go.Figure:
    """Draw a trace with its depth downwards: what ran below what, and for how long.

    Parameters
    ----------
    spans
        A span frame.
    trace_id
        The trace to draw.

    Returns
    -------
    A plotly Figure: one bar per span at the row of its depth. Bars of parallel children lie over each other.

    Raises
    ------
    TracelabError
        There is no such trace.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    =====
    ...   db   .===
    ... ''')
    >>> [bar.y for bar in plot_flamegraph(spans, spans["trace_id"][0]).data][:2]
    [(0,), (1,)]
    """
    rows = timeline_rows(trace_spans(spans, trace_id))
    total = trace_length(rows)
    bars = bar_columns(rows, total=total).with_columns(row="depth")
    figure = go.Figure(
        [
            go.Bar(
                **bar_arrays(part := bars.filter(pl.col("service_name") == service)),
                name=plain(service),
                orientation="h",
                width=0.94,
                text=[plain(name, longest=40) for name in part["name"]],
                textposition="inside",
                insidetextanchor="start",
                constraintext="inside",
                opacity=0.9,
                marker={"color": color, "line": {"color": "white", "width": 1}},
                hovertemplate="<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<extra></extra>",
            )
            for service, color in service_colors(bars["service_name"]).items()
        ]
    )
    figure.add_trace(error_trace(bars))
    levels = int(bars["row"].max() or 0) + 1  # type: ignore[arg-type]
    figure.update_yaxes(range=[levels - 0.5, -0.5], visible=False, fixedrange=True)
    figure.update_xaxes(title=f"time since the trace began ({time_unit(total)[0]})", gridcolor=GRID, zeroline=False)
    title = (
        f"{plain(rows['service_name'][0])}: {plain(rows['name'][0])}, {format_duration(total)}, {rows.height:,} spans"
    )
    return styled(figure, title=title, barmode="overlay", height=150 + 26 * levels, hovermode="closest")

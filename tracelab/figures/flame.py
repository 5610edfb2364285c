"""One trace as a flame graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.timeline import timeline_rows, trace_length, trace_spans
from tracelab.conforming import takes_any_frame
from tracelab.figures.gantt import ERROR_STYLE, bar_arrays, bar_columns, error_arrays, timeline_title
from tracelab.figures.style import GRID, colors_in, styled, time_unit
from tracelab.markup import plain

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans


_NARROWEST: Final = 1500
_MOST: Final = 2000
_HIGHEST: Final = 2400


@takes_any_frame
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
    A plotly Figure: one bar per span at the row of its depth. Bars of parallel children lie over each other. Of large
    traces the spans that are too short to be seen are left out, and the title says how many are drawn.

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
    seen = rows.filter((pl.col("length") * _NARROWEST >= total) | (pl.col("depth") == 0))
    longest = seen.sort("length", "place", descending=[True, False]).head(_MOST).sort("place")
    bars = bar_columns(longest, total=total).with_columns(row="depth")
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
                hoverinfo="text",
            )
            for service, color in colors_in(spans, bars["service_name"]).items()
        ]
    )
    figure.add_scatter(**error_arrays(bars), name="error", mode="markers", marker=ERROR_STYLE, hoverinfo="skip")
    levels = int(bars["depth"].to_numpy().max(initial=0)) + 1
    figure.update_yaxes(range=[levels - 0.5, -0.5], visible=False, fixedrange=True)
    figure.update_xaxes(title=f"time since the trace began ({time_unit(total)[0]})", gridcolor=GRID, zeroline=False)
    drawn = f"{rows.height:,} spans" if bars.height == rows.height else f"{bars.height:,} of {rows.height:,} spans"
    title = f"{timeline_title(rows, total=total)}, {drawn}"
    height = min(150 + 26 * levels, _HIGHEST)
    return styled(figure, title=title, barmode="overlay", height=height, hovermode="closest")

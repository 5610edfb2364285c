"""Ranked bars: one row per group, the largest at the top, a part of it hatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go

from tracelab.figures.style import GRID, colors_in, label_rows, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.analysis.grouping import Spans

_AROUND: Final = 145
"""What the title, the axis and the legend need."""


def ranked_bars(
    spans: Spans,
    rows: Sequence[str],
    services: Sequence[str],
    hover: Sequence[str],
    *,
    solid: tuple[str, Sequence[float]],
    hatched: tuple[str, Sequence[float]],
    axis: str,
    title: str,
    below: Sequence[str] | None = None,
) -> go.Figure:
    """Draw bars of two parts each, in the colours of services.

    Parameters
    ----------
    spans
        The frame, in all figures of which services have the same colours.
    rows, services, hover
        The name of each bar, the service whose colour it has, and what is said where the mouse points at it (markup).
    solid, hatched
        The names of both parts, and their lengths.
    axis, title
        What the lengths are, with their unit, and what the figure is.
    below
        What is written small below each name.
    """
    colors = colors_in(spans, services)
    figure = go.Figure()
    for (name, lengths), shape in ((solid, ""), (hatched, "/")):
        figure.add_bar(
            x=list(lengths),
            y=list(range(len(rows))),
            orientation="h",
            name=name,
            marker={
                "color": [colors[service] for service in services],
                "pattern": {"shape": shape, "fgcolor": "white", "fgopacity": 0.7},
            },
            hoverinfo="text",
            hovertext=list(hover),
        )
    figure.update_xaxes(title=axis, gridcolor=GRID, rangemode="tozero")
    label_rows(figure, rows, below=below)
    height = 24 if below is None else 34
    styled(figure, title=title, barmode="stack", height=_AROUND + height * max(len(rows), 1))
    return legend_at_the_bottom(figure)


def legend_at_the_bottom(figure: go.Figure) -> go.Figure:
    """Put the legend below the title of the axis, however high the figure is."""
    return figure.update_layout(
        legend={"yref": "container", "y": 0.01, "yanchor": "bottom", "traceorder": "normal"}, margin={"b": 85}
    )


def of_all(first: int, total: int) -> str:
    """Say in a title how many rows are left out."""
    return f", the first {first} of {total:,}" if total > first else ""

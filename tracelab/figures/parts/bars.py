"""Ranked bars: one row per group, the largest at the top, a part of it hatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import polars as pl

from tracelab.figures.parts.axes import linear_duration_axis
from tracelab.figures.parts.style import CLEAR, LINE, colors_in, framed, in_legend, label_rows, of_all, time_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.analysis.grouping import Spans


def ranked_bars(
    spans: Spans,
    rows: Sequence[str],
    services: Sequence[str],
    hover: Sequence[str],
    *,
    solid: tuple[str, Sequence[float]],
    hatched: tuple[str, Sequence[float]],
    axis: dict[str, Any],
    title: str,
    subtitle: str = "",
    total: int,
    below: Sequence[str] | None = None,
    nothing: str,
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
    axis, title, subtitle
        What the lengths are, with their unit, and what the figure is.
    total
        How many rows there are with those that are left out.
    below
        What is written small below each name.
    nothing
        What is said where there are no rows.
    """
    colors = colors_in(spans, services)
    figure = go.Figure()
    for (name, lengths), hatch in ((solid, False), (hatched, True)):
        figure.add_bar(
            x=list(lengths),
            y=list(range(len(rows))),
            orientation="h",
            name=name,
            legendgroup=name,
            showlegend=False,
            width=0.72,
            marker={
                "color": [colors[service] for service in services],
                "line": {"width": 1 if hatch else 0, "color": [colors[service] for service in services]},
                "pattern": _HATCH if hatch else {},
            },
            hoverinfo="text",
            hovertext=list(hover),
        )
    if rows:
        in_legend(figure, solid[0], go.Bar, marker={"color": LINE, "line": {"width": 0}})
        in_legend(
            figure, hatched[0], go.Bar, marker={"color": LINE, "line": {"width": 1, "color": LINE}, "pattern": _HATCH}
        )
    figure.update_xaxes(rangemode="tozero", **axis)
    label_rows(figure, rows, below=below)
    inner = (26 if below is None else 36) * max(len(rows), 1)
    said = "" if rows else nothing
    title = f"{title}{of_all(len(rows), total)}"
    return framed(figure, title=title, subtitle=subtitle, inner=inner, nothing=said, barmode="stack")


def ranked_durations(
    spans: Spans,
    rows: pl.DataFrame,
    hover: Sequence[str],
    *,
    solid: tuple[str, pl.Series],
    hatched: tuple[str, pl.Series],
    axis: str,
    **described: Any,
) -> go.Figure:
    """Draw `ranked_bars` of nanoseconds, in the unit in which the longest is easiest to read.

    Parameters
    ----------
    spans, hover
        As in `ranked_bars`.
    rows
        The rows, with the `service_name` and the `name` that they are called by.
    solid, hatched
        The names of both parts, and their nanoseconds.
    axis
        What the lengths are, without their unit.
    described
        What else `ranked_bars` takes.
    """
    longest = float((solid[1] + hatched[1]).max() or 0)  # type: ignore[arg-type]
    unit, scale = time_unit(longest)
    parts = {
        part: (name, (lengths / scale).to_list()) for part, (name, lengths) in (("solid", solid), ("hatched", hatched))
    }
    return ranked_bars(
        spans,
        span_names(rows),
        rows["service_name"].to_list(),
        hover,
        solid=parts["solid"],
        hatched=parts["hatched"],
        axis={"title": f"{axis} ({unit})", **linear_duration_axis(longest, scale=scale, unit=unit)},
        **described,
    )


def span_names(rows: pl.DataFrame) -> list[str]:
    """Name rows after their spans: `service::name`."""
    return rows.select(pl.format("{}::{}", "service_name", "name")).to_series().to_list()


_HATCH = {"shape": "/", "fillmode": "replace", "bgcolor": CLEAR, "size": 7, "solidity": 0.45}
"""Lines in the bar's own colour with the page between them.

With the default mode plotly looks for a colour that stands out from the bar's, and takes a list of colours for one.
"""

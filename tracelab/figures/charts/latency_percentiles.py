"""Latency percentiles with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.latency.percentiles import latency_percentiles
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.axes import log_duration_axis, log_zero
from tracelab.figures.parts.groups import with_groups
from tracelab.figures.parts.panels import Panels, beginnings, with_breaks
from tracelab.figures.parts.style import (
    GRID,
    LINE,
    colors_in,
    faint,
    first_rows,
    framed,
    in_legend,
    label_rows,
    length_text,
    of_all,
    percent,
    row_room,
    time_unit,
    whiskers,
)
from tracelab.markup import plain
from tracelab.options import quantiles as checked_quantiles
from tracelab.options import window_length
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.analysis.grouping import By, Every, Spans

_SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "bowtie")
_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


@takes_any_frame
def plot_latency_percentiles(
    spans: Spans,
    *,
    by: By = "service_name",
    quantiles: Sequence[float] | float = (0.5, 0.9, 0.95, 0.99),
    every: Every = None,
    entry_only: bool = True,
    confidence: float = 0.95,
    first: int = 60,
) -> go.Figure:
    """Draw latency percentiles with their confidence intervals.

    Without `every` each group is a row of points, one per quantile, with its interval as a line. With `every` each
    group is a picture of its own, with time to the right and a line per quantile.

    Parameters
    ----------
    spans
        A span frame.
    by, quantiles, every, entry_only, confidence
        As in `latency_percentiles`.
    first
        How many groups to draw at most, the slowest (at the highest quantile) first.

    Returns
    -------
    A plotly Figure; the latency axis is logarithmic, with the unit at every tick. A latency of 0 is drawn left of all
    others.

    Raises
    ------
    TracelabError
        An option is no such thing: `first` no number of rows, a quantile no share, `every` no length of time.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_latency_percentiles(draw("api ====="), quantiles=(0.5,)).data[0].x
    (5.0,)
    """
    wanted = checked_quantiles(quantiles)
    answer = latency_percentiles(
        spans, by=by, quantiles=wanted, every=every, entry_only=entry_only, confidence=confidence
    )
    keys = answer.columns[: answer.columns.index("quantile")]
    named = with_groups(answer, keys if every is None else keys[:-1])
    groups = (
        named.group_by("group", maintain_order=True)
        .agg(pl.col("duration").filter(pl.col("quantile") == wanted[-1]).max())
        .sort("duration", descending=True, maintain_order=True)
    )
    top = first_rows(groups, first)
    shown = named.filter(pl.col("group").is_in(top["group"].to_list()))
    unit, scale = time_unit(float(shown["duration"].dt.total_nanoseconds().median() or 0))  # type: ignore[arg-type]
    exact = pl.col("duration", "lower", "upper").dt.total_nanoseconds()
    lengths = shown.with_columns(exact.name.suffix("_ns"))
    seen = [value for name in ("duration_ns", "lower_ns", "upper_ns") for value in lengths[name].drop_nulls()]
    lengths = lengths.with_columns(exact.cast(pl.Float64).clip(lower_bound=log_zero(seen)) / scale)
    shown_groups, colors = top["group"].to_list(), colors_in(spans, lengths["color"])
    axis = {"title": f"latency ({unit})", "gridcolor": GRID}
    if every is None:
        axis |= log_duration_axis(seen, scale=scale, room=row_room(shown_groups))
        figure, inner = _at_once(lengths, shown_groups, colors, axis), 34 * max(top.height, 1)
        windows = ""
    else:
        step = window_length("every", every)
        panels = Panels(shown_groups, lengths["window"], step)
        axis |= log_duration_axis(seen, scale=scale, room=panels.high, upright=True)
        figure, inner = _over_time(panels, lengths, colors, axis, step), panels.inner
        windows = f", in windows of {length_text(every)}"
    names = [f"p{quantile * 100:.10g}" for quantile in wanted]
    which = names[0] if len(names) == 1 else "Percentiles"
    return framed(
        figure,
        title=f"Latency percentiles{of_all(first, groups.height)}",
        subtitle=f"{which} of {'entry' if entry_only else 'all'} spans with {percent(confidence)} intervals{windows}",
        inner=inner,
        nothing="" if top.height else "No spans",
        hovermode="closest",
    )


def _at_once(lengths: pl.DataFrame, groups: list[str], colors: dict[str, str], axis: dict[str, Any]) -> go.Figure:
    """Draw a row of points per group."""
    figure = go.Figure()
    rows = {group: row for row, group in enumerate(groups)}
    quantiles = lengths["quantile"].unique().sort()
    marks = [(f"p{quantile * 100:.10g}", _SYMBOLS[place % len(_SYMBOLS)]) for place, quantile in enumerate(quantiles)]
    for quantile, (name, symbol) in zip(quantiles, marks, strict=True):
        part = lengths.filter(pl.col("quantile") == quantile)
        figure.add_scatter(
            x=part["duration"].to_list(),
            y=[rows[group] for group in part["group"]],
            mode="markers",
            name=name,
            legendgroup=name,
            showlegend=False,
            marker={"size": 10, "symbol": symbol, "color": [colors[name] for name in part["color"]]},
            error_x=whiskers(part, "duration", thickness=1.5, width=4, color=LINE),
            hoverinfo="text",
            hovertext=_hover(part, name, over_time=False),
        )
    for name, symbol in marks if len(marks) > 1 else []:
        in_legend(figure, name, go.Scatter, mode="markers", marker={"size": 10, "symbol": symbol, "color": LINE})
    figure.update_xaxes(**axis)
    return label_rows(figure, groups)


def _over_time(
    panels: Panels, lengths: pl.DataFrame, colors: dict[str, str], axis: dict[str, Any], every: str
) -> go.Figure:
    """Draw a line per quantile in the panel of each group."""
    panels.draw_axes(axis)
    quantiles = lengths["quantile"].unique().sort()
    marks = [(f"p{quantile * 100:.10g}", _DASHES[place % len(_DASHES)]) for place, quantile in enumerate(quantiles)]
    parts = lengths.partition_by("group", "quantile", as_dict=True)
    for quantile, (name, dash) in zip(quantiles, marks, strict=True):
        for group in panels.groups:
            part = with_breaks(parts[group, quantile], every)
            color = colors[parts[group, quantile]["color"][0]]
            panels.add(
                group,
                x=part["window"].to_list(),
                y=part["duration"].to_list(),
                mode="lines+markers",
                name=f"{plain(group)} {name}",
                legendgroup=name,
                showlegend=False,
                line={"color": color, "dash": dash, "width": 1.5},
                marker={"size": 4},
                error_y=whiskers(part, "duration", thickness=panels.interval, width=0, color=faint(color, 0.5)),
                hoverinfo="text",
                hovertext=_hover(part, name, over_time=True),
            )
    for name, dash in marks if len(marks) > 1 else []:
        in_legend(panels.figure, name, go.Scatter, mode="lines", line={"color": LINE, "dash": dash, "width": 1.5})
    return panels.figure


def _hover(part: pl.DataFrame, name: str, *, over_time: bool) -> list[str]:
    """Say the value and its interval, and what they rest on."""
    columns = ("group", "duration_ns", "lower_ns", "upper_ns", "count")
    return [
        ""
        if value is None
        else f"<b>{plain(group, longest=120)}</b> {name}<br>{format_duration(value)} ({_interval(low, high)})<br>"
        f"{count:,} {'spans' if count != 1 else 'span'}{begins}"
        for begins, (group, value, low, high, count) in zip(
            beginnings(part, over_time=over_time), part.select(columns).iter_rows(), strict=True
        )
    ]


def _interval(low: int | None, high: int | None) -> str:
    if low is None:
        return "no interval" if high is None else f"at most {format_duration(high)}"
    return f"at least {format_duration(low)}" if high is None else f"{format_duration(low)} to {format_duration(high)}"

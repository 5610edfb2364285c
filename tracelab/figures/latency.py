"""Latency: percentiles with their intervals, and histograms over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.distributions import latency_histogram
from tracelab.analysis.latency import latency_percentiles
from tracelab.conforming import takes_any_frame
from tracelab.figures.style import GRID, colors_in, label_rows, styled, time_unit
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.analysis.grouping import By, Spans


@takes_any_frame
def plot_latency_percentiles(
    spans: Spans,
    *,
    by: By = "service_name",
    quantiles: Sequence[float] = (0.5, 0.9, 0.95, 0.99),
    every: str | None = None,
    entry_only: bool = True,
    confidence: float = 0.95,
) -> go.Figure:
    """Draw latency percentiles with their confidence intervals.

    Without `every` each group is a row of points, one per quantile, with its interval as a line. With `every` time
    runs to the right, one line per group and quantile.

    Parameters
    ----------
    spans
        A span frame.
    by, quantiles, every, entry_only, confidence
        As in `latency_percentiles`.

    Returns
    -------
    A plotly Figure; the latency axis is logarithmic, in the unit that it names.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_latency_percentiles(draw("api ====="), quantiles=(0.5,)).data[0].x
    (5.0,)
    """
    answer = latency_percentiles(
        spans, by=by, quantiles=quantiles, every=every, entry_only=entry_only, confidence=confidence
    )
    named = _grouped(answer, [name for name in answer.columns if name not in _ANSWER])
    unit, scale = time_unit(float(answer["duration"].dt.total_nanoseconds().median() or 0))  # type: ignore[arg-type]
    exact = pl.col("duration", "lower", "upper").dt.total_nanoseconds()
    lengths = named.with_columns(exact / scale, exact.name.suffix("_ns"))
    figure = go.Figure()
    draw = _over_time if every else _at_once
    draw(figure, lengths, colors_in(spans, lengths["color"]))
    axis = {"title": f"latency ({unit})", "type": "log", "minorloglabels": "complete", "gridcolor": GRID}
    figure.update_layout(**({"yaxis": axis, "xaxis": {"title": "time (UTC)"}} if every else {"xaxis": axis}))
    groups = named["group"].n_unique()
    return styled(
        figure,
        title=f"Latency percentiles, {confidence:.0%} intervals ({'entry' if entry_only else 'all'} spans)",
        height=380 if every else 150 + 34 * max(groups, 2),
    )


@takes_any_frame
def plot_latency_histogram(spans: Spans, *, every: str = "1m", bins: int = 40) -> go.Figure:
    """Draw how latency is spread over time, as a heat map.

    Parameters
    ----------
    spans
        A span frame.
    every, bins
        As in `latency_histogram`.

    Returns
    -------
    A plotly Figure: time to the right, latency upwards (logarithmic), colour for the number of entry spans.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_latency_histogram(draw("api ====="), bins=4).data[0].type
    'heatmap'
    """
    answer = latency_histogram(spans, every=every, bins=bins)
    unit, scale = time_unit(float(answer["lower"].dt.total_nanoseconds().median() or 0))  # type: ignore[arg-type]
    edges = answer.select("lower", "upper").unique().sort("lower").with_row_index("bin")
    windows = answer.select("window").unique().sort("window").with_row_index("column")
    placed = answer.join(edges, on=["lower", "upper"]).join(windows, on="window")
    counts = np.full((edges.height, windows.height), np.nan)
    counts[placed["bin"].to_numpy(), placed["column"].to_numpy()] = placed["count"].to_numpy()
    middle = ((edges["lower"].dt.total_nanoseconds() + edges["upper"].dt.total_nanoseconds()) / 2 / scale).to_list()
    figure = go.Figure(
        go.Heatmap(
            x=windows["window"].to_list(),
            y=middle,
            z=counts,
            colorscale="Blues",
            colorbar={"title": "spans"},
            hovertemplate=f"%{{x}}<br>about %{{y:.3g}} {unit}<br>%{{z}} spans<extra></extra>",
        )
    )
    figure.update_yaxes(title=f"latency ({unit})", type="log", gridcolor=GRID)
    figure.update_xaxes(title=f"time (UTC), windows of {plain(every)}")
    return styled(figure, title="How latency is spread over time (entry spans)", height=420)


_ANSWER = frozenset(("window", "quantile", "duration", "lower", "upper", "count", "exemplar_trace_id"))


def _grouped(answer: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Name each group by its keys, and keep the one that says its colour."""
    texts = [pl.col(key).cast(pl.String).fill_null("(none)") for key in keys] or [pl.lit("all spans")]
    color = pl.col("service_name") if "service_name" in keys else texts[0]
    return answer.with_columns(group=pl.concat_str(texts, separator=" · "), color=color)


def _at_once(figure: go.Figure, lengths: pl.DataFrame, colors: dict[str, str]) -> None:
    groups = lengths["group"].unique(maintain_order=True).to_list()
    rows = {group: row for row, group in enumerate(groups)}
    quantiles = lengths["quantile"].unique().sort()
    for quantile, shade in zip(quantiles, np.linspace(0.4, 1, quantiles.len()), strict=True):
        part = lengths.filter(pl.col("quantile") == quantile)
        figure.add_scatter(
            x=part["duration"].to_list(),
            y=[rows[group] for group in part["group"]],
            mode="markers",
            name=f"p{quantile * 100:g}",
            marker={"size": 11, "color": [colors[name] for name in part["color"]], "opacity": float(shade)},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (part["upper"] - part["duration"]).to_list(),
                "arrayminus": (part["duration"] - part["lower"]).to_list(),
                "thickness": 1.2,
                "width": 4,
                "color": "rgba(110, 110, 110, 0.8)",
            },
            hoverinfo="text",
            hovertext=_hover(part, quantile),
        )
    label_rows(figure, groups)


def _over_time(figure: go.Figure, lengths: pl.DataFrame, colors: dict[str, str]) -> None:
    dashes = ("solid", "dash", "dot", "dashdot")
    for number, quantile in enumerate(lengths["quantile"].unique().sort()):
        for group in lengths["group"].unique().sort():
            part = lengths.filter((pl.col("quantile") == quantile) & (pl.col("group") == group))
            figure.add_scatter(
                x=part["window"].to_list(),
                y=part["duration"].to_list(),
                mode="lines+markers",
                name=f"{plain(group)} p{quantile * 100:g}",
                line={"color": colors[part["color"][0]], "dash": dashes[number % 4], "width": 1.5},
                marker={"size": 4},
                hoverinfo="text",
                hovertext=_hover(part, quantile),
            )


def _hover(part: pl.DataFrame, quantile: float) -> list[str]:
    """Say the value and its interval, and what they rest on."""
    columns = ("group", "duration_ns", "lower_ns", "upper_ns", "count")
    texts = []
    for group, value, low, high, count in part.select(columns).iter_rows():
        sure = f"{format_duration(low)} to {format_duration(high)}" if low is not None and high is not None else None
        texts.append(
            f"<b>{plain(group, longest=120)}</b> p{quantile * 100:g}<br>{format_duration(value)} "
            f"({sure or 'no interval'})<br>{count:,} spans"
        )
    return texts

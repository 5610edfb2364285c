"""Error rates with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.errors.rates import error_rates
from tracelab.colors import ERROR
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.groups import with_groups
from tracelab.figures.parts.panels import Panels, beginnings, with_breaks
from tracelab.figures.parts.style import (
    GRID,
    TEXT,
    colors_in,
    faint,
    first_rows,
    framed,
    label_rows,
    length_text,
    of_all,
    percent,
    whiskers,
)
from tracelab.markup import plain
from tracelab.options import window_length

if TYPE_CHECKING:
    from tracelab.analysis.grouping import By, Every, Spans


@takes_any_frame
def plot_error_rates(
    spans: Spans,
    *,
    by: By = "service_name",
    every: Every = None,
    entry_only: bool = True,
    confidence: float = 0.95,
    first: int = 60,
) -> go.Figure:
    """Draw error rates with Wilson intervals: one bar per group, or with `every` a picture per group over time.

    Parameters
    ----------
    spans
        A span frame.
    by, every, entry_only, confidence
        As in `error_rates`.
    first
        How many groups to draw at most, those with the highest error rate first.

    Returns
    -------
    A plotly Figure; rates in per cent, each with its interval as a line.

    Raises
    ------
    TracelabError
        An option is no such thing: `first` no number of rows, `confidence` no share, `every` no length of time.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_error_rates(draw("api ==!")).data[0].x
    (100.0,)
    """
    answer = error_rates(spans, by=by, every=every, entry_only=entry_only, confidence=confidence)
    keys = answer.columns[: answer.columns.index("spans")]
    rates = with_groups(
        answer.with_columns(pl.col("error_rate", "lower", "upper") * 100),
        keys if every is None else keys[:-1],
    )
    groups = (
        rates.group_by("group", maintain_order=True)
        .agg(rate=pl.col("errors").sum() / pl.col("spans").sum())
        .sort("rate", descending=True, maintain_order=True)
    )
    top = first_rows(groups, first)["group"].to_list()
    if every is None:
        (figure, inner), windows = _at_once(rates, top), ""
    else:
        figure, inner = _over_time(spans, rates, top, window_length("every", every))
        windows = f", in windows of {length_text(every)}"
    return framed(
        figure,
        title=f"Error rates{of_all(first, groups.height)}",
        subtitle=f"Share of {'entry' if entry_only else 'all'} spans that failed, with {percent(confidence)} "
        f"intervals{windows}",
        inner=inner,
        nothing="" if top else "No spans",
    )


def _at_once(rates: pl.DataFrame, groups: list[str]) -> tuple[go.Figure, int]:
    """Draw a bar per group; give the figure and how high its plot is."""
    order = pl.DataFrame({"group": groups}, schema={"group": pl.String})
    shown = order.join(rates, on="group", maintain_order="left")
    figure = go.Figure()
    figure.add_bar(
        x=shown["error_rate"].to_list(),
        y=list(range(shown.height)),
        orientation="h",
        width=0.66,
        marker={"color": faint(ERROR, 0.6), "line": {"width": 1.5, "color": ERROR}},
        error_x=whiskers(shown, "error_rate", thickness=1.5, width=5, color=TEXT),
        hoverinfo="text",
        hovertext=_hover(shown, over_time=False),
        showlegend=False,
    )
    figure.update_xaxes(title="error rate (%)", ticksuffix=" %", rangemode="tozero", gridcolor=GRID)
    below = [f"{errors:,} of {count:,}" for errors, count in shown.select("errors", "spans").iter_rows()]
    label_rows(figure, shown["group"].to_list(), below=below)
    return figure, 36 * max(shown.height, 1)


def _over_time(spans: Spans, rates: pl.DataFrame, groups: list[str], every: str) -> tuple[go.Figure, int]:
    """Draw a panel per group; give the figure and how high its plot is."""
    panels = Panels(groups, rates["window"], every)
    panels.draw_axes(
        {
            "title": "error rate",
            "ticksuffix": " %",
            "range": [0, max(rates["upper"].max() or 0, 1e-9) * 1.04],  # type: ignore[operator]
            "gridcolor": GRID,
            "nticks": 5,
        }
    )
    parts = rates.partition_by("group", as_dict=True)
    colors = colors_in(spans, rates["color"])
    for group in groups:
        color = colors[parts[(group,)]["color"][0]]
        part = with_breaks(parts[(group,)], every)
        panels.add(
            group,
            x=part["window"].to_list(),
            y=part["error_rate"].to_list(),
            mode="lines+markers",
            name=plain(group),
            showlegend=False,
            line={"color": color, "width": 1.5},
            marker={"size": 5},
            error_y=whiskers(part, "error_rate", thickness=panels.interval, width=0, color=faint(color, 0.5)),
            hoverinfo="text",
            hovertext=_hover(part, over_time=True),
        )
    return panels.figure, panels.inner


def _hover(rates: pl.DataFrame, *, over_time: bool) -> list[str]:
    """Say the rate and its interval, and what they rest on."""
    columns = ("group", "error_rate", "lower", "upper", "errors", "spans")
    return [
        ""
        if rate is None
        else f"<b>{plain(group, longest=120)}</b><br>{rate:.3g} % ({low:.3g} % to {high:.3g} %)<br>"
        f"{errors:,} of {count:,} spans{begins}"
        for begins, (group, rate, low, high, errors, count) in zip(
            beginnings(rates, over_time=over_time), rates.select(columns).iter_rows(), strict=True
        )
    ]

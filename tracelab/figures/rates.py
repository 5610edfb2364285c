"""Error rates with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.failures import error_rates
from tracelab.colors import ERROR
from tracelab.conforming import takes_any_frame
from tracelab.figures.style import GRID, colors_in, label_rows, styled
from tracelab.markup import plain

if TYPE_CHECKING:
    from tracelab.analysis.grouping import By, Spans


@takes_any_frame
def plot_error_rates(
    spans: Spans,
    *,
    by: By = "service_name",
    every: str | None = None,
    entry_only: bool = True,
    confidence: float = 0.95,
) -> go.Figure:
    """Draw error rates with Wilson intervals: one bar per group, or with `every` one line per group over time.

    Parameters
    ----------
    spans
        A span frame.
    by, every, entry_only, confidence
        As in `error_rates`.

    Returns
    -------
    A plotly Figure; rates in per cent.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_error_rates(draw("api ==!")).data[0].x
    (100.0,)
    """
    answer = error_rates(spans, by=by, every=every, entry_only=entry_only, confidence=confidence)
    keys = answer.columns[: answer.columns.index("spans")]
    names = [pl.col(key).cast(pl.String).fill_null("(none)") for key in keys if key != "window"] or [
        pl.lit("all spans")
    ]
    rates = answer.with_columns(
        pl.col("error_rate", "lower", "upper") * 100, group=pl.concat_str(names, separator=" · ")
    )
    figure = go.Figure()
    if every:
        colors = colors_in(spans, rates["group"])
        for group, color in colors.items():
            part = rates.filter(pl.col("group") == group)
            figure.add_scatter(
                x=part["window"].to_list(),
                y=part["error_rate"].to_list(),
                mode="lines+markers",
                name=plain(group),
                line={"color": color},
                hovertemplate="%{fullData.name}: %{y:.2f} %<extra></extra>",
            )
        figure.update_yaxes(title="error rate (%)", rangemode="tozero", gridcolor=GRID)
        figure.update_xaxes(title="time (UTC)")
    else:
        figure.add_bar(
            x=rates["error_rate"].to_list(),
            y=list(range(rates.height)),
            orientation="h",
            marker={"color": ERROR},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": (rates["upper"] - rates["error_rate"]).to_list(),
                "arrayminus": (rates["error_rate"] - rates["lower"]).to_list(),
                "color": "rgba(90, 90, 90, 0.9)",
                "thickness": 1.2,
            },
            hoverinfo="text",
            hovertext=[
                f"<b>{plain(group, longest=120)}</b><br>{rate:.2f} %<br>{errors:,} of {count:,} spans"
                for group, rate, errors, count in rates.select("group", "error_rate", "errors", "spans").iter_rows()
            ],
        )
        figure.update_xaxes(title="error rate (%)", rangemode="tozero", gridcolor=GRID)
        label_rows(figure, rates["group"].to_list())
    title = f"Error rates, {confidence:.0%} intervals ({'entry' if entry_only else 'all'} spans)"
    return styled(figure, title=title, height=360 if every else 140 + 26 * max(rates.height, 3))

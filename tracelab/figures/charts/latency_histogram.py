"""The latency histogram: how latency is spread over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.latency.histogram import latency_histogram
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.axes import log_duration_axis, log_zero
from tracelab.figures.parts.panels import moment
from tracelab.figures.parts.style import GRID, TEXT, framed, length_text, time_unit
from tracelab.options import window_length
from tracelab.units import format_duration

if TYPE_CHECKING:
    from datetime import timedelta

    from tracelab.analysis.grouping import Spans

_HEIGHT, _THIN = 320, 1.15
_COLORSCALE: Final = ((0.0, "rgba(64, 128, 208, 0.28)"), (0.45, "rgb(128, 88, 190)"), (1.0, "rgb(224, 112, 30)"))
"""From few to many spans: neither end is as light or as dark as a page."""


@takes_any_frame
def plot_latency_histogram(spans: Spans, *, every: str | timedelta = "1m", bins: int = 40) -> go.Figure:
    """Draw how latency is spread over time, as a heat map.

    Parameters
    ----------
    spans
        A span frame.
    every, bins
        As in `latency_histogram`.

    Returns
    -------
    A plotly Figure: time to the right, latency upwards (logarithmic), colour for the number of entry spans. Cells
    reach from the start of their window to its end, and over the whole of their bin.

    Raises
    ------
    TracelabError
        `every` is no length of time, or `bins` no number of bins.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_latency_histogram(draw("api ====="), bins=4).data[0].type
    'heatmap'
    """
    # The answer can do without windows, this figure cannot.
    step = window_length("every", every)
    answer = latency_histogram(spans, every=every, bins=bins).with_columns(
        low=pl.col("lower").dt.total_nanoseconds(),
        high=pl.col("upper").dt.total_nanoseconds(),
        end=pl.col("window").dt.offset_by(step),
    )
    unit, scale = time_unit(float(answer["low"].median() or 0))  # type: ignore[arg-type]
    # Bins and windows without spans are in no row, so that the picture is laid out by their edges.
    edges = np.unique(np.concatenate([answer["low"].to_numpy(), answer["high"].to_numpy()]))
    times = pl.concat([answer["window"], answer["end"]]).unique().sort()
    row = np.searchsorted(edges, answer["low"].to_numpy())
    column = times.search_sorted(answer["window"]).to_numpy() if answer.height else np.zeros(0, dtype=np.int64)
    shape = (max(edges.size - 1, 0), max(times.len() - 1, 0))
    counts, said = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    counts[row, column] = answer["count"].to_numpy()
    said[row, column] = [
        f"{moment(window)} to {moment(end)}<br>{format_duration(low)} to {format_duration(high)}<br>"
        f"<b>{count:,} {'spans' if count != 1 else 'span'}</b>"
        for window, end, low, high, count in answer.select("window", "end", "low", "high", "count").iter_rows()
    ]
    most = max(answer["count"].to_list(), default=1)
    zero = log_zero(edges.tolist())
    shown = np.maximum(edges, zero or 0)
    if edges.size and shown[-1] < _THIN * shown[0]:
        # A bin of a few nanoseconds is too thin to be seen.
        shown = np.geomspace(shown[0] / _THIN, shown[-1] * _THIN, shown.size)
    figure = go.Figure(
        go.Heatmap(
            x=times.to_list(),
            y=(shown / scale).tolist(),
            z=counts,
            text=said,
            zmin=0,
            zmax=most,
            colorscale=_COLORSCALE,
            colorbar={
                "title": {"text": "spans<br> ", "font": {"color": TEXT}}, "tickfont": {"color": TEXT},
                "outlinewidth": 0, "thickness": 14, "tickformat": ",d", **({"dtick": 1} if most <= 5 else {}),
            },
            hoverongaps=False,
            hovertemplate="%{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(
        title=f"latency ({unit})",
        gridcolor=GRID,
        **log_duration_axis(edges, scale=scale, room=_HEIGHT, upright=True),
    )
    figure.update_xaxes(title="time (UTC)")
    return framed(
        figure,
        title="How latency is spread over time",
        subtitle=f"Entry spans in windows of {length_text(every)} and at most {bins} bins of latency",
        inner=_HEIGHT,
        nothing="" if answer.height else "No spans",
    )

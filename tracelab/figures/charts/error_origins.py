"""Error origins: where failures start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.analysis.errors.origins import error_origins
from tracelab.conforming import takes_any_frame
from tracelab.figures.parts.axes import count_axis
from tracelab.figures.parts.bars import ranked_bars, span_names
from tracelab.figures.parts.style import first_rows
from tracelab.markup import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tracelab.analysis.grouping import Spans


@takes_any_frame
def plot_error_origins(spans: Spans, *, first: int = 20) -> go.Figure:
    """Draw where failures start, and whether they got through.

    Parameters
    ----------
    spans
        A span frame.
    first
        How many kinds of failure to draw, the most frequent first.

    Returns
    -------
    A plotly Figure: one bar per kind of failure of `error_origins`, as long as there are failing spans; the part that
    is hatched was swallowed on its way, or got to a part of a trace whose caller is not known; the other reached the
    root of its trace.

    Raises
    ------
    TracelabError
        `first` is no number of rows.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> plot_error_origins(draw("api ==!")).data[0].x
    (1,)
    """
    origins = error_origins(spans)
    top = first_rows(origins, first)
    said = pl.concat_str("exception_type", "message", separator=": ", ignore_nulls=True)
    hover = [
        f"<b>{plain(service, longest=60)}::{plain(name, longest=60)}</b><br>"
        f"{plain(kind or 'no exception', longest=80)}: {plain(message or 'no message', longest=120)}<br>"
        f"{errors:,} errors in {traces:,} traces, {reached:,} reached the root, of {requests:,} requests<br>"
        f"{f'{lost:,} got to a part whose caller is not known<br>' if lost else ''}"
        f"{f'swallowed by {plain(by, longest=80)}' if by else 'never swallowed'}, climbed {climbed:.1f} levels<br>"
        f"for instance in trace {plain(trace_id)}"
        for service, name, kind, message, errors, traces, reached, requests, lost, by, climbed, trace_id in top.select(
            *("service_name", "name", "exception_type", "message", "errors", "traces", "reached_root"),
            *("reached_requests", "reached_fragment", "swallowed_by", "climbed", "exemplar_trace_id"),
        ).iter_rows()
    ]
    return ranked_bars(
        spans,
        span_names(top),
        top["service_name"].to_list(),
        hover,
        solid=("reached the root", top["reached_root"].to_list()),
        hatched=(
            "swallowed or lost" if top["reached_fragment"].sum() else "swallowed",
            (top["errors"] - top["reached_root"]).to_list(),
        ),
        axis={"title": "failing spans in which a failure started", **count_axis(top["errors"])},
        below=top.select(pl.when(said != "").then(said).otherwise(pl.lit("no exception"))).to_series().to_list(),
        title="Where failures start",
        total=origins.height,
        nothing="No span failed",
    )

"""Timelines of one trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.timeline import path_sections, timeline_rows, trace_spans
from tracelab.colors import CRITICAL_PATH, ERROR, service_colors
from tracelab.figures.style import GRID, styled, time_unit
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

ROW_HEIGHT: Final = 20
_NAME: Final = 42
_DEEPEST: Final = 10
_HOVER: Final = "<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<extra></extra>"


def plot_gantt(spans: Spans, trace_id: str, *, first: int = 200) -> go.Figure:
    """Draw a trace as a timeline: a row for each span, in tree order.

    Bars are coloured by service, errors are marked at their end, and a dark line runs over the critical path. For
    traces of thousands of spans use `widgets.Gantt`, which draws only what is in view.

    Parameters
    ----------
    spans
        A span frame.
    trace_id
        The trace to draw.
    first
        How many rows to draw at most; the title says so where there are more.

    Returns
    -------
    A plotly Figure, time in the unit that its axis names.

    Raises
    ------
    TracelabError
        There is no such trace.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    =====
    ...   db   .===!
    ... ''')
    >>> [bar.name for bar in plot_gantt(spans, spans["trace_id"][0]).data]
    ['api', 'db', 'critical path', 'error']
    """
    trace = trace_spans(spans, trace_id)
    rows = timeline_rows(trace)
    total = trace_length(rows)
    shown = rows.head(first)
    figure = go.Figure(gantt_traces(shown, path_sections(trace, rows), total=total))
    root = rows.row(0, named=True)
    more = f", the first {first:,} of {rows.height:,} spans" if rows.height > first else f", {rows.height:,} spans"
    title = f"{plain(root['service_name'])}: {plain(root['name'])}, {format_duration(total)}{more}"
    figure.update_yaxes(
        **row_axis(shown),
        range=[shown.height - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
        fixedrange=shown.height <= 40,
    )
    figure.update_xaxes(title=f"time since the trace began ({time_unit(total)[0]})", gridcolor=GRID, zeroline=False)
    return styled(
        figure, title=title, barmode="overlay", height=120 + ROW_HEIGHT * max(shown.height, 4), hovermode="closest"
    ).update_layout(margin={"l": 10}, legend={"y": -60 / (120 + ROW_HEIGHT * max(shown.height, 4))})


def gantt_traces(rows: pl.DataFrame, sections: pl.DataFrame, *, total: int) -> list[go.Bar | go.Scatter]:
    """Give the bars of a timeline: one trace per service, then the critical path, then the errors."""
    bars = bar_columns(rows, total=total)
    colors = service_colors(rows["service_name"])
    traces = [
        go.Bar(
            **bar_arrays(bars.filter(pl.col("service_name") == service)),
            name=plain(service),
            orientation="h",
            width=0.72,
            marker={"color": color, "line": {"width": 0}},
            hovertemplate=_HOVER,
        )
        for service, color in colors.items()
    ]
    return [*traces, path_trace(rows, sections, total=total), error_trace(bars)]


def bar_columns(rows: pl.DataFrame, *, total: int) -> pl.DataFrame:
    """Add what a bar needs: `base` and `x` in the axis' unit, and the texts of its hover label."""
    scale = time_unit(total)[1]
    # A span that took no time, or nearly none, still needs a bar that can be seen and clicked.
    least = total / 800 / scale
    texts = [
        (
            plain(name),
            f"{plain(service)}, {kind}",
            f"{format_duration(length)}, from {format_duration(start)}" + (f", {below:,} spans below" if below else ""),
        )
        for name, service, kind, length, start, below in rows.select(
            "name", "service_name", "kind", "length", "start", "below"
        ).iter_rows()
    ]
    return rows.with_columns(
        base=pl.col("start") / scale,
        x=(pl.col("length") / scale).clip(lower_bound=least),
        hover_name=pl.Series([text[0] for text in texts], dtype=pl.String),
        hover_service=pl.Series([text[1] for text in texts], dtype=pl.String),
        hover_time=pl.Series([text[2] for text in texts], dtype=pl.String),
    )


def bar_arrays(bars: pl.DataFrame) -> dict[str, list[object]]:
    """Give the arrays of one bar trace."""
    custom = bars.select("span_id", "hover_name", "hover_service", "hover_time").rows()
    return {
        "base": bars["base"].to_list(),
        "x": bars["x"].to_list(),
        "y": bars["row"].to_list(),
        "customdata": [list(row) for row in custom],
    }


def path_arrays(rows: pl.DataFrame, sections: pl.DataFrame, *, total: int) -> dict[str, list[object]]:
    """Give the arrays of the critical path's sections in these rows."""
    scale = time_unit(total)[1]
    seen = sections.drop("row").join(rows.select("row", "span_id"), on="span_id", maintain_order="left")
    return {
        "base": (seen["start"] / scale).to_list(),
        "x": (seen["length"] / scale).to_list(),
        "y": seen["row"].to_list(),
    }


def error_arrays(bars: pl.DataFrame) -> dict[str, list[object]]:
    """Give the arrays of the marks at the ends of failed spans."""
    failed = bars.filter("is_error")
    return {
        "x": (failed["base"] + failed["x"]).to_list(),
        "y": failed["row"].to_list(),
        "customdata": [[span] for span in failed["span_id"]],
    }


def path_trace(rows: pl.DataFrame, sections: pl.DataFrame, *, total: int) -> go.Bar:
    """Draw the critical path as thin dark bars over those of its spans."""
    return go.Bar(
        **path_arrays(rows, sections, total=total),
        name="critical path",
        orientation="h",
        width=0.2,
        marker={"color": CRITICAL_PATH, "line": {"width": 0}},
        hoverinfo="skip",
    )


def error_trace(bars: pl.DataFrame) -> go.Scatter:
    """Mark errors at the ends of their bars."""
    return go.Scatter(
        **error_arrays(bars),
        name="error",
        mode="markers",
        marker={"color": ERROR, "size": 10, "symbol": "x", "line": {"color": "white", "width": 1}},
        hoverinfo="skip",
    )


def row_axis(rows: pl.DataFrame, folded: frozenset[str] = frozenset()) -> dict[str, object]:
    """Label the rows with the names of their spans, indented by depth.

    Plotly aligns tick labels on the right; letters of one width, padded to one length, align them on the left.
    """
    texts = []
    for name, depth, below, span_id, fragment in rows.select(
        "name", "depth", "below", "span_id", "fragment"
    ).iter_rows():
        mark = f"▸(+{below:,}) " if span_id in folded and below else "⚠ " if fragment else ""
        text = "  " * min(depth, _DEEPEST) + mark + name
        texts.append(text if len(text) <= _NAME else text[: _NAME - 1] + "…")
    width = max(map(len, texts), default=0)
    return {
        "tickmode": "array",
        "tickvals": rows["row"].to_list(),
        "ticktext": [plain(text.ljust(width)).replace(" ", "\u00a0") for text in texts],
        "tickfont": {"size": 11, "family": "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace"},
        "automargin": True,
    }


def trace_length(rows: pl.DataFrame) -> int:
    """Give the nanoseconds from the first start to the last end."""
    return max(int((rows["start"] + rows["length"]).max() or 0), 1)  # type: ignore[arg-type]

"""The one figure of the gantt: an overview of the whole trace above, the rows in view below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
from plotly.basedatatypes import Undefined
from plotly.subplots import make_subplots

from tracelab.analysis.timeline import active_spans, path_marks, trace_length
from tracelab.colors import CRITICAL_PATH
from tracelab.figures.charts.gantt import (
    BAR_WIDTH,
    EARLY_STYLE,
    ERROR_STYLE,
    ROW_HEIGHT,
    bar_columns,
    early_arrays,
    error_arrays,
    length_arrays,
    path_arrays,
    time_span,
    timeline_title,
)
from tracelab.figures.parts.style import GRID, styled, time_unit
from tracelab.markup import named, plain
from tracelab.widgets.surface import label_width

if TYPE_CHECKING:
    import polars as pl

OVERVIEW, BARS, PATH, LENGTHS, ERRORS, EARLY = range(6)
"""The places of the figure's traces."""

_BINS: Final = 240
_STEPS: Final = 400
_OVERVIEW_HEIGHT: Final = 40
_GAP: Final = 8
_MARGIN: Final = {"t": 26, "r": 20, "b": 42}
_FEWEST_ROWS: Final = 5
_LOADED: Final = 2
_CLEAR: Final = "rgba(0, 0, 0, 0)"
_TEXT: Final = "#797979"
_OUT_OF_VIEW: Final = "rgba(120, 130, 140, 0.22)"
_BUTTONS: Final = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d"]
_CONFIG: Final = {"responsive": True, "displaylogo": False, "doubleClick": False, "modeBarButtons": [_BUTTONS]}


class Canvas:
    """The figure, and which rows of the trace it has been sent.

    There is one figure per gantt, whatever traces it shows, since each carries all of plotly to the browser. The rows
    that were sent reach beyond those in view, so that the browser can scroll by itself: it shifts what plotly has
    drawn, which takes no time, where a change of the axis would have plotly draw all of it again.
    """

    def __init__(self) -> None:
        self.figure = _new_figure()
        self.drawing = False
        self.serial = 0
        """The number of what was sent last, which the figure carries too."""
        self.first = self.last = 0
        """Which rows were sent: from the first on, without the last."""

    def open(self, rows: pl.DataFrame, colors: dict[str, str], *, in_view: int, width: int) -> None:
        """Show another trace, in so many pixels."""
        self._total = trace_length(rows)
        self.scale = time_unit(self._total)[1]
        self._colors = colors
        self._in_view = in_view
        self.forget()
        curve = {key: [values] for key, values in _overview_arrays(rows, total=self._total).items()}
        self._tell([OVERVIEW], curve, _trace_layout(total=self._total, in_view=in_view))
        self.fit(rows, width)

    def fit(self, rows: pl.DataFrame, width: int) -> None:
        """Share the width of the gantt between names and bars."""
        left = label_width(rows, among=width)
        if left != self.figure.layout.margin.l:
            self._tell([], {}, {"margin.l": left})

    def forget(self) -> None:
        """Hold what was sent for outdated."""
        self.first = self.last = -1

    def holds(self, shown: pl.DataFrame, top: int) -> bool:
        """Say whether the rows from `top` on were sent, and as many around them as the next turn of the wheel needs."""
        near = self._in_view // 2
        low, high = max(top - near, 0), min(top + self._in_view + near, shown.height)
        return 0 <= self.first <= low and high <= self.last

    def send(self, shown: pl.DataFrame, sections: pl.DataFrame, *, top: int, times: tuple[int, int]) -> pl.DataFrame:
        """Send the rows in view and twice as many on both sides, and the time to show; give the rows."""
        start = max(top - _LOADED * self._in_view, 0)
        block = shown.slice(start, top - start + (1 + _LOADED) * self._in_view)
        low, high = times
        wide = high - low
        bars = bar_columns(block, total=self._total, seen=wide)
        path = path_marks(sections, block, low=low - wide, high=high + wide, steps=3 * _STEPS)
        drawn: dict[int, dict[str, Any]] = {
            BARS: {
                "base": bars["base"].to_list(),
                "x": bars["x"].to_list(),
                "y": bars["row"].to_list(),
                "marker.color": [self._colors[service] for service in block["service_name"]],
            },
            PATH: {**path_arrays(path, total=self._total), "marker.color": CRITICAL_PATH},
            LENGTHS: length_arrays(bars, total=self._total, low=low, high=high),
            ERRORS: {**error_arrays(bars), "marker.color": ERROR_STYLE["color"]},
            EARLY: {**early_arrays(bars), "marker.color": EARLY_STYLE["color"]},
        }
        self.serial += 1
        self.first, self.last = start, start + block.height
        self._tell(list(drawn), _side_by_side(list(drawn.values())), self._view(top, times))
        return block

    def _view(self, top: int, times: tuple[int, int]) -> dict[str, Any]:
        low, high = (end / self.scale for end in times)
        whole = tuple(end / self.scale for end in time_span(self._total))
        return {
            "meta": self.serial,
            "xaxis2.range": [low, high],
            "yaxis2.range": [top + self._in_view - 0.5, top - 0.5],
            "shapes": _out_of_view(low=low, high=high, whole=(whole[0], whole[1])),
        }

    def _tell(self, traces: list[int], styles: dict[str, list[Any]], layout: dict[str, Any]) -> None:
        """Send changes, all at once, since plotly draws everything anew for each message.

        Every property is sent for every trace that has it: what `batch_update` leaves out for a trace arrives in the
        browser as "undefined", which the model of the figure there takes for the default, so that colours would be
        lost.
        """
        self.drawing = True
        if styles:
            self.figure.plotly_update(styles, layout, trace_indexes=traces)
        else:
            self.figure.plotly_relayout(layout)
        self.drawing = False


def _side_by_side(traces: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Turn a dict of properties per trace into a list of values per property, null where a trace has none.

    Only bars know a base, and plotly refuses one for others.
    """
    keys = dict.fromkeys(key for trace in traces for key in trace)
    return {key: [trace.get(key, Undefined if key == "base" else None) for trace in traces] for key in keys}


def rows_in_view(rows: pl.DataFrame, *, at_most: int) -> int:
    """Say how many rows fit: as many as are asked for, or fewer if the trace has fewer."""
    return min(at_most, max(rows.height, _FEWEST_ROWS))


def heading_html(rows: pl.DataFrame, trace_id: str, colors: dict[str, str]) -> str:
    """Say what the trace is, name the services and their colours, and what the marks mean."""
    counts = dict(rows.group_by("service_name").len().rows())
    chips = [
        _chip(f'<span style="color: {color}">■</span>', plain(named(service), longest=60), f"{counts[service]:,}")
        for service, color in colors.items()
    ]
    chips.append(_chip("<b>━</b>", "critical path"))
    marks = (
        (f'<b style="color: {ERROR_STYLE["color"]}">✖</b>', "error", rows["is_error"].sum()),
        ("⚠", "parent is missing", rows["fragment"].sum()),
        (f'<b style="color: {EARLY_STYLE["color"]}">◀</b>', "starts before its parent", (rows["early"] > 0).sum()),
    )
    chips.extend(_chip(sign, words, f"{count:,}") for sign, words, count in marks if count)
    title = (
        f"{timeline_title(rows, total=trace_length(rows))}, {rows.height:,} {'spans' if rows.height > 1 else 'span'}"
    )
    return (
        f'<div class="tracelab-title">{title} <span class="tracelab-quiet">{plain(trace_id)}</span></div>'
        f'<div class="tracelab-legend">{" ".join(chips)}</div>'
    )


def _chip(sign: str, text: str, count: str = "") -> str:
    number = f' <span class="tracelab-quiet">{count}</span>' if count else ""
    return f'<span class="tracelab-chip">{sign} {text}{number}</span>'


def _new_figure() -> go.FigureWidget:
    """Make the figure, without any data."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=False, vertical_spacing=0.1)
    figure.add_scatter(
        fill="tozeroy", mode="lines", line={"color": "#90a4ae", "width": 1, "shape": "hv"}, hoverinfo="skip",
        row=1, col=1,
    )  # fmt: skip
    figure.add_bar(orientation="h", width=BAR_WIDTH, marker={"line": {"width": 0}}, hoverinfo="skip", row=2, col=1)
    path = {"color": CRITICAL_PATH, "line": {"width": 0}}
    figure.add_bar(orientation="h", width=0.2, marker=path, hoverinfo="skip", row=2, col=1)
    figure.add_scatter(mode="text", textfont={"size": 10}, hoverinfo="skip", row=2, col=1)
    figure.add_scatter(mode="markers", marker=ERROR_STYLE, hoverinfo="skip", row=2, col=1)
    figure.add_scatter(mode="markers", marker=EARLY_STYLE, hoverinfo="skip", row=2, col=1)
    bare = {"fixedrange": True, "showticklabels": False, "showgrid": False, "zeroline": False, "ticks": ""}
    figure.update_xaxes(bare, row=1, col=1)
    figure.update_yaxes(bare, automargin=False)
    figure.update_xaxes(gridcolor=GRID, zeroline=False, row=2, col=1)
    # Margins that plotly chooses would make rows lower than they are meant to be.
    figure.update_xaxes(automargin=False)
    styled(figure, title="", barmode="overlay", dragmode="pan", showlegend=False, autosize=True)
    figure.update_layout(
        hovermode=False, paper_bgcolor=_CLEAR, plot_bgcolor=_CLEAR, font={"color": _TEXT},
        modebar={"bgcolor": _CLEAR, "color": _TEXT, "activecolor": _TEXT},
    )  # fmt: skip
    widget = go.FigureWidget(figure)
    widget._config = {**widget._config, **_CONFIG}  # noqa: SLF001  (there is no public way)
    return widget


def _trace_layout(*, total: int, in_view: int) -> dict[str, Any]:
    """Give the layout that stays while a trace is shown: sizes, domains, ranges and titles."""
    unit, scale = time_unit(total)
    inner = _OVERVIEW_HEIGHT + _GAP + ROW_HEIGHT * in_view
    low, high = (end / scale for end in time_span(total))
    return {
        "height": inner + _MARGIN["t"] + _MARGIN["b"],
        "margin.t": _MARGIN["t"],
        "margin.r": _MARGIN["r"],
        "margin.b": _MARGIN["b"],
        "xaxis.range": [low, high],
        "yaxis.domain": [1 - _OVERVIEW_HEIGHT / inner, 1],
        "xaxis2.range": [low, high],
        "xaxis2.title": {"text": f"time since the trace began ({unit})", "standoff": 6},
        "yaxis2.domain": [0, ROW_HEIGHT * in_view / inner],
    }


def _overview_arrays(rows: pl.DataFrame, *, total: int) -> dict[str, Any]:
    """Give the curve of how many spans are open."""
    scale = time_unit(total)[1]
    edges, counts = active_spans(rows, bins=_BINS)
    return {"x": [*(edge / scale for edge in edges), total / scale], "y": [*counts, counts[-1]]}


def _out_of_view(*, low: float, high: float, whole: tuple[float, float]) -> list[dict[str, Any]]:
    """Shade the time in the overview that is not in view."""
    return [
        {
            "type": "rect", "line": {"width": 0}, "fillcolor": _OUT_OF_VIEW, "layer": "above",
            "xref": "x", "x0": start, "x1": end, "yref": "y domain", "y0": 0, "y1": 1,
        }
        for start, end in ((whole[0], low), (high, whole[1]))
        if end > start
    ]  # fmt: skip

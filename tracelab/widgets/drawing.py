"""The one figure of the gantt: an overview of the whole trace above, the rows in view below."""

from __future__ import annotations

from typing import Any, Final

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from tracelab.analysis.timeline import active_spans, path_marks, trace_length
from tracelab.colors import CRITICAL_PATH
from tracelab.figures.gantt import (
    BAR_WIDTH,
    DEEPEST_INDENT,
    ERROR_STYLE,
    LONGEST_LABEL,
    PATH_STYLE,
    ROW_HEIGHT,
    bar_arrays,
    bar_columns,
    error_arrays,
    length_arrays,
    path_arrays,
    row_axis,
    time_span,
    timeline_title,
)
from tracelab.figures.style import GRID, styled, time_unit
from tracelab.markup import plain

OVERVIEW, HITS, BARS, PATH, LENGTHS, ERRORS = range(6)
"""The places of the figure's traces."""

_CLEAR: Final = "rgba(0, 0, 0, 0)"
_BINS: Final = 240
_STEPS: Final = 400
_OVERVIEW_HEIGHT: Final = 40
_GAP: Final = 14
_MARGIN: Final = {"t": 40, "r": 16, "b": 46}
_FEWEST_ROWS: Final = 5
_LETTER: Final = 6.65
_SELECTED: Final = "rgba(255, 193, 7, 0.30)"
_OUT_OF_VIEW: Final = "rgba(120, 130, 140, 0.22)"
_BUTTONS: Final = ["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d"]
_CONFIG: Final = {"responsive": True, "displaylogo": False, "doubleClick": False, "modeBarButtons": [_BUTTONS]}


class Canvas:
    """The figure, and which rows of the trace it has been sent.

    There is one figure per gantt, whatever traces it shows, since each carries all of plotly to the browser.
    """

    def __init__(self) -> None:
        self.figure = _new_figure()
        self.drawing = False
        self.first = 0
        self._last = 0

    def open(self, rows: pl.DataFrame, sections: pl.DataFrame, colors: dict[str, str], *, in_view: int) -> None:
        """Show another trace."""
        self._sections = sections
        self._total = trace_length(rows)
        self.scale = time_unit(self._total)[1]
        self._colors = colors
        self._in_view = in_view
        self.forget()
        curve = {key: [values] for key, values in _overview_arrays(rows, total=self._total).items()}
        self._tell([OVERVIEW], curve, _trace_layout(rows, total=self._total, in_view=in_view))

    def forget(self) -> None:
        """Hold what was sent for outdated."""
        self.first = self._last = 0

    def draw(
        self, shown: pl.DataFrame, *, top: int, times: tuple[int, int], folded: frozenset[int], selected: int | None
    ) -> None:
        """Show the rows from `top` on and the time between two instants; send rows only if they were not sent."""
        bottom = top + self._in_view
        low, high = (end / self.scale for end in times)
        whole = tuple(end / self.scale for end in time_span(self._total))
        view = {
            "xaxis2.range": [low, high],
            "yaxis2.range": [bottom - 0.5, top - 0.5],
            "shapes": _marks(selected, low=low, high=high, whole=(whole[0], whole[1])),
        }
        if self.first <= top <= min(bottom, shown.height) <= self._last:
            self._tell([], {}, view)
        else:
            self._send(shown, top, times, folded, view)

    def _send(
        self, shown: pl.DataFrame, top: int, times: tuple[int, int], folded: frozenset[int], view: dict[str, Any]
    ) -> None:
        """Send the rows in view, and half as many before and behind, so that short ways need nothing new."""
        start = max(top - self._in_view // 2, 0)
        block = shown.slice(start, top - start + self._in_view + self._in_view // 2)
        low, high = times
        wide = high - low
        bars = bar_columns(block, total=self._total, seen=wide)
        path = path_marks(self._sections, block, low=low - wide, high=high + wide, steps=3 * _STEPS)
        # A row can be clicked anywhere, however short its bar is.
        hits = {
            "base": [(low - wide) / self.scale] * block.height,
            "x": [3 * wide / self.scale] * block.height,
            "y": block["row"].to_list(),
        }
        drawn = [hits, bar_arrays(bars), path_arrays(path, total=self._total)]
        colors = [_CLEAR, [self._colors[service] for service in block["service_name"]], CRITICAL_PATH]
        labels = {f"yaxis2.{key}": value for key, value in row_axis(block, folded).items()}
        self._tell([HITS, BARS, PATH], {**_side_by_side(drawn), "marker.color": colors}, {**view, **labels})
        lengths = length_arrays(bars, total=self._total, low=low, high=high)
        self._tell([LENGTHS, ERRORS], _side_by_side([lengths, error_arrays(bars)]), {})
        self.first, self._last = start, start + block.height

    def _tell(self, traces: list[int], styles: dict[str, list[Any]], layout: dict[str, Any]) -> None:
        """Send changes, with every property for every trace that is named.

        What `batch_update` leaves out for a trace arrives in the browser as "undefined", which the model of the figure
        there takes for the default, so that colours would be lost.
        """
        self.drawing = True
        if styles:
            self.figure.plotly_update(styles, layout, trace_indexes=traces)
        else:
            self.figure.plotly_relayout(layout)
        self.drawing = False


def _side_by_side(traces: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Turn a dict of properties per trace into a list of values per property, null where a trace has none."""
    keys = dict.fromkeys(key for trace in traces for key in trace)
    return {key: [trace.get(key) for trace in traces] for key in keys}


def rows_in_view(rows: pl.DataFrame, *, at_most: int) -> int:
    """Say how many rows fit: as many as are asked for, or fewer if the trace has fewer."""
    return min(at_most, max(rows.height, _FEWEST_ROWS))


def legend_html(rows: pl.DataFrame, colors: dict[str, str]) -> str:
    """Name the services and their colours, and what the marks mean."""
    counts = dict(rows.group_by("service_name").len().sort("service_name").rows())
    chips = [
        _chip(f'<span style="color: {color}">■</span>', service, f"{counts[service]:,}")
        for service, color in colors.items()
    ]
    chips.append(_chip("<b>━</b>", "critical path", ""))
    if failed := int(rows["is_error"].sum()):
        chips.append(_chip('<b style="color: #c62828">✖</b>', "error", f"{failed:,}"))
    if lost := int(rows["fragment"].sum()):
        chips.append(_chip("⚠", "parent is missing", f"{lost:,}"))
    return (
        '<div style="font: 12px/1.6 system-ui, sans-serif; max-height: 62px; overflow: auto; padding: 0 4px">'
        f"{' '.join(chips)}</div>"
    )


def _chip(sign: str, text: str, count: str) -> str:
    number = f' <span style="opacity: 0.6">{count}</span>' if count else ""
    return f'<span style="white-space: nowrap; margin-right: 12px">{sign} {plain(text, longest=60)}{number}</span>'


def _new_figure() -> go.FigureWidget:
    """Make the figure, without any data."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=False, vertical_spacing=0.1)
    figure.add_scatter(
        fill="tozeroy", mode="lines", line={"color": "#90a4ae", "width": 1, "shape": "hv"}, row=1, col=1,
        hovertemplate="%{y} open spans<extra></extra>",
    )  # fmt: skip
    figure.add_bar(orientation="h", width=1, marker={"color": _CLEAR}, hoverinfo="none", row=2, col=1)
    figure.add_bar(orientation="h", width=BAR_WIDTH, marker={"line": {"width": 0}}, hoverinfo="text", row=2, col=1)
    figure.add_bar(orientation="h", width=0.2, marker=PATH_STYLE, hoverinfo="skip", row=2, col=1)
    figure.add_scatter(mode="text", textfont={"size": 10}, hoverinfo="skip", row=2, col=1)
    figure.add_scatter(mode="markers", marker=ERROR_STYLE, hoverinfo="skip", row=2, col=1)
    figure.update_xaxes(fixedrange=True, showticklabels=False, showgrid=False, zeroline=False, row=1, col=1)
    figure.update_yaxes(fixedrange=True, showticklabels=False, showgrid=False, zeroline=False, row=1, col=1)
    figure.update_xaxes(gridcolor=GRID, zeroline=False, row=2, col=1)
    figure.update_yaxes(showgrid=False, zeroline=False, ticks="", row=2, col=1)
    styled(figure, title="", barmode="overlay", hovermode="closest", dragmode="pan", showlegend=False, autosize=True)
    widget = go.FigureWidget(figure)
    widget._config = {**widget._config, **_CONFIG}  # noqa: SLF001  (there is no public way)
    return widget


def _trace_layout(rows: pl.DataFrame, *, total: int, in_view: int) -> dict[str, Any]:
    """Give the layout that stays while a trace is shown: sizes, domains, ranges and titles."""
    unit, scale = time_unit(total)
    inner = _OVERVIEW_HEIGHT + _GAP + ROW_HEIGHT * in_view
    low, high = (end / scale for end in time_span(total))
    return {
        "title.text": f"{timeline_title(rows, total=total)}, {rows.height:,} spans",
        "height": inner + _MARGIN["t"] + _MARGIN["b"],
        "margin": {"l": _label_width(rows), **_MARGIN},
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


def _marks(selected: int | None, *, low: float, high: float, whole: tuple[float, float]) -> list[dict[str, Any]]:
    """Shade the selected row, and in the overview the time that is not in view."""
    rectangle = {"type": "rect", "line": {"width": 0}}
    rows = [
        {"xref": "paper", "x0": -1, "x1": 1, "yref": "y2", "y0": at - 0.5, "y1": at + 0.5, "layer": "below"}
        for at in ([] if selected is None else [selected])
    ]
    sides = [
        {"xref": "x", "x0": start, "x1": end, "yref": "y domain", "y0": 0, "y1": 1, "layer": "above"}
        for start, end in ((whole[0], low), (high, whole[1]))
        if end > start
    ]
    return [
        *({**rectangle, **row, "fillcolor": _SELECTED} for row in rows),
        *({**rectangle, **side, "fillcolor": _OUT_OF_VIEW} for side in sides),
    ]


def _label_width(rows: pl.DataFrame) -> int:
    """Give labels the room that the longest of the trace needs, so that nothing moves when rows scroll."""
    indent = 2 * pl.min_horizontal("depth", pl.lit(DEEPEST_INDENT, dtype=pl.UInt32))
    letters = rows.select((indent + pl.col("name").str.len_chars() + 4).max()).item() or 0
    return int(min(letters, LONGEST_LABEL) * _LETTER) + 14

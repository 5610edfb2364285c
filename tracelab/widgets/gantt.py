"""The timeline of a trace, for a notebook: it draws the rows in view and never the whole trace."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets as ipw
import plotly.graph_objects as go
import polars as pl
import traitlets
from plotly.subplots import make_subplots

from tracelab.analysis.timeline import (
    active_spans,
    path_sections,
    shown_rows,
    slowest_traces,
    timeline_rows,
    trace_spans,
)
from tracelab.colors import service_colors
from tracelab.conforming import conform
from tracelab.errors import TracelabError
from tracelab.figures.gantt import (
    ROW_HEIGHT,
    bar_arrays,
    bar_columns,
    error_arrays,
    gantt_traces,
    path_arrays,
    row_axis,
    trace_length,
)
from tracelab.figures.style import GRID, styled, time_unit
from tracelab.markup import plain
from tracelab.units import format_duration
from tracelab.widgets.details import details_html

_CHOICES: Final = 200
_BINS: Final = 240
_OVERVIEW: Final = 46
_EDGES: Final = 110
_WIDE: Final = ipw.Layout(width="100%")
_SELECTED: Final = "rgba(255, 193, 7, 0.28)"


class Gantt(ipw.VBox):  # type: ignore[misc]
    """A trace as an interactive timeline.

    Rows are spans in tree order, coloured by service. A dark line runs over the critical path, errors carry a red
    cross, a warning sign marks a span whose parent is missing. Drag to pan, use the slider (or its arrow and page
    keys) to scroll, the modebar to zoom into time; type to filter; click a bar for its details. However large the
    trace is, only the rows in view are sent to the browser.

    Parameters
    ----------
    spans
        A span frame (polars or pandas).
    trace_id
        The trace to show first; the slowest one if there is none. The menu offers the 200 slowest.
    rows
        How many rows are in view.

    Attributes
    ----------
    trace_id
        The trace that is shown. Set it to show another.
    selected_span_id
        The span that was clicked, or None. Set it to select one; it is scrolled into view.
    first_row
        The row at the top.
    filter_text
        Only spans whose service or name holds this text are shown, with the spans above them.

    Raises
    ------
    TracelabError
        There is no such trace, or no such span in it, or the frame is empty.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    =====
    ...   db   .===!
    ... ''')
    >>> gantt = Gantt(spans)
    >>> gantt.selected_span_id = spans["span_id"][1]
    >>> gantt.selected["name"].to_list()
    ['db']
    """

    trace_id = traitlets.Unicode()
    selected_span_id = traitlets.Unicode(None, allow_none=True)
    first_row = traitlets.Int(0)
    filter_text = traitlets.Unicode("")

    def __init__(self, spans: Any, trace_id: str | None = None, *, rows: int = 40) -> None:
        self._spans = conform(spans)
        if self._spans.lazy().select(pl.len()).collect().item() == 0:
            raise TracelabError("There are no spans to show. Pass a frame that holds at least one trace.")
        if rows < 1:
            raise TracelabError(f"`rows` must be at least 1, and is {rows}.")
        self._in_view = rows
        self._folded: frozenset[str] = frozenset()
        self._drawing = False
        slowest = slowest_traces(self._spans, count=_CHOICES)
        first = trace_id if trace_id is not None else str(slowest["trace_id"][0])
        self._open(first)
        self._figure = self._new_figure()
        self._controls(slowest, first)
        super().__init__([self._bar, ipw.HBox([self._figure_box(), self._slider], layout=_WIDE), self._details])
        self.trace_id = first
        self.layout.width = "100%"
        self.observe(self._trace_chosen, "trace_id")
        self.observe(self._span_chosen, "selected_span_id")
        self.observe(self._scrolled, "first_row")
        self.observe(self._filtered, "filter_text")
        self._draw()

    @property
    def selected(self) -> pl.DataFrame:
        """The selected span, as a span frame of one row; of none where nothing is selected."""
        return self._trace.filter(pl.col("span_id") == (self.selected_span_id or ""))

    @property
    def visible(self) -> pl.DataFrame:
        """The spans of the rows in view, as a span frame."""
        return (
            self._window()
            .select("span_id")
            .join(self._trace, on="span_id", maintain_order="left")
            .select(self._trace.columns)
        )

    def fold(self, span_id: str) -> None:
        """Hide all that is below a span; or show it again."""
        self._folded = self._folded ^ {span_id}
        self._shown = shown_rows(self._rows, folded=self._folded, text=self.filter_text)
        self._rewind()

    def _open(self, trace_id: str) -> None:
        """Compute all that does not change while a trace is shown."""
        self._trace = trace_spans(self._spans, trace_id)
        self._rows = timeline_rows(self._trace)
        self._sections = path_sections(self._trace, self._rows)
        self._total = trace_length(self._rows)
        self._services = list(service_colors(self._rows["service_name"]))
        self._folded = frozenset()
        self._shown = self._rows

    def _window(self) -> pl.DataFrame:
        return self._shown.slice(self.first_row, self._in_view)

    def _new_figure(self) -> go.FigureWidget:
        """Make the one figure: an overview of the whole trace above, the rows in view below."""
        height = ROW_HEIGHT * min(self._in_view, max(self._rows.height, 6))
        share = _OVERVIEW / (height + _OVERVIEW)
        figure = make_subplots(
            rows=2,
            cols=1,
            shared_xaxes=False,
            row_heights=[share, 1 - share],
            vertical_spacing=28 / (height + _OVERVIEW),
        )
        edges, counts = active_spans(self._rows, bins=_BINS)
        unit, scale = time_unit(self._total)
        figure.add_scatter(
            x=[edge / scale for edge in edges], y=counts, fill="tozeroy", mode="lines", showlegend=False,
            line={"color": "#90a4ae", "width": 1, "shape": "hv"}, hovertemplate="%{y} open spans<extra></extra>",
            row=1, col=1,
        )  # fmt: skip
        for trace in gantt_traces(self._rows.head(0), self._sections.head(0), total=self._total):
            figure.add_trace(trace, row=2, col=1)
        for service, color in service_colors(self._services).items():
            figure.add_bar(
                name=plain(service), orientation="h", width=0.72, marker={"color": color, "line": {"width": 0}},
                hovertemplate="<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<extra></extra>",
                row=2, col=1,
            )  # fmt: skip
        # The path and the errors were added first to be drawn first; they belong on top of the bars.
        figure.data = (figure.data[0], *figure.data[3:], figure.data[1], figure.data[2])
        total = self._total / scale
        figure.update_xaxes(range=[0, total], fixedrange=True, showticklabels=False, showgrid=False, row=1, col=1)
        figure.update_yaxes(fixedrange=True, showgrid=False, zeroline=False, nticks=2, row=1, col=1)
        figure.update_xaxes(
            title=f"time since the trace began ({unit})", range=[-total * 0.01, total * 1.02], gridcolor=GRID,
            zeroline=False, row=2, col=1,
        )  # fmt: skip
        figure.update_yaxes(showgrid=False, zeroline=False, row=2, col=1)
        styled(
            figure, title="", barmode="overlay", height=height + _OVERVIEW + _EDGES, hovermode="closest", dragmode="pan"
        )
        figure.update_layout(margin={"l": 10, "t": 46}, legend={"y": -64 / height}, uirevision="keep", autosize=True)
        widget = go.FigureWidget(figure)
        widget._config = {**widget._config, "responsive": True, "displaylogo": False}  # noqa: SLF001  (no public way)
        for bars in widget.data[1 : 1 + len(self._services)]:
            bars.on_click(self._clicked)
        widget.layout.on_change(self._panned, "yaxis2.range")
        return widget

    def _figure_box(self) -> ipw.Box:
        """Let the figure take the width of the notebook."""
        return ipw.Box([self._figure], layout=ipw.Layout(flex="1 1 auto", width="auto", display="block", min_width="0"))

    def _controls(self, slowest: pl.DataFrame, first: str) -> None:
        nanoseconds = slowest["duration"].dt.total_nanoseconds()
        labels = [
            f"{format_duration(length)}  {service}: {name}  {trace_id[:8]}"
            for length, service, name, trace_id in zip(
                nanoseconds, slowest["service_name"], slowest["name"], slowest["trace_id"], strict=True
            )
        ]
        options = list(zip(labels, slowest["trace_id"], strict=True))
        if first not in slowest["trace_id"]:
            options.insert(0, (f"{format_duration(self._total)}  {first}", first))
        self._menu = ipw.Dropdown(options=options, value=first, layout=ipw.Layout(width="46%"))
        self._filter = ipw.Text(
            placeholder="filter by service or name", continuous_update=False, layout=ipw.Layout(width="24%")
        )
        self._fold_button = ipw.Button(description="fold / unfold", layout=ipw.Layout(width="110px"), disabled=True)
        self._count = ipw.Label()
        self._bar = ipw.HBox([self._menu, self._filter, self._fold_button, self._count])
        self._slider = ipw.IntSlider(
            value=0, min=0, max=1, orientation="vertical", readout=False, layout=ipw.Layout(height="auto", width="28px")
        )
        self._details = ipw.HTML(details_html(self.selected))
        traitlets.link((self._menu, "value"), (self, "trace_id"))
        traitlets.link((self._filter, "value"), (self, "filter_text"))
        # The slider counts upwards from the bottom, rows from the top.
        self._slider.observe(lambda change: self._scroll_to(self._slider.max - change["new"]), "value")
        self._fold_button.on_click(lambda _: self.fold(self.selected_span_id) if self.selected_span_id else None)

    def _draw(self) -> None:
        """Send the rows in view."""
        window = self._window()
        bars = bar_columns(window, total=self._total)
        figure = self._figure
        count = len(self._services)
        self._drawing = True
        with figure.batch_update():
            for service, trace in zip(self._services, figure.data[1 : 1 + count], strict=True):
                trace.update(**bar_arrays(bars.filter(pl.col("service_name") == service)))
            figure.data[1 + count].update(**path_arrays(window, self._sections, total=self._total))
            figure.data[2 + count].update(**error_arrays(bars))
            bottom = self.first_row + min(self._in_view, max(window.height, 6))
            figure.layout.yaxis2.update(**row_axis(window, self._folded), range=[bottom - 0.5, self.first_row - 0.5])
            figure.layout.title.text = self._title()
            figure.layout.shapes = self._marks(window)
        self._drawing = False
        last = max(self._shown.height - self._in_view, 0)
        with self._slider.hold_trait_notifications():
            self._slider.max, self._slider.value = max(last, 1), max(last, 1) - self.first_row
            self._slider.layout.visibility = "visible" if last else "hidden"
        end = min(self.first_row + self._in_view, self._shown.height)
        self._count.value = f"rows {min(self.first_row + 1, end):,} to {end:,} of {self._shown.height:,}"

    def _title(self) -> str:
        root = self._rows.row(0, named=True)
        name = f"{plain(root['service_name'])}: {plain(root['name'])}"
        return f"{name}, {format_duration(self._total)}, {self._rows.height:,} spans"

    def _marks(self, window: pl.DataFrame) -> list[dict[str, Any]]:
        """Shade the selected row."""
        row = window.filter(pl.col("span_id") == (self.selected_span_id or ""))["row"]
        return [
            {
                "type": "rect", "xref": "x2 domain", "yref": "y2", "x0": 0, "x1": 1, "y0": at - 0.5, "y1": at + 0.5,
                "fillcolor": _SELECTED, "line": {"width": 0}, "layer": "below",
            }
            for at in row
        ]  # fmt: skip

    def _scroll_to(self, row: int) -> None:
        self.first_row = min(max(row, 0), max(self._shown.height - self._in_view, 0))

    def _rewind(self) -> None:
        """Draw from a row that there is, after the rows have changed."""
        before = self.first_row
        self._scroll_to(before)
        if self.first_row == before:
            self._draw()

    def _scrolled(self, _: object) -> None:
        self._draw()

    def _panned(self, _: object, shown: tuple[float, float]) -> None:
        """Follow a drag: rows that come into view are sent, the number of rows in view stays."""
        if not self._drawing and shown is not None:
            before = self.first_row
            self._scroll_to(round(min(shown) + 0.5))
            if self.first_row == before:
                self._draw()

    def _clicked(self, trace: Any, points: Any, _: object) -> None:
        if points.point_inds:
            self.selected_span_id = trace.customdata[points.point_inds[0]][0]

    def _span_chosen(self, change: dict[str, Any]) -> None:
        chosen = change["new"]
        if chosen is not None and self.selected.is_empty():
            with self.hold_trait_notifications():
                self.selected_span_id = change["old"]
            raise TracelabError(f"There is no span {chosen!r} in trace {self.trace_id!r}.")
        self._details.value = details_html(self.selected)
        self._fold_button.disabled = chosen is None
        at = self._shown.filter(pl.col("span_id") == (chosen or ""))["row"]
        if at.len() and not self.first_row <= at[0] < self.first_row + self._in_view:
            self._scroll_to(at[0] - self._in_view // 2)
        self._draw()

    def _filtered(self, change: dict[str, Any]) -> None:
        self._shown = shown_rows(self._rows, folded=self._folded, text=change["new"])
        self._rewind()

    def _trace_chosen(self, change: dict[str, Any]) -> None:
        """Show another trace: in a figure of its own, since services and times are others."""
        self._open(change["new"])
        self.selected_span_id = None
        self._shown = shown_rows(self._rows, text=self.filter_text)
        self._figure = self._new_figure()
        self.children[1].children = (self._figure_box(), self._slider)
        self._rewind()

"""The timeline of a trace, for a notebook: it draws the rows in view and never the whole trace."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets as ipw
import polars as pl
import traitlets

from tracelab.analysis.timeline import (
    busy_time,
    folded_path,
    parent_place,
    shown_rows,
    slowest_traces,
    timeline_path,
    timeline_rows,
    trace_length,
    trace_spans,
)
from tracelab.conforming import span_frame
from tracelab.errors import TracelabError
from tracelab.figures.charts.gantt import time_span
from tracelab.figures.parts.style import colors_in
from tracelab.options import whole
from tracelab.widgets.controls import new_controls
from tracelab.widgets.details import details_html
from tracelab.widgets.drawing import Canvas, heading_html, rows_in_view
from tracelab.widgets.surface import Surface

_CLOSEST_ZOOM: Final = 50  # nanoseconds


class Gantt(ipw.VBox):  # type: ignore[misc]
    """A trace as an interactive timeline.

    Rows are spans in tree order, coloured by service. A line runs over the critical path, that of what is folded away
    over the row that it is folded into. Errors carry a red cross, a warning sign marks a span whose parent is missing,
    an orange triangle one that starts before its parent. Scroll with the wheel, the scrollbar or the keys; zoom into
    time with the wheel and Ctrl held, move with Shift held or by dragging, double-click to see all of it again. Click a
    row for its details, and the triangle beside a name to fold what is below it. However large the trace is, only the
    rows in view, and some around them, are sent to the browser, which scrolls within them by itself.

    Parameters
    ----------
    spans
        A span frame (polars or pandas).
    trace_id
        The trace to show first; the slowest one if there is none. The box above the timeline offers the slowest, finds
        others by the words that are typed, and takes any id.
    rows
        How many rows are in view.

    Attributes
    ----------
    trace_id
        The trace that is shown. Set it to show another, in the menu or not.
    selected_span_id
        The span that was clicked, or None. Set it to select one; it is scrolled into view.
    first_row
        The row at the top.
    filter_text
        Only spans whose service or name holds this text are shown, with the spans above them.

    Raises
    ------
    TracelabError
        There is no such trace, or no such span in it, or the frame is empty, or `rows` is no number of rows.

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
    _folded: frozenset[int]
    _place: int | None

    def __init__(self, spans: Any, trace_id: str | None = None, *, rows: int = 40) -> None:
        self._spans = span_frame(spans)
        self._most_rows = whole("rows", rows, least=1, why="It is how many rows are in view.")
        self._load(trace_id)
        self._canvas, self._surface = Canvas(), Surface()
        self._heading, self._details = ipw.HTML(), ipw.HTML()
        self._controls = new_controls(
            slowest_traces(self._spans),
            self._trace_asked,
            {
                ("fold / unfold", "Fold what is below the selected span, or unfold it"): self._fold_selected,
                ("compress", "Fold all below the first level"): self.fold_all,
                ("expand", "Unfold all"): self.unfold_all,
                ("search-plus", "Zoom to the rows in view"): self.zoom_to_rows,
                ("arrows-h", "Show all the time"): self.zoom_out,
            },
        )
        wide = ipw.Layout(width="100%")
        middle = ipw.Box(
            [self._canvas.figure, self._surface], layout=ipw.Layout(width="100%", display="block", min_width="0")
        )
        middle.add_class("tracelab-rows")
        super().__init__([self._controls.bar, self._controls.notice, self._heading, middle, self._details], layout=wide)
        self.add_class("tracelab-gantt")
        self._connect()
        self.trace_id = self._trace["trace_id"][0]
        self._open()

    def __repr__(self) -> str:
        return f"Gantt({self.trace_id!r})"

    @property
    def selected(self) -> pl.DataFrame:
        """The selected span, as a span frame of one row; of none where nothing is selected."""
        return self._trace.head(0) if self._place is None else self._trace.slice(self._place, 1)

    @property
    def visible(self) -> pl.DataFrame:
        """The spans of the rows in view, as a span frame."""
        return self._trace[self._shown.slice(self.first_row, self._in_view)["place"]]

    def show(self, spans: Any, trace_id: str | None = None) -> None:
        """Show a trace of another frame, in the figure that is there; its slowest one where no id is given."""
        before, self._spans = self._spans, span_frame(spans)
        try:
            self._load(trace_id)
        except TracelabError:
            self._spans = before
            raise
        self._controls.traces.offer(slowest_traces(self._spans))
        old = self.trace_id
        self.trace_id = self._trace["trace_id"][0]
        if self.trace_id == old:
            self._open()

    def fold(self, span_id: str) -> None:
        """Hide all that is below a span; or show it again."""
        self._toggle(self._place_of(span_id))

    def fold_all(self) -> None:
        """Fold every span but those that begin a trace or a fragment, so that the first level is left."""
        self._folded = frozenset(self._rows.filter(pl.col("below") > 0, pl.col("depth") > 0)["place"])
        self._arrange()

    def unfold_all(self) -> None:
        """Show everything again."""
        self._folded = frozenset()
        self._arrange()

    def zoom_to_rows(self) -> None:
        """Show the time of the rows in view, as far as they do not run through all of it."""
        low, high = busy_time(self._shown.slice(self.first_row, self._in_view))
        room = max((high - low) // 12, _CLOSEST_ZOOM)
        self._show_time(low - room, high + room)

    def zoom_out(self) -> None:
        """Show all of the trace's time."""
        self._show_time(*time_span(self._total))

    @traitlets.validate("trace_id")
    def _known_trace(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] != self._trace["trace_id"][0]:
            self._load(proposal["value"])
        return str(self._trace["trace_id"][0])

    @traitlets.validate("selected_span_id")
    def _known_span(self, proposal: dict[str, Any]) -> str | None:
        if proposal["value"] is not None:
            self._place_of(proposal["value"])
        return proposal["value"]  # type: ignore[no-any-return]

    @traitlets.validate("first_row")
    def _possible_row(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 0), self._last_row)

    @property
    def _last_row(self) -> int:
        return max(self._shown.height - self._in_view, 0)

    def _load(self, trace_id: str | None) -> None:
        """Compute all that does not change while a trace is shown."""
        self._trace = trace_spans(self._spans, trace_id)
        self._rows = timeline_rows(self._trace)
        self._sections = self._path = timeline_path(self._trace)
        self._total = trace_length(self._rows)
        self._in_view = rows_in_view(self._rows, at_most=self._most_rows)
        self._times = time_span(self._total)
        self._folded = frozenset()
        self._place = None
        self._shown = self._rows
        self._deepest = int(self._rows["depth"].max() or 0)  # type: ignore[arg-type]

    def _place_of(self, span_id: str) -> int:
        found = (self._rows["span_id"] == span_id).arg_true()
        if found.is_empty():
            raise TracelabError(f"There is no span {span_id!r} in trace {self._trace['trace_id'][0]!r}.")
        return int(found[0])

    def _connect(self) -> None:
        """Listen to what the parts are told."""
        self._canvas.figure.layout.on_change(self._moved, "xaxis2.range")
        traitlets.link((self._controls.filter, "value"), (self, "filter_text"))
        self._surface.listen(scrolled=self._scroll, zoomed=self._time_asked, resized=self._fit)
        self._surface.on_msg(self._told)

    def _open(self) -> None:
        """Show the trace that was loaded, in the figure that is there."""
        colors = colors_in(self._spans, self._rows["service_name"])
        self._controls.traces.show(self.trace_id)
        self._controls.notice.say("")
        self._heading.value = heading_html(self._rows, self.trace_id, colors)
        self._canvas.open(self._rows, colors, in_view=self._in_view, width=self._surface.width)
        self._arrange(top=True)
        self.selected_span_id = None
        self._show_details()

    def _trace_asked(self, trace_id: str) -> None:
        """Show the trace that the box was asked for, or say why not."""
        try:
            self.trace_id = trace_id
        except TracelabError as error:
            self._controls.notice.say(str(error))
        else:
            self._controls.notice.say("")
            self._controls.traces.show(self.trace_id)

    def _arrange(self, *, top: bool = False) -> None:
        """Find the rows anew, after something was folded or filtered, and draw from a row that there is."""
        self._shown = shown_rows(self._rows, folded=self._folded, text=self.filter_text)
        self._path = folded_path(self._sections, self._rows, self._folded)
        self._canvas.forget()
        before = self.first_row
        self.first_row = 0 if top else before
        if self.first_row == before:
            self._draw()

    def _draw(self) -> None:
        """Send rows if those in view are not in the browser, and say which of them to show."""
        canvas, top = self._canvas, self.first_row
        if not canvas.holds(self._shown, top):
            block = canvas.send(self._shown, self._path, top=top, times=self._times)
            self._surface.hold(block, serial=canvas.serial, first=canvas.first, folded=self._folded)
        self._surface.show(
            top=top,
            total=self._shown.height,
            in_view=self._in_view,
            selected=self._shown_at(self._place),
            note="" if self._shown.height else f"No span matches “{self.filter_text}”.",
            deepest=self._deepest,
        )

    def _shown_at(self, place: int | None) -> int | None:
        """Find the row of a span; None if it is folded or filtered away."""
        found = self._shown["place"].index_of(place) if place is not None else None
        return None if found is None else int(found)

    def _scroll(self, row: int) -> None:
        self.first_row = row

    def _fit(self, width: int) -> None:
        self._canvas.fit(self._rows, width)

    def _show_time(self, low: float, high: float) -> None:
        """Show the time between two instants, in nanoseconds since the trace began."""
        least, most = time_span(self._total)
        wide = min(max(high - low, _CLOSEST_ZOOM), most - least)
        start = min(max(low, least), most - wide)
        self._times = (round(start), round(start + wide))
        self._canvas.forget()
        self._draw()

    def _show_details(self) -> None:
        row = {} if self._place is None else self._rows.row(self._place, named=True)
        path = self._sections.filter(pl.col("place") == self._place)["length"].sum() if row else 0
        self._details.value = details_html(self.selected, row=row, on_path=int(path))
        self._controls.fold.disabled = not row or not row["below"]

    def _select(self, place: int) -> None:
        """Select a row, which ids alone do not name: client and server may share one."""
        self._place = place
        chosen = self._rows["span_id"][place]
        if chosen != self.selected_span_id:
            self.selected_span_id = chosen
        else:
            self._chosen()

    def _fold_selected(self) -> None:
        if self._place is not None:
            self._toggle(self._place)

    def _toggle(self, place: int) -> None:
        if self._rows["below"][place]:
            self._folded ^= {place}
            self._arrange()

    @traitlets.observe("trace_id")
    def _trace_chosen(self, change: dict[str, Any]) -> None:
        if change["old"]:
            self._open()

    @traitlets.observe("selected_span_id")
    def _span_chosen(self, change: dict[str, Any]) -> None:
        chosen = change["new"]
        if chosen is None:
            self._place = None
        elif self._place is None or self._rows["span_id"][self._place] != chosen:
            self._place = self._place_of(chosen)
        self._chosen()

    def _chosen(self) -> None:
        self._show_details()
        at, before = self._shown_at(self._place), self.first_row
        if at is not None and not before <= at < before + self._in_view:
            self.first_row = at - self._in_view // 2
        if self.first_row == before:
            self._draw()

    @traitlets.observe("first_row")
    def _scrolled(self, _: object) -> None:
        self._draw()

    @traitlets.observe("filter_text")
    def _filtered(self, _: object) -> None:
        self._arrange()

    def _moved(self, _: object, times: tuple[float, float] | None) -> None:
        """Follow a drag or the modebar."""
        if self._canvas.drawing or times is None:
            return
        low, high = self._times
        start, end = (time * self._canvas.scale for time in times)
        if max(abs(start - low), abs(end - high)) * 1000 > high - low:
            self._show_time(start, end)

    def _time_asked(self, low: float, high: float) -> None:
        self._show_time(low * self._canvas.scale, high * self._canvas.scale)

    def _told(self, _: object, message: dict[str, Any], __: object) -> None:
        """Do what a key or a click asks for, where the browser stands."""
        if isinstance(top := message.get("top"), int):
            self._surface.stands(top)
            self.first_row = top
        match message:
            case {"kind": "whole"}:
                self.zoom_out()
            case {"kind": "row", "row": int(row), "fold": fold} if 0 <= row < self._shown.height:
                place = self._shown["place"][row]
                self._toggle(place) if fold else self._select(place)
            case {"kind": "key", "key": str(key)}:
                self._pressed(key)

    def _pressed(self, key: str) -> None:
        match key:
            case "Escape":
                self.selected_span_id = None
            case "ArrowDown" | "ArrowUp":
                self._step(1 if key == "ArrowDown" else -1)
            case "ArrowLeft" | "ArrowRight" | "Enter" if self._place is not None:
                self._fold_by_key(key, self._place)

    def _step(self, by: int) -> None:
        """Select the next row, or the first in view if there is no selection."""
        at = self._shown_at(self._place)
        row = self.first_row if at is None else at + by
        if 0 <= row < self._shown.height:
            self._select(self._shown["place"][row])

    def _fold_by_key(self, key: str, place: int) -> None:
        """Left folds, or goes to the parent where nothing is left to fold; right unfolds; Enter does either."""
        closed, below = place in self._folded, self._rows["below"][place] > 0
        if key == "Enter" or (below and closed == (key == "ArrowRight")):
            self._toggle(place)
        elif key == "ArrowLeft":
            above = parent_place(self._rows, place)
            if above is not None:
                self._select(above)

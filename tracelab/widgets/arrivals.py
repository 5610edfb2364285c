"""The list of traces that arrive: what stands in its rows, and which one is chosen in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anywidget
import polars as pl
import traitlets

from tracelab.colors import service_colors
from tracelab.markup import cut, named, visible
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE: Final = Path(__file__).parent
_LONGEST: Final = 120


class Arrivals(anywidget.AnyWidget):
    """A table whose rows can be clicked; all its text is shown as text.

    Attributes
    ----------
    rows
        What to show, one dict a trace.
    chosen
        The id of the trace that is marked.
    note
        What to say where there are no rows.
    """

    _esm = _HERE / "arrivals.js"
    _css = _HERE / "arrivals.css"
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._views: int | None = None
        self._tell: Callable[[str], None] = lambda _: None
        self.add_class("tracelab-arrivals")
        self.on_msg(self._told)

    def on_chosen(self, tell: Callable[[str], None]) -> None:
        """Say whom to tell which trace was chosen."""
        self._tell = tell

    def is_seen(self) -> bool:
        """Say whether some page shows it, or none has had the time to."""
        return self._views != 0

    def show(self, traces: pl.DataFrame, *, note: str) -> None:
        """Show traces, as `latest_traces` gives them, and a note where there are none."""
        colors = service_colors(traces["service_name"].unique())
        starts = traces["start_time"].dt.to_string("%H:%M:%S%.3f")
        # As whole nanoseconds, which Python's own lengths of time do not hold.
        lengths = traces.with_columns(pl.col("duration", "p95").dt.total_nanoseconds())
        with self.hold_sync():
            self.note = note
            self.rows = [
                _row(trace, start, colors) for trace, start in zip(lengths.iter_rows(named=True), starts, strict=True)
            ]

    def _told(self, _: Any, message: Any, __: Any) -> None:
        """Hear what the browser says."""
        match message:
            case {"kind": "open", "trace_id": str(trace_id)}:
                self._tell(trace_id)
            case {"kind": "here"}:
                self._views = (self._views or 0) + 1
            case {"kind": "gone"}:
                self._views = max((self._views or 0) - 1, 0)


def _row(trace: dict[str, Any], start: str, colors: dict[str, str]) -> dict[str, Any]:
    errors, missing = trace["errors"], trace["missing_parents"]
    slow = f"longer than the p95 of {trace['alike']:,} traces that began alike: {format_duration(trace['p95'])}"
    waiting = f"{missing:,} of its spans name a parent that has not come"
    return {
        "trace_id": trace["trace_id"],
        "start": start,
        "color": colors[trace["service_name"]],
        "service": _text(trace["service_name"]),
        "name": _text(trace["name"]),
        "duration": format_duration(trace["duration"]),
        "spans": f"{trace['spans']:,}",
        "errors": f"{errors:,} {'error' if errors == 1 else 'errors'}" if errors else "",
        "slow": slow if trace["slow"] else "",
        "incomplete": waiting if missing else "",
    }


def _text(text: str | None) -> str:
    return visible(cut(named(text or ""), _LONGEST))

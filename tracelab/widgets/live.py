"""Traces as they arrive at a receiver: a list that keeps up by itself, and the timeline of the one that is clicked."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as ipw
import polars as pl
import traitlets

from tracelab.analysis.latest_traces import latest_traces
from tracelab.errors import TracelabError
from tracelab.live.receiver.live import Receiver
from tracelab.options import shown, whole
from tracelab.widgets.arrivals import Arrivals
from tracelab.widgets.controls import Notice
from tracelab.widgets.gantt import Gantt

if TYPE_CHECKING:
    from collections.abc import Callable

_OFTEN: Final = 0.5
_SHARE: Final = 10
_RATE_OVER: Final = 10.0


class Live(ipw.VBox):  # type: ignore[misc]
    """The traces of a receiver, as they arrive.

    The latest stands first. What failed says how many of its spans did. What is slow says so: it took longer than 95 %
    of the traces that began with the same service and name, of which there must be 20. Click a trace, or choose it with
    the arrows and Enter, and its timeline opens below, as it is at that moment.

    It looks for new spans twice a second, less often if looking takes long, also while a cell runs, and stops when it
    or the receiver is closed. While nobody shows it, it rests.

    Parameters
    ----------
    live
        The receiver, as `receive` gives it.
    rows
        How many traces are listed at most.

    Attributes
    ----------
    trace_id
        The trace whose timeline is open, or None. Set it to open another.
    paused
        While it is True the list stays as it is; the receiver goes on.

    Raises
    ------
    TracelabError
        It is no receiver, or holds no such trace, or `rows` is no number of rows.

    Examples
    --------
    >>> from tracelab.live import receive
    >>> with receive(http_port=0, grpc_port=None) as live:
    ...     widget = Live(live)
    ...     widget.traces.height
    0
    """

    trace_id = traitlets.Unicode(None, allow_none=True)
    paused = traitlets.Bool(default_value=False)

    def __init__(self, live: Receiver, *, rows: int = 15) -> None:
        self._stopped, self._timeline = threading.Event(), ipw.VBox([])
        if not isinstance(live, Receiver):
            raise TracelabError(f"`live` must be a receiver, as `tracelab.receive()` gives it, and is {shown(live)}.")
        self._live = live
        self._most = whole("rows", rows, least=1, why="It is how many traces are listed.")
        self._traces, self._opened = latest_traces(live.spans(), count=self._most), live.spans().clear()
        self._state: tuple[int, bool] | None = None
        self._came: deque[tuple[float, int]] = deque()
        self._refreshing = threading.Lock()
        self._status, self._notice, self._list = ipw.HTML(), Notice(), Arrivals()
        self._status.layout.flex = "1 1 200px"
        self._pause = ipw.ToggleButton(description="pause", icon="pause", layout=ipw.Layout(width="96px"))
        self._pause.tooltip = "Leave the list as it is; the receiver goes on"
        bar = ipw.HBox([self._pause, self._status], layout=ipw.Layout(flex_flow="row wrap", align_items="center"))
        super().__init__([bar, self._list, self._notice, self._timeline], layout=ipw.Layout(width="100%"))
        self.add_class("tracelab-live")
        traitlets.link((self._pause, "value"), (self, "paused"))
        self.observe(self._paused, "paused")
        self.observe(self._chosen, "trace_id")
        self._list.on_chosen(self._asked)
        self.refresh()
        self._thread = threading.Thread(target=self._keep_up, name="tracelab-live-widget", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"Live({self._live!r})"

    @property
    def traces(self) -> pl.DataFrame:
        """The traces that are listed, the latest first.

        Beside what `trace_summary` says of a trace, `alike` is how many began with that service and name, `p95` that of
        these, and `slow` whether it took longer.
        """
        return self._traces

    @property
    def selected(self) -> pl.DataFrame:
        """The spans of the trace whose timeline is open, as they were when it was opened; of none where none is."""
        return self._opened

    def refresh(self) -> None:
        """Look for what is new now, paused or not."""
        with self._refreshing:
            state = self._live.revision, self._live.closed
            if state != self._state:
                self._traces = latest_traces(self._live.spans(), count=self._most)
                self._state = state
                self._list.show(self._traces, note="" if self._traces.height else self._where())
            self._say()

    def close(self) -> None:
        """Take the widget away; the receiver goes on."""
        self._stopped.set()
        for gantt in self._timeline.children:
            gantt.close()
        super().close()

    @traitlets.validate("trace_id")
    def _known_trace(self, proposal: dict[str, Any]) -> str:
        wanted = str(proposal["value"])
        self._open(wanted)
        return wanted

    def _open(self, trace_id: str) -> None:
        """Show the timeline of a trace."""
        found = self._live.spans().filter(pl.col("trace_id") == trace_id)
        if found.is_empty():
            raise TracelabError(f"The receiver holds no trace {trace_id!r}. Old ones go when it would hold too much.")
        self._put(found, Gantt(found, rows=20))

    def _put(self, spans: pl.DataFrame, *timeline: Gantt) -> None:
        """Put a timeline, or none, in place of the one that is there."""
        old, self._timeline.children, self._opened = self._timeline.children, timeline, spans
        self._list.chosen = timeline[0].trace_id if timeline else ""
        for gantt in old:
            gantt.close()

    def _chosen(self, change: dict[str, Any]) -> None:
        if change["new"] is None:  # which nobody validates
            self._put(self._opened.clear())

    def _asked(self, trace_id: str) -> None:
        """Open the trace that was clicked, also the one that is open, which may have got spans since."""
        try:
            if trace_id == self.trace_id:
                self._open(trace_id)
            self.trace_id = trace_id
        except TracelabError as error:
            self._notice.say(str(error))
        else:
            self._notice.say("")

    def _paused(self, change: dict[str, Any]) -> None:
        paused = bool(change["new"])
        self._pause.description, self._pause.icon = ("go on", "play") if paused else ("pause", "pause")
        if paused:
            self._say()
        else:
            self.refresh()

    def _keep_up(self) -> None:
        """Look again and again, in a thread, so that the kernel is free and may be busy."""
        pause = _OFTEN
        while not self._stopped.wait(pause):
            closed = self._live.closed
            if not (closed or self._list.is_seen()):
                continue
            begin = time.monotonic()
            try:
                self._say() if self.paused else self.refresh()
            except Exception as error:  # noqa: BLE001 - whoever looks is to know that the list stands still
                self._notice.say(f"The list cannot keep up: {type(error).__name__}: {error}")
            pause = max(_OFTEN, _SHARE * (time.monotonic() - begin))
            if closed:
                return

    def _say(self) -> None:
        """Say what came, how fast, and what else there is to know."""
        counts = self._counts()
        now = time.monotonic()
        self._came.append((now, counts("spans received")))
        while now - self._came[0][0] > _RATE_OVER:
            self._came.popleft()
        self._status.value = status_html(counts, self._rate(), closed=self._live.closed, paused=self.paused)

    def _counts(self) -> Callable[..., int]:
        stats = self._live.stats()
        totals = dict(stats.group_by("what").agg(pl.col("count").sum()).iter_rows())
        totals["delivered twice"] = stats.filter(pl.col("of") == "delivered twice")["count"].sum()
        return lambda what: int(totals.get(what, 0))

    def _rate(self) -> float:
        (begin, before), (end, after) = self._came[0], self._came[-1]
        return (after - before) / max(end - begin, _OFTEN)

    def _where(self) -> str:
        if self._live.closed:
            return "The receiver is closed, and nothing came."
        http, grpc = self._live.http_url, self._live.grpc_url and f"http://{self._live.grpc_url}"
        ways = " or ".join(f"{url} ({kind})" for url, kind in ((http, "HTTP"), (grpc, "gRPC")) if url)
        return (
            f"Nothing has come yet. Send OTLP to {ways}. An OpenTelemetry SDK is told so by "
            f"OTEL_EXPORTER_OTLP_ENDPOINT={http or grpc}{'' if http else ' and OTEL_EXPORTER_OTLP_PROTOCOL=grpc'}"
        )


def status_html(counts: Callable[..., int], rate: float, *, closed: bool, paused: bool) -> str:
    """Put what came into words."""
    held, dropped = counts("spans held"), counts("spans dropped") - counts("delivered twice")
    parts = [
        "<b>closed</b>" if closed else "<b>paused</b>" if paused else "",
        f"{_many(held, 'span')} in {_many(counts('traces held'), 'trace')}",
        "" if closed else f"{_many(round(rate), 'span')}/s" if rate >= 1 or rate == 0 else "less than 1 span/s",
        f"{_many(dropped, 'span')} dropped" if dropped else "",
        f"{_many(counts('requests refused'), 'request')} refused" if counts("requests refused") else "",
    ]
    return f'<div class="tracelab-status">{" · ".join(part for part in parts if part)}</div>'


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"

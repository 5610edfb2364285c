"""What stands around the figure of the gantt: the box for traces, filter, buttons, a line for complaints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import ipywidgets as ipw
import polars as pl

from tracelab.analysis.timeline import typeable
from tracelab.markup import cut, plain, visible
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_OFFERED: Final = 200
_LONGEST: Final = 50


@dataclass(frozen=True, slots=True)
class Controls:
    """The parts; what they do is said where they are used."""

    traces: TraceBox
    filter: ipw.Text
    fold: ipw.Button
    notice: Notice
    bar: ipw.HBox


class Notice(ipw.HTML):  # type: ignore[misc]
    """A line that says what could not be done; nothing where all is well."""

    def say(self, text: str) -> None:
        """Say something, or nothing."""
        self.value = f'<div class="tracelab-notice">{plain(text, longest=600)}</div>' if text else ""


class TraceBox:
    """A box that offers the slowest traces, finds others by what is typed, and takes the id of any.

    The trace that is shown stands in the empty box, so that all that it offers can be seen and nothing need be deleted.
    """

    def __init__(self, traces: pl.DataFrame, chosen: Callable[[str], None], complain: Callable[[str], None]) -> None:
        self._chosen, self._complain = chosen, complain
        self._labels: dict[str, str] = {}
        self.box = ipw.Combobox(layout=ipw.Layout(flex="1 1 260px"), ensure_option=False)
        self.box.add_class("tracelab-traces")
        self.offer(traces)
        self.box.observe(lambda change: self._typed(change["new"]), "value")

    def offer(self, traces: pl.DataFrame) -> None:
        """Offer these traces, the slowest first, and no others."""
        words = pl.concat_str("service_name", pl.lit(": "), "name", pl.lit(" "), "trace_id")
        self._traces = traces.with_columns(
            words=typeable(words), length=pl.col("duration").dt.total_nanoseconds()
        ).drop("duration")
        self.box.tooltip = (
            f"{traces.height:,} traces, the slowest first. Type words of a service or name, or a trace id, to find one."
        )
        self._offer(self._traces)

    def show(self, trace_id: str) -> None:
        """Show which trace is chosen."""
        self.box.placeholder = _label(self._traces.row(by_predicate=pl.col("trace_id") == trace_id, named=True))
        self.box.value = ""

    def _offer(self, traces: pl.DataFrame) -> None:
        offered = {_label(row): row["trace_id"] for row in traces.head(_OFFERED).iter_rows(named=True)}
        self._labels = {_bare(label): trace_id for label, trace_id in offered.items()}
        self.box.options = tuple(offered)

    def _typed(self, text: str) -> None:
        """Show the trace whose label or id this is; else offer those that hold every word."""
        known = self._labels.get(_bare(text))
        wanted = text.strip().lower()
        if known is None and len(wanted) == len(self._traces["trace_id"][0]) and wanted in self._traces["trace_id"]:
            known = wanted
        if known is not None:
            self._chosen(known)
            return
        found = self._traces
        for word in wanted.split():
            found = found.filter(pl.col("words").str.contains(word, literal=True))
        if found.is_empty():
            self._chosen(text)
        else:
            self._complain("")
            self._offer(found)


def new_controls(
    traces: pl.DataFrame,
    chosen: Callable[[str], None],
    buttons: dict[tuple[str, str], Callable[[], None]],
) -> Controls:
    """Make the parts.

    Parameters
    ----------
    traces
        All traces, the slowest first.
    chosen
        What to do with a trace that was chosen, or with what was typed where no trace is like it.
    buttons
        Icon and tooltip of every button, and what it does; the first has words instead of an icon.
    """
    notice = Notice()
    box = TraceBox(traces, chosen, notice.say)
    text = ipw.Text(placeholder="filter by service or name", layout=ipw.Layout(flex="0 1 190px"))
    made = []
    for number, ((icon, tooltip), act) in enumerate(buttons.items()):
        look = {"icon": icon, "layout": {"width": "34px"}} if number else {"description": icon}
        button = ipw.Button(tooltip=tooltip, **look)
        button.on_click(lambda _, act=act: act())
        made.append(button)
    made[0].layout.width = "104px"
    return Controls(
        box, text, made[0], notice, ipw.HBox([box.box, text, *made], layout=ipw.Layout(flex_flow="row wrap"))
    )


def _label(trace: dict[str, object]) -> str:
    length = format_duration(trace["length"])  # type: ignore[arg-type]
    spans = f"{trace['spans']:,} {'span' if trace['spans'] == 1 else 'spans'}"
    return f"{length} · {_short(trace['service_name'])}: {_short(trace['name'])} · {spans} · {trace['trace_id']}"


def _short(text: object) -> str:
    """Cut what would push the rest out of the box, and show what would act in it."""
    return cut(visible(str(text)[: _LONGEST + 1]), _LONGEST)


def _bare(label: str) -> str:
    """Leave the blanks out, since a browser may give them back changed."""
    return "".join(label.split())

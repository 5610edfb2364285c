"""What stands around the figure of the gantt: the menu, the filter, the buttons, the slider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets as ipw

from tracelab.units import format_duration
from tracelab.widgets.gestures import Gestures

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl


@dataclass(frozen=True, slots=True)
class Controls:
    """The parts; what they do is said where they are used."""

    menu: ipw.Dropdown
    filter: ipw.Text
    fold: ipw.Button
    count: ipw.Label
    slider: ipw.IntSlider
    gestures: Gestures
    bar: ipw.HBox


def new_controls(traces: pl.DataFrame, buttons: dict[tuple[str, str], Callable[[], None]]) -> Controls:
    """Make the parts.

    Parameters
    ----------
    traces
        The traces that the menu offers.
    buttons
        Icon and tooltip of every button, and what it does; the first has words instead of an icon.
    """
    menu = ipw.Dropdown(options=_choices(traces), value=None, layout=ipw.Layout(flex="1 1 240px"))
    text = ipw.Text(
        placeholder="filter by service or name", continuous_update=False, layout=ipw.Layout(flex="0 1 170px")
    )
    made = []
    for number, ((icon, tooltip), act) in enumerate(buttons.items()):
        look = {"icon": icon, "layout": {"width": "34px"}} if number else {"description": icon}
        button = ipw.Button(tooltip=tooltip, **look)
        button.on_click(lambda _, act=act: act())
        made.append(button)
    made[0].layout.width = "104px"
    count = ipw.Label(layout=ipw.Layout(flex="0 0 auto"))
    slider = ipw.IntSlider(
        value=0, min=0, max=1, orientation="vertical", readout=False, layout=ipw.Layout(height="auto", width="28px")
    )
    gestures = Gestures()
    return Controls(menu, text, made[0], count, slider, gestures, ipw.HBox([menu, text, *made, count, gestures]))


def _choices(traces: pl.DataFrame) -> list[tuple[str, str]]:
    lengths = traces["duration"].dt.total_nanoseconds()
    columns = (lengths, traces["service_name"], traces["name"], traces["spans"], traces["trace_id"])
    return [
        (f"{format_duration(length)} · {service}: {name} · {count:,} spans · {trace_id[:8]}", trace_id)
        for length, service, name, count, trace_id in zip(*columns, strict=True)
    ]

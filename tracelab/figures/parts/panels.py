"""Small pictures of one kind side by side, one per group, with time to the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.figures.parts.style import NARROWEST, TEXT
from tracelab.figures.parts.text import fitting
from tracelab.markup import plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_COLUMNS: Final = ((3, 1), (8, 2))
_MANY: Final = 3
_ALONE, _HIGH, _LOW = 240, 150, 110
_TITLE: Final = 26
_ACROSS: Final = 0.03


class Panels:
    """A figure of panels, from left to right and from the top down, that share their axes of time and value.

    Lines of many groups in one picture cannot be told apart, and their intervals even less.
    """

    def __init__(self, groups: Sequence[str], windows: pl.Series, every: str) -> None:
        self.figure = go.Figure()
        self.groups = groups
        self._times = _seen(windows, every)
        self._columns = next((columns for most, columns in _COLUMNS if len(groups) <= most), _MANY)
        self._lines = max(-(-len(groups) // self._columns), 1)
        self.high = _ALONE if len(groups) <= 1 else _HIGH if len(groups) <= _COLUMNS[1][0] else _LOW
        self.inner = self._lines * (self.high + _TITLE)
        self.interval = min(max(0.6 * (NARROWEST - 90) / self._columns / max(windows.n_unique(), 1), 1.0), 3.0)
        """How thick the line of an interval may be, so that those of many windows do not run into one another."""
        self._places = {group: place for place, group in enumerate(groups)}

    def draw_axes(self, value_axis: dict[str, Any]) -> None:
        """Draw a panel per group, whose axis of values this is; the title stands at the first of each line."""
        for group, place in self._places.items() or {"": 0}.items():
            self._panel(group, place, value_axis)
        last = max(len(self.groups), 1) - 1
        for column in range(min(self._columns, last + 1)):
            lowest = last - (last - column) % self._columns
            self.figure.layout[_axis("xaxis", column)] = {
                "title": "time (UTC)",
                "tickangle": 0,
                "nticks": max(7 // self._columns, 3),
                **({"range": self._times} if self._times else {}),
                "domain": self._across(column),
                "anchor": f"y{lowest + 1}" if lowest else "y",
                **({"matches": "x"} if column else {}),
            }

    def add(self, group: str, **trace: Any) -> None:
        """Add a line with marks to the panel of a group."""
        place = self._places[group]
        column = place % self._columns
        self.figure.add_scatter(
            xaxis=f"x{column + 1}" if column else "x", yaxis=f"y{place + 1}" if place else "y", **trace
        )

    def _across(self, column: int) -> tuple[float, float]:
        width = (1 - _ACROSS * (self._columns - 1)) / self._columns
        return column * (width + _ACROSS), min(column * (width + _ACROSS) + width, 1.0)

    def _panel(self, group: str, place: int, value_axis: dict[str, Any]) -> None:
        line, column = divmod(place, self._columns)
        top = 1 - line / self._lines
        first = column == 0
        self.figure.layout[_axis("yaxis", place)] = {
            **value_axis,
            "title": value_axis["title"] if first else None,
            "domain": (1 - (line + 1) / self._lines + (4 / self.inner), top - _TITLE / self.inner),
            "anchor": f"x{column + 1}" if column else "x",
            "showticklabels": first,
            **({"matches": "y"} if place else {}),
        }
        left, right = self._across(column)
        room = (right - left) * (NARROWEST - 90)
        self.figure.add_annotation(
            text=plain(fitting(group, room, 12)), x=left, xref="paper", xanchor="left",
            y=top - (_TITLE - 2) / self.inner, yref="paper", yanchor="bottom", showarrow=False,
            font={"size": 12, "color": TEXT}, hovertext=plain(group),
        )  # fmt: skip


def _seen(windows: pl.Series, every: str) -> list[str]:
    """Give the times to show: half a window more than there are on both sides."""
    if not windows.len():
        return []
    low, high = windows.min(), windows.max()
    half = pl.select(pl.lit(pl.Series([low], dtype=windows.dtype)).dt.offset_by(every)).to_series()[0] - low
    return [(low - half / 2).isoformat(), (high + half / 2).isoformat()]


def with_breaks(answer: pl.DataFrame, every: str) -> pl.DataFrame:
    """Put a row of nulls where windows are missing in a group, sorted by time, so that no line runs over them."""
    after = pl.col("window").shift(-1) > pl.col("window").dt.offset_by(every)
    breaks = answer.filter(after).select(pl.col("window").dt.offset_by(every))
    return pl.concat([answer, breaks], how="diagonal").sort("window", maintain_order=True)


def beginnings(answer: pl.DataFrame, *, over_time: bool) -> list[str]:
    """Say for each row when its window begins, as the last line of what is said of it; nothing without windows."""
    if not over_time:
        return [""] * answer.height
    return [f"<br>from {moment(begin)}" for begin in answer["window"]]


def moment(time: datetime) -> str:
    """Write when a window begins or ends, in UTC."""
    return str(time.replace(tzinfo=None))


def _axis(name: str, place: int) -> str:
    return f"{name}{place + 1}" if place else name

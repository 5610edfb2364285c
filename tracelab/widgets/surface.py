"""What lies over the figure in the browser: names, selection, tooltip, scrollbar; and what pointer and keys ask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anywidget
import polars as pl
import traitlets

from tracelab.figures.charts.gantt import tips
from tracelab.markup import visible

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE: Final = Path(__file__).parent
_LETTER: Final = 6.6
_SIGNS: Final = 40
_NARROWEST: Final = 150
_WIDEST: Final = 330
_INDENT: Final = 12
_DEEPEST: Final = 150
_BREAKS: Final = "\r\n\t"  # the browser shows them as blanks


class Surface(anywidget.AnyWidget):
    """The JavaScript of the gantt. It scrolls within the rows that it holds without asking the kernel.

    Attributes
    ----------
    block
        The rows that the browser holds: their names and what is told of them, and the number of the drawing that
        belongs to them.
    view
        What of them to show: how many rows there are and are in view, the one that is selected, what to say where there
        is none. `top` is obeyed when `moves` has grown, so that an answer which comes late pulls no one back.
    width
        How many pixels wide the gantt is; 0 as long as nobody has seen it.
    place
        Where the browser stands: the row at the top, and a number that grows.
    times
        The ends of the time that the browser asks for, in the unit of the axis, and a number that grows.
    """

    _esm = _HERE / "surface.js"
    _css = _HERE / "surface.css"
    block = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    width = traitlets.Int(0).tag(sync=True)
    place: traitlets.List[Any] = traitlets.List().tag(sync=True)
    times: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._moves = self._at = 0
        self.add_class("tracelab-surface")

    def listen(
        self,
        *,
        scrolled: Callable[[int], None],
        zoomed: Callable[[float, float], None],
        resized: Callable[[int], None],
    ) -> None:
        """Say whom to tell where the browser stands, which time it asks for, and how wide it is."""

        def arrived(change: dict[str, Any]) -> None:
            self.stands(int(change["new"][0]))
            scrolled(self._at)

        self.observe(arrived, "place")
        self.observe(lambda change: resized(int(change["new"])), "width")
        self.observe(lambda change: zoomed(*map(float, change["new"][:2])), "times")

    def stands(self, row: int) -> None:
        """Take note of the row that the browser has at the top."""
        self._at = row

    def hold(self, rows: pl.DataFrame, *, serial: int, first: int, folded: frozenset[int]) -> None:
        """Send the names of rows, and what is told of them where the pointer is."""
        columns = rows.select("name", "depth", "below", "is_error", "fragment", "early", "place")
        names, depths, below, errors, fragments, early, places = columns.get_columns()
        self.block = {
            "serial": serial,
            "first": first,
            "name": [visible(name, keep=_BREAKS) for name in names],
            "depth": depths.to_list(),
            "below": below.to_list(),
            "closed": [place in folded for place in places],
            "error": errors.to_list(),
            "fragment": fragments.to_list(),
            "early": (early > 0).to_list(),
            "tip": [[visible(line, keep=_BREAKS) for line in lines] for lines in tips(rows)],
        }

    def show(self, *, top: int, total: int, in_view: int, selected: int | None, note: str, deepest: int) -> None:
        """Say what to show of the rows."""
        if top != self._at:
            self._at = top
            self._moves += 1
        self.view = {
            "top": top,
            "moves": self._moves,
            "total": total,
            "in_view": in_view,
            "selected": selected,
            "note": note,
            "deepest": deepest,
        }


def label_width(rows: pl.DataFrame, *, among: int) -> int:
    """Give names the room that the longest of the trace needs, so that nothing moves when rows scroll.

    Where the gantt is `among` pixels wide, bars get the better half; 0 is as wide as need be.
    """
    step = min(_INDENT, _DEEPEST / max(int(rows["depth"].max() or 0), 1))  # type: ignore[arg-type]
    widths = rows.select((pl.col("depth") * step + pl.col("name").str.len_chars() * _LETTER).max())
    wanted = int(min(max(widths.item() or 0, _NARROWEST), _WIDEST)) + _SIGNS
    return min(wanted, max(among * 2 // 5, _SIGNS)) if among else wanted

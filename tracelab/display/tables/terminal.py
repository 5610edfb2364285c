"""Tables on a terminal: which columns find room in a line, how wide each is, and where its bounds stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from tracelab.display.tables.headings import broken, least_width, whole_width
from tracelab.display.tables.importance import COUNTS, GO, OTHERS, STAY, figures_first, importances
from tracelab.display.words import IDS, NULL, SENTENCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import ConsoleOptions

    from tracelab.display.tables.cells import Cells

_NARROWEST: Final = 16
_SQUEEZED: Final = 8
_READABLE: Final = 36
_SENTENCE: Final = 40
_GAP: Final = 2


class Fit(NamedTuple):
    """How a table fits a terminal: the widths of the columns that do, and whether their bounds stand beside them."""

    widths: dict[str, int]
    bounds: bool

    def left_out(self, columns: Sequence[Cells]) -> list[str]:
        """Name the columns of the frame that are not there."""
        names = []
        for column in columns:
            there = column.name in self.widths
            names += [name for name in column.names() if not there or (name != column.name and not self.bounds)]
        return names


def fit(columns: Sequence[Cells], room: int) -> Fit:
    """Choose the columns that fit and how wide each is: text may be folded, all else is shown whole or not at all.

    Bounds stand in the cell of their figure, and beside all figures or none: a figure without would look as if it had
    none.
    """
    natural = {column.name: _natural(column) for column in columns}
    least = {column.name: _least(column, natural[column.name]) for column in columns}
    beside = {column.name: _interval_width(column) for column in columns}
    ranks = importances(columns)
    widths: dict[str, int] = {}
    left = room + _GAP
    bounds = False
    for rank in range(STAY, GO + 1):
        ranked = [column for column in columns if ranks[column.name] == rank]
        if rank == OTHERS:
            figures = sum(least[column.name] + beside[column.name] + _GAP for column in ranked if column.bounds)
            there = sum(beside[name] for name in widths)
            bounds = 0 < there <= left or 0 < there + figures <= left
            left -= there if bounds else 0
            ranked.sort(key=lambda column: not column.bounds)
        for column in figures_first(ranked) if rank == STAY else ranked:
            narrow = _squeezed(column, least[column.name]) if rank == STAY else least[column.name]
            further = beside[column.name] if bounds else 0
            if narrow + further + _GAP <= left or not widths:
                widths[column.name] = narrow
                left -= narrow + further + _GAP
        if rank == STAY:
            left -= _widen(widths, least, left)
        if rank == COUNTS:  # names in one line are worth more than one column more
            left -= _widen(widths, {name: min(natural[name], _READABLE) for name in widths}, left)
    left -= _widen(widths, natural, left)
    if not bounds:
        bounds = 0 < sum(beside[name] for name in widths) <= left
        left -= sum(beside[name] for name in widths) if bounds else 0
    headings = {column.name: whole_width(column.heading) for column in columns}
    _widen(widths, {name: headings[name] - (beside[name] if bounds else 0) for name in widths}, left)
    return Fit({column.name: widths[column.name] for column in columns if column.name in widths}, bounds)


def drawn(columns: Sequence[Cells], fitted: Fit, options: ConsoleOptions) -> Table:
    """Draw the columns that fit."""
    table = Table(
        box=box.SIMPLE_HEAD if options.encoding.startswith("utf") else box.ASCII_DOUBLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    kept = [column for column in columns if column.name in fitted.widths]
    texts = []
    for column in kept:
        further = _interval_width(column) if fitted.bounds else 0
        width = fitted.widths[column.name]
        heading = broken(column.heading, width + further)
        if further:
            # What is padded here is put to the left, since rich takes blanks off the end before it puts to the right.
            heading = [_right(line, width + further) for line in heading]
            texts.append(_with_bounds(column, width, further))
        else:
            texts.append([Text(NULL, style="dim") if text is None else Text(text) for text in column.texts])
        table.add_column(
            Text("\n".join(heading)),
            justify="right" if column.number and not further else "left",
            overflow="fold",
            width=width + further,
        )
    for row in zip(*texts, strict=True):
        table.add_row(*row)
    return table


def _with_bounds(column: Cells, width: int, further: int) -> list[Text]:
    return [
        Text(_right(NULL if text is None else text, width) + _right(interval, further))
        for text, interval in zip(column.texts, column.intervals, strict=True)
    ]


def _right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text


def _interval_width(column: Cells) -> int:
    """Say how much wider a figure is with its bounds behind it, and a blank between them."""
    widest = max(map(cell_len, column.intervals), default=0)
    return widest + 1 if widest else 0


def _widen(widths: dict[str, int], wanted: dict[str, int], room: int) -> int:
    """Give columns the width that they want as far as there is room, and say how much it took."""
    left = room
    for name in sorted(widths, key=wanted.__getitem__):
        more = max(0, min(wanted[name] - widths[name], left))
        widths[name] += more
        left -= more
    return room - left


def _least(column: Cells, natural: int) -> int:
    """Say how narrow a column may be: what is folded keeps its ids whole."""
    if column.whole:
        return natural
    ids = [word for text in column.texts if text for word in text.split(", ")] if IDS.fullmatch(column.name) else []
    narrowest = _SENTENCE if SENTENCES.fullmatch(column.name) else _NARROWEST
    return max(min(natural, narrowest), *(cell_len(word) + 1 for word in ids), 1)


def _squeezed(column: Cells, least: int) -> int:
    """Say how narrow a column may be rather than be left out: a time may stand below its date."""
    if column.dtype.startswith("Datetime"):
        words = [word for text in column.texts if text for word in text.split(" ")]
        return min(least, max([*map(cell_len, words), least_width(column.heading)]))
    return least if column.whole or SENTENCES.fullmatch(column.name) else min(least, _SQUEEZED)


def _natural(column: Cells) -> int:
    """Say how wide a column would like to be: its widest value, or the longest word of its heading."""
    texts = max((cell_len(text) for text in column.texts if text is not None), default=1)
    return max(least_width(column.heading), texts)

"""What shows a frame: `show` for people who type it, `shown` for what prints and writes answers."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from rich.console import Console, Group
from rich.text import Text

from tracelab.display.tables import looks, web
from tracelab.display.tables.cells import Cells, cells
from tracelab.display.tables.choosing import named, span_columns
from tracelab.display.tables.terminal import drawn, fit
from tracelab.display.words import counted, share_columns, zones
from tracelab.frames import as_polars
from tracelab.markup import cut, visible
from tracelab.options import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from rich.console import ConsoleOptions, RenderResult

ROWS: Final = 20
_MOST_ROWS: Final = 2**31 - 1
_LISTED: Final = 6
_LONGEST_NAME: Final = 120


class Shown:
    """A frame as people read it: `1.02 s` and `4.0 %`, ids whole, numbers to the right.

    A notebook shows it as HTML, `print` as text as wide as the terminal. Where columns bound a figure, they stand in
    its cell: `4.0 % (1.1 - 3.5 %)`.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        columns: Sequence[Cells],
        *,
        rows: int,
        of_columns: int,
        notes: Sequence[str] = (),
        hint: str = "",
        links: web.Links | None = None,
    ) -> None:
        self._frame = frame
        self._columns = columns
        self._rows = rows
        self._of_columns = of_columns
        self._notes = notes
        self._hint = hint
        self._links = links or {}

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        steps = web.giving_way(self._columns, interactive=False, links=self._links)
        return f"<style>{looks.style(set(steps.values()))}</style>{self._html(steps, interactive=False)}"

    def html(self, *, interactive: bool = False) -> str:
        """Give the table as HTML; `STYLE` stands once in its page, and `SCRIPT` where a table is interactive.

        Of an interactive table a click on a heading sorts the rows by their exact values, and there is a box to filter
        them by where they are many. Ids of exemplars that lead somewhere stand in two lines there.
        """
        steps = web.giving_way(self._columns, interactive=interactive, links=self._links)
        return self._html(steps, interactive=interactive)

    def text(self, *, width: int | None = None) -> str:
        """Give the table as text of at most so many characters a line; columns that find no room are named below."""
        wide = shutil.get_terminal_size().columns if width is None else width
        console = Console(
            file=io.StringIO(),
            width=wide,
            color_system=None,
            force_terminal=False,
            force_jupyter=False,  # else rich sends the table to a notebook by itself, which then shows it twice
            legacy_windows=False,
        )
        with console.capture() as captured:
            console.print(self)
        return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fitted = fit(self._columns, options.max_width)
        beside = fitted.bounds and any(column.bounds for column in self._columns if column.name in fitted.widths)
        note = self._note(fitted.left_out(self._columns), bounds=beside)
        yield Group(drawn(self._columns, fitted, options), Text(note, style="dim"))

    def _html(self, steps: dict[str, int], *, interactive: bool) -> str:
        note = self._note(bounds=any(column.bounds for column in self._columns))
        return web.table(self._columns, self._frame, note, links=self._links, steps=steps, interactive=interactive)

    def _note(self, left_out: Sequence[str] = (), *, bounds: bool) -> str:
        """Say what is not shown, rows and columns, what stands in brackets, and in which zone times are."""
        rows = counted(self._rows, "row")
        height, width = self._frame.shape
        parts = [rows if height == self._rows else f"{height:,} of {rows}"]
        if self._of_columns > width:
            parts.append(f"{width - len(left_out):,} of {counted(self._of_columns, 'column')}")
        elif left_out:
            names = ", ".join(visible(cut(name, _LONGEST_NAME)) for name in left_out[:_LISTED])
            names += ", ..." if len(left_out) > _LISTED else ""
            parts.append(f"{counted(len(left_out), 'column')} more: {names}{f' ({self._hint})' if self._hint else ''}")
        return "; ".join([*parts, *(["bounds in brackets"] if bounds else []), *self._notes])


def show(frame: Any, *, rows: int = ROWS, columns: str | Sequence[str] | None = None) -> Shown:
    """Show a frame as people read it: durations as `1.02 s`, shares as `4.0 %`, ids whole.

    Nothing of the frame changes: it keeps its dtypes, and what is shown is no frame. In a notebook,
    `%load_ext tracelab` shows every polars frame so that stands at the end of a cell.

    Parameters
    ----------
    frame
        A span frame, an answer, or any other table: polars (a LazyFrame is collected as far as it is shown) or pandas.
    rows
        How many rows to show, from the top.
    columns
        Which columns to show, in this order; by default all. Of a span frame with many columns the start, duration,
        service, name, kind and status, columns of your own, the attributes that differ between the rows shown, and
        the ids.

    Returns
    -------
    An object that a notebook shows as an HTML table and `print` as text. Below stand the numbers of rows and columns
    where not all are shown, and the time zone.

    Raises
    ------
    SchemaError
        There is no such column, or what was passed is no frame.
    TracelabError
        `rows` is no number of rows, or `columns` are no names.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> show(draw("api::GET / ====="), columns=["service_name", "name", "duration"])
    service name  name   duration
    ─────────────────────────────
    api           GET /      5 ms
    1 row; 3 of 21 columns
    """
    rows = min(whole("rows", rows, least=1, why="It is the number of rows to show."), _MOST_ROWS)
    table = (
        frame
        if isinstance(frame, pl.LazyFrame)
        else as_polars(
            frame, what="frame", remedy="Pass a polars or pandas frame, such as an answer.", mixed_as_text=True
        )
    )
    head, total = _head(table, rows)
    chosen = span_columns(head) if columns is None else named(columns, head.columns)
    return _shown(head.select(chosen), rows=total, shares=share_columns(table.select(chosen)), of_columns=head.width)


def shown(
    frame: pl.DataFrame,
    *,
    rows: int,
    hint: str = "",
    links: Mapping[str, Callable[[str], str | None]] | None = None,
    trends: Collection[str] = (),
) -> Shown:
    """Show the first rows of an answer with all its columns.

    Parameters
    ----------
    frame
        The answer.
    rows
        How many rows, from the top.
    hint
        Where those columns are that find no room.
    links
        For each column that leads somewhere, what gives the address of a value, or None; used in HTML. Only `http:`,
        `https:` and `#` lead anywhere.
    trends
        Columns of lists of numbers that are drawn as small lines; null items are gaps.

    Raises
    ------
    SchemaError
        There is no column of a trend, or it holds no lists of numbers.
    """
    drawn_columns = named(trends, frame.columns)
    return _shown(
        frame.head(rows), rows=frame.height, shares=share_columns(frame), of_columns=frame.width, hint=hint,
        links=links, trends=drawn_columns,
    )  # fmt: skip


def _shown(
    frame: pl.DataFrame,
    *,
    rows: int,
    shares: set[str],
    of_columns: int,
    hint: str = "",
    links: web.Links | None = None,
    trends: Collection[str] = (),
) -> Shown:
    """Put the rows that are there into words; `rows` and `of_columns` say of how many."""
    by_zone = zones(frame)
    notes = [
        f"times in {visible(zone)}" if len(by_zone) == 1 else f"{', '.join(map(visible, names))} in {visible(zone)}"
        for zone, names in by_zone.items()
    ]
    columns = cells(frame, shares=shares, drawn=trends)
    return Shown(frame, columns, rows=rows, of_columns=of_columns, notes=notes, hint=hint, links=links)


def _head(frame: pl.DataFrame | pl.LazyFrame, rows: int) -> tuple[pl.DataFrame, int]:
    """Take the first rows, and count all."""
    if isinstance(frame, pl.DataFrame):
        return frame.head(rows), frame.height
    head, count = pl.collect_all([frame.head(rows), frame.select(pl.len())])
    return head, count.item()

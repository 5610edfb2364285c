"""Frames as tables for people: in a notebook, on a terminal, in the report."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from rich import box
from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tracelab.display.words import IDS, NULL, Column, counted, in_words, share_columns, zones
from tracelab.errors import SchemaError, TracelabError
from tracelab.frames import as_polars
from tracelab.markup import plain, visible
from tracelab.options import shown as written
from tracelab.options import whole
from tracelab.schema import SPAN_SCHEMA, is_attribute, is_type_companion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import ConsoleOptions, RenderResult

ROWS: Final = 20
_MOST_ROWS: Final = 2**31 - 1

# What one looks at first in a span, and what comes last.
_SPAN_FIRST: Final = ("start_time", "duration", "service_name", "name", "kind", "status_code", "status_message")
_SPAN_LAST: Final = ("trace_id", "span_id", "parent_span_id")
_PLUMBING: Final = re.compile(
    r"span\.(?:net|network|server|client|user_agent|thread|code)\.|.*(?:size|version|flavor)$"
)
_MANY_COLUMNS: Final = 12
_ATTRIBUTES: Final = 4

# Where a table is too wide for a terminal: these stay longest, then ids of traces, then numbers of things, then the
# others; these go first.
_STAY: Final = re.compile(
    r"(?:.+_)?(?:service_name|name)|caller|callee|quantile|duration|problem|count|status_code|error_rate"
    r"|time|value|share|severity|rule|where|p\d*|(?:error_rate|p\d+)_(?:kept|weighted)"
)
_COUNTS: Final = re.compile(r"spans|errors|traces|requests|calls|matched|kept_alone|never_matched")
_BOUND: Final = re.compile(r".+_(?:lower|upper)")
_GO: Final = re.compile(
    r"exemplar_.*|(?:root_|parent_)?span_id|.*_seen|depth|fragments|missing_parents|instrumented|.+_(?:lower|upper)"
)
_PERCENTILE: Final = re.compile(r"p\d+(?:_kept|_weighted)?")
_VALUE: Final = "value"
_STAY_RANK, _IDS_RANK, _COUNTS_RANK, _OTHERS_RANK, _GO_RANK = range(5)
_NARROWEST: Final = 16
_SQUEEZED: Final = 8
_READABLE: Final = 36
_GAP: Final = 2
_LISTED: Final = 6

# The name twice, so that it outweighs what a notebook says of all tables.
STYLE: Final = """
.tracelab-table { max-width: 100%; overflow-x: auto; color: var(--jp-content-font-color1, inherit); }
.tracelab-table.tracelab-table table { border-collapse: collapse; border: none; margin: 0; table-layout: auto;
  width: auto; font-size: 13px; font-variant-numeric: tabular-nums; color: inherit; }
.tracelab-table.tracelab-table th, .tracelab-table.tracelab-table td { text-align: left; vertical-align: top;
  padding: 3px 10px; border: none; border-bottom: 1px solid var(--jp-border-color2, rgba(128, 128, 128, .25));
  white-space: nowrap; max-width: none; }
.tracelab-table.tracelab-table th { font-weight: 600; color: var(--jp-content-font-color2, inherit);
  white-space: normal; vertical-align: bottom; }
.tracelab-table.tracelab-table td.long { white-space: normal; overflow-wrap: anywhere; min-width: 22em;
  max-width: 36em; }
.tracelab-table.tracelab-table .number { text-align: right; }
.tracelab-table.tracelab-table td.id { font-family: var(--jp-code-font-family, ui-monospace, monospace);
  font-size: 12px; }
.tracelab-table.tracelab-table td.null, .tracelab-table p { opacity: .6; }
.tracelab-table p { margin: 6px 0 0; padding-left: 10px; font-size: 12px; }
"""
_LONG: Final = 44


class Shown:
    """A frame as people read it: `1.02 s` and `4.0 %`, ids whole, numbers to the right.

    A notebook shows it as HTML, `print` as text as wide as the terminal. It holds words only; numbers stay in the
    frame.
    """

    def __init__(
        self, columns: list[Column], *, rows: int, of_columns: int, notes: Sequence[str] = (), hint: str = ""
    ) -> None:
        self._columns = columns
        self._height = len(columns[0].texts) if columns else 0
        self._rows = rows
        self._of_columns = of_columns
        self._notes = notes
        self._hint = hint

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{self.html()}"

    def html(self) -> str:
        """Give the table as HTML, without its style."""
        head = "".join(
            f'<th{_class("number" if column.number else "")} title="{plain(column.dtype).replace(chr(34), "&quot;")}">'
            f"{plain(column.name).replace('_', '_<wbr>')}</th>"
            for column in self._columns
        )
        cells = [[_html_cell(column, text) for text in column.texts] for column in self._columns]
        body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
        return (
            # A notebook would typeset what stands between dollar signs.
            '<div class="tracelab-table tex2jax_ignore mathjax_ignore">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{plain(self._note(), longest=2_000)}</p></div>"
        )

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
        widths = _widths(self._columns, options.max_width)
        table = Table(
            box=box.SIMPLE_HEAD if options.encoding.startswith("utf") else box.ASCII_DOUBLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        kept = [column for column in self._columns if column.name in widths]
        for column in kept:
            table.add_column(
                Text(_broken(column, widths[column.name])),
                justify="right" if column.number else "left",
                overflow="fold",
                width=widths[column.name],
            )
        for row in zip(*(column.texts for column in kept), strict=True):
            table.add_row(*(Text(NULL, style="dim") if text is None else Text(text) for text in row))
        left_out = [visible(column.name) for column in self._columns if column.name not in widths]
        yield Group(table, Text(self._note(left_out), style="dim"))

    def _note(self, left_out: Sequence[str] = ()) -> str:
        """Say what is not shown, rows and columns, and in which zone times are."""
        rows = counted(self._rows, "row")
        parts = [rows if self._height == self._rows else f"{self._height:,} of {rows}"]
        if self._of_columns > len(self._columns):
            parts.append(f"{len(self._columns) - len(left_out):,} of {counted(self._of_columns, 'column')}")
        elif left_out:
            names = ", ".join(left_out[:_LISTED]) + (", ..." if len(left_out) > _LISTED else "")
            parts.append(f"{counted(len(left_out), 'column')} more: {names}{f' ({self._hint})' if self._hint else ''}")
        return "; ".join([*parts, *self._notes])


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
    service_name  name   duration
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
    chosen = _span_columns(head) if columns is None else _named(columns, head.columns)
    return _shown(head.select(chosen), rows=total, shares=share_columns(table.select(chosen)), of_columns=head.width)


def shown(frame: pl.DataFrame, *, rows: int, hint: str = "") -> Shown:
    """Show the first rows of an answer with all its columns; `hint` says where those are that find no room."""
    return _shown(frame.head(rows), rows=frame.height, shares=share_columns(frame), of_columns=frame.width, hint=hint)


def _shown(frame: pl.DataFrame, *, rows: int, shares: set[str], of_columns: int, hint: str = "") -> Shown:
    """Put the rows that are there into words; `rows` and `of_columns` say of how many."""
    by_zone = zones(frame)
    notes = [
        f"times in {visible(zone)}" if len(by_zone) == 1 else f"{', '.join(map(visible, names))} in {visible(zone)}"
        for zone, names in by_zone.items()
    ]
    return Shown(in_words(frame, shares=shares), rows=rows, of_columns=of_columns, notes=notes, hint=hint)


def _head(frame: pl.DataFrame | pl.LazyFrame, rows: int) -> tuple[pl.DataFrame, int]:
    """Take the first rows, and count all."""
    if isinstance(frame, pl.DataFrame):
        return frame.head(rows), frame.height
    head, count = pl.collect_all([frame.head(rows), frame.select(pl.len())])
    return head, count.item()


def _named(columns: Any, names: list[str]) -> list[str]:
    known = [columns] if isinstance(columns, str) else columns
    if not isinstance(known, Iterable) or isinstance(known, bytes | pl.DataFrame | pl.LazyFrame):
        raise TracelabError(f"`columns` must be names of columns, got {written(columns)}. Pass one, or a list of them.")
    chosen = list(known)
    for column in chosen:
        if not isinstance(column, str):
            raise TracelabError(f"`columns` must be names of columns, got {written(column)}. Pass them as text.")
        if column not in names:
            near = get_close_matches(column, names, n=3)
            hint = f"Did you mean {', '.join(map(repr, near))}?" if near else f"There are {', '.join(names[:10])}."
            raise SchemaError(f"The frame has no column {column!r}. {hint}")
    return list(dict.fromkeys(chosen))


def _span_columns(head: pl.DataFrame) -> list[str]:
    """Choose the columns that matter of a frame of spans; of any other frame, all."""
    names = head.columns
    if len(names) <= _MANY_COLUMNS or not {*_SPAN_FIRST[:4], *_SPAN_LAST[:2]} <= set(names):
        return names
    first = [name for name in _SPAN_FIRST if name in names and (name in _SPAN_FIRST[:4] or _says_something(head[name]))]
    own = [name for name in names if name not in SPAN_SCHEMA and not is_attribute(name)]
    attributes = [name for name in names if is_attribute(name) and not is_type_companion(name)]
    telling = sorted((name for name in attributes if _tells_apart(head, name)), key=lambda name: _rank(head, name))
    last = [name for name in _SPAN_LAST if name in names]
    return [*first, *own, *telling[:_ATTRIBUTES], *last]


def _says_something(column: pl.Series) -> bool:
    return column.null_count() < column.len()


def _tells_apart(head: pl.DataFrame, attribute: str) -> bool:
    """Say whether an attribute tells spans of one service apart; a list of values is no help in a table."""
    if head.schema[attribute].is_nested():
        return False
    known = head.select("service_name", attribute).drop_nulls(attribute)
    return known.n_unique() > known["service_name"].n_unique()


def _rank(head: pl.DataFrame, attribute: str) -> tuple[bool, bool, int]:
    """Put what spans do before their connections, both before processes, and what most spans have first."""
    return not attribute.startswith("span."), bool(_PLUMBING.match(attribute)), head[attribute].null_count()


def _widths(columns: list[Column], room: int) -> dict[str, int]:
    """Choose the columns that fit and how wide each is: text may be folded, all else is shown whole or not at all."""
    natural = {column.name: _natural(column) for column in columns}
    widths: dict[str, int] = {}
    left = room + _GAP
    bounds = [column for column in columns if _BOUND.fullmatch(column.name)]
    least = {column.name: _least(column, natural[column.name]) for column in columns}
    ranks = _importances(columns)
    for rank in range(_STAY_RANK, _GO_RANK + 1):
        # Bounds beside some figures and not beside others would look as if those had none.
        all_fit = sum(least[column.name] + _GAP for column in bounds) <= left
        ranked = [column for column in columns if ranks[column.name] == rank and (all_fit or column not in bounds)]
        for column in _figures_first(ranked) if rank == _STAY_RANK else ranked:
            narrow = _squeezed(column, least[column.name]) if rank == _STAY_RANK else least[column.name]
            if narrow + _GAP <= left or not widths:
                widths[column.name] = narrow
                left -= narrow + _GAP
        if rank == _STAY_RANK:
            left -= _widen(widths, least, left)
        if rank == _COUNTS_RANK:  # names in one line are worth more than one column more
            left -= _widen(widths, {name: min(natural[name], _READABLE) for name in widths}, left)
    left -= _widen(widths, natural, left)
    _widen(widths, {name: cell_len(visible(name)) for name in widths}, left)
    return {column.name: widths[column.name] for column in columns if column.name in widths}


def _widen(widths: dict[str, int], wanted: dict[str, int], room: int) -> int:
    """Give columns the width that they want as far as there is room, and say how much it took."""
    left = room
    for name in sorted(widths, key=wanted.__getitem__):
        more = max(0, min(wanted[name] - widths[name], left))
        widths[name] += more
        left -= more
    return room - left


def _least(column: Column, natural: int) -> int:
    """Say how narrow a column may be: what is folded keeps its ids whole."""
    if column.whole:
        return natural
    ids = [word for text in column.texts if text for word in text.split(", ")] if IDS.fullmatch(column.name) else []
    return max(min(natural, _NARROWEST), *(cell_len(word) + 1 for word in ids), 1)


def _squeezed(column: Column, least: int) -> int:
    """Say how narrow a column may be rather than be left out: a time may stand below its date."""
    if column.dtype.startswith("Datetime"):
        words = [word for text in column.texts if text for word in text.split(" ")]
        return min(least, max(map(cell_len, [*words, *_parts(column.name)])))
    return least if column.whole else min(least, _SQUEEZED)


def _figures_first(columns: list[Column]) -> list[Column]:
    """Put a first name before its figures, then all other names and times, then percentiles, of which some will do."""
    names = [column for column in columns if not column.whole][:1]
    percentiles = [column for column in columns if _PERCENTILE.fullmatch(column.name)]
    figures = [column for column in columns if column.number and column not in percentiles]
    return list(dict.fromkeys([*names, *figures, *(each for each in columns if each not in percentiles), *percentiles]))


def _natural(column: Column) -> int:
    """Say how wide a column would like to be: its widest value, or the longest word of its name."""
    return max(
        *(cell_len(part) for part in _parts(column.name)),
        max((cell_len(text) for text in column.texts if text is not None), default=1),
    )


def _importances(columns: list[Column]) -> dict[str, int]:
    """Rank columns; beside a value that was asked for, what comes before it says what it is the value of."""
    names = [column.name for column in columns]
    labels = names[: names.index(_VALUE)] if _VALUE in names else []
    return {name: _STAY_RANK if name in labels else _importance(name) for name in names}


def _importance(name: str) -> int:
    if _STAY.fullmatch(name):
        return _STAY_RANK
    if name == "trace_id":
        return _IDS_RANK
    if _COUNTS.fullmatch(name):
        return _COUNTS_RANK
    return _GO_RANK if _GO.fullmatch(name) else _OTHERS_RANK


def _parts(name: str) -> list[str]:
    """Cut a name where a line may end: after underscores and dots."""
    return re.findall(r"[^_.]*[_.]?", visible(name))[:-1] or [""]


def _broken(column: Column, width: int) -> str:
    """Write the name of a column in as many lines as it needs."""
    lines = [""]
    for part in _parts(column.name):
        if lines[-1] and cell_len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _html_cell(column: Column, text: str | None) -> str:
    if text is None:
        return f"<td{_class('number null' if column.number else 'null')}>{NULL}</td>"
    kind = "number" if column.number else "id" if IDS.fullmatch(column.name) else "long" if len(text) > _LONG else ""
    return f"<td{_class(kind)}>{plain(text, longest=2_000)}</td>"


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""

"""Tables as HTML: nothing of a cell is ever more than text, columns give way where a page is narrow."""

from __future__ import annotations

import html
import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl
from rich.cells import cell_len

from tracelab.display.tables.importance import by_importance, folded
from tracelab.display.tables.looks import NARROW, STEPS
from tracelab.display.tables.sparklines import drawing
from tracelab.display.words import IDS, NULL
from tracelab.markup import cut, plain, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tracelab.display.tables.cells import Cells

    Links = Mapping[str, Callable[[str], str | None]]

_LONGEST: Final = 2_000
_LONG: Final = 44
_SHORT: Final = 12
_LONGEST_PART: Final = 18
_PIXELS: Final = 7.6
_SMALL_PIXELS: Final = 5.8
_PADDING: Final = 20
_NARROW_PADDING: Final = 12
_SORTING: Final = 16
_SPARE: Final = 8
_TREND: Final = 96
_HALF_AN_ID: Final = 108
_EXEMPLARS: Final = re.compile(r"exemplar_\w*id")
_SENTENCE: Final = 160
# How many pixels a text of so many letters needs at least, which part of the page it would like, and how much at most:
# somewhat more than the style holds it to, so that names in one line come before one column more.
_FOLDED: Final = ((_SENTENCE, 195, 0.28, 338), (_LONG, 130, 0.18, 230), (_SHORT, 85, 0.17, 190))
# Only where the browser goes to another page, or to a place in this one; never what would run.
# Where an interval may go on in the next line: before its upper end.
_ENDS: Final = re.compile(r"(?<=\N{EN DASH} )|(?<=from )|(?<=up to )")
_GOES: Final = re.compile(r"(?:https?://|#)[^\s\x00-\x20\x7f]+", re.IGNORECASE)


def table(
    columns: Sequence[Cells], frame: pl.DataFrame, note: str, *, links: Links, steps: dict[str, int], interactive: bool
) -> str:
    """Write a table as HTML; `steps` are the widths below which columns are left out."""
    classes = {column.name: f"from{steps[column.name]}" if column.name in steps else "" for column in columns}
    head = "".join(_heading(column, classes[column.name], sort=interactive) for column in columns)
    below = {above: name for name, above in folded(columns).items() if name in steps}
    named = {column.name: column for column in columns}
    cells = [
        _cells(
            column, frame[column.name], classes[column.name], links.get(column.name), sort=interactive,
            below=_below(named[below[column.name]], steps) if column.name in below else None,
        )
        for column in columns
    ]  # fmt: skip
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    return (
        # A notebook would typeset what stands between dollar signs.
        f'<div class="tracelab-table tex2jax_ignore mathjax_ignore"{" data-interactive" if interactive else ""}>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{plain(note, longest=_LONGEST)}</p>{_left_out(columns, steps, below.values())}</div>"
    )


def giving_way(columns: Sequence[Cells], *, interactive: bool, links: Links) -> dict[str, int]:
    """Say below which width of the page each column is left out, the least important ones first."""
    folded = [column.name for column in columns if interactive and _is_folded(column, links)]
    ordered = by_importance(columns, folded)
    needs = [_needs(column, folded=column.name in folded) for column in ordered]
    steps: dict[str, int] = {}
    fitting, above = len(ordered), STEPS[-1]
    for width in reversed(STEPS):
        used = accumulate(need.pixels(width, interactive=interactive) for need in needs)
        fitting = min(fitting, max(sum(each + _SPARE <= width for each in used), 1))
        for column in ordered[fitting:]:
            steps.setdefault(column.name, above)
        above = width
    return steps


def attribute(text: object, *, longest: int = _LONGEST) -> str:
    """Write text so that it stays within the quotes of an attribute."""
    return html.escape(visible(cut(str(text), longest)), quote=True).replace("$", "&#36;")


def _heading(column: Cells, hidden: str, *, sort: bool) -> str:
    long = "name" if _longest_part(column.heading) > _LONGEST_PART else ""
    bounds = f", between {' and '.join(column.bounds)}" if column.bounds else ""
    words = re.sub(r"([_.])", r"\1<wbr>", plain(column.heading))
    return (
        f'<th scope="col"{_class("number" if column.number else "", long, hidden)}'
        f' title="{attribute(f"{cut(column.name, 500)} ({column.dtype}){bounds}")}"'
        f"{' data-sort' if sort and not column.trends else ''}>{words}</th>"
    )


def _cells(
    column: Cells, values: pl.Series, hidden: str, link: Callable[[str], str | None] | None, *, sort: bool,
    below: Sequence[str] | None,
) -> list[str]:  # fmt: skip
    places = _places(values, column) if sort and not column.trends else [None] * len(column.texts)
    raw: list[Any] = values.to_list() if link is not None else [None] * len(column.texts)
    return [
        _cell(
            column, row, hidden, _linked(text, value, link) if text is not None and link else None, place,
            below[row] if below else "", sort=sort,
        )
        for row, (text, value, place) in enumerate(zip(column.texts, raw, places, strict=True))
    ]  # fmt: skip


def _below(column: Cells, steps: Mapping[str, int]) -> list[str]:
    """Write what stands small in the cells of another column, where its own is left out."""
    hidden = f'<small class="under under{steps[column.name]}">'
    return [f" {hidden}{plain(text, longest=_LONGEST)}</small>" if text else "" for text in column.texts]


def _cell(
    column: Cells, row: int, hidden: str, linked: str | None, place: int | None, below: str, *, sort: bool
) -> str:
    text = column.texts[row]
    at = "" if place is None else f' data-place="{place}"'
    interval = column.intervals[row] if column.intervals else ""
    beside = f" <small>{_ENDS.sub('<wbr>', plain(interval))}</small>" if interval else below
    if text is None:
        null = ("number" if column.number else "", "" if beside else "null")
        return f"<td{_class(*null, hidden)}{at}>{NULL}{beside}</td>"
    if column.trends:
        return f"<td{_class('trend', hidden)}>{drawing(column.trends[row], visible(column.labels[row] or ''))}</td>"
    shown = plain(text, longest=_LONGEST) if linked is None else linked
    kind = _kind(column, text)
    if sort and linked is not None and _EXEMPLARS.fullmatch(column.name):
        kind += " folded"
    return f"<td{_class(kind, hidden)}{at}>{shown}{beside}</td>"


def _kind(column: Cells, text: str) -> str:
    if column.number:
        return "number"
    if IDS.fullmatch(column.name):
        return "id"
    if column.dtype.startswith("Datetime"):
        return "time"
    kinds = ((_SENTENCE, "text sentence"), (_LONG, "text long"), (_SHORT, "text words"))
    return next((kind for letters, kind in kinds if len(text) > letters), "text")


def _linked(text: str, value: Any, link: Callable[[str], str | None]) -> str:
    """Write a value as a link, a list of texts as a link each; what leads nowhere stays text."""
    if isinstance(value, list):
        return ", ".join(_linked(visible(each), each, link) for each in value if each is not None)
    address = link(str(value))
    shown = plain(text, longest=_LONGEST)
    if not isinstance(address, str) or not _GOES.fullmatch(address):
        return shown
    return f'<a href="{attribute(address, longest=len(address))}"{_LEAVES if address[0] != "#" else ""}>{shown}</a>'


_LEAVES: Final = ' target="_blank" rel="noopener noreferrer"'


def _places(values: pl.Series, column: Cells) -> list[int | None]:
    """Give the place of each value among all, by which a browser sorts; None where it is null or not a number.

    Places keep the exact order of any dtype; the numbers of a browser end at 2 ** 53, before the times in nanoseconds.
    """
    dtype = values.dtype
    if isinstance(dtype, pl.Enum):
        comparable = values.to_physical()
    elif isinstance(dtype, pl.String | pl.Categorical):
        comparable = values.cast(pl.String).str.to_lowercase()
    elif dtype.is_numeric() or dtype.is_temporal() or isinstance(dtype, pl.Boolean):
        comparable = values.fill_nan(None) if dtype.is_float() else values.to_physical()
    else:
        comparable = pl.Series(column.texts, dtype=pl.String).str.to_lowercase()
    return comparable.rank("dense").to_list()


class _Needs(NamedTuple):
    """How much of the width of a page a column needs, estimated in pixels."""

    content: float
    tight: float
    heading: float
    folded: tuple[float, float, float] | None

    def pixels(self, width: int, *, interactive: bool) -> float:
        wide = width >= NARROW
        least, part, most = self.folded or (0, 0, 0)
        heading = self.heading + (_SORTING if interactive and wide else 0)
        text = min(max(least, part * width), most)
        content = self.content if wide else self.tight
        return max(content, heading, text) + (_PADDING if wide else _NARROW_PADDING)


def _is_folded(column: Cells, links: Links) -> bool:
    """Say whether ids stand in two lines, so that the way to the evidence of a row takes little room."""
    return column.name in links and _EXEMPLARS.fullmatch(column.name) is not None


def _needs(column: Cells, *, folded: bool) -> _Needs:
    heading = min(_longest_part(column.heading), _LONGEST_PART) * _PIXELS
    if folded:
        return _Needs(_HALF_AN_ID, _HALF_AN_ID, heading, None)
    if column.trends:
        return _Needs(_TREND, _TREND, heading, None)
    texts = [text for text in column.texts if text is not None]
    if column.dtype.startswith("Datetime"):
        texts = [word for text in texts for word in text.split(" ")]
    widest = max(map(cell_len, texts), default=1)
    whole = max(map(cell_len, column.intervals), default=0)
    ends = max((cell_len(end) for text in column.intervals for end in _ENDS.split(text)), default=0)
    content, tight = (max(widest * _PIXELS, small * _SMALL_PIXELS) for small in (whole, ends))
    if column.whole or IDS.fullmatch(column.name):
        return _Needs(content, tight, heading, None)
    for letters, least, part, most in _FOLDED:
        if widest > letters:
            return _Needs(0, 0, heading, (least, part, max(least, min(most, content))))
    return _Needs(content, tight, heading, None)


def _longest_part(heading: str) -> int:
    return max(cell_len(part) for part in re.split(r"[ _.]", cut(heading, 200)))


def _left_out(columns: Sequence[Cells], steps: Mapping[str, int], folded: Collection[str]) -> str:
    """Say which columns are left out at the width that there is; the browser counts them.

    What stands below another one is not left out.
    """
    left = {name: width for name, width in steps.items() if name not in folded}
    if not left:
        return ""
    widest = max(left.values())
    names = " ".join(
        f'<code class="under under{left[column.name]}">{plain(column.name, longest=60)}</code>'
        for column in columns
        if column.name in left
    )
    return (
        f'<p class="left-out under under{widest}">Left out at this width: {names} '
        f"(<b></b> of {len(columns)} columns)</p>"
        f'<label class="every under under{widest}"><input type="checkbox"> All columns</label>'
    )


def _class(*names: str) -> str:
    given = " ".join(name for name in names if name)
    return f' class="{given}"' if given else ""

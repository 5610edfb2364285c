"""What stands above the columns of a table: words for names, and where a line of them may end."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from tracelab.markup import cut, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORDS: Final = re.compile(r"[^\W_]+(?:_[^\W_]+)+")
_LONGEST: Final = 120
_WIDEST_PART: Final = 24


def headings(names: Sequence[str]) -> dict[str, str]:
    """Give each column its name in words; attributes keep theirs, as do columns that would then be called alike.

    Examples
    --------
    >>> headings(["error_rate", "span.http.route", "a_b", "a b"])
    {'error_rate': 'error rate', 'span.http.route': 'span.http.route', 'a_b': 'a_b', 'a b': 'a b'}
    """
    words = {name: name.replace("_", " ") if _WORDS.fullmatch(name) else name for name in names}
    often = Counter(words.values())
    return {name: word if often[word] == 1 else name for name, word in words.items()}


def broken(heading: str, width: int) -> list[str]:
    """Write a heading in as many lines of a terminal as it needs."""
    lines = [""]
    for part in _parts(heading):
        if lines[-1] and cell_len((lines[-1] + part).rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return [line.rstrip() for line in lines]


def whole_width(heading: str) -> int:
    """Say how wide a heading is in one line of a terminal."""
    return cell_len(_written(heading))


def least_width(heading: str) -> int:
    """Say how narrow the column of a heading may be: as its longest part, unless nobody would read so long a part."""
    return min(max(cell_len(part.rstrip()) for part in _parts(heading)), _WIDEST_PART)


def _parts(heading: str) -> list[str]:
    """Cut a heading where a line may end: after blanks, underscores and dots."""
    return re.findall(r"[^ _.]*[ _.]?", _written(heading))[:-1] or [""]


def _written(heading: str) -> str:
    return visible(cut(heading, _LONGEST))

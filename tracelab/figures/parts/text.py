"""How much room text takes, and how it is cut or broken where there is less."""

from __future__ import annotations

import html
import unicodedata
from typing import Final

from tracelab.markup import plain

_NARROW: Final = frozenset("iljtfrI.,:;|!'`()[]{}/\\ -\u00b7")
_BROAD: Final = frozenset("mwMW@%_<>=+~^#&\u2026")


def text_width(text: str, size: float) -> float:
    """Estimate how many pixels a line takes; it is rather too many than too few, since fonts differ."""
    return size * sum(map(_ems, text))


def shortened(text: object, longest: int) -> str:
    """Cut text in its middle: what begins alike often differs at its end."""
    value = str(text)
    if len(value) <= longest:
        return value
    tail = max(longest // 3, 0)
    return value[: longest - tail - 1] + "…" + value[len(value) - tail :]


def fitting(text: object, room: float, size: float) -> str:
    """Cut text in its middle until it takes no more than `room` pixels."""
    value = shortened(text, 200)
    while len(value) > 2 and text_width(value, size) > room:
        value = shortened(value, len(value) - 1) if "…" not in value else _narrower(value)
    return value


def wrapped(markup: str, room: float, size: float) -> list[str]:
    """Break a line of markup without tags, such as `plain` gives, into lines of at most `room` pixels."""
    lines: list[str] = []
    for word in html.unescape(markup).split(" "):
        for piece in _pieces(word, room, size):
            longer = f"{lines[-1]} {piece}" if lines else piece
            if lines and text_width(longer, size) <= room:
                lines[-1] = longer
            else:
                lines.append(piece)
    return [plain(line, longest=len(line)) for line in lines]


def _narrower(value: str) -> str:
    """Take a letter from the longer side of what was cut."""
    head, _, tail = value.partition("…")
    return f"{head[:-1]}…{tail}" if len(head) > len(tail) else f"{head}…{tail[1:]}"


def _pieces(word: str, room: float, size: float) -> list[str]:
    """Break a word that is longer than a line."""
    pieces, width = [""], 0.0
    for letter in word:
        width += size * _ems(letter)
        if width > room and pieces[-1]:
            pieces.append("")
            width = size * _ems(letter)
        pieces[-1] += letter
    return pieces


def _ems(letter: str) -> float:
    if letter in _NARROW:
        return 0.39
    if letter in _BROAD or unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    return 0.72 if letter.isupper() else 0.61

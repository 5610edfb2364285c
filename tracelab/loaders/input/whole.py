"""Documents small enough to be held: msgspec finds where their objects begin and end, without decoding them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from tracelab.loaders.input.cutting import BLANK, PIECE, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST: Final = 16 << 20
_NEWLINES: Final = bytes.maketrans(b"\n\r", b"  ")


class _Document(msgspec.Struct, gc=False, rename="camel", forbid_unknown_fields=True):
    """The answers of Jaeger and Tempo, and OTLP: objects that hold spans in a list under one key."""

    data: list[msgspec.Raw] = []
    resource_spans: list[msgspec.Raw] = []
    batches: list[msgspec.Raw] = []
    total: int = 0
    limit: int = 0
    offset: int = 0
    errors: list[msgspec.Raw] | None = None


_DOCUMENT: Final = msgspec.json.Decoder(_Document)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(slots=True)
class _Items(Piece):
    """Items of a list in a document."""

    key: str = ""

    def origin(self, line: int) -> str:
        return f"{self.key}[{self.first + line}]"


def pieces_of(content: bytes) -> Iterator[Piece] | None:
    """Cut a whole document into pieces; None if it is not built like one that is known."""
    text = content.lstrip(BLANK)[:1]
    try:
        if text == b"[":
            return _pieces("", _LIST.decode(content))
        document = _DOCUMENT.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    for key, items in (
        ("data", document.data),
        ("resourceSpans", document.resource_spans),
        ("batches", document.batches),
    ):
        if items:
            return _pieces(key, items)
    return None


def one_line(content: bytes) -> Piece:
    """Make a piece of one document, whatever lines it is written in."""
    return Piece(content.translate(_NEWLINES))


def _pieces(key: str, items: Sequence[msgspec.Raw]) -> Iterator[Piece]:
    some: list[msgspec.Raw] = []
    first = size = 0
    for number, item in enumerate(items):
        some.append(item)
        size += len(memoryview(item))
        if size >= PIECE:
            yield _piece(key, some, first)
            some, first, size = [], number + 1, 0
    if some:
        yield _piece(key, some, first)


def _piece(key: str, items: list[msgspec.Raw], first: int) -> Piece:
    content = b"\n".join(items)
    if content.count(b"\n") >= len(items) or b"\r" in content:
        content = b"\n".join(bytes(item).translate(_NEWLINES) for item in items)
    return _Items(content, first, key=key)

"""Cutting JSON text into pieces without parsing it: by lines, or by objects at one depth of a document.

A document of a gigabyte is one JSON value, but its ResourceSpans (or traces, or spans) are many. They are cut out where
they meet (`json_rows`). Where that fails, the brackets outside of strings are found on whole blocks with numpy, and
objects at the right depth are cut out. What is left over, the skeleton, is small enough to be decoded as usual.
"""

from __future__ import annotations

import re
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from tracelab.errors import LoadError
from tracelab.loaders.input.list_items import meeting_place, rows
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import msgspec

    from tracelab.loaders.input.sources import Readable
    from tracelab.loaders.report.findings import Findings

PIECE: Final = 16 << 20
LONGEST: Final = 256 << 20
_LONG_BLANK: Final = 4096
_BLOCK: Final = 1 << 18
_LINE_BREAK: Final = ord("\n")
BLANK: Final = b" \t\r\n\x00"
_MARKERS: Final = frozenset(
    (
        *(b"scopeSpans", b"scope_spans", b"instrumentationLibrarySpans", b"instrumentation_library_spans"),
        *(b"scopeLogs", b"scopeMetrics", b"spans", b"context", b"SpanContext"),
        *(b"traceId", b"traceID", b"trace_id", b"TraceId", b"spanId", b"spanID", b"span_id", b"id"),
    )
)
_TOKEN: Final = re.compile(rb'"(?P<text>(?:[^"\\]|\\.)*)"(?P<colon>\s*:)?|(?P<open>[{\[])|(?P<close>[}\]])', re.DOTALL)
_QUOTE, _OPEN, _CLOSE = b'"{}'
_OPEN_LIST, _CLOSE_LIST = b"[]"
_CLOSES: Final = {_OPEN: _CLOSE, _OPEN_LIST: _CLOSE_LIST}
_MARKS: Final = np.isin(np.arange(256), list(b'"{}[]'))
Ints = npt.NDArray[np.int64]


class _Memory:
    """Memory for pieces, used again and again: to get fresh pages takes as long as to read the file into them."""

    def __init__(self) -> None:
        self._free: list[Any] = []

    def lend(self) -> memoryview:
        """Give memory for a piece, which comes back by itself when nothing refers to it any more."""
        try:
            pages = self._free.pop()
        except IndexError:
            pages = np.empty(PIECE, dtype=np.uint8)
        block = pages.view()
        weakref.finalize(block, self._free.append, pages).atexit = False
        return memoryview(block)


@dataclass(slots=True)
class Piece:
    """JSON texts, one a line, and where they stand.

    Attributes
    ----------
    text
        The texts. They may stand in memory that is used again when nothing refers to them any more.
    first
        The number of the first line.
    offsets
        Where each line begins, of those that were cut out of a document.
    """

    text: bytes | memoryview
    first: int = 1
    offsets: list[int] | None = None

    @property
    def content(self) -> bytes:
        """The texts, as bytes that stay."""
        text = self.text
        if isinstance(text, memoryview):
            self.text = text = bytes(text)
        return text

    def origin(self, line: int) -> str:
        """Say where a line of the piece stands in the input."""
        return f"line {self.first + line}" if self.offsets is None else f"byte {self.offsets[line]}"


@dataclass(slots=True)
class Rest:
    """What is left when the pieces are cut out: the skeleton, and an object that was never closed."""

    skeleton: bytearray = field(default_factory=bytearray)
    unclosed: bytes = b""
    offset: int = 0

    def add(self, between: bytes) -> None:
        """Add what stands between two objects; blanks count for little, however many there are."""
        if len(between) > _LONG_BLANK:
            between = b" ".join(between.split())
        self.skeleton += between
        if len(self.skeleton) > LONGEST:
            raise LoadError(f"There is no span in {LONGEST >> 20} MB of it: this is no trace dump.")


def lines(stream: Readable, findings: Findings) -> Iterator[Piece]:
    """Cut by lines. The first pieces are smaller, so that all cores have work soon."""
    memory = _Memory()
    rest, number, size = b"", 1, PIECE // 4
    while True:
        block = memory.lend()
        held = len(rest)
        block[:held] = rest
        read = stream.readinto(block[held : held + min(size, PIECE - held)])
        if not read:
            break
        size = min(2 * size, PIECE)
        end = _last_line_break(block[: held + read])
        if end >= 0:
            rest = bytes(block[end + 1 : held + read])
            piece = Piece(block[:end], number)
            number += _line_breaks(block[:end]) + 1
            del block
            yield piece
            del piece
        else:
            rest = bytes(block[: held + read])
        if len(rest) > PIECE // 2:
            long, rest = _long_line(stream, rest), b""
            if long is None:
                _skip_line(stream, findings, number)
            else:
                yield Piece(long, number)
            number += 1
    if rest:
        yield Piece(rest, number)


def _long_line(stream: Readable, start: bytes) -> bytes | None:
    """Read the rest of a line that is longer than half a piece; None if it is too long."""
    parts, size = [start], len(start)
    while block := stream.read(PIECE):
        end = block.find(b"\n")
        if end >= 0:
            stream.unread(block[end + 1 :])
            parts.append(block[:end])
            break
        parts.append(block)
        size += len(block)
        if size > LONGEST:
            return None
    return b"".join(parts)


def _last_line_break(text: memoryview) -> int:
    end = len(text)
    while end > 0:
        start = max(end - _BLOCK, 0)
        found = bytes(text[start:end]).rfind(b"\n")
        if found >= 0:
            return start + found
        end = start
    return -1


def _line_breaks(content: memoryview) -> int:
    """Count line breaks, with the interpreter's lock let go: `bytes.count` takes three times as long, and holds it."""
    text = np.frombuffer(content, dtype=np.uint8)
    return sum(
        int(np.count_nonzero(text[start : start + _BLOCK] == _LINE_BREAK)) for start in range(0, text.size, _BLOCK)
    )


def objects(stream: Readable, rest: Rest, level_of: Callable[[bytes], int | None]) -> Iterator[Piece]:
    """Cut out the objects at the depth at which spans, traces or groups of spans stand in the document.

    `level_of` may know the depth from the beginning of the document; else the names of the keys tell it.
    """
    head = stream.peek(1 << 20)
    level = level_of(head)
    depth, start = first_object(head) if level is None else (level, first_at(head, level))
    cutter = _Cutter(depth, rest)
    found: list[bytes] = []
    offsets: list[int] = []
    size = 0
    if meeting := meeting_place(head, start):
        for content, offset in cutter.feed(stream.read(start)):
            yield _piece([content], [offset])
        for row, starts, used in rows(stream, meeting, start, block_size=PIECE):
            yield _piece(row, starts)
            cutter.pass_over(used)
    while block := stream.read(PIECE):
        for content, offset in cutter.feed(block):
            found.append(content)
            offsets.append(offset)
            size += len(content)
        if size >= PIECE:
            yield _piece(found, offsets)
            found, offsets, size = [], [], 0
        if cutter.pending > LONGEST:
            raise LoadError(
                f"{stream.name}: the object at byte {cutter.start:,} is larger than {LONGEST >> 20} MB, or never ends. "
                "Export the spans as JSON lines, one batch a line."
            )
    cutter.finish()
    if found:
        yield _piece(found, offsets)


def first_object(head: bytes) -> tuple[int, int]:
    """Find how many objects deep the objects stand that hold spans, by the first key that only they have.

    Gives the depth and where the first of them begins.
    """
    opened: list[int] = []
    for token in _TOKEN.finditer(head):
        if token["open"] == b"{":
            opened.append(token.start())
        elif token["close"] == b"}" and opened:
            opened.pop()
        elif token["colon"] and token["text"] in _MARKERS and opened:
            return len(opened), opened[-1]
    return 1, 0


def first_at(head: bytes, depth: int) -> int:
    """Find where the first object begins that stands so many objects deep."""
    opened = 0
    for token in _TOKEN.finditer(head):
        if token["open"] == b"{":
            opened += 1
            if opened == depth:
                return token.start()
        elif token["close"] == b"}":
            opened -= 1
    return 0


class _Cutter:
    """Finds the objects at one depth, block by block."""

    def __init__(self, depth: int, rest: Rest) -> None:
        self.wanted = depth
        self.rest = rest
        self.depth = 0
        self.in_string = False
        self.offset = 0
        self.start = 0
        self.held: list[bytes] = []
        self.pending = 0
        self.inside = False
        self.carry = b""

    def feed(self, block: bytes) -> Iterator[tuple[bytes, int]]:
        """Take a block, give the objects that end in it."""
        block = self.carry + block
        kept = len(block) - len(block.rstrip(b"\\"))
        # A backslash must not be parted from what it escapes.
        self.carry = block[len(block) - kept :] if kept % 2 else b""
        block = block[: len(block) - len(self.carry)]
        where, opens, depths = self._structure(block)
        opening = where[opens & (depths == self.wanted)]
        closing = where[~opens & (depths == self.wanted - 1)] + 1
        position = 0
        first = 0
        if self.inside:
            if not closing.size:
                self._hold(block)
                self.offset += len(block)
                return
            end = int(closing[0])
            content = b"".join((*self.held, block[:end]))
            self.held, self.pending, self.inside = [], 0, False
            self.rest.add(b"0")
            yield content, self.start
            position, first = end, 1
        for start, end in zip(opening.tolist(), closing[first:].tolist(), strict=False):
            self.rest.add(block[position:start] + b"0")
            yield block[start:end], self.offset + start
            position = end
        if opening.size > closing.size - first:
            start = int(opening[-1])
            self.rest.add(block[position:start])
            self.start, self.inside = self.offset + start, True
            self._hold(block[start:])
        else:
            self.rest.add(block[position:])
        self.offset += len(block)

    def pass_over(self, size: int) -> None:
        """Go on behind objects of this depth that were found in another way, and the comma after them."""
        self.rest.add(b"0,")
        self.offset += size

    def finish(self) -> None:
        """Tell what is left at the end of the input."""
        if self.inside:
            self.rest.unclosed = b"".join((*self.held, self.carry))
            self.rest.offset = self.start

    def _hold(self, content: bytes) -> None:
        self.held.append(content)
        self.pending += len(content)

    def _structure(self, block: bytes) -> tuple[Ints, npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
        """Give places of the braces that stand outside of strings, which of them open, and the depth after each.

        Only braces count: objects are wanted, however many lists they stand in.
        """
        for escape in (b"\\\\", b'\\"'):
            if escape in block:
                block = block.replace(escape, b"  ")
        content = np.frombuffer(block, dtype=np.uint8)
        where = np.flatnonzero((content == _QUOTE) | (content == _OPEN) | (content == _CLOSE))
        marks = content[where]
        # Only whether the number of quotes is odd matters, so eight bits are enough to count them.
        odd = (np.cumsum(marks == _QUOTE, dtype=np.uint8) + np.uint8(self.in_string)) & 1
        self.in_string = bool(odd[-1]) if odd.size else self.in_string
        braces = np.flatnonzero((marks != _QUOTE) & (odd == 0))
        opens = marks[braces] == _OPEN
        depths = self.depth + np.cumsum(np.where(opens, np.int32(1), np.int32(-1)), dtype=np.int32)
        self.depth = int(depths[-1]) if depths.size else self.depth
        return where[braces], opens, depths


def closed(content: bytes) -> bytes:
    """Close a JSON object that breaks off in the middle, after the last object in it that is whole."""
    where = _brackets(content)
    marks = np.frombuffer(content, dtype=np.uint8)[where]
    depths = np.cumsum(np.where((marks == _OPEN) | (marks == _OPEN_LIST), np.int32(1), np.int32(-1)), dtype=np.int32)
    # What closes nothing does not count.
    lowest = np.minimum(np.minimum.accumulate(depths), 0) if depths.size else depths
    depths -= lowest
    ends = np.flatnonzero((marks == _CLOSE) & (np.diff(lowest, prepend=np.int32(0)) == 0))
    if not ends.size:
        return b""
    last = int(ends[-1])
    depth = int(depths[last])
    before = np.flatnonzero(((marks[:last] == _OPEN) | (marks[:last] == _OPEN_LIST)) & (depths[:last] <= depth))
    # Of those that opened a depth the last one is still open: later places overwrite earlier ones.
    open_ones = np.zeros(depth + 1, dtype=np.uint8)
    open_ones[depths[before]] = marks[before]
    stack = bytes(_CLOSES[mark] for mark in reversed(open_ones[1:].tolist()))
    return content[: int(where[last]) + 1] + stack


def _brackets(content: bytes) -> Ints:
    """Give the places of brackets and braces that stand outside of strings."""
    for escape in (b"\\\\", b'\\"'):
        if escape in content:
            content = content.replace(escape, b"  ")
    text = np.frombuffer(content, dtype=np.uint8)
    where = np.flatnonzero(_MARKS[text])
    quotes = text[where] == _QUOTE
    inside = np.cumsum(quotes, dtype=np.uint8) & 1
    outside: Ints = where[~quotes & (inside == 0)]
    return outside


def _piece(found: Sequence[bytes | msgspec.Raw], offsets: list[int]) -> Piece:
    content = b"\n".join(found)
    if content.count(b"\n") >= len(found) or b"\r" in content:
        content = b"\n".join(bytes(text).translate(_NEWLINES) for text in found)
    return Piece(content, offsets=offsets)


_NEWLINES: Final = bytes.maketrans(b"\n\r", b"  ")


def _skip_line(stream: Readable, findings: Findings, number: int) -> None:
    findings.add(problems.TOO_LONG, place=f"line {number}", example=f"more than {LONGEST >> 20} MB")
    while block := stream.read(PIECE):
        end = block.find(b"\n")
        if end >= 0:
            stream.unread(block[end + 1 :])
            return

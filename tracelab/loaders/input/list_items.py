"""Cutting a document where the objects of its list meet: fast, for as long as the guess holds of how they meet.

The objects of one list begin with the same keys, so the places where one ends and the next begins look alike. Whether
what stands between two such places is a row of whole objects, msgspec says, which skips over objects at memory speed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.loaders.input.sources import Readable

_MOST_BLOCKS: Final = 4
_NEAR_END: Final = 1 << 20
_FIRST_KEYS: Final = re.compile(rb'\{\s*("[^"\\]*"\s*:)(?:\s*"[^"\\]*"\s*,\s*("[^"\\]*"\s*:))?')
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])

Row = tuple[list[msgspec.Raw], list[int], int]
"""Objects, where each begins, and how many bytes were used up."""


def meeting_place(head: bytes, start: int) -> re.Pattern[bytes] | None:
    """Guess how objects meet from the first one, which begins at `start`; the pattern ends before an object.

    The first key tells objects of a list from those inside of them; where its value is text, as that of `traceID` is in
    traces and in spans, the second key does.
    """
    found = _FIRST_KEYS.match(head, start)
    if found is None:
        return None
    beginning = rb"\{\s*" + re.escape(found[1])
    if found[2]:
        beginning += rb'\s*"[^"\\]*"\s*,\s*' + re.escape(found[2])
    return re.compile(rb"\}\s*,\s*(?=" + beginning + rb")")


def rows(stream: Readable, meeting: re.Pattern[bytes], offset: int, *, block_size: int) -> Iterator[Row]:
    """Read rows of whole objects; what is not one is given back to the stream, and so is everything after it."""
    held = b""
    try:
        while block := stream.read(block_size):
            held += block
            last = _last(meeting, held)
            if last is None:
                if len(held) > _MOST_BLOCKS * block_size:
                    return
                continue
            row = _row(b"".join((b"[", memoryview(held)[: last.start() + 1], b"]")), offset, last.end())
            if row is None:
                return
            yield row
            held = held[last.end() :]
            offset += last.end()
    finally:
        stream.unread(held)


def _last(meeting: re.Pattern[bytes], held: bytes) -> re.Match[bytes] | None:
    """Find the last place where objects meet; most often it is near the end."""
    for start in (len(held) - _NEAR_END, 0):
        last = None
        for last in meeting.finditer(held, max(start, 0)):  # noqa: B007 - the last one is wanted
            pass
        if last is not None:
            return last
    return None


def _row(content: bytes, offset: int, used: int) -> Row | None:
    """Take the objects of a list apart; `offset` is where the first of them begins."""
    try:
        objects = _LIST.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return None
    starts = []
    end = 1
    for each in objects:
        start = content.find(b"{", end)
        if bytes(memoryview(each)[:1]) != b"{":
            return None
        starts.append(offset + start - 1)
        end = start + len(memoryview(each))
    return objects, starts, used

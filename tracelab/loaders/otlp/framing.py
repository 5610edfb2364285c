"""OTLP protobuf files: one bare message, or many with their lengths before them, each perhaps compressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import zstandard

from tracelab.errors import LoadError
from tracelab.loaders.input.compression import ZSTD
from tracelab.loaders.input.parallel import in_order
from tracelab.loaders.input.sources import Derived
from tracelab.loaders.input.wire import BadWire, read_varint
from tracelab.loaders.otlp import protobuf as otlp_proto
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.loaders.columns.chunk import Chunk
    from tracelab.loaders.input.sources import Readable

BARE: Final = "bare"
FIXED: Final = "fixed"
VARINT: Final = "varint"
_PIECE: Final = 4 << 20
_LONGEST: Final = 256 << 20
_BLOCK: Final = 1 << 20
_RESOURCE_SPANS: Final = 0x0A
_FIRST_IN_RESOURCE_SPANS: Final = (0x0A, 0x12, 0x1A)
_LONGEST_VARINT: Final = 10


@dataclass(slots=True)
class Piece:
    """Messages one after another, which on the wire are one message; and where each stands."""

    content: bytes
    starts: list[int]
    offsets: list[int]


def framing_of(head: bytes) -> str | None:
    """Say how protobuf messages stand in a file by its first bytes; None if it is no OTLP protobuf."""
    if head[:1] == b"\x0a" and _holds_resource_spans(head, 0):
        return BARE
    length = int.from_bytes(head[:4], "big")
    if (
        len(head) > 4
        and 0 < length <= _LONGEST
        and (head[4] == _RESOURCE_SPANS or head[4:8] == ZSTD or head[4:5] == b"{")
    ):
        return FIXED
    try:
        length, position = read_varint(head[:_LONGEST_VARINT], 0)
    except BadWire:
        return None
    return VARINT if length and _holds_resource_spans(head, position) else None


def is_framed_json(head: bytes) -> bool:
    """Say whether the messages of a framed file are JSON, which the Collector writes when it compresses."""
    if head[4:5] == b"{":
        return True
    if head[4:8] != ZSTD:
        return False
    length = int.from_bytes(head[:4], "big")
    try:
        start = zstandard.ZstdDecompressor().decompressobj().decompress(head[4 : 4 + length])
    except zstandard.ZstdError:
        return False
    return start.lstrip()[:1] == b"{"


class JsonMessages(Derived):
    """The JSON of a framed file as lines."""

    def __init__(self, stream: Readable, findings: Findings) -> None:
        super().__init__(stream.name)
        self._messages = (message for message, _ in messages(stream, FIXED, findings))

    def _more(self, size: int) -> bytes | None:  # noqa: ARG002  (a message is as long as it is)
        message = next(self._messages, None)
        return None if message is None else message + b"\n"


def read_proto(stream: Readable, framing: str, findings: Findings) -> Iterator[Chunk]:
    """Read a protobuf dump, chunk by chunk."""
    seen = False
    for chunks, found in in_order(_decode, _pieces(stream, framing, findings)):
        findings.merge(found)
        for chunk in chunks:
            seen = True
            yield chunk
    if not seen:
        raise LoadError(
            f"{stream.name}: it begins like OTLP protobuf, but no message in it can be read. "
            "Check that the file is whole, and that it holds traces and not logs or metrics."
        )


def _decode(piece: Piece) -> tuple[list[Chunk], Findings]:
    """Decode all messages at once; if they cannot be, one after another, so that only bad ones are lost."""
    try:
        chunk, findings = otlp_proto.chunk_of(piece.content, f"message at byte {piece.offsets[0]}")
    except (BadWire, IndexError):
        pass
    else:
        return [chunk], findings
    if len(piece.starts) == 1:
        findings = Findings()
        findings.add(
            problems.BAD_MESSAGE, place=f"message at byte {piece.offsets[0]}", example=piece.content[:16].hex()
        )
        return [], findings
    chunks, findings = [], Findings()
    ends = [*piece.starts[1:], len(piece.content)]
    for start, end, offset in zip(piece.starts, ends, piece.offsets, strict=True):
        some, found = _decode(Piece(piece.content[start:end], [0], [offset]))
        chunks += some
        findings.merge(found)
    return chunks, findings


def _pieces(stream: Readable, framing: str, findings: Findings) -> Iterator[Piece]:
    found: list[bytes] = []
    starts: list[int] = []
    offsets: list[int] = []
    size = 0
    for message, offset in messages(stream, framing, findings):
        starts.append(size)
        offsets.append(offset)
        found.append(message)
        size += len(message)
        if size >= _PIECE:
            yield Piece(b"".join(found), starts, offsets)
            found, starts, offsets, size = [], [], [], 0
    if found:
        yield Piece(b"".join(found), starts, offsets)


def messages(stream: Readable, framing: str, findings: Findings) -> Iterator[tuple[bytes, int]]:
    """Give every message with its place; of a bare message its fields, each as a message of its own."""
    offset = 0
    decompressor = zstandard.ZstdDecompressor()
    while head := stream.peek(_LONGEST_VARINT + 1):
        try:
            skipped, length, kept = _header(head, framing)
        except BadWire:
            findings.add(problems.TRUNCATED, place=f"byte {offset}", example=head.hex())
            return
        if length > _LONGEST:
            raise LoadError(
                f"{stream.name}: the message at byte {offset:,} says that it is {length:,} bytes long. "
                "Either it is too long to be read at once, or the file is damaged there."
            )
        content = stream.read(skipped + length)
        if len(content) < skipped + length:
            findings.add(
                problems.TRUNCATED, place=f"byte {offset}", example=f"{len(content)} of {skipped + length} bytes"
            )
            return
        message = content[kept:]
        if message.startswith(ZSTD):
            try:
                message = decompressor.decompress(message, max_output_size=_LONGEST)
            except zstandard.ZstdError as error:
                findings.add(problems.BAD_MESSAGE, place=f"byte {offset}", example=str(error))
                message = b""
        if message:
            yield message, offset
        offset += len(content)


def _header(head: bytes, framing: str) -> tuple[int, int, int]:
    """Give the length of a message's header, the length of the message, and where what is kept of both begins."""
    if framing == FIXED:
        if len(head) < 4:
            raise BadWire("a length breaks off")
        return 4, int.from_bytes(head[:4], "big"), 4
    if framing == VARINT:
        length, position = read_varint(head, 0)
        return position, length, position
    tag, position = read_varint(head, 0)
    wire = tag & 7
    if wire == 2:
        length, position = read_varint(head, position)
        return position, length, 0
    if wire == 0:
        _, position = read_varint(head, position)
        return position, 0, 0
    if wire not in (1, 5):
        raise BadWire("an unknown wire type")
    return position, 8 if wire == 1 else 4, 0


def _holds_resource_spans(head: bytes, position: int) -> bool:
    """Say whether a ResourceSpans seems to begin here."""
    if head[position : position + 1] != b"\x0a":
        return False
    try:
        length, inner = read_varint(head, position + 1)
    except BadWire:
        return False
    return length == 0 or (len(head) > inner and head[inner] in _FIRST_IN_RESOURCE_SPANS and length <= _LONGEST)

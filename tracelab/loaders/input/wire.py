"""The protobuf wire format on whole columns: many messages are scanned at once, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5
PADDING: Final = b"\0" * 16
_FEW: Final = 48
_HEX: Final = np.array([list(b"%02x" % number) for number in range(256)], dtype=np.uint8)


class BadWire(Exception):  # noqa: N818 - it never leaves the loaders
    """Bytes that are no protobuf message."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Occurrences of one field: in which message, where its content starts and how long it is; or its number."""

    owner: Ints
    start: Ints
    length: Ints

    @property
    def end(self) -> Ints:
        return self.start + self.length


class Message:
    """All fields of many messages of one type.

    `start` of a varint field is its value; of the others it is the place of the content.
    """

    def __init__(self, data: Bytes, start: Ints, end: Ints) -> None:
        self.count = start.size
        self._found = _scan(data, start, end)

    def field(self, number: int, wire: int) -> Fields:
        """Give the occurrences of a field, in order of their messages."""
        numbers, owner, content, length, wires = self._found
        which = np.flatnonzero((numbers == number) & (wires == wire))
        owners = owner[which]
        # Rounds are in the order of the fields in each message; a stable sort by message keeps it.
        if owners.size and not bool((owners[1:] >= owners[:-1]).all()):
            order = np.argsort(owners, kind="stable")
            which, owners = which[order], owners[order]
        return Fields(owners, content[which], length[which])

    def last(self, number: int, wire: int) -> tuple[Ints, Fields]:
        """Give the last occurrence of a field in each message that has it, and the rows of these messages."""
        fields = self.field(number, wire)
        if not fields.owner.size:
            return fields.owner, fields
        keep = np.append(fields.owner[1:] != fields.owner[:-1], True)
        if not keep.all():
            fields = Fields(fields.owner[keep], fields.start[keep], fields.length[keep])
        return fields.owner, fields


def numbers(message: Message, data: Bytes, number: int, wire: int) -> pl.Series:
    """Give a number of each message; null where it has none. Fixed numbers come unsigned, varints signed."""
    rows, fields = message.last(number, wire)
    if wire == VARINT:
        values: npt.NDArray[Any] = fields.start
    else:
        width = 8 if wire == FIXED64 else 4
        values = _loaded(data, width)[fields.start]
    column = np.zeros(message.count, dtype=values.dtype)
    column[rows] = values
    present = np.zeros(message.count, dtype=bool)
    present[rows] = True
    return pl.select(pl.when(pl.Series(present)).then(pl.Series(column))).to_series()


def doubles(data: Bytes, fields: Fields) -> npt.NDArray[np.float64]:
    """Load the doubles that stand in fixed64 fields."""
    return _loaded(data, 8)[fields.start].view(np.float64)


def texts(message: Message, data: Bytes, number: int) -> tuple[pl.Series, int]:
    """Give a text of each message, null where it has none; and how many were no UTF-8."""
    rows, fields = message.last(number, LENGTH)
    values, bad = strings(data, fields)
    if rows.size == message.count:
        return values, bad
    places = np.full(message.count, rows.size, dtype=np.uint32)
    places[rows] = np.arange(rows.size, dtype=np.uint32)
    return pl.concat([values, pl.Series([None], dtype=pl.String)]).gather(pl.Series(places)), bad


def strings(data: Bytes, fields: Fields) -> tuple[pl.Series, int]:
    """Copy texts out of the data, and count those that are no UTF-8 (they are mended)."""
    offsets = np.zeros(fields.length.size + 1, dtype=np.int64)
    np.cumsum(fields.length, out=offsets[1:])
    total = int(offsets[-1])
    source = np.repeat(fields.start - offsets[:-1], fields.length) + np.arange(total)
    content = data[source]
    array = pa.Array.from_buffers(
        pa.large_string(), fields.length.size, [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    )
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        found = content.tobytes()
        pieces = [found[start:end] for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
        mended = [piece.decode("utf-8", "replace") for piece in pieces]
        bad = sum("\ufffd" in text and b"\xef\xbf\xbd" not in piece for text, piece in zip(mended, pieces, strict=True))
        return pl.Series(mended, dtype=pl.String), max(bad, 1)
    return pl.from_arrow(array), 0  # type: ignore[return-value]


def hexes(message: Message, data: Bytes, number: int, width: int) -> pl.Series:
    """Give an id of each message as hex; null where it has none."""
    rows, fields = message.last(number, LENGTH)
    usual = fields.length == width
    content = data[fields.start[usual][:, None] + np.arange(width)]
    offsets = np.arange(content.shape[0] + 1, dtype=np.int64) * (2 * width)
    array = pa.Array.from_buffers(
        pa.large_string(),
        content.shape[0],
        [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(_HEX[content]))],
    )
    values: pl.Series = pl.from_arrow(array)  # type: ignore[assignment]
    if rows.size == message.count and usual.all():
        return values
    odd = [data[start:end].tobytes().hex() for start, end in zip(fields.start[~usual], fields.end[~usual], strict=True)]
    places = np.full(message.count, rows.size, dtype=np.uint32)
    places[rows[usual]] = np.arange(int(usual.sum()), dtype=np.uint32)
    places[rows[~usual]] = np.arange(int(usual.sum()), rows.size, dtype=np.uint32)
    return pl.concat([values, pl.Series([*odd, None], dtype=pl.String)]).gather(pl.Series(places))


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Read one varint and give it with the place after it."""
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise BadWire("a number breaks off")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _loaded(data: Bytes, width: int) -> npt.NDArray[np.uint64] | npt.NDArray[np.uint32]:
    """See the data as little-endian numbers that start at every byte."""
    dtype = np.dtype("<u8" if width == 8 else "<u4")
    return np.ndarray((data.size - width + 1,), dtype=dtype, buffer=data.data, strides=(1,))


def _scan(data: Bytes, start: Ints, end: Ints) -> tuple[Ints, Ints, Ints, Ints, npt.NDArray[np.uint8]]:
    """Give number, message, content, length and encoding of every field: one round takes one field of each message."""
    rounds: list[tuple[Ints, ...]] = []
    owner = np.flatnonzero(start < end)
    position, limit = start[owner], end[owner]
    while owner.size > _FEW:
        tag, position = _varints(data, position)
        wire = tag & 7
        content = position.copy()
        length = np.zeros(owner.size, dtype=np.int64)
        for kind, width in ((FIXED64, 8), (FIXED32, 4)):
            length[wire == kind] = width
        for kind in (VARINT, LENGTH):
            which = np.flatnonzero(wire == kind)
            if which.size:
                value, after = _varints(data, position[which])
                content[which] = value if kind == VARINT else after
                position[which] = after
                if kind == LENGTH:
                    length[which] = value
        position = position + length
        if bool(((position > limit) | (length < 0) | (tag < 8) | ((wire > LENGTH) & (wire != FIXED32))).any()):
            raise BadWire("a field reaches beyond its message")
        rounds.append((tag >> 3, owner, content, length, wire))
        going = position < limit
        owner, position, limit = owner[going], position[going], limit[going]
    if owner.size:
        rounds.append(_scan_few(data, owner, position, limit))
    if not rounds:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty, empty, empty.astype(np.uint8)
    number, owners, contents, lengths, wires = (np.concatenate(parts) for parts in zip(*rounds, strict=True))
    return number, owners, contents, lengths, wires.astype(np.uint8)


def _scan_few(data: Bytes, owner: Ints, position: Ints, limit: Ints) -> tuple[Ints, ...]:
    """Scan a few messages one after another: long lists in few messages would take as many rounds as they are long."""
    content = data.data
    found: list[tuple[int, int, int, int, int]] = []
    for row, begin, end in zip(owner.tolist(), position.tolist(), limit.tolist(), strict=True):
        at = begin
        while at < end:
            tag, at = _one_varint(content, at)
            wire = tag & 7
            if wire == LENGTH:
                length, at = _one_varint(content, at)
                found.append((tag >> 3, row, at, length, wire))
                at += length
            elif wire == VARINT:
                value, at = _one_varint(content, at)
                found.append((tag >> 3, row, value - (1 << 64) if value >= 1 << 63 else value, 0, wire))
            elif wire in (FIXED64, FIXED32):
                length = 8 if wire == FIXED64 else 4
                found.append((tag >> 3, row, at, length, wire))
                at += length
            else:
                raise BadWire(f"a field of the unknown wire type {wire}")
            if at > end or tag < 8:
                raise BadWire("a field reaches beyond its message")
    return tuple(np.array(column, dtype=np.int64) for column in zip(*found, strict=True))


def _one_varint(content: memoryview, position: int) -> tuple[int, int]:
    byte = content[position]
    position += 1
    if byte < 0x80:
        return byte, position
    value, shift = byte & 0x7F, 7
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), position
        shift += 7
        if shift > 63:
            raise BadWire("a number breaks off")


def _varints(data: Bytes, position: Ints) -> tuple[Ints, Ints]:
    """Read a varint at each place; gives the values (as signed numbers) and the places after them."""
    byte = data[position]
    value = (byte & 0x7F).astype(np.int64)
    after = position + 1
    more = np.flatnonzero(byte >= 0x80)
    shift = 7
    while more.size:
        if shift > 63:
            raise BadWire("a number breaks off")
        at = after[more]
        if int(at.max()) >= data.size:
            raise BadWire("a number breaks off")
        byte = data[at]
        value[more] |= (byte & 0x7F).astype(np.int64) << shift
        after[more] = at + 1
        more = more[byte >= 0x80]
        shift += 7
    return value, after

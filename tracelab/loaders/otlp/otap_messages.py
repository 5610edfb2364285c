"""Files of OTel-Arrow's messages: BatchArrowRecords, whose payloads are pieces of Arrow streams."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from pyarrow import ipc

from tracelab.errors import LoadError
from tracelab.loaders.input.columnar import checked_batch
from tracelab.loaders.input.parallel import in_order
from tracelab.loaders.input.sibling_files import SPANS
from tracelab.loaders.input.wire import LENGTH, BadWire, read_varint
from tracelab.loaders.otlp import otap
from tracelab.loaders.otlp.framing import BARE, FIXED, VARINT, messages
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.loaders.columns.chunk import Chunk
    from tracelab.loaders.input.sources import Readable

_BATCH_ID, _PAYLOADS = 1, 2
_SCHEMA_ID, _TYPE, _RECORD = 1, 2, 3
_MARK: Final = b"\xff\xff\xff\xff"
_LONGEST_SCHEMA_ID: Final = 1 << 15
_TABLES: Final = {
    1: "resource_attrs",
    2: "scope_attrs",
    40: SPANS,
    41: "span_attrs",
    42: "span_events",
    43: "span_links",
    44: "span_event_attrs",
    45: "span_link_attrs",
}


@dataclass(slots=True)
class _Records:
    """The payloads of one batch, by their types; and where the batch stands."""

    offset: int
    payloads: dict[int, tuple[str, bytes]] = field(default_factory=dict)


class _Stream:
    """An Arrow stream that comes in pieces: schema and dictionaries in the first, what is new in each."""

    def __init__(self) -> None:
        self._feed = io.BytesIO()
        self._reader: ipc.RecordBatchStreamReader | None = None

    def read(self, record: bytes) -> pa.StructArray:
        """Read the rows in the next piece.

        Raises
        ------
        pyarrow.ArrowException, OSError, ValueError, StopIteration
            It is damaged, or does not follow the one before.
        """
        if self._reader is None or ipc.read_message(record).type == "schema":
            self._feed = io.BytesIO(record)
            self._reader = ipc.open_stream(pa.PythonFile(self._feed, mode="r"))
        else:
            self._feed.seek(0)
            self._feed.truncate()
            self._feed.write(record)
            self._feed.seek(0)
        return checked_batch(self._reader.read_next_batch()).to_struct_array()


def records_framing_of(head: bytes) -> str | None:
    """Say how messages stand in a file by its first bytes; None if they are no messages of OTel-Arrow."""
    if _begins(head, 0):
        return BARE
    if _begins(head, 4):
        return FIXED
    try:
        length, position = read_varint(head[:10], 0)
    except BadWire:
        return None
    return VARINT if length and _begins(head, position) else None


def read_records(stream: Readable, framing: str, findings: Findings) -> Iterator[Chunk]:
    """Read a file of messages, batch by batch."""
    seen = False

    def decoded(batch: otap.Batch) -> tuple[Chunk | None, Findings]:
        try:
            return otap.chunk_of(batch)
        except otap.BadTable as error:
            found = Findings()
            found.add(problems.BAD_MESSAGE, place=batch.where, example=str(error))
            return None, found

    for chunk, found in in_order(decoded, _batches(stream, framing, findings)):
        findings.merge(found)
        if chunk is not None:
            seen = True
            yield chunk
    if not seen:
        raise LoadError(
            f"{stream.name}: it begins like messages of OTel-Arrow, but no spans in it can be read. "
            "Check that the file is whole, and that it holds traces and not logs or metrics."
        )


def _batches(stream: Readable, framing: str, findings: Findings) -> Iterator[otap.Batch]:
    """Give the tables of each batch that has spans."""
    streams: dict[int, tuple[str, _Stream]] = {}
    for records in _records(stream, framing, findings):
        where = f"message at byte {records.offset}"
        if not records.payloads.keys() <= _TABLES.keys():
            findings.add(problems.OTHER_SIGNALS, place=where)
        tables: dict[str, pa.StructArray] = {}
        for number, (schema_id, record) in records.payloads.items():
            if number not in _TABLES:
                continue
            if number not in streams or streams[number][0] != schema_id:
                streams[number] = (schema_id, _Stream())
            try:
                tables[_TABLES[number]] = streams[number][1].read(record)
            except (pa.ArrowException, OSError, ValueError, StopIteration) as error:
                del streams[number]
                findings.add(problems.BAD_MESSAGE, place=where, example=f"{_TABLES[number]}: {error}")
        if SPANS in tables:
            whole = len(tables) == len(records.payloads.keys() & _TABLES.keys())
            yield otap.Batch(tables, where, whole=whole)


def _records(stream: Readable, framing: str, findings: Findings) -> Iterator[_Records]:
    """Take messages apart; of bare ones, which run into one another, a new one begins with a number or a known type."""
    held: _Records | None = None
    for message, offset in messages(stream, framing, findings):
        if held is None or framing != BARE:
            if held is not None:
                yield held
            held = _Records(offset)
        try:
            for number, content in _fields(message):
                if number == _BATCH_ID and held.payloads:
                    yield held
                    held = _Records(offset)
                if number != _PAYLOADS or not isinstance(content, bytes):
                    continue
                kind, payload = _payload(content)
                if kind in held.payloads:
                    yield held
                    held = _Records(offset)
                held.payloads[kind] = payload
        except BadWire as error:
            findings.add(problems.BAD_MESSAGE, place=f"byte {offset}", example=str(error))
    if held is not None:
        yield held


def _payload(content: bytes) -> tuple[int, tuple[str, bytes]]:
    """Read a payload: its type, and its schema's name and its record."""
    kind, schema_id, record = 0, "", b""
    for number, held in _fields(content):
        if isinstance(held, int):
            kind = held if number == _TYPE else kind
        elif number == _SCHEMA_ID and held is not None:
            schema_id = held.decode("utf-8", "replace")
        elif number == _RECORD and held is not None:
            record = held
    return kind, (schema_id, record)


def _fields(content: bytes) -> Iterator[tuple[int, bytes | int | None]]:
    """Give the fields of a message: bytes, whole numbers, and nothing for the rest."""
    position = 0
    while position < len(content):
        tag, position = read_varint(content, position)
        wire = tag & 7
        if wire == LENGTH:
            length, position = read_varint(content, position)
            if position + length > len(content):
                raise BadWire("a field reaches beyond its message")
            yield tag >> 3, content[position : position + length]
            position += length
        elif wire == 0:
            value, position = read_varint(content, position)
            yield tag >> 3, value
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
            yield tag >> 3, None
        else:
            raise BadWire(f"a field of the unknown wire type {wire}")


def _begins(head: bytes, position: int) -> bool:
    """Say whether a message begins here: a batch's number, and a payload with a record of Arrow's."""
    try:
        if head[position : position + 1] == b"\x08":
            _, position = read_varint(head, position + 1)
        if head[position : position + 1] != b"\x12":
            return False
        _, position = read_varint(head, position + 1)
        if head[position : position + 1] == b"\x0a":
            length, position = read_varint(head, position + 1)
            if length > _LONGEST_SCHEMA_ID:
                return False
            position += length
        if head[position : position + 1] != b"\x10":
            return False
        _, position = read_varint(head, position + 1)
        if head[position : position + 1] != b"\x1a":
            return False
        _, position = read_varint(head, position + 1)
    except BadWire:
        return False
    return head[position : position + 4] == _MARK

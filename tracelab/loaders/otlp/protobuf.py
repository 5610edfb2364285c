"""OTLP protobuf to chunks: every message type is scanned once for all of its messages in a piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tracelab.loaders.columns.chunk import BOOL, DOUBLE, INT, STRING, VALUE_DTYPES, Chunk, Entries, part
from tracelab.loaders.columns.nested import list_of_structs, text_map
from tracelab.loaders.columns.normalise import link_ids, normalise
from tracelab.loaders.columns.text import as_text
from tracelab.loaders.documents.protobuf_values import message_value
from tracelab.loaders.input.wire import (
    FIXED32,
    FIXED64,
    LENGTH,
    PADDING,
    VARINT,
    BadWire,
    Bytes,
    Fields,
    Ints,
    Message,
    doubles,
    hexes,
    numbers,
    strings,
    texts,
)
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.schema import EVENTS, LINKS, TIME

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST_TIME: Final = 2**63 - 1
_DROPPED: Final = {10: "dropped_attributes_count", 12: "dropped_events_count", 14: "dropped_links_count"}
_DEPRECATED_SCOPE_SPANS: Final = 1000


def chunk_of(content: bytes, where: str) -> tuple[Chunk, Findings]:
    """Decode a request (or several, one after another: on the wire that is the same).

    Raises
    ------
    BadWire
        The bytes are no such message.
    """
    data = np.frombuffer(content + PADDING, dtype=np.uint8)
    size = len(content)
    request = Message(data, np.array([0], dtype=np.int64), np.array([size], dtype=np.int64))
    groups_at = request.field(1, LENGTH)
    groups = Message(data, groups_at.start, groups_at.end)
    reader = _Reader(data, where)
    scopes_at = groups.field(2, LENGTH)
    old = groups.field(_DEPRECATED_SCOPE_SPANS, LENGTH)
    if old.owner.size:
        reader.findings.add(problems.DEPRECATED, old.owner.size, place=where, example="instrumentation_library_spans")
        scopes_at = _together(scopes_at, old)
    scopes = Message(data, scopes_at.start, scopes_at.end)
    spans_at = scopes.field(2, LENGTH)
    spans = Message(data, spans_at.start, spans_at.end)

    def place(row: int) -> str:
        return f"{where}, at byte {int(spans_at.start[row])} of it"

    raw = reader.spans(spans).with_columns(
        pl.Series("resource", scopes_at.owner[spans_at.owner], dtype=pl.UInt32),
        pl.Series("scope", spans_at.owner, dtype=pl.UInt32),
    )
    chunk = Chunk(
        spans=normalise(raw, reader.findings, place),
        attributes=reader.entries(spans.field(9, LENGTH)),
        resources=reader.nested_entries(groups, 1, 1),
        resource_count=groups.count,
        scopes=reader.scopes(scopes),
        scope_attributes=reader.nested_entries(scopes, 1, 3),
    )
    return chunk, reader.findings


class _Reader:
    """Takes columns out of messages, and counts what it meets."""

    def __init__(self, data: Bytes, where: str) -> None:
        self.data = data
        self.where = where
        self.findings = Findings()

    def text(self, message: Message, number: int) -> pl.Series:
        series, bad = texts(message, self.data, number)
        self.findings.add(problems.BAD_UTF8, bad, place=self.where)
        return series

    def strings(self, fields: Fields) -> pl.Series:
        series, bad = strings(self.data, fields)
        self.findings.add(problems.BAD_UTF8, bad, place=self.where)
        return series

    def times(self, message: Message, number: int) -> pl.Series:
        """Read nanoseconds; zero is no time, and what no datetime can hold is dropped."""
        series = numbers(message, self.data, number, FIXED64).rename("t")
        too_large = series > _LARGEST_TIME
        self.findings.add(problems.BAD_TIME, int(too_large.sum() or 0), place=self.where)
        usable = (pl.col("t") > 0) & (pl.col("t") <= _LARGEST_TIME)
        return series.to_frame().select(pl.when(usable).then("t").cast(pl.Int64)).to_series()

    def spans(self, spans: Message) -> pl.DataFrame:
        status_rows, status_at = spans.last(15, LENGTH)
        status = Message(self.data, status_at.start, status_at.end)
        for number, name in _DROPPED.items():
            self.findings.add(
                problems.DROPPED_BY_PRODUCER,
                int(spans.field(number, VARINT).start.sum()),
                place=self.where,
                example=name,
            )
        return pl.DataFrame(
            {
                "trace_id": hexes(spans, self.data, 1, 16),
                "span_id": hexes(spans, self.data, 2, 8),
                "parent_span_id": hexes(spans, self.data, 4, 8),
                "name": self.text(spans, 5).fill_null(""),
                "kind": _small(numbers(spans, self.data, 6, VARINT)),
                "start_time": self.times(spans, 7),
                "end_time": self.times(spans, 8),
                "status_code": _spread(_small(numbers(status, self.data, 3, VARINT)), status_rows, spans.count),
                "status_message": _spread(self.text(status, 2), status_rows, spans.count),
                "trace_state": self.text(spans, 3),
                "flags": numbers(spans, self.data, 16, FIXED32).cast(pl.UInt32),
                "events": self.events(spans),
                "links": self.links(spans),
            }
        )

    def scopes(self, scopes: Message) -> pl.DataFrame:
        rows, held_at = scopes.last(1, LENGTH)
        held = Message(self.data, held_at.start, held_at.end)
        frame = pl.DataFrame(
            {
                name: _spread(self.text(held, number), rows, scopes.count)
                for name, number in (("name", 1), ("version", 2))
            }
        )
        return frame.select(pl.when(pl.col(name) != "").then(name) for name in ("name", "version"))

    def nested_entries(self, outer: Message, number: int, attributes: int) -> Entries:
        """Read the attributes of a message inside of each outer one."""
        rows, held_at = outer.last(number, LENGTH)
        held = Message(self.data, held_at.start, held_at.end).field(attributes, LENGTH)
        return self.entries(Fields(rows[held.owner], held.start, held.length))

    def entries(self, pairs_at: Fields) -> Entries:
        """Make long tables of KeyValue messages."""
        if not pairs_at.owner.size:
            return Entries()
        keys, found = self.values(pairs_at)
        names, codes = _encoded(keys)
        rows = pairs_at.owner.astype(np.uint32)
        parts: dict[int, Any] = {
            kind: part(rows[which], codes[which], values, keys=len(names)) for kind, (which, values) in found.items()
        }
        return Entries(list(names), parts)

    def values(self, pairs_at: Fields) -> tuple[pl.Series, dict[int, tuple[Ints, pl.Series]]]:
        """Read keys, and for each kind of value which pairs hold it and what; the last value of a pair counts."""
        pairs = Message(self.data, pairs_at.start, pairs_at.end)
        keys = self.text(pairs, 1).fill_null("")
        rows, values_at = pairs.last(2, LENGTH)
        held = Message(self.data, values_at.start, values_at.end)
        found: dict[int, tuple[Ints, pl.Series]] = {}
        filled = 0
        for number, wire, kind in ((1, LENGTH, STRING), (2, VARINT, BOOL), (3, VARINT, INT), (4, FIXED64, DOUBLE)):
            which, fields = held.last(number, wire)
            if which.size:
                filled += which.size
                found[kind] = (rows[which], self._scalars(kind, fields))
        nested = np.unique(np.concatenate([held.field(number, LENGTH).owner for number in (5, 6, 7)]))
        filled += nested.size
        empty = self._read_nested(nested, rows, values_at, found)
        seen = np.zeros(pairs.count, dtype=bool)
        for which, _ in found.values():
            seen[which] = True
        if filled > int(seen.sum()) + empty:
            raise BadWire("a value of two kinds")
        self.findings.add(problems.EMPTY_VALUES, pairs.count - int(seen.sum()), place=self.where)
        return keys, found

    def _scalars(self, kind: int, fields: Fields) -> pl.Series:
        if kind == STRING:
            return self.strings(fields)
        if kind == DOUBLE:
            return pl.Series(doubles(self.data, fields))
        return pl.Series(fields.start != 0) if kind == BOOL else pl.Series(fields.start, dtype=pl.Int64)

    def _read_nested(
        self, nested: Ints, rows: Ints, values_at: Fields, found: dict[int, tuple[Ints, pl.Series]]
    ) -> int:
        """Read the values that are no scalars, one by one; gives how many turn out to be empty."""
        empty = 0
        read: dict[int, tuple[list[int], list[str]]] = {}
        for number in nested.tolist():
            content = self.data[values_at.start[number] : values_at.end[number]].tobytes()
            try:
                value = message_value(content, self.findings, self.where)
            except (DecodeError, RecursionError) as error:
                raise BadWire(str(error)) from error
            if value is None:
                empty += 1
                continue
            kind, text = value
            places, values = read.setdefault(kind, ([], []))
            places.append(int(rows[number]))
            values.append(text)
        for kind, (places, values) in read.items():
            if kind in found:
                raise BadWire("a value of two kinds")
            found[kind] = (np.array(places, dtype=np.int64), pl.Series(values, dtype=VALUE_DTYPES[kind]))
        return empty

    def maps(self, pairs_at: Fields, count: int) -> pa.Array:
        """Make text maps of KeyValue messages; of a key that comes twice the last counts."""
        if not pairs_at.owner.size:
            return text_map(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String), np.zeros(count))
        keys, found = self.values(pairs_at)
        texts = pl.Series("text", [None], dtype=pl.String).new_from_index(0, keys.len())
        for kind, (which, values) in found.items():
            texts = texts.scatter(which, as_text(values, kind))
        frame = pl.DataFrame({"owner": pairs_at.owner, "key": keys, "text": texts})
        frame = frame.filter(pl.col("text").is_not_null()).unique(["owner", "key"], keep="last", maintain_order=True)
        ends = np.cumsum(np.bincount(frame["owner"].to_numpy(), minlength=count))
        return text_map(frame["key"], frame["text"], ends)

    def events(self, spans: Message) -> pl.Series:
        at = spans.field(11, LENGTH)
        events = Message(self.data, at.start, at.end)
        fields = {
            "time": self.times(events, 1).fill_null(0).cast(TIME).to_arrow(),
            "name": self.text(events, 2).fill_null("").to_arrow(),
            "attributes": self.maps(events.field(3, LENGTH), events.count),
        }
        return list_of_structs(fields, owners=at.owner, count=spans.count, dtype=EVENTS)

    def links(self, spans: Message) -> pl.Series:
        at = spans.field(13, LENGTH)
        links = Message(self.data, at.start, at.end)
        ids = link_ids(
            pl.DataFrame(
                {
                    "trace_id": hexes(links, self.data, 1, 16),
                    "span_id": hexes(links, self.data, 2, 8),
                    "trace_state": self.text(links, 3),
                }
            ),
            self.findings,
        )
        fields = {name: ids[name].to_arrow() for name in ids.columns}
        fields["attributes"] = self.maps(links.field(4, LENGTH), links.count)
        return list_of_structs(fields, owners=at.owner, count=spans.count, dtype=LINKS)


def _together(new: Fields, old: Fields) -> Fields:
    """Put two lists of fields together, in order of their messages."""
    owner = np.concatenate([new.owner, old.owner])
    order = np.argsort(owner, kind="stable")
    return Fields(
        owner[order],
        np.concatenate([new.start, old.start])[order],
        np.concatenate([new.length, old.length])[order],
    )


def _encoded(keys: pl.Series) -> tuple[list[str], Any]:
    """Give the distinct keys, and for each key its place among them."""
    encoded = keys.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    codes = np.frombuffer(encoded.indices.buffers()[1], dtype=np.int32, count=len(keys))
    return encoded.dictionary.to_pylist(), codes


def _small(series: pl.Series) -> pl.Series:
    """Read enum numbers; what no enum has becomes 255."""
    name = series.name
    return (
        series.to_frame("n")
        .select(
            pl.when(pl.col("n").is_between(0, 254))
            .then("n")
            .when(pl.col("n").is_not_null())
            .then(255)
            .cast(pl.UInt8)
            .alias(name)
        )
        .to_series()
    )


def _spread(series: pl.Series, rows: Ints, count: int) -> pl.Series:
    """Put values of some messages into a column of all."""
    if rows.size == count:
        return series
    places = np.full(count, rows.size, dtype=np.uint32)
    places[rows] = np.arange(rows.size, dtype=np.uint32)
    return pl.concat([series, pl.Series([None], dtype=series.dtype)]).gather(pl.Series(places))

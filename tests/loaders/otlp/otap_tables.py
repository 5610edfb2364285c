"""OTel-Arrow's tables and messages, made of OTLP JSON by pyarrow."""

from __future__ import annotations

import base64
import io
import struct
from itertools import pairwise
from typing import Any, Final

import pyarrow as pa
from pyarrow import ipc

NUMBERS: Final = {
    "resource_attrs": 1,
    "scope_attrs": 2,
    "spans": 40,
    "span_attrs": 41,
    "span_events": 42,
    "span_links": 43,
    "span_event_attrs": 44,
    "span_link_attrs": 45,
}
_KINDS: Final = {"stringValue": 1, "intValue": 2, "doubleValue": 3, "boolValue": 4, "bytesValue": 7}
_VALUES: Final = {1: "str", 2: "int", 3: "double", 4: "bool", 5: "ser", 6: "ser", 7: "bytes"}
# Senders number words with uint8; pyarrow before 26 makes int8 of it where it converts Python's objects.
_NUMBER: Final = pa.array(["a"], type=pa.dictionary(pa.uint8(), pa.string())).type.index_type
_TEXT: Final = pa.dictionary(_NUMBER, pa.string())

Rows = dict[str, list[dict[str, Any]]]


def rows_of(document: dict[str, Any]) -> Rows:
    """Make the rows of all tables of an OTLP document."""
    rows: Rows = {name: [] for name in NUMBERS}
    scopes = 0
    for number, group in enumerate(document["resourceSpans"]):
        _attributes(rows["resource_attrs"], number, group["resource"].get("attributes", []))
        for scope in group["scopeSpans"]:
            _attributes(rows["scope_attrs"], scopes, scope["scope"].get("attributes", []))
            for span in scope["spans"]:
                _span(rows, span, {"id": number}, {"id": scopes, **_named(scope["scope"])})
            scopes += 1
    return rows


def _named(scope: dict[str, Any]) -> dict[str, Any]:
    return {"name": scope.get("name"), "version": scope.get("version")}


def _span(rows: Rows, span: dict[str, Any], resource: dict[str, Any], scope: dict[str, Any]) -> None:
    number = len(rows["spans"])
    start, end = int(span.get("startTimeUnixNano", 0)), int(span.get("endTimeUnixNano", 0))
    _attributes(rows["span_attrs"], number, span.get("attributes", []))
    for event in span.get("events", []):
        own = len(rows["span_events"])
        _attributes(rows["span_event_attrs"], own, event.get("attributes", []))
        time = int(event.get("timeUnixNano", 0))
        rows["span_events"].append({"id": own, "parent_id": number, "time_unix_nano": time, "name": event["name"]})
    for link in span.get("links", []):
        own = len(rows["span_links"])
        _attributes(rows["span_link_attrs"], own, link.get("attributes", []))
        ids = {"trace_id": bytes.fromhex(link["traceId"]), "span_id": bytes.fromhex(link["spanId"])}
        rows["span_links"].append({"id": own, "parent_id": number, **ids, "trace_state": link.get("traceState")})
    status = span.get("status", {})
    rows["spans"].append(
        {
            "id": number,
            "resource": resource,
            "scope": scope,
            "start_time_unix_nano": start,
            "duration_time_unix_nano": end - start,
            "trace_id": bytes.fromhex(span["traceId"]),
            "span_id": bytes.fromhex(span["spanId"]),
            "trace_state": span.get("traceState"),
            "parent_span_id": bytes.fromhex(span["parentSpanId"]) if "parentSpanId" in span else None,
            "name": span["name"],
            "kind": span.get("kind"),
            "dropped_attributes_count": span.get("droppedAttributesCount"),
            "status": {"code": status.get("code"), "status_message": status.get("message")},
        }
    )


def _attributes(rows: list[dict[str, Any]], owner: int, pairs: list[dict[str, Any]]) -> None:
    for pair in pairs:
        value = pair["value"]
        field = next((name for name in _KINDS if name in value), None)
        kind = _KINDS[field] if field else 6 if "arrayValue" in value else 5 if "kvlistValue" in value else 0
        row: dict[str, Any] = {"parent_id": owner, "key": pair["key"], "type": kind}
        if kind in (5, 6):
            row["ser"] = cbor(plain(value))
        elif kind == 7:
            row["bytes"] = base64.b64decode(value["bytesValue"])
        elif field:
            row[_VALUES[kind]] = int(value[field]) if kind == 2 else value[field]
        rows.append(row)


def plain(value: dict[str, Any]) -> Any:
    """Give the plain value that an AnyValue stands for."""
    if "arrayValue" in value:
        return [plain(item) for item in value["arrayValue"].get("values", [])]
    if "kvlistValue" in value:
        return {pair["key"]: plain(pair["value"]) for pair in value["kvlistValue"].get("values", [])}
    field = next((name for name in _KINDS if name in value), None)
    return None if field is None else int(value[field]) if field == "intValue" else value[field]


def cbor(value: Any) -> bytes:
    """Write a plain value as CBOR."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    return _head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 256**width:
            return bytes([major << 5 | info]) + number.to_bytes(width, "big")
    raise ValueError(number)


def sent(rows: Rows) -> Rows:
    """Sort rows and encode their numbers as they are when they are sent."""
    encoded: Rows = {"spans": [dict(row) for row in rows["spans"]]}
    _deltas(encoded["spans"], "id")
    for level in ("resource", "scope"):
        inner = [dict(row[level]) for row in encoded["spans"]]
        _deltas(inner, "id")
        for row, changed in zip(encoded["spans"], inner, strict=True):
            row[level] = changed
    renumbered: dict[str, dict[int, int]] = {}
    for name, run in (("span_events", "name"), ("span_links", "trace_id")):
        held = sorted((dict(row) for row in rows[name]), key=lambda row: (row[run], row["parent_id"]))
        renumbered[f"{name[:-1]}_attrs"] = {row["id"]: place for place, row in enumerate(held)}
        for place, row in enumerate(held):
            row["id"] = place
        _deltas(held, "id")
        _quasi_deltas(held, lambda row, run=run: row[run])
        encoded[name] = held
    for name, held in rows.items():
        if name.endswith("_attrs"):
            owners = renumbered.get(name, {})
            moved = [{**row, "parent_id": owners.get(row["parent_id"], row["parent_id"])} for row in held]
            ordered = sorted(moved, key=lambda row: (row["type"], row["key"], str(_held(row)), row["parent_id"]))
            _quasi_deltas(ordered, lambda row: None if row["type"] in (0, 5, 6) else (row["key"], _held(row)))
            encoded[name] = ordered
    return encoded


def _held(row: dict[str, Any]) -> Any:
    return row.get(_VALUES.get(row["type"], ""))


def _deltas(rows: list[dict[str, Any]], name: str) -> None:
    numbers = [0, *(row[name] for row in rows)]
    for row, (before, number) in zip(rows, pairwise(numbers), strict=True):
        row[name] = number - before


def _quasi_deltas(rows: list[dict[str, Any]], key: Any) -> None:
    numbers = [row["parent_id"] for row in rows]
    for place in range(len(rows) - 1, 0, -1):
        held = key(rows[place])
        if held is not None and held == key(rows[place - 1]):
            rows[place]["parent_id"] = numbers[place] - numbers[place - 1]


def batches(rows: Rows, encoding: dict[str, str] | None = None) -> dict[str, pa.RecordBatch]:
    """Make tables of rows; `encoding` is what columns say of how their numbers are encoded."""
    made = {
        name: pa.RecordBatch.from_pylist(held, schema=_schema(name, encoding or {}))
        for name, held in rows.items()
        if held
    }
    spans = made["spans"]
    place = spans.schema.get_field_index("duration_time_unix_nano")
    return {
        **made,
        "spans": spans.set_column(place, "duration_time_unix_nano", spans.column(place).dictionary_encode()),
    }


def _schema(name: str, encoding: dict[str, str]) -> pa.Schema:
    def number(column: str, dtype: pa.DataType) -> pa.Field:
        said = encoding.get(column)
        return pa.field(column, dtype, metadata={"encoding": said} if said else None)

    parent = number("parent_id", pa.uint32() if name in ("span_event_attrs", "span_link_attrs") else pa.uint16())
    if name.endswith("_attrs"):
        values = [("str", _TEXT), ("int", pa.int64()), ("double", pa.float64()), ("bool", pa.bool_())]
        values += [("bytes", pa.binary()), ("ser", pa.binary())]
        return pa.schema([parent, ("key", _TEXT), ("type", pa.uint8()), *values])
    ids = [("trace_id", pa.binary(16)), ("span_id", pa.binary(8)), ("trace_state", pa.string())]
    if name == "span_links":
        return pa.schema([number("id", pa.uint32()), parent, *ids])
    if name == "span_events":
        return pa.schema([number("id", pa.uint32()), parent, ("time_unix_nano", pa.timestamp("ns")), ("name", _TEXT)])
    scope = [number("id", pa.uint16()), pa.field("name", _TEXT), pa.field("version", _TEXT)]
    status = [pa.field("code", pa.dictionary(_NUMBER, pa.int32())), pa.field("status_message", pa.string())]
    return pa.schema(
        [
            number("id", pa.uint16()),
            pa.field("resource", pa.struct([number("id", pa.uint16())])),
            pa.field("scope", pa.struct(scope)),
            ("start_time_unix_nano", pa.timestamp("ns")),
            ("duration_time_unix_nano", pa.duration("ns")),
            *ids,
            ("parent_span_id", pa.binary(8)),
            ("name", _TEXT),
            ("kind", pa.dictionary(_NUMBER, pa.int32())),
            ("dropped_attributes_count", pa.uint32()),
            pa.field("status", pa.struct(status)),
        ]
    )


class Producer:
    """Writes messages one after another as a sender does: what was said of schemas and dictionaries is not repeated."""

    def __init__(self) -> None:
        self.streams: dict[str, tuple[io.BytesIO, Any]] = {}
        self.batch_id = 0

    def message(self, tables: dict[str, pa.RecordBatch]) -> bytes:
        """Write the message of a batch."""
        content = b"\x08" + varint(self.batch_id) if self.batch_id else b""
        self.batch_id += 1
        for name, table in tables.items():
            if name not in self.streams:
                sink = io.BytesIO()
                options = ipc.IpcWriteOptions(emit_dictionary_deltas=True, compression="zstd")
                self.streams[name] = (sink, ipc.new_stream(sink, table.schema, options=options))
            sink, writer = self.streams[name]
            before = sink.tell()
            writer.write_batch(table)
            payload = field(1, name.encode()) + b"\x10" + varint(NUMBERS[name]) + field(3, sink.getvalue()[before:])
            content += field(2, payload)
        return content


def field(number: int, content: bytes) -> bytes:
    """Write a field of bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Write a number."""
    content = b""
    while number > 0x7F:
        content += bytes([number & 0x7F | 0x80])
        number >>= 7
    return content + bytes([number])

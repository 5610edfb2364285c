"""Tempo's blocks: vParquet 3, 4 and 5, one row per trace, in which resources hold scopes and these hold spans."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracelab.errors import LoadError
from tracelab.loaders.columns.arrays import (
    ArrayReader,
    columns_of,
    exploded,
    field_of,
    is_list,
    is_text,
    lengths_of,
    plain,
    plain_type,
    unsigned,
)
from tracelab.loaders.columns.chunk import BOOL, DOUBLE, EMPTY_ARRAY, INT, STRING, VALUE_DTYPES, Chunk
from tracelab.loaders.columns.long_tables import Attributes, entries_of, maps_of
from tracelab.loaders.columns.nested import list_of_structs
from tracelab.loaders.columns.normalise import link_ids, normalise
from tracelab.loaders.documents.protobuf_values import as_json, message_value
from tracelab.loaders.documents.values import any_value, plain_value
from tracelab.loaders.input.parallel import in_order
from tracelab.loaders.input.sibling_files import METAS
from tracelab.loaders.input.wire import BadWire, read_varint
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.schema import EVENTS, LINKS, TIME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracelab.loaders.input.columnar import ColumnarFile

Ints = npt.NDArray[np.int64]

_COLUMNS: Final = ["TraceID", "rs"]
_NEEDED: Final = ("SpanID", "ParentSpanID", "Name", "StartTimeUnixNano", "DurationNano")
_RESOURCE: Final = {
    "ServiceName": "service.name",
    "Cluster": "cluster",
    "Namespace": "namespace",
    "Pod": "pod",
    "Container": "container",
    "K8sClusterName": "k8s.cluster.name",
    "K8sNamespaceName": "k8s.namespace.name",
    "K8sPodName": "k8s.pod.name",
    "K8sContainerName": "k8s.container.name",
}
_SPAN: Final = {"HttpMethod": "http.method", "HttpUrl": "http.url", "HttpStatusCode": "http.status_code"}
_SCALARS: Final = {"Value": STRING, "ValueInt": INT, "ValueDouble": DOUBLE, "ValueBool": BOOL}
_FIRST_ARRAY_TYPE: Final = 5
_LINK_TAG: Final = 0x0A
_COUNTS: Final = ("DroppedAttributesCount", "DroppedEventsCount", "DroppedLinksCount")
_GENERIC: Final = {"Attrs", "DedicatedAttributes", *_COUNTS}
# Nested sets, counts and rounded times are computed from the rest.
_COMPUTED: Final = {"ParentID", "NestedSetLeft", "NestedSetRight", "SpanCount"}
_ROUNDED: Final = "StartTimeRounded"
_TEXTS: Final = ("Kind", "TraceState", "StatusCode", "StatusMessage", "Events", "Links")
_KNOWN: Final = {
    "Resource": {*_RESOURCE, *_GENERIC},
    "Scope": {"Name", "Version", *_GENERIC},
    "Spans": {*_NEEDED, *_TEXTS, *_SPAN, *_GENERIC, *_COMPUTED},
    "Events": {"TimeUnixNano", "TimeSinceStartNano", "Name", *_GENERIC},
    "Links": {"TraceID", "SpanID", "TraceState", *_GENERIC},
}
_DEDICATED: Final = re.compile(r"(String|Int)(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Dedicated:
    """What a dedicated column holds: the key of an attribute, and whether its values are arrays."""

    key: str
    is_array: bool


Check = Callable[[pa.DataType], bool]
Named = dict[tuple[str, str], Dedicated]
"""For a scope and the name of a column in it, what the column holds."""


def has_traces(columns: frozenset[str]) -> bool:
    """Say whether columns are those of a block."""
    return columns.issuperset(_COLUMNS)


def chunks(file: ColumnarFile, findings: Findings) -> Iterator[Chunk]:
    """Read a block, some traces at a time.

    Raises
    ------
    LoadError
        It is damaged, or of a version that is not known.
    """
    named = dedicated_columns(file.path) if file.path else {}

    def decoded(batch: tuple[pa.RecordBatch, int]) -> tuple[Chunk, Findings]:
        return _chunk_of(*batch, named, file.name)

    for chunk, found in in_order(decoded, file.batches(_COLUMNS)):
        findings.merge(found)
        yield chunk


def dedicated_columns(block: Path) -> Named:
    """Say which attributes the dedicated columns hold, as the meta.json beside a block has it.

    The columns of a scope and a type are numbered in the order in which they are listed.
    """
    for name in METAS:
        try:
            meta = msgspec.json.decode(block.with_name(name).read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        listed = meta.get("dedicatedColumns") if isinstance(meta, dict) else None
        if isinstance(listed, list):
            return _numbered([each for each in listed if isinstance(each, dict)])
    return {}


def _numbered(listed: list[dict[str, Any]]) -> Named:
    named: Named = {}
    counts: dict[tuple[str, str], int] = {}
    for each in listed:
        scope, kind, key, options = each.get("s", "span"), each.get("t", "string"), each.get("n"), each.get("o")
        if not (isinstance(scope, str) and isinstance(kind, str) and isinstance(key, str)):
            continue
        count = counts[scope, kind] = counts.get((scope, kind), 0) + 1
        named[scope, f"{kind.capitalize()}{count:02}"] = Dedicated(
            key, isinstance(options, list) and "array" in options
        )
    return named


def _chunk_of(batch: pa.RecordBatch, first: int, named: Named, name: str) -> tuple[Chunk, Findings]:
    reader = _Reader(Findings(), f"row {first}", named)
    groups, trace_of_group = _inner(batch.column("rs"), {"Resource": pa.types.is_struct, "ss": is_list}, name)
    scopes, group_of_scope = _inner(field_of(groups, "ss"), {"Scope": pa.types.is_struct, "Spans": is_list}, name)
    spans, scope_of_span = _inner(field_of(scopes, "Spans"), dict.fromkeys(_NEEDED), name)
    trace_of_span = trace_of_group[group_of_scope[scope_of_span]]

    def place(row: int) -> str:
        scope = int(scope_of_span[row])
        group = int(group_of_scope[scope])
        steps = f"rs[{_nth(trace_of_group, group)}].ss[{_nth(group_of_scope, scope)}].Spans[{_nth(scope_of_span, row)}]"
        return f"row {first + int(trace_of_span[row])}, {steps}"

    traces = pa.StructArray.from_arrays([plain(batch.column("TraceID"))], names=["TraceID"])
    raw = reader.spans(spans).with_columns(
        reader.ids(traces, "TraceID").gather(pl.Series(trace_of_span)).alias("trace_id"),
        pl.Series("resource", group_of_scope[scope_of_span], dtype=pl.UInt32),
        pl.Series("scope", scope_of_span, dtype=pl.UInt32),
    )
    resource, scope = field_of(groups, "Resource"), field_of(scopes, "Scope")
    names = [reader.texts(scope, field).alias(field.lower()) for field in ("Name", "Version")]
    chunk = Chunk(
        spans=normalise(raw, reader.findings, place),
        attributes=entries_of(reader.attributes(spans, "span", _SPAN)),
        resources=entries_of(reader.attributes(resource, "resource", _RESOURCE)),
        resource_count=len(groups),
        scopes=pl.DataFrame(names).select(pl.when(pl.all() != "").then(pl.all())),
        scope_attributes=entries_of(reader.attributes(scope, "scope", {})),
    )
    for structs, level in ((resource, "Resource"), (scope, "Scope"), (spans, "Spans")):
        reader.unknown(structs, level)
    return chunk, reader.findings


def _inner(
    array: pa.Array, needed: dict[str, Callable[[pa.DataType], bool] | None], name: str
) -> tuple[pa.Array, Ints]:
    """Give the structs in lists, and the row that each is from.

    Raises
    ------
    LoadError
        They do not have the fields that are needed.
    """
    array = plain(array)
    dtype = plain_type(array.type.value_type) if is_list(array.type) else array.type
    fields = [dtype.field(at) for at in range(dtype.num_fields)] if pa.types.is_struct(dtype) else []
    held = {field.name: plain_type(field.type) for field in fields} if is_list(array.type) else {}
    missing = [field for field, check in needed.items() if field not in held or (check and not check(held[field]))]
    if missing:
        raise LoadError(
            f"{name}: it looks like a block of Tempo, but of none of the versions 3, 4 and 5: it has no "
            f"{', '.join(missing)}. Fetch the traces through Tempo's API."
        )
    return exploded(array)


class _Reader(ArrayReader):
    """Takes columns out of the arrays of a batch, and counts what it meets."""

    def __init__(self, findings: Findings, where: str, named: Named) -> None:
        super().__init__(findings, where)
        self.named = named

    def spans(self, spans: pa.Array) -> pl.DataFrame:
        start = unsigned(self.nanoseconds(spans, "StartTimeUnixNano"))
        # Where a span ends before it starts its duration wrapped around, and wraps back here.
        end = start + unsigned(self.nanoseconds(spans, "DurationNano"))
        return pl.DataFrame(
            {
                "span_id": self.ids(spans, "SpanID"),
                "parent_span_id": self.ids(spans, "ParentSpanID"),
                "name": self.texts(spans, "Name"),
                "kind": self.small(spans, "Kind"),
                "start_time": self.instants(start, "StartTimeUnixNano"),
                "end_time": self.instants(end, "DurationNano"),
                "status_code": self.small(spans, "StatusCode"),
                "status_message": self.texts(spans, "StatusMessage"),
                "trace_state": self.texts(spans, "TraceState"),
                "flags": pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(spans)),
                "events": self.events(spans, start),
                "links": self.links(spans),
            }
        )

    def nanoseconds(self, structs: pa.Array, name: str) -> pa.Array:
        """Read a field of nanoseconds, which may be as large as 64 bits are."""
        array = field_of(structs, name)
        if array is None or not pa.types.is_integer(array.type):
            return self.integers(structs, name).to_arrow()
        return array

    def events(self, spans: pa.Array, start: npt.NDArray[np.uint64]) -> pl.Series:
        """Make the column of events."""
        found = self.items(spans, "Events")
        if found is None:
            return list_of_structs({}, owners=[], count=len(spans), dtype=EVENTS)
        events, owners = found
        if events.type.get_field_index("TimeSinceStartNano") >= 0:
            times = start[owners] + unsigned(self.nanoseconds(events, "TimeSinceStartNano"))
        else:
            times = unsigned(self.nanoseconds(events, "TimeUnixNano"))
        fields = {
            "time": self.instants(times, "Events").fill_null(0).cast(TIME).to_arrow(),
            "name": self.texts(events, "Name").fill_null("").to_arrow(),
            "attributes": maps_of(self.attributes(events, "event", {}), len(events)),
        }
        self.unknown(events, "Events")
        return list_of_structs(fields, owners=owners, count=len(spans), dtype=EVENTS)

    def links(self, spans: pa.Array) -> pl.Series:
        """Make the column of links."""
        array = field_of(spans, "Links")
        if array is not None and is_text(array.type):
            return self.encoded_links(array)
        found = self.items(spans, "Links")
        if found is None:
            return list_of_structs({}, owners=[], count=len(spans), dtype=LINKS)
        links, owners = found
        ids = {
            "trace_id": self.ids(links, "TraceID"),
            "span_id": self.ids(links, "SpanID"),
            "trace_state": self.texts(links, "TraceState"),
        }
        maps = maps_of(self.attributes(links, "link", {}), len(links))
        self.unknown(links, "Links")
        return self._listed(pl.DataFrame(ids), maps, owners, len(spans))

    def encoded_links(self, array: pa.Array) -> pl.Series:
        """Read links that are protobuf, as version 3 has them."""
        rows: list[tuple[str, str, str]] = []
        owners: list[int] = []
        found: list[Attributes] = []
        contents = array.cast(pa.large_binary())
        for row in np.flatnonzero(lengths_of(contents) > 0).tolist():
            try:
                links = _link_messages(contents[row].as_py())
            except (BadWire, DecodeError) as error:
                self.findings.add(problems.BAD_FIELD, place=self.where, example=f"Links: {error}")
                continue
            for link in links:
                found += self._of_message(link, len(rows))
                rows.append((link.trace_id.hex(), link.span_id.hex(), link.trace_state))
                owners.append(row)
                self._dropped(link.dropped_attributes_count, "DroppedAttributesCount")
        ids = pl.DataFrame(rows, schema=dict.fromkeys(("trace_id", "span_id", "trace_state"), pl.String), orient="row")
        return self._listed(ids, maps_of(found, len(rows)), np.array(owners, dtype=np.int64), len(array))

    def _of_message(self, link: Span.Link, owner: int) -> list[Attributes]:
        read = [(pair.key, any_value(as_json(pair.value), self.findings, self.where)) for pair in link.attributes]
        self.findings.add(problems.EMPTY_VALUES, sum(value is None for _, value in read), place=self.where)
        return [
            Attributes(
                np.array([owner]), np.array([at]), key, value[0], pl.Series([value[1]], dtype=VALUE_DTYPES[value[0]])
            )
            for at, (key, value) in enumerate(read)
            if value is not None
        ]

    def _listed(self, ids: pl.DataFrame, maps: pa.Array, owners: Ints, count: int) -> pl.Series:
        ids = link_ids(ids, self.findings)
        fields = {**{name: ids[name].to_arrow() for name in ids.columns}, "attributes": maps}
        return list_of_structs(fields, owners=owners, count=count, dtype=LINKS)

    def attributes(self, structs: pa.Array, scope: str, columns: dict[str, str]) -> list[Attributes]:
        """Read all attributes: those in lists, those with a column of their own, and those in dedicated columns."""
        found: list[Attributes] = []
        rescued = np.zeros(len(structs), dtype=np.int64)
        held = self.items(structs, "Attrs")
        if held is not None:
            found, rescued = self.listed_attributes(*held, len(structs))
        for name in _COUNTS:
            counts = self.counts(structs, name)
            # What version 3 cannot hold as a value it counts as dropped, though it keeps it as JSON.
            self._dropped(int((counts - rescued if name == _COUNTS[0] else counts).clip(0).sum()), name)
        for at, (name, key) in enumerate(columns.items()):
            array = field_of(structs, name)
            if array is not None and array.null_count < len(array):
                found += self.column(array, name, Dedicated(key, is_array=False), at - len(_RESOURCE))
        return found + self.dedicated(structs, scope)

    def _dropped(self, count: int, name: str) -> None:
        self.findings.add(problems.DROPPED_BY_PRODUCER, count, place=self.where, example=name)

    def dedicated(self, structs: pa.Array, scope: str) -> list[Attributes]:
        """Read the dedicated columns of a scope."""
        held = field_of(structs, "DedicatedAttributes")
        if held is None or not pa.types.is_struct(held.type):
            return []
        found: list[Attributes] = []
        for number in range(held.type.num_fields):
            name = held.type.field(number).name
            array = field_of(held, name)
            if array is None or _DEDICATED.fullmatch(name) is None:
                self.findings.add(problems.UNKNOWN_COLUMNS, place=self.where, example=f"DedicatedAttributes.{name}")
                continue
            known = self.named.get((scope, name))
            read = self.column(array, name, known or Dedicated(f"tempo.dedicated.{name}", is_array=False), 1 << 32)
            found += read
            if known is None:
                count = sum(each.owners.size for each in read)
                self.findings.add(problems.DEDICATED_UNNAMED, count, place=self.where, example=f"{scope} {name}")
        return found

    def column(self, array: pa.Array, name: str, held: Dedicated, at: int) -> list[Attributes]:
        """Read a column of one attribute; its values are scalars or lists."""
        kind = INT if pa.types.is_integer(_item_type(array.type)) else STRING
        is_array = np.full(len(array), held.is_array, dtype=bool)
        found, _ = self.values(array, name, kind, is_array, np.zeros(len(array), dtype=bool))
        if name == "ServiceName" and kind == STRING:
            # It has no null: empty is what it is without a service.
            found = [(kind, rows[values != ""], values.filter(values != "")) for kind, rows, values in found]
        return [
            Attributes(rows, np.full(rows.size, at, dtype=np.int64), held.key, kind, values)
            for kind, rows, values in found
        ]

    def listed_attributes(self, pairs: pa.Array, owners: Ints, count: int) -> tuple[list[Attributes], Ints]:
        """Read lists of attributes; gives also how many values of each owner stand where dropped ones do."""
        keys = self.texts(pairs, "Key").fill_null("")
        is_array = self._are_arrays(pairs)
        done = np.zeros(len(pairs), dtype=bool)
        found: list[tuple[int, Ints, pl.Series]] = []
        for name, kind in _SCALARS.items():
            array = field_of(pairs, name)
            if array is None:
                continue
            if name == "Value" and pa.types.is_binary(array.type):
                found += self.each(array, done, lambda content: message_or_json(content, self.findings, self.where))
                continue
            read, done = self.values(array, name, kind, is_array, done)
            found += read
        rescued = np.zeros(count, dtype=np.int64)
        for name in ("ValueUnsupported", "ValueDropped"):
            array = field_of(pairs, name)
            if array is None or not is_text(array.type):
                continue
            read = self.each(array, done, lambda content: json_value(content, self.findings, self.where))
            found += read
            if name == "ValueDropped":
                rescued = np.bincount(owners[lengths_of(array) > 0], minlength=count)
        empty = np.flatnonzero(is_array & ~done)
        found.append((EMPTY_ARRAY, empty, pl.Series(["[]"]).new_from_index(0, empty.size)))
        lost = len(pairs) - sum(rows.size for _, rows, _ in found)
        self.findings.add(problems.EMPTY_VALUES, lost, place=self.where)
        attributes = [
            Attributes(owners[rows], rows, keys.gather(pl.Series(rows)), kind, values) for kind, rows, values in found
        ]
        return attributes, rescued

    def _are_arrays(self, pairs: pa.Array) -> npt.NDArray[np.bool_]:
        """Say which values are arrays, as version 4 says it, or its previews did."""
        array = field_of(pairs, "IsArray")
        if array is not None:
            return self.booleans(array, "IsArray").fill_null(value=False).to_numpy()
        return self.integers(pairs, "ValueType").fill_null(0).to_numpy() >= _FIRST_ARRAY_TYPE

    def values(
        self, array: pa.Array, name: str, kind: int, is_array: npt.NDArray[np.bool_], done: npt.NDArray[np.bool_]
    ) -> tuple[list[tuple[int, Ints, pl.Series]], npt.NDArray[np.bool_]]:
        """Read values of one kind, as scalars or in lists, but for rows that are done; gives the rows done after it."""
        if not is_list(array.type):
            series = self._scalars(array, name, kind)
            rows = np.flatnonzero(series.is_not_null().to_numpy() & ~done)
            return [(kind, rows, series.gather(pl.Series(rows)))], done | _at(rows, len(array))
        items, owners = exploded(array)
        series = self._scalars(items, name, kind)
        lengths = np.bincount(owners, minlength=len(array))
        starts = np.cumsum(lengths) - lengths
        single = np.flatnonzero((lengths == 1) & ~is_array & ~done)
        single = single[series.is_not_null().to_numpy()[starts[single]]]
        found = [(kind, single, series.gather(pl.Series(starts[single])))]
        many = np.flatnonzero((lengths > 1 - is_array.astype(np.int64)) & ~done)
        read: dict[int, tuple[list[int], list[Any]]] = {}
        for row, start, length in zip(many.tolist(), starts[many].tolist(), lengths[many].tolist(), strict=True):
            value = plain_value(series.slice(start, length).to_list(), self.findings, self.where)
            if value is not None:
                rows_of, values_of = read.setdefault(value[0], ([], []))
                rows_of.append(row)
                values_of.append(value[1])
        found += columns_of(read)
        return found, done | (lengths > 0)

    def _scalars(self, array: pa.Array, name: str, kind: int) -> pl.Series:
        if kind == STRING:
            return self.text(array, name)
        if kind == INT:
            return self.integer(array, name)
        return self.doubles(array, name) if kind == DOUBLE else self.booleans(array, name)

    def unknown(self, structs: pa.Array, level: str) -> None:
        """Count the columns that no version has."""
        names = {structs.type.field(at).name for at in range(structs.type.num_fields)}
        for name in sorted(names - _KNOWN[level]):
            if not name.startswith(_ROUNDED):
                self.findings.add(problems.UNKNOWN_COLUMNS, place=self.where, example=f"{level}.{name}")


def json_value(content: bytes, findings: Findings, place: str) -> tuple[int, Any] | None:
    """Read an AnyValue in OTLP JSON, which is how values stand that have no column; None where it is empty."""
    try:
        held = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = content.decode("utf-8", "replace")
        findings.add(problems.BAD_VALUE, place=place, example=text)
        return STRING, text
    return any_value(held, findings, place)


def message_or_json(content: bytes, findings: Findings, place: str) -> tuple[int, Any] | None:
    """Read an AnyValue as events of version 3 have it: protobuf, or JSON in the oldest blocks."""
    try:
        if content[:1] != b"{":
            return message_value(content, findings, place)
    except (DecodeError, RecursionError):
        pass
    return json_value(content, findings, place)


def _link_messages(content: bytes) -> list[Span.Link]:
    """Read a list of links."""
    found, position = [], 0
    while position < len(content):
        tag, position = read_varint(content, position)
        length, position = read_varint(content, position)
        if tag != _LINK_TAG or position + length > len(content):
            raise BadWire("no list of links")
        found.append(Span.Link.FromString(content[position : position + length]))
        position += length
    return found


def _item_type(dtype: pa.DataType) -> pa.DataType:
    return plain_type(dtype.value_type) if is_list(dtype) else dtype


def _at(rows: Ints, count: int) -> npt.NDArray[np.bool_]:
    marked = np.zeros(count, dtype=bool)
    marked[rows] = True
    return marked


def _nth(owners: Ints, item: int) -> int:
    """Give the place of an item among those of its owner."""
    return item - int(np.searchsorted(owners, owners[item]))

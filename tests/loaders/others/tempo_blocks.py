"""Blocks of Tempo in all versions, made of OTLP JSON by pyarrow."""

from __future__ import annotations

import base64
import io
import json
from typing import Any, Final

import pyarrow as pa
from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pyarrow import parquet

V3: Final = "vParquet3"
V4: Final = "vParquet4"
V4_PREVIEW: Final = "vParquet4-preview"
V5: Final = "vParquet5"
VERSIONS: Final = (V3, V4, V4_PREVIEW, V5)

_RESOURCE: Final = {
    "cluster": "Cluster",
    "namespace": "Namespace",
    "pod": "Pod",
    "container": "Container",
    "k8s.cluster.name": "K8sClusterName",
    "k8s.namespace.name": "K8sNamespaceName",
    "k8s.pod.name": "K8sPodName",
    "k8s.container.name": "K8sContainerName",
}
_FIELDS: Final = {
    "stringValue": "Value",
    "intValue": "ValueInt",
    "doubleValue": "ValueDouble",
    "boolValue": "ValueBool",
}
_TYPES: Final = {"Value": pa.string(), "ValueInt": pa.int64(), "ValueDouble": pa.float64(), "ValueBool": pa.bool_()}


def block(document: dict[str, Any], version: str, dedicated: list[dict[str, Any]] | None = None) -> bytes:
    """Write the traces of an OTLP document as the data.parquet of a block."""
    return encoded(rows_of(document, version, dedicated or []), version)


def encoded(rows: list[dict[str, Any]], version: str) -> bytes:
    """Write rows of traces as parquet."""
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema(version)), file)
    return file.getvalue()


def meta(version: str, dedicated: list[dict[str, Any]] | None = None) -> bytes:
    """Write the meta.json of a block."""
    content = {
        "format": version,
        "blockID": "b27b0e53-66a0-4505-afd6-434ae3cd4a10",
        "tenantID": "single-tenant",
        "totalObjects": 1,
        "dedicatedColumns": dedicated or [],
    }
    return json.dumps(content).encode()


def schema(version: str) -> pa.Schema:
    """Give the schema of a version."""
    attributes = _required(("Attrs", pa.list_(_attribute(version))), ("DroppedAttributesCount", pa.int32()))
    dedicated = [*_dedicated(version)]
    static = [] if version == V5 else [pa.field(name, pa.string()) for name in _RESOURCE.values()]
    resource = [*attributes, *_required(("ServiceName", pa.string())), *static, *dedicated]
    scope = [*_required(("Name", pa.string()), ("Version", pa.string())), *([] if version == V3 else attributes)]
    scope_spans = _required(
        ("Scope", pa.struct(scope)), ("Spans", pa.list_(pa.field("element", pa.struct(_span(version)), nullable=False)))
    )
    groups = _required(
        ("Resource", pa.struct(resource)),
        ("ss", pa.list_(pa.field("element", pa.struct(scope_spans), nullable=False))),
    )
    stats = pa.map_(pa.string(), pa.struct(_required(("SpanCount", pa.uint32()), ("ErrorCount", pa.uint32()))))
    return pa.schema(
        _required(
            ("TraceID", pa.binary()),
            ("TraceIDText", pa.string()),
            ("StartTimeUnixNano", pa.uint64()),
            ("EndTimeUnixNano", pa.uint64()),
            ("DurationNano", pa.uint64()),
            ("RootServiceName", pa.string()),
            ("RootSpanName", pa.string()),
            ("ServiceStats", stats),
            ("rs", pa.list_(pa.field("element", pa.struct(groups), nullable=False))),
        )
    )


def _span(version: str) -> list[pa.Field]:
    attributes = _required(("Attrs", pa.list_(_attribute(version))), ("DroppedAttributesCount", pa.int32()))
    event_attributes = pa.list_(pa.struct(_required(("Key", pa.string()), ("Value", pa.binary()))))
    if version == V3:
        event = _required(
            ("TimeUnixNano", pa.uint64()),
            ("Name", pa.string()),
            ("Attrs", event_attributes),
            ("DroppedAttributesCount", pa.int32()),
        )
    else:
        event = [*_required(("TimeSinceStartNano", pa.uint64()), ("Name", pa.string())), *attributes]
        event += _dedicated(version) if version == V5 else []
    link = [
        *_required(("TraceID", pa.binary()), ("SpanID", pa.binary()), ("TraceState", pa.string())),
        *attributes,
    ]
    static = [("HttpMethod", pa.string()), ("HttpUrl", pa.string()), ("HttpStatusCode", pa.int64())]
    rounded = [(f"StartTimeRounded{seconds}", pa.uint32()) for seconds in (15, 60, 300, 3600)]
    return [
        *_required(
            ("SpanID", pa.binary()),
            ("ParentSpanID", pa.binary()),
            ("ParentID", pa.int32()),
            ("NestedSetLeft", pa.int32()),
            ("NestedSetRight", pa.int32()),
            ("Name", pa.string()),
            ("Kind", pa.int64()),
            ("TraceState", pa.string()),
            ("StartTimeUnixNano", pa.uint64()),
            ("DurationNano", pa.uint64()),
            ("StatusCode", pa.int64()),
            ("StatusMessage", pa.string()),
        ),
        *attributes,
        *_required(
            ("Events", pa.list_(pa.struct(event))),
            ("DroppedEventsCount", pa.int32()),
            ("Links", pa.binary() if version == V3 else pa.list_(pa.struct(link))),
            ("DroppedLinksCount", pa.int32()),
        ),
        *([] if version == V5 else [pa.field(name, dtype) for name, dtype in static]),
        *_dedicated(version),
        *(_required(*rounded) if version == V5 else []),
    ]


def _required(*fields: tuple[str, pa.DataType]) -> list[pa.Field]:
    return [pa.field(name, dtype, nullable=False) for name, dtype in fields]


def _attribute(version: str) -> pa.Field:
    key = _required(("Key", pa.string()))
    if version == V3:
        fields = [
            *key,
            *(pa.field(name, dtype) for name, dtype in _TYPES.items()),
            pa.field("ValueDropped", pa.string()),
        ]
    else:
        lists = [(name, pa.list_(pa.field("element", dtype, nullable=False))) for name, dtype in _TYPES.items()]
        preview = version == V4_PREVIEW
        said = _required(("ValueType", pa.int32()) if preview else ("IsArray", pa.bool_()))
        rest = pa.field("ValueDropped" if preview else "ValueUnsupported", pa.string())
        fields = [*key, *said, *_required(*lists), rest]
    return pa.field("element", pa.struct(fields), nullable=False)


def _dedicated(version: str) -> list[pa.Field]:
    if version != V5:
        fields = [pa.field(f"String{number:02}", pa.string()) for number in range(1, 11)]
    else:
        texts = [(f"String{number:02}", pa.list_(pa.string())) for number in range(1, 21)]
        fields = _required(*texts, *((f"Int{number:02}", pa.list_(pa.int64())) for number in range(1, 6)))
    return _required(("DedicatedAttributes", pa.struct(fields)))


def rows_of(document: dict[str, Any], version: str, dedicated: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make the rows of an OTLP document: one per trace."""
    spans = [
        (group, scope, span)
        for group in document["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]
    rows = []
    for trace_id in dict.fromkeys(span["traceId"] for _, _, span in spans):
        held = [
            {
                "Resource": _resource(group["resource"], version, dedicated),
                "ss": [_scope_spans(each, trace_id, version, dedicated) for each in group["scopeSpans"]],
            }
            for group in document["resourceSpans"]
        ]
        rows.append(
            {
                "TraceID": bytes.fromhex(trace_id),
                "TraceIDText": trace_id,
                "StartTimeUnixNano": 0,
                "EndTimeUnixNano": 0,
                "DurationNano": 0,
                "RootServiceName": "",
                "RootSpanName": "",
                "ServiceStats": {},
                "rs": held,
            }
        )
    return rows


def _scope_spans(scope: dict[str, Any], trace_id: str, version: str, dedicated: list[dict[str, Any]]) -> dict[str, Any]:
    spans = [_row(span, version, dedicated) for span in scope["spans"] if span["traceId"] == trace_id]
    return {"Scope": _scope(scope["scope"], version), "Spans": spans}


def _resource(resource: dict[str, Any], version: str, dedicated: list[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"ServiceName": "", "DroppedAttributesCount": resource.get("droppedAttributesCount", 0)}
    attributes = []
    for pair in resource.get("attributes", []):
        text = pair["value"].get("stringValue")
        if pair["key"] == "service.name" and text is not None:
            row["ServiceName"] = text
        elif pair["key"] in _RESOURCE and text is not None and version != V5:
            row[_RESOURCE[pair["key"]]] = text
        else:
            attributes.append(pair)
    return {**row, **_attributes(attributes, version, dedicated, "resource", row)}


def _scope(scope: dict[str, Any], version: str) -> dict[str, Any]:
    row = {"Name": scope.get("name", ""), "Version": scope.get("version", "")}
    return row if version == V3 else {**row, **_attributes(scope.get("attributes", []), version, [], "scope", row)}


def _row(span: dict[str, Any], version: str, dedicated: list[dict[str, Any]]) -> dict[str, Any]:
    start, end = int(span.get("startTimeUnixNano", 0)), int(span.get("endTimeUnixNano", 0))
    status = span.get("status", {})
    row = {
        "SpanID": bytes.fromhex(span["spanId"]),
        "ParentSpanID": bytes.fromhex(span.get("parentSpanId", "")),
        "ParentID": 0,
        "NestedSetLeft": 1,
        "NestedSetRight": 2,
        "Name": span["name"],
        "Kind": span.get("kind", 0),
        "TraceState": span.get("traceState", ""),
        "StartTimeUnixNano": start,
        "DurationNano": (end - start) % 2**64,
        "StatusCode": status.get("code", 0),
        "StatusMessage": status.get("message", ""),
        "DroppedAttributesCount": span.get("droppedAttributesCount", 0),
        "DroppedEventsCount": span.get("droppedEventsCount", 0),
        "DroppedLinksCount": span.get("droppedLinksCount", 0),
        "Events": [_event(event, start, version, dedicated) for event in span.get("events", [])],
        "Links": _links(span.get("links", []), version),
        **{f"StartTimeRounded{seconds}": 0 for seconds in (15, 60, 300, 3600)},
    }
    attributes = []
    for pair in span.get("attributes", []):
        name = {"http.method": "HttpMethod", "http.url": "HttpUrl", "http.status_code": "HttpStatusCode"}.get(
            pair["key"]
        )
        kind = "intValue" if name == "HttpStatusCode" else "stringValue"
        if name and version != V5 and kind in pair["value"]:
            row[name] = int(pair["value"][kind]) if kind == "intValue" else pair["value"][kind]
        else:
            attributes.append(pair)
    return {**row, **_attributes(attributes, version, dedicated, "span", row)}


def _event(event: dict[str, Any], start: int, version: str, dedicated: list[dict[str, Any]]) -> dict[str, Any]:
    time = int(event.get("timeUnixNano", 0))
    row: dict[str, Any] = {"Name": event["name"], "DroppedAttributesCount": event.get("droppedAttributesCount", 0)}
    pairs = event.get("attributes", [])
    if version == V3:
        held = [{"Key": pair["key"], "Value": _message(pair["value"], AnyValue())} for pair in pairs]
        return {**row, "TimeUnixNano": time, "Attrs": held}
    return {
        **row,
        "TimeSinceStartNano": (time - start) % 2**64,
        **_attributes(pairs, version, dedicated if version == V5 else [], "event", row),
    }


def _links(links: list[dict[str, Any]], version: str) -> Any:
    if version != V3:
        return [
            {
                "TraceID": bytes.fromhex(link["traceId"]),
                "SpanID": bytes.fromhex(link["spanId"]),
                "TraceState": link.get("traceState", ""),
                **_attributes(link.get("attributes", []), version, [], "link", {}),
            }
            for link in links
        ]
    content = b""
    for link in links:
        ids = {name: base64.b64encode(bytes.fromhex(link[name])).decode() for name in ("traceId", "spanId")}
        message = _message({**link, **ids}, Span.Link())
        size = len(message)
        content += b"\x0a" + (bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])) + message
    return content


def _message(content: dict[str, Any], message: Any) -> bytes:
    encoded_message: bytes = json_format.ParseDict(content, message).SerializeToString()
    return encoded_message


def _attributes(
    pairs: list[dict[str, Any]], version: str, dedicated: list[dict[str, Any]], scope: str, row: dict[str, Any]
) -> dict[str, Any]:
    """Put attributes into the dedicated columns that are theirs, and the rest into lists."""
    spare: dict[str, Any] = {} if version != V5 else _spare()
    rest = []
    for pair in pairs:
        column = _column_of(pair["key"], dedicated, scope)
        values = _listed(pair["value"], "Int" if column and column.startswith("Int") else "String")
        if column and values is not None and (version == V5 or "stringValue" in pair["value"]):
            spare[column] = values if version == V5 else values[0]
        else:
            rest.append(_pair(pair, version))
    more = sum("ValueDropped" in each and each["ValueDropped"] is not None for each in rest)
    return {
        "Attrs": rest,
        "DedicatedAttributes": spare,
        "DroppedAttributesCount": row.get("DroppedAttributesCount", 0) + more,
    }


def _spare() -> dict[str, list[Any]]:
    names = [*(f"String{number:02}" for number in range(1, 21)), *(f"Int{number:02}" for number in range(1, 6))]
    return {name: [] for name in names}


def _column_of(key: str, dedicated: list[dict[str, Any]], scope: str) -> str | None:
    counts: dict[str, int] = {}
    for each in dedicated:
        if each.get("s", "span") != scope:
            continue
        kind = each.get("t", "string").capitalize()
        counts[kind] = counts.get(kind, 0) + 1
        if each["n"] == key:
            return f"{kind}{counts[kind]:02}"
    return None


def _listed(value: dict[str, Any], kind: str) -> list[Any] | None:
    """Give the texts or numbers that a value is; None if it is of another kind."""
    field = "intValue" if kind == "Int" else "stringValue"
    items = value["arrayValue"]["values"] if "arrayValue" in value else [value]
    if not items or any(field not in item for item in items):
        return None
    return [int(item[field]) if kind == "Int" else item[field] for item in items]


def _pair(pair: dict[str, Any], version: str) -> dict[str, Any]:
    value = pair["value"]
    field = next((name for name in _FIELDS if name in value), None)
    items = value["arrayValue"]["values"] if "arrayValue" in value else None
    kinds = {next((name for name in _FIELDS if name in item), "") for item in items} if items is not None else set()
    row: dict[str, Any] = {"Key": pair["key"]}
    if version == V3:
        if field is None:
            return {**row, "ValueDropped": json.dumps(value)}
        return {**row, _FIELDS[field]: _scalar(field, value)}
    row |= {name: [] for name in _TYPES}
    number, unsupported = 0, None
    if field is not None:
        row[_FIELDS[field]] = [_scalar(field, value)]
        number = 1 + list(_FIELDS).index(field)
    elif items is not None and len(kinds) <= 1 and "" not in kinds:
        kind = kinds.pop() if kinds else "stringValue"
        row[_FIELDS[kind]] = [_scalar(kind, item) for item in items]
        number = 5 + list(_FIELDS).index(kind)
    else:
        unsupported = json.dumps(value)
    said = {"ValueType": number} if version == V4_PREVIEW else {"IsArray": number >= 5}
    return {**row, **said, "ValueDropped" if version == V4_PREVIEW else "ValueUnsupported": unsupported}


def _scalar(field: str, value: dict[str, Any]) -> Any:
    return int(value[field]) if field == "intValue" else value[field]

"""OTLP requests as they came, protobuf or JSON, as one line of OTLP JSON each."""

from __future__ import annotations

import base64
import math
from typing import Any, Final

import msgspec

_ODD: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}


def line_of_json(body: bytes) -> bytes | None:
    """Write a request in JSON as one line; None if it is no JSON by the book."""
    try:
        return msgspec.json.format(body, indent=-1) + b"\n"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def line_of_message(request: Any) -> bytes:
    """Write an `ExportTraceServiceRequest` as one line, with all that its fields hold."""
    groups = [
        _filled(
            resource=_resource(group.resource) if group.HasField("resource") else None,
            scopeSpans=[_scope_spans(scoped) for scoped in group.scope_spans],
            schemaUrl=group.schema_url,
        )
        for group in request.resource_spans
    ]
    return msgspec.json.encode({"resourceSpans": groups}) + b"\n"


def _resource(resource: Any) -> dict[str, Any]:
    return _filled(
        attributes=_attributes(resource.attributes), droppedAttributesCount=resource.dropped_attributes_count
    )


def _scope_spans(scoped: Any) -> dict[str, Any]:
    scope = scoped.scope
    told = _filled(
        name=scope.name,
        version=scope.version,
        attributes=_attributes(scope.attributes),
        droppedAttributesCount=scope.dropped_attributes_count,
    )
    return _filled(scope=told, spans=[_span(span) for span in scoped.spans], schemaUrl=scoped.schema_url)


def _span(span: Any) -> dict[str, Any]:
    status = span.status
    return _filled(
        traceId=span.trace_id.hex(),
        spanId=span.span_id.hex(),
        traceState=span.trace_state,
        parentSpanId=span.parent_span_id.hex(),
        flags=span.flags,
        name=span.name,
        kind=span.kind,
        startTimeUnixNano=_number(span.start_time_unix_nano),
        endTimeUnixNano=_number(span.end_time_unix_nano),
        attributes=_attributes(span.attributes),
        droppedAttributesCount=span.dropped_attributes_count,
        events=[_event(event) for event in span.events],
        droppedEventsCount=span.dropped_events_count,
        links=[_link(link) for link in span.links],
        droppedLinksCount=span.dropped_links_count,
        status=_filled(message=status.message, code=status.code),
    )


def _event(event: Any) -> dict[str, Any]:
    return _filled(
        timeUnixNano=_number(event.time_unix_nano),
        name=event.name,
        attributes=_attributes(event.attributes),
        droppedAttributesCount=event.dropped_attributes_count,
    )


def _link(link: Any) -> dict[str, Any]:
    return _filled(
        traceId=link.trace_id.hex(),
        spanId=link.span_id.hex(),
        traceState=link.trace_state,
        attributes=_attributes(link.attributes),
        droppedAttributesCount=link.dropped_attributes_count,
        flags=link.flags,
    )


def _attributes(pairs: Any) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _value(pair.value)} for pair in pairs]


def _value(value: Any) -> dict[str, Any]:
    """Write an AnyValue; protobuf's own bound for messages inside of each other bounds the recursion."""
    match value.WhichOneof("value"):
        case "string_value":
            return {"stringValue": value.string_value}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "double_value":
            number = value.double_value
            return {"doubleValue": "NaN" if math.isnan(number) else _ODD.get(number, number)}
        case "bytes_value":
            return {"bytesValue": base64.b64encode(value.bytes_value).decode("ascii")}
        case "array_value":
            return {"arrayValue": {"values": [_value(item) for item in value.array_value.values]}}
        case "kvlist_value":
            return {"kvlistValue": {"values": _attributes(value.kvlist_value.values)}}
        case _:
            return {}


def _number(number: int) -> str | None:
    return str(number) if number else None


def _filled(**fields: Any) -> dict[str, Any]:
    """Leave out what holds nothing, as protobuf does."""
    return {name: value for name, value in fields.items() if value}

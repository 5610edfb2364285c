"""OTLP JSON as it is found in the wild: any spelling, any wrapping, any damage. Slow but never at a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.fields import KIND_NUMBERS, STATUS_NUMBERS, at, text_attributes
from tracelab.loaders.documents.times import nanoseconds
from tracelab.loaders.documents.values import any_value, plain_value, whole_number
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value

RESOURCE_SPANS: Final = ("resourceSpans", "resource_spans", "batches")
SCOPE_SPANS: Final = (
    "scopeSpans",
    "scope_spans",
    "instrumentationLibrarySpans",
    "instrumentation_library_spans",
)
OTHER_SIGNALS: Final = (
    "resourceLogs",
    "resourceMetrics",
    "resourceProfiles",
    "resource_logs",
    "resource_metrics",
    "resource_profiles",
)
WRAPPERS: Final = ("data", "result", "trace", "this", "traces", "resourceSpan")
_SNAKE: Final = {
    "traceId": "trace_id",
    "spanId": "span_id",
    "parentSpanId": "parent_span_id",
    "startTimeUnixNano": "start_time_unix_nano",
    "endTimeUnixNano": "end_time_unix_nano",
    "timeUnixNano": "time_unix_nano",
    "traceState": "trace_state",
    "droppedAttributesCount": "dropped_attributes_count",
    "droppedEventsCount": "dropped_events_count",
    "droppedLinksCount": "dropped_links_count",
    "instrumentationLibrary": "instrumentation_library",
}


def is_document(document: dict[str, Any]) -> bool:
    """Say whether a document holds spans as OTLP has them."""
    keys = document.keys()
    return not keys.isdisjoint(RESOURCE_SPANS) or not keys.isdisjoint(SCOPE_SPANS)


def read_document(document: dict[str, Any], builder: Builder, place: str) -> None:
    """Add everything in a document, or in one ResourceSpans, to the builder."""
    if any(key in document for key in SCOPE_SPANS):
        _read_resource_spans(document, builder, place)
        return
    for key in RESOURCE_SPANS:
        held = document.get(key)
        for number, item in enumerate(held if isinstance(held, list) else []):
            if isinstance(item, dict):
                _read_resource_spans(item, builder, at(place, f"{key}[{number}]"))


def _read_resource_spans(content: dict[str, Any], builder: Builder, place: str) -> None:
    """Add everything in a ResourceSpans to the builder."""
    held = content.get("resource")
    attributes = _fields_of(held, builder, place).get("attributes")
    resource = builder.resource(read_attributes(attributes, builder, f"{place}.resource"))
    for key in SCOPE_SPANS:
        for number, group in enumerate(_items(content.get(key), builder, place)):
            if key not in ("scopeSpans", "scope_spans"):
                builder.findings.add(problems.DEPRECATED, place=place, example=key)
            _read_scope_spans(group, builder, resource, f"{place}.{key}[{number}]")


def _read_scope_spans(group: Any, builder: Builder, resource: int, place: str) -> None:
    group = _fields_of(group, builder, place)
    held = group.get("scope") or _get(group, "instrumentationLibrary")
    fields = _fields_of(held, builder, place)
    scope = builder.scope(
        _text(fields.get("name"), builder, place),
        _text(fields.get("version"), builder, place),
        read_attributes(fields.get("attributes"), builder, f"{place}.scope"),
    )
    for number, span in enumerate(_items(group.get("spans"), builder, place)):
        where = f"{place}.spans[{number}]"
        if isinstance(span, dict) and span:
            _read_span(span, builder, resource, scope, where)
        else:
            builder.findings.spans += 1
            builder.findings.add(problems.BAD_SPAN, place=where, example=span, lost_spans=1)


def _read_span(span: dict[str, Any], builder: Builder, resource: int, scope: int, place: str) -> None:
    findings = builder.findings
    status = _fields_of(span.get("status"), builder, place)
    if any(name in span for name in _SNAKE.values()):
        findings.add(problems.SNAKE_CASE, place=place)
    flags = whole_number(span.get("flags"))
    if span.get("flags") is not None and (flags is None or not 0 <= flags < 2**32):
        findings.add(problems.BAD_FIELD, place=place, example=span["flags"])
    row = builder.span(
        place=place,
        trace_id=_text(_get(span, "traceId"), builder, place),
        span_id=_text(_get(span, "spanId"), builder, place),
        parent_span_id=_text(_get(span, "parentSpanId"), builder, place),
        name=_text(span.get("name"), builder, place),
        kind=_enum(span.get("kind"), KIND_NUMBERS, builder, place),
        start_time=nanoseconds(_get(span, "startTimeUnixNano"), findings, place),
        end_time=nanoseconds(_get(span, "endTimeUnixNano"), findings, place),
        resource=resource,
        scope=scope,
        status_code=_enum(status.get("code"), STATUS_NUMBERS, builder, place),
        status_message=_text(status.get("message"), builder, place),
        trace_state=_text(_get(span, "traceState"), builder, place),
        flags=flags if flags is not None and 0 <= flags < 2**32 else None,
        attributes=read_attributes(span.get("attributes"), builder, place),
    )
    for number, event in enumerate(_items(span.get("events"), builder, place)):
        _read_event(event, builder, row, f"{place}.events[{number}]")
    for number, link in enumerate(_items(span.get("links"), builder, place)):
        _read_link(link, builder, row, f"{place}.links[{number}]")
    for name in ("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"):
        findings.add(problems.DROPPED_BY_PRODUCER, whole_number(_get(span, name)) or 0, place=place, example=name)


def _read_event(event: Any, builder: Builder, row: int, place: str) -> None:
    event = _fields_of(event, builder, place)
    builder.events.add(
        row,
        text_attributes(read_attributes(event.get("attributes"), builder, place)),
        time=nanoseconds(_get(event, "timeUnixNano"), builder.findings, place) or 0,
        name=_text(event.get("name"), builder, place) or "",
    )


def _read_link(link: Any, builder: Builder, row: int, place: str) -> None:
    link = _fields_of(link, builder, place)
    builder.links.add(
        row,
        text_attributes(read_attributes(link.get("attributes"), builder, place)),
        trace_id=_text(_get(link, "traceId"), builder, place),
        span_id=_text(_get(link, "spanId"), builder, place),
        trace_state=_text(_get(link, "traceState"), builder, place),
    )


def read_attributes(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    """Read a list of KeyValue, or a map, into keys and values; empty values are left out and counted."""
    findings = builder.findings
    if not content:
        return []
    if isinstance(content, dict):
        findings.add(problems.ATTRIBUTE_MAPS, len(content), place=place)
        pairs = [(key, plain_value(value, findings, place)) for key, value in content.items()]
    else:
        pairs = []
        for item in _items(content, builder, place):
            key = item.get("key") if isinstance(item, dict) else None
            if isinstance(key, str):
                pairs.append((key, any_value(item.get("value"), findings, place)))
            else:
                findings.add(problems.BAD_ATTRIBUTE, place=place, example=item)
    full = [(key, value) for key, value in pairs if value is not None]
    findings.add(problems.EMPTY_VALUES, len(pairs) - len(full), place=place)
    return full


def _get(fields: dict[str, Any], name: str) -> Any:
    held = fields.get(name)
    return fields.get(_SNAKE[name]) if held is None else held


def _items(content: Any, builder: Builder, place: str) -> list[Any]:
    if isinstance(content, list):
        return content
    if content is not None:
        builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    return []


def _fields_of(content: Any, builder: Builder, place: str) -> dict[str, Any]:
    if isinstance(content, dict):
        return content
    if content is not None:
        builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    return {}


def _text(content: Any, builder: Builder, place: str) -> str | None:
    if content is None or isinstance(content, str):
        return content
    builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    return None


def _enum(content: Any, names: dict[str, int], builder: Builder, place: str) -> int:
    """Read an enum as number, as number in text or by name."""
    if content is None or content == "":
        return 0
    number = whole_number(content)
    if number is not None:
        return number if number >= 0 else 255
    known = names.get(content.strip().upper()) if isinstance(content, str) else None
    if known is None:
        return 255
    builder.findings.add(problems.ENUMS_NAMED, place=place, example=content)
    return known

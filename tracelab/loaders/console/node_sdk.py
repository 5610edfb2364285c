"""Spans of the Node SDK: as its console exporter shows them, and its own objects, as JSON or as printed text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.fields import (
    KIND_NUMBERS,
    attributes_of,
    enum_number,
    fields_of,
    objects_of,
    text_attributes,
    text_of,
)
from tracelab.loaders.documents.times import nanoseconds
from tracelab.loaders.documents.values import finite, float_number, whole_number
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value
    from tracelab.loaders.report.findings import Findings

_LARGEST_KIND: Final = 4
_BAD_ENUM: Final = 255
_ERROR: Final = 2
_SECOND: Final = 1_000_000_000
_LATEST: Final = 2**63 - 1
_RESOURCE: Final = ("attributes", "_attributes", "_memoizedAttributes", "_syncAttributes", "_rawAttributes")
_CONTEXT: Final = ("_spanContext", "spanContext")
_OF_SPANS: Final = frozenset(
    ("duration", "status", "events", "links", "parentId", "parentSpanContext", "instrumentationScope")
)
_DROPPED: Final = ("AttributesCount", "EventsCount", "LinksCount")


def is_span(document: dict[str, Any]) -> bool:
    """Say whether a document is a span of the SDK, or what its console exporter shows of one."""
    return is_shown(document) or any("traceId" in fields_of(document.get(name)) for name in _CONTEXT)


def is_shown(document: dict[str, Any]) -> bool:
    """Say whether a document is what the console exporter shows of a span; Zipkin has kinds in words.

    Other things with an id, a trace and a kind have none of the fields that a span has beside them.
    """
    ids = isinstance(document.get("traceId"), str) and isinstance(document.get("id"), str)
    return ids and isinstance(document.get("kind"), int) and not _OF_SPANS.isdisjoint(document)


def read_span(span: dict[str, Any], builder: Builder, place: str) -> None:
    """Add a span."""
    findings = builder.findings
    shown = isinstance(span.get("traceId"), str)
    context = fields_of(next((span[name] for name in _CONTEXT if isinstance(span.get(name), dict)), None))
    start, end = _shown_times(span, findings, place) if shown else _own_times(span, findings, place)
    scope = fields_of(span.get("instrumentationScope")) or fields_of(span.get("instrumentationLibrary"))
    status = fields_of(span.get("status"))
    parent = fields_of(span.get("parentSpanContext"))
    row = builder.span(
        place=place,
        trace_id=text_of(span["traceId"] if shown else context.get("traceId")),
        span_id=text_of(span.get("id") if shown else context.get("spanId")),
        parent_span_id=text_of(parent.get("spanId", span.get("parentSpanId", span.get("parentId")))),
        name=text_of(span.get("name")),
        kind=_kind(span.get("kind")),
        start_time=start,
        end_time=end,
        resource=builder.resource(_resource_attributes(span.get("resource"), builder, place)),
        scope=builder.scope(text_of(scope.get("name")), text_of(scope.get("version")), []),
        status_code=_status(status.get("code"), findings, place),
        status_message=text_of(status.get("message")),
        trace_state=text_of(span.get("traceState", context.get("traceState"))) or None,
        flags=_flags(context.get("traceFlags")),
        attributes=attributes_of(span.get("attributes"), builder, place),
    )
    for name in _DROPPED:
        dropped = whole_number(span.get(f"_dropped{name}", span.get(f"dropped{name}")))
        findings.add(problems.DROPPED_BY_PRODUCER, dropped or 0, place=place, example=f"dropped{name}")
    for event in objects_of(span.get("events")):
        _add_event(row, event, start, builder, place)
    for link in objects_of(span.get("links")):
        linked = fields_of(link.get("context"))
        _count_dropped(link, findings, place)
        builder.links.add(
            row,
            text_attributes(attributes_of(link.get("attributes"), builder, place)),
            trace_id=text_of(linked.get("traceId")),
            span_id=text_of(linked.get("spanId")),
            trace_state=text_of(linked.get("traceState")),
        )


def _add_event(row: int, event: dict[str, Any], start: int | None, builder: Builder, place: str) -> None:
    time = _seconds_and_rest(event.get("time"), builder.findings, place)
    if time is None:
        builder.findings.add(problems.EVENT_TIME_MISSING, place=place, example=text_of(event.get("name")))
        time = start or 0
    _count_dropped(event, builder.findings, place)
    attributes = text_attributes(attributes_of(event.get("attributes"), builder, place))
    builder.events.add(row, attributes, time=time, name=text_of(event.get("name")) or "")


def _count_dropped(content: dict[str, Any], findings: Findings, place: str) -> None:
    dropped = whole_number(content.get("droppedAttributesCount"))
    findings.add(problems.DROPPED_BY_PRODUCER, dropped or 0, place=place, example="droppedAttributesCount")


def _shown_times(span: dict[str, Any], findings: Findings, place: str) -> tuple[int | None, int | None]:
    start = _microseconds(span.get("timestamp"), findings, place)
    duration = _microseconds(span.get("duration"), findings, place)
    return start or None, None if not start or duration is None else start + duration


def _own_times(span: dict[str, Any], findings: Findings, place: str) -> tuple[int | None, int | None]:
    start = _seconds_and_rest(span.get("startTime"), findings, place)
    end = _seconds_and_rest(span.get("endTime"), findings, place)
    if end is None and start is not None and isinstance(span.get("duration", span.get("_duration")), list):
        duration = _seconds_and_rest(span.get("duration", span.get("_duration")), findings, place)
        # A span that has not ended has a duration of -1 second.
        end = None if duration is None else start + duration
    return start, end


def _seconds_and_rest(content: Any, findings: Findings, place: str) -> int | None:
    """Read a time as the SDK keeps it: whole seconds, and the nanoseconds after them."""
    if isinstance(content, list) and len(content) == 2:
        seconds, rest = whole_number(content[0]), whole_number(content[1])
        if seconds is not None and rest is not None and 0 <= seconds * _SECOND + rest <= _LATEST:
            return seconds * _SECOND + rest or None
    elif isinstance(content, str) and content.startswith("["):
        return None
    elif content is None or isinstance(content, str):
        return nanoseconds(content, findings, place)
    findings.add(problems.BAD_TIME, place=place, example=content)
    return None


def _microseconds(content: Any, findings: Findings, place: str) -> int | None:
    """Read microseconds with a fraction, each part by itself: together a float could not hold them."""
    if content is None:
        return None
    number = whole_number(content)
    real = float_number(content)
    found = None
    if number is not None:
        found = number * 1000
    elif real is not None and finite(real):
        whole = math.floor(real)
        found = whole * 1000 + round((real - whole) * 1000)
    if found is None or not 0 <= found <= _LATEST:
        findings.add(problems.BAD_TIME, place=place, example=content)
        return None
    return found


def _kind(content: Any) -> int:
    """Read a kind; the SDK counts from INTERNAL as 0, OTLP from it as 1."""
    number = whole_number(content)
    if number is None:
        return enum_number(content, KIND_NUMBERS)
    return number + 1 if 0 <= number <= _LARGEST_KIND else _BAD_ENUM


def _status(content: Any, findings: Findings, place: str) -> int:
    """Read a status; before version 0.12 it was a code of gRPC."""
    number = whole_number(content)
    if number is not None and _ERROR < number <= 16:
        findings.add(problems.STATUS_OF_GRPC, place=place, example=number)
        return _ERROR
    return 0 if number is None else number


def _flags(content: Any) -> int | None:
    number = whole_number(content)
    return number if number is not None and 0 <= number < 2**32 else None


def _resource_attributes(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    """Read the attributes of a resource, which versions keep under other names, the newest as pairs."""
    held = next((found for name in _RESOURCE if (found := fields_of(content).get(name))), None)
    for name in ("_rawAttributes", "attributes"):
        pairs = fields_of(content).get(name)
        if isinstance(pairs, list):
            held = {each[0]: each[1] for each in pairs if _is_pair(each)}
            break
    return attributes_of(held, builder, place)


def _is_pair(content: Any) -> bool:
    return isinstance(content, list) and len(content) == 2 and isinstance(content[0], str)

"""Spans as SDKs print them: Go's stdouttrace, the Python SDK's `to_json` and console output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import DOUBLE, INT
from tracelab.loaders.documents.fields import (
    KIND_NUMBERS,
    STATUS_NUMBERS,
    attributes_of,
    enum_number,
    fields_of,
    objects_of,
    text_attributes,
    text_of,
)
from tracelab.loaders.documents.log_records import has_log_marks
from tracelab.loaders.documents.times import nanoseconds
from tracelab.loaders.documents.values import plain_value, whole_number
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value


_OF_PYTHON: Final = frozenset(("name", "kind", "parent_id", "start_time", "end_time"))


def is_go(document: dict[str, Any]) -> bool:
    """Say whether a document is a span as Go's stdouttrace prints it."""
    context = document.get("SpanContext")
    return isinstance(context, dict) and not context.keys().isdisjoint(("TraceID", "SpanID")) and "Name" in document


def is_python(document: dict[str, Any]) -> bool:
    """Say whether a document is a span as the Python SDK prints it; records of logs have such a context too."""
    context = document.get("context")
    if not (isinstance(context, dict) and "span_id" in context):
        return False
    return not _OF_PYTHON.isdisjoint(document) and not has_log_marks(document)


def read_go(span: dict[str, Any], builder: Builder, place: str) -> None:
    """Add a span of Go's stdouttrace."""
    context, parent, status = (fields_of(span.get(name)) for name in ("SpanContext", "Parent", "Status"))
    library = fields_of(span.get("InstrumentationScope")) or fields_of(span.get("InstrumentationLibrary"))
    flags = context.get("TraceFlags")
    row = builder.span(
        place=place,
        trace_id=text_of(context.get("TraceID")),
        span_id=text_of(context.get("SpanID")),
        parent_span_id=text_of(parent.get("SpanID")),
        name=text_of(span.get("Name")),
        kind=_number(span.get("SpanKind")),
        start_time=nanoseconds(span.get("StartTime"), builder.findings, place),
        end_time=nanoseconds(span.get("EndTime"), builder.findings, place),
        resource=builder.resource(_go_attributes(span.get("Resource"), builder, place)),
        scope=builder.scope(
            text_of(library.get("Name")),
            text_of(library.get("Version")),
            _go_attributes(library.get("Attributes"), builder, place),
        ),
        status_code=STATUS_NUMBERS.get(str(status.get("Code", "")).upper(), 0),
        status_message=text_of(status.get("Description")),
        trace_state=text_of(context.get("TraceState")),
        flags=int(flags, 16) if isinstance(flags, str) and flags in _FLAGS else None,
        attributes=_go_attributes(span.get("Attributes"), builder, place),
    )
    for event in objects_of(span.get("Events")):
        attributes = text_attributes(_go_attributes(event.get("Attributes"), builder, place))
        time = nanoseconds(event.get("Time"), builder.findings, place)
        builder.events.add(row, attributes, time=time or 0, name=text_of(event.get("Name")) or "")
    for link in objects_of(span.get("Links")):
        held = fields_of(link.get("SpanContext"))
        builder.links.add(
            row,
            text_attributes(_go_attributes(link.get("Attributes"), builder, place)),
            trace_id=text_of(held.get("TraceID")),
            span_id=text_of(held.get("SpanID")),
            trace_state=text_of(held.get("TraceState")),
        )


def read_python(span: dict[str, Any], builder: Builder, place: str) -> None:
    """Add a span of the Python SDK."""
    context = fields_of(span.get("context"))
    resource = fields_of(span.get("resource"))
    scope = fields_of(span.get("instrumentation_scope")) or fields_of(span.get("scope"))
    status = span.get("status")
    said = fields_of(status) if isinstance(status, dict) else {"status_code": status}
    row = builder.span(
        place=place,
        trace_id=text_of(context.get("trace_id")),
        span_id=text_of(context.get("span_id")),
        parent_span_id=text_of(span.get("parent_id")),
        name=text_of(span.get("name")),
        kind=enum_number(span.get("kind"), KIND_NUMBERS),
        start_time=nanoseconds(span.get("start_time"), builder.findings, place),
        end_time=nanoseconds(span.get("end_time"), builder.findings, place),
        resource=builder.resource(attributes_of(resource.get("attributes"), builder, place)),
        scope=builder.scope(
            text_of(scope.get("name")),
            text_of(scope.get("version")),
            attributes_of(scope.get("attributes"), builder, place),
        ),
        status_code=enum_number(said.get("status_code", said.get("code")), STATUS_NUMBERS),
        status_message=text_of(said.get("description", said.get("message"))),
        trace_state=_python_state(context.get("trace_state")),
        attributes=attributes_of(span.get("attributes"), builder, place),
    )
    for event in objects_of(span.get("events")):
        attributes = text_attributes(attributes_of(event.get("attributes"), builder, place))
        time = nanoseconds(event.get("timestamp"), builder.findings, place)
        builder.events.add(row, attributes, time=time or 0, name=text_of(event.get("name")) or "")
    for link in objects_of(span.get("links")):
        held = fields_of(link.get("context")) or link
        builder.links.add(
            row,
            text_attributes(attributes_of(link.get("attributes"), builder, place)),
            trace_id=_bare(held.get("trace_id")),
            span_id=_bare(held.get("span_id")),
            trace_state=_python_state(held.get("trace_state")),
        )


_FLAGS: Final = frozenset(f"{number:02x}" for number in range(256))


def _go_attributes(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    found = []
    for pair in objects_of(content):
        key, held = pair.get("Key"), fields_of(pair.get("Value"))
        if not isinstance(key, str):
            builder.findings.add(problems.BAD_ATTRIBUTE, place=place, example=pair)
            continue
        value = plain_value(held.get("Value"), builder.findings, place)
        if held.get("Type") == "INT64" and (number := whole_number(held.get("Value"))) is not None:
            value = (INT, number)
        if held.get("Type") == "FLOAT64" and value is not None and value[0] == INT:
            value = (DOUBLE, float(value[1]))
        if value is None:
            builder.findings.add(problems.EMPTY_VALUES, place=place, example=key)
        else:
            found.append((key, value))
    return found


def _python_state(content: Any) -> str | None:
    """Read a trace state; the Python SDK prints an empty one as `[]`."""
    text = text_of(content)
    return None if text in (None, "[]", "{}") else text


def _number(content: Any) -> int:
    number = whole_number(content)
    return 0 if number is None else number


def _bare(content: Any) -> str | None:
    text = text_of(content)
    return None if text is None else text.removeprefix("0x")

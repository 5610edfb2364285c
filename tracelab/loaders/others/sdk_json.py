"""Spans as SDKs print them: Go's stdouttrace, the Python SDK's `to_json` and console output, and flat rows like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import BOOL, DOUBLE, INT, STRING
from tracelab.loaders.columns.times import nanoseconds
from tracelab.loaders.columns.values import plain_value, whole_number
from tracelab.loaders.otlp.tolerant import KIND_NUMBERS, STATUS_NUMBERS, text_attributes
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value

_SCALARS: Final = {"STRING": STRING, "BOOL": BOOL, "INT64": INT, "FLOAT64": DOUBLE}
_DEPTH: Final = 4


def is_go(document: dict[str, Any]) -> bool:
    """Say whether a document is a span as Go's stdouttrace prints it."""
    return isinstance(document.get("SpanContext"), dict) and "Name" in document


def is_python(document: dict[str, Any]) -> bool:
    """Say whether a document is a span as the Python SDK prints it, or a flat row with the same names."""
    context = document.get("context")
    if isinstance(context, dict) and "span_id" in context:
        return True
    return {"trace_id", "span_id", "start_time", "end_time", "attributes"} <= document.keys()


def read_go(document: Any, builder: Builder, place: str) -> None:
    """Add a span of Go's stdouttrace, or all of a list of them."""
    for span in _documents(document):
        if not is_go(span):
            _refuse(span, builder, place)
            continue
        context, parent, status = (_fields(span.get(name)) for name in ("SpanContext", "Parent", "Status"))
        library = _fields(span.get("InstrumentationScope")) or _fields(span.get("InstrumentationLibrary"))
        flags = context.get("TraceFlags")
        row = builder.span(
            place=place,
            trace_id=_text(context.get("TraceID")),
            span_id=_text(context.get("SpanID")),
            parent_span_id=_text(parent.get("SpanID")),
            name=_text(span.get("Name")),
            kind=_number(span.get("SpanKind")),
            start_time=nanoseconds(span.get("StartTime"), builder.findings, place),
            end_time=nanoseconds(span.get("EndTime"), builder.findings, place),
            resource=builder.resource(_go_attributes(span.get("Resource"), builder, place)),
            scope=builder.scope(
                _text(library.get("Name")),
                _text(library.get("Version")),
                _go_attributes(library.get("Attributes"), builder, place),
            ),
            status_code=STATUS_NUMBERS.get(str(status.get("Code", "")).upper(), 0),
            status_message=_text(status.get("Description")),
            trace_state=_text(context.get("TraceState")),
            flags=int(flags, 16) if isinstance(flags, str) and flags in _FLAGS else None,
            attributes=_go_attributes(span.get("Attributes"), builder, place),
        )
        for event in _listed(span.get("Events")):
            attributes = text_attributes(_go_attributes(event.get("Attributes"), builder, place))
            time = nanoseconds(event.get("Time"), builder.findings, place)
            builder.events.add(row, attributes, time=time or 0, name=_text(event.get("Name")) or "")
        for link in _listed(span.get("Links")):
            held = _fields(link.get("SpanContext"))
            builder.links.add(
                row,
                text_attributes(_go_attributes(link.get("Attributes"), builder, place)),
                trace_id=_text(held.get("TraceID")),
                span_id=_text(held.get("SpanID")),
                trace_state=_text(held.get("TraceState")),
            )


def read_python(document: Any, builder: Builder, place: str) -> None:
    """Add a span of the Python SDK, or all of a list of them."""
    for span in _documents(document):
        if not is_python(span):
            _refuse(span, builder, place)
            continue
        context = _fields(span.get("context")) or span
        resource = _fields(span.get("resource"))
        scope = _fields(span.get("instrumentation_scope")) or _fields(span.get("scope"))
        status = span.get("status")
        said = _fields(status) if isinstance(status, dict) else {"status_code": status}
        row = builder.span(
            place=place,
            trace_id=_text(context.get("trace_id")),
            span_id=_text(context.get("span_id")),
            parent_span_id=_text(span.get("parent_id", span.get("parent_span_id"))),
            name=_text(span.get("name")),
            kind=_named(span.get("kind"), KIND_NUMBERS),
            start_time=nanoseconds(span.get("start_time"), builder.findings, place),
            end_time=nanoseconds(span.get("end_time"), builder.findings, place),
            resource=builder.resource(_attributes(resource.get("attributes"), builder, place)),
            scope=builder.scope(
                _text(scope.get("name")),
                _text(scope.get("version")),
                _attributes(scope.get("attributes"), builder, place),
            ),
            status_code=_named(said.get("status_code", said.get("code")), STATUS_NUMBERS),
            status_message=_text(said.get("description", said.get("message"))),
            trace_state=_python_state(context.get("trace_state")),
            attributes=_attributes(span.get("attributes"), builder, place),
        )
        for event in _listed(span.get("events")) + _listed(span.get("span_events")):
            attributes = text_attributes(_attributes(event.get("attributes"), builder, place))
            time = nanoseconds(event.get("timestamp"), builder.findings, place)
            builder.events.add(
                row, attributes, time=time or 0, name=_text(event.get("name", event.get("event_name"))) or ""
            )
        for link in _listed(span.get("links")):
            held = _fields(link.get("context")) or link
            builder.links.add(
                row,
                text_attributes(_attributes(link.get("attributes"), builder, place)),
                trace_id=_bare(held.get("trace_id")),
                span_id=_bare(held.get("span_id")),
                trace_state=_python_state(held.get("trace_state")),
            )


_FLAGS: Final = frozenset(f"{number:02x}" for number in range(256))


def _documents(document: Any, depth: int = _DEPTH) -> list[dict[str, Any]]:
    if isinstance(document, list):
        return [span for item in document for span in _documents(item, depth - 1)] if depth else []
    if isinstance(document, dict) and isinstance(document.get("spans"), list):
        return _documents(document["spans"], depth - 1)
    return [document] if isinstance(document, dict) else []


def _refuse(span: dict[str, Any], builder: Builder, place: str) -> None:
    builder.findings.spans += 1
    builder.findings.add(problems.BAD_SPAN, place=place, example=span, lost_spans=1)


def _go_attributes(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    found = []
    for pair in _listed(content):
        key, held = pair.get("Key"), _fields(pair.get("Value"))
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


def _attributes(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    found = []
    for key, held in _fields(content).items():
        value = plain_value(held, builder.findings, place)
        if value is None:
            builder.findings.add(problems.EMPTY_VALUES, place=place, example=key)
        else:
            found.append((key, value))
    return found


def _python_state(content: Any) -> str | None:
    """Read a trace state; the Python SDK prints an empty one as `[]`."""
    text = _text(content)
    return None if text in (None, "[]", "{}") else text


def _named(content: Any, names: dict[str, int]) -> int:
    """Read an enum by name, such as `SpanKind.INTERNAL`, or by number."""
    number = whole_number(content)
    if number is not None:
        return number
    return names.get(str(content or "").rpartition(".")[2].upper(), 0)


def _number(content: Any) -> int:
    number = whole_number(content)
    return 0 if number is None else number


def _bare(content: Any) -> str | None:
    text = _text(content)
    return None if text is None else text.removeprefix("0x")


def _fields(content: Any) -> dict[str, Any]:
    return content if isinstance(content, dict) else {}


def _listed(content: Any) -> list[dict[str, Any]]:
    return [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []


def _text(content: Any) -> str | None:
    return content if isinstance(content, str) else None

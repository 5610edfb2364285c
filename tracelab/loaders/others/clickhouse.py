"""Rows of ClickHouse's `otel_traces` table, as JSONEachRow or as parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import STRING
from tracelab.loaders.documents.fields import KIND_NUMBERS, STATUS_NUMBERS, enum_number, text_attributes
from tracelab.loaders.documents.times import nanoseconds
from tracelab.loaders.documents.values import plain_value, whole_number
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value

MARKS: Final = frozenset(("TraceId", "SpanId", "SpanName"))
"""Names of columns that tell the table."""
_IDS: Final = ("TraceId", "SpanId")
_COLUMNS: Final = frozenset(
    (
        *("Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind", "ServiceName"),
        *("ResourceAttributes", "ScopeName", "ScopeVersion", "SpanAttributes", "Duration", "StatusCode"),
        *("StatusMessage", "Events", "Events.Timestamp", "Events.Name", "Events.Attributes"),
        *("Links", "Links.TraceId", "Links.SpanId", "Links.TraceState", "Links.Attributes"),
    )
)
"""What the exporter writes; further columns, which people add, are attributes."""


def is_row(document: dict[str, Any]) -> bool:
    """Say whether a document is a row of the table."""
    # With FORMAT JSONColumns one object has whole columns.
    return document.keys() >= MARKS and not any(isinstance(document[name], list | dict) for name in _IDS)


def has_rows(columns: frozenset[str]) -> bool:
    """Say whether columns are those of the table."""
    return columns >= MARKS


def read_row(row: dict[str, Any], builder: Builder, place: str) -> None:
    """Add a row of the table."""
    findings = builder.findings
    start = nanoseconds(row.get("Timestamp"), findings, place)
    duration = whole_number(row.get("Duration"))
    resource = _map(row.get("ResourceAttributes"), builder, place)
    service = row.get("ServiceName")
    if isinstance(service, str) and service and not any(key == "service.name" for key, _ in resource):
        resource.append(("service.name", (STRING, service)))
    number = builder.span(
        place=place,
        trace_id=_text(row.get("TraceId")),
        span_id=_text(row.get("SpanId")),
        parent_span_id=_text(row.get("ParentSpanId")),
        name=_text(row.get("SpanName")),
        kind=enum_number(row.get("SpanKind"), KIND_NUMBERS),
        start_time=start,
        end_time=None if start is None or duration is None else start + duration,
        resource=builder.resource(resource),
        scope=builder.scope(_text(row.get("ScopeName")), _text(row.get("ScopeVersion")), []),
        status_code=enum_number(row.get("StatusCode"), STATUS_NUMBERS),
        status_message=_text(row.get("StatusMessage")),
        trace_state=_text(row.get("TraceState")),
        attributes=[
            *_map(row.get("SpanAttributes"), builder, place),
            *_map({key: _plain(value) for key, value in row.items() if key not in _COLUMNS}, builder, place),
        ],
    )
    for event in _nested(row, "Events", ("Timestamp", "Name", "Attributes")):
        attributes = text_attributes(_map(event["Attributes"], builder, place))
        time = nanoseconds(event["Timestamp"], findings, place)
        builder.events.add(number, attributes, time=time or 0, name=_text(event["Name"]) or "")
    for link in _nested(row, "Links", ("TraceId", "SpanId", "TraceState", "Attributes")):
        builder.links.add(
            number,
            text_attributes(_map(link["Attributes"], builder, place)),
            trace_id=_text(link["TraceId"]),
            span_id=_text(link["SpanId"]),
            trace_state=_text(link["TraceState"]),
        )


def _nested(row: dict[str, Any], name: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """Read a Nested column: one array per field, `Events.Name`, or a list of objects."""
    held = row.get(name)
    if isinstance(held, list):
        return [{field: item.get(field) for field in fields} for item in held if isinstance(item, dict)]
    columns = held if isinstance(held, dict) else {field: row.get(f"{name}.{field}") for field in fields}
    lists: dict[str, list[Any]] = {field: _listed(columns.get(field)) for field in fields}
    count = max((len(values or ()) for values in lists.values()), default=0)
    return [
        {field: values[number] if values and number < len(values) else None for field, values in lists.items()}
        for number in range(count)
    ]


def _listed(content: Any) -> list[Any]:
    return content if isinstance(content, list) else []


def _map(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    """Read a Map column (also as a list of pairs, which is how Arrow gives it) or a JSON one."""
    if isinstance(content, list):
        content = dict(item for item in content if isinstance(item, tuple) and len(item) == 2)
    if not isinstance(content, dict):
        if content not in (None, "", "{}", []):
            builder.findings.add(problems.BAD_FIELD, place=place, example=content)
        return []
    found = [(str(key), plain_value(value, builder.findings, place)) for key, value in content.items()]
    return [(key, value) for key, value in found if value is not None]


def _plain(content: Any) -> Any:
    """Give what a column of any type holds as JSON has it."""
    if content is None or isinstance(content, str | bool | int | float):
        return content
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    text = _text(content)
    return str(content) if text is None else text


def _text(content: Any) -> str | None:
    if isinstance(content, bytes):
        return content.decode("utf-8", "replace")
    return content if isinstance(content, str) else None

"""Expedia's Haystack: traces with their `childSpans`, and single spans, as its reader and its tools write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import BOOL, BYTES, DOUBLE, INT, STRING
from tracelab.loaders.columns.text import scalar_text
from tracelab.loaders.documents.fields import at, attributes_of, objects_of, text_attributes, text_of, walked
from tracelab.loaders.documents.shared_spans import tell_apart
from tracelab.loaders.documents.statuses import failed_code
from tracelab.loaders.documents.times import scaled
from tracelab.loaders.documents.values import float_number, plain_value, whole_number
from tracelab.loaders.report import problems
from tracelab.schema import KINDS
from tracelab.status_codes import HTTP_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracelab.loaders.columns.builder import Builder, Value

    Attributes = list[tuple[str, Value]]

WRAPPERS: Final = ("traces", "data", "result")
MICROSECOND: Final = 1_000
UNNAMED_LOG: Final = "log"
_ERROR: Final = 2
_KINDS_OF_LOGS: Final = {
    **dict.fromkeys(("cs", "cr"), KINDS.index("client")),
    **dict.fromkeys(("sr", "ss"), KINDS.index("server")),
}
"""Zipkin's events, of which a client or server has both."""
_UUID: Final = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_READ: Final = frozenset(
    (
        *("traceId", "spanId", "parentSpanId", "serviceName", "operationName", "startTime", "duration"),
        *("logs", "tags"),
    )
)
_VALUES: Final = ("vStr", "vLong", "vDouble", "vBool", "vBytes", "value")


@dataclass(slots=True)
class _Span:
    """A span, its fields checked."""

    place: str
    trace_id: str
    span_id: str
    parent_id: str | None
    service: str
    name: str | None
    start: int | None
    duration: int | None
    tags: Attributes
    kind: int | None = None
    shared: bool = False
    logs: list[tuple[str, int, dict[str, str]]] = field(default_factory=list)


def holds(document: dict[str, Any]) -> bool:
    """Say whether a document is a trace or a span of Haystack."""
    spans = document.get("childSpans")
    if isinstance(spans, list) and isinstance(document.get("traceId"), str):
        return not spans or any("spanId" in span for span in objects_of(spans[:1]))
    # Rows that others made have such ids and names too, but times in other fields or units.
    named = {"traceId", "spanId", "serviceName", "operationName"} <= document.keys()
    return named and document.keys() <= _READ and isinstance(document.get("startTime", 0), int)


def read_documents(documents: Iterable[tuple[Any, str]], builder: Builder) -> None:
    """Add the spans of all documents of an input, for the halves of a call may stand far apart."""
    spans = [span for document, place in documents for span in _spans(document, builder, place)]
    tell_apart(spans, builder.findings)
    resources: dict[str, int] = {}
    scope = builder.scope(None, None, [])
    for span in spans:
        if span.service not in resources:
            named: Attributes = [("service.name", (STRING, span.service))] if span.service else []
            resources[span.service] = builder.resource(named)
        _add_span(span, builder, resources[span.service], scope)


def _spans(document: Any, builder: Builder, place: str) -> Iterator[_Span]:
    for held, path, fits in walked(document, holds, WRAPPERS):
        trace_id = held.get("traceId") if fits else None
        whole = fits and isinstance(held.get("childSpans"), list)
        for number, content in enumerate(held["childSpans"] if whole else [held]):
            where = at(place, path)
            where = at(where, f"childSpans[{number}]") if whole else where
            if isinstance(content, dict) and not _READ.isdisjoint(content):
                yield _read_span(content, trace_id, builder, where)
            else:
                builder.findings.spans += 1
                builder.findings.add(problems.BAD_SPAN, place=where, example=content, lost_spans=1)


def _read_span(content: dict[str, Any], trace_id: Any, builder: Builder, place: str) -> _Span:
    findings = builder.findings
    span = _Span(
        place=place,
        trace_id=_id(content.get("traceId") or trace_id, builder, place) or "",
        span_id=_id(content.get("spanId"), builder, place) or "",
        parent_id=_id(content.get("parentSpanId"), builder, place) or None,
        service=_text(content, "serviceName", builder, place) or "",
        name=_text(content, "operationName", builder, place),
        start=scaled(content.get("startTime"), MICROSECOND, findings, place),
        duration=scaled(content.get("duration"), MICROSECOND, findings, place),
        tags=_tags(content.get("tags"), builder, place),
    )
    for number, log in enumerate(_listed(content, "logs", builder, place)):
        where = f"{place}.logs[{number}]"
        if not isinstance(log, dict):
            findings.add(problems.BAD_FIELD, place=where, example=log)
            continue
        fields = text_attributes(_tags(log.get("fields"), builder, where))
        name = fields.pop("event", UNNAMED_LOG)
        span.logs.append((name, scaled(log.get("timestamp"), MICROSECOND, findings, where) or 0, fields))
    said = next((value[1] for key, value in span.tags if key == "span.kind"), None)
    if isinstance(said, str) and said.lower() in KINDS:
        span.kind = KINDS.index(said.lower())
        span.tags = [(key, value) for key, value in span.tags if key != "span.kind"]
    else:
        span.kind = next((_KINDS_OF_LOGS[name] for name, _, _ in span.logs if name in _KINDS_OF_LOGS), None)
    rest = {key: held for key, held in content.items() if key not in _READ}
    span.tags += attributes_of(rest, builder, place)
    return span


def _add_span(span: _Span, builder: Builder, resource: int, scope: int) -> None:
    row = builder.span(
        place=span.place,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_id,
        name=span.name,
        kind=span.kind or 0,
        start_time=span.start,
        end_time=None if span.start is None or span.duration is None else span.start + span.duration,
        resource=resource,
        scope=scope,
        status_code=_status(span, builder),
        attributes=span.tags,
    )
    for name, time, fields in span.logs:
        builder.events.add(row, fields, time=time, name=name)


def _status(span: _Span, builder: Builder) -> int:
    """Take the status out of the tags, or guess it from status codes of HTTP and gRPC where no tag says it."""
    tags = dict(span.tags)
    error = tags.get("error")
    if error in ((BOOL, True), (STRING, "true")):
        span.tags = [(key, value) for key, value in span.tags if key != "error"]
        return _ERROR
    found = failed_code(tags, span.kind or 0) if error is None else None
    if found is None:
        return 0
    problem = problems.STATUS_OF_HTTP if found[0] in HTTP_STATUS else problems.STATUS_OF_GRPC
    builder.findings.add(problem, place=span.place, example=found[1][1])
    return _ERROR


def _tags(content: Any, builder: Builder, place: str) -> Attributes:
    """Read tags: a list of keys with values of some type, or a plain map."""
    if isinstance(content, dict):
        return attributes_of(content, builder, place)
    if content is not None and not isinstance(content, list):
        builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    found: Attributes = []
    for tag in content if isinstance(content, list) else ():
        key = tag.get("key") if isinstance(tag, dict) else None
        if not isinstance(key, str):
            builder.findings.add(problems.BAD_ATTRIBUTE, place=place, example=tag)
            continue
        value = _value(tag, builder, place)
        if value is None:
            builder.findings.add(problems.EMPTY_VALUES, place=place, example=key)
        else:
            found.append((key, value))
    return found


def _value(tag: dict[str, Any], builder: Builder, place: str) -> Value | None:
    """Read the value of a tag as the type that its field has, or else as what it looks like."""
    name = next((name for name in _VALUES if tag.get(name) is not None), None)
    if name is None:
        return None
    content = tag[name]
    number, real = whole_number(content), float_number(content)
    if name == "vLong" and number is not None:
        return INT, number
    if name == "vDouble" and real is not None:
        return DOUBLE, real
    if name == "vBytes" and isinstance(content, str):
        return BYTES, content
    if name in ("vLong", "vDouble") or (name == "vBool" and not isinstance(content, bool)):
        builder.findings.add(problems.BAD_VALUE, place=place, example={name: content})
    return plain_value(content, builder.findings, place)


def _listed(content: dict[str, Any], key: str, builder: Builder, place: str) -> list[Any]:
    held = content.get(key)
    if held is not None and not isinstance(held, list):
        builder.findings.add(problems.BAD_FIELD, place=place, example={key: held})
    return held if isinstance(held, list) else []


def _id(content: Any, builder: Builder, place: str) -> str | None:
    """Read an id, most often a UUID, as hex."""
    if content is None or isinstance(content, str):
        if content and _UUID.fullmatch(content):
            builder.findings.add(problems.IDS_UUID, place=place, example=content)
            return content.replace("-", "").lower()
        return content
    builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    return scalar_text(content) if isinstance(content, int) and not isinstance(content, bool) else None


def _text(content: dict[str, Any], key: str, builder: Builder, place: str) -> str | None:
    held = content.get(key)
    if held is not None and not isinstance(held, str):
        builder.findings.add(problems.BAD_FIELD, place=place, example={key: held})
    return text_of(held)

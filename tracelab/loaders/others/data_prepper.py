"""Spans in OpenSearch: those of Data Prepper (`otel-v1-apm-span`) and of OpenSearch's schema for observability."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import STRING
from tracelab.loaders.documents.fields import (
    KIND_NUMBERS,
    STATUS_NUMBERS,
    known_enum,
    objects_of,
    text_attributes,
    text_of,
)
from tracelab.loaders.documents.flattening import flattened, of_hit
from tracelab.loaders.documents.log_records import has_log_marks
from tracelab.loaders.documents.times import instant_of_store
from tracelab.loaders.documents.values import plain_value, whole_number
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value
    from tracelab.loaders.report.findings import Problem

_IDS: Final = {"traceId", "spanId"}
_OWN: Final = ("durationInNanos", "traceGroup", "traceGroupFields")
_OWN_PREFIXES: Final = ("span.attributes.", "resource.attributes.", "traceGroupFields.")
_SERVICE_MAP: Final = {"hashId", "traceGroupName"}
_SPAN: Final = ("span.attributes.", "attributes.")
_RESOURCE: Final = ("resource.attributes.", "resource.")
_SCOPES: Final = ("instrumentationScope.", "instrumentationLibrary.", "scope.")
_DROPPED: Final = ("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount")
_TIMES: Final = ("startTime", "endTime", "@timestamp", "time")
_READ: Final = frozenset(
    (
        *("traceId", "spanId", "parentSpanId", "name", "kind", "serviceName", "traceState", "flags"),
        *("startTime", "endTime", "durationInNanos", "status.code", "status.message", "events", "links"),
        *_DROPPED,
    )
)
_OF_SCHEMA: Final = _READ | frozenset(
    (
        *("attributes", "resource", "status", "instrumentationScope", "instrumentationLibrary", "scope", "schemaUrl"),
        *_TIMES,
    )
)
"""What stands in spans of OpenSearch's schema; rows that others made have fields of their own."""
_EMPTY: Final = ("", None)


def is_span(document: dict[str, Any]) -> bool:
    """Say whether a document is a span in OpenSearch."""
    document = of_hit(document)
    keys = document.keys()
    if not keys >= _IDS or all(isinstance(document[name], dict) for name in _IDS):
        return False
    if any(name in document for name in _OWN):
        return True
    if has_log_marks(keys):
        # Data Prepper writes logs beside spans, with the ids of both and the attributes of their resource.
        return False
    if any(key.startswith(_OWN_PREFIXES) for key in keys):
        return True
    if not {"startTime", "endTime", "name"} <= keys or not isinstance(document["startTime"], str):
        return False
    return all(key.partition(".")[0] in _OF_SCHEMA for key in keys)


def beside(document: dict[str, Any]) -> Problem | None:
    """Name Data Prepper's documents about which service calls which, which are made of its spans."""
    return problems.OTHER_OBJECTS if document.keys() >= _SERVICE_MAP else None


@dataclass(slots=True)
class _Fields:
    """The fields of a document by what they are about."""

    span: list[tuple[str, Value]] = field(default_factory=list)
    resource: list[tuple[str, Value]] = field(default_factory=list)
    scope: list[tuple[str, Value]] = field(default_factory=list)
    scope_name: str | None = None
    scope_version: str | None = None


def read_span(document: dict[str, Any], builder: Builder, place: str) -> None:
    """Add a document's span."""
    findings = builder.findings
    document = of_hit(document)
    held = flattened({key: value for key, value in document.items() if key not in ("events", "links")})
    fields = _sorted_out(held, builder, place)
    service = text_of(held.get("serviceName"))
    if service and all(key != "service.name" for key, _ in fields.resource):
        fields.resource.append(("service.name", (STRING, service)))
    start = instant_of_store(held.get("startTime"), findings, place)
    flags = whole_number(held.get("flags"))
    row = builder.span(
        place=place,
        trace_id=_text(held.get("traceId"), builder, place),
        span_id=_text(held.get("spanId"), builder, place),
        parent_span_id=_text(held.get("parentSpanId"), builder, place),
        name=_text(held.get("name"), builder, place),
        kind=known_enum(held.get("kind"), KIND_NUMBERS),
        start_time=start,
        end_time=_end(held, start, fields, builder, place),
        resource=builder.resource(fields.resource),
        scope=builder.scope(fields.scope_name, fields.scope_version, fields.scope),
        status_code=known_enum(held.get("status.code"), STATUS_NUMBERS),
        status_message=_text(held.get("status.message"), builder, place),
        trace_state=_text(held.get("traceState"), builder, place),
        flags=flags if flags is not None and 0 <= flags < 2**32 else None,
        attributes=fields.span,
    )
    _add_events(document.get("events"), builder, row, place)
    _add_links(document.get("links"), builder, row, place)
    for name in _DROPPED:
        findings.add(problems.DROPPED_BY_PRODUCER, whole_number(held.get(name)) or 0, place=place, example=name)


def _end(held: dict[str, Any], start: int | None, fields: _Fields, builder: Builder, place: str) -> int | None:
    """Give the end, which is said or follows from the duration; a duration that says something else is kept."""
    end = instant_of_store(held.get("endTime"), builder.findings, place)
    said = held.get("durationInNanos")
    duration = whole_number(said)
    if end is None and start is not None and duration is not None and duration >= 0:
        return start + duration
    if said is not None and (end is None or start is None or end - start != duration):
        fields.span.extend(_attribute("durationInNanos", said, builder, place))
    return end


def _sorted_out(held: dict[str, Any], builder: Builder, place: str) -> _Fields:
    """Sort a document's fields: what no field of a span stands for is an attribute under its own name."""
    found = _Fields()
    times = [held.get(name) for name in _TIMES[:2]]
    for name, content in held.items():
        about, inner = _about_what(name)
        if about == "span":
            found.span.extend(_attribute(inner, content, builder, place))
        elif about == "resource":
            found.resource.extend(_about(inner, content, builder, place))
        elif about == "scope":
            _add_scope(found, inner, content, builder, place)
        elif about == "attributes":
            found.span.extend(_listed(content, builder, place))
        elif about == "time" and content in times:
            continue
        elif about and content not in _EMPTY:
            found.span.extend(_attribute(name, content, builder, place))
    return found


@lru_cache(maxsize=4096)
def _about_what(name: str) -> tuple[str, str]:
    """Say what a field is about, and its name there; nothing for fields that are read by their names."""
    for about, prefixes in (("span", _SPAN), ("resource", _RESOURCE), ("scope", _SCOPES)):
        prefix = next((each for each in prefixes if name.startswith(each)), None)
        if prefix is not None:
            return about, name.removeprefix(prefix)
    if name == "resource":
        return "resource", "attributes"
    if name in _READ:
        return "", name
    return "attributes" if name == "attributes" else "time" if name in _TIMES else "other", name


def _add_scope(found: _Fields, name: str, content: Any, builder: Builder, place: str) -> None:
    if name in ("name", "version"):
        text = _text(content, builder, place)
        found.scope_name = text if name == "name" and text else found.scope_name
        found.scope_version = text if name == "version" and text else found.scope_version
    else:
        found.scope.extend(_about(name.removeprefix("attributes."), content, builder, place))


def _about(name: str, content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    """Read an attribute of a resource or a scope, but for counts and addresses of schemas that say nothing."""
    if name == "droppedAttributesCount":
        builder.findings.add(problems.DROPPED_BY_PRODUCER, whole_number(content) or 0, place=place, example=name)
        return []
    if name == "attributes":
        return _listed(content, builder, place)
    return [] if name == "schemaUrl" and content in _EMPTY else _attribute(name, content, builder, place)


def _listed(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    """Read attributes that are a list of maps, as newer versions write those of resources and scopes."""
    wrong = content is not None and not (isinstance(content, list) and all(isinstance(item, dict) for item in content))
    builder.findings.add(problems.BAD_FIELD, int(wrong), place=place, example=content)
    return [pair for item in objects_of(content) for pair in _attributes(item, builder, place)]


def _attributes(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    held = flattened(content) if isinstance(content, dict) else {}
    return [pair for key, value in held.items() for pair in _attribute(key, value, builder, place)]


def _attribute(name: str, content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    """Read one attribute; Data Prepper writes `@` for dots in names."""
    value = plain_value(content, builder.findings, place)
    if value is None:
        builder.findings.add(problems.EMPTY_VALUES, place=place, example=name)
        return []
    return [(name.replace("@", ".") if name[:1] != "@" else name, value)]


def _add_events(content: Any, builder: Builder, row: int, place: str) -> None:
    for number, event in enumerate(_objects(content, builder, place)):
        where = f"{place}.events[{number}]"
        said = next((event[name] for name in ("time", "@timestamp", "timestamp") if event.get(name)), None)
        builder.events.add(
            row,
            text_attributes(_attributes(event.get("attributes"), builder, where)),
            time=instant_of_store(said, builder.findings, where) or 0,
            name=_text(event.get("name"), builder, where) or "",
        )
        _count_dropped(event, builder, where)


def _add_links(content: Any, builder: Builder, row: int, place: str) -> None:
    for number, link in enumerate(_objects(content, builder, place)):
        where = f"{place}.links[{number}]"
        builder.links.add(
            row,
            text_attributes(_attributes(link.get("attributes"), builder, where)),
            trace_id=_text(link.get("traceId"), builder, where),
            span_id=_text(link.get("spanId"), builder, where),
            trace_state=_text(link.get("traceState"), builder, where),
        )
        _count_dropped(link, builder, where)


def _count_dropped(content: dict[str, Any], builder: Builder, place: str) -> None:
    count = whole_number(content.get("droppedAttributesCount")) or 0
    builder.findings.add(problems.DROPPED_BY_PRODUCER, count, place=place, example="droppedAttributesCount")


def _objects(content: Any, builder: Builder, place: str) -> list[dict[str, Any]]:
    found = objects_of(content)
    wrong = 0 if content is None else len(content) - len(found) if isinstance(content, list) else 1
    builder.findings.add(problems.BAD_FIELD, wrong, place=place, example=content)
    return found


def _text(content: Any, builder: Builder, place: str) -> str | None:
    if content is None or isinstance(content, str):
        return content
    builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    return None

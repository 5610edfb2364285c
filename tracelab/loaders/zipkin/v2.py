"""Zipkin v2 (and v1, which is turned into v2 rows first): rows that belong together are merged or told apart.

Zipkin's client and server may share one span id, and one span may come in several partial rows. So the rows of a file
are collected first; see https://zipkin.io/zipkin-api and how Zipkin's own UI joins rows into a tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from tracelab.loaders.columns.chunk import BOOL, INT, STRING
from tracelab.loaders.columns.half_trace_ids import find_halves
from tracelab.loaders.columns.normalise import NO_SPAN_ID, SPAN_ID_WIDTH, TRACE_ID_WIDTH
from tracelab.loaders.columns.text import scalar_text
from tracelab.loaders.documents.shared_spans import tell_apart
from tracelab.loaders.documents.times import scaled
from tracelab.loaders.documents.values import whole_number
from tracelab.loaders.report import problems
from tracelab.loaders.zipkin import thrift, v1
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelab.loaders.columns.builder import Builder, Value

MICROSECOND: Final = 1_000
TOLD_BY: Final = (frozenset(("traceId", "id")), frozenset(("trace_id", "id", "timestamp")))
_INTERNAL, _CLIENT = (KINDS.index(name) for name in ("internal", "client"))
_SECONDS_AND_MILLIS: Final = (1_000_000_000, 1_000_000_000_000)
"""Since 2001 times have as many digits; so have microseconds of the first days of 1970 only."""
_STATUSES: Final = {"OK": 1, "ERROR": 2}
_ERROR: Final = 2
_LINK: Final = "otlp.link."
_NAMED_MAP: Final = re.compile(r'"(?P<name>.*?)"\s*:\s*(?P<map>\{.*\})', re.DOTALL)
_ENDPOINTS: Final = ("localEndpoint", "remoteEndpoint")
_IN_ENDPOINTS: Final = frozenset(("serviceName", "ipv4", "ipv6", "port"))
_IN_ANNOTATIONS: Final = frozenset(("value", "timestamp", "endpoint"))
_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}")
_WHOLE_ID: Final = re.compile(r"(?:[0-9a-fA-F]{16}){1,2}")
_KINDS: Final = frozenset(("CLIENT", "SERVER", "PRODUCER", "CONSUMER"))
_FIELDS: Final = frozenset(
    (
        *(*_ENDPOINTS, "annotations", "binaryAnnotations"),
        *("traceId", "id", "parentId", "name", "kind", "timestamp", "duration", "tags", "debug", "shared", "version"),
        *("timestamp_millis", "_q"),
    )
)


@dataclass(slots=True)
class Row:
    """A row of Zipkin v2, its fields checked."""

    place: str
    trace_id: str
    span_id: str
    parent_id: str | None
    kind: int | None
    name: str | None
    timestamp: int | None
    duration: int | None
    shared: bool
    debug: bool
    service: str
    local: dict[str, Any]
    remote: dict[str, Any]
    tags: dict[str, Value]
    annotations: list[tuple[int, str]] = field(default_factory=list)

    @property
    def identity(self) -> tuple[str, str, bool, str]:
        """Give what partial rows of one span have in common."""
        return self.trace_id, self.span_id, self.shared and self.kind != _CLIENT, self.service


def is_row(document: dict[str, Any]) -> bool:
    """Say whether a document is a row of Zipkin, of whatever version.

    Much else has an `id`, a `traceId`, a `name` and a `timestamp`, such as an order that mentions its trace. A row has
    an endpoint, which only Zipkin has; or nothing but Zipkin's fields, ids in hex, and something that a span has and an
    order has not.
    """
    trace_id, span_id = document.get("traceId"), document.get("id")
    if not (isinstance(trace_id, str) and isinstance(span_id, str)):
        return thrift.is_span(document)
    if any(_is_endpoint(document.get(name)) for name in _ENDPOINTS):
        return True
    if not (_ID.fullmatch(trace_id) and _ID.fullmatch(span_id)):
        return False
    if _are_annotations(document.get("annotations")) or _are_annotations(document.get("binaryAnnotations"), "key"):
        return True
    return document.keys() <= _FIELDS and _in_microseconds(document) and _is_of_span(document, (trace_id, span_id))


def _is_endpoint(content: Any) -> bool:
    return isinstance(content, dict) and (not content or not _IN_ENDPOINTS.isdisjoint(content))


def _are_annotations(content: Any, *more: str) -> bool:
    """Say whether a list holds annotations: it is not empty, for an empty one says nothing."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and "value" in first and first.keys() <= _IN_ANNOTATIONS | {*more, "type"}


def _in_microseconds(document: dict[str, Any]) -> bool:
    """Say whether a row's time can be one of Zipkin: of our years it is in the unit that Zipkin has, or missing."""
    if document.get("timestamp") is None:
        return True
    time = whole_number(document["timestamp"])
    return time is not None and not any(low <= time < 10 * low for low in _SECONDS_AND_MILLIS)


def _is_of_span(document: dict[str, Any], ids: tuple[str, str]) -> bool:
    """Say whether a row without endpoints and annotations has something else that spans have."""
    if document.get("kind") is not None and str(document["kind"]).upper() not in _KINDS:
        return False
    if document.get("kind") is not None or whole_number(document.get("duration")) is not None:
        return True
    lists = any(isinstance(document.get(name), list) for name in ("annotations", "binaryAnnotations"))
    more = lists or isinstance(document.get("tags"), dict) or document.get("shared") is True
    return more and all(_WHOLE_ID.fullmatch(each) for each in ids)


def is_part(document: dict[str, Any]) -> bool:
    """Say whether an object among rows of Zipkin is one too, be it without ids, or with no more than them and a time.

    An id in hex may be of an order too, but an order has fields that Zipkin does not know, and a time in another unit.
    """
    if thrift.is_part(document) or any(_is_endpoint(document.get(name)) for name in _ENDPOINTS):
        return True
    said = any(name in document for name in ("duration", "annotations", "binaryAnnotations", "tags"))
    said = said or str(document.get("kind")).upper() in _KINDS
    known = bool(document) and document.keys() <= _FIELDS and _in_microseconds(document)
    ids = [held for name in ("traceId", "id") if isinstance(held := document.get(name), str)]
    return known and (said or (bool(ids) and all(map(_ID.fullmatch, ids))))


def read_rows(contents: Iterable[tuple[dict[str, Any], str]], builder: Builder) -> None:
    """Add the spans of all rows of an input, for rows of one span may stand far apart."""
    found = list(contents)
    texts = thrift.are_texts(content for content, _ in found)
    rows = []
    for content, place in found:
        told = thrift.as_v1(content, builder, place, texts=texts) if thrift.is_part(content) else content
        for each in v1.as_v2(told, builder, place) if v1.is_v1(told) else [told]:
            row = _read_row(each, builder, place)
            if row is not None:
                rows.append(row)
    _add_spans(rows, builder)


def _read_row(content: dict[str, Any], builder: Builder, place: str) -> Row | None:
    """Read a row; None, counted, if it is none."""
    trace_id, span_id = (content.get(name) or "" for name in ("traceId", "id"))
    if not isinstance(trace_id, str) or not isinstance(span_id, str):
        builder.findings.spans += 1
        builder.findings.add(problems.BAD_SPAN, place=place, example=content, lost_spans=1)
        return None
    kind = content.get("kind")
    named = str(kind).lower()
    if kind is not None and named not in KINDS:
        builder.findings.add(problems.BAD_ENUM, place=place, example=kind)
    local, remote = _endpoint(content.get("localEndpoint")), _endpoint(content.get("remoteEndpoint"))
    parent, name, service = content.get("parentId"), content.get("name"), local.get("serviceName")
    return Row(
        place=place,
        trace_id=_padded(trace_id, TRACE_ID_WIDTH),
        span_id=_padded(span_id, SPAN_ID_WIDTH),
        parent_id=_padded(parent, SPAN_ID_WIDTH) if isinstance(parent, str) and parent else None,
        kind=KINDS.index(named) if named in KINDS else None,
        name=name if isinstance(name, str) else None,
        timestamp=scaled(content.get("timestamp"), MICROSECOND, builder.findings, place) or None,
        duration=scaled(content.get("duration"), MICROSECOND, builder.findings, place),
        shared=content.get("shared") is True,
        debug=content.get("debug") is True,
        service=service if isinstance(service, str) else "",
        local=local,
        remote=remote,
        tags=_tags(content.get("tags"), builder, place),
        annotations=_annotations(content.get("annotations"), builder, place),
    )


def _add_spans(rows: list[Row], builder: Builder) -> None:
    """Add the spans of all rows of a file to the builder."""
    whole = _join_halves(rows, builder)
    rows = _merged(rows, builder)
    tell_apart(rows, builder.findings)
    resources: dict[str, int] = {}
    scopes: dict[tuple[str | None, str | None], int] = {}
    for row in rows:
        if row.service not in resources:
            named: list[tuple[str, Value]] = [("service.name", (STRING, row.service))] if row.service else []
            resources[row.service] = builder.resource(named)
        _add_span(row, builder, resources[row.service], scopes, whole)


def _join_halves(rows: list[Row], builder: Builder) -> dict[str, str]:
    """Give rows with half a trace id the whole one, before rows of one span are sought; give the ids that changed."""
    columns = {
        "trace_id": [row.trace_id for row in rows],
        "span_id": [row.span_id for row in rows],
        "parent_span_id": [row.parent_id for row in rows],
    }
    whole = find_halves(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)), in_rows=True).whole
    for row in rows if whole else ():
        if row.trace_id in whole:
            place = f"trace {whole[row.trace_id]}"
            builder.findings.add(problems.TRACE_ID_HALVES, place=place, example=row.trace_id)
            row.trace_id = whole[row.trace_id]
    return whole


def _merged(rows: list[Row], builder: Builder) -> list[Row]:
    """Put partial rows of one span together: what came first wins, tags and annotations are united."""
    found: dict[tuple[str, str, bool, str], Row] = {}
    for number, row in enumerate(rows):
        if row.span_id == NO_SPAN_ID:  # nothing says that it belongs to another row
            found[*row.identity[:3], f"\0{number}"] = row
            continue
        if row.parent_id == row.span_id:
            row.parent_id = None
            builder.findings.add(problems.OWN_PARENT, place=row.place, example=row.span_id)
        first = found.setdefault(row.identity, row)
        if first is row:
            continue
        if first.kind is not None and row.kind is not None and first.kind != row.kind:
            found[(*row.identity[:3], f"{row.service}\0{row.kind}")] = row
            continue
        for name in ("parent_id", "kind", "name", "timestamp", "duration"):
            if getattr(first, name) is None:
                setattr(first, name, getattr(row, name))
        first.local = {**row.local, **first.local}
        first.remote = {**row.remote, **first.remote}
        first.tags = {**row.tags, **first.tags}
        first.annotations = sorted({*first.annotations, *row.annotations})
        first.debug = first.debug or row.debug
        builder.findings.spans += 1
        builder.findings.add(problems.PARTIAL_ROWS, place=row.place, example=row.span_id, lost_spans=1)
    return list(found.values())


def _add_span(
    row: Row,
    builder: Builder,
    resource: int,
    scopes: dict[tuple[str | None, str | None], int],
    whole: dict[str, str],
) -> None:
    tags = row.tags
    links = [_link(tags.pop(key)[1], whole) for key in sorted(key for key in tags if key.startswith(_LINK))]
    kind = row.kind
    if kind is None:
        text = tags.get("span.kind", (STRING, ""))[1]
        kind = KINDS.index(text) if text in KINDS else _INTERNAL
        if text in KINDS:
            del tags["span.kind"]
    names = [_taken(tags, key) for key in ("otel.scope.name", "otel.library.name")]
    versions = [_taken(tags, key) for key in ("otel.scope.version", "otel.library.version")]
    scope = (names[0] or names[1], versions[0] or versions[1])
    if scope not in scopes:
        scopes[scope] = builder.scope(*scope, [])
    status, message = _status(tags)
    tags.pop("otlp.service.name.source", None)
    state = _taken(tags, "w3c.tracestate")
    end = None if row.timestamp is None or row.duration is None else row.timestamp + row.duration
    number = builder.span(
        place=row.place,
        trace_id=row.trace_id,
        span_id=row.span_id,
        parent_span_id=row.parent_id,
        name=row.name or "",
        kind=kind,
        start_time=row.timestamp,
        end_time=end,
        resource=resource,
        scope=scopes[scope],
        status_code=status,
        status_message=message,
        trace_state=state,
        attributes=[*tags.items(), *_endpoint_attributes(row)],
    )
    for time, value in row.annotations:
        name, attributes = _event(value)
        builder.events.add(number, attributes, time=time, name=name)
    for link in links:
        if link is not None:
            builder.links.add(number, **link)


def _status(tags: dict[str, Value]) -> tuple[int, str | None]:
    """Take the status out of the tags. That there is an `error` tag means failure, whatever it says but false."""
    said = _taken(tags, "otel.status_code")
    message = _taken(tags, "otel.status_description")
    error = tags.get("error")
    if error is not None and error[1] not in ("false", False):
        del tags["error"]
        text = scalar_text(error[1])
        return _ERROR, message or (None if text in ("", "true") else text)
    return _STATUSES.get((said or "").upper(), 0), message


def _endpoint_attributes(row: Row) -> list[tuple[str, Value]]:
    """Write the endpoints as attributes, where the tags do not have these already."""
    found: list[tuple[str, Value]] = [("zipkin.debug", (BOOL, True))] if row.debug else []
    service = row.remote.get("serviceName")
    if isinstance(service, str) and service and "peer.service" not in row.tags:
        found.append(("peer.service", (STRING, service)))
    for prefix, endpoint in (("net.peer", row.remote), ("net.host", row.local)):
        address = endpoint.get("ipv4") or endpoint.get("ipv6")
        port = whole_number(endpoint.get("port"))
        if isinstance(address, str) and f"{prefix}.ip" not in row.tags:
            found.append((f"{prefix}.ip", (STRING, address)))
        if port and f"{prefix}.port" not in row.tags:
            found.append((f"{prefix}.port", (INT, port)))
    return found


def _event(value: str) -> tuple[str, dict[str, str]]:
    """Read an annotation; OpenTelemetry writes events with attributes as `name|{...}|dropped` or `"name": {...}`."""
    name, bar, rest = value.partition("|")
    text, _, dropped = rest.rpartition("|")
    if bar and dropped.isdigit() and text.startswith("{"):
        return name, _map(text)
    found = _NAMED_MAP.fullmatch(value)
    if found is None:
        return value, {}
    return found["name"], _map(found["map"])


def _map(text: str) -> dict[str, str]:
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {"value": text}
    return {key: scalar_text(value) for key, value in content.items() if value is not None}


def _link(text: Any, whole: dict[str, str]) -> dict[str, Any] | None:
    """Read a link as OpenTelemetry's Collector writes it: trace|span|state|attributes|dropped."""
    parts = str(text).split("|", 3)
    if len(parts) < 4:
        return None
    attributes, _, _ = parts[3].rpartition("|")
    return {
        "trace_id": whole.get(_padded(parts[0], TRACE_ID_WIDTH), parts[0]),
        "span_id": parts[1],
        "trace_state": parts[2] or None,
        "attributes": _map(attributes) if attributes.startswith("{") else {},
    }


def _tags(content: Any, builder: Builder, place: str) -> dict[str, Value]:
    if not isinstance(content, dict):
        if content is not None:
            builder.findings.add(problems.BAD_FIELD, place=place, example=content)
        return {}
    empty = [key for key, value in content.items() if value is None]
    builder.findings.add(problems.EMPTY_VALUES, len(empty), place=place, example=empty[0] if empty else None)
    return {key: (STRING, scalar_text(value)) for key, value in content.items() if value is not None}


def _annotations(content: Any, builder: Builder, place: str) -> list[tuple[int, str]]:
    found = []
    for item in content if isinstance(content, list) else ():
        if isinstance(item, dict) and isinstance(item.get("value"), str):
            time = scaled(item.get("timestamp"), MICROSECOND, builder.findings, place)
            found.append((time or 0, item["value"]))
        else:
            builder.findings.add(problems.BAD_FIELD, place=place, example=item)
    return found


def _endpoint(content: Any) -> dict[str, Any]:
    return content if isinstance(content, dict) else {}


def _padded(identity: str, width: int) -> str:
    return identity.lower().zfill(width)


def _taken(tags: dict[str, Value], key: str) -> str | None:
    return scalar_text(tags.pop(key)[1]) if key in tags else None

"""AWS X-Ray: what `batch-get-traces` prints, and the segment documents in it, alone or as its daemon takes them.

A document in progress is replaced by the finished one, and a subsegment that is sent alone does not name its service:
so the documents of an input are collected first. Names of attributes are those of the Collector's X-Ray receiver, with
today's conventions for HTTP; what it drops is kept under X-Ray's own names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import STRING
from tracelab.loaders.columns.text import scalar_text
from tracelab.loaders.documents.fields import (
    add_attribute,
    at,
    attributes_of,
    fields_of,
    objects_of,
    text_attributes,
    text_of,
    walked,
)
from tracelab.loaders.documents.times import scaled_exactly
from tracelab.loaders.documents.values import float_number, whole_number
from tracelab.loaders.input.lenient_json import NotJson, decode
from tracelab.loaders.report import problems
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracelab.loaders.columns.builder import Builder, Value

    Attributes = list[tuple[str, Value]]

WRAPPERS: Final = ("Traces", "data", "result")
TOLD_BY: Final = (
    frozenset(("Document",)),
    frozenset(("UnprocessedTraceIds",)),
    frozenset(("Segments",)),
    frozenset(("TraceSegmentDocuments",)),
    frozenset(("id", "start_time")),
    frozenset(("format", "version")),
)
SECOND: Final = 1_000_000_000
_INTERNAL, _SERVER, _CLIENT = (KINDS.index(name) for name in ("internal", "server", "client"))
_ERROR: Final = 2
_TRACE_ID: Final = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})")
_LOOKED_AT: Final = 20
_PUT: Final = "TraceSegmentDocuments"
"""Under which `put-trace-segments` takes documents, as texts."""
_SEGMENT_ID: Final = re.compile(r"[0-9a-fA-F]{16}")
_OWN_FIELDS: Final = frozenset(
    ("subsegments", "in_progress", "annotations", "metadata", "aws", "namespace", "fault", "throttle", "cause")
)
_FLAGS: Final = ("fault", "error", "throttle")
_DATABASE_URL: Final = re.compile(r"(?P<server>[^?]+//[^/?]+)/(?P<name>[^?]+)(?:\?.*)?", re.DOTALL)
_LANGUAGES: Final = {"node.js": "nodejs", ".net": "dotnet", ".net core": "dotnet"}

_REQUEST: Final = {
    "method": "http.request.method",
    "url": "url.full",
    "user_agent": "user_agent.original",
    "client_ip": "client.address",
    "x_forwarded_for": "aws.xray.x_forwarded_for",
}
_RESPONSE: Final = {"status": "http.response.status_code", "content_length": "http.response.body.size"}
_SQL: Final = {
    "connection_string": "db.connection_string",
    "database_type": "db.system",
    "sanitized_query": "db.statement",
    "user": "db.user",
}
_SPAN_AWS: Final = {"retries": "aws.xray.retries"}
_RESOURCE_AWS: Final[dict[str, dict[str, str]]] = {
    "ec2": {
        "availability_zone": "cloud.availability_zone",
        "instance_id": "host.id",
        "instance_size": "host.type",
        "ami_id": "host.image.id",
    },
    "ecs": {
        "container": "container.name",
        "container_id": "container.id",
        "availability_zone": "cloud.availability_zone",
        "container_arn": "aws.ecs.container.arn",
        "cluster_arn": "aws.ecs.cluster.arn",
        "task_arn": "aws.ecs.task.arn",
        "task_family": "aws.ecs.task.family",
        "launch_type": "aws.ecs.launchtype",
    },
    "elastic_beanstalk": {
        "environment_name": "service.namespace",
        "deployment_id": "service.instance.id",
        "version_label": "service.version",
    },
    "eks": {"container_id": "container.id", "cluster_name": "k8s.cluster.name", "pod": "k8s.pod.name"},
    "xray": {"sdk": "telemetry.sdk.name", "sdk_version": "telemetry.sdk.version"},
}
_READ: Final = frozenset(
    (
        *("id", "name", "trace_id", "parent_id", "type", "start_time", "end_time", "subsegments", "namespace", "links"),
        *("http", "aws", "sql", "annotations", "metadata", "cause", "service", "user", "origin", "resource_arn"),
    )
)
_NAMED: Final = {"in_progress": "aws.xray.inprogress"}


@dataclass(slots=True)
class _Segment:
    """A segment or subsegment, and what it has from others: its place, ids, and whose service it belongs to."""

    content: dict[str, Any]
    place: str
    trace_id: str | None
    span_id: str | None
    parent_id: str | None
    is_subsegment: bool
    resource: int | None

    @property
    def key(self) -> tuple[str | None, str | None]:
        """Name the segment among all."""
        return self.trace_id, self.span_id


def holds(document: dict[str, Any]) -> bool:
    """Say whether a document is a trace or segment of X-Ray, or the line that the daemon wants before one."""
    segments = document.get("Segments")
    if isinstance(segments, list) and ("Id" in document or "Duration" in document):
        identity = document.get("Id")
        named = isinstance(identity, str) and identity.startswith("1-")
        return named or any("Document" in item for item in objects_of(segments[:_LOOKED_AT]))
    if bool(document.get("UnprocessedTraceIds")) and "Traces" in document:
        return True
    if _texts_in(document.get(_PUT)):
        return True
    held = document.get("Document")
    if isinstance(held, str) and "Id" in document:
        return '"start_time"' in held or '"trace_id"' in held
    return _is_document(fields_of(held) or document) or _is_header(document)


def _is_document(content: dict[str, Any]) -> bool:
    if not {"id", "name", "start_time"} <= content.keys() or "span_id" in content:
        return False
    trace_id = content.get("trace_id")
    if isinstance(trace_id, str) and trace_id.startswith("1-"):
        return True
    # Jobs and deployments have a parent and metadata too: X-Ray has ids in hex, and seconds as numbers.
    identity = content["id"]
    return (
        (isinstance(identity, str) and _SEGMENT_ID.fullmatch(identity) is not None)
        and float_number(content["start_time"]) is not None
        and ("trace_id" in content or "parent_id" in content)
        and not _OWN_FIELDS.isdisjoint(content)
    )


def _texts_in(content: Any) -> bool:
    """Say whether a list begins with the text of a segment document."""
    listed = content[:_LOOKED_AT] if isinstance(content, list) else []
    return any(map(is_text, listed))


def is_text(text: Any) -> bool:
    """Say whether a text is that of a segment document, by its fields' names: it may be damaged behind them."""
    if not isinstance(text, str):
        return False
    return text.lstrip()[:1] == "{" and '"trace_id"' in text and ('"start_time"' in text or '"in_progress"' in text)


def _is_header(content: dict[str, Any]) -> bool:
    return content.keys() == {"format", "version"} and content["format"] == "json"


def read_documents(documents: Iterable[tuple[Any, str]], builder: Builder) -> None:
    """Add the segments of all documents of an input."""
    segments = [segment for document, place in documents for segment in _segments(document, builder, place)]
    segments = _finished(segments, builder)
    _give_services(segments, builder)
    exceptions = {
        found.get("id"): text_of(found.get("message"))
        for segment in segments
        for found in objects_of(fields_of(segment.content.get("cause")).get("exceptions"))
        if isinstance(found.get("id"), str)
    }
    scope = builder.scope(None, None, [])
    for segment in segments:
        _add_span(segment, builder, scope, exceptions)


def _segments(document: Any, builder: Builder, place: str) -> Iterator[_Segment]:
    """Find the segments of a document, with their subsegments."""
    for held, path, fits in walked(document, holds, WRAPPERS):
        where = at(place, path)
        if not fits and is_text(held):
            yield from _flat({"Document": held}, None, builder, where)
        elif not fits:
            _skip(held, builder, where)
        elif "Traces" in held:
            builder.findings.add(
                problems.MISSING_TRACES,
                len(held["UnprocessedTraceIds"]) if isinstance(held["UnprocessedTraceIds"], list) else 1,
                place=where,
                example=held["UnprocessedTraceIds"],
            )
            yield from _segments(held["Traces"], builder, where)
        elif isinstance(held.get(_PUT), list):
            for number, text in enumerate(held[_PUT]):
                yield from _flat({"Document": text}, None, builder, at(where, f"{_PUT}[{number}]"))
        elif isinstance(held.get("Segments"), list):
            yield from _segments_of_trace(held, builder, where)
        elif not _is_header(held):
            yield from _flat(held, None, builder, where)


def _segments_of_trace(trace: dict[str, Any], builder: Builder, place: str) -> Iterator[_Segment]:
    if trace.get("LimitExceeded") is True:
        builder.findings.add(problems.CUT_TRACES, place=place, example=trace.get("Id"))
    for number, item in enumerate(trace["Segments"]):
        where = at(place, f"Segments[{number}]")
        if isinstance(item, dict):
            yield from _flat(item, trace.get("Id"), builder, where)
        else:
            _skip(item, builder, where)


def _flat(record: dict[str, Any], trace_id: Any, builder: Builder, place: str) -> Iterator[_Segment]:
    """Give a segment and all its subsegments, parents first, however deep they are nested."""
    held = record.get("Document", record)
    if isinstance(held, str):
        try:
            held = decode(held.encode("utf-8", "replace"), builder.findings, place, exact=True)
        except NotJson as error:
            builder.findings.add(problems.BAD_JSON, place=place, example=str(error))
    if not isinstance(held, dict):
        _skip(held, builder, place)
        return
    identity = _trace_id(_text(held, "trace_id", builder, place) or text_of(trace_id))
    alone = held.get("type") == "subsegment"
    resource = None if alone else builder.resource(_resource(held, builder, place))
    first = _Segment(
        held,
        place,
        identity,
        _text(held, "id", builder, place) or text_of(record.get("Id")),
        _text(held, "parent_id", builder, place),
        alone,
        resource,
    )
    waiting = [first]
    while waiting:
        segment = waiting.pop()
        yield segment
        inner = segment.content.get("subsegments")
        children = []
        for number, content in enumerate(inner if isinstance(inner, list) else [] if inner is None else [inner]):
            where = at(segment.place, f"subsegments[{number}]")
            if isinstance(content, dict):
                own = _text(content, "id", builder, where)
                children.append(_Segment(content, where, identity, own, segment.span_id, True, resource))
            else:
                _skip(content, builder, where)
        waiting.extend(children)


def _skip(content: Any, builder: Builder, place: str) -> None:
    builder.findings.spans += 1
    builder.findings.add(problems.BAD_SPAN, place=place, example=content, lost_spans=1)


def _finished(segments: list[_Segment], builder: Builder) -> list[_Segment]:
    """Leave out what was sent in progress and again when it was finished."""
    finished = {segment.key for segment in segments if segment.content.get("in_progress") is not True}
    kept = []
    for segment in segments:
        if segment.content.get("in_progress") is True and segment.span_id and segment.key in finished:
            builder.findings.spans += 1
            builder.findings.add(problems.REPLACED_SPANS, place=segment.place, example=segment.span_id, lost_spans=1)
        else:
            kept.append(segment)
    return kept


def _give_services(segments: list[_Segment], builder: Builder) -> None:
    """Give subsegments that were sent alone the resource of the next segment above that has one."""
    by_key = {segment.key: segment for segment in segments}
    nothing: int | None = None
    for segment in segments:
        path: list[_Segment] = []
        above: _Segment | None = segment
        seen: set[int] = set()
        while above is not None and above.resource is None and id(above) not in seen:
            seen.add(id(above))
            path.append(above)
            above = by_key.get((above.trace_id, above.parent_id)) if above.parent_id else None
        resource = None if above is None else above.resource
        if path and resource is None:
            nothing = builder.resource([]) if nothing is None else nothing
            resource = nothing
        for each in path:
            each.resource = resource
            if resource == nothing:
                builder.findings.add(problems.PROCESS_MISSING, place=each.place, example=each.span_id)


def _add_span(segment: _Segment, builder: Builder, scope: int, exceptions: dict[Any, str | None]) -> None:
    content, place = segment.content, segment.place
    start = scaled_exactly(content.get("start_time"), SECOND, builder.findings, place)
    end = scaled_exactly(content.get("end_time"), SECOND, builder.findings, place)
    cause = content.get("cause")
    raised = objects_of(fields_of(cause).get("exceptions"))
    message = next((found["message"] for found in raised if isinstance(found.get("message"), str)), None)
    if isinstance(cause, str):
        message = exceptions.get(cause) or cause
    failed = bool(cause) or any(content.get(flag) is True for flag in _FLAGS)
    row = builder.span(
        place=place,
        trace_id=segment.trace_id,
        span_id=segment.span_id,
        parent_span_id=segment.parent_id,
        name=_text(content, "name", builder, place),
        kind=_kind(segment),
        start_time=start,
        end_time=end,
        resource=segment.resource or 0,
        scope=scope,
        status_code=_ERROR if failed else 0,
        status_message=message,
        attributes=_attributes(segment, builder),
    )
    for found in raised:
        builder.events.add(row, _exception(found), time=end or start or 0, name="exception")
    for link in objects_of(content.get("links")):
        builder.links.add(
            row,
            text_attributes(attributes_of(link.get("attributes"), builder, place)),
            trace_id=_trace_id(text_of(link.get("trace_id"))),
            span_id=text_of(link.get("id")),
            trace_state=None,
        )


def _kind(segment: _Segment) -> int:
    """Tell the kind: calls have a namespace, and a segment below another one is the server of a call."""
    if segment.is_subsegment:
        return _CLIENT if segment.content.get("namespace") in ("aws", "remote") else _INTERNAL
    asked = "request" in fields_of(segment.content.get("http"))
    return _SERVER if asked or segment.parent_id else _INTERNAL


def _attributes(segment: _Segment, builder: Builder) -> Attributes:
    content, place = segment.content, segment.place
    found: Attributes = []
    namespace = content.get("namespace")
    if namespace == "aws":
        add_attribute(found, "aws.service", content.get("name"), builder, place)
    elif namespace != "remote":
        add_attribute(found, "aws.xray.namespace", namespace, builder, place)
    http = _fields(content, "http", builder, place)
    _map(found, http.get("request"), _REQUEST, "http.request.", builder, place)
    _map(found, http.get("response"), _RESPONSE, "http.response.", builder, place)
    own = {
        key: held
        for key, held in _fields(content, "aws", builder, place).items()
        if segment.is_subsegment or not (key in _RESOURCE_AWS or key in ("account_id", "cloudwatch_logs"))
    }
    _map(found, own, _SPAN_AWS, "aws.", builder, place)
    sql = dict(_fields(content, "sql", builder, place))
    address = _DATABASE_URL.fullmatch(sql["url"]) if isinstance(sql.get("url"), str) else None
    if address is not None and "connection_string" not in sql:
        del sql["url"]
        found += [("db.connection_string", (STRING, address["server"])), ("db.name", (STRING, address["name"]))]
    _map(found, sql, _SQL, "aws.xray.sql.", builder, place)
    add_attribute(found, "enduser.id", content.get("user"), builder, place)
    if isinstance(cause := content.get("cause"), dict):
        rest = {key: held for key, held in cause.items() if key != "exceptions" or not isinstance(held, list)}
        _map(found, rest, {}, "aws.xray.cause.", builder, place)
    else:
        add_attribute(found, "aws.xray.cause", cause, builder, place)
    for key, held in content.items():
        if key not in _READ:
            add_attribute(found, _NAMED.get(key, f"aws.xray.{key}"), held, builder, place)
    found += attributes_of(_fields(content, "annotations", builder, place), builder, place)
    _map(found, content.get("metadata"), {}, "aws.xray.metadata.", builder, place)
    return found


def _resource(content: dict[str, Any], builder: Builder, place: str) -> Attributes:
    found: Attributes = []
    add_attribute(found, "service.name", text_of(content.get("name")), builder, place)
    aws = fields_of(content.get("aws"))
    if aws:
        found.append(("cloud.provider", (STRING, "aws")))
    add_attribute(found, "cloud.account.id", aws.get("account_id"), builder, place)
    for key, names in _RESOURCE_AWS.items():
        held = dict(fields_of(aws.get(key)))
        if key == "elastic_beanstalk" and (number := whole_number(held.get("deployment_id"))) is not None:
            held["deployment_id"] = str(number)  # an id of an instance is text
        _map(found, held, names, f"aws.{key}.", builder, place)
    kit = fields_of(aws.get("xray")).get("sdk")
    if isinstance(kit, str) and " for " in kit:
        language = kit.rpartition(" for ")[2].lower()
        found.append(("telemetry.sdk.language", (STRING, _LANGUAGES.get(language, language))))
    logs = objects_of(aws.get("cloudwatch_logs"))
    for key, name in (("log_group", "aws.log.group.names"), ("arn", "aws.log.group.arns")):
        values = [log[key] for log in logs if isinstance(log.get(key), str)]
        add_attribute(found, name, values or None, builder, place)
    named = {key for key, _ in found}
    for key, held in _fields(content, "service", builder, place).items():
        if f"service.{key}" not in named:
            add_attribute(found, f"service.{key}", held, builder, place)
    for key in ("origin", "resource_arn"):
        add_attribute(found, f"aws.xray.{key}", content.get(key), builder, place)
    return found


def _exception(found: dict[str, Any]) -> dict[str, str]:
    """Write an exception as the attributes of an event."""
    names = {"message": "exception.message", "type": "exception.type"}
    attributes = {
        names.get(key, f"aws.xray.exception.{key}"): scalar_text(held)
        for key, held in found.items()
        if held is not None and key != "stack"
    }
    frames = objects_of(found.get("stack"))
    if frames:
        lines = [f"{found.get('type') or ''}: {found.get('message') or ''}"]
        lines += (
            f"\tat {frame.get('label') or ''}({frame.get('path') or ''}: {frame.get('line', '<unknown>')})"
            for frame in frames
        )
        attributes["exception.stacktrace"] = "\n".join(lines) + "\n"
    return attributes


def _map(found: Attributes, content: Any, names: dict[str, str], prefix: str, builder: Builder, place: str) -> None:
    """Add the fields of an object as attributes, those without a name of their own with a prefix."""
    if content is not None and not isinstance(content, dict):
        add_attribute(found, prefix.rstrip("."), content, builder, place)
    for key, held in fields_of(content).items():
        add_attribute(found, names.get(key, f"{prefix}{key}"), held, builder, place)


def _fields(content: dict[str, Any], key: str, builder: Builder, place: str) -> dict[str, Any]:
    held = content.get(key)
    if held is not None and not isinstance(held, dict):
        builder.findings.add(problems.BAD_FIELD, place=place, example={key: held})
    return fields_of(held)


def _text(content: dict[str, Any], key: str, builder: Builder, place: str) -> str | None:
    held = content.get(key)
    if held is not None and not isinstance(held, str):
        builder.findings.add(problems.BAD_FIELD, place=place, example={key: held})
    return text_of(held)


def _trace_id(text: str | None) -> str | None:
    """Write `1-<8 hex>-<24 hex>` as 32 characters."""
    found = _TRACE_ID.fullmatch(text or "")
    return text if found is None else found[1] + found[2]

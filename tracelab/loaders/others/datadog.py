"""Datadog: payloads of its tracers and agent as JSON, and traces and spans as its UI and API give them.

Names of spans and attributes are those of the Collector's Datadog receiver; what is true of a whole process (`env`,
`version`, containers, clouds) is an attribute of the resource here. Only the first span of a chunk has the upper half
of the trace id, `_dd.p.tid`: it holds for the chunk, and spans outside of chunks are one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import INT, STRING
from tracelab.loaders.columns.text import scalar_text
from tracelab.loaders.documents.fields import (
    add_attribute,
    at,
    attributes_of,
    fields_of,
    objects_of,
    text_attributes,
    text_of,
)
from tracelab.loaders.documents.times import nanoseconds, scaled_exactly
from tracelab.loaders.documents.values import whole_number
from tracelab.loaders.input.lenient_json import NotJson, decode
from tracelab.loaders.report import problems
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracelab.loaders.columns.builder import Builder, Value

    Attributes = list[tuple[str, Value]]

WRAPPERS: Final = ("traces", "trace", "spans", "chunks", "tracerPayloads", "tracer_payloads", "data")
TOLD_BY: Final = (frozenset(("spans", "attributes")),)
SECOND: Final = 1_000_000_000
_INNER: Final = (*WRAPPERS, "attributes")
_DEPTH: Final = 9
_ERROR: Final = 2
_HALF: Final = 2**64
_WHOLE: Final = 2**128
_DECIMAL: Final = re.compile(r"-?[0-9]{1,39}")
_EARLIEST_NANOSECONDS: Final = 1e11  # as seconds this is the year 5138, as nanoseconds the second minute of 1970

_RENAMED: Final = {
    "traceID": "trace_id",
    "traceIDFull": "trace_id_full",
    "spanID": "span_id",
    "parentID": "parent_id",
    "startTime": "start",
    "endTime": "end",
    "resourceHash": "resource_hash",
    "start_timestamp": "start",
    "end_timestamp": "end",
    "resource_name": "resource",
    "operation_name": "name",
}
_READ: Final = frozenset(
    (
        *("trace_id", "trace_id_full", "span_id", "parent_id", "start", "end", "duration", "name", "resource"),
        *("service", "type", "error", "meta", "metrics", "span_links", "links", "span_events", "events"),
        *("env", "host", "hostname", "children_ids", "attributes", "custom"),
    )
)
_RESOURCE: Final = {
    "env": "deployment.environment.name",
    "version": "service.version",
    "language": "telemetry.sdk.language",
    "_dd.hostname": "host.name",
    "container_id": "container.id",
    "container_name": "container.name",
    "image_name": "container.image.name",
    "image_tag": "container.image.tags",
    "runtime": "container.runtime.name",
    "cloud_provider": "cloud.provider",
    "region": "cloud.region",
    "zone": "cloud.availability_zone",
    "task_family": "aws.ecs.task.family",
    "task_arn": "aws.ecs.task.arn",
    "ecs_cluster_name": "aws.ecs.cluster.arn",
    "task_version": "aws.ecs.task.revision",
    "ecs_container_name": "aws.ecs.container.arn",
    "kube_container_name": "k8s.container.name",
    "kube_cluster_name": "k8s.cluster.name",
    "kube_deployment": "k8s.deployment.name",
    "kube_replica_set": "k8s.replicaset.name",
    "kube_stateful_set": "k8s.statefulset.name",
    "kube_daemon_set": "k8s.daemonset.name",
    "kube_job": "k8s.job.name",
    "kube_cronjob": "k8s.cronjob.name",
    "kube_namespace": "k8s.namespace.name",
    "pod_name": "k8s.pod.name",
    "kube_app_name": "app.kubernetes.io/name",
    "kube_app_instance": "app.kubernetes.io/instance",
    "kube_app_version": "app.kubernetes.io/version",
    "kube_app_component": "app.kubernetes.io/component",
    "kube_app_part_of": "app.kubernetes.io/part-of",
    "kube_app_managed_by": "app.kubernetes.io/managed-by",
}
_SPAN: Final = {
    "http.client_ip": "client.address",
    "http.response.content_length": "http.response.body.size",
    "http.status_code": "http.response.status_code",
    "http.request.content_length": "http.request.body.size",
    "http.referer": "http.request.header.referer",
    "http.method": "http.request.method",
    "http.version": "network.protocol.version",
    "http.server_name": "server.address",
    "http.url": "url.full",
    "http.useragent": "user_agent.original",
    "aws.s3.bucket_name": "aws.s3.bucket",
    "aws.response.request_id": "aws.request_id",
    "aws.service": "rpc.service",
    "aws.operation": "rpc.method",
    "db.type": "db.system.name",
    "db.operation": "db.operation.name",
    "db.instance": "db.namespace",
    "db.sql.table": "db.collection.name",
    "db.pool.name": "db.client.connection.pool.name",
    "db.statement": "db.query.text",
    "process_id": "process.pid",
}
_NUMBERS: Final = ("http.response.status_code", "http.response.body.size", "http.request.body.size")
"""Attributes that OpenTelemetry has as integers, and Datadog as text."""
_PREFIXES: Final = (
    ("http.response.headers.", "http.response.header."),
    ("http.request.headers.", "http.request.header."),
)
_PAYLOAD: Final = {
    "container_id": "container.id",
    "containerID": "container.id",
    "language_name": "telemetry.sdk.language",
    "languageName": "telemetry.sdk.language",
    "language_version": "process.runtime.version",
    "languageVersion": "process.runtime.version",
    "tracer_version": "telemetry.sdk.version",
    "tracerVersion": "telemetry.sdk.version",
    "env": "deployment.environment.name",
    "hostname": "host.name",
    "app_version": "service.version",
    "appVersion": "service.version",
}
_EXCEPTION: Final = {
    "error.msg": "exception.message",
    "error.message": "exception.message",
    "error.type": "exception.type",
    "error.stack": "exception.stacktrace",
    "error.stacktrace": "exception.stacktrace",
}
_TYPES: Final = {"resource": str, "meta": dict, "metrics": dict}
_KINDS_OF_TYPES: Final = {"web": KINDS.index("server"), "http": KINDS.index("client")}


@dataclass(slots=True)
class _Halves:
    """The upper halves of trace ids that chunks name, and the spans that have only the lower one."""

    upper: defaultdict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    lower: list[tuple[int, str, str]] = field(default_factory=list)


def holds(document: dict[str, Any]) -> bool:
    """Say whether a document is a span of Datadog, the payload of a tracer, or a trace as the UI or API wraps it."""
    if _is_span(document) or any("spans" in chunk for chunk in objects_of(document.get("chunks"))[:1]):
        return True
    inner = fields_of(document.get("attributes"))
    spans = document.get("spans") or inner.get("spans")
    if isinstance(spans, dict):
        return any(isinstance(span, dict) and _is_span(span) for span in spans.values())
    return _is_span(inner) or (bool(inner) and isinstance(spans, list) and any(map(_is_span, objects_of(spans[:1]))))


def _is_span(content: dict[str, Any]) -> bool:
    keys = content.keys()
    if {"trace_id", "span_id", "start"} <= keys:
        # Rows of others have such names too, with an object as the resource.
        return any(isinstance(content.get(name), kind) for name, kind in _TYPES.items())
    if {"traceID", "spanID", "resource"} <= keys and not keys.isdisjoint(("start", "startTime")):
        return "operationName" not in keys
    return {"trace_id", "span_id", "start_timestamp", "resource_name"} <= keys


def read_documents(documents: Iterable[tuple[Any, str]], builder: Builder) -> None:
    """Add the spans of all documents of an input."""
    halves = _Halves()
    resources: dict[str, int] = {}
    scope = builder.scope(None, None, [])
    for document, place in documents:
        for held, path, shared in _found(document, builder, place):
            span = {_RENAMED.get(key, key): content for key, content in held.items()}
            where = at(place, path)
            # Spans that stand alone, one a document, are taken as one chunk.
            chunk = at(place, path.rpartition("[")[0]) if "[" in path else ""
            _add_span(span, chunk, shared, builder, where, resources, scope, halves)
    column = builder.columns["trace_id"]
    for row, lower, chunk in halves.lower:
        upper = halves.upper.get((chunk, lower), ())
        if len(upper) == 1:
            column[row] = next(iter(upper)) + lower


def _found(document: Any, builder: Builder, place: str) -> Iterator[tuple[dict[str, Any], str, Attributes]]:
    """Find the spans in a document, each with its path and what its payload says of all spans."""
    waiting: list[tuple[Any, str, Attributes]] = [(document, "", [])]
    while waiting:
        content, path, shared = waiting.pop()
        inner: list[tuple[str, Any]] = []
        if isinstance(content, list):
            inner = [(f"{path}[{number}]", item) for number, item in enumerate(content)]
        elif isinstance(content, dict):
            if _is_span(content):
                yield content, path, shared
                continue
            if content.get("is_truncated") is True:
                builder.findings.add(problems.CUT_TRACES, place=at(place, path))
            if "chunks" in content:
                shared = _payload(content, builder, place)
            for key in _INNER:
                held = content.get(key)
                name = f"{path}.{key}" if path else key
                if key == "spans" and isinstance(held, dict):
                    inner += ((f"{name}[{number}]", item) for number, item in enumerate(held.values()))
                elif isinstance(held, list | dict):
                    inner.append((name, held))
        if path.count("[") + path.count(".") > _DEPTH or (not inner and content not in ([], {})):
            builder.findings.spans += 1
            builder.findings.add(problems.BAD_SPAN, place=at(place, path), example=content, lost_spans=1)
            continue
        waiting.extend((held, name, shared) for name, held in reversed(inner))


def _payload(content: dict[str, Any], builder: Builder, place: str) -> Attributes:
    """Read what a tracer says of itself and its process."""
    found: Attributes = []
    for key, name in _PAYLOAD.items():
        if content.get(key) != "":
            add_attribute(found, name, content.get(key), builder, place)
    for key, held in fields_of(content.get("tags")).items():
        add_attribute(found, _RESOURCE.get(key, key), held, builder, place)
    return found


def _add_span(
    span: dict[str, Any],
    chunk: str,
    shared: Attributes,
    builder: Builder,
    place: str,
    resources: dict[str, int],
    scope: int,
    halves: _Halves,
) -> None:
    meta = {**_flattened(span, builder, place), **_fields(span, "meta", builder, place)}
    upper = text_of(meta.pop("_dd.p.tid", None))
    trace_id, span_id, parent_id = _ids(span, upper, builder, place)
    start, end = _times(span, builder, place)
    kind = meta.get("span.kind")
    if isinstance(kind, str) and kind.lower() in KINDS:
        kind = KINDS.index(meta.pop("span.kind").lower())
    else:
        kind = _KINDS_OF_TYPES.get(span["type"], 0) if isinstance(span.get("type"), str) else 0
    events = _events(span, meta, builder, place)
    links = _links(span, meta, builder, place)
    raised = {} if any(name == "exception" for name, _, _ in events) else _exception(meta)
    operation = text_of(span.get("name"))
    name = _name(operation, span, meta) or operation
    attributes: Attributes = []
    if name != operation:
        add_attribute(attributes, "operation.name", operation, builder, place)
    resource = _resource(span, meta, shared, builder, place, resources)
    row = builder.span(
        place=place,
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_id,
        name=name if name is not None else text_of(span.get("resource")),
        kind=kind,
        start_time=start,
        end_time=end,
        resource=resource,
        scope=scope,
        status_code=_ERROR if _failed(span) else 0,
        status_message=raised.get("exception.message"),
        attributes=attributes + _attributes(span, meta, builder, place),
    )
    if trace_id is not None and len(trace_id) == 32 and upper and not trace_id.startswith("0" * 16):
        halves.upper[chunk, trace_id[16:]].add(trace_id[:16])
    elif trace_id is not None:
        halves.lower.append((row, trace_id[16:], chunk))
    if raised:
        builder.events.add(row, raised, time=end or start or 0, name="exception")
    for event_name, time, fields in events:
        builder.events.add(row, fields, time=time, name=event_name)
    for link in links:
        builder.links.add(row, **link)


def _flattened(span: dict[str, Any], builder: Builder, place: str) -> dict[str, Any]:
    """Give what the search of spans answers in nested objects as tags with dots in their names."""
    found: dict[str, Any] = {}
    waiting = [("", fields_of(span.get(key))) for key in ("custom", "attributes")]
    for key in ("custom", "attributes"):
        if span.get(key) is not None and not isinstance(span[key], dict):
            builder.findings.add(problems.BAD_FIELD, place=place, example={key: span[key]})
    while waiting:
        prefix, content = waiting.pop()
        for key, held in content.items():
            if isinstance(held, dict) and held and prefix.count(".") < _DEPTH:
                waiting.append((f"{prefix}{key}.", held))
            else:
                found.setdefault(prefix + key, held)
    return found


def _ids(
    span: dict[str, Any], upper: str | None, builder: Builder, place: str
) -> tuple[str | None, str | None, str | None]:
    """Read the ids of a span: decimal numbers of 64 bits, or hex where a text can be nothing else."""
    texts = [span[key] for key in ("trace_id", "span_id", "parent_id") if isinstance(span.get(key), str)]
    # A trace id of 128 bits in hex may stand beside span ids in decimal; one of 64 bits is written as they are.
    as_hex = any(not _DECIMAL.fullmatch(text) or text[:1] == "0" < text for text in texts if 0 < len(text) < 32)
    trace_id, span_id, parent_id = (
        _id(span.get(key), builder, place, as_hex=as_hex) for key in ("trace_id", "span_id", "parent_id")
    )
    full = text_of(span.get("trace_id_full"))
    if full:
        trace_id = full
    elif trace_id is not None and len(trace_id) <= 16:
        known = upper if upper and re.fullmatch("[0-9a-fA-F]{1,16}", upper) else ""
        if upper and not known:
            builder.findings.add(problems.BAD_FIELD, place=place, example={"_dd.p.tid": upper})
        trace_id = known.zfill(16).lower() + trace_id.zfill(16)
    return trace_id, span_id, None if parent_id is None or not parent_id.strip("0") else parent_id


def _id(content: Any, builder: Builder, place: str, *, as_hex: bool) -> str | None:
    """Write an id as hex; signed numbers stand for the same 64 bits."""
    if isinstance(content, str) and (as_hex or len(content) == 32 or not _DECIMAL.fullmatch(content)):
        return content or None
    number = int(content) if isinstance(content, str) else content
    if isinstance(number, float) and number.is_integer():
        builder.findings.add(problems.IDS_FLOAT, place=place, example=content)
        number = int(number)
    if isinstance(number, int) and not isinstance(number, bool) and -(_HALF // 2) <= number < _WHOLE:
        return f"{number % _HALF if number < 0 else number:0{16 if number < _HALF else 32}x}"
    if content is not None:
        builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    return None


def _times(span: dict[str, Any], builder: Builder, place: str) -> tuple[int | None, int | None]:
    """Read start and end: nanoseconds, but seconds where the UI gave numbers with a fraction."""
    findings = builder.findings
    start, length, end = (span.get(key) for key in ("start", "duration", "end"))
    if isinstance(start, float) and 0 < start < _EARLIEST_NANOSECONDS:
        findings.add(problems.TIMES_IN_SECONDS, place=place, example=start)
        begun = scaled_exactly(start, SECOND, findings, place)
        lasted = scaled_exactly(length, SECOND, findings, place)
        ended = scaled_exactly(end, SECOND, findings, place) if lasted is None else None
    else:
        begun = nanoseconds(start, findings, place, zero_is_missing=False)
        lasted = whole_number(length)
        if length is not None and lasted is None:
            lasted = nanoseconds(length, findings, place, zero_is_missing=False)
        ended = nanoseconds(end, findings, place) if lasted is None else None
    return begun, ended if begun is None or lasted is None else begun + lasted


def _failed(span: dict[str, Any]) -> bool:
    error = span.get("error")
    return error is True or whole_number(error) not in (None, 0) or span.get("status") == "error"


def _name(operation: str | None, span: dict[str, Any], meta: dict[str, Any]) -> str | None:
    """Make the name that OpenTelemetry's conventions want for some operations, as the Collector does."""
    said = {key: held for key, held in meta.items() if isinstance(held, str) and held}
    resource = text_of(span.get("resource")) or ""
    match operation:
        case "servlet.request" | "http.request" | "web.request" if "http.method" in said:
            return " ".join(said[key] for key in ("http.method", "http.route") if key in said)
        case "spring.handler":
            return resource or None
        case "postgresql.query" | "redis.query":
            if "db.query.summary" in said or "db.operation" not in said:
                return said.get("db.query.summary") or said.get("db.type")
            target = next((said[key] for key in ("db.instance", "db.namespace", "peer.hostname") if key in said), "")
            return f"{said['db.operation']} {target}".rstrip()
        case "grpc.server" | "grpc.client":
            if "rpc.method" in said:
                return f"{said.get('rpc.service', '')}/{said['rpc.method']}"
            full = said.get("rpc.grpc.full_method") or said.get("grpc.method.name") or resource
            return full.removeprefix("/") or None
        case "aws.request" | "aws.command" if "aws.service" in said:
            return "/".join(said[key] for key in ("aws.service", "aws.operation") if key in said)
        case _:
            return None


def _resource(
    span: dict[str, Any],
    meta: dict[str, Any],
    shared: Attributes,
    builder: Builder,
    place: str,
    resources: dict[str, int],
) -> int:
    """Take out of a span what is true of its process."""
    found = dict(shared)
    own: Attributes = []
    for key in [key for key in meta if key in _RESOURCE]:
        add_attribute(own, _RESOURCE[key], [meta[key]] if key == "image_tag" else meta[key], builder, place)
        del meta[key]
    for key, name in (("env", _RESOURCE["env"]), ("host", "host.name"), ("hostname", "host.name")):
        add_attribute(own, name, text_of(span.get(key)) or None, builder, place)
    # The service of a span may be what it calls, such as a database; its process says which one it is itself.
    base = text_of(meta.pop("_dd.base_service", None))
    service = base or text_of(span.get("service"))
    if base and span.get("service") != base:
        meta.setdefault("service.name", span.get("service"))
    if service:
        own.append(("service.name", (STRING, service)))
    found.update(own)
    key = repr(sorted(found.items()))
    if key not in resources:
        resources[key] = builder.resource(list(found.items()))
    return resources[key]


def _attributes(span: dict[str, Any], meta: dict[str, Any], builder: Builder, place: str) -> Attributes:
    found: Attributes = []
    add_attribute(found, "dd.span.Resource", span.get("resource"), builder, place)
    add_attribute(found, "span.type", span.get("type") or None, builder, place)
    for holder in (meta, _fields(span, "metrics", builder, place)):
        for key, value in attributes_of(holder, builder, place):
            name = _translated(key)
            number = whole_number(value[1]) if name in _NUMBERS and value[0] == STRING else None
            found.append((name, value if number is None else (INT, number)))
    for key, held in span.items():
        if key not in _READ:
            add_attribute(found, f"dd.{key}", held, builder, place)
    return found


def _translated(key: str) -> str:
    if key in _SPAN:
        return _SPAN[key]
    before, after = next((pair for pair in _PREFIXES if key.startswith(pair[0])), ("", ""))
    return after + key.removeprefix(before)


def _exception(meta: dict[str, Any]) -> dict[str, str]:
    """Take the exception out of the tags; its type stays, for OpenTelemetry's spans have it too."""
    found: dict[str, str] = {}
    for key, name in _EXCEPTION.items():
        if meta.get(key) not in (None, ""):
            held = meta[key] if key == "error.type" else meta.pop(key)
            found.setdefault(name, scalar_text(held))
    return found


def _events(
    span: dict[str, Any], meta: dict[str, Any], builder: Builder, place: str
) -> list[tuple[str, int, dict[str, str]]]:
    """Read events, which stand in the span, or as JSON text in a tag."""
    native = objects_of(span.get("span_events")) or objects_of(span.get("events"))
    if isinstance(meta.get("events"), str):
        native = native or objects_of(_decoded(meta["events"], builder, place))
        del meta["events"]
    found = []
    for event in native:
        time = nanoseconds(event.get("time_unix_nano", event.get("timestamp")), builder.findings, place)
        plain = {key: _any(held) for key, held in fields_of(event.get("attributes")).items()}
        fields = text_attributes(attributes_of(plain, builder, place))
        found.append((text_of(event.get("name")) or "", time or 0, fields))
    return found


def _any(content: Any) -> Any:
    """Read a value of an event, which the agent writes with its type beside it."""
    if not isinstance(content, dict) or "type" not in content:
        return content
    held = next((content[key] for key in content if key.endswith("_value")), None)
    items = fields_of(held).get("values")
    if isinstance(items, list):
        return [
            next((item[key] for key in item if key.endswith("_value")), None) if isinstance(item, dict) else item
            for item in items
        ]
    return held


def _links(span: dict[str, Any], meta: dict[str, Any], builder: Builder, place: str) -> list[dict[str, Any]]:
    """Read links, which stand in the span, or as JSON text in a tag."""
    native = objects_of(span.get("span_links")) or objects_of(span.get("links"))
    if isinstance(meta.get("_dd.span_links"), str):
        native = native or objects_of(_decoded(meta["_dd.span_links"], builder, place))
        del meta["_dd.span_links"]
    found = []
    for link in native:
        upper = link.get("trace_id_high")
        high = _id(upper, builder, place, as_hex=False) if upper else None
        trace_id, span_id, _ = _ids({**link, "trace_id_full": None}, high, builder, place)
        attributes = text_attributes(attributes_of(link.get("attributes"), builder, place))
        if link.get("flags"):
            attributes["flags"] = scalar_text(link["flags"])
        found.append(
            {
                "trace_id": trace_id,
                "span_id": span_id,
                "trace_state": text_of(link.get("tracestate")),
                "attributes": attributes,
            }
        )
    return found


def _decoded(text: str, builder: Builder, place: str) -> Any:
    try:
        return decode(text.encode("utf-8", "replace"), builder.findings, place)
    except NotJson as error:
        builder.findings.add(problems.BAD_FIELD, place=place, example=str(error))
        return None


def _fields(span: dict[str, Any], key: str, builder: Builder, place: str) -> dict[str, Any]:
    held = span.get(key)
    if held is not None and not isinstance(held, dict):
        builder.findings.add(problems.BAD_FIELD, place=place, example={key: held})
    return fields_of(held)

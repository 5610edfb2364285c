"""What a transaction or a span of Elastic APM means in OpenTelemetry's terms, by the fields of its document."""

from __future__ import annotations

from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import STRING
from tracelab.loaders.documents.fields import KIND_NUMBERS, known_enum, objects_of, text_attributes
from tracelab.loaders.documents.flattening import field, flattened, only
from tracelab.loaders.documents.statuses import failed_code
from tracelab.loaders.documents.times import instant_of_store, scaled
from tracelab.loaders.documents.values import plain_value
from tracelab.loaders.report import problems
from tracelab.schema import KINDS
from tracelab.status_codes import HTTP_STATUS

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value
    from tracelab.loaders.report.findings import Findings

_MICROSECOND: Final = 1_000
_OK, _ERROR = 1, 2
_STATUSES: Final = {"success": _OK, "failure": _ERROR, "unknown": 0}
_INTERNAL, _SERVER, _CLIENT, _PRODUCER, _CONSUMER = (
    KINDS.index(name) for name in ("internal", "server", "client", "producer", "consumer")
)
_TRANSACTION, _SPAN = "transaction", "span"
_BY_TYPE: Final = {
    (_TRANSACTION, "request"): _SERVER,
    (_TRANSACTION, "messaging"): _CONSUMER,
    (_SPAN, "db"): _CLIENT,
    (_SPAN, "external"): _CLIENT,
    (_SPAN, "storage"): _CLIENT,
}
_BY_ACTION: Final = {"send": _PRODUCER, "receive": _CONSUMER, "poll": _CONSUMER, "process": _CONSUMER}

_READ: Final = frozenset(
    (
        *("@timestamp", "timestamp.us", "trace.id", "parent.id", "span.id", "span.kind"),
        *("span.links", "span.links.trace.id", "span.links.span.id"),
        *("event.outcome", "event.duration", "span.duration.us", "transaction.duration.us"),
        *("processor.event", "processor.name", "service.framework.name", "service.framework.version"),
    )
)
_OF_RESOURCE: Final = (
    *("service.", "agent.", "host.", "container.", "kubernetes.", "cloud.", "process.", "device.", "os."),
    *("observer.", "ecs.", "data_stream."),
)
_OF_SPAN: Final = ("service.target.", "service.origin.", "cloud.origin.", "process.thread.")
_LABELS: Final = ("labels.", "numeric_labels.")
# The names that Elastic's server gave to OpenTelemetry's attributes, backwards, in OpenTelemetry's words of today.
_NAMES: Final = {
    "service.node.name": "service.instance.id",
    "service.environment": "deployment.environment.name",
    "service.language.name": "telemetry.sdk.language",
    "service.runtime.name": "process.runtime.name",
    "service.runtime.version": "process.runtime.version",
    "host.hostname": "host.name",
    "host.architecture": "host.arch",
    "host.os.platform": "os.type",
    "host.os.full": "os.description",
    "host.os.name": "os.name",
    "host.os.version": "os.version",
    "kubernetes.namespace": "k8s.namespace.name",
    "kubernetes.node.name": "k8s.node.name",
    "kubernetes.pod.name": "k8s.pod.name",
    "kubernetes.pod.uid": "k8s.pod.uid",
    "cloud.service.name": "cloud.platform",
    "process.parent.pid": "process.parent_pid",
    "process.executable": "process.executable.path",
    "process.args": "process.command_args",
    "destination.address": "server.address",
    "destination.port": "server.port",
    "http.version": "network.protocol.version",
    "span.db.statement": "db.query.text",
    "span.db.instance": "db.namespace",
    "span.message.queue.name": "messaging.destination.name",
    "transaction.message.queue.name": "messaging.destination.name",
}
_SYSTEMS: Final = {"db": "db.system.name", "messaging": "messaging.system"}
_OPENTELEMETRY: Final = ("opentelemetry", "otlp")
_EXCEPTIONS: Final = "error.exception"
_EXCEPTION: Final = {
    "error.exception.type": "exception.type",
    "error.exception.message": "exception.message",
    "error.exception.stacktrace": "exception.stacktrace",
}


def add_span(
    kind: str, fields: dict[str, Any], errors: list[tuple[dict[str, Any], str]], builder: Builder, place: str
) -> None:
    """Add a transaction or a span with the errors that happened in it."""
    span, resource = _attributes(kind, fields, builder, place)
    tags = dict(span)
    number = _kind(kind, fields, tags, builder, place)
    start = start_of(fields, builder.findings, place)
    duration = _duration(kind, fields, builder, place)
    scope = _scope(fields, resource, builder, place)
    parent = fields.get("parent.id")
    if parent is None and kind == _SPAN:
        parent = fields.get("transaction.id")
    row = builder.span(
        place=place,
        trace_id=_text(fields.get("trace.id"), builder, place),
        span_id=_text(fields.get(f"{kind}.id"), builder, place),
        parent_span_id=_text(parent, builder, place),
        name=_text(fields.get(f"{kind}.name"), builder, place),
        kind=number,
        start_time=start,
        end_time=None if start is None or duration is None else start + duration,
        resource=builder.resource(resource),
        scope=scope,
        status_code=_status(fields, tags, number, builder, place),
        attributes=[(key, value) for key, value in span if key in tags],
    )
    for error, where in errors:
        _add_error(error, builder, row, where)
    for trace_id, span_id in _links(fields, builder, place):
        builder.links.add(row, {}, trace_id=trace_id, span_id=span_id, trace_state=None)


def start_of(fields: dict[str, Any], findings: Findings, place: str) -> int | None:
    """Give the start: microseconds, or the instant of the document, which Elasticsearch has in milliseconds."""
    exact = fields.get("timestamp.us")
    if exact is not None:
        return scaled(exact, _MICROSECOND, findings, place)
    return instant_of_store(fields.get("@timestamp"), findings, place)


def _duration(kind: str, fields: dict[str, Any], builder: Builder, place: str) -> int | None:
    exact = fields.get("event.duration")
    if exact is not None:
        return scaled(exact, 1, builder.findings, place)
    return scaled(fields.get(f"{kind}.duration.us"), _MICROSECOND, builder.findings, place)


def _kind(kind: str, fields: dict[str, Any], tags: dict[str, Value], builder: Builder, place: str) -> int:
    """Read the kind that is said, or tell it from the type as Elastic's server does."""
    said = fields.get("span.kind")
    if said is not None:
        return known_enum(said, KIND_NUMBERS)
    label = tags.get("span_kind", (STRING, ""))[1]
    if isinstance(label, str) and label.lower() in KINDS:
        del tags["span_kind"]
        return KINDS.index(label.lower())
    builder.findings.add(problems.KINDS_OF_TYPES, place=place, example=fields.get(f"{kind}.type"))
    named = str(fields.get(f"{kind}.type"))
    if kind == _SPAN and named == "messaging":
        return _BY_ACTION.get(str(fields.get("span.action")), _INTERNAL)
    return _BY_TYPE.get((kind, named), _INTERNAL)


def _status(fields: dict[str, Any], tags: dict[str, Value], kind: int, builder: Builder, place: str) -> int:
    """Read the outcome; documents of old versions have none, so that only status codes can tell it."""
    said = fields.get("event.outcome")
    if isinstance(said, str) and said in _STATUSES:
        return _STATUSES[said]
    if said is not None:
        return 255
    found = failed_code(tags, kind)
    if found is None:
        return 0
    problem = problems.STATUS_OF_HTTP if found[0] in HTTP_STATUS else problems.STATUS_OF_GRPC
    builder.findings.add(problem, place=place, example=found[1][1])
    return _ERROR


def _attributes(
    kind: str, fields: dict[str, Any], builder: Builder, place: str
) -> tuple[list[tuple[str, Value]], list[tuple[str, Value]]]:
    """Sort the fields that are no fields of a span into attributes of the span and of its resource."""
    span: dict[str, Value] = {}
    resource: dict[str, Value] = {}
    for name, content in fields.items():
        if name in _READ or name in (f"{kind}.id", f"{kind}.name"):
            continue
        value = plain_value(content, builder.findings, place)
        if value is None:
            builder.findings.add(problems.EMPTY_VALUES, place=place, example=name)
            continue
        of_resource, wanted = _translated(name)
        into = resource if of_resource else span
        # What has the name already keeps it.
        free = wanted == name or (wanted not in fields and into.get(wanted, value) == value)
        into[wanted if free else name] = value
    system = _SYSTEMS.get(str(fields.get(f"{kind}.type")))
    subtype = fields.get(f"{kind}.subtype")
    if system and isinstance(subtype, str):
        span.setdefault(system, (STRING, subtype))
    return list(span.items()), list(resource.items())


@lru_cache(maxsize=4096)
def _translated(name: str) -> tuple[bool, str]:
    """Say whether a field is about the resource, and which attribute it is."""
    label = next((name.removeprefix(prefix) for prefix in _LABELS if name.startswith(prefix)), None)
    return name.startswith(_OF_RESOURCE) and not name.startswith(_OF_SPAN), label or _NAMES.get(name, name)


def _scope(fields: dict[str, Any], resource: list[tuple[str, Value]], builder: Builder, place: str) -> int:
    """Give the scope, which Elastic's server keeps as the framework; frameworks of its own agents are no scopes."""
    agent = fields.get("agent.name")
    names = ("service.framework.name", "service.framework.version")
    if isinstance(agent, str) and agent.lower().startswith(_OPENTELEMETRY):
        name, version = (_text(fields.get(each), builder, place) for each in names)
        return builder.scope(name, version, [])
    for each in names:
        value = plain_value(fields.get(each), builder.findings, place)
        if value is not None:
            resource.append((each, value))
    return builder.scope(None, None, [])


def _links(fields: dict[str, Any], builder: Builder, place: str) -> list[tuple[str | None, str | None]]:
    """Read links, which are objects, or two lists of ids where a search gives fields only."""
    ids: list[tuple[Any, Any]] = []
    for link in objects_of(_listed(fields.get("span.links"))):
        trace_id, span_id = (
            next((held for name in names if (held := only(field(link, name))) is not None), None)
            for names in (("trace.id", "trace_id"), ("span.id", "span_id"))
        )
        ids.append((trace_id, span_id))
    columns = (_listed(fields.get(name)) for name in ("span.links.trace.id", "span.links.span.id"))
    ids.extend(zip_longest(*columns))
    return [(_text(trace_id, builder, place), _text(span_id, builder, place)) for trace_id, span_id in ids]


def _listed(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [] if content is None else [content]


def _add_error(fields: dict[str, Any], builder: Builder, row: int, place: str) -> None:
    """Add an error as the event of an exception, with all that is about the error itself."""
    exceptions = objects_of(_listed(fields.get("error.exception")))
    first = flattened({"error.exception": exceptions[0]}) if exceptions else {}
    about = {name: content for name, content in fields.items() if name.startswith("error.") and name != _EXCEPTIONS}
    event = {_EXCEPTION.get(name, name): content for name, content in {**about, **first}.items()}
    if isinstance(event.get("error.exception.handled"), bool):
        event["exception.escaped"] = not event.pop("error.exception.handled")
    if len(exceptions) > 1:
        event["error.exception.causes"] = exceptions[1:]
    for name, sources in (
        ("exception.stacktrace", ("error.stack_trace", "error.log.stacktrace")),
        ("exception.message", ("error.log.message", "error.message")),
        ("exception.type", ("error.type",)),
    ):
        source = next((each for each in sources if event.get(each) is not None), None)
        if event.get(name) is None and source is not None:
            event[name] = event[source] if source == "error.log.message" else event.pop(source)
    pairs = ((name, plain_value(content, builder.findings, place)) for name, content in event.items())
    attributes = [(name, value) for name, value in pairs if value is not None]
    builder.events.add(
        row, text_attributes(attributes), time=start_of(fields, builder.findings, place) or 0, name="exception"
    )


def _text(content: Any, builder: Builder, place: str) -> str | None:
    if content is None or isinstance(content, str):
        return content
    builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    return None

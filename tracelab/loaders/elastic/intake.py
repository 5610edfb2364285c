"""What Elastic's agents send (intake version 2): lines of metadata, transactions, spans and errors, to documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.flattening import flattened
from tracelab.loaders.documents.times import scaled
from tracelab.loaders.documents.values import whole_number
from tracelab.loaders.elastic.spans import start_of
from tracelab.loaders.report.findings import Findings

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder

METADATA: Final = "metadata"
_MARKS: Final[dict[str, tuple[str, ...]]] = {
    METADATA: ("service", "system", "process"),
    "transaction": ("trace_id", "span_count"),
    "span": ("trace_id", "transaction_id"),
    "error": ("exception", "log"),
}
_OTHER_MARKS: Final[dict[str, tuple[str, ...]]] = {"metricset": ("samples",), "log": ("message", "@timestamp", "level")}
_MICROSECOND, _MILLISECOND = 1_000, 1_000_000
_START: Final = "span.start"
"""Milliseconds after the start of the transaction, where a span says no instant."""

# Beginnings of names, the longest first where one begins another; what is in none of them belongs to the event.
_SHARED: Final = (
    ("service.agent.", "agent."),
    ("service.node.configured_name", "service.node.name"),
    ("service.", "service."),
)
_OF_METADATA: Final = (
    *_SHARED,
    ("process.ppid", "process.parent.pid"),
    ("process.argv", "process.args"),
    ("system.configured_hostname", "host.name"),
    ("system.detected_hostname", "host.hostname"),
    ("system.hostname", "host.hostname"),
    ("system.architecture", "host.architecture"),
    ("system.platform", "host.os.platform"),
    ("system.container.", "container."),
    ("system.kubernetes.", "kubernetes."),
    ("user.username", "user.name"),
)
_OF_EVENTS: Final = (
    ("trace_id", "trace.id"),
    ("parent_id", "parent.id"),
    ("transaction_id", "transaction.id"),
    ("transaction.", "transaction."),
    ("outcome", "event.outcome"),
    ("links", "span.links"),
    ("otel.span_kind", "span.kind"),
    ("otel.attributes.", "labels."),
    ("session.", "session."),
    ("faas.", "faas."),
    *((f"context.{name}", to) for name, to in _SHARED),
    ("context.tags.", "labels."),
    ("context.user.username", "user.name"),
    ("context.user.", "user."),
    ("context.cloud.", "cloud."),
    ("context.request.url.full", "url.full"),
    ("context.request.url.raw", "url.original"),
    ("context.request.url.protocol", "url.scheme"),
    ("context.request.url.hostname", "url.domain"),
    ("context.request.url.port", "url.port"),
    ("context.request.url.pathname", "url.path"),
    ("context.request.url.search", "url.query"),
    ("context.request.url.hash", "url.fragment"),
    ("context.request.http_version", "http.version"),
    ("context.request.socket.remote_address", "source.ip"),
    ("context.request.body", "http.request.body.original"),
    ("context.request.", "http.request."),
    ("context.response.", "http.response."),
    ("context.http.url", "url.original"),
    ("context.http.method", "http.request.method"),
    ("context.http.status_code", "http.response.status_code"),
    ("context.http.request.id", "http.request.id"),
    ("context.http.", "http."),
    ("context.db.user", "span.db.user.name"),
    ("context.db.", "span.db."),
    ("context.destination.service.", "span.destination.service."),
    ("context.destination.", "destination."),
    ("context.page.url", "url.full"),
    ("context.page.referer", "http.request.referrer"),
)
_OF_THE_EVENT_ITSELF: Final = ("context.custom.", "context.message.")
_TRIMMED: Final = {"url.scheme": ":", "url.query": "?", "url.fragment": "#"}


def is_line(document: dict[str, Any]) -> bool:
    """Say whether an object is a line with metadata, a transaction, a span or an error."""
    return _is_one_of(document, _MARKS)


def is_other_line(document: dict[str, Any]) -> bool:
    """Say whether an object is a line with metrics or a log."""
    return _is_one_of(document, _OTHER_MARKS)


def _is_one_of(document: dict[str, Any], marks: dict[str, tuple[str, ...]]) -> bool:
    if len(document) != 1:
        return False
    ((name, held),) = document.items()
    return isinstance(held, dict) and any(mark in held for mark in marks.get(name, ()))


class Reader:
    """Reads the lines of a stream, in which metadata holds until there are others."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}

    def read(self, line: dict[str, Any], builder: Builder, place: str) -> tuple[str, dict[str, Any]] | None:
        """Read a line as a document's kind and fields; None for metadata."""
        ((kind, held),) = line.items()
        if kind == METADATA:
            self.metadata = {name: value for name, value in _renamed(held, _OF_METADATA, "") if value is not None}
            return None
        fields = dict(self.metadata)
        exception = held.get("exception")
        renamed = _renamed({**held, "exception": None}, _OF_EVENTS, f"{kind}.")
        fields.update((name, value) for name, value in renamed if value is not None)
        if exception is not None:
            fields["error.exception"] = exception
        _set_times(kind, fields, builder, place)
        if kind == "span":
            _split_type(fields)
        return kind, fields


def place_in_time(documents: list[tuple[str, dict[str, Any]]]) -> None:
    """Give spans that only say how long after their transaction they start an instant of their own."""
    waiting = [fields for kind, fields in documents if kind == "span" and _needs_start(fields)]
    starts: dict[tuple[str, str], int] = {}
    for kind, fields in documents if waiting else ():
        start = start_of(fields, Findings(), "") if kind == "transaction" else None
        if start is not None:
            starts[str(fields.get("trace.id")), str(fields.get("transaction.id"))] = start
    for fields in waiting:
        ids = (fields.get(name) for name in ("transaction.id", "parent.id"))
        keys = ((str(fields.get("trace.id")), str(each)) for each in ids)
        started = next((starts[key] for key in keys if key in starts), None)
        after = scaled(fields[_START], _MILLISECOND, Findings(), "")
        if started is not None and after is not None:
            fields["timestamp.us"] = (started + after) // _MICROSECOND
            del fields[_START]


def _needs_start(fields: dict[str, Any]) -> bool:
    return _START in fields and fields.get("timestamp.us") is None and fields.get("@timestamp") is None


def _renamed(held: dict[str, Any], names: tuple[tuple[str, str], ...], event: str) -> list[tuple[str, Any]]:
    """Give the fields of a line under the names that they have in documents."""
    found = []
    for name, value in flattened(held).items():
        if event and name.startswith(_OF_THE_EVENT_ITSELF):
            found.append((event + name.removeprefix("context."), value))
            continue
        old, new = next((each for each in names if name == each[0] or _begins(name, each[0])), ("", event))
        wanted = new + name.removeprefix(old)
        mark = _TRIMMED.get(wanted)
        found.append((wanted, value.strip(mark) if mark and isinstance(value, str) else value))
    return found


def _begins(name: str, prefix: str) -> bool:
    return prefix[-1] == "." and name.startswith(prefix)


def _set_times(kind: str, fields: dict[str, Any], builder: Builder, place: str) -> None:
    """Write times as documents have them: microseconds or text, and the duration in nanoseconds."""
    timestamp = fields.pop(f"{kind}.timestamp", None)
    if isinstance(timestamp, str) and whole_number(timestamp) is None:
        fields["@timestamp"] = timestamp
    elif timestamp is not None:
        fields["timestamp.us"] = timestamp
    duration = scaled(fields.pop(f"{kind}.duration", None), _MILLISECOND, builder.findings, place)
    if duration is not None:
        fields["event.duration"] = duration


def _split_type(fields: dict[str, Any]) -> None:
    """Split a type such as `db.postgresql.query`, in which older agents write subtype and action too."""
    said = fields.get("span.type")
    if isinstance(said, str) and "." in said and "span.subtype" not in fields and "span.action" not in fields:
        for name, part in zip(("type", "subtype", "action"), said.split(".", 2), strict=False):
            fields[f"span.{name}"] = part

"""What a span of Jaeger means, whatever spelled it: tags that are fields, references that are parents, logs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import BOOL, BYTES, STRING, STRINGS
from tracelab.loaders.columns.normalise import TRACE_ID_WIDTH
from tracelab.loaders.columns.text import json_text, scalar_text
from tracelab.loaders.documents.statuses import failed_code
from tracelab.loaders.report import problems
from tracelab.schema import KINDS
from tracelab.status_codes import HTTP_STATUS

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value

NO_SERVICE: Final = "OTLPResourceNoServiceName"
WARNINGS_KEY: Final = "jaeger.warnings"
REF_TYPE_KEY: Final = "opentracing.ref_type"
UNNAMED_LOG: Final = "log"
_ERROR: Final = 2
_STATUSES: Final = {"OK": 1, "ERROR": _ERROR}
_SCOPE_NAMES: Final = ("otel.scope.name", "otel.library.name")
_SCOPE_VERSIONS: Final = ("otel.scope.version", "otel.library.version")
_HALF: Final = TRACE_ID_WIDTH // 2

Reference = tuple[str, str | None, str | None]
"""The type of a reference, and the trace and span that are meant."""


@dataclass(slots=True)
class Span:
    """A span of Jaeger with its types checked; times are nanoseconds, `parent` counts where no reference does."""

    trace_id: str | None
    span_id: str | None
    name: str | None
    start: int | None
    duration: int | None
    flags: int | None
    tags: list[tuple[str, Value]]
    references: list[Reference] = field(default_factory=list)
    parent: str | None = None
    warnings: list[Any] = field(default_factory=list)


class Scopes:
    """The instrumentation scopes of spans, each added to the builder once."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.numbers: dict[tuple[str | None, str | None], int] = {}

    def number(self, name: str | None, version: str | None) -> int:
        """Give the number of a scope."""
        if (name, version) not in self.numbers:
            self.numbers[name, version] = self.builder.scope(name, version, [])
        return self.numbers[name, version]


def add_process(service: Any, tags: list[tuple[str, Value]], builder: Builder) -> int:
    """Add a process as a resource and give its number."""
    if isinstance(service, str) and service not in ("", NO_SERVICE):
        tags = [("service.name", (STRING, service)), *tags]
    return builder.resource(tags)


def add_span(span: Span, builder: Builder, resource: int, scopes: Scopes, place: str) -> int:
    """Add a span and give its row."""
    tags = dict(span.tags)
    pairs = span.tags
    meaning = consume_tags(tags, builder, place)
    if span.warnings:
        builder.findings.add(problems.WARNINGS_KEPT, len(span.warnings), place=place, example=span.warnings[0])
        tags[WARNINGS_KEY] = (STRINGS, json_text([scalar_text(item) for item in span.warnings]))
        pairs = [*pairs, (WARNINGS_KEY, tags[WARNINGS_KEY])]
    parent, links = parent_and_links(span.references, span.trace_id, builder, place)
    if span.parent and not span.references:
        builder.findings.add(problems.DEPRECATED, place=place, example="parentSpanID")
        parent = span.parent
    start, duration, flags = span.start, span.duration, span.flags
    row = builder.span(
        place=place,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=parent,
        name=span.name,
        kind=meaning["kind"],
        start_time=start,
        end_time=None if start is None or duration is None else min(start + duration, 2**63 - 1),
        resource=resource,
        scope=scopes.number(meaning["scope_name"], meaning["scope_version"]),
        status_code=meaning["status_code"],
        status_message=meaning["status_message"],
        trace_state=meaning["trace_state"],
        flags=flags if flags is not None and 0 <= flags < 2**32 else None,
        attributes=[(key, value) for key, value in pairs if key in tags],
    )
    for link in links:
        builder.links.add(row, **link)
    return row


def add_log(time: int | None, fields: list[tuple[str, Value]], builder: Builder, row: int) -> None:
    """Add a log of the span in a row as an event, which is named by the field `event`."""
    attributes = {key: scalar_text(value) if kind <= BYTES else value for key, (kind, value) in fields}
    name = attributes.pop("event", UNNAMED_LOG)
    builder.events.add(row, attributes, time=time or 0, name=name)


def consume_tags(tags: dict[str, Value], builder: Builder, place: str) -> dict[str, Any]:
    """Take out of the tags what a span has fields for, as the OpenTelemetry Collector does.

    `error` true (or the text "true") wins over `otel.status_code`. Status codes of HTTP and gRPC decide only where
    nothing in the span comes from OpenTelemetry, whose spans always say their status.
    """
    kind = _known(tags, "span.kind", KINDS)
    names = [_taken(tags, key) for key in _SCOPE_NAMES]
    versions = [_taken(tags, key) for key in _SCOPE_VERSIONS]
    said = _taken(tags, "otel.status_code")
    message = _taken(tags, "otel.status_description")
    status = _STATUSES.get((said or "").upper(), 0)
    if tags.get("error") in ((BOOL, True), (STRING, "true")):
        del tags["error"]
        status = _ERROR
    elif said is None and not any(names):
        status = _guessed_status(tags, kind, builder, place)
    return {
        "kind": kind,
        "scope_name": names[0] or names[1],
        "scope_version": versions[0] or versions[1],
        "status_code": status,
        "status_message": message,
        "trace_state": _taken(tags, "w3c.tracestate"),
    }


def _guessed_status(tags: dict[str, Value], kind: int, builder: Builder, place: str) -> int:
    """Guess a status from the status codes of HTTP and gRPC."""
    found = failed_code(tags, kind)
    if found is None:
        return 0
    key, value = found
    problem = problems.STATUS_OF_HTTP if key in HTTP_STATUS else problems.STATUS_OF_GRPC
    builder.findings.add(problem, place=place, example=value[1])
    return _ERROR


def parent_and_links(
    references: list[tuple[str, str | None, str | None]], trace_id: str | None, builder: Builder, place: str
) -> tuple[str | None, list[dict[str, Any]]]:
    """Choose the parent among references; all others but all-zero ones are links."""
    zero = [not (span_id or "").strip("0") for _, _, span_id in references]
    builder.findings.add(problems.PARENT_ZERO, sum(zero), place=place)
    references = [reference for reference, none in zip(references, zero, strict=True) if not none]
    own = [place for place, (_, other, _) in enumerate(references) if _same_id(other, trace_id)]
    parents = [place for kind in ("CHILD_OF", "FOLLOWS_FROM") for place in own if references[place][0] == kind]
    parent = parents[0] if parents else None
    links = [
        {
            "attributes": {REF_TYPE_KEY: "child_of"} if kind == "CHILD_OF" else {},
            "trace_id": other,
            "span_id": span_id,
            "trace_state": None,
        }
        for number, (kind, other, span_id) in enumerate(references)
        if number != parent
    ]
    return None if parent is None else references[parent][2], links


def _taken(tags: dict[str, Value], key: str) -> str | None:
    """Take a tag out of the tags as text."""
    return scalar_text(tags.pop(key)[1]) if key in tags else None


def _known(tags: dict[str, Value], key: str, names: tuple[str, ...]) -> int:
    """Take a tag out of the tags that names one of these; otherwise leave it and give 0."""
    text = str(tags.get(key, (STRING, ""))[1]).lower()
    if text not in names:
        return 0
    del tags[key]
    return names.index(text)


def _same_id(one: str | None, other: str | None) -> bool:
    """Tell whether trace ids are the same, also where zeros are left out or one is cut to its last 16 characters."""
    short, long = sorted(((one or "").lower().lstrip("0"), (other or "").lower().lstrip("0")), key=len)
    return short == long or (0 < len(short) <= _HALF < len(long) and long[-_HALF:].lstrip("0") == short)

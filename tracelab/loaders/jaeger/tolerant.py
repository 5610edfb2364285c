"""Jaeger JSON: what Jaeger's API and UI give, old and new, also when the UI left its own marks in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.failing import HTTP_STATUS
from tracelab.loaders.columns.chunk import BOOL, BYTES, DOUBLE, INT, STRING, STRINGS
from tracelab.loaders.columns.guessing import failed_code
from tracelab.loaders.columns.normalise import TRACE_ID_WIDTH
from tracelab.loaders.columns.text import json_text, scalar_text
from tracelab.loaders.columns.times import scaled
from tracelab.loaders.columns.values import float_number, plain_value, whole_number
from tracelab.loaders.report import problems
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value

MICROSECOND: Final = 1_000
NO_SERVICE: Final = "OTLPResourceNoServiceName"
WARNINGS_KEY: Final = "jaeger.warnings"
REF_TYPE_KEY: Final = "opentracing.ref_type"
UNNAMED_LOG: Final = "log"
_ERROR: Final = 2
_STATUSES: Final = {"OK": 1, "ERROR": _ERROR}
_SCOPE_NAMES: Final = ("otel.scope.name", "otel.library.name")
_SCOPE_VERSIONS: Final = ("otel.scope.version", "otel.library.version")
_HALF: Final = TRACE_ID_WIDTH // 2


def is_document(document: dict[str, Any]) -> bool:
    """Say whether a document is a trace as Jaeger's API gives it, or the answer to a search that found nothing."""
    if document.get("data") == []:
        return True
    spans = document.get("spans")
    return isinstance(spans, list) and ("traceID" in document or "processes" in document or _is_span(spans[:1]))


def _is_span(spans: list[Any]) -> bool:
    return bool(spans) and isinstance(spans[0], dict) and {"spanID", "operationName"} <= spans[0].keys()


def read_trace(trace: dict[str, Any], builder: Builder, place: str) -> None:
    """Add a trace's spans to the builder."""
    findings = builder.findings
    held = trace.get("processes")
    processes = held if isinstance(held, dict) else {}
    resources: dict[str, int] = {}
    scopes: dict[tuple[str | None, str | None], int] = {}
    warnings = trace.get("warnings")
    if isinstance(warnings, list) and warnings:
        findings.add(problems.TRACE_WARNINGS, len(warnings), place=place, example=warnings[0])
    for number, span in enumerate(trace.get("spans", ())):
        where = f"{place}.spans[{number}]"
        if not isinstance(span, dict) or not ({"spanID", "operationName", "startTime"} & span.keys()):
            findings.spans += 1
            findings.add(problems.BAD_SPAN, place=where, example=span, lost_spans=1)
            continue
        pid = span.get("processID")
        process = processes.get(pid) if isinstance(pid, str) else None
        name = f"id {pid}"
        if process is None:
            process = span.get("process")
            name = json_text(process)
        if name not in resources:
            resources[name] = _read_process(process, builder, where)
        if not isinstance(process, dict):
            findings.add(problems.PROCESS_MISSING, place=where, example=pid)
        _read_span(span, trace.get("traceID"), builder, resources[name], scopes, where)


def _read_process(process: Any, builder: Builder, place: str) -> int:
    if not isinstance(process, dict):
        return builder.resource([])
    service = process.get("serviceName")
    attributes = _tags(process.get("tags"), builder, place)
    if isinstance(service, str) and service not in ("", NO_SERVICE):
        attributes = [("service.name", (STRING, service)), *attributes]
    return builder.resource(attributes)


def _read_span(
    span: dict[str, Any],
    trace_id: Any,
    builder: Builder,
    resource: int,
    scopes: dict[tuple[str | None, str | None], int],
    place: str,
) -> None:
    findings = builder.findings
    own_id = _text(span.get("traceID"), builder, place) or _text(trace_id, builder, place)
    pairs = _tags(span.get("tags"), builder, place)
    tags = dict(pairs)
    meaning = consume_tags(tags, builder, place)
    scope = (meaning["scope_name"], meaning["scope_version"])
    if scope not in scopes:
        scopes[scope] = builder.scope(*scope, [])
    if isinstance(span.get("warnings"), list) and span["warnings"]:
        findings.add(problems.WARNINGS_KEPT, len(span["warnings"]), place=place, example=span["warnings"][0])
        tags[WARNINGS_KEY] = (STRINGS, json_text([scalar_text(item) for item in span["warnings"]]))
        pairs.append((WARNINGS_KEY, tags[WARNINGS_KEY]))
    parent, links = _references(span, own_id, builder, place)
    start = scaled(span.get("startTime"), MICROSECOND, findings, place)
    duration = scaled(span.get("duration"), MICROSECOND, findings, place)
    flags = whole_number(span.get("flags"))
    row = builder.span(
        place=place,
        trace_id=own_id,
        span_id=_text(span.get("spanID"), builder, place),
        parent_span_id=parent,
        name=_text(span.get("operationName"), builder, place),
        kind=meaning["kind"],
        start_time=start,
        end_time=None if start is None or duration is None else min(start + duration, 2**63 - 1),
        resource=resource,
        scope=scopes[scope],
        status_code=meaning["status_code"],
        status_message=meaning["status_message"],
        trace_state=meaning["trace_state"],
        flags=flags if flags is not None and 0 <= flags < 2**32 else None,
        attributes=[(key, value) for key, value in pairs if key in tags],
    )
    for link in links:
        builder.links.add(row, **link)
    for number, log in enumerate(span.get("logs") or () if isinstance(span.get("logs"), list) else ()):
        read_log(log, builder, row, f"{place}.logs[{number}]")


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


def _references(
    span: dict[str, Any], trace_id: str | None, builder: Builder, place: str
) -> tuple[str | None, list[dict[str, Any]]]:
    """Give the parent and the links: the first CHILD_OF in the trace, else the first FOLLOWS_FROM, is the parent."""
    held = span.get("references")
    references = []
    for reference in held if isinstance(held, list) else ():
        if not isinstance(reference, dict):
            builder.findings.add(problems.BAD_FIELD, place=place, example=reference)
            continue
        ids = (_text(reference.get("traceID"), builder, place), _text(reference.get("spanID"), builder, place))
        references.append((str(reference.get("refType", "")).upper(), *ids))
    if not references and span.get("parentSpanID"):
        builder.findings.add(problems.DEPRECATED, place=place, example="parentSpanID")
        return _text(span["parentSpanID"], builder, place), []
    return parent_and_links(references, trace_id, builder, place)


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


def read_log(log: Any, builder: Builder, row: int, place: str) -> None:
    if not isinstance(log, dict):
        builder.findings.add(problems.BAD_FIELD, place=place, example=log)
        return
    fields = {
        key: scalar_text(value) if kind <= BYTES else value
        for key, (kind, value) in _tags(log.get("fields"), builder, place)
    }
    name = fields.pop("event", UNNAMED_LOG)
    time = scaled(log.get("timestamp"), MICROSECOND, builder.findings, place)
    builder.events.add(row, fields, time=time or 0, name=name)


def _tags(content: Any, builder: Builder, place: str) -> list[tuple[str, Value]]:
    findings = builder.findings
    if content is not None and not isinstance(content, list):
        findings.add(problems.BAD_FIELD, place=place, example=content)
        return []
    pairs = []
    for tag in content or ():
        key = tag.get("key") if isinstance(tag, dict) else None
        if not isinstance(key, str):
            findings.add(problems.BAD_ATTRIBUTE, place=place, example=tag)
            continue
        value = tag_value(tag.get("type"), tag.get("value"), builder, place)
        if value is None:
            findings.add(problems.EMPTY_VALUES, place=place, example=key)
        else:
            pairs.append((key, value))
    return pairs


def tag_value(kind: Any, content: Any, builder: Builder, place: str) -> Value | None:
    """Read a value as the type that the tag says, or else as what it looks like."""
    value: Value | None = None
    if content is None:
        return None
    if kind == "string" and isinstance(content, str):
        return STRING, content
    if kind == "bool":
        known = {"true": True, "false": False}.get(content) if isinstance(content, str) else content
        value = (BOOL, known) if isinstance(known, bool) else None
    elif kind == "int64":
        number = whole_number(content)
        value = None if number is None else (INT, number)
    elif kind == "float64":
        real = float_number(content)
        value = None if real is None else (DOUBLE, real)
    elif kind == "binary" and isinstance(content, str):
        value = BYTES, content
    if value is not None:
        return value
    if kind is not None:
        builder.findings.add(problems.BAD_VALUE, place=place, example={"type": kind, "value": content})
    return plain_value(content, builder.findings, place)


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


def _text(content: Any, builder: Builder, place: str) -> str | None:
    if content is None or isinstance(content, str):
        return content
    builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    return None

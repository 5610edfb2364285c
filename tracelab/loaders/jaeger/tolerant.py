"""Jaeger JSON: what Jaeger's API and UI give, old and new, also when the UI left its own marks in it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import BOOL, BYTES, DOUBLE, INT, STRING
from tracelab.loaders.columns.text import json_text
from tracelab.loaders.documents.times import scaled
from tracelab.loaders.documents.values import float_number, plain_value, whole_number
from tracelab.loaders.jaeger.spans import Reference, Scopes, Span, add_log, add_process, add_span
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value

MICROSECOND: Final = 1_000


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
    scopes = Scopes(builder)
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
    return add_process(process.get("serviceName"), read_tags(process.get("tags"), builder, place), builder)


def _read_span(
    span: dict[str, Any], trace_id: Any, builder: Builder, resource: int, scopes: Scopes, place: str
) -> None:
    tags = read_tags(span.get("tags"), builder, place)
    row = add_span(checked(span, trace_id, tags, builder, place), builder, resource, scopes, place)
    read_logs(span.get("logs"), builder, row, place)


def checked(span: dict[str, Any], trace_id: Any, tags: list[tuple[str, Value]], builder: Builder, place: str) -> Span:
    """Check the types of a span's fields."""
    warnings = span.get("warnings")
    return Span(
        trace_id=_text(span.get("traceID"), builder, place) or _text(trace_id, builder, place),
        span_id=_text(span.get("spanID"), builder, place),
        name=_text(span.get("operationName"), builder, place),
        start=scaled(span.get("startTime"), MICROSECOND, builder.findings, place),
        duration=scaled(span.get("duration"), MICROSECOND, builder.findings, place),
        flags=whole_number(span.get("flags")),
        tags=tags,
        references=_references(span.get("references"), builder, place),
        parent=_text(span.get("parentSpanID"), builder, place),
        warnings=warnings if isinstance(warnings, list) else [],
    )


def _references(content: Any, builder: Builder, place: str) -> list[Reference]:
    references: list[Reference] = []
    for reference in content if isinstance(content, list) else ():
        if not isinstance(reference, dict):
            builder.findings.add(problems.BAD_FIELD, place=place, example=reference)
            continue
        ids = (_text(reference.get("traceID"), builder, place), _text(reference.get("spanID"), builder, place))
        references.append((str(reference.get("refType", "")).upper(), *ids))
    return references


def read_logs(content: Any, builder: Builder, row: int, place: str, *, hex_bytes: bool = False) -> None:
    """Add the logs of the span in a row as events."""
    for number, log in enumerate(content if isinstance(content, list) else ()):
        read_log(log, builder, row, f"{place}.logs[{number}]", hex_bytes=hex_bytes)


def read_log(log: Any, builder: Builder, row: int, place: str, *, hex_bytes: bool = False) -> None:
    """Add a log of the span in a row as an event."""
    if not isinstance(log, dict):
        builder.findings.add(problems.BAD_FIELD, place=place, example=log)
        return
    fields = read_tags(log.get("fields"), builder, place, hex_bytes=hex_bytes)
    add_log(scaled(log.get("timestamp"), MICROSECOND, builder.findings, place), fields, builder, row)


def read_tags(content: Any, builder: Builder, place: str, *, hex_bytes: bool = False) -> list[tuple[str, Value]]:
    """Read a list of tags; `hex_bytes` says that bytes are hex, as Elasticsearch has them, and not base64."""
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
        value = tag_value(tag.get("type"), tag.get("value"), builder, place, hex_bytes=hex_bytes)
        if value is None:
            findings.add(problems.EMPTY_VALUES, place=place, example=key)
        else:
            pairs.append((key, value))
    return pairs


def tag_value(kind: Any, content: Any, builder: Builder, place: str, *, hex_bytes: bool = False) -> Value | None:
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
        value = BYTES, _base64_of(content) if hex_bytes else content
    if value is not None:
        return value
    if kind is not None:
        builder.findings.add(problems.BAD_VALUE, place=place, example={"type": kind, "value": content})
    return plain_value(content, builder.findings, place)


def _text(content: Any, builder: Builder, place: str) -> str | None:
    if content is None or isinstance(content, str):
        return content
    builder.findings.add(problems.BAD_FIELD, place=place, example=content)
    return None


def _base64_of(text: str) -> str:
    """Write hex as base64; what is no hex stays as it is."""
    try:
        return base64.b64encode(bytes.fromhex(text)).decode("ascii")
    except ValueError:
        return text

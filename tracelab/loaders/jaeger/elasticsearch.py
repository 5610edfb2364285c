"""Jaeger's documents in Elasticsearch and OpenSearch: one span each, with its process in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.fields import attributes_of, fields_of
from tracelab.loaders.documents.log_records import has_log_marks
from tracelab.loaders.documents.values import whole_number
from tracelab.loaders.jaeger.spans import Scopes, add_process, add_span
from tracelab.loaders.jaeger.tolerant import MICROSECOND, checked, read_logs, read_tags
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value
    from tracelab.loaders.report.findings import Problem

_IDS: Final = {"traceID", "spanID"}
_OWN: Final = frozenset(("operationName", "startTimeMillis", "process"))
_FIELDS: Final = frozenset(("startTime", "duration", "references"))
_TYPES: Final = {"process": dict, "tag": dict, "references": list, "tags": list, "logs": list}
_AT: Final = "@"
# Tags that Jaeger's clients and OpenTelemetry's SDKs always write, so that they show what stands for a dot.
_DOTTED: Final = re.compile(
    r"span(?P<a>\W{1,4}|_{1,4})kind|sampler(?P<b>\W{1,4}|_{1,4})type|jaeger(?P<c>\W{1,4}|_{1,4})version|internal(?P<d>\W{1,4}|_{1,4})span(?P=d)format"
    r"|otel(?P<e>\W{1,4}|_{1,4})(?:library|scope)(?P=e)name|telemetry(?P<f>\W{1,4}|_{1,4})sdk(?P=f)\w+"
)


def is_span(document: dict[str, Any]) -> bool:
    """Say whether a document is a span, as Jaeger stores it or as it stands in its API's traces."""
    if not document.keys() >= _IDS:
        return False
    # Others have fields of these names too, but a name beside them, which Jaeger calls otherwise.
    if _OWN.isdisjoint(document) and ("name" in document or _FIELDS.isdisjoint(document)):
        return False
    if has_log_marks(document) or any(
        document.get(name) is not None and not isinstance(document[name], kind) for name, kind in _TYPES.items()
    ):
        # Logs of gateways have an operation and a duration as well, and `process` or `tags` of their own.
        return False
    if "serviceName" in document and document.keys().isdisjoint(("process", "processID")):
        # Jaeger keeps it in the process; with it beside the span, it is a row that somebody else made.
        return False
    # A mapping of the index has objects there.
    return not all(isinstance(document[name], dict) for name in _IDS)


def beside(document: dict[str, Any]) -> Problem | None:
    """Name Jaeger's documents about services and dependencies, which are made of its spans."""
    if document.keys() == {"serviceName", "operationName"} or document.keys() == {"timestamp", "dependencies"}:
        return problems.OTHER_OBJECTS
    return None


def read_span(document: dict[str, Any], builder: Builder, place: str) -> None:
    """Add a document's span."""
    process = document.get("process")
    if not isinstance(process, dict):
        builder.findings.add(problems.PROCESS_MISSING, place=place, example=document.get("processID"))
    process = fields_of(process)
    dot = _what_is_a_dot(fields_of(document.get("tag")), fields_of(process.get("tag")))
    tags = [*read_tags(process.get("tags"), builder, place, hex_bytes=True), *_tag_map(process, dot, builder, place)]
    resource = add_process(process.get("serviceName"), tags, builder)
    tags = [*read_tags(document.get("tags"), builder, place, hex_bytes=True), *_tag_map(document, dot, builder, place)]
    span = checked(document, None, tags, builder, place)
    span.start = _exact_start(document.get("@timestamp"), span.start)
    row = add_span(span, builder, resource, Scopes(builder), place)
    read_logs(document.get("logs"), builder, row, place, hex_bytes=True)


def _tag_map(holder: dict[str, Any], dot: str, builder: Builder, place: str) -> list[tuple[str, Value]]:
    """Read tags that are fields of their own, so that Kibana can filter by them."""
    found = holder.get("tag")
    if found is not None and not isinstance(found, dict):
        builder.findings.add(problems.BAD_FIELD, place=place, example=found)
    return [(key.replace(dot, "."), value) for key, value in attributes_of(found, builder, place)]


def _what_is_a_dot(*tags: dict[str, Any]) -> str:
    """Find what stands for dots in names of fields: `@`, unless known tags show that Jaeger was told otherwise."""
    for each in tags:
        for key in each:
            found = _DOTTED.fullmatch(key)
            if found is not None:
                return next(text for text in found.groups() if text)
    return _AT


def _exact_start(timestamp: Any, start: int | None) -> int | None:
    """Take the start with its nanoseconds, which data streams have, where it is the same microsecond."""
    exact = whole_number(timestamp)
    same = exact is not None and start is not None and exact // MICROSECOND == start // MICROSECOND
    return exact if same else start

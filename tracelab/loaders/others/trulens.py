"""Rows of TruLens' events, and of Snowflake's event tables, which they are made after: a span or its event a row."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.fields import (
    KIND_NUMBERS,
    STATUS_NUMBERS,
    add_attribute,
    at,
    attributes_of,
    enum_number,
    fields_of,
    text_attributes,
    text_of,
    walked,
)
from tracelab.loaders.documents.times import nanoseconds
from tracelab.loaders.input.lenient_json import NotJson, decode
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelab.loaders.columns.builder import Builder

WRAPPERS: Final = ("data", "result", "events")
_OBJECTS: Final = ("trace", "record", "record_attributes", "resource_attributes", "scope", "scope_attributes")
_TIMES: Final = ("timestamp", "start_timestamp")
_READ: Final = frozenset((*_OBJECTS, *_TIMES, "record_type", "event_id", "observed_timestamp"))
_ZONE: Final = re.compile(r"(?:Z|UTC|[+-]\d\d:?\d\d)$", re.IGNORECASE)
_WIDTHS: Final = {"trace_id": 32, "span_id": 16, "parent_id": 16}


def holds(document: dict[str, Any]) -> bool:
    """Say whether a document is a row of such a table, with names of columns in lower or upper case."""
    keys = {key.lower() for key in document}
    return {"trace", "record_attributes"} <= keys and not keys.isdisjoint(("record", "record_type"))


def read_documents(documents: Iterable[tuple[Any, str]], builder: Builder) -> None:
    """Add the spans of all documents of an input; events of spans are rows of their own, which may stand anywhere."""
    spans: dict[tuple[str | None, str | None], int] = {}
    happened: defaultdict[tuple[str | None, str | None], list[tuple[dict[str, Any], str]]] = defaultdict(list)
    for document, place in documents:
        for held, path, fits in walked(document, holds, WRAPPERS):
            where = at(place, path)
            if not fits:
                builder.findings.spans += 1
                builder.findings.add(problems.BAD_SPAN, place=where, example=held, lost_spans=1)
                continue
            row = _row(held, builder, where)
            kind = str(row.get("record_type") or "SPAN").rpartition(".")[2].upper()
            trace_id, span_id, parent_id = _ids(row, builder, where)
            if kind == "SPAN":
                spans[trace_id, span_id] = _add_span(row, (trace_id, span_id, parent_id), builder, where)
            elif kind == "SPAN_EVENT":
                happened[trace_id, span_id].append((row, where))
            else:
                builder.findings.add(problems.OTHER_SIGNALS, place=where, example=kind)
    for key in happened.keys() - spans.keys():
        place = happened[key][0][1]
        builder.findings.add(problems.LONE_EVENTS, len(happened[key]), place=place, example=key[1])
    for key, number in sorted(spans.items(), key=lambda item: item[1]):
        for row, where in happened.get(key, ()):
            name = text_of(row["record"].get("name")) or ""
            attributes = text_attributes(attributes_of(row["record_attributes"], builder, where))
            time = nanoseconds(row.get("timestamp"), builder.findings, where)
            builder.events.add(number, attributes, time=time or 0, name=name)


def _row(held: dict[str, Any], builder: Builder, place: str) -> dict[str, Any]:
    """Give the columns by their lower-case names; objects in them may be JSON text."""
    row = {key.lower(): content for key, content in held.items()}
    for key in _OBJECTS:
        content = row.get(key)
        if isinstance(content, str) and content.strip():
            try:
                content = decode(content.encode("utf-8", "replace"), builder.findings, place)
            except NotJson as error:
                builder.findings.add(problems.BAD_FIELD, place=place, example={key: str(error)})
                content = None
        if content not in (None, "") and not isinstance(content, dict):
            builder.findings.add(problems.BAD_FIELD, place=place, example={key: content})
        row[key] = fields_of(content)
    if any(isinstance(row.get(key), str) and row[key] and not _ZONE.search(row[key].strip()) for key in _TIMES):
        builder.findings.add(problems.TIMES_WITHOUT_ZONE, place=place, example=row.get("timestamp"))
    return row


def _ids(row: dict[str, Any], builder: Builder, place: str) -> tuple[str | None, str | None, str | None]:
    """Read the ids, which TruLens writes as decimal numbers, and Snowflake as hex."""
    trace = row["trace"]
    parent = trace.get("parent_id") or trace.get("parent_span_id") or row["record"].get("parent_span_id")
    held = {"trace_id": trace.get("trace_id"), "span_id": trace.get("span_id"), "parent_id": parent}
    # A text of 16 or 32 digits may be either; it is what the others are.
    texts = {key: str(content) for key, content in held.items() if isinstance(content, str | int)}
    decimal = not any(re.fullmatch(r"[0-9a-fA-F]*[a-fA-F][0-9a-fA-F]*", text) for text in texts.values()) and any(
        text.isascii() and text.isdigit() and len(text) != _WIDTHS[key] for key, text in texts.items()
    )
    found: list[str | None] = []
    for key, content in held.items():
        text = texts.get(key)
        if content is not None and (text is None or isinstance(content, bool)):
            builder.findings.add(problems.BAD_FIELD, place=place, example={key: content})
            text = None
        if decimal and text and text.isascii() and text.isdigit() and len(text) < 40:
            builder.findings.add(problems.IDS_DECIMAL, place=place, example=text)
            text = f"{int(text):0{_WIDTHS[key]}x}"
        found.append(text or None)
    return found[0], found[1], found[2]


def _add_span(row: dict[str, Any], ids: tuple[str | None, str | None, str | None], builder: Builder, place: str) -> int:
    record, scope, status = row["record"], row["scope"], row["record"].get("status")
    said = status if isinstance(status, dict) else {"code": status}
    attributes = attributes_of(row["record_attributes"], builder, place)
    for key, content in row.items():
        if key not in _READ:
            add_attribute(attributes, key, content, builder, place)
    resource = {**fields_of(row.get("resource")), **row["resource_attributes"]}
    return builder.span(
        place=place,
        trace_id=ids[0],
        span_id=ids[1],
        parent_span_id=ids[2],
        name=text_of(record.get("name")),
        kind=enum_number(record.get("kind"), KIND_NUMBERS),
        start_time=nanoseconds(row.get("start_timestamp"), builder.findings, place),
        end_time=nanoseconds(row.get("timestamp"), builder.findings, place),
        resource=builder.resource(attributes_of(resource, builder, place)),
        scope=builder.scope(
            text_of(scope.get("name")),
            text_of(scope.get("version")),
            attributes_of(row["scope_attributes"], builder, place),
        ),
        status_code=enum_number(said.get("code"), STATUS_NUMBERS),
        status_message=text_of(said.get("message")),
        trace_state=text_of(row["trace"].get("trace_state")) or text_of(record.get("trace_state")),
        attributes=attributes,
    )

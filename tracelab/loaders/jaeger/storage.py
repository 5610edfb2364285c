"""Jaeger's storage model as protobuf JSON: traces, batches and spans of gRPC, Kafka and the storage plugins."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import BOOL, BYTES, DOUBLE, INT, STRING
from tracelab.loaders.documents.fields import enum_number, fields_of, objects_of
from tracelab.loaders.documents.log_records import has_log_marks
from tracelab.loaders.documents.times import elapsed, instant
from tracelab.loaders.documents.values import float_number, plain_value, whole_number
from tracelab.loaders.jaeger.spans import Reference, Scopes, Span, add_log, add_process, add_span
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value

WRAPPERS: Final = ("batch",)
_LOOKED_AT: Final = 20
_BASE64_ID: Final = re.compile(r"(?:[A-Za-z0-9+/_-]{11}=|[A-Za-z0-9+/_-]{22}==)")
_SNAKE: Final = {
    "traceId": "trace_id",
    "spanId": "span_id",
    "operationName": "operation_name",
    "startTime": "start_time",
    "refType": "ref_type",
    "processId": "process_id",
    "processMap": "process_map",
    "serviceName": "service_name",
    "vType": "v_type",
}
_REFERENCES: Final = {0: "CHILD_OF", 1: "FOLLOWS_FROM"}
_REFERENCE_NUMBERS: Final = {name: number for number, name in _REFERENCES.items()}
_STRING, _BOOL, _INT64, _FLOAT64, _BINARY = range(5)
_TYPES: Final = {"STRING": _STRING, "BOOL": _BOOL, "INT64": _INT64, "FLOAT64": _FLOAT64, "BINARY": _BINARY}
_VALUES: Final = {
    _STRING: ("vStr", "v_str"),
    _BOOL: ("vBool", "v_bool"),
    _INT64: ("vInt64", "v_int64"),
    _FLOAT64: ("vFloat64", "v_float64"),
    _BINARY: ("vBinary", "v_binary"),
}
# What protobuf JSON leaves out because it is nothing.
_NOTHING: Final[dict[int, Value]] = {
    _STRING: (STRING, ""),
    _BOOL: (BOOL, False),
    _INT64: (INT, 0),
    _FLOAT64: (DOUBLE, 0.0),
    _BINARY: (BYTES, ""),
}


def is_document(document: dict[str, Any]) -> bool:
    """Say whether a document is a span of the storage model, or holds such spans: a trace, a batch, a chunk."""
    if is_span(document):
        return True
    spans = document.get("spans")
    return isinstance(spans, list) and any(isinstance(span, dict) and is_span(span) for span in spans[:_LOOKED_AT])


def is_span(document: dict[str, Any]) -> bool:
    """Say whether an object is a span of the storage model; those of Haystack name their service.

    Records of logs may name an operation too.
    """
    return (
        _has(document, "traceId")
        and _has(document, "spanId")
        and (_has(document, "operationName") or ("references" in document and _has(document, "startTime")))
        and not _has(document, "serviceName")
        and not has_log_marks(document)
        and not (isinstance(_get(document, "traceId"), dict) and isinstance(_get(document, "spanId"), dict))
    )


def read_document(document: dict[str, Any], builder: Builder, place: str) -> None:
    """Add a span, or all spans of a trace, a batch or a chunk."""
    reader = _Reader(document, builder, place)
    if is_span(document):
        reader.read_span(document, place)
        return
    for number, span in enumerate(document["spans"]):
        where = f"{place}.spans[{number}]"
        if isinstance(span, dict) and (_has(span, "spanId") or _has(span, "startTime") or _has(span, "operationName")):
            reader.read_span(span, where)
        else:
            builder.findings.spans += 1
            builder.findings.add(problems.BAD_SPAN, place=where, example=span, lost_spans=1)
    warnings = document.get("warnings")
    if isinstance(warnings, list):
        builder.findings.add(problems.TRACE_WARNINGS, len(warnings), place=place, example=next(iter(warnings), None))


class _Reader:
    """Reads the spans of one document, which share its processes."""

    def __init__(self, document: dict[str, Any], builder: Builder, place: str) -> None:
        self.builder = builder
        self.scopes = Scopes(builder)
        self.shared = fields_of(document.get("process")) if isinstance(document.get("spans"), list) else {}
        self.processes = _processes(_get(document, "processMap"))
        self.resources: dict[int, int] = {}
        self.place = place

    def read_span(self, content: dict[str, Any], place: str) -> None:
        """Add a span."""
        findings = self.builder.findings
        warnings = content.get("warnings")
        span = Span(
            trace_id=self._id(_get(content, "traceId"), place),
            span_id=self._id(_get(content, "spanId"), place),
            name=self._text(_get(content, "operationName"), place),
            start=instant(_get(content, "startTime"), findings, place),
            duration=elapsed(content.get("duration", 0), findings, place),
            flags=whole_number(content.get("flags")),
            tags=self._tags(content.get("tags"), place),
            references=self._references(content.get("references"), place),
            warnings=warnings if isinstance(warnings, list) else [],
        )
        row = add_span(span, self.builder, self._resource(content, place), self.scopes, place)
        for number, log in enumerate(self._objects(content.get("logs"), place)):
            where = f"{place}.logs[{number}]"
            time = instant(log.get("timestamp"), findings, where)
            add_log(time, self._tags(log.get("fields"), where), self.builder, row)

    def _resource(self, content: dict[str, Any], place: str) -> int:
        """Give the number of the resource of a span's process: its own, the one that it names, or that of the batch."""
        process_id = _get(content, "processId")
        named = self.processes.get(process_id) if isinstance(process_id, str) else None
        own = content.get("process")
        if isinstance(own, dict):
            return self._add_process(own, place)
        shared = named or self.shared
        if not shared:
            self.builder.findings.add(problems.PROCESS_MISSING, place=place, example=process_id)
        if id(shared) not in self.resources:
            self.resources[id(shared)] = self._add_process(shared, self.place)
        return self.resources[id(shared)]

    def _add_process(self, process: dict[str, Any], place: str) -> int:
        return add_process(_get(process, "serviceName"), self._tags(process.get("tags"), place), self.builder)

    def _references(self, content: Any, place: str) -> list[Reference]:
        found: list[Reference] = []
        for reference in self._objects(content, place):
            kind = _get(reference, "refType")
            number = _enum(kind, _REFERENCE_NUMBERS)
            if number not in _REFERENCES:
                self.builder.findings.add(problems.BAD_FIELD, place=place, example=kind)
            trace_id, span_id = (self._id(_get(reference, name), place) for name in ("traceId", "spanId"))
            found.append((_REFERENCES.get(number, ""), trace_id, span_id))
        return found

    def _tags(self, content: Any, place: str) -> list[tuple[str, Value]]:
        found = []
        for tag in self._objects(content, place):
            key = tag.get("key", "")
            if not isinstance(key, str):
                self.builder.findings.add(problems.BAD_ATTRIBUTE, place=place, example=tag)
            elif (value := self._value(tag, place)) is not None:
                found.append((key, value))
            else:
                self.builder.findings.add(problems.EMPTY_VALUES, place=place, example=key)
        return found

    def _value(self, tag: dict[str, Any], place: str) -> Value | None:
        """Read a value of the type that the tag says; where it says none, of the field that is there."""
        said = _get(tag, "vType")
        kind = _enum(said, _TYPES)
        held = _first(tag, _VALUES.get(kind, ()))
        if held is None:
            others = ((other, _first(tag, names)) for other, names in _VALUES.items())
            there = next(((other, held) for other, held in others if held is not None), None)
            if there is None:
                return _NOTHING.get(kind)
            kind, held = there
            if said is not None:
                self.builder.findings.add(problems.BAD_VALUE, place=place, example=tag)
        value = _typed(kind, held)
        if value is None:
            self.builder.findings.add(problems.BAD_VALUE, place=place, example=tag)
            return plain_value(held, self.builder.findings, place)
        return value

    def _id(self, content: Any, place: str) -> str | None:
        """Read an id, which is base64 of its bytes; ids in hex, as some servers write them, stay as they are."""
        text = self._text(content, place)
        if text is None or not _BASE64_ID.fullmatch(text):
            return text
        try:
            decoded = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True).hex()
        except (binascii.Error, ValueError):
            return text
        self.builder.findings.add(problems.IDS_BASE64, place=place)
        return decoded

    def _text(self, content: Any, place: str) -> str | None:
        if content is None or isinstance(content, str):
            return content
        self.builder.findings.add(problems.BAD_FIELD, place=place, example=content)
        return None

    def _objects(self, content: Any, place: str) -> list[dict[str, Any]]:
        found = objects_of(content)
        wrong = 0 if content is None else len(content) - len(found) if isinstance(content, list) else 1
        self.builder.findings.add(problems.BAD_FIELD, wrong, place=place, example=content)
        return found


def _processes(content: Any) -> dict[str, Any]:
    """Read the processes of a trace by their ids: a list of pairs, or a map."""
    if isinstance(content, dict):
        return {key: fields_of(process) for key, process in content.items()}
    pairs = ((_get(pair, "processId"), pair.get("process")) for pair in objects_of(content))
    return {key: fields_of(process) for key, process in pairs if isinstance(key, str)}


def _typed(kind: int, held: Any) -> Value | None:
    """Read a value of a type; None if it does not fit."""
    if kind == _BOOL:
        return (BOOL, held) if isinstance(held, bool) else None
    if kind == _INT64:
        number = whole_number(held)
        return None if number is None else (INT, number)
    if kind == _FLOAT64:
        real = float_number(held)
        return None if real is None else (DOUBLE, real)
    if not isinstance(held, str):
        return None
    return (BYTES if kind == _BINARY else STRING), held


def _enum(content: Any, names: dict[str, int]) -> int:
    """Read an enum, whose first value protobuf JSON leaves out; -1 where it is none."""
    if content is None:
        return 0
    if isinstance(content, str) and content.upper() in names:
        return names[content.upper()]
    number = enum_number(content, {})
    return number if number or whole_number(content) == 0 else -1


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _has(fields: dict[str, Any], name: str) -> bool:
    return name in fields or _SNAKE[name] in fields


def _get(fields: dict[str, Any], name: str) -> Any:
    held = fields.get(name)
    return fields.get(_SNAKE[name]) if held is None else held

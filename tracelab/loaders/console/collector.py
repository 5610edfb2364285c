"""What the Collector's debug exporter prints with `verbosity: detailed`, and its elder, the logging exporter."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.columns.chunk import BOOL, BYTES, DOUBLE, INT, STRING
from tracelab.loaders.console.printed import OTHER_LOG
from tracelab.loaders.documents.fields import KIND_NUMBERS, STATUS_NUMBERS, enum_number, text_attributes
from tracelab.loaders.documents.times import nanoseconds
from tracelab.loaders.documents.values import float_number, plain_value, whole_number
from tracelab.loaders.input.lenient_json import NotJson, decode
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.loaders.columns.builder import Builder, Value
    from tracelab.loaders.console.printed import Sink
    from tracelab.loaders.input.logs import Line

STARTS: Final = re.compile(r"(?:^|\s)ResourceSpans #\d+\s*$|^Span #\d+\s*$")
_RESOURCE: Final = re.compile(r"(?:^|.*\s)ResourceSpans #\d+")
_SCOPE: Final = re.compile(r"(?:ScopeSpans|InstrumentationLibrarySpans) #\d+")
_SPAN: Final = re.compile(r"Span #\d+")
_OTHER_SIGNAL: Final = re.compile(r"(?:^|.*\s)Resource(?:Logs?|Metrics|Profiles?) #\d+")
_SCOPE_NAME: Final = re.compile(r"Instrumentation(?:Scope|Library)(?: (?P<name>.*?))?(?: (?P<version>\S*))?")
_FIELD: Final = re.compile(
    r"    (?P<key>Trace ID|Parent ID|ID|Name|Kind|TraceState|Start time|End time|Status code|Status message|Flags"
    r"|Dropped(?:Attributes|Events|Links)Count) *: ?(?P<text>.*)"
)
_PART: Final = re.compile(
    r" {2,}-> (?P<key>Name|Timestamp|DroppedAttributesCount|Trace ID|ID|TraceState): ?(?P<text>.*)"
)
_ATTRIBUTE: Final = re.compile(
    r" {2,}-> (?P<key>.*?): (?P<type>Str|String|STRING|Int|INT|Double|DOUBLE|Bool|BOOL|Bytes|BYTES|Slice|Array|ARRAY"
    r"|Map|MAP|Empty|EMPTY|Null|NULL)\((?P<text>.*)"
)
_HEADINGS: Final = {
    "Resource attributes:": "resource",
    "Resource labels:": "resource",
    "InstrumentationScope attributes:": "scope",
    "InstrumentationLibrary attributes:": "scope",
    "Attributes:": "span",
    "Events:": "events",
    "Links:": "links",
}
_IGNORED: Final = ("Resource SchemaURL:", "ScopeSpans SchemaURL:", "InstrumentationLibrarySpans SchemaURL:")
_FREE: Final = frozenset(("Name", "Status message"))
"""Fields that may hold any text, over several lines, too."""
_WHOLE: Final = {"ID", "Start time", "End time"}


@dataclass(slots=True)
class _Attribute:
    """An attribute as it is printed; its text may go on over further lines."""

    key: str
    type: str
    lines: list[str]

    def is_open(self) -> bool:
        return not self.lines[-1].endswith(")")

    def text(self) -> str:
        return "\n".join(self.lines).removesuffix(")")


@dataclass(slots=True)
class _Part:
    """A span, or an event or link of it: fields by the words before them, and attributes."""

    number: int
    fields: dict[str, list[str]] = field(default_factory=dict)
    attributes: list[_Attribute] = field(default_factory=list)

    def text(self, key: str) -> str | None:
        return "\n".join(self.fields[key]) if key in self.fields else None


class CollectorDebug:
    """Follows the headings, and adds a span when the next heading ends it."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.resource: list[_Attribute] = []
        self.scope = _Part(0)
        self.span: _Part | None = None
        self.events: list[_Part] = []
        self.links: list[_Part] = []
        self.section = ""
        self.value: _Attribute | None = None
        self.said: list[str] | None = None
        self.numbers: tuple[Builder, int, int] | None = None

    def is_idle(self) -> bool:
        """Say whether nothing is begun."""
        return not self.section

    def begin(self, line: Line) -> bool:
        """Take a heading."""
        return self.feed(line)

    def feed(self, line: Line) -> bool:
        """Take a line."""
        text = line.text
        if self._heading(line):
            self.value = self.said = None
            return True
        if not self.section:
            return False
        if self.value is not None and self.value.is_open():
            self.value.lines.append(text)
            return True
        return self._entry(text) or self._further(line)

    def finish(self) -> None:
        """Add the last span."""
        self._end_span()
        self.section = ""

    def _heading(self, line: Line) -> bool:
        """Take a line that begins something, also in the middle of a value that was never closed."""
        text = line.text.rstrip()
        if not text.endswith(tuple("0123456789")):
            return not (self.value and self.value.is_open()) and self._inner_heading(line)
        if _RESOURCE.fullmatch(text):
            self._end_span()
            self.resource, self.scope, self.section, self.numbers = [], _Part(0), "resource", None
        elif _SCOPE.fullmatch(text):
            self._end_span()
            self.scope, self.section, self.numbers = _Part(0), "scope", None
        elif _SPAN.fullmatch(text):
            self._end_span()
            self.span, self.section = _Part(line.number), "span"
        elif _OTHER_SIGNAL.fullmatch(text):
            self.finish()
        else:
            return not (self.value and self.value.is_open()) and self._inner_heading(line)
        return True

    def _inner_heading(self, line: Line) -> bool:
        text = line.text.rstrip()
        if not self.section or text[:1] in (" ", ""):
            return False
        if text in _HEADINGS:
            self.section = _HEADINGS[text]
        elif self.span is not None and text.startswith("SpanEvent #"):
            self.events.append(_Part(line.number))
            self.section = "events"
        elif self.span is not None and text.startswith("SpanLink #"):
            self.links.append(_Part(line.number))
            self.section = "links"
        elif self.span is None and (found := _SCOPE_NAME.fullmatch(line.text)) is not None:
            self.scope.fields = {key: [part] for key, part in found.groupdict().items() if part}
        else:
            return text.startswith(_IGNORED)
        return True

    def _part(self) -> _Part | None:
        """Give what the lines of the section belong to."""
        if self.section in ("events", "links"):
            parts = self.events if self.section == "events" else self.links
            return parts[-1] if parts else None
        return self.span if self.section == "span" else self.scope if self.section == "scope" else None

    def _entry(self, text: str) -> bool:
        """Take a field or an attribute."""
        part = self._part()
        inner = self.section in ("events", "links")
        found = (_PART if inner else _FIELD).fullmatch(text) if part is not None else None
        if found is not None and part is not None and (inner or part is self.span):
            part.fields[found["key"]] = [found["text"]]
            self.said = part.fields[found["key"]] if found["key"] in _FREE else None
            self.value = None
            return True
        if inner and text.strip().rstrip(":") == "-> Attributes":
            return True
        held = self.resource if self.section == "resource" else part.attributes if part is not None else None
        found = _ATTRIBUTE.fullmatch(text) if held is not None else None
        if found is None or held is None:
            return False
        self.value, self.said = _Attribute(found["key"], found["type"], [found["text"]]), None
        held.append(self.value)
        return True

    def _further(self, line: Line) -> bool:
        """Take a line without a word before it as a further line of a text: of a name, or after a bracket in it."""
        text = line.text
        if OTHER_LOG.match(text) or not text.strip():
            return False
        if self.value is not None and text.endswith(")") and self.value.type.upper().startswith("STR"):
            self.value.lines.append(text)
        elif self.said is not None:
            self.said.append(text)
        else:
            return False
        self.sink.builder.findings.add(problems.LINES_JOINED, place=f"line {line.number}", example=text)
        return True

    def _end_span(self) -> None:
        span, self.span = self.span, None
        events, self.events, links, self.links = self.events, [], self.links, []
        self.value = self.said = None
        if span is None or not (span.fields or span.attributes):
            return
        builder, place = self.sink.builder, f"line {span.number}"
        findings = builder.findings
        resource, scope = self._numbers(builder, place)
        row = builder.span(
            place=place,
            trace_id=span.text("Trace ID"),
            span_id=span.text("ID"),
            parent_span_id=span.text("Parent ID"),
            name=span.text("Name"),
            kind=enum_number(span.text("Kind"), KIND_NUMBERS),
            start_time=_time(span.text("Start time"), builder, place),
            end_time=_time(span.text("End time"), builder, place),
            resource=resource,
            scope=scope,
            status_code=enum_number(span.text("Status code"), STATUS_NUMBERS),
            status_message=span.text("Status message") or None,
            trace_state=span.text("TraceState") or None,
            flags=_flags(span.text("Flags")),
            attributes=_attributes(span.attributes, builder, place),
        )
        for name in span.fields:
            if name.startswith("Dropped"):
                _count_dropped(span, name, builder, place)
        for event in events:
            _count_dropped(event, "DroppedAttributesCount", builder, place)
            time = _time(event.text("Timestamp"), builder, place)
            attributes = text_attributes(_attributes(event.attributes, builder, place))
            builder.events.add(row, attributes, time=time or 0, name=event.text("Name") or "")
        for link in links:
            _count_dropped(link, "DroppedAttributesCount", builder, place)
            builder.links.add(
                row,
                text_attributes(_attributes(link.attributes, builder, place)),
                trace_id=link.text("Trace ID"),
                span_id=link.text("ID"),
                trace_state=link.text("TraceState") or None,
            )
        opened = any(each.is_open() for part in (span, *events, *links) for each in part.attributes)
        if opened or not span.fields.keys() >= _WHOLE:
            findings.add(problems.BROKEN_OFF, place=place, example=span.text("Name"))

    def _numbers(self, builder: Builder, place: str) -> tuple[int, int]:
        """Give the numbers of the resource and the scope in the builder of now."""
        if self.numbers is None or self.numbers[0] is not builder:
            scope = self.scope
            self.numbers = (
                builder,
                builder.resource(_attributes(self.resource, builder, place)),
                builder.scope(scope.text("name"), scope.text("version"), _attributes(scope.attributes, builder, place)),
            )
        return self.numbers[1:]


def _attributes(content: list[_Attribute], builder: Builder, place: str) -> list[tuple[str, Value]]:
    found = []
    for each in content:
        value = _value(each, builder, place)
        if value is None:
            builder.findings.add(problems.EMPTY_VALUES, place=place, example=each.key)
        else:
            found.append((each.key, value))
    return found


def _value(attribute: _Attribute, builder: Builder, place: str) -> Value | None:
    """Read a value by the type before it; one that does not fit its type is text."""
    kind, text = attribute.type.upper(), attribute.text()
    if kind in ("EMPTY", "NULL"):
        return None
    if kind in ("STR", "STRING"):
        return STRING, text
    read = _TYPES.get(kind)
    value = read(text) if read is not None else _structure(text, builder, place)
    if value is None:
        builder.findings.add(problems.BAD_VALUE, place=place, example=f"{attribute.type}({text})")
        return STRING, text
    return value


def _int(text: str) -> Value | None:
    number = whole_number(text)
    return None if number is None else (INT, number)


def _double(text: str) -> Value | None:
    number = float_number(text)
    return None if number is None else (DOUBLE, number)


def _bool(text: str) -> Value | None:
    return {"true": (BOOL, True), "false": (BOOL, False)}.get(text)


def _bytes(text: str) -> Value | None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return BYTES, text


_TYPES: Final[dict[str, Callable[[str], Value | None]]] = {
    "INT": _int,
    "DOUBLE": _double,
    "BOOL": _bool,
    "BYTES": _bytes,
}


def _structure(text: str, builder: Builder, place: str) -> Value | None:
    """Read a list or a map, which is printed as JSON."""
    try:
        content: Any = decode(text.encode("utf-8", "replace"), builder.findings, place)
    except NotJson:
        return None
    return plain_value(content, builder.findings, place) if isinstance(content, list | dict) else None


def _time(text: str | None, builder: Builder, place: str) -> int | None:
    """Read a time as Go prints it, which names its zone twice."""
    return nanoseconds((text or "").strip().removesuffix(" UTC"), builder.findings, place)


def _flags(text: str | None) -> int | None:
    number = whole_number(text)
    return number if number is not None and 0 <= number < 2**32 else None


def _count_dropped(part: _Part, name: str, builder: Builder, place: str) -> None:
    dropped = whole_number(part.text(name))
    builder.findings.add(problems.DROPPED_BY_PRODUCER, dropped or 0, place=place, example=name)

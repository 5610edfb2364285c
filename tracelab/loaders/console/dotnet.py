"""What .NET's console exporter prints of activities, which are its spans."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tracelab.loaders.columns.chunk import STRING
from tracelab.loaders.console.printed import OTHER_LOG, indent_of
from tracelab.loaders.documents.fields import KIND_NUMBERS, STATUS_NUMBERS, enum_number
from tracelab.loaders.documents.times import nanoseconds
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder, Value
    from tracelab.loaders.console.printed import Sink
    from tracelab.loaders.input.logs import Line

STARTS: Final = re.compile(r"(?:^|(?<=\s))Activity\.(?:TraceId|Id):\s")
_FIELD: Final = re.compile(
    r"\s*Activity\.(?P<key>TraceId|Id|SpanId|TraceFlags|TraceState|ParentSpanId|ParentId|DisplayName|Kind|StartTime"
    r"|Duration|StatusDescription|ActivitySourceName|ActivitySourceVersion|ActivitySource\.Name|ActivitySource\.Version):"
    r" *(?P<text>.*)"
)
_STATUS: Final = re.compile(r"\s*(?P<key>StatusCode(?= ?:)|Error(?= :)) ?: (?P<text>.*)")
_FREE: Final = frozenset(("DisplayName", "StatusDescription", "Error"))
"""Fields that may hold any text, over several lines, too."""
_HEADINGS: Final = {
    "Activity.Tags:": "tags",
    "Activity.TagObjects:": "tags",
    "Activity.Baggage:": "baggage",
    "Activity.Events:": "events",
    "Activity.Links:": "links",
    "Activity.ActivitySource.Tags:": "scope",
    "Instrumentation scope (ActivitySource):": "scope",
    "Resource associated with Activity:": "resource",
}
_PAIR: Final = re.compile(r"(?P<key>[^\s:](?>(?:[^:\n]|:(?! |$))*)):(?: (?P<text>.*))?")
_EVENT: Final = re.compile(r" {2,}(?P<name>.*) \[(?P<time>[^\[\]]*)\]")
_LINK: Final = re.compile(r"\s+(?P<trace>[0-9a-f]{32}) (?P<span>[0-9a-f]{16})\s*")
_OTHER: Final = re.compile(r"(?:LogRecord\.|Metric Name:|Export |Resource associated with )")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_DURATION: Final = re.compile(
    r"(?:(?P<days>\d{1,8})\.)?(?P<hours>\d\d):(?P<minutes>\d\d):(?P<seconds>\d\d)(?:[.,](?P<rest>\d{1,9}))?"
)
_DATE: Final = re.compile(
    r"(?P<first>\d{1,4})[-/. ]+(?P<second>\d{1,2})[-/. ]+(?P<third>\d{1,4})\.?,? "
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d\d)[:.](?P<second_>\d\d)(?:[.,](?P<rest>\d{1,9}))?"
    r"(?:\s*(?P<half>[AaPp])\.?\s?[Mm]\.?)?\s*(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_WHOLE: Final = {"StartTime", "Duration"}
_SECOND: Final = 1_000_000_000

Tags = list[tuple[str, list[str]]]


@dataclass(slots=True)
class _Activity:
    """An activity as it is printed, section by section."""

    number: int
    fields: dict[str, list[str]] = field(default_factory=dict)
    tags: Tags = field(default_factory=list)
    scope: Tags = field(default_factory=list)
    scope_tags: Tags = field(default_factory=list)
    resource: Tags = field(default_factory=list)
    events: list[tuple[str, str, Tags]] = field(default_factory=list)
    links: list[tuple[str, str, Tags]] = field(default_factory=list)

    def text(self, *keys: str) -> str | None:
        return next(("\n".join(self.fields[key]).strip() for key in keys if key in self.fields), None)


class DotnetConsole:
    """Follows the headings, and adds an activity when the next one begins."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.activity: _Activity | None = None
        self.section = ""
        self.value: list[str] | None = None

    def is_idle(self) -> bool:
        """Say whether nothing is begun."""
        return self.activity is None or self.section == "ended"

    def begin(self, line: Line) -> bool:
        """Take the first line of an activity."""
        return self.feed(line)

    def feed(self, line: Line) -> bool:
        """Take a line."""
        text = line.text
        start = STARTS.search(text)
        if start is not None:
            self.finish()
            self.activity = _Activity(line.number)
            text = text[start.start() :]
        activity = self.activity
        if activity is None:
            return False
        if not text.strip():
            # An activity ends with a blank line, but a text may hold one, too: what follows it must have a heading.
            self.value = None
            self.section = self.section if self.section == "ended" else ""
            return True
        if self.section == "ended":
            return False
        return self._head(activity, text) or self._entry(activity, text) or self._further(line)

    def finish(self) -> None:
        """Add the activity."""
        activity, self.activity = self.activity, None
        self.section, self.value = "", None
        if activity is not None:
            _add(activity, self.sink.builder)

    def _head(self, activity: _Activity, text: str) -> bool:
        """Take a heading, or a field of the activity."""
        heading = _HEADINGS.get(text.strip())
        if heading is not None:
            self.section, self.value = heading, None
            return True
        if indent_of(text) == 0 and _OTHER.match(text):
            self.section, self.value = "ended", None
            return False
        found = _FIELD.fullmatch(text) if "Activity." in text else None
        if found is None and self.section in ("", "tags"):
            found = _STATUS.fullmatch(text)
        if found is None:
            return False
        key = found["key"]
        activity.fields[key] = [found["text"]]
        self.value = activity.fields[key] if key in _FREE else None
        return True

    def _entry(self, activity: _Activity, text: str) -> bool:
        """Take an entry of the section, which has at least four blanks before it."""
        indent = indent_of(text)
        if indent < 3 or not self.section:
            return False
        if self.section in ("events", "links") and indent < 8:
            return self._part(activity, text)
        if indent not in (3, 4, 5, 8):
            return False
        found = _PAIR.fullmatch(text.lstrip())
        held = self._tags(activity, indent)
        if found is None or held is None:
            return False
        if self.section == "scope" and indent < 8 and found["key"] == "Tags" and found["text"] is None:
            self.value = None
            return True
        lines = [found["text"] or ""]
        held.append((found["key"], lines))
        self.value = lines if self.section in ("tags", "events", "links") else None
        return True

    def _part(self, activity: _Activity, text: str) -> bool:
        """Take the first line of an event or of a link."""
        event = _EVENT.fullmatch(text) if self.section == "events" else None
        link = _LINK.fullmatch(text) if self.section == "links" else None
        if event is not None:
            activity.events.append((event["name"], event["time"], []))
        elif link is not None:
            activity.links.append((link["trace"], link["span"], []))
        else:
            return False
        self.value = None
        return True

    def _tags(self, activity: _Activity, indent: int) -> Tags | None:
        if self.section in ("events", "links"):
            parts = activity.events if self.section == "events" else activity.links
            return parts[-1][2] if parts else None
        if self.section == "scope":
            return activity.scope if indent < 8 else activity.scope_tags
        return {"tags": activity.tags, "resource": activity.resource, "baggage": activity.tags}.get(self.section)

    def _further(self, line: Line) -> bool:
        """Take a line without a key as a further line of the value before it, such as of a stack trace."""
        if self.value is None or OTHER_LOG.match(line.text):
            self.value = None
            return False
        self.value.append(line.text)
        self.sink.builder.findings.add(problems.LINES_JOINED, place=f"line {line.number}", example=line.text)
        return True


def _add(activity: _Activity, builder: Builder) -> None:
    findings, place = builder.findings, f"line {activity.number}"
    own = _TRACEPARENT.fullmatch(activity.text("Id") or "")
    parent = _TRACEPARENT.fullmatch(activity.text("ParentId") or "")
    start = nanoseconds(_iso(activity.text("StartTime")), findings, place)
    duration = _duration(activity, builder, place)
    end = None if start is None or duration is None else start + duration
    scope = {key: "\n".join(text) for key, text in activity.scope}
    tags, code, message = _without_status(activity)
    row = builder.span(
        place=place,
        trace_id=activity.text("TraceId") or (own["trace"] if own else None),
        span_id=activity.text("SpanId") or (own["span"] if own else activity.text("Id")),
        parent_span_id=activity.text("ParentSpanId") or (parent["span"] if parent else activity.text("ParentId")),
        name=activity.text("DisplayName"),
        kind=enum_number(activity.text("Kind"), KIND_NUMBERS),
        start_time=start,
        end_time=end,
        resource=builder.resource(_attributes(activity.resource)),
        scope=builder.scope(
            scope.get("Name") or activity.text("ActivitySourceName", "ActivitySource.Name"),
            scope.get("Version") or activity.text("ActivitySourceVersion", "ActivitySource.Version"),
            _attributes(activity.scope_tags),
        ),
        status_code=STATUS_NUMBERS.get((code or "").upper(), 0),
        status_message=message,
        trace_state=activity.text("TraceState"),
        flags=int(own["flags"], 16) if own else {"None": 0, "Recorded": 1}.get(activity.text("TraceFlags") or ""),
        attributes=_attributes(tags),
    )
    for name, written, held in activity.events:
        time = _event_time(written, start, end, builder, place)
        if time is None:
            findings.add(problems.EVENT_TIME_MISSING, place=place, example=f"{name} [{written}]")
        builder.events.add(row, _texts(held), time=time if time is not None else start or 0, name=name)
    for trace_id, span_id, held in activity.links:
        builder.links.add(row, _texts(held), trace_id=trace_id, span_id=span_id, trace_state=None)
    if not activity.fields.keys() >= _WHOLE:
        findings.add(problems.BROKEN_OFF, place=place, example=activity.text("DisplayName"))


def _without_status(activity: _Activity) -> tuple[Tags, str | None, str | None]:
    """Give the tags, and the status that older versions keep in them, where the activity has none of its own."""
    kept = [(key, text) for key, text in activity.tags if key not in ("otel.status_code", "otel.status_description")]
    held = {key: "\n".join(text) for key, text in activity.tags}
    code = activity.text("StatusCode") or held.get("otel.status_code")
    message = activity.text("StatusDescription", "Error") or held.get("otel.status_description")
    return kept, code, message


def _texts(tags: Tags) -> dict[str, str]:
    return {key: "\n".join(text) for key, text in tags}


def _attributes(tags: Tags) -> list[tuple[str, Value]]:
    """Give tags as texts: the console does not print their types."""
    return [(key, (STRING, "\n".join(text))) for key, text in tags]


def _iso(text: str | None) -> str | None:
    """Write a time with colons, for which some languages have points."""
    return None if text is None else re.sub(r"(?<=T\d\d)\.(\d\d)\.(?=\d\d)", r":\1:", text)


def _duration(activity: _Activity, builder: Builder, place: str) -> int | None:
    text = activity.text("Duration")
    found = _DURATION.fullmatch(text or "")
    if found is None:
        if text:
            builder.findings.add(problems.BAD_TIME, place=place, example=text)
        return None
    seconds = int(found["seconds"]) + 60 * (int(found["minutes"]) + 60 * int(found["hours"]))
    seconds += 86_400 * int(found["days"] or 0)
    return seconds * _SECOND + int((found["rest"] or "").ljust(9, "0"))


def _event_time(written: str, start: int | None, end: int | None, builder: Builder, place: str) -> int | None:
    """Read the time of an event, which is written as the language of the machine has it."""
    found = _DATE.fullmatch(written.strip())
    if found is None:
        return nanoseconds(written, builder.findings, place)
    times = sorted({time for time in (_instant(found, order) for order in ("ymd", "mdy", "dmy")) if time is not None})
    if not times:
        return None
    if len(times) == 1:
        return times[0]
    builder.findings.add(problems.EVENT_TIME_AMBIGUOUS, place=place, example=written)
    middle = start if end is None else ((start or 0) + end) // 2
    return min(times, key=lambda time: abs(time - (middle or 0)))


def _instant(found: re.Match[str], order: str) -> int | None:
    """Read a date whose numbers stand in an order; None if there is no such date."""
    numbers = {name: found[group] for name, group in zip(order, ("first", "second", "third"), strict=True)}
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
    zone = (found["zone"] or "Z").replace("Z", "+00:00")
    if len(numbers["y"]) != 4:
        return None
    try:
        date = f"{numbers['y']}-{int(numbers['m']):02}-{int(numbers['d']):02}"
        instant = datetime.fromisoformat(f"{date}T{hour:02}:{found['minute']}:{found['second_']}{zone}")
        since = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    return since * _SECOND + int((found["rest"] or "").ljust(9, "0")) if since >= 0 else None

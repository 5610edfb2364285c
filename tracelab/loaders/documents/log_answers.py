"""Answers of log services: the entries in them, each with who wrote it, when, and its text or its object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracelab.loaders.documents.fields import fields_of, objects_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Entry(NamedTuple):
    """An entry of a log: who wrote it, when (as the service says it), and what: a text, or an object."""

    source: str
    time: Any
    content: str | dict[str, Any]


_TEXTS: Final = ("message", "MESSAGE", "msg", "log", "line", "@m")
_CLOUD_WATCH: Final = ("events", "logEvents")


def is_answer(document: Any) -> bool:
    """Say whether a document is the answer of a log service: one entry at least, in the form of one that is known."""
    return next(_entries(document), None) is not None


def entries_of(document: Any) -> list[Entry]:
    """Give the entries of an answer in the order of time: some services give the newest first."""
    found: dict[str, list[Entry]] = {}
    for entry in _entries(document):
        found.setdefault(entry.source, []).append(entry)
    return [entry for some in found.values() for entry in (reversed(some) if _is_backward(some) else some)]


def text_of_object(content: dict[str, Any]) -> str | None:
    """Give the text in the object that a logger wrote."""
    return next((held for key in _TEXTS if isinstance(held := content.get(key), str)), None)


def _is_backward(entries: list[Entry]) -> bool:
    times = [entry.time for entry in entries]
    if all(isinstance(time, str) and time.isascii() and time.isdigit() and len(time) <= 20 for time in times):
        times = [int(time) for time in times]
    first, last = times[0], times[-1]
    return type(first) is type(last) and isinstance(first, int | str) and first > last


def _entries(document: Any) -> Iterator[Entry]:
    if isinstance(document, list):
        for held in objects_of(document):
            yield from _of_google(held)
        return
    fields = fields_of(document)
    for key in _CLOUD_WATCH:
        yield from _of_cloud_watch(fields, objects_of(fields.get(key)))
    rows = fields.get("results")
    for row in rows if isinstance(rows, list) else ():
        yield from _of_insights(row)
    data = fields_of(fields.get("data"))
    for stream in objects_of(data.get("result") if data.get("resultType") == "streams" else fields.get("streams")):
        yield from _of_loki(stream)
    for held in (fields, *objects_of(fields.get("entries"))):
        yield from _of_google(held)


def _of_cloud_watch(document: dict[str, Any], events: list[dict[str, Any]]) -> Iterator[Entry]:
    """Give what `filter-log-events`, `get-log-events` or a subscription has."""
    for event in events:
        if isinstance(event.get("message"), str) and ("timestamp" in event or "ingestionTime" in event):
            source = event.get("logStreamName", document.get("logStream"))
            yield Entry(source if isinstance(source, str) else "", event.get("timestamp"), event["message"])


def _of_insights(row: Any) -> Iterator[Entry]:
    """Give what `get-query-results` has: every row is a list of fields."""
    fields = {held["field"]: held.get("value") for held in objects_of(row) if isinstance(held.get("field"), str)}
    text, source = fields.get("@message"), fields.get("@logStream")
    if isinstance(text, str):
        yield Entry(source if isinstance(source, str) else "", fields.get("@timestamp"), text)


def _of_loki(stream: dict[str, Any]) -> Iterator[Entry]:
    """Give the lines of a stream of Loki, which its labels name."""
    labels = stream.get("stream")
    values = stream.get("values")
    if not isinstance(labels, dict | str) or not isinstance(values, list):
        return
    source = labels if isinstance(labels, str) else " ".join(f"{key}={value!s:.200}" for key, value in labels.items())
    for pair in values:
        if isinstance(pair, list) and len(pair) >= 2 and isinstance(pair[1], str):
            yield Entry(source, pair[0], pair[1])


def _of_google(entry: dict[str, Any]) -> Iterator[Entry]:
    """Give an entry of Google's Cloud Logging."""
    if entry.keys().isdisjoint(("logName", "insertId", "timestamp", "receiveTimestamp", "severity")) and len(entry) > 1:
        return
    content = entry.get("textPayload", entry.get("jsonPayload"))
    if isinstance(content, str | dict):
        resource, name = fields_of(entry.get("resource")), entry.get("logName")
        labels = fields_of(resource.get("labels"))
        parts = (name, *labels.values())
        source = " ".join(part for part in parts if isinstance(part, str))
        yield Entry(source, entry.get("timestamp", entry.get("receiveTimestamp")), content)

"""ClickHouse's `otel_traces` where names stand once: JSONCompact, JSONCompactEachRow, JSONColumns and their kin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.fields import at
from tracelab.loaders.others import clickhouse
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracelab.loaders.columns.builder import Builder

_ORDER: Final = (
    *("Timestamp", "TraceId", "SpanId", "ParentSpanId", "TraceState", "SpanName", "SpanKind", "ServiceName"),
    *("ResourceAttributes", "ScopeName", "ScopeVersion", "SpanAttributes", "Duration", "StatusCode", "StatusMessage"),
    *("Events.Timestamp", "Events.Name", "Events.Attributes"),
    *("Links.TraceId", "Links.SpanId", "Links.TraceState", "Links.Attributes"),
)
"""The columns in the order in which the exporter makes the table."""
_TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{32}")
_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{16}")
_TYPE: Final = re.compile(r"[A-Z][A-Za-z0-9]*(?:\(.*\))?", re.DOTALL)
_PAIR: Final = 2
TOLD_BY: Final = (frozenset(("meta", "data")),)


def holds(document: dict[str, Any]) -> bool:
    """Say whether a document is a table: names in `meta` and rows as lists, or a list for each column."""
    if _is_columns(document):
        return True
    data = document.get("data")
    if isinstance(data, dict):
        return _is_columns(data)
    # The rows of FORMAT JSON are objects, which are read as such.
    return (
        isinstance(data, list)
        and all(isinstance(row, list) for row in data[:1])
        and set(_names_in(document.get("meta"))) >= clickhouse.MARKS
    )


def holds_other(document: Any) -> bool:
    """Say whether a list is that of the columns' names, a row without any, or a list of these."""
    if not isinstance(document, list):
        return False
    first = document[0] if document and isinstance(document[0], list) else document
    return any(_is_header(row) or _is_row(row) for row in (document, first))


def read_documents(documents: Iterable[tuple[Any, str]], builder: Builder) -> None:
    """Add the spans of all documents of an input: names stand in front of the rows that have them, a line each."""
    names: Sequence[str] = ()
    types_may_follow = False
    for document, place in documents:
        inner = document if isinstance(document, list) and document and isinstance(document[0], list) else None
        nested = inner is not None and (_is_header(inner[0]) or _is_row(inner[0]))
        for number, item in enumerate(inner if nested and inner is not None else [document]):
            where = at(place, f"[{number}]") if nested else place
            if isinstance(item, dict):
                _read_object(item, builder, where)
            elif isinstance(item, list) and _is_header(item):
                names, types_may_follow = item, True
                continue
            elif not (types_may_follow and _are_types(item, names)):
                if not names and isinstance(item, list) and _is_row(item):
                    builder.findings.add(problems.COLUMNS_BY_PLACE, place=where, example=", ".join(_ORDER[:3]))
                _read_row(item, names or _ORDER, builder, where)
            types_may_follow = False


def _read_object(document: dict[str, Any], builder: Builder, place: str) -> None:
    held = document if _is_columns(document) else document.get("data")
    if clickhouse.is_row(document):
        clickhouse.read_row(document, builder, place)
    elif isinstance(held, dict) and _is_columns(held):
        for number, row in enumerate(_rows_of(held, builder, place)):
            clickhouse.read_row(row, builder, at(place, f"row {number + 1}"))
    elif isinstance(held, list) and holds(document):
        names = _names_in(document.get("meta"))
        for number, row in enumerate(held):
            _read_row(row, names, builder, at(place, f"data[{number}]"))
    else:
        _read_row(document, _ORDER, builder, place)


def _read_row(row: Any, names: Sequence[str], builder: Builder, place: str) -> None:
    """Add a row that has as many values as there are names; count what is none."""
    if isinstance(row, list) and len(row) == len(names):
        clickhouse.read_row(dict(zip(names, row, strict=True)), builder, place)
        return
    builder.findings.spans += 1
    builder.findings.add(problems.BAD_SPAN, place=place, example=row, lost_spans=1)


def _rows_of(columns: dict[str, Any], builder: Builder, place: str) -> Iterator[dict[str, Any]]:
    """Give the rows of a table of columns; short columns lack values at their end."""
    lists = {name: values for name, values in columns.items() if isinstance(values, list)}
    height = max(map(len, lists.values()))
    for name in columns:
        if len(lists.get(name, ())) != height:
            builder.findings.add(problems.BAD_FIELD, place=place, example=name)
    for number in range(height):
        yield {name: values[number] for name, values in lists.items() if number < len(values)}


def _is_columns(document: dict[str, Any]) -> bool:
    return all(isinstance(document.get(name), list) for name in clickhouse.MARKS)


def _is_header(row: list[Any]) -> bool:
    return all(isinstance(name, str) for name in row) and set(row) >= clickhouse.MARKS


def _is_row(row: list[Any]) -> bool:
    """Say whether values without names are those of the exporter's table, in its order."""
    if len(row) != len(_ORDER):
        return False
    values = dict(zip(_ORDER, row, strict=True))
    return (
        all(isinstance(values[name], str) for name in ("Timestamp", "TraceId", "SpanId", "SpanName"))
        and _TRACE_ID.fullmatch(values["TraceId"]) is not None
        and _SPAN_ID.fullmatch(values["SpanId"]) is not None
        and all(isinstance(values[name], dict | list | str) for name in ("ResourceAttributes", "SpanAttributes"))
    )


def _are_types(row: Any, names: Sequence[str]) -> bool:
    """Say whether a line behind the names has their types, such as `DateTime64(9)`, where a row has ids."""
    if not (isinstance(row, list) and len(row) == len(names) and all(isinstance(held, str) for held in row)):
        return False
    ids = [held for name, held in zip(names, row, strict=True) if name in ("TraceId", "SpanId")]
    return len(ids) == _PAIR and all("String" in held for held in ids) and all(map(_TYPE.fullmatch, row))


def _names_in(meta: Any) -> list[str]:
    """Give the names of columns; one without a name has the number of its place."""
    found = []
    for number, item in enumerate(meta if isinstance(meta, list) else ()):
        name = item.get("name") if isinstance(item, dict) else None
        found.append(name if isinstance(name, str) else f"column_{number + 1}")
    return found

"""What stands inside of a cell: attributes, events and links, as objects or as text of them."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import polars as pl

from tracelab.loaders.columns.key_values import encoded
from tracelab.loaders.columns.text import json_text
from tracelab.loaders.documents.fields import text_attributes
from tracelab.loaders.documents.values import any_value, plain_value
from tracelab.loaders.input.lenient_json import NotJson, decode
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.loaders.rows.ids import NO_WORDS
from tracelab.loaders.rows.names import squashed
from tracelab.loaders.rows.table import Column, Gatherer, columns_of_objects
from tracelab.loaders.rows.times import instants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.loaders.columns.builder import Builder
    from tracelab.loaders.columns.chunk import Rows
    from tracelab.loaders.rows.table import Table

_LONGEST: Final = 1 << 20
_VALUES: Final = frozenset(
    (
        *("stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue"),
        *("string_value", "bool_value", "int_value", "double_value", "array_value", "kvlist_value", "bytes_value"),
    )
)
_EVENT_NAMES: Final = ("name", "eventname", "event")
_EVENT_TIMES: Final = (
    *("timeunixnano", "timestampunixnano", "time", "timestamp", "timens", "timestampns", "eventtimestamp", "ts"),
)
_INNER: Final = ("attributes", "fields", "attrs", "attributemap")
_LINK_TRACES: Final = ("traceid", "linktraceid", "contexttraceid")
_LINK_SPANS: Final = ("spanid", "linkspanid", "contextspanid")
_LINK_STATES: Final = ("tracestate",)
_REFERENCE_TYPES: Final = ("reftype", "referencetype")


def attributes(column: Column) -> tuple[dict[str, Column], Column]:
    """Give the attributes in a column of objects, and what in it is no object."""
    found: list[tuple[int, dict[str, Any]]] = []
    rest = Column()
    for rows, values in column.scalars:
        if values.dtype != pl.String:
            rest.scalars.append((rows, values))
            continue
        items = contents(values)
        none = values.str.strip_chars().str.to_lowercase().is_in(NO_WORDS).to_numpy()
        maps = [None if item is None else as_map(item) for item in items]
        left = np.array([each is None for each in maps], dtype=bool) & ~none
        found += [(row, each) for row, each in zip(rows.tolist(), maps, strict=True) if each is not None]
        if left.any():
            rest.scalars.append((rows[left], values.filter(pl.Series(left))))
    for rows, objects in column.objects:
        maps = [as_map(item) for item in objects]
        found += [(row, each) for row, each in zip(rows.tolist(), maps, strict=True) if each is not None]
        left = np.array([each is None for each in maps], dtype=bool)
        if left.any():
            kept = [objects[number] for number in np.flatnonzero(left).tolist()]
            rest.objects.append((rows[left], kept))
    return columns_of_objects(found), rest


def contents(texts: pl.Series) -> list[Any]:
    """Decode lists and objects that are written as text, each distinct one once; None for what is none."""
    codes, distinct = encoded(texts)
    items = _decoded(distinct.to_list())
    return [items[code] for code in codes.tolist()]


def _decoded(texts: list[str]) -> list[Any]:
    return [_decoded_alone(text) if text.lstrip()[:1] in ("{", "[") else None for text in texts]


def _decoded_alone(text: str) -> Any:
    """Decode JSON, or a list or map as Python and ClickHouse write it."""
    try:
        return decode(text.encode("utf-8", "replace"), Findings(), "")
    except NotJson:
        pass
    if len(text) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _as_json(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _as_json(item: Any) -> Any:
    if isinstance(item, dict):
        return {str(key): _as_json(value) for key, value in item.items()}
    if isinstance(item, list | tuple | set):
        return [_as_json(each) for each in item]
    if isinstance(item, bytes):
        return item.decode("utf-8", "replace")
    return item if item is None or isinstance(item, str | bool | int | float) else str(item)


def as_map(item: Any) -> dict[str, Any] | None:
    """Give an object, or a list of keys and values, as one object; None for anything else."""
    if isinstance(item, dict):
        inner = item.get("attributes")
        only = len(item) == 1 or "droppedAttributesCount" in item
        if only and isinstance(inner, dict | list):
            # A resource as OTLP has it.
            return as_map(inner)
        return {str(key): _bare(value) for key, value in item.items()}
    if not isinstance(item, list) or not item:
        return {} if item == [] else None
    found: dict[str, Any] = {}
    for pair in item:
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str):
            found[pair[0]] = _bare(pair[1])
            continue
        keys = {key.lower(): key for key in pair} if isinstance(pair, dict) else {}
        key = pair.get(keys.get("key")) if "key" in keys else None
        if not isinstance(key, str):
            return None
        found[key] = _bare(pair.get(keys.get("value")))
    return found


def _bare(value: Any) -> Any:
    """Give the plain value of an AnyValue; what is none stays as it is."""
    if not isinstance(value, dict) or len(value) != 1 or _VALUES.isdisjoint(value):
        return value
    read = any_value(value, Findings(), "")
    if read is None:
        return None
    kind, content = read
    return msgspec.json.decode(content) if kind >= 5 and isinstance(content, str) else content


def objects_in(column: Column, table: Table, findings: Findings) -> Iterator[tuple[int, list[Any]]]:
    """Give the lists of objects that a column holds, row by row in order."""
    found: list[tuple[int, list[Any]]] = []
    for rows, values in column.scalars:
        if values.dtype != pl.String:
            findings.add(problems.BAD_FIELD, rows.size, place=table.place(int(rows[0])), example=values[0])
            continue
        for row, item, text in zip(rows.tolist(), contents(values), values.to_list(), strict=True):
            if isinstance(item, list | dict):
                found.append((row, item if isinstance(item, list) else [item]))
            elif text.strip().lower() not in NO_WORDS:
                findings.add(problems.BAD_FIELD, place=table.place(row), example=text)
    for rows, items in column.objects:
        found += [
            (row, item if isinstance(item, list) else [item]) for row, item in zip(rows.tolist(), items, strict=True)
        ]
    yield from sorted(found, key=lambda pair: pair[0])


def zipped(columns: dict[str, Column], table: Table, findings: Findings) -> Iterator[tuple[int, list[Any]]]:
    """Give lists of objects of which each field is a column of lists, as ClickHouse has them."""
    held = {name: dict(objects_in(column, table, findings)) for name, column in columns.items()}
    for row in sorted({row for each in held.values() for row in each}):
        lists = {name: each.get(row, []) for name, each in held.items()}
        count = max(map(len, lists.values()))
        yield (
            row,
            [
                {name: values[number] for name, values in lists.items() if number < len(values)}
                for number in range(count)
            ],
        )


def add_events(builder: Builder, found: Iterator[tuple[int, list[Any]]], table: Table) -> None:
    """Add the events of all rows."""
    held: list[tuple[int, str, dict[str, str]]] = []
    times = Gatherer(opens=False)
    for row, items in found:
        place = table.place(row) if items else ""
        for each in items:
            item = _opened(each)
            if not isinstance(item, dict):
                held.append((row, item if isinstance(item, str) else json_text(item), {}))
                times.add({}, place)
                continue
            keys = {squashed(str(key)): key for key in item}
            name_key, time_key = _first(keys, _EVENT_NAMES), _first(keys, _EVENT_TIMES)
            texts = _texts(item, {name_key, time_key}, builder, place)
            name = item.get(name_key) if name_key is not None else texts.pop("event", texts.pop("event.name", ""))
            held.append((row, name if isinstance(name, str) else json_text(name), texts))
            times.add({"time": item.get(time_key)} if time_key is not None else {}, place)
    table_of_times = times.finish()
    names = ["time"] if "time" in table_of_times.columns else []
    read = instants(table_of_times, names, "", builder.findings).values.to_list()
    for (row, name, texts), time in zip(held, read, strict=True):
        builder.events.add(row, texts, time=time or 0, name=name)


def add_links(
    builder: Builder, found: Iterator[tuple[int, list[Any]]], table: Table, ids: dict[str, pl.Series]
) -> dict[int, str]:
    """Add the links of all rows, and give the parents that stand among them."""
    parents: dict[int, str] = {}
    traces, above = ids["trace_id"].to_list(), ids["parent_span_id"].to_list()
    for row, items in found:
        place = table.place(row) if items else ""
        for each in items:
            item = _opened(each)
            if not isinstance(item, dict):
                builder.findings.add(problems.BAD_FIELD, place=place, example=item)
                continue
            keys = {squashed(str(key)): key for key in item}
            flat = (
                {squashed(f"context.{key}"): value for key, value in item["context"].items()}
                if isinstance(item.get("context"), dict)
                else {}
            )
            flat |= {form: item[key] for form, key in keys.items()}
            trace_id, span_id = (_id(flat, forms) for forms in (_LINK_TRACES, _LINK_SPANS))
            kind = next((str(flat[form]) for form in _REFERENCE_TYPES if form in flat), "")
            if squashed(kind) == "childof" and trace_id in (None, traces[row]) and span_id is not None:
                parent = above[row] or parents.get(row)
                if parent is None:
                    parents[row] = span_id
                if parent in (None, span_id):
                    continue
            used = {keys.get(form) for form in (*_LINK_TRACES, *_LINK_SPANS, *_LINK_STATES, "context")}
            state = next((flat[form] for form in _LINK_STATES if isinstance(flat.get(form), str)), None)
            builder.links.add(
                row,
                _texts(item, used, builder, place),
                trace_id=trace_id or "",
                span_id=span_id or "",
                trace_state=state,
            )
    return parents


def _opened(item: Any) -> Any:
    """Decode an object that is written as text."""
    held = contents(pl.Series([item]))[0] if isinstance(item, str) else None
    return held if isinstance(held, dict) else item


def _id(flat: dict[str, Any], forms: tuple[str, ...]) -> str | None:
    held = next((flat[form] for form in forms if flat.get(form) not in (None, "")), None)
    if isinstance(held, bool) or not isinstance(held, str | int):
        return None
    return held.replace("-", "").removeprefix("0x") if isinstance(held, str) else f"{held:x}"


def _first(keys: dict[str, Any], forms: tuple[str, ...]) -> Any:
    return next((keys[form] for form in forms if form in keys), None)


def _texts(item: dict[str, Any], used: set[Any], builder: Builder, place: str) -> dict[str, str]:
    """Give the attributes of an event or link, those beside its fields too, as text."""
    found: dict[str, Any] = {}
    for key, value in item.items():
        if key in used:
            continue
        if squashed(str(key)) in _INNER:
            held = contents(pl.Series([value]))[0] if isinstance(value, str) else value
            inner = as_map(held) if held is not None else None
            if inner is not None:
                found |= inner
                continue
        found[str(key)] = value
    values = [(key, plain_value(value, builder.findings, place)) for key, value in found.items()]
    return text_attributes([(key, value) for key, value in values if value is not None])


def rows_of(columns: dict[str, Column], rows: Rows, findings: Findings) -> dict[int, dict[str, str]]:
    """Give the values of some rows as text, row by row."""
    found: dict[int, dict[str, str]] = {int(row): {} for row in rows.tolist()}
    mask = np.zeros(int(max((column.rows().max(initial=0) for column in columns.values()), default=0)) + 1, dtype=bool)
    mask[rows[rows < mask.size]] = True
    for name, column in columns.items():
        kept = column.where(mask)
        for owners, values in kept.scalars:
            for row, value in zip(owners.tolist(), values.to_list(), strict=True):
                read = plain_value(value, findings, name) if isinstance(value, str | bool | int | float) else None
                found[row] |= text_attributes([(name, read)] if read is not None else [])
        for owners, items in kept.objects:
            for row, item in zip(owners.tolist(), items, strict=True):
                found[row][name] = json_text(item)
    return found

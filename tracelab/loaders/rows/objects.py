"""Rows that are JSON objects: where they stand in a document, and one chunk of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from tracelab.loaders.documents import envelopes
from tracelab.loaders.documents.fields import at
from tracelab.loaders.documents.flattening import of_hit
from tracelab.loaders.input.cutting import BLANK, closed
from tracelab.loaders.report import problems
from tracelab.loaders.rows.names import are_columns_of_spans, columns_of_ids, is_field, missing, roles_of, squashed
from tracelab.loaders.rows.spans import chunk_of
from tracelab.loaders.rows.table import Gatherer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tracelab.loaders.columns.chunk import Chunk
    from tracelab.loaders.report.findings import Findings
    from tracelab.loaders.rows.names import Asked

WRAPPERS: Final = ("data", "rows", "results", "result", "records", "items", "values", "value", "spans", "traces")
_AROUND: Final = frozenset((*WRAPPERS, *envelopes.WRAPPERS))
_DEPTH: Final = 6
_SHARED: Final = ("trace_id", "service_name")


def holds(document: dict[str, Any]) -> bool:
    """Say whether an object is a row that is a span, or a trace around such rows."""
    return _is_row(document) or _is_trace(document)


def chunk_of_documents(
    documents: Iterable[tuple[Any, str]],
    findings: Findings,
    asked: Asked | None,
    name: str,
    *,
    forced: bool = False,
) -> Chunk:
    """Make a chunk of all rows in the documents of an input.

    With `forced` every object is a row that is not around others.
    """
    gatherer = Gatherer(asked.columns.values() if asked else ())
    wanted = frozenset(asked.columns.values()) if asked else frozenset()
    plain: set[tuple[str, ...]] = set()
    for document, place in documents:
        if type(document) is dict:
            keys = tuple(document)
            if keys in plain or are_columns_of_spans(keys) or (forced and not wanted.isdisjoint(keys)):
                plain.add(keys)
                if forced or not _describes(document, keys):
                    gatherer.add(document, place)
                    continue
        for row, path in _rows(document, wanted, forced=forced, depth=_DEPTH):
            if row is None:
                findings.add(problems.OTHER_OBJECTS, place=at(place, path))
            else:
                gatherer.add(row, at(place, path))
    return chunk_of(gatherer.finish(), asked, findings, name)


def _rows(
    content: Any, wanted: frozenset[str], *, forced: bool, depth: int
) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """Find the rows in a document, with their paths; None for what is none."""
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(content, dict):
        content = of_hit(content)
        if _is_row(content) or (forced and not wanted.isdisjoint(_names(content))):
            yield content, ""
            return
        if _is_trace(content):
            yield from _rows_of_trace(content)
            return
        inner = [(key, item) for key, item in content.items() if _is_around(key, item, forced=forced)]
        if forced and not inner:
            yield content, ""
            return
    elif isinstance(content, list):
        inner = ((f"[{number}]", item) for number, item in enumerate(content))
    found = False
    for step, item in inner if depth else ():
        found = True
        for row, path in _rows(item, wanted, forced=forced, depth=depth - 1):
            yield row, f"{step}{'' if path.startswith('[') or not path else '.'}{path}"
    if not found and content != []:
        yield None, ""


def _is_around(key: str, item: Any, *, forced: bool) -> bool:
    """Say whether rows may stand in a value of an object."""
    if key in _AROUND:
        return isinstance(item, list | dict)
    return forced and isinstance(item, list) and bool(item) and all(isinstance(each, dict) for each in item)


def _is_row(content: dict[str, Any]) -> bool:
    content = of_hit(content)
    keys = tuple(content)
    # Where the keys say it already, the values need no look.
    names = keys if are_columns_of_spans(keys) else _names(content)
    return are_columns_of_spans(names) and not _describes(content, names)


def _describes(content: dict[str, Any], names: tuple[str, ...]) -> bool:
    """Say whether an object tells of columns instead of having values: the mapping of an index has objects as ids."""
    ids = columns_of_ids(names)
    return bool(ids) and all(isinstance(content.get(name), dict | list) for name in ids)


def _names(content: dict[str, Any]) -> tuple[str, ...]:
    """Name the columns that an object would have: the fields of objects in it too."""
    if dict not in map(type, content.values()):
        return tuple(content)
    names: list[str] = []
    for key, value in content.items():
        inner = [f"{key}.{each}" for each in value] if isinstance(value, dict) else []
        names += inner if any(map(is_field, inner)) else [key]
    return tuple(names)


def _is_trace(content: dict[str, Any]) -> bool:
    """Say whether an object has the id of a trace, and rows that are its spans and do not say it themselves."""
    spans = content.get("spans")
    if not isinstance(spans, list) or not spans:
        return False
    shared = _shared(content)
    if "trace_id" not in roles_of(tuple(shared)).fields:
        return False
    return any(
        isinstance(each, dict) and "trace_id" not in roles_of(_names(each)).fields and _is_row({**shared, **each})
        for each in spans[:10]
    )


def _shared(content: dict[str, Any]) -> dict[str, Any]:
    """Give what an object says of all spans in it: the id of their trace, their service, and what is no field."""
    plain = {key: value for key, value in content.items() if not isinstance(value, list | dict)}
    fields = roles_of(tuple(plain)).fields
    own = {name for key, names in fields.items() if key not in _SHARED for name in names}
    return {key: value for key, value in plain.items() if key not in own and squashed(key) not in ("id", "count")}


def _rows_of_trace(content: dict[str, Any]) -> Iterator[tuple[dict[str, Any] | None, str]]:
    shared = _shared(content)
    for number, span in enumerate(content["spans"]):
        if isinstance(span, dict):
            yield {**shared, **span}, f"spans[{number}]"
        else:
            yield None, f"spans[{number}]"


def refusal(head: bytes) -> str | None:
    """Say what the first line of a file lacks, if it names a trace or span but is no span."""
    try:
        document = msgspec.json.decode(head.lstrip(BLANK).partition(b"\n")[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    names = _names(document) if isinstance(document, dict) else ()
    return missing(names) if columns_of_ids(names) and not are_columns_of_spans(names) else None


def level_of_rows(asked: Asked | None) -> Callable[[bytes], int | None]:
    """Make what finds how many objects deep rows stand, in the beginning of a large document read as rows."""
    wanted = frozenset(asked.columns.values()) if asked else frozenset()

    def level_of(head: bytes) -> int | None:
        try:
            document = msgspec.json.decode(closed(head))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return _level(document, wanted, _DEPTH)

    return level_of


def _level(content: Any, wanted: frozenset[str], depth: int) -> int | None:
    if isinstance(content, list):
        inner, step = content[:100], 0
    elif isinstance(content, dict):
        inner, step = [item for key, item in content.items() if _is_around(key, item, forced=True)], 1
        if _is_row(content) or not wanted.isdisjoint(_names(content)) or _is_trace(content) or not inner:
            return 1
    else:
        return None
    found = (_level(item, wanted, depth - 1) for item in inner) if depth else iter(())
    return next((level + step for level in found if level is not None), None)

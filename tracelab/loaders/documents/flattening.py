"""Nested objects as fields with dots in their names, which is the same thing to Elasticsearch and OpenSearch."""

from __future__ import annotations

from typing import Any, Final

_DEPTH: Final = 32
_MISSING: Final = object()


def flattened(document: dict[str, Any]) -> dict[str, Any]:
    """Give all fields by their whole names, in order; a field that is there twice keeps its first value.

    Lists stay as they are, and so do objects that are nested deeper than any store allows.
    """
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any, int]] = [(key, value, 1) for key, value in reversed(document.items())]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, dict) and depth < _DEPTH:
            waiting.extend((f"{name}.{key}", inner, depth + 1) for key, inner in reversed(value.items()))
        else:
            found.setdefault(name, value)
    return found


def field(document: dict[str, Any], name: str) -> Any:
    """Look up one field, whether its name's parts are nested or joined with dots; None where it is missing."""
    held = _field(document, name)
    return None if held is _MISSING else held


def _field(document: Any, name: str) -> Any:
    if not isinstance(document, dict):
        return _MISSING
    if name in document:
        return document[name]
    dot = name.rfind(".")
    while dot > 0:
        if name[:dot] in document:
            held = _field(document[name[:dot]], name[dot + 1 :])
            if held is not _MISSING:
                return held
        dot = name.rfind(".", 0, dot)
    return _MISSING


def only(content: Any) -> Any:
    """Give the one item of a list: searches give every field as a list of its values."""
    return content[0] if isinstance(content, list) and len(content) == 1 else content


def of_hit(document: dict[str, Any]) -> dict[str, Any]:
    """Give the document in a hit that has fields only, as the store had it; all else as it is.

    Searches give every field as a list of its values, and fields in objects of a list likewise.
    """
    held = document.get("fields")
    if not isinstance(held, dict) or isinstance(document.get("_source"), dict):
        return document
    if document.keys().isdisjoint(("_index", "_id")) or not all(isinstance(values, list) for values in held.values()):
        return document
    return {name: _bare(values, _DEPTH) for name, values in held.items()}


def _bare(values: list[Any], depth: int) -> Any:
    if not any(isinstance(value, dict) for value in values):
        return only(values)
    return [
        {key: _bare(inner, depth - 1) if isinstance(inner, list) else inner for key, inner in value.items()}
        if isinstance(value, dict) and depth
        else value
        for value in values
    ]

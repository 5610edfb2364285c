"""How Elasticsearch and OpenSearch wrap what they hold: answers to searches, dumps of an index, bulk files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

WRAPPERS: Final = ("rawResponse", "responses", "hits", "docs", "_source", "doc", "upsert")
"""Keys under which documents of whatever format stand: of a search, of several, of a dump, of an update."""

_MARKS: Final = frozenset(("rawResponse", "responses", "hits", "_source"))
_DEPTH: Final = 6
_ACTIONS: Final = frozenset(("index", "create", "update", "delete"))
_ABOUT: Final = frozenset(
    (
        *("routing", "version", "version_type", "op_type", "retry_on_conflict", "pipeline", "dynamic_templates"),
        *("require_alias", "require_data_stream", "if_seq_no", "if_primary_term", "parent", "list_executed_pipelines"),
    )
)


def is_action(document: dict[str, Any]) -> bool:
    """Say whether an object is a line of a bulk file that says what to do with the document in the next line."""
    if len(document) != 1:
        return False
    ((name, about),) = document.items()
    return name in _ACTIONS and isinstance(about, dict) and all(key[:1] == "_" or key in _ABOUT for key in about)


def opened(document: Any, depth: int = _DEPTH) -> Iterator[Any]:
    """Take a document out of its envelopes; what is in none is given as it is."""
    first = document[0] if isinstance(document, list) and document else document
    if not depth or not isinstance(first, dict) or first.keys().isdisjoint(_MARKS):
        yield document
        return
    for item in document if isinstance(document, list) else [document]:
        inner = [item[key] for key in WRAPPERS if isinstance(item, dict) and isinstance(item.get(key), list | dict)]
        for held in inner or [item]:
            yield from opened(held, depth - 1)

"""Which columns of a frame a table begins with: those that were named, or those that matter of a frame of spans."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.errors import SchemaError, TracelabError
from tracelab.options import shown as written
from tracelab.schema import SPAN_SCHEMA, is_attribute, is_type_companion

if TYPE_CHECKING:
    from collections.abc import Sequence

# What one looks at first in a span, and what comes last.
_SPAN_FIRST: Final = ("start_time", "duration", "service_name", "name", "kind", "status_code", "status_message")
_SPAN_LAST: Final = ("trace_id", "span_id", "parent_span_id")
_PLUMBING: Final = re.compile(
    r"span\.(?:net|network|server|client|user_agent|thread|code)\.|.*(?:size|version|flavor)$"
)
_MANY_COLUMNS: Final = 12
_ATTRIBUTES: Final = 4


def named(columns: Any, names: Sequence[str]) -> list[str]:
    """Give the columns that somebody named, each once.

    Raises
    ------
    SchemaError
        There is no such column.
    TracelabError
        What was passed are no names.
    """
    known = [columns] if isinstance(columns, str) else columns
    if not isinstance(known, Iterable) or isinstance(known, bytes | pl.DataFrame | pl.LazyFrame):
        raise TracelabError(f"`columns` must be names of columns, got {written(columns)}. Pass one, or a list of them.")
    chosen = list(known)
    for column in chosen:
        if not isinstance(column, str):
            raise TracelabError(f"`columns` must be names of columns, got {written(column)}. Pass them as text.")
        if column not in names:
            near = get_close_matches(column, names, n=3)
            hint = f"Did you mean {', '.join(map(repr, near))}?" if near else f"There are {', '.join(names[:10])}."
            raise SchemaError(f"The frame has no column {column!r}. {hint}")
    return list(dict.fromkeys(chosen))


def span_columns(head: pl.DataFrame) -> list[str]:
    """Choose the columns that matter of a frame of spans; of any other frame, all."""
    names = head.columns
    if len(names) <= _MANY_COLUMNS or not {*_SPAN_FIRST[:4], *_SPAN_LAST[:2]} <= set(names):
        return names
    first = [name for name in _SPAN_FIRST if name in names and (name in _SPAN_FIRST[:4] or _says_something(head[name]))]
    own = [name for name in names if name not in SPAN_SCHEMA and not is_attribute(name)]
    attributes = [name for name in names if is_attribute(name) and not is_type_companion(name)]
    telling = sorted((name for name in attributes if _tells_apart(head, name)), key=lambda name: _rank(head, name))
    last = [name for name in _SPAN_LAST if name in names]
    return [*first, *own, *telling[:_ATTRIBUTES], *last]


def _says_something(column: pl.Series) -> bool:
    return column.null_count() < column.len()


def _tells_apart(head: pl.DataFrame, attribute: str) -> bool:
    """Say whether an attribute tells spans of one service apart; a list of values is no help in a table."""
    if head.schema[attribute].is_nested():
        return False
    known = head.select("service_name", attribute).drop_nulls(attribute)
    return known.n_unique() > known["service_name"].n_unique()


def _rank(head: pl.DataFrame, attribute: str) -> tuple[bool, bool, int]:
    """Put what spans do before their connections, both before processes, and what most spans have first."""
    return not attribute.startswith("span."), bool(_PLUMBING.match(attribute)), head[attribute].null_count()

"""Names and types that no span has: a warning with what was perhaps meant, not just an empty answer."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.errors import QueryWarning, warn_caller
from tracelab.schema import SCOPES, TYPE_SUFFIX, is_attribute, is_type_companion
from tracelab.traceql.expressions.events import COLUMNS as ITEM_COLUMNS
from tracelab.traceql.expressions.values import ARRAY, TEXT
from tracelab.traceql.syntax import nodes as n
from tracelab.traceql.syntax.missing_units import warn_of_missing_units
from tracelab.traceql.syntax.traversal import attributes_asked, comparisons, field_expressions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelab.traceql.expressions.columns import Columns

_NEAR: Final = 3
_TOLD: Final = 5
_TYPES: Final = {
    n.INT: "an int",
    n.FLOAT: "a float",
    n.STRING: "text",
    n.BOOL: "true or false",
    n.DURATION: "a duration",
}
_REMEDIES: Final = {n.INT: "a number", n.FLOAT: "a number", n.STRING: "a text in quotes", n.BOOL: "true or false"}


def warn_of_unknown(columns: Columns, parts: Iterable[n.Part]) -> None:
    """Warn of names that no span has, of comparisons that never hold and of numbers that lack a unit.

    Of a lazy frame only the columns are known.
    """
    parts = list(parts)
    warn_of_missing_units(parts)
    names: dict[n.Attribute, None] = {}
    operations: dict[n.Operation, None] = {}
    for expression in (expression for part in parts for expression in field_expressions(part)):
        names.update(dict.fromkeys(attributes_asked(expression)))
        operations.update(dict.fromkeys(comparisons(expression)))
    unknown = [name for name in names if _is_unknown(columns, name)]
    if unknown and columns.spans is not None:
        _warn_of_names(columns.spans, unknown)
    complaints = dict.fromkeys(filter(None, (_misfit(columns, operation) for operation in operations)))
    for complaint in complaints:
        warn_caller(complaint, QueryWarning)


def _is_unknown(columns: Columns, name: n.Attribute) -> bool:
    if columns.spans is None or columns.spans.is_empty():
        return False
    scopes = [name.scope] if name.scope else [*SCOPES, *ITEM_COLUMNS]
    return not any(columns.has_column(scope, name.name) or columns.may_hold(scope, name.name) for scope in scopes)


def _warn_of_names(spans: pl.DataFrame, unknown: list[n.Attribute]) -> None:
    """Warn of each name with those near it; of many names only the first are looked for."""
    counts = _known_names(spans)
    keys: dict[str, list[str]] = {}
    for full in counts:
        keys.setdefault(full.partition(".")[2], []).append(full)
    for name in unknown[:_TOLD]:
        warn_caller(f"No span has `{name}`.{_remedy(name, counts, keys)}", QueryWarning)
    if rest := unknown[_TOLD:]:
        listed = ", ".join(f"`{name}`" for name in rest[:_TOLD])
        more = f" and {len(rest) - _TOLD:,} more" if len(rest) > _TOLD else ""
        warn_caller(f"No span has {listed}{more}.", QueryWarning)


def _remedy(name: n.Attribute, counts: dict[str, int], keys: dict[str, list[str]]) -> str:
    near = [full for key in get_close_matches(name.name, keys, n=_NEAR, cutoff=0.7) for full in keys[key]]
    near.sort(key=lambda full: (full.partition(".")[2] != name.name, -counts[full], full))
    if name.name in n.INTRINSIC_TYPES and not name.of:
        return f" Without its scope, `{name.name}` is the span's own."
    if not near:
        return ""
    listed = ", ".join(f"`{full}` ({counts[full]:,} spans)" for full in near[: _NEAR + 1])
    return f" Near names: {listed}."


def _misfit(columns: Columns, operation: n.Operation) -> str | None:
    """Say where a column's type is known and the literal is of another, so that nothing can match."""
    pairs = [(operation.first, operation.steps[0].operand), (operation.steps[0].operand, operation.first)]
    for field, literal in pairs:
        if not isinstance(field, n.Attribute) or not isinstance(literal, n.Static) or field.of or not field.scope:
            continue
        value = columns.own_column(field.scope, field.name) if field.scope in SCOPES else None
        kinds = {kind.removesuffix(ARRAY) for kind in value.kinds} if value else set()
        if not kinds or kinds & {literal.type, TEXT} or (literal.type in n.NUMERIC and kinds & set(n.NUMERIC)):
            continue
        kind = min(kinds)
        return f"`{field}` is {_TYPES[kind]} on every span, never like {literal}; compare it with {_REMEDIES[kind]}."
    return None


def _known_names(spans: pl.DataFrame) -> dict[str, int]:
    """Count the spans that carry each attribute of the frame."""
    own = [column for column in spans.columns if is_attribute(column) and not is_type_companion(column)]
    counts = {column: spans.height - spans[column].null_count() for column in own}
    for scope, column in (("", "more_attributes"), *((f"{scope}.", column) for scope, column in ITEM_COLUMNS.items())):
        if column in spans.columns:
            counts.update({scope + key: count for key, count in _keys(spans, column).items()})
    if "service_name" in spans.columns:
        counts["resource.service.name"] = spans.height
    return {name: count for name, count in counts.items() if count}


def _keys(spans: pl.DataFrame, column: str) -> dict[str, int]:
    """Count the spans that have each key of a map column, or of the maps in a list column."""
    rows = spans.select(column).with_row_index("row")
    if column == "more_attributes":
        keys = rows.select("row", key=pl.col(column).map.keys())
    else:
        items = rows.filter(pl.col(column).list.len() > 0).explode(column)
        keys = items.select("row", key=pl.col(column).struct.field("attributes").map.keys())
    counted = (
        keys.filter(pl.col("key").list.len() > 0).explode("key").group_by("key").agg(spans=pl.col("row").n_unique())
    )
    return {key: count for key, count in counted.iter_rows() if not key.endswith(TYPE_SUFFIX)}

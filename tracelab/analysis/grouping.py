"""What the answers share: which columns they need, and what `by` and `every` mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Final, TypeAlias

import polars as pl

from tracelab.errors import SchemaError, TracelabError
from tracelab.options import shown, window_length
from tracelab.schema import INTRINSIC_ATTRIBUTES, TYPE_SUFFIX, attr, attribute_names, is_attribute

Spans: TypeAlias = pl.DataFrame | pl.LazyFrame
By: TypeAlias = str | pl.Expr | Sequence[str | pl.Expr] | None
Every: TypeAlias = str | timedelta | None

WINDOW: Final = "window"
_INSIDE: Final = "__"
_QUOTED: Final = re.compile(r'"([^"]+)"')


def items_of(option: str, by: By) -> list[str | pl.Expr]:
    """Give what a grouping option lists; nothing for None.

    Raises
    ------
    TracelabError
        It is no name, expression or list of these.
    """
    items = [by] if isinstance(by, str | pl.Expr) else list(by) if isinstance(by, list | tuple) else None
    if by is None:
        return []
    if items is None or not all(isinstance(item, str | pl.Expr) for item in items):
        raise TracelabError(
            f"`{option}` must be a column, an attribute's key, an expression, or a list of these, got {shown(by)}. "
            f"Write {option}='service_name', or None for everything together."
        )
    return items


def keys(spans: Spans, by: By, *, made: Sequence[str] = (), option: str = "by") -> list[pl.Expr]:
    """Turn `by` into expressions: a column, an attribute wherever it lives, an expression, or a list of these.

    Parameters
    ----------
    spans
        The spans.
    by
        What was given.
    made
        The columns that the answer makes, whose names a key cannot have.
    option
        What the option is called.

    Raises
    ------
    SchemaError
        A name is neither a column nor looks like an attribute key.
    TracelabError
        A key cannot be read, or cannot be grouped by, or has not a value for each span, or two have one name.
    """
    schema = spans.lazy().collect_schema()
    found = [item if isinstance(item, pl.Expr) else _key(item, schema, option=option) for item in items_of(option, by)]
    names = [_checked(schema, key, made=made, option=option) for key in found]
    _fit(spans, [item for item in items_of(option, by) if isinstance(item, pl.Expr)], option=option)
    if len(set(names)) < len(names):
        raise TracelabError(
            f"Two of the keys in `{option}` have one name: {', '.join(names)}. Rename one with .alias()."
        )
    return found


def grouped_by(spans: Spans, by: By, every: Every, *, made: Sequence[str]) -> list[pl.Expr]:
    """Give the expressions for groups and windows.

    Raises
    ------
    TracelabError
        `by` names no groups, as `keys` has it, or `every` is no length of time.
    """
    windows = window(every)
    return [*keys(spans, by, made=[*made, *names_of(windows)]), *windows]


def window(every: Every) -> list[pl.Expr]:
    """Turn `every` into the expression for the window that a span starts in."""
    if every is None:
        return []
    return [pl.col("start_time").dt.truncate(window_length("every", every)).alias(WINDOW)]


def names_of(expressions: Sequence[pl.Expr]) -> list[str]:
    """Give the names of the columns that the expressions make."""
    return [expression.meta.output_name() for expression in expressions]


def _checked(schema: pl.Schema, key: pl.Expr, *, made: Sequence[str], option: str) -> str:
    """Give the name of a key after a look at what it makes of these spans."""
    try:
        made_here = pl.DataFrame(schema=schema).select(key).schema
    except pl.exceptions.ColumnNotFoundError as error:
        quoted = _QUOTED.search(str(error))
        missing = quoted[1] if quoted else str(key)
        near = get_close_matches(missing, schema.names(), n=2, cutoff=0.5)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise SchemaError(f"`{option}` reads {missing!r}, which is no column of the spans.{hint}") from error
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise TracelabError(f"`{option}` cannot be computed from these spans: {reason}.") from error
    if len(made_here) != 1:
        raise TracelabError(f"`{option}` takes expressions for one column each, got {shown(str(key))}.")
    (name,) = made_here
    if name.startswith(_INSIDE):
        raise TracelabError(
            f"`{option}` names {name!r}, and names that begin with {_INSIDE} are those of columns that answers are "
            f"made with. If you mean it, rename the key: pl.col({name!r}).alias({name.lstrip('_') or 'key'!r})."
        )
    if name in made:
        raise TracelabError(
            f"`{option}` names {name!r}, and the answer has a column of its own of that name. "
            f"If you mean it, rename the key: pl.col({name!r}).alias('by_{name}')."
        )
    return name


def _fit(spans: Spans, expressions: Sequence[pl.Expr], *, option: str) -> None:
    """See that each expression has a value for every span, or one for all of them, as literals and aggregates have.

    Only their values can tell, and what does not fit must not get as far as to be spread over all spans.
    """
    schema = spans.lazy().collect_schema()
    for key in expressions:
        if key.meta.is_column() or _is_one_value(schema, key):
            continue
        try:
            # Counted alone, values need not be made, and those that cannot be made would go unnoticed.
            counts = spans.lazy().select(made=key.implode(), wanted=pl.len()).collect()
        except pl.exceptions.PolarsError as error:
            reason = str(error).split("\n", maxsplit=1)[0]
            raise TracelabError(f"`{option}` cannot be computed from these spans: {reason}.") from error
        made, wanted = counts["made"].list.len().item(), counts["wanted"].item()
        if made != wanted:
            raise TracelabError(
                f"`{option}` needs a value for every span, and {shown(str(key))} gives {made:,} for {wanted:,} spans. "
                "Filter the spans before, or write pl.when(...).then(...)."
            )


def _is_one_value(schema: pl.Schema, key: pl.Expr) -> bool:
    """Tell literals and aggregates: in groups they make a value, where others make a list."""
    nothing = pl.LazyFrame(schema=schema)
    try:
        (alone,) = nothing.select(key).collect_schema().dtypes()
        grouped = nothing.group_by(pl.lit(0).alias("__all")).agg(key.alias("__key")).collect_schema()["__key"]
    except pl.exceptions.PolarsError:
        return False
    return alone == grouped


def _key(name: str, schema: pl.Schema, *, option: str) -> pl.Expr:
    if name in schema:
        return pl.col(name)
    full_names = attribute_names(name)
    intrinsic = [INTRINSIC_ATTRIBUTES[full] for full in full_names if full in INTRINSIC_ATTRIBUTES]
    columns = [full for full in full_names if full in schema]
    if len(columns) == 1 and not intrinsic and columns[0] + TYPE_SUFFIX not in schema:
        return pl.col(columns[0]).alias(name)
    if not columns and not intrinsic and "." not in name:
        known = [*schema.names(), *(other.partition(".")[2] for other in schema if is_attribute(other))]
        near = get_close_matches(name, dict.fromkeys(known), n=3, cutoff=0.5)
        hint = (
            f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Columns: {', '.join(list(schema)[:12])}, ..."
        )
        raise SchemaError(
            f"`{option}` names {name!r}, which is no column of the spans and no attribute that has one. {hint}"
        )
    return attr(name)

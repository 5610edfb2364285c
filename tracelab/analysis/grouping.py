"""What the answers share: which columns they need, and what `by` and `every` mean."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final, TypeAlias

import polars as pl

from tracelab.errors import SchemaError, TracelabError
from tracelab.schema import INTRINSIC_ATTRIBUTES, TIME, TYPE_SUFFIX, attr, attribute_names

Spans: TypeAlias = pl.DataFrame | pl.LazyFrame
By: TypeAlias = str | pl.Expr | Sequence[str | pl.Expr] | None

WINDOW: Final = "window"


def required(spans: Spans, *names: str) -> list[str]:
    """Give the names, or say which of them the frame lacks.

    Raises
    ------
    SchemaError
        The frame is no span frame.
    """
    there = spans.lazy().collect_schema().names()
    for name in names:
        if name not in there:
            near = get_close_matches(name, there, n=1, cutoff=0.6)
            hint = f" Is it {near[0]!r}? " if near else " "
            raise SchemaError(f"The spans have no column {name!r}.{hint}Make a span frame of it with conform().")
    return list(dict.fromkeys(names))


def keys(spans: Spans, by: By) -> list[pl.Expr]:
    """Turn `by` into expressions: a column, an attribute wherever it lives, an expression, or a list of these.

    Raises
    ------
    SchemaError
        A name is neither a column nor looks like an attribute key.
    """
    if by is None:
        return []
    items = [by] if isinstance(by, str | pl.Expr) else list(by)
    schema = spans.lazy().collect_schema()
    found = [item if isinstance(item, pl.Expr) else _key(item, schema) for item in items]
    names = [key.meta.output_name() for key in found]
    if len(set(names)) < len(names):
        raise TracelabError(f"Two of the keys in `by` have one name: {', '.join(names)}. Rename one with .alias().")
    return found


def window(every: str | None) -> list[pl.Expr]:
    """Turn `every` into the expression for the window that a span starts in."""
    if every is None:
        return []
    expression = pl.col("start_time").dt.truncate(every).alias(WINDOW)
    try:
        pl.select(start_time=pl.lit(1, dtype=TIME)).select(expression)
    except pl.exceptions.PolarsError as error:
        raise TracelabError(
            f"`every` must be a length of time, got {every!r}. Write a duration such as 30s, 1m or 1h30m."
        ) from error
    return [expression]


def names_of(expressions: Sequence[pl.Expr]) -> list[str]:
    """Give the names of the columns that the expressions make."""
    return [expression.meta.output_name() for expression in expressions]


def _key(name: str, schema: pl.Schema) -> pl.Expr:
    if name in schema:
        return pl.col(name)
    full_names = attribute_names(name)
    intrinsic = [INTRINSIC_ATTRIBUTES[full] for full in full_names if full in INTRINSIC_ATTRIBUTES]
    columns = [full for full in full_names if full in schema]
    if len(columns) == 1 and not intrinsic and columns[0] + TYPE_SUFFIX not in schema:
        return pl.col(columns[0]).alias(name)
    if not columns and not intrinsic and "." not in name:
        near = get_close_matches(
            name, [*schema.names(), *(other.partition(".")[2] for other in schema)], n=3, cutoff=0.5
        )
        hint = (
            f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Columns: {', '.join(list(schema)[:12])}, ..."
        )
        raise SchemaError(f"`by` names {name!r}, which is no column of the spans and no attribute that has one. {hint}")
    return attr(name)

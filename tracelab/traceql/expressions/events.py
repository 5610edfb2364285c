"""Conditions on the events and links of a span, of which it may have many.

Such a condition asks whether there is an event that satisfies it. The events are laid out one per row, tested there,
and what was found is brought back to their spans.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from tracelab.traceql.expressions.values import TEXT, Value
from tracelab.traceql.syntax import nodes as n

COLUMNS: Final = {"event": "events", "link": "links"}
"""Where the events and the links of a span are."""


@dataclass(frozen=True, slots=True)
class ItemTest:
    """A test of one event or link.

    Attributes
    ----------
    of
        `event` or `link`.
    expression
        The test, over the columns of one event and `columns`.
    columns
        What it needs of the span itself.
    when_empty
        What the test gives for a span without events.
    """

    of: str
    expression: pl.Expr
    columns: dict[str, pl.Expr] = field(default_factory=dict)
    when_empty: bool = False


def item_value(node: n.FieldExpression) -> Value:
    """Give the value that a field has for one event or link, laid out in a row of its own."""
    match node:
        case n.Intrinsic("event:name"):
            return Value({n.STRING: pl.col("name")})
        case n.Intrinsic("event:timeSinceStart"):
            return Value({n.DURATION: pl.col("time") - pl.col("start_time")})
        case n.Intrinsic("link:traceID"):
            return Value({n.STRING: pl.col("trace_id")}, identifier=True)
        case n.Intrinsic("link:spanID"):
            return Value({n.STRING: pl.col("span_id")}, identifier=True)
        case n.Attribute(_, name):
            return Value({TEXT: pl.col("attributes").map.get(name)})
    raise AssertionError(node)


def any_item(tests: list[ItemTest], *, every: bool = True) -> pl.Expr:
    """Tell which spans have one event (or link) that satisfies all of these tests, or any of them."""
    items = COLUMNS[tests[0].of]
    needed = [pl.col(items)]
    if items == "events":
        needed.append(pl.col("start_time"))
    needed += [column.alias(name) for test in tests for name, column in test.columns.items()]
    expressions = [test.expression for test in tests]
    condition = pl.all_horizontal(expressions) if every else pl.any_horizontal(expressions)
    empty = (all if every else any)(test.when_empty for test in tests)

    def found(spans: pl.Series) -> pl.Series:
        frame = spans.struct.unnest().with_row_index("row")
        full = frame.filter(pl.col(items).list.len() > 0)
        hits = full.explode(items).unnest(items).filter(condition)["row"].unique()
        marks = frame.select(pl.col("row").is_in(hits.implode()) | (pl.lit(empty) & ~_filled(items)))
        return marks.to_series()

    return pl.struct(needed).map_batches(found, return_dtype=pl.Boolean, is_elementwise=True)


def first_item(node: n.FieldExpression, of: str) -> Value:
    """Give a field of the first event or link, for where one value is needed."""
    first = pl.col(COLUMNS[of]).list.first().struct
    match node:
        case n.Intrinsic("event:timeSinceStart"):
            return Value({n.DURATION: first.field("time") - pl.col("start_time")})
        case n.Intrinsic("link:traceID"):
            return Value({n.STRING: first.field("trace_id")}, identifier=True)
        case n.Intrinsic("link:spanID"):
            return Value({n.STRING: first.field("span_id")}, identifier=True)
        case n.Intrinsic():
            return Value({n.STRING: first.field("name")})
        case n.Attribute(_, name):
            return Value({TEXT: first.field("attributes").map.get(name)})
    raise AssertionError(node)


def _filled(items: str) -> pl.Expr:
    return (pl.col(items).list.len() > 0).fill_null(False)

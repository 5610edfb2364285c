"""Attributes that have no column of their own: in `more_attributes`, in the events and in the links of a span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.schema import ATTRIBUTES, TYPE_SUFFIX
from tracelab.traceql.expressions.events import COLUMNS as ITEM_COLUMNS
from tracelab.traceql.expressions.values import TEXT, Value, mixed_value
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEW: Final = 8
FOUND: Final = pl.Struct({"text": pl.String(), "kind": pl.String()})
"""What a look-up gives: the value as text, and which kind of value it is."""


def looked_up(name: str, scopes: Sequence[str], *, missing: pl.Expr) -> pl.Expr:
    """Look an attribute up in one scope after the other, on the spans where it is still missing.

    Gives a struct of `text` and `kind`; the kind of what events and links hold is `text`, for nobody wrote it down.
    """
    items = [ITEM_COLUMNS[scope] for scope in scopes if scope in ITEM_COLUMNS]
    more = [] if set(scopes) <= set(ITEM_COLUMNS) else ["more_attributes"]

    def found(columns: pl.Series) -> pl.Series:
        frame = columns.struct.unnest().with_row_index("row")
        wanted = frame.filter("missing", pl.any_horizontal(_holds_any(column) for column in (*items, *more)))
        parts = []
        for scope in scopes:
            part = _in_items(wanted, scope, name) if scope in ITEM_COLUMNS else _in_more(wanted, f"{scope}.{name}")
            parts.append(part)
            wanted = wanted.join(part, on="row", how="anti")
        return _placed(pl.concat(parts), frame.height)

    inputs = pl.struct(missing.alias("missing"), *items, *more)
    return inputs.map_batches(found, return_dtype=FOUND, is_elementwise=True)


class MapKeys:
    """Which attributes without a column the spans of one frame have, looked up when they are asked for."""

    def __init__(self, spans: pl.DataFrame) -> None:
        self.spans = spans
        self.known: dict[tuple[str, str], bool] = {}
        self.maps: dict[str, pl.Series] = {}
        self.keys: dict[str, set[str]] = {}

    def holds(self, scope: str, name: str) -> bool:
        """Tell whether any span has an attribute of this scope that has no column."""
        column = ITEM_COLUMNS.get(scope, "more_attributes")
        key = name if scope in ITEM_COLUMNS else f"{scope}.{name}"
        if (column, key) not in self.known:
            self.known[column, key] = self._holds(column, key)
        return self.known[column, key]

    def _holds(self, column: str, key: str) -> bool:
        if column not in self.maps:
            self.maps[column] = _maps(self.spans, column)
        maps = self.maps[column]
        if maps.is_empty():
            return False
        # One key is found sooner by itself; of many keys the list of all is made once.
        if sum(one == column for one, _ in self.known) < _FEW:
            return bool(maps.to_frame("map").select(pl.col("map").map.contains_key(key).any()).item())
        if column not in self.keys:
            keys = maps.to_frame("map").select(pl.col("map").map.keys().explode().unique()).to_series()
            self.keys[column] = set(keys.drop_nulls())
        return key in self.keys[column]


def _maps(spans: pl.DataFrame, column: str) -> pl.Series:
    """Give the maps of a column that has them, or those of all events (or links)."""
    if column not in spans.columns or spans[column].null_count() == spans.height:
        return pl.Series(dtype=ATTRIBUTES)
    if column == "more_attributes":
        return spans[column].drop_nulls()
    items = spans[column].explode(empty_as_null=False, keep_nulls=False)
    return items.struct.field("attributes").drop_nulls()


def found_value(column: pl.Expr) -> Value:
    """Make a value of what a look-up gave."""
    text, kind = column.struct.field("text"), column.struct.field("kind")
    value = mixed_value(text, kind)
    return Value({**value.kinds, TEXT: pl.when(kind == TEXT).then(text)})


def _placed(hits: pl.DataFrame, height: int) -> pl.Series:
    """Bring what was found on some rows back to all rows."""
    places = np.full(height, hits.height)
    places[hits["row"].to_numpy()] = np.arange(hits.height)
    padded = pl.concat(
        [hits.select("text", "kind"), pl.DataFrame({"text": [None], "kind": [None]}, schema=FOUND.to_schema())]
    )
    return padded.to_struct("found").gather(pl.Series(places))


def _in_more(spans: pl.DataFrame, column: str) -> pl.DataFrame:
    more = pl.col("more_attributes").map
    kind = more.get(column + TYPE_SUFFIX).fill_null(n.STRING)
    return spans.select("row", more.get(column).alias("text"), kind.alias("kind")).drop_nulls("text")


def _in_items(spans: pl.DataFrame, scope: str, name: str) -> pl.DataFrame:
    """Take it from the first event (or link) that has it."""
    items = ITEM_COLUMNS[scope]
    rows = spans.filter(_holds_any(items)).select("row", items).explode(items)
    texts = rows.select("row", text=pl.col(items).struct.field("attributes").map.get(name), kind=pl.lit(TEXT))
    return texts.drop_nulls("text").unique("row", keep="first", maintain_order=True)


def _holds_any(column: str) -> pl.Expr:
    if column == "more_attributes":
        return pl.col(column).is_not_null()
    return (pl.col(column).list.len() > 0).fill_null(False)

"""Span frames whose attribute columns differ, put below each other without copying what is alike.

`assemble` makes one frame of everything, in time that grows with everything. Here frames that were made one after
another stay as they are: a column that one of them lacks is nothing, a dtype that does not hold the values of all gives
way to one that does, and only the frames that this concerns are touched. What was brought in line once stays so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.loaders.columns.attributes import MAX_COLUMNS, is_exact, ranked_keys
from tracelab.loaders.columns.chunk import BOOL, DOUBLE, INT, STRING
from tracelab.loaders.columns.text import as_text, json_text
from tracelab.schema import SPAN_SCHEMA, TYPE_SUFFIX, VALUE_TYPES, in_order, is_attribute, is_type_companion

if TYPE_CHECKING:
    from tracelab.loaders.columns.attributes import Level

_KINDS: Final[dict[pl.DataType, int]] = {pl.String(): STRING, pl.Boolean(): BOOL, pl.Int64(): INT, pl.Float64(): DOUBLE}
_INTS: Final = pl.List(pl.Int64)
_DOUBLES: Final = pl.List(pl.Float64)
_EMPTY: Final = pl.List(pl.Null)
"""Stands for lists that hold nothing, which any list column holds."""
_MIXED: Final = pl.Null()
"""Stands for text with the type of each value beside it."""


@dataclass(slots=True)
class Joining:
    """Which attributes have columns, and of which dtype, in frames that are put below each other.

    `version` grows where this changes, so that whoever keeps frames that were in line knows that they no longer are.
    """

    version: int = 0
    _dtypes: dict[str, pl.DataType] = field(default_factory=dict)
    _inexact: set[str] = field(default_factory=set)
    _nothing: dict[pl.DataType, pl.Series] = field(default_factory=dict)

    def chosen_keys(self, levels: list[Level], spans: int) -> dict[str, list[str]]:
        """Choose the keys that get a column: those that have one, and further ones, the most frequent, for a while.

        So no key has a column in one frame and is among the rest in another.
        """
        del spans
        chosen: dict[str, list[str]] = {level.scope: [] for level in levels}
        room = MAX_COLUMNS - len(self._dtypes)
        for _, name, scope, key in ranked_keys(levels):
            known = name in self._dtypes
            if known or room > 0:
                chosen[scope].append(key)
                room -= not known
        return chosen

    def learn(self, frame: pl.DataFrame) -> None:
        """Take the columns of a frame into account."""
        for name in frame.columns:
            if not is_attribute(name) or is_type_companion(name):
                continue
            dtype = self._dtype_of(frame, name)
            known = self._dtypes.get(name)
            wider = dtype if known is None else self._holding_both(name, known, dtype)
            if wider != known:
                self._dtypes[name] = wider
                self.version += 1

    def in_line(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give a frame the columns of all."""
        held = {column.name: column for column in frame.get_columns()}
        for name, dtype in self._dtypes.items():
            types = held.pop(name + TYPE_SUFFIX, None)
            if dtype == _MIXED:
                text, types = self._as_text(held.pop(name, None), types, frame.height)
                held[name] = text.alias(name)
                held[name + TYPE_SUFFIX] = types.alias(name + TYPE_SUFFIX)
            else:
                held[name] = self._as(held.pop(name, None), dtype, frame.height).alias(name)
        return pl.DataFrame([held[name] for name in in_order(list(held))])

    def _dtype_of(self, frame: pl.DataFrame, name: str) -> pl.DataType:
        column = frame[name]
        if name + TYPE_SUFFIX in frame.columns:
            return _MIXED
        if isinstance(column.dtype, pl.List) and not column.list.len().max():
            return _EMPTY
        if column.dtype == pl.Int64 and not is_exact(column):
            self._inexact.add(name)
        if column.dtype == _INTS and not is_exact(column.explode().drop_nulls()):
            self._inexact.add(name)
        return column.dtype

    def _holding_both(self, name: str, one: pl.DataType, other: pl.DataType) -> pl.DataType:
        """Give the narrowest dtype that holds the values of both without loss, by the rules of a single load."""
        both = {one, other}
        if len(both) == 1:
            return one
        lists = [dtype for dtype in both if isinstance(dtype, pl.List) and dtype != _EMPTY]
        if _EMPTY in both and lists:
            return lists[0]
        exact = name not in self._inexact
        if both == {pl.Int64(), pl.Float64()} and exact:
            return pl.Float64()
        if both == {_INTS, _DOUBLES} and exact:
            return _DOUBLES
        return _MIXED

    def _as(self, column: pl.Series | None, dtype: pl.DataType, height: int) -> pl.Series:
        wanted = pl.List(pl.String) if dtype == _EMPTY else dtype
        if column is None:
            return self._nulls(wanted, height)
        return column if column.dtype == wanted else column.cast(wanted)

    def _as_text(self, column: pl.Series | None, types: pl.Series | None, height: int) -> tuple[pl.Series, pl.Series]:
        if column is None:
            return self._nulls(pl.String(), height), self._nulls(pl.String(), height)
        if types is not None:
            return column, types
        kind = _KINDS.get(column.dtype)
        word = "array" if kind is None else VALUE_TYPES[kind]
        text = _texts_of_lists(column) if kind is None else as_text(column, kind)
        told = column.to_frame("x").select(pl.when(pl.col("x").is_not_null()).then(pl.lit(word))).to_series()
        return text, told

    def _nulls(self, dtype: pl.DataType, height: int) -> pl.Series:
        """Give a column of nothing; all of a dtype share their memory."""
        known = self._nothing.get(dtype)
        if known is None or known.len() < height:
            known = self._nothing[dtype] = pl.Series([None], dtype=dtype).new_from_index(0, 2 * height)
        return known.slice(0, height)


def below_each_other(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Put frames that are in line below each other; their trees count on, so that no two spans are in one place.

    Attributes that none of them has any more have no column.
    """
    moved, base = [], 0
    for frame in frames:
        places = pl.col("tree_left", "tree_right")
        moved.append(frame.with_columns(places + pl.lit(base, dtype=pl.UInt32)) if base else frame)
        base += 2 * frame.height
    if not moved:
        return pl.DataFrame(schema=SPAN_SCHEMA)
    joined = pl.concat(moved, rechunk=False)
    empty = [
        column.name for column in joined.get_columns() if is_attribute(column.name) and column.null_count() == base // 2
    ]
    return joined.drop(empty)


def _texts_of_lists(column: pl.Series) -> pl.Series:
    texts: list[Any] = [None if items is None else json_text(items) for items in column.to_list()]
    return pl.Series(column.name, texts, dtype=pl.String)

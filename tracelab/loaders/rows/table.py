"""Rows as columns: pieces of one dtype each, and only the rows that have a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.loaders.columns.text import float_text, json_text
from tracelab.loaders.rows.names import is_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracelab.loaders.columns.chunk import Rows

_BATCH: Final = 50_000
_DEPTH: Final = 3
_PLAIN: Final[dict[type, Any]] = {str: pl.String, bool: pl.Boolean, int: pl.Int64, float: pl.Float64}
_NESTED: Final = (pl.List, pl.Array, pl.Struct, pl.Map, pl.Object)


@dataclass(slots=True)
class Column:
    """The values of one name: scalars as series of one dtype each, lists and objects as Python has them."""

    scalars: list[tuple[Rows, pl.Series]] = field(default_factory=list)
    objects: list[tuple[Rows, list[Any]]] = field(default_factory=list)

    def count(self) -> int:
        """Count the values."""
        return sum(rows.size for rows, _ in self.scalars) + sum(rows.size for rows, _ in self.objects)

    def rows(self) -> Rows:
        """Give the rows that have a value."""
        found = [rows for rows, _ in (*self.scalars, *self.objects)]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.uint32)

    def where(self, mask: Any, places: Rows | None = None) -> Column:
        """Keep the values of some rows; `places` gives the rows new numbers."""
        kept = Column()
        for rows, values in self.scalars:
            chosen = np.flatnonzero(mask[rows])
            if chosen.size:
                inner = rows[chosen]
                kept.scalars.append((inner if places is None else places[inner], values.gather(pl.Series(chosen))))
        for rows, items in self.objects:
            chosen = np.flatnonzero(mask[rows])
            if chosen.size:
                inner = rows[chosen]
                some = [items[number] for number in chosen.tolist()]
                kept.objects.append((inner if places is None else places[inner], some))
        return kept

    def texts(self, height: int) -> pl.Series:
        """Give all values as text, null where there is none."""
        pieces = [(rows, text_of_scalars(values)) for rows, values in self.scalars]
        pieces += [
            (rows, pl.Series([json_text(item) for item in items], dtype=pl.String)) for rows, items in self.objects
        ]
        return dense(pieces, height, pl.String())


@dataclass(slots=True)
class Table:
    """Columns that have values, by name, and where each row stands.

    `typed` says that values have types of their own, unlike in CSV; `empty` names the columns without a value.
    """

    height: int
    columns: dict[str, Column]
    place: Callable[[int], str]
    typed: bool = True
    empty: frozenset[str] = frozenset()

    def where(self, mask: Any) -> Table:
        """Keep some rows."""
        places = np.cumsum(mask).astype(np.uint32) - np.uint32(1)
        kept = np.flatnonzero(mask)
        place = self.place
        return Table(
            int(kept.size),
            {name: column.where(mask, places) for name, column in self.columns.items()},
            lambda row: place(int(kept[row])),
            self.typed,
        )


def dense(pieces: Sequence[tuple[Rows, pl.Series]], height: int, dtype: pl.DataType) -> pl.Series:
    """Put values into a column of all rows, null where there is none."""
    pieces = [(rows, values) for rows, values in pieces if rows.size]
    if not pieces:
        return pl.Series([None], dtype=dtype).new_from_index(0, height)
    rows = np.concatenate([rows for rows, _ in pieces]) if len(pieces) > 1 else pieces[0][0]
    values = pl.concat([values.cast(dtype).rename("") for _, values in pieces]) if len(pieces) > 1 else pieces[0][1]
    if rows.size == height and bool(np.all(rows[1:] > rows[:-1])):
        return values.cast(dtype)
    places = np.full(height, rows.size, dtype=np.uint32)
    places[rows] = np.arange(rows.size, dtype=np.uint32)
    held = pl.concat([values.cast(dtype).rename(""), pl.Series([None], dtype=dtype)], rechunk=True)
    return held.gather(pl.Series(places))


def text_of_scalars(values: pl.Series) -> pl.Series:
    """Write scalars as text: times in ISO 8601, floats as Python has them, bytes as text where they are UTF-8."""
    dtype = values.dtype
    if dtype == pl.String:
        return values
    if dtype.is_float():
        return float_text(values.cast(pl.Float64))
    if isinstance(dtype, pl.Datetime):
        return values.dt.to_string("iso:strict")
    if dtype in (pl.Date, pl.Time) or isinstance(dtype, pl.Duration):
        return values.dt.to_string("iso")
    if dtype == pl.Binary:
        try:
            return values.cast(pl.String)
        except pl.exceptions.PolarsError:
            return values.bin.encode("hex")
    return values.cast(pl.String)


class Gatherer:
    """Makes columns of objects, many at a time: those with the same keys together."""

    def __init__(self, asked: Iterable[str] = (), *, opens: bool = True) -> None:
        self._asked = frozenset(asked)
        self._opens = opens
        self.height = 0
        self.columns: dict[str, Column] = {}
        self._groups: dict[tuple[str, ...], tuple[list[int], list[dict[str, Any]]]] = {}
        self._held = 0
        self._names: set[str] = set()
        self._places: list[str] = []

    def add(self, row: dict[str, Any], place: str) -> None:
        """Add an object as a row."""
        self._places.append(place)
        self.add_at(self.height, row)
        self.height += 1

    def add_at(self, row: int, content: dict[str, Any]) -> None:
        """Add an object at a row, or as a part of one."""
        rows, objects = self._groups.setdefault(tuple(content), ([], []))
        rows.append(row)
        objects.append(content)
        self._held += 1
        if self._held >= _BATCH:
            self._flush()

    def finish(self) -> Table:
        """Make the table."""
        self._flush()
        columns = _joined(self.columns)
        return Table(self.height, columns, self._place, empty=frozenset(self._names - columns.keys()))

    def _flush(self) -> None:
        groups, self._groups, self._held = self._groups, {}, 0
        self._spread("", groups, _DEPTH)

    def _spread(
        self, prefix: str, groups: dict[tuple[str, ...], tuple[list[int], list[dict[str, Any]]]], depth: int
    ) -> None:
        for names, (rows, objects) in groups.items():
            self._names.update(prefix + name for name in names)
            where = np.array(rows, dtype=np.uint32)
            for name, values in zip(names, zip(*(item.values() for item in objects), strict=True), strict=True):
                self._extend(prefix + name, where, values, depth)

    def _extend(self, name: str, rows: Rows, values: Sequence[Any], depth: int) -> None:
        kinds = set(map(type, values))
        if len(kinds) > 1:
            for kind in sorted(kinds, key=lambda kind: kind.__name__):
                chosen = [number for number, value in enumerate(values) if type(value) is kind]
                self._extend(name, rows[chosen], [values[number] for number in chosen], depth)
            return
        kind = kinds.pop() if kinds else type(None)
        if kind in _PLAIN:
            self.columns.setdefault(name, Column()).scalars.append((rows, _series(values, kind)))
        elif kind is dict and depth:
            self._add_objects(name, rows, values, depth)
        elif kind is not type(None):
            self.columns.setdefault(name, Column()).objects.append((rows, list(values)))

    def _add_objects(self, name: str, rows: Rows, values: Sequence[Any], depth: int) -> None:
        """Add objects as they are, or the fields that stand in them as columns of their own."""
        opened: dict[tuple[str, ...], tuple[list[int], list[dict[str, Any]]]] = {}
        known: dict[tuple[str, ...], bool] = {}
        closed: list[int] = []
        for number, (row, item) in enumerate(zip(rows.tolist(), values, strict=True)):
            keys = tuple(item)
            if keys not in known:
                known[keys] = any(self._is_field(f"{name}.{key}") for key in keys)
            if known[keys]:
                some = opened.setdefault(keys, ([], []))
                some[0].append(row)
                some[1].append(item)
            else:
                closed.append(number)
        self._spread(f"{name}.", opened, depth - 1)
        if closed:
            held = self.columns.setdefault(name, Column())
            held.objects.append((rows[closed], [values[number] for number in closed]))

    def _is_field(self, name: str) -> bool:
        return self._opens and (name in self._asked or is_field(name))

    def _place(self, row: int) -> str:
        return self._places[row]


def _series(values: Sequence[Any], kind: type) -> pl.Series:
    try:
        return pl.Series(values, dtype=_PLAIN[kind], strict=True)
    except (OverflowError, TypeError, pl.exceptions.PolarsError):
        # Whole numbers beyond 64 bits, which ids may be.
        return pl.Series([str(value) for value in values], dtype=pl.String)


def _joined(columns: dict[str, Column]) -> dict[str, Column]:
    """Put pieces of one dtype together, in the order of the rows."""
    return {name: _one_each(column) for name, column in columns.items() if column.count()}


def _one_each(column: Column) -> Column:
    if len(column.scalars) + len(column.objects) <= 1:
        return column
    kinds: dict[pl.DataType, list[tuple[Rows, pl.Series]]] = {}
    for rows, values in column.scalars:
        kinds.setdefault(values.dtype, []).append((rows, values))
    whole = Column()
    for pieces in kinds.values():
        rows = np.concatenate([rows for rows, _ in pieces])
        order = np.argsort(rows, kind="stable")
        values = pl.concat([values for _, values in pieces], rechunk=True)
        whole.scalars.append((rows[order], values.gather(pl.Series(order))))
    if column.objects:
        rows = np.concatenate([rows for rows, _ in column.objects])
        items = [item for _, some in column.objects for item in some]
        order = np.argsort(rows, kind="stable")
        whole.objects.append((rows[order], [items[number] for number in order.tolist()]))
    return whole


def columns_of_objects(rows: Iterable[tuple[int, dict[str, Any]]]) -> dict[str, Column]:
    """Make columns of objects that each belong to a row, such as attributes."""
    gatherer = Gatherer(opens=False)
    for row, content in rows:
        gatherer.add_at(row, content)
    return gatherer.finish().columns


def table_of_frame(
    frame: pl.DataFrame, place: Callable[[int], str], asked: Iterable[str] = (), *, typed: bool
) -> Table:
    """Make a table of a frame; structs of fields become columns of their own."""
    columns: dict[str, Column] = {}
    wanted = frozenset(asked)
    held = [(series.name, series, _DEPTH) for series in reversed(frame.get_columns())]
    while held:
        name, series, depth = held.pop()
        if isinstance(series.dtype, pl.Struct) and depth:
            fields = series.struct.fields
            if any(f"{name}.{key}" in wanted or is_field(f"{name}.{key}") for key in fields):
                held += [(f"{name}.{key}", series.struct.field(key), depth - 1) for key in reversed(fields)]
                continue
        rows = np.flatnonzero(series.is_not_null().to_numpy()).astype(np.uint32)
        if not rows.size:
            continue
        values = series if rows.size == series.len() else series.gather(pl.Series(rows))
        column = columns.setdefault(name, Column())
        if series.dtype.base_type() in _NESTED:
            timeless = values.cast(_without_times(values.dtype))
            column.objects.append((rows, [_plain(item) for item in timeless.to_list()]))
        else:
            column.scalars.append((rows, _narrowed(values)))
    return Table(frame.height, columns, place, typed, frozenset(frame.columns) - columns.keys())


def _narrowed(values: pl.Series) -> pl.Series:
    """Give one of few dtypes."""
    dtype = values.dtype
    if dtype.is_integer():
        try:
            return values.cast(pl.Int64)
        except pl.exceptions.PolarsError:
            return values.cast(pl.String)
    if dtype.is_float():
        return values.cast(pl.Float64)
    if dtype.base_type() in (pl.Categorical, pl.Enum, pl.Decimal):
        return values.cast(pl.String)
    return values


def _without_times(dtype: Any) -> Any:
    """Write times inside of lists and objects as numbers, for Python's have no nanoseconds."""
    if isinstance(dtype, pl.Datetime | pl.Duration):
        return pl.Int64()
    if isinstance(dtype, pl.List):
        return pl.List(_without_times(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({each.name: _without_times(each.dtype) for each in dtype.fields})
    return dtype


def _plain(item: Any) -> Any:
    """Give lists and objects as JSON has them; a map comes as pairs."""
    if isinstance(item, list | tuple):
        if item and all(isinstance(pair, tuple) and len(pair) == 2 for pair in item):
            return {str(key): _plain(value) for key, value in item}
        return [_plain(each) for each in item]
    if isinstance(item, dict):
        return {str(key): _plain(value) for key, value in item.items() if value is not None}
    if item is None or isinstance(item, str | bool | int | float):
        return item
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)

"""Every attribute of a frame with its values as numbers, however they are kept: what comparisons count.

A value stands in a column of its own, in the map of those that got none, or in the maps of events and links, of which a
span may have many. All of these become the same thing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import polars as pl

from tracelab.numbering import coded
from tracelab.schema import TYPE_SUFFIX, is_attribute, is_type_companion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracelab.array_types import Ints

MORE: Final = "more_attributes"
ITEMS: Final = {"event": "events", "link": "links"}
"""Where the events and the links of a span are."""

EVENT_NAME: Final = "event:name"


@dataclass(frozen=True, slots=True)
class AttributeValues:
    """The values of one attribute.

    Attributes
    ----------
    name
        Its full name: `span.http.route`, `event.exception.type`.
    rows
        The row of the frame that each value stands in; None where there is one for every row, in their order. An event
        that a span has several times is there several times.
    codes
        The number of each value, -1 where there is none.
    values
        What the numbers stand for: the distinct values, with the dtype that they have in the frame.
    """

    name: str
    rows: Ints | None
    codes: Ints
    values: pl.Series


def columns_with_attributes(schema: Mapping[str, pl.DataType]) -> list[str]:
    """List the columns that `attribute_values` reads."""
    own = [name for name in schema if is_attribute(name) and not is_type_companion(name)]
    return [*own, *(name for name in (MORE, *ITEMS.values()) if name in schema)]


def attribute_values(frame: pl.DataFrame, *, fixed: Mapping[str, str]) -> Iterator[AttributeValues]:
    """Give every attribute with its values, one after another.

    Parameters
    ----------
    frame
        Spans, of which only the columns that are there are read.
    fixed
        Names of columns that are to be read too, such as `name`, by what they are to be called.
    """
    columns = {name: column for name, column in fixed.items() if column in frame.columns}
    columns |= {name: name for name in frame.columns if is_attribute(name) and not is_type_companion(name)}
    for name, column in columns.items():
        values = frame[column]
        if values.null_count() < values.len():
            yield AttributeValues(name, None, *_coded(values))
    for keys, texts, rows in _entries(frame):
        yield from _by_key(keys, texts, rows)


def _coded(values: pl.Series) -> tuple[Ints, pl.Series]:
    if not isinstance(values.dtype, pl.List):
        return coded(values)
    # Lists are told apart by their hashes, since they cannot be sorted.
    hashes = values.to_frame().select(pl.when(pl.nth(0).is_not_null()).then(pl.nth(0).hash())).to_series()
    codes, _ = coded(hashes)
    first = np.full(int(codes.max(initial=-1)) + 1, 0, dtype=np.int64)
    places = np.flatnonzero(codes >= 0)[::-1]
    first[codes[places]] = places
    return codes, values.gather(pl.Series(first))


def _entries(frame: pl.DataFrame) -> Iterator[tuple[pl.Series, pl.Series, Ints]]:
    """Lay out the attributes that have no column: key, text and row of each."""
    if MORE in frame.columns:
        yield _laid_out(frame[MORE], np.arange(frame.height), "")
    for scope, column in ITEMS.items():
        if column not in frame.columns:
            continue
        rows, items = _exploded(frame[column], np.arange(frame.height))
        if rows.size and scope == "event":
            yield pl.repeat(EVENT_NAME, rows.size, eager=True), items.struct.field("name"), rows
        if rows.size:
            yield _laid_out(items.struct.field("attributes"), rows, f"{scope}.")


def _laid_out(maps: pl.Series, rows: Ints, prefix: str) -> tuple[pl.Series, pl.Series, Ints]:
    there = maps.is_not_null()
    lists = maps.filter(there).to_frame("map").select(pl.col("map").map.entries()).to_series()
    entry_rows, entries = _exploded(lists, rows[there.to_numpy()])
    key, text = (field.name for field in cast("pl.Struct", entries.dtype).fields)
    names = prefix + entries.struct.field(key)
    own = (~names.str.ends_with(TYPE_SUFFIX)).to_numpy() if names.len() else np.zeros(0, dtype=bool)
    return names.filter(pl.Series(own)), entries.struct.field(text).filter(pl.Series(own)), entry_rows[own]


def _exploded(lists: pl.Series, rows: Ints) -> tuple[Ints, pl.Series]:
    """Give every item of the lists a row of its own, and say in which row it was."""
    lengths = lists.list.len().fill_null(0)
    some = lengths > 0
    items = lists.filter(some).explode()
    return np.repeat(rows[some.to_numpy()], lengths.filter(some).to_numpy()), items


def _by_key(keys: pl.Series, texts: pl.Series, rows: Ints) -> Iterator[AttributeValues]:
    """Take the entries of each key together, in the order in which keys come."""
    there = texts.is_not_null() & keys.is_not_null()
    keys, texts, rows = keys.filter(there), texts.filter(there), rows[there.to_numpy()]
    if not rows.size:
        return
    number, names = coded(keys)
    order = np.argsort(number, kind="stable")
    ends = np.cumsum(np.bincount(number, minlength=names.len()))
    for name, low, high in zip(names.to_list(), np.append(0, ends[:-1]), ends, strict=True):
        places = order[low:high]
        yield AttributeValues(name, rows[places], *coded(texts.gather(pl.Series(places))))

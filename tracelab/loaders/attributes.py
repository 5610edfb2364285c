"""Long tables of attributes to columns: which keys get one, of which dtype, and where the rest goes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.loaders import problems
from tracelab.loaders.chunk import (
    ARRAY,
    BOOL,
    BOOLS,
    DOUBLE,
    DOUBLES,
    EMPTY_ARRAY,
    INT,
    INTS,
    KVLIST,
    STRING,
    STRINGS,
    Entries,
    Rows,
)
from tracelab.loaders.findings import Findings
from tracelab.loaders.nested import text_map
from tracelab.loaders.text import as_text
from tracelab.schema import ATTRIBUTES, TYPE_SUFFIX, VALUE_TYPES

MAX_COLUMNS: Final = 1024
MIN_CELLS: Final = 20_000_000
_SCALARS: Final[dict[int, pl.DataType]] = {
    STRING: pl.String(),
    BOOL: pl.Boolean(),
    INT: pl.Int64(),
    DOUBLE: pl.Float64(),
}
_LISTS: Final[dict[int, pl.DataType]] = {
    STRINGS: pl.String(),
    BOOLS: pl.Boolean(),
    INTS: pl.Int64(),
    DOUBLES: pl.Float64(),
}
_EXACT_INT: Final = 2**53


@dataclass(slots=True)
class Level:
    """The attributes of all spans, all resources or all scopes.

    Attributes
    ----------
    scope
        The prefix of their columns.
    count
        How many owners (spans, resources, scopes) there are.
    pieces
        Entries chunk by chunk, with the number of owners in earlier chunks.
    owners
        For each span the number of its resource or scope; None where spans are their own owners.
    """

    scope: str
    count: int
    pieces: list[tuple[int, Entries]]
    owners: npt.NDArray[np.uint32] | None = None

    def weights(self) -> npt.NDArray[np.int64] | None:
        """Give the number of spans of each owner."""
        return None if self.owners is None else np.bincount(self.owners, minlength=self.count)

    def frequencies(self) -> dict[str, int]:
        """Give for each key the number of spans that have it."""
        weights = self.weights()
        found: dict[str, int] = {}
        for offset, entries in self.pieces:
            counts = np.zeros(len(entries.keys), dtype=np.int64)
            for part in entries.parts.values():
                if weights is None:
                    counts += np.diff(part.starts)
                else:
                    summed = np.concatenate(([0], np.cumsum(weights[part.rows.astype(np.int64) + offset])))
                    counts += summed[part.starts[1:]] - summed[part.starts[:-1]]
            for key, count in zip(entries.keys, counts.tolist(), strict=True):
                if key is not None:
                    found[key] = found.get(key, 0) + count
        return found


def chosen_keys(levels: list[Level], spans: int) -> dict[str, list[str]]:
    """Choose the keys that get a column: the most frequent, while their cells stay within the budget."""
    frequencies = [
        (-count, f"{level.scope}.{key}", level.scope, key)
        for level in levels
        for key, count in level.frequencies().items()
        if count
    ]
    entries = -sum(count for count, *_ in frequencies)
    columns = min(MAX_COLUMNS, max(MIN_CELLS, 2 * entries) // max(spans, 1))
    chosen: dict[str, list[str]] = {level.scope: [] for level in levels}
    for _, _, scope, key in sorted(frequencies)[:columns]:
        chosen[scope].append(key)
    return chosen


def attribute_columns(level: Level, keys: list[str], findings: Findings) -> list[pl.Series]:
    """Make the columns of these keys, and a companion where one holds a mix of types."""
    lookups = [(offset, entries, {key: code for code, key in enumerate(entries.keys)}) for offset, entries in level.pieces]
    columns = []
    for key in keys:
        parts: dict[int, tuple[list[Rows], list[pl.Series]]] = {}
        for offset, entries, codes in lookups:
            code = codes.get(key)
            if code is None:
                continue
            for kind, part in entries.parts.items():
                rows, values = part.of(code)
                if rows.size:
                    held = parts.setdefault(kind, ([], []))
                    held[0].append(rows + np.uint32(offset))
                    held[1].append(values)
        merged = {
            kind: (np.concatenate(rows), pl.concat(values) if len(values) > 1 else values[0])
            for kind, (rows, values) in parts.items()
        }
        columns.extend(_key_columns(f"{level.scope}.{key}", merged, level, findings))
    return columns


def more_attributes(levels: list[Level], chosen: dict[str, list[str]], spans: int, findings: Findings) -> pl.Series:
    """Make the map of the attributes that got no column."""
    rest = [piece for level in levels for piece in _rest(level, set(chosen[level.scope]))]
    if not rest:
        return pl.Series("more_attributes", [None], dtype=ATTRIBUTES).new_from_index(0, spans)
    frame = pl.concat(rest).with_row_index("place").sort("row", "key", "place")
    last = (frame["row"] != frame["row"].shift(-1)) | (frame["key"] != frame["key"].shift(-1))
    frame = frame.filter(last.fill_null(value=True))
    findings.add(problems.DUPLICATE_KEYS, last.len() - frame.height)
    types = frame.filter(pl.col("type").is_not_null())
    typed = types.select("row", pl.col("key") + TYPE_SUFFIX, pl.col("type").alias("value"))
    entries = pl.concat([frame.select("row", "key", "value"), typed]).sort("row", "key")
    ends = np.cumsum(np.bincount(entries["row"].to_numpy(), minlength=spans))
    maps: pl.Series = pl.from_arrow(text_map(entries["key"], entries["value"], ends))  # type: ignore[assignment]
    column = maps.cast(ATTRIBUTES).alias("more_attributes")
    return column.to_frame().select(pl.when(pl.col("more_attributes").map.len() > 0).then("more_attributes")).to_series()


def _key_columns(
    name: str, parts: dict[int, tuple[Rows, pl.Series]], level: Level, findings: Findings
) -> list[pl.Series]:
    kinds = set(parts)
    if kinds == {INT, DOUBLE} and _exact(parts[INT][1]):
        parts = {kind: (rows, values.cast(pl.Float64)) for kind, (rows, values) in parts.items()}
        return [_scattered(name, parts, level, findings)]
    if len(kinds) == 1 and not kinds.isdisjoint(_SCALARS):
        return [_scattered(name, parts, level, findings)]
    inner = _list_dtype(kinds, parts)
    if inner is not None:
        parts = {kind: (rows, _read_lists(values, inner)) for kind, (rows, values) in parts.items()}
        return [_scattered(name, parts, level, findings)]
    findings.add(problems.MIXED_TYPES, place=name, example=", ".join(sorted({VALUE_TYPES[_word(kind)] for kind in kinds})))
    texts = {kind: (rows, as_text(values, kind)) for kind, (rows, values) in parts.items()}
    words = {
        kind: (rows, pl.Series([VALUE_TYPES[_word(kind)]], dtype=pl.String).new_from_index(0, rows.size))
        for kind, (rows, _) in parts.items()
    }
    return [
        _scattered(name, texts, level, findings),
        _scattered(name + TYPE_SUFFIX, words, level, Findings()),
    ]


def _scattered(name: str, parts: dict[int, tuple[Rows, pl.Series]], level: Level, findings: Findings) -> pl.Series:
    """Put values into a column of one cell per span, null where there is none."""
    rows = np.concatenate([rows for rows, _ in parts.values()])
    values = [values for _, values in parts.values()]
    column = pl.concat(values) if len(values) > 1 else values[0]
    dense = rows.size == level.count and len(values) == 1 and bool((rows == np.arange(rows.size)).all())
    if not dense:
        nothing = column.len()
        places = np.full(level.count, nothing, dtype=np.uint32)
        places[rows] = np.arange(rows.size, dtype=np.uint32)
        findings.add(problems.DUPLICATE_KEYS, rows.size - int((places != nothing).sum()), place=name)
        column = pl.concat([column, pl.Series([None], dtype=column.dtype)]).gather(pl.Series(places))
    if level.owners is not None:
        column = column.gather(pl.Series(level.owners))
    return column.rechunk().alias(name)


def _word(kind: int) -> int:
    """Give the number of the word that a companion has for a kind."""
    return min(kind, ARRAY) if kind > KVLIST else kind


def _exact(integers: pl.Series) -> bool:
    """Say whether every integer is exact as a double."""
    large = integers.filter(~integers.is_between(-_EXACT_INT, _EXACT_INT))
    return all(int(float(value)) == value for value in large.to_list())


def _list_dtype(kinds: set[int], parts: dict[int, tuple[Rows, pl.Series]]) -> pl.DataType | None:
    """Give the dtype of the items if all values are arrays that one list column holds without loss."""
    filled = kinds - {EMPTY_ARRAY}
    if not filled:
        return pl.String()
    if len(filled) == 1:
        return _LISTS.get(min(filled))
    if filled == {INTS, DOUBLES}:
        items = parts[INTS][1].map_elements(json.loads, return_dtype=pl.List(pl.Int64)).explode()
        return pl.Float64() if _exact(items) else None
    return None


def _read_lists(texts: pl.Series, inner: pl.DataType) -> pl.Series:
    items = [json.loads(text) for text in texts.to_list()]
    if inner == pl.Float64:
        items = [[float(item) for item in row] for row in items]
    return pl.Series(texts.name, items, dtype=pl.List(inner))


def _rest(level: Level, chosen: set[str]) -> list[pl.DataFrame]:
    """Give row (of the span), full key, text and type word of the entries whose keys are not chosen."""
    found = []
    for offset, entries in level.pieces:
        left_out = np.array([key is not None and key not in chosen for key in entries.keys], dtype=bool)
        if not left_out.any():
            continue
        names = pl.Series([f"{level.scope}.{key}" for key in entries.keys], dtype=pl.String)
        for kind, part in entries.parts.items():
            codes = np.repeat(np.arange(len(entries.keys)), np.diff(part.starts))
            where = np.flatnonzero(left_out[codes])
            if not where.size:
                continue
            found.append(
                pl.DataFrame(
                    {
                        "row": part.rows[where] + np.uint32(offset),
                        "key": names.gather(pl.Series(codes[where])),
                        "value": as_text(part.values.gather(pl.Series(where)), kind),
                        "type": pl.Series(
                            [None if kind == STRING else VALUE_TYPES[_word(kind)]], dtype=pl.String
                        ).new_from_index(0, where.size),
                    }
                )
            )
    if level.owners is None or not found:
        return found
    spans = pl.DataFrame({"owner": level.owners}).with_row_index("row")
    entries_frame = pl.concat(found).rename({"row": "owner"})
    return [spans.join(entries_frame, on="owner", maintain_order="left_right").select("row", "key", "value", "type")]



"""Long tables of attributes to columns: which keys get one, of which dtype, and where the rest goes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.loaders.columns.chunk import (
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
from tracelab.loaders.columns.nested import text_map
from tracelab.loaders.columns.text import as_text
from tracelab.loaders.input.parallel import in_order
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.schema import ATTRIBUTES, TYPE_SUFFIX, VALUE_TYPES

MAX_COLUMNS: Final = 1024
MIN_CELLS: Final = 20_000_000
_MANY_KEYS: Final = 64
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


@dataclass(frozen=True, slots=True)
class Held:
    """The values of one kind that a key has: who has one, the values, and which of them each has."""

    rows: Rows
    values: pl.Series
    picks: npt.NDArray[np.uint32]


Parts = dict[int, Held]


@dataclass(slots=True)
class Level:
    """The attributes of all spans, all resources or all scopes.

    Attributes
    ----------
    scope
        The prefix of their columns.
    pieces
        Entries chunk by chunk, with the number of owners in earlier chunks.
    places
        For each owner its place: of a span its row in the frame (or one past the last, if it is a duplicate), of a
        resource or scope its number.
    owners
        For each row of the frame the number of its resource or scope; None for spans, which own their attributes.
    spans
        The height of the frame.
    """

    scope: str
    pieces: list[tuple[int, Entries]]
    places: npt.NDArray[np.uint32]
    owners: npt.NDArray[np.uint32] | None
    spans: int

    def weights(self) -> npt.NDArray[np.int64]:
        """Give the number of rows of each owner."""
        if self.owners is None:
            return (self.places < self.spans).astype(np.int64)
        return np.bincount(self.owners, minlength=self.places.size)

    def frequencies(self) -> dict[str, int]:
        """Give for each key the number of spans that have it."""
        weights = self.weights()
        alike = bool((weights == 1).all())
        found: dict[str, int] = {}
        for offset, entries in self.pieces:
            counts = np.zeros(len(entries.keys), dtype=np.int64)
            for part in entries.parts.values():
                if alike:
                    counts += np.diff(part.starts)
                    continue
                summed = np.zeros(part.rows.size + 1, dtype=np.int64)
                np.cumsum(weights[part.rows + np.uint32(offset)], out=summed[1:])
                counts += summed[part.starts[1:]] - summed[part.starts[:-1]]
            for key, count in zip(entries.keys, counts.tolist(), strict=True):
                if key is not None:
                    found[key] = found.get(key, 0) + count
        return found


def ranked_keys(levels: list[Level]) -> list[tuple[int, str, str, str]]:
    """Give each key with the number of its spans, its full name and its scope: the most frequent first."""
    frequencies = [
        (-count, f"{level.scope}.{key}", level.scope, key)
        for level in levels
        for key, count in level.frequencies().items()
        if count
    ]
    return [(-count, name, scope, key) for count, name, scope, key in sorted(frequencies)]


def chosen_keys(levels: list[Level], spans: int) -> dict[str, list[str]]:
    """Choose the keys that get a column: the most frequent, while their cells stay within the budget."""
    ranked = ranked_keys(levels)
    entries = sum(count for count, *_ in ranked)
    columns = min(MAX_COLUMNS, max(MIN_CELLS, 2 * entries) // max(spans, 1))
    chosen: dict[str, list[str]] = {level.scope: [] for level in levels}
    for _, _, scope, key in ranked[:columns]:
        chosen[scope].append(key)
    return chosen


def attribute_columns(level: Level, keys: list[str], findings: Findings) -> list[pl.Series]:
    """Make the columns of these keys, and a companion where one holds a mix of types. The entries are used up."""
    lookups = [
        (offset, entries, {key: code for code, key in enumerate(entries.keys)}) for offset, entries in level.pieces
    ]

    def columns_of(key: str) -> tuple[list[pl.Series], Findings]:
        noticed = Findings()
        found: dict[int, list[Held]] = {}
        for offset, entries, codes in lookups:
            code = codes.get(key)
            if code is None:
                continue
            for kind, part in entries.parts.items():
                rows, values, picks = part.shared(code)
                if rows.size:
                    picks = np.arange(rows.size, dtype=np.uint32) if picks is None else picks
                    found.setdefault(kind, []).append(Held(level.places[rows + np.uint32(offset)], values, picks))
                    part.let_go(code)
        parts: Parts = {kind: _joined(held) for kind, held in sorted(found.items())}
        del found
        return _key_columns(f"{level.scope}.{key}", parts, level, noticed), noticed

    columns = []
    for made, noticed in in_order(columns_of, iter(keys)):
        columns.extend(made)
        findings.merge(noticed)
    return columns


def more_attributes(rest: list[pl.DataFrame], keys: list[str], spans: int, findings: Findings) -> pl.Series:
    """Make the map of the attributes that got no column. What `left_out` gave of them is used up."""
    if not rest:
        return pl.Series("more_attributes", [None], dtype=ATTRIBUTES).new_from_index(0, spans)
    frame = pl.concat(rest, how="vertical_relaxed")
    rest.clear()
    if frame["row"].max() == spans:
        frame = frame.filter(pl.col("row") < spans)
    told = pl.Series(keys, dtype=pl.String)
    names, ranks = told.unique().sort(), told.rank("dense") - 1
    # One number to sort by takes less memory and time than a number and a text.
    places = frame["row"].cast(pl.Int64) * names.len() + ranks.gather(frame["key"]).cast(pl.Int64)
    order = np.argsort(places.to_numpy(), kind="stable")
    places = places.gather(pl.Series(order))
    last = np.append(np.diff(places.to_numpy()) > 0, True)
    if not last.all():
        findings.add(problems.DUPLICATE_KEYS, int((~last).sum()), place="more_attributes")
        order, places = order[last], places.filter(pl.Series(last))
    kept = pl.Series(order)
    held, values, types = names.gather(places % names.len()), frame["value"].gather(kept), frame["type"].gather(kept)
    rows = places // names.len()
    del frame, places, kept, order
    if types.null_count() < types.len():
        held, values, rows = _with_types(held, values, rows, types)
    ends = np.searchsorted(rows.to_numpy(), np.arange(1, spans + 1))
    texts = text_map(held, values, ends, empty_is_null=True)
    del held, values
    maps: pl.Series = pl.from_arrow(texts)  # type: ignore[assignment]
    return maps.cast(ATTRIBUTES).alias("more_attributes")


def _with_types(
    keys: pl.Series, values: pl.Series, rows: pl.Series, types: pl.Series
) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Put the types of values that are no text among the others, under keys of their own."""
    frame = pl.DataFrame({"row": rows, "key": keys, "value": values})
    typed = types.is_not_null()
    told = pl.DataFrame({"row": rows, "key": keys + TYPE_SUFFIX, "value": types}).filter(typed)
    both = pl.concat([frame, told]).sort("row", "key")
    return both["key"], both["value"], both["row"]


def left_out(level: Level, chosen: list[str], names: list[str]) -> list[pl.DataFrame]:
    """Give row (of the span), key, text and type word of the entries that have other keys than these.

    Keys are places in `names`, to which full ones are added.
    """
    found = []
    columns = set(chosen)
    for offset, entries in level.pieces:
        first = len(names)
        names += [f"{level.scope}.{key}" for key in entries.keys]
        left = [code for code, key in enumerate(entries.keys) if key is not None and key not in columns]
        if len(left) >= _MANY_KEYS:
            found += _many_left_out(level, entries, offset, left, first)
            continue
        for code in left:
            for kind, part in entries.parts.items():
                rows, values = part.of(code)
                if rows.size:
                    keys = pl.Series([first + code], dtype=pl.UInt32).new_from_index(0, rows.size)
                    found.append(_texts(level.places[rows + np.uint32(offset)], keys, values, kind))
                    part.let_go(code)
    if level.owners is None or not found:
        return found
    spans = pl.DataFrame({"owner": level.owners}).with_row_index("row")
    entries_frame = pl.concat(found, how="vertical_relaxed").rename({"row": "owner"})
    return [spans.join(entries_frame, on="owner", maintain_order="left_right").select("row", "key", "value", "type")]


def fingerprints(levels: list[Level], suspects: npt.NDArray[np.int64], spans: int) -> npt.NDArray[np.uint64]:
    """Give for each suspected row a number that depends on all of its attributes, in whatever order they stand."""
    numbers = np.zeros(spans + 1, dtype=np.uint64)
    for level in levels:
        own = np.zeros(level.places.size, dtype=np.uint64)
        wanted = np.zeros(level.places.size, dtype=bool)
        wanted[suspects if level.owners is None else level.owners[suspects]] = True
        for offset, entries in level.pieces:
            keys = pl.Series([f"{level.scope}.{key}" for key in entries.keys], dtype=pl.String).hash(seed=3).to_numpy()
            for kind, part in entries.parts.items():
                owners = part.rows + np.uint32(offset)
                if not wanted[owners].any():
                    continue
                hashes = np.concatenate(
                    [part.of(code)[1].hash(seed=kind).to_numpy() for code in range(len(entries.keys))]
                )
                mixed = (hashes ^ np.repeat(keys, np.diff(part.starts))) * np.uint64(0x9E3779B97F4A7C15)
                np.add.at(own, owners, mixed ^ (mixed >> np.uint64(29)))
        numbers[:spans] += own if level.owners is None else own[level.owners]
    return numbers[suspects]


def _joined(held: list[Held]) -> Held:
    if len(held) == 1:
        return held[0]
    starts = np.cumsum([0, *(each.values.len() for each in held[:-1])]).astype(np.uint32)
    return Held(
        np.concatenate([each.rows for each in held]),
        pl.concat([each.values for each in held]),
        np.concatenate([each.picks + start for each, start in zip(held, starts, strict=True)]),
    )


def _key_columns(name: str, parts: Parts, level: Level, findings: Findings) -> list[pl.Series]:
    kinds = set(parts)
    if kinds == {INT, DOUBLE} and is_exact(parts[INT].values):
        parts = {kind: replace(held, values=held.values.cast(pl.Float64)) for kind, held in parts.items()}
        return [_scattered(name, parts, level, findings)]
    if len(kinds) == 1 and not kinds.isdisjoint(_SCALARS):
        return [_scattered(name, parts, level, findings)]
    inner = _list_dtype(kinds, parts)
    if inner is not None:
        parts = {kind: replace(held, values=_read_lists(held.values, inner)) for kind, held in parts.items()}
        return [_scattered(name, parts, level, findings)]
    if len(kinds) > 1:
        words = ", ".join(sorted({VALUE_TYPES[_word(kind)] for kind in kinds}))
        findings.add(problems.MIXED_TYPES, place=name, example=words)
    texts = {kind: replace(held, values=as_text(held.values, kind)) for kind, held in parts.items()}
    types = {
        kind: Held(held.rows, pl.Series([VALUE_TYPES[_word(kind)]], dtype=pl.String), np.zeros_like(held.picks))
        for kind, held in parts.items()
    }
    return [_scattered(name, texts, level, findings), _scattered(name + TYPE_SUFFIX, types, level, Findings())]


def _scattered(name: str, parts: Parts, level: Level, findings: Findings) -> pl.Series:
    """Put values into a column of one cell per span, null where there is none."""
    held = _joined(list(parts.values()))
    cells = level.spans if level.owners is None else level.places.size
    nothing = held.values.len()
    places = np.full(cells + 1, nothing, dtype=np.uint32)
    places[held.rows] = held.picks
    kept = held.rows.size - int((held.rows == cells).sum())
    places = places[:cells]
    findings.add(problems.DUPLICATE_KEYS, kept - int((places != nothing).sum()), place=name)
    if level.owners is not None:
        places = places[level.owners]
    # Gathering from one piece of memory is several times faster than from many.
    values = pl.concat([held.values, pl.Series([None], dtype=held.values.dtype)], rechunk=True)
    return values.gather(pl.Series(places)).alias(name)


def _word(kind: int) -> int:
    """Give the number of the word that a companion has for a kind."""
    return ARRAY if kind > KVLIST else kind


def is_exact(integers: pl.Series) -> bool:
    """Say whether every integer is exact as a double."""
    large = integers.filter(~integers.is_between(-_EXACT_INT, _EXACT_INT))
    return all(int(float(value)) == value for value in large.to_list())


def _list_dtype(kinds: set[int], parts: Parts) -> pl.DataType | None:
    """Give the dtype of the items if all values are arrays that one list column holds without loss."""
    filled = kinds - {EMPTY_ARRAY}
    if not filled:
        return pl.String()
    if len(filled) == 1:
        return _LISTS.get(min(filled))
    if filled == {INTS, DOUBLES}:
        integers = pl.Series(
            [item for text in parts[INTS].values.to_list() for item in json.loads(text)], dtype=pl.Int64
        )
        return pl.Float64() if is_exact(integers) else None
    return None


def _read_lists(texts: pl.Series, inner: pl.DataType) -> pl.Series:
    items: list[Any] = [json.loads(text) for text in texts.to_list()]
    if inner == pl.Float64:
        items = [[float(item) for item in row] for row in items]
    return pl.Series(texts.name, items, dtype=pl.List(inner))


def _many_left_out(level: Level, entries: Entries, offset: int, left: list[int], first: int) -> list[pl.DataFrame]:
    """Give the same where there are very many keys, all at once."""
    is_left = np.zeros(len(entries.keys), dtype=bool)
    is_left[left] = True
    found = []
    for kind, part in entries.parts.items():
        counts = np.diff(part.starts)
        if len(part.values) == counts.size:
            counts[[values is None for values in part.values]] = 0
        if part.picks is None:
            held = [values for values in part.values if values is not None]
        else:
            held = [part.of(code)[1] for code in np.flatnonzero(counts).tolist()]
        starts = np.repeat(part.starts[:-1], counts) + _within(counts)
        codes = np.repeat(np.arange(len(entries.keys)), counts)
        where = np.flatnonzero(is_left[codes])
        if where.size:
            values = pl.concat(held) if len(held) > 1 else held[0]
            rows = level.places[part.rows[starts[where]] + np.uint32(offset)]
            keys = pl.Series(codes[where] + first, dtype=pl.UInt32)
            found.append(_texts(rows, keys, values.gather(pl.Series(where)), kind))
    return found


def _within(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Count from zero within each group."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if ends.size else 0) - np.repeat(ends - counts, counts)


def _texts(rows: Rows, keys: pl.Series, values: pl.Series, kind: int) -> pl.DataFrame:
    word = None if kind == STRING else VALUE_TYPES[_word(kind)]
    types = pl.Series([word]).new_from_index(0, rows.size)
    return pl.DataFrame({"row": rows, "key": keys, "value": as_text(values, kind), "type": types})

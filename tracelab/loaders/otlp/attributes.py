"""Attributes that were lifted out of the text of OTLP JSON: whose they are, and what each distinct one says."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from tracelab.loaders.columns.chunk import BOOL, DOUBLE, INT, STRING, VALUE_DTYPES, Entries
from tracelab.loaders.columns.dictionary import Dictionary
from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.columns.nested import integers
from tracelab.loaders.documents.values import any_value
from tracelab.loaders.otlp.scanning import FIRST, Flags, Ints
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.loaders.otlp.groups import Lists
    from tracelab.loaders.otlp.lifting import Lifted

_Values = dict[int, list[tuple[Ints, pl.Series]]]
"""For each kind of value the places of the texts that have one, and the values."""
_Read = Callable[[pa.BinaryArray, Ints, _Values], pa.Array]

_NESTED: Final = ['"arrayValue"', '"kvlistValue"', '"bytesValue"']
_WHOLE_NUMBER: Final = '"intValue": ?[-0-9]'
_DECODER: Final = msgspec.json.Decoder()
_NOTHING: Final = -1
_BYTES: Final = pa.Array.from_buffers(
    pa.binary(), 2, [None, pa.py_buffer(np.array([0, 0, 1], dtype=np.int32)), pa.py_buffer(b"\n")]
)
# `pa.scalar` would import pandas, to see whether it is given one of its own.
_NOTHING_BETWEEN, _LINE_BREAK = _BYTES[0], _BYTES[1]
_SCALARS: Final = {"stringValue": STRING, "boolValue": BOOL, "intValue": INT, "doubleValue": DOUBLE}


class Attributes:
    """The attributes of a piece.

    Parameters
    ----------
    lifted
        What was lifted out of the text.
    levels
        Of spans, of resources, of events and so on: for each the number of its run (-1 for none), and the lists of
        attributes that were left, with whose each is: in each the number of a run, or the objects that stayed in the
        text among such numbers.

    Raises
    ------
    DoesNotFit
        There are attributes that must be read one by one, or what was lifted was no attributes.
    """

    def __init__(self, lifted: Lifted, levels: Sequence[tuple[Ints, Lists]]) -> None:
        self._ends = lifted.ends
        self._codes = lifted.codes
        self._more: list[str] = []
        self._first_more = len(lifted.texts)
        self._found = 0
        self._seen = np.zeros(lifted.ends.size, dtype=bool)
        self._lifted = lifted.texts
        self._levels = [self._level(numbers, lists) for numbers, lists in levels]
        if self._found != self._seen.size or not self._seen.all():
            raise DoesNotFit("attributes where none should be")
        texts = lifted.texts
        if self._more:
            texts = pa.concat_arrays([texts, pl.Series(self._more, dtype=pl.String).to_arrow().cast(pa.binary())])
        self._dictionary = _read(texts)

    def entries(self, level: int, findings: Findings, where: str) -> Entries:
        """Make long tables of the attributes of a level; empty ones are counted."""
        owners, codes = self._levels[level]
        if codes.size:
            findings.add(problems.EMPTY_VALUES, int((self._dictionary.kinds[codes] < 0).sum()), place=where)
        return self._dictionary.entries(owners, codes)

    def texts(self, level: int, count: int, findings: Findings, where: str) -> tuple[pl.Series, pl.Series, Ints]:
        """Give keys and values of the attributes of a level as text, and where those of each of its items end."""
        owners, codes = self._levels[level]
        values = self._dictionary.texts(codes)
        keys = self._dictionary.keys[codes]
        # Numbers of at most 32 bits each.
        if pl.Series((owners.astype(np.int64) << 32) | keys).n_unique() < codes.size:
            raise DoesNotFit("keys that are double")
        full = values.is_not_null()
        findings.add(problems.EMPTY_VALUES, int((~full).sum()), place=where)
        kept = full.to_numpy()
        names = pl.Series(self._dictionary.names, dtype=pl.String).gather(pl.Series(keys[kept]))
        return names, values.filter(full), np.cumsum(np.bincount(owners[kept], minlength=count))

    def _level(self, numbers: Ints, lists: Lists) -> tuple[npt.NDArray[np.uint32], Ints]:
        """Give owner and text of each attribute."""
        rows = np.flatnonzero(numbers >= 0)
        runs = numbers[rows]
        mixed = None
        if all(len(held) == 1 and type(held[0]) is int for _, held in lists):
            rows = np.append(rows, np.array([row for row, _ in lists], dtype=np.int64))
            runs = np.append(runs, np.array([held[0] for _, held in lists], dtype=object) - FIRST)
        else:
            mixed = self._mixed(lists)
        runs = self._taken(runs)
        ends = self._ends[runs]
        counts = ends - np.where(runs > 0, self._ends[runs - 1], 0)
        places = np.arange(int(counts.sum())) + np.repeat(ends - np.cumsum(counts), counts)
        owners = np.repeat(rows.astype(np.uint32), counts)
        codes = self._codes[places].astype(np.int64)
        if mixed is None:
            return owners, codes
        return np.append(owners, mixed[0]), np.append(codes, mixed[1])

    def _mixed(self, lists: Lists) -> tuple[npt.NDArray[np.uint32], Ints]:
        """Give the same where some attributes stayed in the text."""
        owners: list[int] = []
        codes: list[int] = []
        try:
            for row, held in lists:
                for item in held:
                    found = self._run(item) if type(item) is int else [self._add(item)]
                    owners.extend([row] * len(found))
                    codes.extend(found)
        except RecursionError as error:
            raise DoesNotFit("values nested too deep") from error
        return np.array(owners, dtype=np.uint32), np.array(codes, dtype=np.int64)

    def _taken(self, runs: Ints) -> Ints:
        if runs.size and (runs.min() < 0 or runs.max() >= self._seen.size):
            raise DoesNotFit("numbers where attributes should be")
        runs = runs.astype(np.int64)
        self._seen[runs] = True
        self._found += runs.size
        return runs

    def _run(self, number: int) -> list[int]:
        run = number - FIRST
        if not 0 <= run < self._seen.size:
            raise DoesNotFit("numbers where attributes should be")
        self._seen[run] = True
        self._found += 1
        start = int(self._ends[run - 1]) if run else 0
        found: list[int] = self._codes[start : int(self._ends[run])].tolist()
        return found

    def _add(self, item: Any) -> int:
        """Add the text of an attribute that stayed, whole again."""
        self._more.append(json.dumps(self._whole(item), ensure_ascii=False))
        return self._first_more + len(self._more) - 1

    def _whole(self, item: Any) -> Any:
        """Put what was lifted out of the values of an attribute back into them."""
        if isinstance(item, dict):
            return {key: self._whole(held) for key, held in item.items()}
        if not isinstance(item, list):
            return item
        found = []
        for held in item:
            if type(held) is int:
                found += [_DECODER.decode(self._lifted[code].as_py()) for code in self._run(held)]
            else:
                found.append(self._whole(held))
        return found


def _read(texts: pa.BinaryArray) -> Dictionary:
    """Decode distinct attributes."""
    if not len(texts):
        return Dictionary([], np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int8))
    keys: list[pa.Array] = []
    rows: list[Ints] = []
    values: _Values = {}
    try:
        # As most are: scalars, and whole numbers as text.
        rows.append(np.arange(len(texts)))
        keys.append(_scalars(texts, rows[0], values, integer=pa.string()))
    except DoesNotFit:
        keys, rows, values = [], [], {}
        for which, read in _sorted(texts):
            rows.append(which)
            keys.append(read(texts.take(integers(which)), which, values))
    encoded = pa.concat_arrays(keys).dictionary_encode()
    codes = np.empty(len(texts), dtype=np.int32)
    codes[np.concatenate(rows)] = np.frombuffer(encoded.indices.buffers()[1], dtype=np.int32, count=len(texts))
    dictionary = Dictionary(encoded.dictionary.to_pylist(), codes, np.full(len(texts), _NOTHING, dtype=np.int8))
    for kind, held in sorted(values.items()):
        places, columns = zip(*held, strict=True)
        dictionary.add(kind, np.concatenate(places), columns[0] if len(columns) == 1 else pl.concat(columns))
    return dictionary


def _sorted(texts: pa.BinaryArray) -> list[tuple[Ints, _Read]]:
    """Give the places of attributes that are read alike, and how."""
    series = pl.Series(texts.to_pylist(), dtype=pl.Binary).cast(pl.String)
    nested = series.str.contains_any(_NESTED).to_numpy()
    numbers = series.str.contains(_WHOLE_NUMBER).to_numpy() & ~nested
    ways: list[tuple[Flags, _Read]] = [
        (~nested & ~numbers, partial(_scalars, integer=pa.string())),
        (numbers, partial(_scalars, integer=pa.int64())),
        (nested, _one_by_one),
    ]
    return [(np.flatnonzero(mask), read) for mask, read in ways if mask.any()]


def _scalars(texts: pa.BinaryArray, rows: Ints, values: _Values, *, integer: pa.DataType) -> pa.Array:
    """Read attributes whose values are scalars; give their keys."""
    scalar = [
        ("stringValue", pa.string()),
        ("boolValue", pa.bool_()),
        ("intValue", integer),
        ("doubleValue", pa.float64()),
    ]
    schema = pa.schema([("key", pa.string()), ("value", pa.struct(scalar))])
    table = _parsed(pc.binary_join_element_wise(texts, _NOTHING_BETWEEN, _LINE_BREAK), schema)
    keys, held = (table.column(name).combine_chunks() for name in ("key", "value"))
    if keys.null_count:
        raise DoesNotFit("an attribute without a key")
    filled = np.zeros(len(texts), dtype=bool)
    for field, kind in _SCALARS.items():
        array = held.field(field)
        if array.null_count == len(array):
            continue
        which = _valid(array)
        if (filled & which).any():
            raise DoesNotFit("values with two types")
        filled |= which
        column: pl.Series = pl.from_arrow(array.drop_null())  # type: ignore[assignment]
        if kind == INT and column.dtype == pl.String:
            column = column.cast(pl.Int64, strict=False)
            if column.null_count():
                raise DoesNotFit("an integer that is none")
        values.setdefault(kind, []).append((rows[which], column))
    return keys


def _valid(array: pa.Array) -> Flags:
    """Say where an array has values."""
    bitmap = array.buffers()[0]
    if bitmap is None:
        return np.ones(len(array), dtype=bool)
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), bitorder="little", count=array.offset + len(array))
    return bits[array.offset :].view(bool)


def _one_by_one(texts: pa.BinaryArray, rows: Ints, values: _Values) -> pa.Array:
    """Read attributes whose values are nested; give their keys."""
    findings = Findings()
    keys: list[str] = []
    found: dict[int, tuple[list[int], list[Any]]] = {}
    try:
        for row, text in zip(rows.tolist(), texts.to_pylist(), strict=True):
            pair = _DECODER.decode(text)
            if (
                not isinstance(pair, dict)
                or not isinstance(pair.get("key"), str)
                or not pair.keys() <= {"key", "value"}
            ):
                raise DoesNotFit("an attribute without a key")
            keys.append(pair["key"])
            value = any_value(pair.get("value"), findings, "")
            if value is not None:
                held = found.setdefault(value[0], ([], []))
                held[0].append(row)
                held[1].append(value[1])
    except (msgspec.DecodeError, RecursionError) as error:
        raise DoesNotFit(str(error)) from error
    if findings.found:
        raise DoesNotFit("values that must be counted one by one")
    for kind, (places, contents) in found.items():
        column = pl.Series(contents, dtype=VALUE_DTYPES[kind])
        values.setdefault(kind, []).append((np.array(places, dtype=np.int64), column))
    return pl.Series(keys, dtype=pl.String).to_arrow().cast(pa.string())


def _parsed(lines: pa.BinaryArray, schema: pa.Schema) -> pa.Table:
    """Parse texts that end in a line break each."""
    _, offsets, content = lines.buffers()
    content = content.slice(0, int(np.frombuffer(offsets, dtype=np.int32)[len(lines)]))
    try:
        table = arrow_json.read_json(
            pa.BufferReader(content),
            parse_options=arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=content.size + 1),
        )
    except pa.ArrowException as error:
        raise DoesNotFit(str(error)) from error
    if table.num_rows != len(lines):
        raise DoesNotFit("more than one object in a line")
    return table

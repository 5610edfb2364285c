"""OTel-Arrow (OTAP): spans, and what they have, as tables that are joined by numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from pyarrow import parquet

from tracelab.errors import LoadError
from tracelab.loaders.columns.arrays import ArrayReader, field_of, is_text, unsigned, valid
from tracelab.loaders.columns.chunk import BOOL, BYTES, DOUBLE, INT, STRING, Chunk
from tracelab.loaders.columns.long_tables import Attributes, entries_of, maps_of
from tracelab.loaders.columns.nested import list_of_structs
from tracelab.loaders.columns.normalise import link_ids, normalise
from tracelab.loaders.documents.values import plain_value
from tracelab.loaders.input import cbor
from tracelab.loaders.input.columnar import open_columnar
from tracelab.loaders.input.sibling_files import SPANS, tables_beside
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.schema import EVENTS, LINKS, TIME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tracelab.loaders.input.columnar import ColumnarFile

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PLAIN: Final = "plain"
DELTA: Final = "delta"
QUASI_DELTA: Final = "quasidelta"
_NEEDED: Final = {"trace_id", "span_id", "start_time_unix_nano", "duration_time_unix_nano"}
_ATTRIBUTES: Final = {"parent_id", "key", "type"}
_NOBODY: Final = -1
_LARGEST: Final = 2**63 - 1
# The table that each table's rows belong to, and the column there with their numbers.
_OWNERS: Final = {
    "span_attrs": (SPANS, "id"),
    "span_events": (SPANS, "id"),
    "span_links": (SPANS, "id"),
    "resource_attrs": (SPANS, "resource.id"),
    "scope_attrs": (SPANS, "scope.id"),
    "span_event_attrs": ("span_events", "id"),
    "span_link_attrs": ("span_links", "id"),
}
# The numbers of types as OpenTelemetry's pdata has them. An empty value has none of its own.
_STR, _INT, _DOUBLE, _BOOL, _MAP, _SLICE, _BYTES = range(1, 8)
_COLUMNS: Final = {
    "str": (STRING, (_STR,)),
    "int": (INT, (_INT,)),
    "double": (DOUBLE, (_DOUBLE,)),
    "bool": (BOOL, (_BOOL,)),
    "bytes": (BYTES, (_BYTES,)),
    "ser": (None, (_MAP, _SLICE)),
}
_DEFAULTS: Final[tuple[tuple[int, int, Any], ...]] = (
    (_STR, STRING, ""),
    (_INT, INT, 0),
    (_DOUBLE, DOUBLE, 0.0),
    (_BOOL, BOOL, False),
    (_BYTES, BYTES, ""),
)


class BadTable(Exception):  # noqa: N818 - it never leaves the loaders
    """A table that cannot be joined with others."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Tables that belong together, as structs, by their names in lower case; and where they stand.

    Attributes
    ----------
    encoding
        How numbers are encoded where a table does not say it; None for the usual way of what is sent.
    whole
        The owners of all rows are here, so that those whose owner is not have none.
    alone
        Spans were read without the other tables, so that what they name there is missing.
    """

    tables: Mapping[str, pa.StructArray]
    where: str
    encoding: str | None = None
    whole: bool = True
    alone: bool = False


def has_spans(columns: frozenset[str]) -> bool:
    """Say whether columns are those of a table of spans."""
    return columns >= _NEEDED


def is_attributes(columns: frozenset[str]) -> bool:
    """Say whether columns are those of a table of attributes."""
    return columns >= _ATTRIBUTES


def chunks(file: ColumnarFile, findings: Findings) -> Iterator[Chunk]:
    """Read a file of spans, and what belongs to them from the files beside it.

    Raises
    ------
    LoadError
        A file is damaged.
    """
    beside = tables_beside(file.path) if file.path else {}
    try:
        chunk, found = chunk_of(_batch(file, beside))
    except BadTable as error:
        raise LoadError(f"{file.name}: {error}.") from error
    findings.merge(found)
    yield chunk


def _batch(file: ColumnarFile, beside: dict[str, list[Path]]) -> Batch:
    """Read the tables that belong to a file of spans; where these are in several files, what is near their numbers."""
    encoding = None if file.table is not None else PLAIN
    whole = len(beside.get(SPANS, ())) <= 1
    tables = {SPANS: _structs(file)}
    for name, (owner, path) in _OWNERS.items():
        paths = beside.get(name, [])
        if not paths or owner not in tables:
            continue
        if not whole:
            numbers = _Reader(Batch(tables, SPANS, encoding)).numbers(tables[owner], path, DELTA)
            paths = [each for each in paths if _overlaps(each, numbers[numbers != _NOBODY])]
        held = [_structs(open_columnar(each, b"", str(each))) for each in paths]
        if held:
            tables[name] = held[0] if len(held) == 1 else _concatenated(held)
    return Batch(tables, SPANS, encoding, whole=whole, alone=not beside.keys() - {SPANS})


def _overlaps(path: Path, numbers: Ints) -> bool:
    """Say whether a file may hold rows that belong to one of these numbers."""
    status = path.stat()
    low, high = _parents_of(path, status.st_mtime_ns, status.st_size)
    return bool(numbers.size) and low <= int(numbers.max()) and high >= int(numbers.min())


@lru_cache(maxsize=1 << 16)
def _parents_of(path: Path, _changed: int, _size: int) -> tuple[int, int]:
    """Give the least and the largest number that rows of a file belong to, if it says them; else all numbers."""
    try:
        metadata = parquet.read_metadata(path)
        place = metadata.schema.names.index("parent_id")
        columns = [metadata.row_group(number).column(place) for number in range(metadata.num_row_groups)]
        plain = _encoding_of(parquet.read_schema(path).field("parent_id")) in (None, PLAIN)
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return 0, _LARGEST
    said = [column.statistics for column in columns if column.statistics and column.statistics.has_min_max]
    if not plain or len(said) < len(columns) or not said or not isinstance(said[0].min, int):
        return 0, _LARGEST
    return min(each.min for each in said), max(each.max for each in said)


def _structs(file: ColumnarFile) -> pa.StructArray:
    names = list(file.schema.names)
    batches = [batch.to_struct_array() for batch, _ in file.batches(names)]
    if not batches:
        return pa.array([], type=pa.struct(list(file.schema)))
    return batches[0] if len(batches) == 1 else _concatenated(batches)


def _concatenated(arrays: list[pa.StructArray]) -> pa.StructArray:
    """Put rows under one another, also where columns differ in how they are written or are missing in some."""
    tables = [pa.Table.from_batches([pa.RecordBatch.from_struct_array(each)]) for each in arrays]
    try:
        together = pa.concat_tables(tables, promote_options="permissive").unify_dictionaries().combine_chunks()
    except pa.ArrowException as error:
        raise BadTable(f"its parts do not go together ({error!s:.120})") from error
    found = together.to_struct_array()
    return found.chunk(0) if found.num_chunks else pa.array([], type=found.type)


def chunk_of(batch: Batch) -> tuple[Chunk, Findings]:
    """Join the tables of a batch.

    Raises
    ------
    BadTable
        Numbers are encoded in a way that is not known.
    """
    reader = _Reader(batch)
    spans = batch.tables[SPANS]
    ids = reader.numbers(spans, "id", DELTA)
    resource_ids, resources = reader.groups(reader.numbers(spans, "resource.id", DELTA))
    scope_ids, scopes, named = reader.scopes(spans)

    def place(row: int) -> str:
        return f"{batch.where}, row {row}"

    raw = reader.spans(spans).with_columns(
        reader.events(ids),
        reader.links(ids),
        pl.Series("resource", resources, dtype=pl.UInt32),
        pl.Series("scope", scopes, dtype=pl.UInt32),
    )
    chunk = Chunk(
        spans=normalise(raw, reader.findings, place),
        attributes=entries_of(reader.attributes("span_attrs", ids)),
        resources=entries_of(reader.attributes("resource_attrs", resource_ids)),
        resource_count=resource_ids.size,
        scopes=named,
        scope_attributes=entries_of(reader.attributes("scope_attrs", scope_ids)),
    )
    return chunk, reader.findings


class _Reader(ArrayReader):
    """Takes columns out of tables, and counts what it meets."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(Findings(), batch.where)
        self.batch = batch

    def spans(self, spans: pa.StructArray) -> pl.DataFrame:
        start = unsigned(self.nanoseconds(spans, "start_time_unix_nano").to_arrow())
        duration = self.nanoseconds(spans, "duration_time_unix_nano")
        # A duration that is not there is an end that is not there.
        end = np.where(duration.is_null().to_numpy(), np.uint64(0), start + unsigned(duration.to_arrow()))
        for name in ("dropped_attributes_count", "dropped_events_count", "dropped_links_count"):
            self._dropped(spans, name)
        status = _inner(spans, "status")
        return pl.DataFrame(
            {
                "trace_id": self.ids(spans, "trace_id"),
                "span_id": self.ids(spans, "span_id"),
                "parent_span_id": self.ids(spans, "parent_span_id"),
                "name": self.texts(spans, "name").fill_null(""),
                "kind": self.small(spans, "kind"),
                "start_time": self.instants(start, "start_time_unix_nano"),
                "end_time": self.instants(end, "duration_time_unix_nano"),
                "status_code": self.small(*_field(spans, status, "status", "code")),
                "status_message": self.texts(*_field(spans, status, "status", "status_message")),
                "trace_state": self.texts(spans, "trace_state"),
                "flags": self.integers(spans, "flags").clip(0, 2**32 - 1).cast(pl.UInt32),
            }
        )

    def nanoseconds(self, table: pa.StructArray, name: str) -> pl.Series:
        """Read a field of instants or durations."""
        array = field_of(table, name)
        if array is not None and (pa.types.is_timestamp(array.type) or pa.types.is_duration(array.type)):
            wanted = pa.timestamp("ns") if pa.types.is_timestamp(array.type) else pa.duration("ns")
            try:
                return self.integer(array.cast(wanted).cast(pa.int64()), name)
            except pa.ArrowInvalid:
                return self.misfits(array, name, pl.Int64())
        return self.integers(table, name)

    def scopes(self, spans: pa.StructArray) -> tuple[Ints, Ints, pl.DataFrame]:
        """Give the number of each scope, the scope of each span, and the names and versions of scopes."""
        inner = _inner(spans, "scope")
        keys = pl.DataFrame(
            {
                "id": self.numbers(spans, "scope.id", DELTA),
                "name": self.texts(*_field(spans, inner, "scope", "name")),
                "version": self.texts(*_field(spans, inner, "scope", "version")),
            }
        ).with_columns(pl.when(pl.col("name", "version") != "").then(pl.col("name", "version")))
        for level in ("resource", "scope"):
            self._dropped(*_field(spans, _inner(spans, level), level, "dropped_attributes_count"))
        scopes = keys.unique(maintain_order=True).with_row_index("scope")
        owners = keys.join(scopes, on=["id", "name", "version"], how="left", nulls_equal=True, maintain_order="left")
        return scopes["id"].to_numpy(), owners["scope"].to_numpy(), scopes.select("name", "version")

    def groups(self, ids: Ints) -> tuple[Ints, Ints]:
        """Give the distinct numbers, and for each row which of them it has."""
        distinct, owners = np.unique(ids, return_inverse=True)
        return distinct, owners

    def _dropped(self, table: pa.StructArray, name: str) -> None:
        self.findings.add(
            problems.DROPPED_BY_PRODUCER, int(self.counts(table, name).sum()), place=self.where, example=name
        )

    def events(self, ids: Ints) -> pl.Series:
        """Make the column of events; those of a span come in the order of their times."""
        table = self.batch.tables.get("span_events")
        self._missing("span_events", ids)
        if table is None or not len(table):
            return list_of_structs({}, owners=[], count=ids.size, dtype=EVENTS).alias("events")
        owners = self.owners(self.numbers(table, "parent_id", QUASI_DELTA, run="name"), ids, "span_events")
        times = self.instants(unsigned(self.nanoseconds(table, "time_unix_nano").to_arrow()), "time_unix_nano")
        order = np.lexsort((times.fill_null(0).to_numpy(), owners))
        order = order[owners[order] != _NOBODY]
        self._dropped(table, "dropped_attributes_count")
        own = self.numbers(table, "id", DELTA)[order]
        rows = pl.Series(order)
        fields = {
            "time": times.gather(rows).fill_null(0).cast(TIME).to_arrow(),
            "name": self.texts(table, "name").gather(rows).fill_null("").to_arrow(),
            "attributes": maps_of(self.attributes("span_event_attrs", own), order.size),
        }
        return list_of_structs(fields, owners=owners[order], count=ids.size, dtype=EVENTS).alias("events")

    def links(self, ids: Ints) -> pl.Series:
        """Make the column of links."""
        table = self.batch.tables.get("span_links")
        self._missing("span_links", ids)
        if table is None or not len(table):
            return list_of_structs({}, owners=[], count=ids.size, dtype=LINKS).alias("links")
        owners = self.owners(self.numbers(table, "parent_id", QUASI_DELTA, run="trace_id"), ids, "span_links")
        order = np.argsort(owners, kind="stable")
        order = order[owners[order] != _NOBODY]
        self._dropped(table, "dropped_attributes_count")
        own, rows = self.numbers(table, "id", DELTA)[order], pl.Series(order)
        columns = [self.ids(table, "trace_id"), self.ids(table, "span_id"), self.texts(table, "trace_state")]
        held = link_ids(pl.DataFrame([column.gather(rows) for column in columns]), self.findings)
        fields = {name: held[name].to_arrow() for name in held.columns}
        fields["attributes"] = maps_of(self.attributes("span_link_attrs", own), order.size)
        return list_of_structs(fields, owners=owners[order], count=ids.size, dtype=LINKS).alias("links")

    def attributes(self, name: str, ids: Ints) -> list[Attributes]:
        """Read a table of attributes of the owners that have these numbers."""
        table = self.batch.tables.get(name)
        if table is None:
            self._missing(name, ids)
            return []
        if not len(table):
            return []
        owners = self.owners(self.numbers(table, "parent_id", QUASI_DELTA), ids, name)
        keys = self.texts(table, "key").fill_null("")
        found = self.values(table)
        empty = len(table) - sum(rows.size for _, rows, _ in found)
        self.findings.add(problems.EMPTY_VALUES, empty, place=self.where, example=name)
        attributes = []
        for kind, rows, values in found:
            kept = np.flatnonzero(owners[rows] != _NOBODY)
            which = rows[kept]
            attributes.append(
                Attributes(owners[which], which, keys.gather(pl.Series(which)), kind, values.gather(pl.Series(kept)))
            )
        return attributes

    def _missing(self, name: str, ids: Ints) -> None:
        """Count a table that spans were read without, although they have numbers that it may speak of."""
        if self.batch.alone and name not in self.batch.tables:
            self.findings.add(problems.TABLES_MISSING, int((ids != _NOBODY).any()), place=self.where, example=name)

    def values(self, table: pa.StructArray) -> list[tuple[int, Ints, pl.Series]]:
        """Read the values of attributes: each in the column of its type, or else in the one that has something."""
        types = self.integers(table, "type")
        typed = types.fill_null(_NOBODY).to_numpy()
        done = typed == 0
        found: list[tuple[int, Ints, pl.Series]] = []
        for by_type in (True, False):
            for name, (kind, numbers) in _COLUMNS.items():
                array = field_of(table, name)
                if array is None:
                    continue
                usable = valid(array) & ~done & (np.isin(typed, numbers) if by_type else True)
                rows = np.flatnonzero(usable)
                if rows.size:
                    found += self._column(array, name, kind, rows, usable)
                    done = done | usable
        for number, kind, default in _DEFAULTS:
            # What has the value of an empty message need not be written.
            rows = np.flatnonzero((typed == number) & ~done)
            if rows.size:
                found.append((kind, rows, pl.Series([default]).new_from_index(0, rows.size)))
        return found

    def _column(
        self, array: pa.Array, name: str, kind: int | None, rows: Ints, usable: Bools
    ) -> list[tuple[int, Ints, pl.Series]]:
        if kind is None:
            return self.each(array, ~usable, self._serialised) if is_text(array.type) else []
        if kind == BYTES:
            series = self.ids(pa.StructArray.from_arrays([array], names=[name]), name)
            series = series.str.decode("hex", strict=False).bin.encode("base64")
        elif kind == STRING:
            series = self.text(array, name)
        elif kind == INT:
            series = self.integer(array, name)
        else:
            series = self.doubles(array, name) if kind == DOUBLE else self.booleans(array, name)
        rows = rows[series.is_not_null().to_numpy()[rows]]
        return [(kind, rows, series.gather(pl.Series(rows)))]

    def _serialised(self, content: bytes) -> tuple[int, Any] | None:
        try:
            return plain_value(cbor.decode(content), self.findings, self.where)
        except cbor.BadCbor as error:
            self.findings.add(problems.BAD_VALUE, place=self.where, example=str(error))
            return BYTES, pl.Series([content]).bin.encode("base64").item()

    def owners(self, parents: Ints, ids: Ints, name: str) -> Ints:
        """Give the row of the owner with each number; of owners that share one the first has all."""
        order = np.argsort(ids, kind="stable")
        order = order[ids[order] != _NOBODY]
        places = np.searchsorted(ids[order], parents)
        inside = np.minimum(places, max(order.size - 1, 0))
        found = ids[order][inside] == parents if order.size else np.zeros(parents.size, dtype=bool)
        owners = np.full(parents.size, _NOBODY, dtype=np.int64)
        owners[found] = order[inside[found]]
        if self.batch.whole:
            self.findings.add(problems.ORPHAN_ROWS, int((~found).sum()), place=self.where, example=name)
        return owners

    def numbers(self, table: pa.StructArray, path: str, usual: str, run: str | None = None) -> Ints:
        """Read numbers that join tables, however they are encoded; none is -1.

        Where a table does not say how, they are encoded as they usually are when they are sent.

        Raises
        ------
        BadTable
            It is said to be an encoding that is not known.
        """
        level, dot, name = path.rpartition(".")
        structs, name = _field(table, _inner(table, level), level, name) if dot else (table, name)
        held = self.integers(structs, name)
        there = held.is_not_null().to_numpy()
        numbers = held.fill_null(0).to_numpy()
        encoding = _encoding(structs, name) or self.batch.encoding or usual
        if encoding == DELTA:
            numbers = np.cumsum(numbers)
        elif encoding == QUASI_DELTA:
            numbers = _summed(numbers, ~(self._same_attribute(table) if run is None else self._same(table, run)))
        elif encoding != PLAIN:
            raise BadTable(f"{path} is encoded as {encoding!r}, which is not known")
        return np.where(there & (numbers >= 0), numbers, _NOBODY)

    def _same(self, table: pa.StructArray, name: str) -> Bools:
        """Say which rows have the same text as the row before; nothing is the same as nothing."""
        texts = self.ids(table, name) if name in ("trace_id", "bytes") else self.texts(table, name)
        return _repeats(texts)

    def _same_attribute(self, table: pa.StructArray) -> Bools:
        """Say which rows have the same key and value as the row before; arrays and maps never do."""
        types = self.integers(table, "type")
        typed = types.fill_null(0).to_numpy()
        value = np.zeros(len(table), dtype=bool)
        for name, number in (("str", _STR), ("bytes", _BYTES)):
            value |= (typed == number) & self._same(table, name)
        for name, number in (("int", _INT), ("double", _DOUBLE), ("bool", _BOOL)):
            array = field_of(table, name)
            if array is not None:
                series = {_INT: self.integer, _DOUBLE: self.doubles, _BOOL: self.booleans}[number](array, name)
                value |= (typed == number) & _repeats(series)
        return value & _repeats(types) & self._same(table, "key")


def _inner(table: pa.StructArray, name: str) -> pa.StructArray | None:
    """Give the structs in a field, if there are some."""
    array = field_of(table, name)
    return array if array is not None and pa.types.is_struct(array.type) else None


def _field(table: pa.StructArray, inner: pa.StructArray | None, level: str, name: str) -> tuple[pa.StructArray, str]:
    """Say where a field of a level stands: in structs of its own, or flat beside the others."""
    return (table, f"{level}_{name}") if inner is None else (inner, name)


def _encoding(structs: pa.StructArray, name: str) -> str | None:
    """Say how numbers are encoded, if the column says it."""
    place = structs.type.get_field_index(name)
    return _encoding_of(structs.type.field(place)) if place >= 0 else None


def _encoding_of(column: pa.Field) -> str | None:
    said = (column.metadata or {}).get(b"encoding")
    return None if said is None else said.decode("utf-8", "replace")


def _repeats(series: pl.Series) -> Bools:
    """Say which values are there, and the same as the one before."""
    return (series == series.shift(1)).fill_null(value=False).to_numpy()


def _summed(numbers: Ints, starts: Bools) -> Ints:
    """Add up numbers from each start on."""
    if not numbers.size:
        return numbers
    total = np.cumsum(numbers)
    first = np.flatnonzero(starts | (np.arange(numbers.size) == 0))
    before = total[first] - numbers[first]
    return total - np.repeat(before, np.diff(np.append(first, numbers.size)))

"""OTLP JSON the fast way: Arrow parses whole pieces of a file, and columns are taken out of its nested arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.json as arrow_json

from tracelab.loaders.columns.chunk import BOOL, DOUBLE, INT, STRING, VALUE_DTYPES, Chunk, Entries, part
from tracelab.loaders.columns.documents import KIND_NUMBERS, STATUS_NUMBERS
from tracelab.loaders.columns.nested import integers, lists, text_map
from tracelab.loaders.columns.normalise import link_ids, normalise
from tracelab.loaders.columns.pairs import DoesNotFit
from tracelab.loaders.columns.text import as_text, full_lines, scalar_text
from tracelab.loaders.columns.values import any_value
from tracelab.loaders.otlp.shape import Shape, schema_of
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.schema import EVENTS, LINKS

Ints = npt.NDArray[np.int64]
Origin = Callable[[int], str]

_SCALARS: Final = {"stringValue": STRING, "boolValue": BOOL, "intValue": INT, "doubleValue": DOUBLE}


class _Object(msgspec.Struct, gc=False):
    """Any JSON object: decoding into it looks at the text but makes no objects."""


_BLANK_LINE: Final = 64
_OBJECT: Final = msgspec.json.Decoder(_Object)


def parse(content: bytes, shape: Shape) -> pa.Table:
    """Parse lines of JSON.

    Raises
    ------
    DoesNotFit
        The text is not spelled as the shape says, or is no valid UTF-8, which Arrow does not check.
    """
    try:
        if not content.isascii():
            content.decode("utf-8")
        # Arrow trusts that every document is an object: a null where one should be is more than it survives.
        for line in full_lines(content):
            if len(line) > _BLANK_LINE or bytes(line).strip():
                _OBJECT.decode(line)
        return arrow_json.read_json(
            pa.BufferReader(content),
            parse_options=arrow_json.ParseOptions(explicit_schema=schema_of(shape), unexpected_field_behavior="error"),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(content) + 1),
        )
    except (pa.ArrowException, msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DoesNotFit(str(error)) from error


def chunk_of(table: pa.Table, shape: Shape, origin: Origin) -> tuple[Chunk, Findings]:
    """Take the columns of a chunk out of a parsed piece; `origin` tells where a line of it stands."""
    findings = Findings()
    if shape.bare:
        groups = pa.StructArray.from_arrays(
            [table.column(name).combine_chunks() for name in table.column_names], names=table.column_names
        )
        line_of_group = np.arange(len(groups))
    else:
        groups, line_of_group = _exploded(table.column(0).combine_chunks())
    scopes, group_of_scope = _exploded(groups.field(shape.scope_spans))
    spans, scope_of_span = _exploded(scopes.field("spans"))
    if groups.null_count or scopes.null_count or spans.null_count:
        raise DoesNotFit("a null where an object should be")

    def place(row: int) -> str:
        scope = int(scope_of_span[row])
        group = int(group_of_scope[scope])
        inner = f"{shape.scope_spans}[{_nth(group_of_scope, scope)}].spans[{_nth(scope_of_span, row)}]"
        where = origin(int(line_of_group[group]))
        return (
            f"{where}.{inner}"
            if shape.bare
            else f"{where}, {shape.resource_spans}[{_nth(line_of_group, group)}].{inner}"
        )

    reader = Reader(findings, origin(0), shape)
    scope = scopes.field(shape.scope)
    raw = pl.DataFrame(
        [
            *(_text(spans, field, name) for field, name in _TEXTS),
            reader.enum(spans.field("kind"), KIND_NUMBERS, place).alias("kind"),
            reader.times(spans.field("startTimeUnixNano")).alias("start_time"),
            reader.times(spans.field("endTimeUnixNano")).alias("end_time"),
            reader.enum(spans.field("status").field("code"), STATUS_NUMBERS, place).alias("status_code"),
            series_of(spans.field("status").field("message")).alias("status_message"),
            series_of(spans.field("flags")).cast(pl.UInt32).alias("flags"),
            reader.events(spans.field("events"), len(spans)),
            reader.links(spans.field("links"), len(spans)),
            pl.Series("resource", group_of_scope[scope_of_span], dtype=pl.UInt32),
            pl.Series("scope", scope_of_span, dtype=pl.UInt32),
        ]
    )
    for name in ("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"):
        if spans.field(name).null_count < len(spans):
            findings.add(problems.DROPPED_BY_PRODUCER, int(series_of(spans.field(name)).sum()), example=name)
    if shape.library:
        findings.add(problems.DEPRECATED, len(scopes), place=origin(0), example=shape.scope_spans)
    chunk = Chunk(
        spans=normalise(raw, findings, place),
        attributes=reader.entries(spans.field("attributes")),
        resources=reader.entries(groups.field("resource").field("attributes")),
        resource_count=len(groups),
        scopes=pl.DataFrame([_filled(scope, name) for name in ("name", "version")]),
        scope_attributes=reader.entries(scope.field("attributes")),
    )
    return chunk, findings


_TEXTS: Final = (
    ("traceId", "trace_id"),
    ("spanId", "span_id"),
    ("parentSpanId", "parent_span_id"),
    ("name", "name"),
    ("traceState", "trace_state"),
)


class Reader:
    """Takes columns out of arrays of one piece, and counts what it meets."""

    def __init__(self, findings: Findings, where: str, shape: Shape) -> None:
        self.findings = findings
        self.where = where
        self.shape = shape

    def enum(self, array: pa.Array, names: dict[str, int], place: Callable[[int], str]) -> pl.Series:
        """Read numbers, or names where the file has these."""
        series = series_of(array)
        if series.dtype != pl.String:
            return series.clip(upper_bound=255).cast(pl.UInt8)
        if series.len() > series.null_count():
            self.findings.add(
                problems.ENUMS_NAMED, series.len() - series.null_count(), place=place(0), example=series[0]
            )
        known = {str(number): number for number in range(256)} | {"": 0} | names
        upper = series.str.strip_chars().str.to_uppercase()
        return upper.replace_strict(known | {None: 0}, default=255, return_dtype=pl.UInt8)

    def times(self, array: pa.Array) -> pl.Series:
        """Read nanoseconds; zero is no time."""
        series = series_of(array)
        if series.dtype == pl.String:
            numbers = series.cast(pl.Int64, strict=False)
            if numbers.null_count() > series.null_count():
                raise DoesNotFit("a time that is no whole number")
            series = numbers
        elif series.len() and (series.max() or 0) > 2**63 - 1:  # type: ignore[operator]
            raise DoesNotFit("a time that is too large")
        else:
            series = series.cast(pl.Int64)
        lowest = series.min()
        if lowest is None or lowest > 0:  # type: ignore[operator]
            return series
        if lowest < 0:  # type: ignore[operator]
            raise DoesNotFit("a negative time")
        return series.to_frame("t").select(pl.when(pl.col("t") > 0).then("t")).to_series()

    def entries(self, array: pa.Array) -> Entries:
        """Make long tables of lists of KeyValue."""
        pairs, owners = _exploded(array)
        if not len(pairs):
            return Entries()
        keys, values = pairs.field("key"), pairs.field("value")
        if keys.null_count or pairs.null_count:
            raise DoesNotFit("an attribute without a key")
        encoded = keys.dictionary_encode()
        codes = np.frombuffer(encoded.indices.buffers()[1], dtype=np.int32, count=len(keys))
        names: list[str | None] = encoded.dictionary.to_pylist()
        rows = owners.astype(np.uint32)
        found: dict[int, Any] = {}
        filled = 0
        for field, kind in _SCALARS.items():
            held = values.field(field)
            count = len(held) - held.null_count
            if not count:
                continue
            filled += count
            where = np.flatnonzero(valid(held))
            if kind == STRING:
                column = _shared_texts(held).gather(pl.Series(where))
            else:
                column = series_of(held).gather(pl.Series(where))
            if kind == INT and column.dtype == pl.String:
                column = column.cast(pl.Int64, strict=False)
                if column.null_count():
                    raise DoesNotFit("an integer that is none")
            found[kind] = part(rows[where], codes[where], column, keys=len(names))
        if self.shape.nested_values:
            filled += self._nested(values, rows, codes, found, len(names))
        if filled > len(values):
            raise DoesNotFit("values with two types")
        self.findings.add(problems.EMPTY_VALUES, len(values) - filled, place=self.where)
        return Entries(names, found)

    def _nested(self, values: Any, rows: Any, codes: Any, found: dict[int, Any], keys: int) -> int:
        """Read the values that are no scalars, one by one; gives how many there are."""
        held = [valid(values.field(name)) for name in ("bytesValue", "arrayValue", "kvlistValue")]
        where = np.flatnonzero(held[0] | held[1] | held[2])
        read: dict[int, tuple[list[int], list[str]]] = {}
        for place, content in zip(where.tolist(), values.take(integers(where)).to_pylist(), strict=True):
            kind, text = any_value(content, self.findings, self.where) or (STRING, "")
            if kind <= DOUBLE:
                raise DoesNotFit("a value that is not what it is said to be")
            places, texts = read.setdefault(kind, ([], []))
            places.append(place)
            texts.append(text)
        for kind, (places, texts) in read.items():
            found[kind] = part(rows[places], codes[places], pl.Series(texts, dtype=VALUE_DTYPES[kind]), keys=keys)
        return int(where.size)

    def maps(self, array: pa.Array) -> pa.Array:
        """Make text maps of lists of KeyValue."""
        pairs, owners = _exploded(array)
        values = pairs.field("value")
        texts = series_of(values.field("stringValue"))
        for field, kind in (("boolValue", BOOL), ("intValue", INT), ("doubleValue", DOUBLE)):
            held = values.field(field)
            if held.null_count < len(held):
                texts = texts.zip_with(pl.Series(~valid(held)), as_text(series_of(held), kind))
        if texts.null_count() and self.shape.nested_values:
            where = np.flatnonzero(texts.is_null().to_numpy())
            read = [
                any_value(content, self.findings, self.where) for content in values.take(integers(where)).to_pylist()
            ]
            texts = texts.scatter(where, [None if value is None else scalar_text(value[1]) for value in read])
        keys = series_of(pairs.field("key"))
        keep = texts.is_not_null()
        frame = pl.DataFrame({"owner": owners, "key": keys, "text": texts})
        # Two keys that give one number by chance send the piece to another reader, which does no harm.
        numbers = keys.hash() ^ pl.Series(owners).hash()
        if keys.null_count() or numbers.n_unique() < frame.height:
            raise DoesNotFit("keys that are missing or double")
        if not keep.all():
            self.findings.add(problems.EMPTY_VALUES, int((~keep).sum()), place=self.where)
            frame = frame.filter(keep)
        ends = np.cumsum(np.bincount(frame["owner"].to_numpy(), minlength=len(array)))
        return text_map(frame["key"], frame["text"], ends)

    def events(self, array: pa.Array, count: int, rows: Ints | None = None) -> pl.Series:
        """Make the column of events; `rows` says whose each list is, where not every span has one."""
        events, owners = _exploded(array)
        owners = owners if rows is None else rows[owners]
        if events.null_count:
            raise DoesNotFit("an event that is null")
        fields = [
            self.times(events.field("timeUnixNano")).fill_null(0).to_arrow().cast(pa.timestamp("ns", "UTC")),
            series_of(events.field("name")).fill_null("").to_arrow(),
            self.maps(events.field("attributes")),
        ]
        return _listed(fields, ["time", "name", "attributes"], owners, count, EVENTS).alias("events")

    def links(self, array: pa.Array, count: int, rows: Ints | None = None) -> pl.Series:
        """Make the column of links; `rows` says whose each list is, where not every span has one."""
        links, owners = _exploded(array)
        owners = owners if rows is None else rows[owners]
        if links.null_count:
            raise DoesNotFit("a link that is null")
        names = {"traceId": "trace_id", "spanId": "span_id", "traceState": "trace_state"}
        ids = link_ids(
            pl.DataFrame([series_of(links.field(field)).alias(name) for field, name in names.items()]), self.findings
        )
        fields = [*(ids[name].to_arrow() for name in names.values()), self.maps(links.field("attributes"))]
        return _listed(fields, [*names.values(), "attributes"], owners, count, LINKS).alias("links")


def _listed(fields: list[Any], names: list[str], owners: Ints, count: int, dtype: pl.DataType) -> pl.Series:
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(owners, minlength=count), out=offsets[1:])
    return lists(pa.StructArray.from_arrays(fields, names=names), offsets, dtype)


def _exploded(array: pa.Array) -> tuple[Any, Ints]:
    """Give the items of a column of lists, and for each item the row that it is from."""
    # Buffers are read directly: pyarrow's to_numpy imports pandas where it is installed.
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
    first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
    return array.values.slice(first, last - first), np.repeat(np.arange(len(array)), np.diff(offsets))


def valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Say where an array has values."""
    bitmap = array.buffers()[0]
    if bitmap is None:
        return np.ones(len(array), dtype=bool)
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), bitorder="little", count=array.offset + len(array))
    return bits[array.offset :].view(bool)


def _nth(owners: Ints, item: int) -> int:
    """Give the place of an item among those of its owner."""
    return item - int(np.searchsorted(owners, owners[item]))


def series_of(array: pa.Array) -> pl.Series:
    return pl.from_arrow(array)  # type: ignore[return-value]


def _shared_texts(array: pa.Array) -> pl.Series:
    """Read texts so that equal ones share their bytes: most of what spans say has been said before."""
    encoded = array.dictionary_encode()
    codes = np.frombuffer(encoded.indices.buffers()[1], dtype=np.int32, count=len(array)).astype(np.uint32)
    distinct = series_of(encoded.dictionary)
    if array.null_count:
        codes[~valid(array)] = distinct.len()
        distinct = pl.concat([distinct, pl.Series([None], dtype=pl.String)])
    return distinct.gather(pl.Series(codes))


def _text(spans: Any, field: str, name: str) -> pl.Series:
    array = spans.field(field)
    return (series_of(array) if name in ("span_id", "parent_span_id") else _shared_texts(array)).alias(name)


def _filled(scope: Any, name: str) -> pl.Series:
    """Read the name or version of scopes; empty ones are null."""
    series = series_of(scope.field(name))
    return series.to_frame(name).select(pl.when(pl.col(name) != "").then(name)).to_series()

"""Parquet: tracelab's own, and rows of ClickHouse's `otel_traces`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.conforming import REQUIRED, conform
from tracelab.errors import LoadError, SchemaError
from tracelab.loaders.columns.builder import Builder
from tracelab.loaders.columns.chunk import (
    ARRAY,
    BOOL,
    BYTES,
    CHUNK_SCHEMA,
    DOUBLE,
    INT,
    KVLIST,
    STRING,
    Chunk,
    Entries,
    part,
)
from tracelab.loaders.documents.values import plain_value
from tracelab.loaders.others import clickhouse
from tracelab.loaders.report.findings import Findings
from tracelab.schema import SCOPES, TREE_COLUMNS, TYPE_SUFFIX, VALUE_TYPES, is_attribute, is_type_companion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.loaders.input.columnar import ColumnarFile

_ROWS: Final = 50_000
_SCALARS: Final = {pl.Boolean: BOOL, pl.Int64: INT, pl.Float64: DOUBLE, pl.String: STRING}


def is_own(columns: frozenset[str]) -> bool:
    """Say whether columns are those of a frame that tracelab wrote."""
    return columns >= {*REQUIRED, *TREE_COLUMNS}


def own_spans(file: ColumnarFile, findings: Findings) -> Iterator[pl.DataFrame]:
    """Read a span frame as it was written."""
    try:
        spans = conform(file.read())
    except (SchemaError, pl.exceptions.PanicException) as error:
        # Polars panics at times that no calendar has.
        raise LoadError(f"{file.name}: {error}") from error
    findings.spans += spans.height
    yield spans


def parts_of_one(frames: list[pl.DataFrame]) -> pl.DataFrame | None:
    """Put the parts of one frame together in tree order; None if they are not parts of one."""
    if any(frame.schema != frames[0].schema for frame in frames):
        return None
    spans = pl.concat(frames, rechunk=True).sort("tree_left")
    return None if spans["tree_left"].n_unique() < spans.height else spans


def clickhouse_chunks(file: ColumnarFile, findings: Findings) -> Iterator[Chunk]:
    """Read rows of `otel_traces`, some at a time."""
    spans = file.read()
    # Python's datetimes have no nanoseconds, so times become numbers before rows do.
    times = [name for name, dtype in spans.schema.items() if isinstance(dtype, pl.Datetime)]
    lists = [
        name
        for name, dtype in spans.schema.items()
        if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Datetime)
    ]
    spans = spans.with_columns(
        pl.col(times).dt.timestamp("ns"), pl.col(lists).list.eval(pl.element().dt.timestamp("ns"))
    )
    for start in range(0, spans.height, _ROWS):
        builder = Builder()
        for number, row in enumerate(spans.slice(start, _ROWS).iter_rows(named=True), start=start):
            clickhouse.read_row(row, builder, f"row {number}")
        chunk = builder.finish()
        findings.merge(builder.findings)
        yield chunk


def chunk_of(spans: pl.DataFrame) -> Chunk:
    """Take a span frame apart again, so that it can be put together with other dumps."""
    rows = pl.int_range(spans.height, dtype=pl.UInt32, eager=True)
    frame = spans.with_columns(
        pl.col("start_time").dt.timestamp("ns"), pl.col("duration").dt.total_nanoseconds(), resource=rows, scope=rows
    )
    entries = {scope: _entries(spans, scope) for scope in SCOPES}
    services = spans["service_name"]
    named = pl.Series(np.flatnonzero((services != "unknown_service").to_numpy()))
    _add(entries["resource"], "service.name", STRING, named, services.gather(named))
    return Chunk(
        spans=frame.select(CHUNK_SCHEMA.names()),
        attributes=_finished(entries["span"]),
        resources=_finished(entries["resource"]),
        resource_count=spans.height,
        scopes=spans.select(name="scope_name", version="scope_version"),
        scope_attributes=_finished(entries["instrumentation"]),
    )


_Lists = dict[int, list[tuple[str, pl.Series, pl.Series]]]


def _entries(spans: pl.DataFrame, scope: str) -> _Lists:
    """Give for each kind of value the keys of a scope, with rows and values."""
    found: _Lists = {}
    names = [name for name in spans.columns if is_attribute(name) and name.startswith(f"{scope}.")]
    for name in names:
        if is_type_companion(name):
            continue
        key, column = name.removeprefix(f"{scope}."), spans[name]
        rows = column.is_not_null().arg_true()
        values = column.gather(rows)
        types = spans[name + TYPE_SUFFIX].gather(rows) if name + TYPE_SUFFIX in spans.columns else None
        _add_typed(found, key, rows, values, types)
    rest = spans.select("more_attributes").with_row_index("row").drop_nulls()
    if rest.height:
        pairs = (
            rest.select("row", pl.col("more_attributes").map.entries())
            .explode("more_attributes")
            .unnest("more_attributes")
        )
        pairs = pairs.filter(pl.col("key").str.starts_with(f"{scope}."))
        typed = pairs.filter(pl.col("key").str.ends_with(TYPE_SUFFIX)).with_columns(
            pl.col("key").str.strip_suffix(TYPE_SUFFIX)
        )
        plain = pairs.filter(~pl.col("key").str.ends_with(TYPE_SUFFIX)).join(
            typed.rename({"value": "type"}), on=["row", "key"], how="left", maintain_order="left"
        )
        for (name,), group in plain.group_by(["key"], maintain_order=True):
            types = group["type"].fill_null("string")
            _add_typed(found, str(name).removeprefix(f"{scope}."), group["row"], group["value"], types)
    return found


def _add_typed(found: _Lists, key: str, rows: pl.Series, values: pl.Series, types: pl.Series | None) -> None:
    if types is None:
        kind = _SCALARS.get(values.dtype.base_type())
        if kind is not None:
            _add(found, key, kind, rows, values)
            return
        types = pl.Series(["array"], dtype=pl.String).new_from_index(0, rows.len())
    for word in types.unique().to_list():
        which = (types == word).arg_true()
        _add_word(found, key, word, rows.gather(which), values.gather(which))


def _add_word(found: _Lists, key: str, word: str, rows: pl.Series, values: pl.Series) -> None:
    """Add values that a companion gives the type of."""
    kind = VALUE_TYPES.index(word)
    if kind == BOOL:
        _add(found, key, BOOL, rows, values == "true")
    elif kind in (INT, DOUBLE):
        _add(found, key, kind, rows, values.cast(pl.Int64 if kind == INT else pl.Float64))
    elif kind in (STRING, BYTES, KVLIST):
        _add(found, key, kind, rows, values)
    else:
        arrays = (
            values.to_list() if isinstance(values.dtype, pl.List) else [json.loads(text) for text in values.to_list()]
        )
        for row, items in zip(rows.to_list(), arrays, strict=True):
            read = plain_value(items, Findings(), "") or (ARRAY, "[]")
            _add(found, key, read[0], pl.Series([row]), pl.Series([read[1]], dtype=pl.String))


def _add(found: _Lists, key: str, kind: int, rows: pl.Series, values: pl.Series) -> None:
    if rows.len():
        found.setdefault(kind, []).append((key, rows, values))


def _finished(found: _Lists) -> Entries:
    keys = sorted({key for lists in found.values() for key, _, _ in lists})
    codes = {key: code for code, key in enumerate(keys)}
    parts = {
        kind: part(
            np.concatenate([rows.to_numpy() for _, rows, _ in lists]).astype(np.uint32),
            np.repeat([codes[key] for key, _, _ in lists], [rows.len() for _, rows, _ in lists]).astype(np.int32),
            pl.concat([values.rename("") for _, _, values in lists]),
            keys=len(keys),
        )
        for kind, lists in found.items()
    }
    return Entries(list(keys), parts)

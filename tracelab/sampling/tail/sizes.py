"""The size of traces as OTLP's protobuf, which budgets of bytes are spent on.

How spans came in requests is not known: those of a trace with one resource and scope are taken to stand together.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.schema import TYPE_SUFFIX, is_attribute, is_type_companion

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.sampling.tail.groups import Groups

_EMPTY_ID: Final = 2
_TRACE_ID: Final = 18
_SPAN_ID: Final = 10
_TIME: Final = 9
_FLAGS: Final = 6
_BOOL: Final = 2
_DOUBLE: Final = 9
_PAIRS: Final = pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))


def trace_sizes(groups: Groups) -> Ints:
    """Give the bytes of each trace, as the Collector counts them."""
    frame = groups.frame
    scope_size = _text(frame["scope_name"]) + _text(frame["scope_version"]) + _attributes(frame, "instrumentation")
    scope_name = frame.select(pl.struct("scope_name", "scope_version").hash()).to_series()
    rows = pl.DataFrame(
        {
            "resource": _identity(frame, "resource"),
            "scope": scope_name ^ _identity(frame, "instrumentation"),
            "resource_size": _message(_attributes(frame, "resource")),
            "scope_size": _message(scope_size),
            "span_size": span_sizes(frame),
        }
    )
    placed = rows if groups.rows is None else rows[groups.rows]
    scopes = (
        placed.lazy()
        .with_columns(group=pl.lit(pl.Series(groups.group)))
        .group_by("group", "resource", "scope")
        .agg(pl.col("resource_size", "scope_size").first(), pl.col("span_size").sum())
        .collect()
    )
    inner = pl.Series(_message((scopes["scope_size"] + scopes["span_size"]).to_numpy()))
    resources = (
        scopes.lazy()
        .with_columns(size=pl.lit(inner))
        .group_by("group", "resource")
        .agg(pl.col("resource_size").first(), pl.col("size").sum())
        .collect()
    )
    whole = _message((resources["resource_size"] + resources["size"]).to_numpy())
    total = np.zeros(groups.starts.size, dtype=np.int64)
    np.add.at(total, resources["group"].to_numpy(), whole)
    return total


def span_sizes(frame: pl.DataFrame) -> Ints:
    """Give the bytes of each span alone: resources and scopes are sent once for all spans of a request."""
    return _message(_spans(frame) + _attributes(frame, "span"))


def _spans(frame: pl.DataFrame) -> Ints:
    """Give the bytes of each span without its attributes."""
    parent = np.where(frame["parent_span_id"].is_null().to_numpy(), _EMPTY_ID, _SPAN_ID)
    start = frame["start_time"].to_physical().to_numpy()
    end = start + frame["duration"].to_physical().to_numpy()
    status = _text(frame["status_message"])
    status += np.where(_numbers(frame["status_code"]) != 0, 2, 0)
    return np.asarray(
        _TRACE_ID
        + _SPAN_ID
        + parent
        + _text(frame["trace_state"])
        + np.where(frame["flags"].fill_null(0).to_numpy() != 0, _FLAGS, 0)
        + _text(frame["name"])
        + np.where(_numbers(frame["kind"]) != 0, 2, 0)
        + np.where(start != 0, _TIME, 0)
        + np.where(end != 0, _TIME, 0)
        + _items(frame["events"], ("name",), "time")
        + _items(frame["links"], ("trace_state",), None)
        + _message(status),
        dtype=np.int64,
    )


def _numbers(values: pl.Series) -> Ints:
    """Give OTLP's numbers of kinds or statuses, which are the places of their names."""
    return values.to_physical().to_numpy().astype(np.int64)


def _items(column: pl.Series, texts: tuple[str, ...], time: str | None) -> Ints:
    """Give the bytes of each span's events or links; what their attributes hold is text in a span frame."""
    counts = column.list.len().to_numpy()
    total = np.zeros(column.len(), dtype=np.int64)
    if not counts.any():
        return total
    items = column.filter(pl.Series(counts > 0)).explode().struct.unnest()
    size = _maps(items["attributes"])
    for name in texts:
        size += _text(items[name])
    if time is not None:
        size += np.where(items[time].to_physical().fill_null(0).to_numpy() != 0, _TIME, 0)
    else:
        size += np.where(items["trace_id"].is_null().to_numpy(), _EMPTY_ID, _TRACE_ID)
        size += np.where(items["span_id"].is_null().to_numpy(), _EMPTY_ID, _SPAN_ID)
    np.add.at(total, np.repeat(np.arange(counts.size), counts), _message(size))
    return total


def _maps(maps: pl.Series) -> Ints:
    """Give the bytes of maps of text to text, as attributes."""
    pairs = maps.to_frame("pairs").select(pl.col("pairs").cast(_PAIRS)).to_series()
    counts = pairs.list.len().fill_null(0).to_numpy()
    total = np.zeros(pairs.len(), dtype=np.int64)
    if counts.any():
        entries = pairs.filter(pl.Series(counts > 0)).explode().struct.unnest()
        sizes = _pair(_lengths(entries["key"]), _text(entries["value"], empty=True))
        np.add.at(total, np.repeat(np.arange(counts.size), counts), sizes)
    return total


def _attributes(frame: pl.DataFrame, scope: str) -> Ints:
    """Give the bytes of the attributes of a scope, in columns of their own or not."""
    total = np.zeros(frame.height, dtype=np.int64)
    for key, column in _columns(frame, scope):
        types = frame[column + TYPE_SUFFIX] if column + TYPE_SUFFIX in frame.columns else None
        there = frame[column].is_not_null()
        values, kinds = frame[column].filter(there), None if types is None else types.filter(there)
        total[there.to_numpy()] += _message(_key(key) + _message(_values(values, kinds)))
    rest = _without_columns(frame, scope)
    if rest is not None:
        sizes = _pair(_lengths(rest["key"]), _values(rest["value"], rest["type"]))
        np.add.at(total, rest["row"].to_numpy(), sizes)
    return total


def _identity(frame: pl.DataFrame, scope: str) -> pl.Series:
    """Give a number for each row that tells rows with other attributes of a scope apart."""
    seen = [column for _, column in _columns(frame, scope)]
    identity = np.zeros(frame.height, dtype=np.uint64)
    if seen:
        identity ^= frame.select(pl.struct(seen).hash()).to_series().to_numpy()
    rest = _without_columns(frame, scope)
    if rest is not None:
        hashes = (
            rest.select("row", hash=pl.struct("key", "value", "type").hash()).group_by("row").agg(pl.col("hash").sum())
        )
        identity[hashes["row"].to_numpy()] ^= hashes["hash"].to_numpy()
    return pl.Series(identity)


def _columns(frame: pl.DataFrame, scope: str) -> list[tuple[str, str]]:
    """List the keys of a scope that have a column, and the column."""
    names = [name for name in frame.columns if is_attribute(name) and name.startswith(f"{scope}.")]
    named = [(name.removeprefix(f"{scope}."), name) for name in names if not is_type_companion(name)]
    return [("service.name", "service_name"), *named] if scope == "resource" else named


def _without_columns(frame: pl.DataFrame, scope: str) -> pl.DataFrame | None:
    """List the attributes that have no column: `row`, `key`, `value`, `type`; None if there are none."""
    column = frame["more_attributes"] if "more_attributes" in frame.columns else None
    if column is None or column.null_count() == frame.height:
        return None
    rest = pl.DataFrame({"row": pl.int_range(frame.height, eager=True), "pair": column.cast(_PAIRS)})
    entries = rest.drop_nulls().explode("pair").unnest("pair").filter(pl.col("key").str.starts_with(f"{scope}."))
    is_type = pl.col("key").str.ends_with(TYPE_SUFFIX)
    types = entries.filter(is_type).select("row", pl.col("key").str.strip_suffix(TYPE_SUFFIX), type="value")
    plain = entries.filter(~is_type).join(types, on=["row", "key"], how="left", maintain_order="left")
    return plain.with_columns(pl.col("key").str.strip_prefix(f"{scope}.")) if plain.height else None


def _values(values: pl.Series, types: pl.Series | None) -> Ints:
    """Give the bytes of values as OTLP's AnyValue."""
    if types is not None:
        return _typed(values, types.fill_null("string"))
    if values.dtype == pl.Boolean:
        return np.full(values.len(), _BOOL, dtype=np.int64)
    if values.dtype == pl.Int64:
        return 1 + _varint(values.fill_null(0).to_numpy())
    if values.dtype == pl.Float64:
        return np.full(values.len(), _DOUBLE, dtype=np.int64)
    if isinstance(values.dtype, pl.List):
        return np.array([_any(items) if items is not None else 0 for items in values.to_list()], dtype=np.int64)
    return _text(values, empty=True)


def _typed(values: pl.Series, types: pl.Series) -> Ints:
    sizes = _text(values, empty=True)
    sizes[(types == "bool").to_numpy()] = _BOOL
    sizes[(types == "double").to_numpy()] = _DOUBLE
    whole = (types == "int").to_numpy()
    sizes[whole] = 1 + _varint(values.cast(pl.Int64, strict=False).fill_null(0).to_numpy()[whole])
    for kind in ("array", "kvlist", "bytes"):
        rows = (types == kind).arg_true()
        distinct = {text: _nested(text, kind) for text in values.gather(rows).unique().drop_nulls()}
        sizes[rows.to_numpy()] = [distinct.get(text, 0) for text in values.gather(rows)]
    return sizes


def _nested(text: str, kind: str) -> int:
    """Give the bytes of a list, a mapping or bytes, which a span frame has as text."""
    if kind == "bytes":
        length = len(text.rstrip("=")) * 3 // 4
        return int(_message(np.array([length]))[0])
    try:
        return _any(json.loads(text))
    except (ValueError, RecursionError):
        # Whoever made the frame says that it is JSON, and it is none: it counts as the text that it is.
        return _one(len(text.encode(errors="surrogatepass")))


def _any(value: Any) -> int:
    """Give the bytes of a JSON value as AnyValue."""
    match value:
        case None:
            return 0
        case bool():
            return _BOOL
        case int() if -(2**63) <= value < 2**63:
            return 1 + int(_varint(np.array([value], dtype=np.int64))[0])
        case int() | float():
            return _DOUBLE
        case str():
            return _one(len(value.encode(errors="surrogatepass")))
        case dict():
            return _one(sum(_one(_key(key) + _one(_any(item))) for key, item in value.items()))
        case _:
            return _one(sum(_one(_any(item)) for item in value))


def _key(key: str) -> int:
    return _one(len(key.encode(errors="surrogatepass"))) if key else 0


def _one(length: int) -> int:
    return int(_message(np.array([length]))[0])


def _pair(key_lengths: Ints, value_sizes: Ints) -> Ints:
    """Give the bytes of an attribute, with what stands before it in a list."""
    keys = np.where(key_lengths > 0, _message(key_lengths), 0)
    return _message(keys + _message(value_sizes))


def _text(values: pl.Series, *, empty: bool = False) -> Ints:
    """Give the bytes of text fields: none where there is no text, but for values that may be empty."""
    lengths = _lengths(values)
    sizes = _message(lengths)
    return sizes if empty else np.where(lengths > 0, sizes, 0)


def _lengths(texts: pl.Series) -> Ints:
    return texts.str.len_bytes().fill_null(0).cast(pl.Int64).to_numpy()


def _message(lengths: Ints) -> Ints:
    """Give the bytes of what has a length, with the length and the number of its field before it."""
    return np.asarray(1 + _varint(lengths) + lengths, dtype=np.int64)


def _varint(numbers: Ints) -> Ints:
    """Give the bytes of whole numbers: 7 bits each, and 10 bytes of a negative one."""
    count = np.ones(numbers.size, dtype=np.int64)
    most = int(numbers.max(initial=0))
    for bits in range(7, 63, 7):
        if most < 2**bits:
            break
        count += numbers >= 2**bits
    if int(numbers.min(initial=0)) < 0:
        count[numbers < 0] = 10
    return count

"""Turn what looks like spans into a span frame, or say why it is none."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Any, Final, TypeVar, cast, overload

import polars as pl

from tracelab.errors import SchemaError
from tracelab.schema import (
    ATTRIBUTES,
    EVENT,
    KIND,
    LINK,
    SPAN_SCHEMA,
    STATUS_CODE,
    TREE_COLUMNS,
    in_order,
    is_attribute,
)
from tracelab.tree import with_tree

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

REQUIRED: Final = ("trace_id", "span_id", "name", "start_time", "duration")
_IDS: Final = ("trace_id", "span_id", "parent_span_id")
_DEFAULTS: Final[dict[str, Any]] = {
    "kind": "unspecified",
    "service_name": "unknown_service",
    "status_code": "unset",
    "events": [],
    "links": [],
}
_ENUMS: Final = {"kind": (KIND, "span_kind_"), "status_code": (STATUS_CODE, "status_code_")}
_NESTED: Final = {"events": EVENT, "links": LINK}
_ENTRY: Final = pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))


@overload
def conform(frame: pl.LazyFrame) -> pl.LazyFrame: ...
@overload
def conform(frame: Any) -> pl.DataFrame: ...
def conform(frame: Any) -> pl.DataFrame | pl.LazyFrame:
    """Make a span frame of a frame that has the required columns.

    Parameters
    ----------
    frame
        A polars DataFrame or LazyFrame, a pandas DataFrame, or anything that polars can build a frame from through
        the Arrow interface. `trace_id`, `span_id`, `name`, `start_time` (a datetime) and `duration` (a duration) must
        be there; every other column of `SPAN_SCHEMA` may be missing. Columns of other names are kept, at the end.

    Returns
    -------
    The columns of `SPAN_SCHEMA` in its order, with `span.*`, `resource.*` and `instrumentation.*` columns before
    `more_attributes`. Times are made nanoseconds in UTC (a time without a zone is read as UTC), ids that are hex are
    made lower-case, empty and all-zero parents null, and tree columns are computed where they are missing. A
    LazyFrame gives a LazyFrame. Conforming twice changes nothing.

    Raises
    ------
    SchemaError
        A column is missing, has a dtype that cannot be read as its own, or holds values that no span has.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> frame = pl.DataFrame({
    ...     "trace_id": ["AB" * 16], "span_id": ["0F" * 8], "name": ["GET /"],
    ...     "start_time": [datetime(2026, 5, 1, tzinfo=UTC)], "duration": [timedelta(milliseconds=3)],
    ... })
    >>> conform(frame).select("span_id", "kind", "service_name", "depth").row(0)
    ('0f0f0f0f0f0f0f0f', 'unspecified', 'unknown_service', 0)
    """
    if isinstance(frame, pl.LazyFrame):
        if _conforms(frame.collect_schema()):
            return frame
        return _conform(frame.collect()).lazy()
    return _conform(_as_polars(frame))


def takes_any_frame(function: FunctionT) -> FunctionT:
    """Let a function of spans take what `conform` takes; polars frames go through as they are."""

    @wraps(function)
    def taking(spans: Any, *args: Any, **options: Any) -> Any:
        polars = isinstance(spans, pl.DataFrame | pl.LazyFrame)
        return function(spans if polars else conform(spans), *args, **options)

    return cast("FunctionT", taking)


def _as_polars(frame: Any) -> pl.DataFrame:
    if isinstance(frame, pl.DataFrame):
        return frame
    if type(frame).__module__.split(".")[0] == "pandas":
        return pl.from_pandas(frame)
    if hasattr(frame, "__arrow_c_stream__"):
        return pl.DataFrame(frame)
    raise SchemaError(
        f"A {type(frame).__name__} is no frame of spans. Pass a polars or pandas DataFrame; tracelab.read reads files."
    )


def _conforms(schema: pl.Schema) -> bool:
    """Say whether dtypes and order are already those of a span frame."""
    names = schema.names()
    return (
        all(schema.get(name) == dtype for name, dtype in SPAN_SCHEMA.items())
        and in_order(names) == names
        and all(_attribute_dtype(name, dtype) == dtype for name, dtype in schema.items() if is_attribute(name))
    )


def _conform(frame: pl.DataFrame) -> pl.DataFrame:
    _check_required(frame)
    casts = [_column(frame, name) for name in SPAN_SCHEMA if name in frame.columns and name not in TREE_COLUMNS]
    casts += [
        frame[name].cast(_attribute_dtype(name, dtype)) for name, dtype in frame.schema.items() if is_attribute(name)
    ]
    fills = [
        pl.lit(_DEFAULTS.get(name), dtype=dtype).alias(name)
        for name, dtype in SPAN_SCHEMA.items()
        if name not in frame.columns and name not in TREE_COLUMNS
    ]
    spans = frame.with_columns(*casts, *fills)
    _check_values(spans)
    tree = [name for name in TREE_COLUMNS if name in spans.columns]
    if len(tree) < len(TREE_COLUMNS) or any(spans[name].null_count() for name in tree):
        return with_tree(spans.drop(tree))
    spans = spans.with_columns(pl.col(name).cast(SPAN_SCHEMA[name]) for name in TREE_COLUMNS)
    return spans.select(in_order(spans.columns))


def _check_required(frame: pl.DataFrame) -> None:
    for name in REQUIRED:
        if name in frame.columns:
            continue
        near = get_close_matches(name, frame.columns, n=2, cutoff=0.6)
        hint = (
            f" Did you mean {' or '.join(map(repr, near))}? Rename it."
            if near
            else f" Columns: {_listed(frame.columns)}."
        )
        raise SchemaError(f"A span frame needs the column {name!r}, and there is none.{hint}")


def _column(frame: pl.DataFrame, name: str) -> pl.Series:
    """Read a column as the dtype that the schema gives it."""
    if frame.schema[name] == SPAN_SCHEMA[name] and name not in _IDS and not frame[name].null_count():
        return frame[name]
    try:
        read = _reading(frame, name).cast(SPAN_SCHEMA[name])
        filled = read.fill_null(pl.lit([], dtype=SPAN_SCHEMA[name])) if name in _NESTED else read
        return frame.select(filled.alias(name)).to_series()
    except pl.exceptions.PolarsError as error:
        raise _wrong(name, frame.schema[name], str(SPAN_SCHEMA[name]), "Cast or drop the column.") from error


def _reading(frame: pl.DataFrame, name: str) -> pl.Expr:
    found, column = frame.schema[name], pl.col(name)
    if name in _ENUMS:
        return _enum_column(frame, name)
    if name in _IDS:
        return _id_column(frame, name)
    if name == "start_time":
        if not isinstance(found, pl.Datetime):
            raise _wrong(name, found, "a datetime", "Convert numbers with polars.from_epoch(column, time_unit='ns').")
        return column.dt.replace_time_zone("UTC") if found.time_zone is None else column.dt.convert_time_zone("UTC")
    if name == "duration" and not isinstance(found, pl.Duration):
        raise _wrong(name, found, "a duration", "Convert numbers with polars.duration(nanoseconds=column).")
    if name == "service_name":
        return column.cast(pl.String).fill_null(_DEFAULTS[name])
    if name == "more_attributes":
        return _map(column, found)
    if name in _NESTED and isinstance(found, pl.List) and isinstance(found.inner, pl.Struct):
        return column.list.eval(_struct(found.inner, _NESTED[name]))
    return column


def _enum_column(frame: pl.DataFrame, name: str) -> pl.Expr:
    """Read names in any case, with or without OTLP's prefix, or OTLP's numbers."""
    enum, prefix = _ENUMS[name]
    found = frame.schema[name]
    column = pl.col(name)
    if found.is_integer():
        text = column.replace_strict(dict(enumerate(enum.categories)), default=None, return_dtype=pl.String)
    else:
        text = column.cast(pl.String).str.to_lowercase().str.strip_prefix(prefix)
    good = text.cast(enum, strict=False)
    bad = frame.filter(column.is_not_null() & good.is_null())
    if bad.height:
        raise SchemaError(
            f"{name!r} holds {bad[name][0]!r} ({bad.height:,} rows), which is none of {', '.join(enum.categories)}. "
            "Map it to one of them, or drop the column."
        )
    return good.fill_null(pl.lit(_DEFAULTS[name], dtype=enum))


def _id_column(frame: pl.DataFrame, name: str) -> pl.Expr:
    found = frame.schema[name]
    if found not in (pl.String, pl.Null) and not isinstance(found, pl.Categorical | pl.Enum):
        raise _wrong(name, found, "text", "Ids are hex text, 32 characters for a trace and 16 for a span.")
    text = pl.col(name).cast(pl.String)
    lower = pl.when(text.str.contains("^[0-9a-fA-F]+$")).then(text.str.to_lowercase()).otherwise(text)
    if name == "parent_span_id":
        lower = pl.when(~text.str.contains("^0*$")).then(lower)
    return lower


def _struct(found: pl.Struct, wanted: pl.Struct) -> pl.Expr:
    """Read events or links field by field; maps also as lists of key and value, which is how Arrow has them."""
    dtypes = pl.Schema({field.name: field.dtype for field in found.fields})
    fields = []
    for field in wanted.fields:
        value = pl.element().struct.field(field.name) if field.name in dtypes else pl.lit(None, dtype=field.dtype)
        read = _map(value, dtypes[field.name]) if field.dtype == ATTRIBUTES and field.name in dtypes else value
        fields.append(read.cast(field.dtype).alias(field.name))
    return pl.struct(fields)


def _map(column: pl.Expr, found: pl.DataType) -> pl.Expr:
    if found == pl.List(pl.List(pl.String)):
        # pandas gives a map back as a list of pairs.
        pair = pl.struct(key=pl.element().list.get(0), value=pl.element().list.get(1))
        return column.list.eval(pair).cast(_ENTRY).cast(ATTRIBUTES)
    return column.cast(ATTRIBUTES)


def _attribute_dtype(name: str, found: pl.DataType) -> pl.DataType:
    """Give the dtype of attributes that holds the values of this one."""
    if isinstance(found, pl.List):
        return pl.List(_attribute_dtype(name, pl.Schema({"inner": found.inner})["inner"]))
    if found == pl.UInt64 or found.is_signed_integer() or found.is_unsigned_integer():
        return pl.Int64()
    if found.is_float():
        return pl.Float64()
    if found == pl.Boolean:
        return pl.Boolean()
    if found in (pl.String, pl.Null, pl.Categorical, pl.Enum):
        return pl.String()
    raise _wrong(name, found, "Boolean, Int64, Float64, String or a list of these", "Cast it or drop it.")


def _check_values(spans: pl.DataFrame) -> None:
    for name in REQUIRED:
        if nulls := spans[name].null_count():
            raise SchemaError(f"{name!r} is null in {nulls:,} of {spans.height:,} rows. Fill or filter them.")
    negative = spans.filter(pl.col("duration") < pl.duration(nanoseconds=0))
    if negative.height:
        raise SchemaError(
            f"'duration' is negative in {negative.height:,} of {spans.height:,} rows, first in span "
            f"{negative['span_id'][0]!r}. A span cannot end before it starts: clip it to 0 or filter it."
        )


def _wrong(name: str, found: pl.DataType, wanted: str, remedy: str) -> SchemaError:
    return SchemaError(f"{name!r} should be {wanted}, and is {found}. {remedy}")


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")

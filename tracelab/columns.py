"""One column of a frame as the span frame has it: its dtype without loss, or what is wrong with it."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from tracelab.errors import SchemaError
from tracelab.schema import ATTRIBUTES, EVENT, KIND, LINK, SPAN_SCHEMA, STATUS_CODE

DEFAULTS: Final[dict[str, Any]] = {
    "kind": "unspecified",
    "service_name": "unknown_service",
    "status_code": "unset",
    "events": [],
    "links": [],
}
"""What stands where nothing is said."""

_IDS: Final = ("trace_id", "span_id", "parent_span_id")
_ENUMS: Final = {"kind": (KIND, "span_kind_"), "status_code": (STATUS_CODE, "status_code_")}
_NESTED: Final = {"events": EVENT, "links": LINK}
_ENTRY: Final = pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))


def filled(name: str) -> pl.Expr:
    """Read a column with its default where it is null."""
    return pl.col(name).fill_null(pl.lit(DEFAULTS[name], dtype=SPAN_SCHEMA[name]))


def fixed_column(frame: pl.DataFrame, name: str) -> pl.Series:
    """Read a column as the dtype that the schema gives it."""
    found, wanted = frame.schema[name], SPAN_SCHEMA[name]
    if found == wanted and name not in _IDS and not frame[name].null_count():
        return frame[name]
    if not (wanted.is_nested() or name in _ENUMS) and (found.is_nested() or found == pl.Object):
        raise _wrong(name, found, str(wanted), "Cast or drop the column.")
    try:
        read = _reading(frame, name).cast(wanted)
        filled = read.fill_null(pl.lit([], dtype=wanted)) if name in _NESTED else read
        values = frame.select(filled.alias(name)).to_series()
    except pl.exceptions.PolarsError as error:
        raise _wrong(name, found, str(wanted), f"Cast or drop the column. ({_first_line(error)})") from error
    if found.is_float() and not (values == frame[name]).all():
        raise _wrong(name, found, str(wanted), "Values have fractions: round or drop the column.")
    return values


def attribute_column(values: pl.Series) -> pl.Series:
    """Read an attribute's column as the dtype that holds its values."""
    wanted = attribute_dtype(values.name, values.dtype)
    try:
        return values.cast(wanted)
    except pl.exceptions.PolarsError as error:
        raise _wrong(values.name, values.dtype, str(wanted), f"Cast or drop it. ({_first_line(error)})") from error


def _reading(frame: pl.DataFrame, name: str) -> pl.Expr:
    found, column = frame.schema[name], pl.col(name)
    if name in _ENUMS:
        return _enum_column(frame, name)
    if name in _IDS:
        return _id_column(frame, name)
    if name == "start_time":
        if not isinstance(found, pl.Datetime):
            remedy = (
                "Convert text with .str.to_datetime(time_unit='ns')."
                if found == pl.String
                else "Convert numbers with polars.from_epoch(column, time_unit='ns')."
            )
            raise _wrong(name, found, "a datetime", remedy)
        return column.dt.replace_time_zone("UTC") if found.time_zone is None else column.dt.convert_time_zone("UTC")
    if name == "duration" and not isinstance(found, pl.Duration):
        raise _wrong(
            name, found, "a duration", "Convert numbers with polars.duration(nanoseconds=column), or in their own unit."
        )
    if name == "service_name":
        return column.cast(pl.String).fill_null(DEFAULTS[name])
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
    return good.fill_null(pl.lit(DEFAULTS[name], dtype=enum))


def _id_column(frame: pl.DataFrame, name: str) -> pl.Expr:
    found = frame.schema[name]
    if found not in (pl.String, pl.Binary, pl.Null) and not isinstance(found, pl.Categorical | pl.Enum):
        raise _wrong(name, found, "text", "Ids are hex text, 32 characters for a trace and 16 for a span.")
    text = pl.col(name).bin.encode("hex") if found == pl.Binary else pl.col(name).cast(pl.String)
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


def attribute_dtype(name: str, found: pl.DataType) -> pl.DataType:
    """Give the dtype of attributes that holds the values of this one."""
    if isinstance(found, pl.List):
        return pl.List(attribute_dtype(name, pl.Schema({"inner": found.inner})["inner"]))
    if found == pl.UInt64 or found.is_signed_integer() or found.is_unsigned_integer():
        return pl.Int64()
    if found.is_float():
        return pl.Float64()
    if found == pl.Boolean:
        return pl.Boolean()
    if found in (pl.String, pl.Null, pl.Categorical, pl.Enum):
        return pl.String()
    raise _wrong(name, found, "Boolean, Int64, Float64, String or a list of these", "Cast it or drop it.")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _wrong(name: str, found: pl.DataType, wanted: str, remedy: str) -> SchemaError:
    return SchemaError(f"{name!r} should be {wanted}, and is {found}. {remedy}")

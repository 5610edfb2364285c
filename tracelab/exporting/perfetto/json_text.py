"""Columns as the text of JSON values, all values of a column at once; null where there is none."""

from __future__ import annotations

import json
from typing import Final

import polars as pl

from tracelab.schema import TYPE_SUFFIX, is_attribute, is_type_companion

_ODD: Final = {"NaN": '"NaN"', "nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}
_AS_IT_IS: Final = ("bool", "int")
_MICROSECOND: Final = 1_000


def quoted(column: str | pl.Expr) -> pl.Expr:
    """Write text, or whatever polars writes as JSON: lists, structs and maps."""
    value = pl.col(column) if isinstance(column, str) else column
    return pl.when(value.is_not_null()).then(pl.struct(x=value).struct.json_encode().str.slice(5).str.head(-1))


def field(key: str, text: pl.Expr) -> pl.Expr:
    """Write a field of an object, of the text of its value."""
    return pl.lit(json.dumps(key, ensure_ascii=False) + ":") + text


def joined(fields: list[pl.Expr]) -> pl.Expr:
    """Write an object; fields that are null are left out."""
    return pl.lit("{") + pl.concat_str(fields, separator=",", ignore_nulls=True) + pl.lit("}")


def microseconds(nanoseconds: pl.Expr) -> pl.Expr:
    """Write microseconds in decimals, exactly: as floats, those since 1970 have no place for nanoseconds."""
    size = nanoseconds.abs()
    whole, rest = (size // _MICROSECOND).cast(pl.String), (size % _MICROSECOND).cast(pl.String).str.zfill(3)
    return pl.when(nanoseconds < 0).then(pl.lit("-")).otherwise(pl.lit("")) + whole + "." + rest


def attribute_fields(frame: pl.DataFrame) -> list[pl.Expr]:
    """Write the attributes of spans as fields with their full names.

    Numbers and booleans are such; what JSON has no value for is text, with a field `<name>:type` that says what it was.
    """
    fields = []
    for name in frame.columns:
        if not is_attribute(name) or is_type_companion(name):
            continue
        types = name + TYPE_SUFFIX
        if types in frame.columns:
            fields += _typed(name, pl.col(name), pl.col(types))
        elif frame[name].dtype == pl.Float64:
            fields += _typed(name, pl.col(name).cast(pl.String), pl.lit("double"))
        elif frame[name].dtype in (pl.Int64, pl.Boolean):
            fields.append(field(name, pl.col(name).cast(pl.String)))
        elif frame[name].dtype == pl.List(pl.Float64):
            odd = pl.col(name).list.eval(~pl.element().is_finite()).list.any()
            fields.append(field(name, _doubles(pl.col(name))))
            fields.append(field(types, pl.when(odd).then(pl.lit('"double"'))))
        else:
            fields.append(field(name, quoted(name)))
    return fields


def more_attributes(frame: pl.DataFrame) -> pl.Series:
    """Write what stands in `more_attributes` as fields, without braces; null where there is nothing."""
    pairs = (
        frame.select("more_attributes")
        .with_row_index("row")
        .drop_nulls()
        .select("row", pl.col("more_attributes").map.entries())
        .explode("more_attributes")
        .drop_nulls()
        .unnest("more_attributes")
    )
    is_type = pl.col("key").str.ends_with(TYPE_SUFFIX)
    types = pairs.filter(is_type).select("row", pl.col("key").str.strip_suffix(TYPE_SUFFIX), type="value")
    plain = pairs.filter(~is_type).join(types, on=["row", "key"], how="left", maintain_order="left")
    value, kind = _typed_value(pl.col("value"), pl.col("type"))
    name = quoted("key") + pl.lit(":") + value
    told = pl.lit(",") + quoted(pl.col("key") + TYPE_SUFFIX) + pl.lit(":") + quoted(kind)
    texts = plain.select("row", text=name + told.fill_null(""))
    grouped = texts.group_by("row").agg(pl.col("text").str.join(","))
    rows = pl.DataFrame({"row": pl.int_range(frame.height, dtype=pl.UInt32, eager=True)})
    return rows.join(grouped, on="row", how="left", maintain_order="left")["text"]


def _typed(name: str, value: pl.Expr, types: pl.Expr) -> list[pl.Expr]:
    text, kind = _typed_value(value, types)
    return [field(name, text), field(name + TYPE_SUFFIX, quoted(pl.when(value.is_not_null()).then(kind)))]


def _typed_value(value: pl.Expr, types: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Write values that stand as text as what they were, and the types that JSON would not tell."""
    number = value.replace(_ODD)
    odd = number.str.starts_with('"')
    # A double without a point or an exponent would be read as an integer.
    double = pl.when(odd | number.str.contains("[.eE]")).then(number).otherwise(number + ".0")
    as_it_is = types.is_in(_AS_IT_IS)
    text = pl.when(as_it_is).then(value).when(types == "double").then(double).otherwise(quoted(value))
    told = pl.when(as_it_is | (types == "string") | ((types == "double") & ~odd)).then(None).otherwise(types)
    return text, told


def _doubles(values: pl.Expr) -> pl.Expr:
    texts = values.cast(pl.List(pl.String)).list.eval(pl.element().replace(_ODD).fill_null("null"))
    return pl.lit("[") + texts.list.join(",") + pl.lit("]")

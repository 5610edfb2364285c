"""Span frames to OTLP JSON lines: the text of whole columns is put together, no span is handled on its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.schema import KINDS, SCOPES, STATUS_CODES, TYPE_SUFFIX, is_attribute, is_type_companion

if TYPE_CHECKING:
    from collections.abc import Iterator

SPANS_IN_LINE: Final = 8192
"""How many spans the OpenTelemetry Collector's batch processor puts into a request by default."""
_FIELDS: Final = {"string": "stringValue", "bytes": "bytesValue"}


def lines(spans: pl.DataFrame) -> Iterator[bytes]:
    """Write a frame as requests, one a line, some thousand spans each."""
    for start in range(0, spans.height, SPANS_IN_LINE):
        yield (_request(spans.slice(start, SPANS_IN_LINE)) + "\n").encode("utf-8")


def _request(spans: pl.DataFrame) -> str:
    texts = {scope: _attributes(spans, scope) for scope in SCOPES}
    service = pl.when(spans["service_name"] != "unknown_service").then(
        pl.lit('{"key":"service.name","value":{"stringValue":') + _quoted(spans["service_name"]) + pl.lit("}}")
    )
    resource = pl.concat_str([service, pl.lit(texts["resource"])], separator=",", ignore_nulls=True)
    frame = spans.select(
        _span_text(spans, texts["span"]).alias("span"),
        resource.alias("resource"),
        _scope_text(spans, texts["instrumentation"]).alias("scope"),
    )
    scopes = frame.group_by("resource", "scope", maintain_order=True).agg(pl.col("span").str.join(","))
    groups = (
        scopes.select(
            "resource",
            text=pl.lit('{"scope":') + pl.col("scope") + pl.lit(',"spans":[') + pl.col("span") + pl.lit("]}"),
        )
        .group_by("resource", maintain_order=True)
        .agg(pl.col("text").str.join(","))
    )
    requests = groups.select(
        pl.lit('{"resource":{"attributes":[')
        + pl.col("resource")
        + pl.lit(']},"scopeSpans":[')
        + pl.col("text")
        + pl.lit("]}")
    ).to_series()
    return '{"resourceSpans":[' + ",".join(requests.to_list()) + "]}"


def _span_text(spans: pl.DataFrame, attributes: pl.Series) -> pl.Expr:
    end = (spans["start_time"] + spans["duration"]).dt.timestamp("ns").cast(pl.String)
    start = spans["start_time"].dt.timestamp("ns").cast(pl.String)
    kinds = spans["kind"].cast(pl.String).replace_strict({name: str(number) for number, name in enumerate(KINDS)})
    parts = [
        pl.lit('"traceId":') + _quoted(spans["trace_id"]),
        pl.lit('"spanId":') + _quoted(spans["span_id"]),
        pl.lit('"parentSpanId":') + _quoted(spans["parent_span_id"]),
        pl.lit('"traceState":') + _quoted(spans["trace_state"]),
        pl.lit('"flags":') + pl.lit(spans["flags"].cast(pl.String)),
        pl.lit('"name":') + _quoted(spans["name"]),
        pl.lit('"kind":') + pl.lit(kinds),
        pl.lit('"startTimeUnixNano":"') + pl.lit(start) + pl.lit('"'),
        pl.lit('"endTimeUnixNano":"') + pl.lit(end) + pl.lit('"'),
        pl.lit('"attributes":[') + pl.lit(attributes) + pl.lit("]"),
        pl.lit('"events":[') + pl.lit(_nested(spans["events"], "events")) + pl.lit("]"),
        pl.lit('"links":[') + pl.lit(_nested(spans["links"], "links")) + pl.lit("]"),
        pl.lit('"status":{') + pl.lit(_statuses(spans)) + pl.lit("}"),
    ]
    return pl.lit("{") + pl.concat_str(parts, separator=",", ignore_nulls=True) + pl.lit("}")


def _statuses(spans: pl.DataFrame) -> pl.Series:
    codes = {name: str(number) for number, name in enumerate(STATUS_CODES)}
    code = pl.lit(spans["status_code"].cast(pl.String).replace_strict(codes))
    parts = [
        pl.when(code != "0").then(pl.lit('"code":') + code),
        pl.lit('"message":') + _quoted(spans["status_message"]),
    ]
    return spans.select(pl.concat_str(parts, separator=",", ignore_nulls=True)).to_series()


def _scope_text(spans: pl.DataFrame, attributes: pl.Series) -> pl.Expr:
    parts = [
        pl.lit('"name":') + _quoted(spans["scope_name"]),
        pl.lit('"version":') + _quoted(spans["scope_version"]),
        pl.lit('"attributes":[') + pl.lit(attributes) + pl.lit("]"),
    ]
    return pl.lit("{") + pl.concat_str(parts, separator=",", ignore_nulls=True) + pl.lit("}")


def _attributes(spans: pl.DataFrame, scope: str) -> pl.Series:
    """Write all attributes of one scope; null where a row has none."""
    texts = []
    for name in spans.columns:
        if not is_attribute(name) or is_type_companion(name) or not name.startswith(f"{scope}."):
            continue
        types = spans[name + TYPE_SUFFIX] if name + TYPE_SUFFIX in spans.columns else None
        key = json.dumps(name.removeprefix(f"{scope}."), ensure_ascii=False)
        value = _values(spans[name], types)
        texts.append(pl.lit(f'{{"key":{key},"value":{{') + pl.lit(value) + pl.lit("}}"))
    rest = _more_attributes(spans, scope)
    if rest is not None:
        texts.append(pl.lit(rest))
    if not texts:
        return pl.Series([None], dtype=pl.String).new_from_index(0, spans.height)
    joined = spans.select(pl.concat_str(texts, separator=",", ignore_nulls=True).alias("text"))
    return joined.select(pl.when(pl.col("text") != "").then("text")).to_series()


def _values(values: pl.Series, types: pl.Series | None) -> pl.Series:
    """Write values as the inside of an AnyValue; null stays null."""
    if types is not None:
        return _typed_values(values, types)
    if values.dtype == pl.Boolean:
        return pl.select(pl.lit('"boolValue":') + pl.lit(values.cast(pl.String))).to_series()
    if values.dtype == pl.Int64:
        return pl.select(pl.lit('"intValue":"') + pl.lit(values.cast(pl.String)) + pl.lit('"')).to_series()
    if values.dtype == pl.Float64:
        return pl.select(pl.lit('"doubleValue":') + pl.lit(_double_text(values.cast(pl.String)))).to_series()
    if isinstance(values.dtype, pl.List):
        inner = "double" if values.dtype == pl.List(pl.Float64) else None
        found = [None if items is None else _inside(_list(items, inner)) for items in values.to_list()]
        return pl.Series(found, dtype=pl.String)
    return pl.select(pl.lit('"stringValue":') + _quoted(values)).to_series()


def _typed_values(values: pl.Series, types: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"value": values, "type": types.fill_null("string")})
    nested = (frame["type"].is_in(["array", "kvlist"]) & frame["value"].is_not_null()).arg_true()
    found = frame.select(
        pl.when(pl.col("type") == "bool")
        .then(pl.lit('"boolValue":') + pl.col("value"))
        .when(pl.col("type") == "int")
        .then(pl.lit('"intValue":"') + pl.col("value") + pl.lit('"'))
        .when(pl.col("type") == "double")
        .then(pl.lit('"doubleValue":') + pl.lit(_double_text(frame["value"])))
        .when(pl.col("type") == "bytes")
        .then(pl.lit('"bytesValue":') + _quoted(frame["value"]))
        .otherwise(pl.lit('"stringValue":') + _quoted(frame["value"]))
    ).to_series()
    texts = [_inside(_any_value(json.loads(text))) for text in frame["value"].gather(nested).to_list()]
    return found.scatter(nested, texts) if texts else found


def _more_attributes(spans: pl.DataFrame, scope: str) -> pl.Series | None:
    """Write the attributes that have no column, or None if there are none."""
    rest = spans.select("more_attributes").with_row_index("row").drop_nulls()
    if not rest.height:
        return None
    pairs = (
        rest.select("row", pl.col("more_attributes").map.entries()).explode("more_attributes").unnest("more_attributes")
    )
    pairs = pairs.filter(pl.col("key").str.starts_with(f"{scope}."))
    is_type = pl.col("key").str.ends_with(TYPE_SUFFIX)
    types = pairs.filter(is_type).select("row", pl.col("key").str.strip_suffix(TYPE_SUFFIX), type="value")
    plain = pairs.filter(~is_type).join(types, on=["row", "key"], how="left", maintain_order="left")
    if not plain.height:
        return None
    values = _typed_values(plain["value"], plain["type"])
    keys = _quoted(plain["key"].str.strip_prefix(f"{scope}."))
    texts = plain.select("row", text=pl.lit('{"key":') + keys + pl.lit(',"value":{') + pl.lit(values) + pl.lit("}}"))
    return _joined(texts, spans.height)


def _nested(column: pl.Series, name: str) -> pl.Series:
    """Write events or links; null where a span has none."""
    rows = pl.DataFrame({"row": pl.int_range(column.len(), dtype=pl.UInt32, eager=True), "item": column})
    items = rows.filter(pl.col("item").list.len() > 0).explode("item").unnest("item").with_row_index("place")
    if not items.height:
        return pl.Series([None], dtype=pl.String).new_from_index(0, column.len())
    pairs = items.select("place", pl.col("attributes").map.entries().alias("pair")).filter(
        pl.col("pair").list.len() > 0
    )
    pairs = pairs.explode("pair").unnest("pair")
    texts = pairs.select(
        row="place",
        text=pl.lit('{"key":')
        + _quoted(pairs["key"])
        + pl.lit(',"value":{"stringValue":')
        + _quoted(pairs["value"])
        + pl.lit("}}"),
    )
    attributes = pl.lit('"attributes":[') + pl.lit(_joined(texts, items.height)) + pl.lit("]")
    fields: list[Any] = [attributes]
    if name == "events":
        time = items["time"].dt.timestamp("ns").cast(pl.String)
        fields = [
            pl.lit('"timeUnixNano":"') + pl.lit(time) + pl.lit('"'),
            pl.lit('"name":') + _quoted(items["name"]),
            attributes,
        ]
    else:
        names = {"trace_id": "traceId", "span_id": "spanId", "trace_state": "traceState"}
        fields = [*(pl.lit(f'"{field}":') + _quoted(items[own]) for own, field in names.items()), attributes]
    whole = pl.lit("{") + pl.concat_str(fields, separator=",", ignore_nulls=True) + pl.lit("}")
    return _joined(items.select("row", text=whole), column.len())


def _joined(texts: pl.DataFrame, count: int) -> pl.Series:
    """Join the texts of each row with commas; null where a row has none."""
    grouped = texts.group_by("row").agg(pl.col("text").str.join(","))
    rows = pl.DataFrame({"row": pl.int_range(count, dtype=pl.UInt32, eager=True)})
    return rows.join(grouped.with_columns(pl.col("row").cast(pl.UInt32)), on="row", how="left", maintain_order="left")[
        "text"
    ]


def _quoted(values: pl.Series) -> pl.Expr:
    """Write text as JSON strings; null stays null."""
    encoded = pl.struct(x=pl.lit(values)).struct.json_encode()
    return pl.when(pl.lit(values).is_not_null()).then(encoded.str.slice(5).str.head(-1))


def _double_text(texts: pl.Series) -> pl.Series:
    """Write what JSON has no numbers for as OTLP does."""
    odd = {"NaN": '"NaN"', "nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}
    return texts.replace(odd)


def _inside(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))[1:-1]


def _list(items: list[Any], inner: str | None) -> dict[str, Any]:
    return {"arrayValue": {"values": [_any_value(item, inner) for item in items]}}


def _any_value(value: Any, kind: str | None = None) -> dict[str, Any]:
    """Write a plain JSON value as an AnyValue."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and kind != "double":
        return {"intValue": str(value)}
    if isinstance(value, int | float):
        number = float(value)
        odd = number - number != 0  # NaN and infinities
        return {"doubleValue": json.dumps(number).replace("inf", "Infinity") if odd else number}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    return {"kvlistValue": {"values": [{"key": key, "value": _any_value(item)} for key, item in value.items()]}}

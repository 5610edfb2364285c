"""Which attributes a frame has, and typed columns for those that have none."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Final, TypeVar

import polars as pl

from tracelab.conforming import takes_any_frame
from tracelab.errors import SchemaError
from tracelab.schema import (
    INTRINSIC_ATTRIBUTES,
    SCOPES,
    TYPE_SUFFIX,
    attribute_names,
    in_order,
    is_attribute,
    is_type_companion,
)

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)

_CATALOGUE: Final = pl.Schema(
    {
        "name": pl.String(),
        "scope": pl.String(),
        "key": pl.String(),
        "dtype": pl.String(),
        "spans": pl.UInt32(),
        "distinct": pl.UInt32(),
        "examples": pl.List(pl.String()),
        "column": pl.String(),
    }
)
_EXAMPLES: Final = 3
_DTYPES: Final = {"bool": pl.Boolean(), "int": pl.Int64(), "double": pl.Float64()}
_ITEMS: Final = {bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(), str: pl.String()}


@takes_any_frame
def attributes(spans: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """List the attributes of a frame: what there is to ask for.

    Returns
    -------
    One row per attribute: `name` (String, the full name, such as `span.http.route`), `scope` (String: span, resource
    or instrumentation), `key` (String), `dtype` (String: of the column, or what its values are among
    `more_attributes`), `spans` (UInt32, how many carry it), `distinct` (UInt32, how many different values),
    `examples` (List(String), its three most frequent values), `column` (String, where it lives); sorted by `spans`,
    most first, then `name`.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("api ===== http.route=/pay retries=2")
    >>> attributes(spans).select("name", "dtype", "spans", "examples").rows()[0]
    ('resource.service.name', 'String', 1, ['api'])
    """
    frame = spans.lazy().collect()
    rows = [
        _described(frame[column], name=name, column=column)
        for column, name in _attribute_columns(frame.columns)
        if frame[column].len() > frame[column].null_count()
    ]
    columns = pl.concat([pl.DataFrame(schema=_CATALOGUE), *rows])
    return pl.concat([columns, _described_rest(frame)]).sort("spans", "name", descending=[True, False])


@takes_any_frame
def with_attributes(spans: FrameT, *keys: str) -> FrameT:
    """Give attributes that live among `more_attributes` a typed column each.

    Parameters
    ----------
    spans
        A span frame.
    *keys
        Attribute keys, with a scope (`span.cart.size`) or bare (`cart.size`, looked up in span, resource and
        instrumentation).

    Returns
    -------
    The frame with a column for each key, of the narrowest dtype that holds its values (a mix is text, with a
    companion column `<column>:type`). Keys that already have a column stay as they are, and `more_attributes` too.

    Raises
    ------
    SchemaError
        No span carries the key.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("api =====").with_columns(more_attributes=pl.lit([{"key": "span.n", "value": "7"},
    ...     {"key": "span.n:type", "value": "int"}]).cast(pl.Map(pl.String(), pl.String())))
    >>> with_attributes(spans, "n")["span.n"].to_list()
    [7]
    """
    frame = spans.lazy().collect()
    for key in keys:
        names = attribute_names(key)
        if any(INTRINSIC_ATTRIBUTES.get(name, name) in frame.columns for name in names):
            continue
        name = next((name for name in names if _carried(frame, name)), None)
        if name is None:
            raise SchemaError(_unknown(key, frame))
        frame = frame.with_columns(_typed(frame, name))
    frame = frame.select(in_order(frame.columns))
    if isinstance(spans, pl.LazyFrame):
        return frame.lazy()
    return frame


def _attribute_columns(columns: list[str]) -> list[tuple[str, str]]:
    """Pair each column that holds an attribute with the attribute's full name."""
    own = [(column, column) for column in columns if is_attribute(column) and not is_type_companion(column)]
    return own + [(column, name) for name, column in INTRINSIC_ATTRIBUTES.items() if column in columns]


def _described(values: pl.Series, *, name: str, column: str) -> pl.DataFrame:
    present = values.drop_nulls()
    if isinstance(values.dtype, pl.List):
        present = pl.Series(values.name, [json.dumps(row) for row in present.unique().to_list()])
    counts = present.value_counts(name="n").with_columns(pl.nth(0).cast(pl.String).alias("value"))
    common = counts.sort("n", "value", descending=[True, False])["value"].head(_EXAMPLES)
    row = {
        **_split(name),
        "dtype": str(values.dtype),
        "spans": values.len() - values.null_count(),
        "distinct": counts.height,
        "examples": common.to_list(),
        "column": column,
    }
    return pl.DataFrame([row], schema=_CATALOGUE)


def _described_rest(frame: pl.DataFrame) -> pl.DataFrame:
    """Describe what lives in `more_attributes`, all keys at once."""
    entries = (
        frame.lazy()
        .select(pl.col("more_attributes").cast(pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))))
        .drop_nulls()
        .with_row_index("row")
        .explode("more_attributes", empty_as_null=False)
        .unnest("more_attributes")
    )
    companions = entries.filter(pl.col("key").str.ends_with(TYPE_SUFFIX))
    types = companions.select("row", pl.col("key").str.strip_suffix(TYPE_SUFFIX), type=pl.col("value"))
    values = entries.filter(~pl.col("key").str.ends_with(TYPE_SUFFIX)).join(types, on=["row", "key"], how="left")
    common = values.group_by("key", "value").len("n").sort("n", "value", descending=[True, False])
    described = (
        values.group_by("key")
        .agg(
            spans=pl.len(),
            distinct=pl.col("value").n_unique(),
            types=pl.col("type").fill_null("string").unique(),
        )
        .join(common.group_by("key").agg(examples=pl.col("value").head(_EXAMPLES)), on="key")
        .collect()
    )
    rows = [
        {
            **_split(row["key"]),
            "dtype": str(_narrowest(row["types"])),
            "spans": row["spans"],
            "distinct": row["distinct"],
            "examples": row["examples"],
            "column": "more_attributes",
        }
        for row in described.to_dicts()
    ]
    return pl.DataFrame(rows, schema=_CATALOGUE)


def _typed(frame: pl.DataFrame, name: str) -> list[pl.Series]:
    """Build the column (and its companion, if the values are of several types) of one key."""
    pairs = frame.select(
        value=pl.col("more_attributes").map.get(name), type=pl.col("more_attributes").map.get(name + TYPE_SUFFIX)
    ).with_columns(pl.when(pl.col("value").is_not_null()).then(pl.col("type").fill_null("string")).alias("type"))
    types = pairs["type"].drop_nulls().unique().to_list()
    dtype = _narrowest(types)
    text = pairs["value"].alias(name)
    if dtype == pl.Boolean:
        return [(text == "true").alias(name)]
    if dtype != pl.String:
        return [text.cast(dtype)]
    if types == ["array"] and (lists := _lists(text)) is not None:
        return [lists]
    return [text] if types == ["string"] else [text, pairs["type"].alias(name + TYPE_SUFFIX)]


def _lists(text: pl.Series) -> pl.Series | None:
    """Decode JSON arrays whose items are of one type; None where they are not."""
    distinct = text.drop_nulls().unique()
    decoded = [json.loads(value) for value in distinct]
    kinds = {type(item) for items in decoded for item in items}
    inner = _ITEMS.get(kinds.pop()) if len(kinds) == 1 else (pl.Float64() if kinds == {int, float} else None)
    if inner is None:
        return None
    values = pl.DataFrame({"text": distinct, "items": pl.Series(decoded, dtype=pl.List(inner))}, strict=False)
    return (
        pl.DataFrame({"text": text})
        .join(values, on="text", how="left", maintain_order="left")["items"]
        .alias(text.name)
    )


def _narrowest(types: list[str]) -> pl.DataType:
    """Give the dtype that holds values of all these types; text where only text does."""
    if set(types) == {"int", "double"}:
        return pl.Float64()
    return _DTYPES.get(types[0], pl.String()) if len(set(types)) == 1 else pl.String()


def _carried(frame: pl.DataFrame, name: str) -> bool:
    return bool(frame.select(pl.col("more_attributes").map.get(name).is_not_null().any()).item())


def _unknown(key: str, frame: pl.DataFrame) -> str:
    known = attributes(frame)
    names = known["name"].to_list() + known["key"].to_list()
    near = get_close_matches(key, names, n=3)
    hint = (
        f" Did you mean {', '.join(map(repr, near))}?" if near else " tracelab.attributes(spans) lists what there is."
    )
    return f"No span carries the attribute {key!r}.{hint}"


def _split(name: str) -> dict[str, str]:
    scope, _, key = name.partition(".")
    return {"name": name, "scope": scope if scope in SCOPES else "", "key": key}

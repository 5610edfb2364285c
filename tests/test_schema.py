from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tracelab.errors import QueryWarning, SchemaError
from tracelab.schema import ATTRIBUTES, SPAN_SCHEMA, attr, in_order, is_attribute, is_error, is_root
from tracelab.synthetic import draw


def test_in_order_puts_scopes_and_companions_where_they_belong() -> None:
    names = ["zz", "resource.a", "more_attributes", "span.b:type", "span.b", "span.a", "trace_id", "name", "span.ba"]
    assert in_order(names) == [
        "trace_id", "name", "span.a", "span.b", "span.b:type", "span.ba", "resource.a", "more_attributes", "zz",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"), [("span.x", True), ("span.", False), ("spanx", False), ("event.x", False)]
)
def test_is_attribute_asks_for_a_scope_and_a_key(name: str, expected: bool) -> None:
    assert is_attribute(name) is expected


def test_attr_prefers_the_span_over_the_resource_and_columns_over_the_rest() -> None:
    frame = pl.DataFrame(
        {
            "span.k": ["span", None, None, None],
            "resource.k": ["resource", "resource", None, None],
            "more_attributes": [{"span.k": "no"}, None, {"resource.k": "rest"}, None],
        },
        schema_overrides={"more_attributes": ATTRIBUTES},
    )
    assert frame.select(attr("k")).to_series().to_list() == ["span", "resource", "rest", None]
    assert frame.select(attr("resource.k")).to_series().to_list() == ["resource", "resource", "rest", None]


def test_attr_reads_any_column_as_text_and_gives_the_dtype_that_is_asked_for() -> None:
    frame = draw("a = n=3 f=2.5 b=true").with_columns(pl.lit(['x"', "y"]).alias("span.l"))
    assert frame.select(attr("n"), attr("f"), attr("b"), attr("l")).row(0) == ("3", "2.5", "true", '["x\\"", "y"]')
    assert frame.select(attr("n", dtype=pl.Int64), attr("f", dtype=pl.Float64), attr("b", dtype=pl.Boolean)).row(0) == (
        3,
        2.5,
        True,
    )
    assert frame.select(attr("l", dtype=pl.List(pl.String))).item().to_list() == ['x"', "y"]
    assert frame.select(attr("f", dtype=pl.Int64)).item() is None


def test_attr_knows_the_attributes_that_have_a_column_of_their_own() -> None:
    frame = draw("shop::pay ==")
    assert frame.select(attr("service.name")).item() == "shop"
    assert frame.select(attr("resource.service.name")).item() == "shop"


def test_attr_of_a_key_that_nobody_has_is_null_with_a_warning_also_lazily() -> None:
    frame = draw("a =")
    for spans in (frame.lazy(), frame.drop("more_attributes").lazy()):
        with pytest.warns(QueryWarning, match="No span here has an attribute 'nobody'"):
            found = spans.select(attr("nobody")).collect()
        assert found.item() is None


def test_attr_of_a_key_that_has_a_column_is_silent_where_it_is_null() -> None:
    frame = draw("""
    a ===
      b .= n=3
    """)
    assert frame.filter(is_root()).select(attr("n")).item() is None
    assert frame.clear().select(attr("nobody")).is_empty()


def test_attr_warns_at_the_line_that_asks() -> None:
    with pytest.warns(QueryWarning) as caught:
        draw("a =").with_columns(attr("nobody"))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("key", ["", None, 5])
def test_attr_wants_a_key(key: Any) -> None:
    with pytest.raises(SchemaError, match="is a text such as"):
        attr(key)


def test_expressions_filter_a_frame() -> None:
    frame = draw("""
    a ===
      b .=!
    """)
    assert frame.filter(is_error())["name"].to_list() == ["b"]
    assert frame.filter(is_root())["name"].to_list() == ["a"]


def test_every_column_of_the_schema_is_there_in_its_order() -> None:
    assert draw("").columns == list(SPAN_SCHEMA)


@pytest.mark.parametrize("key", [pl.col("a"), pl.DataFrame(), b"a", ["a"]])
def test_attr_wants_a_key_that_is_text(key: Any) -> None:
    with pytest.raises(SchemaError, match="is a text such as 'http"):
        attr(key)


@pytest.mark.parametrize(
    "dtype",
    [5, "Int64", int, pl.col("a"), pl.DataType, pl.Unknown, pl.Decimal, pl.Struct, pl.Map, pl.List, pl.Datetime],
)
def test_attr_wants_a_dtype_that_text_can_be_read_as(dtype: Any) -> None:
    with pytest.raises(SchemaError, match="`dtype` must be polars"):
        attr("a", dtype=dtype)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (pl.Int8, 1),
        (pl.Float32(), 1.0),
        (pl.Decimal(10, 1), 1),
        (pl.Enum(["1"]), "1"),
        (pl.Categorical, "1"),
        (pl.Binary, b"1"),
        (pl.List(pl.Int64), None),
    ],
)
def test_attr_reads_a_value_as_every_dtype_of_attributes(dtype: Any, value: Any) -> None:
    assert draw("api = a=1").select(attr("a", dtype=dtype)).item() == value

from __future__ import annotations

import polars as pl
import pytest

from tracelab.catalogue import attributes, with_attributes
from tracelab.errors import SchemaError
from tracelab.schema import ATTRIBUTES
from tracelab.synthetic import draw


def sparse(*rows: dict[str, str] | None) -> pl.DataFrame:
    picture = "\n\n".join(f"svc::op{number} ==" for number in range(len(rows)))
    return draw(picture).with_columns(more_attributes=pl.Series(rows, dtype=ATTRIBUTES))


def test_attributes_lists_columns_and_the_rest_alike() -> None:
    spans = sparse({"span.n": "7", "span.n:type": "int"}, {"span.n": "8", "span.n:type": "int"}, None)
    spans = spans.with_columns(pl.Series("span.route", ["/a", "/a", "/b"]))
    rows = {row["name"]: row for row in attributes(spans).to_dicts()}
    assert rows["span.n"] == {
        "name": "span.n", "scope": "span", "key": "n", "dtype": "Int64", "spans": 2, "distinct": 2,
        "examples": ["7", "8"], "column": "more_attributes",
    }  # fmt: skip
    assert (rows["span.route"]["spans"], rows["span.route"]["examples"]) == (3, ["/a", "/b"])
    assert rows["resource.service.name"]["column"] == "service_name"


def test_attributes_of_no_spans_is_an_empty_frame_with_its_columns() -> None:
    empty = attributes(draw(""))
    assert empty.is_empty()
    assert empty.columns == ["name", "scope", "key", "dtype", "spans", "distinct", "examples", "column"]


@pytest.mark.parametrize(
    ("entries", "dtype", "values"),
    [
        ([("7", "int"), ("-1", "int")], pl.Int64(), [7, -1]),
        ([("7", "int"), ("0.5", "double")], pl.Float64(), [7.0, 0.5]),
        ([("true", "bool"), ("false", "bool")], pl.Boolean(), [True, False]),
        ([("7", None), ("x", None)], pl.String(), ["7", "x"]),
        ([('["a","b"]', "array"), ("[]", "array")], pl.List(pl.String()), [["a", "b"], []]),
    ],
)
def test_with_attributes_gives_the_narrowest_dtype(
    entries: list[tuple[str, str | None]], dtype: pl.DataType, values: list[object]
) -> None:
    rows = [{"span.k": text} | ({"span.k:type": kind} if kind else {}) for text, kind in entries]
    spans = with_attributes(sparse(*rows, None), "k")
    assert spans.schema["span.k"] == dtype
    assert spans["span.k"].to_list() == [*values, None]
    assert "span.k:type" not in spans.columns


def test_with_attributes_keeps_the_types_of_a_mix_beside_it() -> None:
    spans = with_attributes(sparse({"span.k": "7", "span.k:type": "int"}, {"span.k": "x"}, None), "span.k")
    assert spans.select("span.k", "span.k:type").rows() == [("7", "int"), ("x", "string"), (None, None)]


def test_with_attributes_offers_near_names() -> None:
    with pytest.raises(SchemaError, match=r"'http\.rout'.*Did you mean.*http\.route"):
        with_attributes(draw("a = http.route=/x"), "http.rout")


def test_with_attributes_gives_lazy_for_lazy_and_leaves_columns_alone() -> None:
    spans = draw("a = k=1")
    assert with_attributes(spans.lazy(), "k").collect().equals(spans)

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.loaders.dumps import attribute, compact, request, span
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read


def frame(*values: Any) -> pl.DataFrame:
    spans = [
        span(f"{number:016x}", name=str(number), attributes=[] if value is None else [attribute("a", value)])
        for number, value in enumerate(values, start=1)
    ]
    return read(compact(request(*spans))).sort("span_id")


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ((True, None), pl.Boolean()),
        ((1, 2**62), pl.Int64()),
        ((1, 0.5), pl.Float64()),
        (("x", None), pl.String()),
        (([1], [0.5], []), pl.List(pl.Float64())),
        ((["x"], []), pl.List(pl.String())),
        (([True],), pl.List(pl.Boolean())),
        (([],), pl.List(pl.String())),
    ],
)
def test_a_column_has_the_narrowest_dtype_that_holds_all(values: tuple[Any, ...], dtype: pl.DataType) -> None:
    spans = frame(*values)
    assert spans.schema["span.a"] == dtype
    assert spans["span.a"].to_list() == list(values)
    assert "span.a:type" not in spans.columns


def test_a_mix_becomes_text_with_the_types_beside_it() -> None:
    values = ("x", True, 2**53 + 1, 0.5, b"\x00", [1], {"k": 1}, None)
    spans = frame(*values)
    assert spans.select("span.a", "span.a:type").rows() == [
        ("x", "string"),
        ("true", "bool"),
        ("9007199254740993", "int"),
        ("0.5", "double"),
        ("AA==", "bytes"),
        ("[1]", "array"),
        ('{"k": 1}', "kvlist"),
        (None, None),
    ]


def test_integers_that_no_double_holds_stay_exact_beside_doubles() -> None:
    assert frame(2**53 + 1, 0.5).schema["span.a"] == pl.String()


def test_scopes_do_not_collide_with_one_another_or_with_columns() -> None:
    document = request(
        span(attributes=[attribute("name", "s"), attribute("trace_id", "t")]), attributes=[attribute("name", "i")]
    )
    document["resourceSpans"][0]["resource"]["attributes"].append(attribute("name", "r"))
    row = read(compact(document)).row(0, named=True)
    assert (row["name"], row["span.name"], row["resource.name"], row["instrumentation.name"]) == (
        "GET /pay",
        "s",
        "r",
        "i",
    )
    assert row["span.trace_id"] == "t"


def test_keys_that_no_column_can_have_are_renamed() -> None:
    keys = ["", "a:type", "a:type_", "a"]
    dump = compact(request(span(attributes=[attribute(key, key) for key in keys])))
    with pytest.warns(LoadWarning, match="no column can have"):
        row = read(dump).row(0, named=True)
    assert {key: row[f"span.{key}"] for key in ("_", "a:type__", "a:type_", "a")} == {
        "_": "", "a:type__": "a:type", "a:type_": "a:type_", "a": "a",
    }  # fmt: skip


def test_a_key_that_a_span_has_twice_keeps_its_last_value() -> None:
    dump = compact(request(span(attributes=[attribute("a", "1"), attribute("a", "2")])))
    with pytest.warns(LoadWarning, match="twice"):
        assert read(dump)["span.a"].item() == "2"
    assert load_report(dump).filter(pl.col("problem") == "keys that a span has twice")["count"].item() == 1


def test_very_many_keys_go_to_more_attributes() -> None:
    spans = [
        span(
            f"{row:016x}",
            attributes=[attribute(f"k{row}.{key}", key) for key in range(100)] + [attribute("often", row)],
        )
        for row in range(1, 101)
    ]
    frame = read(compact(request(*spans))).sort("span_id")
    assert "span.often" in frame.columns
    assert len(frame.columns) < 1100
    rest = frame["more_attributes"].drop_nulls().to_list()
    assert sum(len(held) for held in rest) == 2 * (100 * 100 + 1 - 1024)
    assert {rest[0][key] for key in rest[0] if key.endswith(":type")} == {"int"}

"""Texts of values, as Go prints them and writes them in JSON."""

from __future__ import annotations

import polars as pl
import pytest

from tracelab.sampling.refinery.values import (
    FLOAT,
    INT,
    TEXT,
    Values,
    first_of,
    flattened,
    go_json,
    printed,
    printed_floats,
)

# What Go 1.26 prints for these (fmt.Print).
PRINTED = {
    1.0: "1", 0.1: "0.1", -2.5: "-2.5", 100000.0: "100000", 1e15: "1e+15", 1234567.0: "1.234567e+06", 1e100: "1e+100",
    999999.5: "999999.5", 123456789012345680.0: "1.2345678901234568e+17", 1e20: "1e+20", 1e21: "1e+21", -0.0: "-0",
    1.5e300: "1.5e+300", 0.0001: "0.0001", 0.00001: "1e-05", 1.25e-7: "1.25e-07", 5e-324: "5e-324",
}  # fmt: skip


def test_floats_are_printed_as_go_prints_them() -> None:
    assert printed_floats(pl.Series(list(PRINTED))).to_list() == list(PRINTED.values())


def test_json_is_written_as_honeycomb_writes_it() -> None:
    value = {"b": [1.0, 1e21, 1e-7, 0.000001, True, None], "a": 'x<y>&"z"\u2028é'}
    assert go_json(value) == '{"a":"x\\u003cy\\u003e\\u0026\\"z\\"\\u2028é","b":[1,1e+21,1e-07,0.000001,true,null]}'


def test_the_first_value_of_a_row_counts() -> None:
    first = Values.of(INT, pl.Series([None, 1, None, 2]))
    second = Values.of(TEXT, pl.Series(["a", "b", None, "c"]))
    third = Values.of(INT, pl.Series([5, 6, 7, 8]))
    found = first_of(4, [first, second, third])
    assert found.text().to_list() == ["a", "1", "7", "2"]
    assert found.kinds[INT].to_list() == [None, 1, 7, 2]


def test_maps_are_looked_into() -> None:
    texts = pl.Series(
        ['{"a":{"b":1.5},"c":{"a.b":[1]}}', "no map", None, '{"a":{"b":"x"}}', '{"a":{"b":' + "9" * 30 + "}}"]
    )
    found = flattened(texts, "a.b")
    assert found.kinds[FLOAT].to_list() == [1.5, None, None, None, None]
    assert found.kinds[TEXT].to_list() == [None, None, None, "x", None]
    assert flattened(texts, "c.a.b").text().to_list()[0] == "[1]\n"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "{", "nul", '{"a":NaN}'])
def test_what_is_no_map_has_no_values(text: str) -> None:
    assert not flattened(pl.Series([text]), "x").exists.any()


def test_lists_are_printed() -> None:
    assert printed([1, "a", [2.0]]) == "[1 a [2]]"

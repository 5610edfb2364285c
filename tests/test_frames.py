from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.frames import as_polars
from tracelab.synthetic import draw

SPANS = draw("""
api    =====
  db   .===
""")


def read(frame: Any) -> pl.DataFrame:
    return as_polars(frame, what="frame", remedy="Pass a frame.")


@pytest.mark.parametrize("index", ["trace_id", ["trace_id", "span_id"], "start_time"])
def test_the_index_of_a_pandas_frame_is_read_where_it_has_a_name(index: str | list[str]) -> None:
    pytest.importorskip("pandas")
    assert tl.conform(SPANS.to_pandas().set_index(index)).equals(SPANS)
    assert "db" in str(tl.show(SPANS.to_pandas().set_index("name"), columns=["name"]))


def test_an_index_that_is_a_column_too_is_read_once() -> None:
    pytest.importorskip("pandas")
    frame = SPANS.to_pandas().set_index("trace_id", drop=False)
    assert read(frame).columns == SPANS.columns
    assert tl.conform(frame).equals(SPANS)


def test_a_series_is_a_frame_of_one_column() -> None:
    pytest.importorskip("pandas")
    assert read(SPANS["name"]).equals(SPANS.select("name"))
    assert read(SPANS["name"].to_pandas()).equals(SPANS.select("name"))


def test_values_that_polars_cannot_hold_are_refused_with_the_name_of_their_column() -> None:
    pandas = pytest.importorskip("pandas")
    for values in ([{1}, 2], [1, "x", {}], [1 + 2j], [2**70, 1]):
        for reader in (read, tl.conform):
            with pytest.raises(tl.SchemaError, match=r"polars cannot read the column 'odd': .*Make it one type"):
                reader(pandas.DataFrame({"a": range(len(values)), "odd": values}))


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, "x", {}], ["1", "x", "{}"]),
        ([{1}, 2], ["{1}", "2"]),
        ([1 + 2j], ["(1+2j)"]),
        ([2**70, 1], [str(2**70), "1"]),
    ],
)
def test_such_values_become_text_where_they_are_only_shown(values: list[Any], texts: list[str]) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"took": pandas.to_timedelta(range(len(values)), unit="s"), "odd": values})
    shown = as_polars(frame, what="frame", remedy="", mixed_as_text=True)
    assert shown["odd"].to_list() == texts
    assert shown["took"].dtype == pl.Duration
    assert str(texts[0]) in str(tl.show(frame))


def test_columns_of_one_name_are_refused_by_that_name() -> None:
    pandas = pytest.importorskip("pandas")
    for names in (["a", "a"], [1, "1"]):
        with pytest.raises(tl.SchemaError, match=f"Several columns are called '{names[0]}'"):
            tl.show(pandas.DataFrame([[1, 2]], columns=names))


def test_an_index_with_the_name_of_a_column_gives_way_to_it() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1]}, index=pandas.Index(["z"], name="a"))
    assert read(frame).to_dict(as_series=False) == {"a": [1]}


def test_periods_are_read_as_text() -> None:
    pandas = pytest.importorskip("pandas")
    days = pandas.period_range("2020-01-01", periods=2, freq="D")
    months = pandas.period_range("2020-01", periods=2, freq="M", name="month")
    shown = read(pandas.DataFrame({"day": days}, index=months))
    assert shown.to_dict(as_series=False) == {"month": ["2020-01", "2020-02"], "day": ["2020-01-01", "2020-01-02"]}


@pytest.mark.parametrize("what", [None, 5, "text", [1, 2], {"a": [1]}])
def test_what_is_no_frame_is_refused_with_what_to_do(what: Any) -> None:
    with pytest.raises(tl.SchemaError, match=r"is no frame\. Pass a frame\."):
        read(what)

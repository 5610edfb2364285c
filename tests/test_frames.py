from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tracelab as tl
from tracelab.frames import as_polars
from tracelab.synthetic import draw

if TYPE_CHECKING:
    import polars as pl

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


def test_values_that_polars_cannot_hold_are_refused_in_words() -> None:
    pandas = pytest.importorskip("pandas")
    for reader in (read, tl.show, tl.conform):
        with pytest.raises(tl.SchemaError, match=r"polars cannot read this DataFrame: .*Make each column one type"):
            reader(pandas.DataFrame({"a": [{1}, 2]}))


@pytest.mark.parametrize("what", [None, 5, "text", [1, 2], {"a": [1]}])
def test_what_is_no_frame_is_refused_with_what_to_do(what: Any) -> None:
    with pytest.raises(tl.SchemaError, match=r"is no frame\. Pass a frame\."):
        read(what)

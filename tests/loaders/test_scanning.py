from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tracelab.analysis import error_rates
from tracelab.conforming import with_tree
from tracelab.errors import LoadError, SourceError
from tracelab.loaders import read, scan, write
from tracelab.schema import SPAN_SCHEMA, TREE_COLUMNS, attr
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from pathlib import Path


def of_trace(spans: pl.DataFrame, number: int) -> pl.DataFrame:
    """Give the spans of a drawing of one trace another trace id."""
    return spans.with_columns(trace_id=pl.lit(f"{number:032x}"))


def test_scan_says_what_is_no_span_frame(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no parquet"):
        scan(tmp_path / "missing")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(LoadError, match="needs the columns"):
        scan(tmp_path / "a.parquet")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(LoadError, match="no parquet file"):
        scan(tmp_path / "b.json")


@pytest.mark.parametrize("path", [None, 5, [], [None], ["x.parquet"], b"x.parquet", "", True])
def test_scan_wants_a_path(path: Any) -> None:
    with pytest.raises(SourceError, match="`path` must be the path of a file or folder, got"):
        scan(path)


def test_dumps_with_different_columns_are_scanned_as_they_are_read(tmp_path: Path) -> None:
    dumps = {
        "a": draw("a === same=1 int.or.text=1 double.or.bool=0.00001 only.a=x\n  a2 .=! same=2"),
        "b": of_trace(draw('b ====! same=3 int.or.text="one" double.or.bool=true'), 7),
        "c": of_trace(draw("c === only.c=2.5 int.or.text=3"), 8),
        "d": of_trace(draw("d ==="), 9),
    }
    for name, spans in dumps.items():
        write(spans, tmp_path / f"{name}.parquet")
    both = read(tmp_path)
    for place in (tmp_path, tmp_path / "*.parquet", str(tmp_path / "[abcd].parquet")):
        lazy = scan(place)
        assert_frame_equal(lazy.collect().drop(TREE_COLUMNS), both.drop(TREE_COLUMNS))
        assert lazy.collect_schema() == both.schema
    types = scan(tmp_path).select("span.int.or.text", "span.int.or.text:type", "span.double.or.bool").collect()
    assert types.rows() == [
        ("1", "int", "1e-05"),
        (None, None, None),
        ("one", "string", "true"),
        ("3", "int", None),
        (None, None, None),
    ]
    assert_frame_equal(error_rates(scan(tmp_path), by="same"), error_rates(both, by="same"))
    assert scan(tmp_path).filter(attr("only.a") == "x").select("name").collect().item() == "a"
    assert_frame_equal(with_tree(scan(tmp_path)).collect().sort("tree_left"), both)
    assert_frame_equal(read(write(scan(tmp_path), tmp_path / "all.jsonl")), both)


def test_a_column_that_is_mixed_already_takes_in_others(tmp_path: Path) -> None:
    mixed = draw("a === k=1").with_columns(pl.lit("2").alias("span.k"), pl.lit("int").alias("span.k:type"))
    write(mixed, tmp_path / "a.parquet")
    write(of_trace(draw("b === k=text"), 7), tmp_path / "b.parquet")
    found = scan(tmp_path).select("span.k", "span.k:type").collect()
    assert found.rows() == [("2", "int"), ("text", "string")]
    assert read(tmp_path).select("span.k", "span.k:type").rows() == found.rows()


def test_lists_are_united_with_lists_of_their_kind_only(tmp_path: Path) -> None:
    lists = draw("a ===").with_columns(pl.Series("span.k", [[1, 2]]))
    write(lists, tmp_path / "a.parquet")
    write(of_trace(draw("b === x=1"), 7), tmp_path / "b.parquet")
    assert scan(tmp_path).select("span.k").collect().to_series().to_list() == [[1, 2], None]
    write(of_trace(draw("c === k=1"), 8), tmp_path / "c.parquet")
    with pytest.raises(LoadError, match=r"'span.k' is Int64 and List\(Int64\) in different files. Read them with"):
        scan(tmp_path)


def test_columns_of_ones_own_are_united_where_they_are_of_one_kind(tmp_path: Path) -> None:
    write(draw("a ===").with_columns(mine=1), tmp_path / "a.parquet")
    write(of_trace(draw("b ==="), 7), tmp_path / "b.parquet")
    assert scan(tmp_path).select("mine").collect().to_series().to_list() == [1, None]
    write(of_trace(draw("c ==="), 8).with_columns(mine=pl.lit("x")), tmp_path / "c.parquet")
    with pytest.raises(LoadError, match="'mine' is Int32 and String in different files"):
        scan(tmp_path)


def test_frames_of_others_are_conformed_on_the_way(tmp_path: Path) -> None:
    spans = of_trace(draw("a === k=1"), 7)
    spans.select("trace_id", "span_id", "name", pl.col("start_time").dt.cast_time_unit("us"), "duration").write_parquet(
        tmp_path / "a.parquet"
    )
    write(draw("b ==="), tmp_path / "b.parquet")
    whole = scan(tmp_path).collect()
    assert whole["start_time"].dtype == SPAN_SCHEMA["start_time"]
    assert whole["name"].to_list() == ["a", "b"]
    spans.select("trace_id", "span_id", "name", "duration", start_time=5).write_parquet(tmp_path / "c.parquet")
    with pytest.raises(LoadError, match=r"c.parquet: 'start_time' should be a datetime, and is Int32"):
        scan(tmp_path)


def test_one_dump_of_many_files_is_one_scan_that_reads_what_is_asked_for(tmp_path: Path) -> None:
    spans = generate(3000, seed=3, span_of_time="4h")
    folder = write(spans, tmp_path / "kept")
    assert_frame_equal(scan(folder).sort("tree_left").collect(), spans)
    plan = scan(folder).select("name").explain()
    assert plan.count("Parquet SCAN") == 1
    assert "UNION" not in plan
    assert f"PROJECT 1/{spans.width} COLUMNS" in plan
    assert_frame_equal(scan(tmp_path / "kept" / "*").sort("tree_left").collect(), spans)


def test_what_is_hidden_is_not_scanned(tmp_path: Path) -> None:
    write(draw("a ==="), tmp_path / "a.parquet")
    (tmp_path / ".part").mkdir()
    (tmp_path / ".part" / "b.parquet").write_bytes(b"half")
    assert scan(tmp_path).collect()["name"].to_list() == ["a"]

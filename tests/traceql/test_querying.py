from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.traceql.shop import SHOP, names
from tracelab.errors import QueryError, SchemaError
from tracelab.traceql import query


def test_query_keeps_the_frame_as_it_was() -> None:
    found = query(SHOP, "{ status = error } >> { } || { kind = client }")
    assert found.columns == SHOP.columns
    assert_frame_equal(found, SHOP.filter(pl.col("name").is_in(found["name"].to_list())))


def test_query_refuses_to_divide_an_int_by_zero() -> None:
    with pytest.raises(QueryError, match="divides an int by zero") as caught:
        query(SHOP, "{ 4 / .retries > 1 }")
    assert "expression" not in str(caught.value)


def test_query_divides_only_where_the_earlier_conditions_hold() -> None:
    assert names("{ .retries != 0 && 4 / .retries = 2 }") == ["GET /pay", "DELETE"]
    assert names("{ .retries = 0 || 4 / .retries = 2 }") == ["GET /pay", "render", "DELETE"]


def test_query_refuses_a_metrics_query_and_names_the_right_function() -> None:
    with pytest.raises(QueryError, match="query_metrics"):
        query(SHOP, "{ } | rate()")


def test_query_refuses_to_relate_several_groups() -> None:
    with pytest.raises(QueryError, match="coalesce"):
        query(SHOP, "({ } | by(name)) >> ({ })")


def test_query_names_the_column_that_a_frame_lacks() -> None:
    with pytest.raises(SchemaError, match="'duration'"):
        query(SHOP.drop("duration"), "{ status = error }")


def test_query_divides_only_where_conditions_about_events_hold_too() -> None:
    with pytest.raises(QueryError, match="divides an int by zero"):
        query(SHOP, "{ 4 / .retries > 1 && event.x = nil }")
    assert names("{ event.x = nil && .retries != 0 && 4 / .retries = 2 }") == ["GET /pay", "DELETE"]


def test_query_takes_an_empty_frame() -> None:
    for text in (
        "{ }",
        "{ } >> { }",
        "{ } | by(name) | count() > 1",
        "{ } ~ { rootName = `x` }",
        "{ nestedSetLeft > 1 }",
    ):
        assert query(SHOP.clear(), text).is_empty()


def test_a_single_filter_is_pushed_into_a_parquet_scan(tmp_path: object) -> None:
    path = f"{tmp_path}/spans.parquet"
    SHOP.write_parquet(path)
    plan = query(pl.scan_parquet(path), "{ span.retries > 1 && duration > 1ms }").explain()
    assert "SELECTION" in plan
    assert "FILTER" not in plan


def test_a_filter_on_related_spans_is_not_pushed_below_what_it_reads(tmp_path: object) -> None:
    path = f"{tmp_path}/spans.parquet"
    SHOP.write_parquet(path, row_group_size=3)
    for text in (
        "{ parent.region = `us` }",
        "{ rootName = `GET /pay` && status = error }",
        "{ span:childCount > 0 }",
        "{} > {}",
    ):
        assert query(pl.scan_parquet(path), text).collect()["name"].to_list() == query(SHOP, text)["name"].to_list()


def test_query_runs_a_long_list_of_alternatives() -> None:
    text = "{ " + " || ".join(f"span.retries = {number}" for number in range(5_000)) + " }"
    assert names(text) == ["GET /pay", "render", "charge", "DELETE"]

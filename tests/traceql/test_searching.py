from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.traceql.shop import SHOP
from tracelab.errors import QueryError, SchemaError
from tracelab.traceql import search
from tracelab.traceql.searching import SEARCH_SCHEMA


def test_search_gives_one_row_a_trace_newest_first() -> None:
    found = search(SHOP, "{ }")
    assert found.schema == SEARCH_SCHEMA
    assert found.select("root_service_name", "root_name", "matched", "duration").rows() == [
        ("", "", 2, dt.timedelta(milliseconds=4)),
        ("job", "nightly", 2, dt.timedelta(milliseconds=3)),
        ("web", "GET /pay", 5, dt.timedelta(milliseconds=10)),
    ]


def test_search_lists_the_matching_spans_of_a_trace_in_tree_order() -> None:
    found = search(SHOP, "{ status = error } || { name = `GET /pay` }")
    assert found["span_ids"].to_list() == [[f"{number:016x}" for number in (1, 3, 4)]]


def test_search_describes_the_whole_trace_not_just_what_matched() -> None:
    found = search(SHOP, "{ name = `log` }")
    assert found["start_time"].item() == SHOP["start_time"][0]
    assert found["duration"].item() == dt.timedelta(milliseconds=10)


def test_search_gives_a_row_a_group_and_says_what_was_counted() -> None:
    found = search(
        SHOP, "{ } | by(resource.service.name) | by(.region) | count() > 0 | avg(duration) >= 0s | max(.retries) > 1"
    )
    values = found.filter(pl.col("root_name") == "GET /pay")["values"].to_list()
    assert values == [
        {
            "by(resource.service.name)": "web",
            "by(.region)": "nil",
            "count()": "2",
            "avg(duration)": "6ms",
            "max(.retries)": "2",
        },
        {
            "by(resource.service.name)": "bank",
            "by(.region)": "us",
            "count()": "1",
            "avg(duration)": "5ms",
            "max(.retries)": "7",
        },
    ]


def test_search_forgets_groups_and_counts_after_coalesce() -> None:
    assert search(SHOP, "{ } | by(name) | count() = 1 | coalesce()")["values"].to_list() == [{}, {}, {}]


def test_search_adds_a_column_for_every_selected_field() -> None:
    found = search(SHOP, "{ kind = client } | select(.region, span.retries, status, duration, rootName)")
    assert found.columns[8:] == [".region", "span.retries", "status", "span:duration", "rootName"]
    assert found.filter(pl.col("matched") == 2).select(found.columns[8:]).rows() == [
        (
            ["eu", "us"],
            [None, 7],
            ["error", "error"],
            [dt.timedelta(milliseconds=1), dt.timedelta(milliseconds=5)],
            ["GET /pay", "GET /pay"],
        )
    ]


def test_search_writes_durations_and_floats_as_tempo_does() -> None:
    found = search(SHOP, "{ status = error } | avg(duration) > 1ns | avg(.db.rows) > 1 | by(status)")
    assert found["values"].to_list() == [{"avg(duration)": "3ms", "avg(.db.rows)": "1.5", "by(status)": "error"}]


def test_search_gives_the_same_for_shuffled_and_lazy_frames() -> None:
    text = "{ } | by(.region) | count() > 0 | select(name)"
    expected = search(SHOP, text)
    assert_frame_equal(search(SHOP.sample(fraction=1, shuffle=True, seed=5), text), expected)
    assert_frame_equal(search(SHOP.lazy(), text), expected)


def test_search_of_nothing_has_all_columns() -> None:
    assert search(SHOP, "{ false } | select(name)").schema.names() == [*SEARCH_SCHEMA, "name"]
    assert search(SHOP.clear(), "{ }").is_empty()


def test_search_refuses_a_metrics_query_and_names_the_right_function() -> None:
    with pytest.raises(QueryError, match=r"search\(\) cannot show; ask query_metrics"):
        search(SHOP, "{ } | rate()")


def test_search_names_the_column_that_a_frame_lacks() -> None:
    with pytest.raises(SchemaError, match="'span_id'"):
        search(SHOP.drop("span_id"), "{ }")

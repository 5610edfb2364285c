from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tests.reporting.page.drawn import BAD, GOOD, SHOP
from tracelab.analysis.latency.gaps import gaps
from tracelab.report_overview import keys_of, repetitions, requests_beside, requests_by, waits, window_of
from tracelab.synthetic import draw

HTTP = draw("""
web::GET       ==  kind=server http.request.method=GET http.route=/a/{id}

web::GET       ====!  kind=server http.request.method=GET http.route=/b
""")


def test_requests_are_told_apart_by_route_and_service_and_the_worst_comes_first() -> None:
    table = requests_by(HTTP)
    assert table.columns[:3] == ["route", "service_name", "requests"]
    assert table.select("route", "error_rate").rows() == [("GET /b", 1.0), ("GET /a/{id}", 0.0)]
    assert requests_by(SHOP)["route"].to_list() == ["POST /pay", "charge", "GET /list"]


def test_what_stands_side_by_side_is_what_the_answers_give() -> None:
    table = requests_by(SHOP, "service_name").sort("service_name")
    percentiles = tl.latency_percentiles(SHOP, wide=True, order="keys")
    rates = tl.error_rates(SHOP)
    for name in ("p50", "p90_lower", "p95_upper", "p99", "exemplar_trace_id"):
        assert table[name].equals(percentiles[name])
    for name in ("error_rate", "lower", "upper"):
        assert table[name].equals(rates[name])
    assert table["requests"].to_list() == rates["spans"].to_list()


def test_a_rate_is_per_second_of_the_time_in_which_spans_began() -> None:
    moved = HTTP.with_columns(start_time=pl.col("start_time").min() + pl.duration(seconds=pl.int_range(pl.len()) * 4))
    assert requests_by(moved)["per_second"].to_list() == [0.25, 0.25]
    assert requests_by(draw("api ="))["per_second"].to_list() == [None]


@pytest.mark.parametrize(("seconds", "window"), [
    (0.0, "1ns"), (2.4, "100000000ns"), (24.0, "1s"), (180.0, "10s"), (3_600.0, "300s"), (7 * 86_400.0, "43200s"),
    (365 * 86_400.0, "16d"),
])  # fmt: skip
def test_windows_have_round_lengths(seconds: float, window: str) -> None:
    assert window_of(seconds) == window


def test_all_trends_are_equally_long_and_have_gaps() -> None:
    apart = SHOP.with_columns(
        start_time=pl.col("start_time") + pl.duration(seconds=pl.col("trace_id").rank("dense").cast(pl.Int64) * 10)
    )
    trends = requests_by(apart)["p95_over_time"]
    assert trends.list.len().n_unique() == 1
    assert 2 <= trends.list.len()[0] <= 26
    assert trends.list.eval(pl.element().is_null().any()).list.first().any()
    known = trends.list.max().max()
    assert math.isclose(float(known if isinstance(known, float) else math.nan), 0.018)


def test_a_column_of_the_name_route_is_what_is_meant_by_it() -> None:
    own = HTTP.with_columns(route=pl.lit("mine"))
    assert requests_by(own)["route"].to_list() == ["mine"]


@pytest.mark.parametrize("by", ["requests", pl.col("name").alias("per_second"), "p95_lower", "nothing"])
def test_a_key_that_the_table_has_itself_or_that_no_span_has_is_refused(by: Any) -> None:
    with pytest.raises(tl.TracelabError, match="`by`"):
        keys_of(HTTP.with_columns(requests=1, p95_lower=2), by)


def test_everything_together_is_one_row() -> None:
    table = requests_by(SHOP, None)
    assert table.height == 1
    assert table.columns[0] == "requests"
    assert requests_beside(SHOP, SHOP, None).row(0)[0] is None


def test_beside_a_baseline_a_change_is_told_where_intervals_do_not_touch() -> None:
    same = requests_beside(SHOP, SHOP)
    assert same["change"].null_count() == same.height
    slow = SHOP.with_columns(
        duration=pl.when(pl.col("service_name") == "shop").then(pl.col("duration") * 3).otherwise("duration")
    )
    told = dict(requests_beside(slow, SHOP).select("route", "change").rows())
    assert told == {"GET /list": "slower", "POST /pay": None, "charge": None}
    assert dict(requests_beside(SHOP, slow).select("route", "change").rows())["GET /list"] == "faster"
    fine, broken = (draw("\n".join([one] * 40)) for one in (GOOD, BAD))
    assert requests_beside(broken, fine)["change"].to_list() == ["fails more"] * 2
    assert requests_beside(fine, broken)["change"].to_list() == ["fails less"] * 2


def test_routes_of_one_side_alone_are_new_or_gone() -> None:
    pay, all_of_them = draw("\n".join([GOOD] * 3)), SHOP
    told = dict(requests_beside(all_of_them, pay).select("route", "change").rows())
    assert told["GET /list"] == "new"
    assert dict(requests_beside(pay, all_of_them).select("route", "change").rows())["GET /list"] == "gone"


def test_repeated_calls_are_put_together_by_operation() -> None:
    table = repetitions(SHOP)
    assert table.select("parent_name", "name", "runs", "traces", "calls", "most_calls", "sequential_share").rows() == [
        ("GET /list", "SELECT", 10, 10, 6.0, 6, 1.0)
    ]
    assert repetitions(SHOP.clear()).height == 0


def test_gaps_are_put_together_by_operation_and_place() -> None:
    table = waits(SHOP)
    rows = gaps(SHOP)
    assert table["gaps"].sum() == rows.height
    assert table["total"].sum() == rows["duration"].sum()
    places = {row[:3]: row[3] for row in table.select("name", "after", "before", "gaps").rows()}
    assert places["POST", None, "charge"] == 42
    assert waits(SHOP.clear()).height == 0

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tracelab as tl
from tests.notebooks import conftest

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOK = "05_ask_with_traceql"
says, shows, runs = (
    partial(conftest.says, NOTEBOOK),
    partial(conftest.shows, NOTEBOOK),
    partial(conftest.runs, NOTEBOOK),
)


def test_a_query_runs_over_a_file_and_over_the_answer_of_another(shop: pl.DataFrame, tmp_path: Path) -> None:
    says("over a file on your disk, over the answer of another query, over anything that is a span frame")
    failed = tl.query(shop, "status = error")
    both = tl.query(shop, '{ status = error && resource.service.name = "payments" }')
    assert_frame_equal(tl.query(failed, 'service.name = "payments"'), both)
    tl.write(shop, tmp_path / "shop.parquet")
    assert_frame_equal(tl.query(tl.scan(tmp_path / "shop.parquet"), "status = error").collect(), failed)


def test_slow_traces_match_with_every_span_the_newest_first(shop: pl.DataFrame) -> None:
    says("Slow traces, the newest first. `matched` counts the spans that the query matched; here it is every span")
    slow = tl.search(shop, "{ traceDuration > 800ms }")
    assert slow["start_time"].is_sorted(descending=True)
    sizes = shop.group_by("trace_id").len()
    assert slow.join(sizes, on="trace_id").select((pl.col("matched") == pl.col("len")).all()).item()
    assert slow["duration"].min() > timedelta(milliseconds=800)  # type: ignore[operator]


def test_braces_and_scopes_may_be_left_out_together(shop: pl.DataFrame) -> None:
    says("The braces may be left out; a bare condition is taken as one.")
    says("Where the braces are left out, an attribute with a dot in its name may stand without its scope")
    says("Between braces that is written `.user.id` or `span.user.id`.")
    assert_frame_equal(tl.query(shop, "status = error"), tl.query(shop, "{ status = error }"))
    of_one = tl.query(shop, 'user.id = "user-007"')
    assert of_one.height > 0
    for scoped in ('{ .user.id = "user-007" }', '{ span.user.id = "user-007" }'):
        assert_frame_equal(tl.query(shop, scoped), of_one)
    with pytest.raises(tl.QueryError, match=r"write `\.user\.id`"):
        tl.query(shop, '{ user.id = "user-007" }')


def test_spans_come_before_resources_where_no_scope_is_named() -> None:
    says("it is looked up in spans first, then in resources")
    drawn = tl.synthetic.draw("""
    a ===  paint.color=red
      b .=
    """)
    spans = drawn.with_columns(pl.lit("blue").alias("resource.paint.color"))
    assert tl.query(spans, 'paint.color = "red"')["name"].to_list() == ["a"]
    assert tl.query(spans, 'paint.color = "blue"')["name"].to_list() == ["b"]


def test_the_operators_mean_what_the_notebook_says() -> None:
    says("`>` is parent and child, `>>` any depth, `~` siblings; with `!` in front the negation, with `&` both ends.")
    says("The spans on the right are the answer.")
    spans = tl.synthetic.draw("""
    s::a     =====
      s::b   ====
        s::c .=
      s::d   ....=
    """)
    found = {
        operator: "".join(sorted(tl.query(spans, f"{{ name = `a` }} {operator} {{ name != `a` }}")["name"]))
        for operator in (">", ">>", "!>", "&>")
    }
    assert found == {">": "bd", ">>": "bcd", "!>": "c", "&>": "abd"}
    assert tl.query(spans, "{ name = `b` } ~ { }")["name"].to_list() == ["d"]


def test_long_charges_are_below_orders_of_business_customers(shop: pl.DataFrame) -> None:
    says("Calls of payments that took more than 100 ms, below orders of business customers:")
    business = '{ span.customer.kind = "business" } >> { resource.service.name = "payments" && duration > 100ms }'
    runs(business)
    found = tl.query(shop, business)
    assert found.height > 0
    assert set(found["service_name"]) == {"payments"}
    assert found["duration"].min() > timedelta(milliseconds=100)  # type: ignore[operator]
    orders = shop.filter(pl.col("name") == "POST /orders", tl.attr("customer.kind") == "business")
    assert set(found["trace_id"]) <= set(orders["trace_id"])


def test_the_deepest_errors_have_no_failing_span_below(shop: pl.DataFrame) -> None:
    says("The deepest errors, those without a failing span anywhere below them:")
    deepest = tl.query(shop, "{ status = error } !<< { status = error }")
    parents = dict(shop.select("span_id", "parent_span_id").iter_rows())
    above: set[str] = set()
    for span in shop.filter(pl.col("status_code") == "error")["parent_span_id"].drop_nulls():
        place: str | None = span
        while place is not None and place in parents and place not in above:
            above.add(place)
            place = parents[place]
    failed = shop.filter(pl.col("status_code") == "error")["span_id"]
    assert set(deepest["span_id"]) == set(failed) - above
    shows("payments | POST /charge | 78 |")
    assert deepest.filter(pl.col("name") == "POST /charge").height == 78


def test_many_queries_come_from_two_kinds_of_roots(shop: pl.DataFrame) -> None:
    says("Traces in which one service ran more than ten queries: there are 802, and they have two kinds of roots.")
    selects = shop.filter(pl.col("name") == "SELECT").group_by("trace_id", "service_name").len()
    many = selects.filter(pl.col("len") > 10)
    assert many["trace_id"].n_unique() == many.height == 802
    roots = shop.filter(pl.col("parent_span_id").is_null()).join(many, on="trace_id", how="semi")["name"]
    assert sorted(roots.unique()) == ["GET /api/products", "rank_products"]
    shows("GET /api/products | 429 | 14 | 15 |", "rank_products | 373 | 14 | 15 |")


def test_rates_are_requests_a_second_up_to_their_time(shop: pl.DataFrame) -> None:
    says("`time` is the end of a step. Here the requests a second that each service took, with a column per service:")
    rates = tl.query_metrics(shop, "{ kind = server } | rate() by (resource.service.name)", step="30s")
    served = shop.filter(pl.col("kind") == "server")
    for time, service, value in rates.iter_rows():
        within = (pl.col("start_time") > time - timedelta(seconds=30)) & (pl.col("start_time") <= time)
        assert value == pytest.approx(served.filter(within, pl.col("service_name") == service).height / 30)
    assert set(rates["resource.service.name"]) == set(served["service_name"])


def test_quantiles_over_time_are_estimates_in_seconds(shop: pl.DataFrame) -> None:
    says("Quantiles are estimates from buckets, as Tempo makes them, in seconds.")
    orders = shop.filter(pl.col("name") == "POST /api/orders")
    guess = tl.query_metrics(orders, "{ } | quantile_over_time(duration, 0.5)", instant=True)["value"].item()
    exact = tl.latency_percentiles(orders, by=None, quantiles=0.5)["duration"].item().total_seconds()
    assert guess != pytest.approx(exact, rel=1e-3)
    assert guess == pytest.approx(exact, rel=0.5)


def test_charges_of_one_user_are_found_through_the_root(shop: pl.DataFrame) -> None:
    says("payments never hears of users, and still these are the charges of one")
    assert shop.filter(pl.col("service_name") == "payments").select(tl.attr("user.id").count()).item() == 0
    theirs = shop.filter(pl.col("parent_span_id").is_null(), tl.attr("user.id") == "user-007")["trace_id"]
    expected = shop.filter(pl.col("name") == "POST /charge", pl.col("trace_id").is_in(theirs.implode()))
    assert expected.height > 0
    assert_frame_equal(tl.query(shop, '{ name = "POST /charge" && root.user.id = "user-007" }'), expected)


def test_mails_go_out_after_orders_the_longest_gap_first(shop: pl.DataFrame) -> None:
    says("The longest first; half of the mails went out within 265 ms.")
    waits = tl.gap(shop, '{ name = "POST /orders" }', '{ name = "send_mail" }')["gap"]
    assert waits.is_sorted(descending=True)
    assert len(waits) == shop.filter(pl.col("name") == "send_mail").height == 526
    assert (waits <= timedelta(milliseconds=265)).mean() == pytest.approx(0.5, abs=0.02)
    shows("526 | 265 ms | 824 ms |")


def test_mistakes_are_answered(shop: pl.DataFrame) -> None:
    says("A text that is no query is answered with the place and what was expected there.")
    says("A name that no span carries does not just match nothing:")
    says("a number without a unit is taken as it is written, nanoseconds, which here is every span there is:")
    with pytest.raises(tl.QueryError) as refused:
        tl.query(shop, "{ status == error and duration > 2s }")
    shows(str(refused.value))
    with pytest.warns(tl.QueryWarning) as unknown:
        assert tl.query(shop, '{ span.user.idd = "user-007" }').height == 0
    shows(str(unknown[0].message))
    with pytest.warns(tl.QueryWarning) as bare:
        assert tl.query(shop, "{ duration > 100 }").height == shop.height == 37_405
    shows(str(bare[0].message), "37,405 of 37,405 spans")

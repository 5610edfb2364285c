"""Every sentence of 03_why_slow that states something, held to the spans and to what the notebook shows."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

import tracelab as tl
from tests.notebooks.conftest import cells, runs, says, shows

"""The sample shop has a clock that is 40 ms behind, of which the answers warn; the notebook takes times as they are."""

NOTEBOOK = "03_why_slow"
SLOW = tl.is_root() & (pl.col("duration") > pl.duration(milliseconds=150))
PAIR = "span.customer.kind = business and resource.service.version = 1.9.0 of orders"
BUSINESS_OF_THE_NEW = (pl.col("span.customer.kind") == "business") & (pl.col("resource.service.version") == "1.9.0")
GAVE_UP = "payment failed after three attempts"


def milliseconds(duration: dt.timedelta) -> float:
    return duration / dt.timedelta(milliseconds=1)


def row_of(found: pl.DataFrame, finding: str) -> dict[str, object]:
    return found.row(by_predicate=pl.col("finding") == finding, named=True)


def alone(found: pl.DataFrame) -> pl.DataFrame:
    return found.filter(pl.col("explained_by").is_null())


@pytest.fixture(scope="module")
def orders(shop: pl.DataFrame) -> pl.DataFrame:
    return tl.query(shop, '{ rootName = "POST /api/orders" }')


@pytest.fixture(scope="module")
def slow_ids(orders: pl.DataFrame) -> set[str]:
    return set(orders.filter(SLOW)["trace_id"])


@pytest.fixture(scope="module")
def found(orders: pl.DataFrame) -> pl.DataFrame:
    return tl.compare(orders, where=SLOW)


@pytest.fixture(scope="module")
def placed(shop: pl.DataFrame) -> pl.DataFrame:
    return shop.filter((pl.col("service_name") == "orders") & (pl.col("name") == "POST /orders"))


@pytest.fixture(scope="module")
def in_the_gantt(shop: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    runs(NOTEBOOK, 'tl.widgets.Gantt(spans, found["exemplars"][0][0])')
    return shop.filter(pl.col("trace_id") == found["exemplars"][0][0])


@pytest.fixture(scope="module")
def again(shop: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    entered = shop.filter(tl.is_root() & (pl.col("service_name") == "gateway")).select("span_id", "start_time")
    window = pl.col("start_time").dt.truncate("10s")
    busy = entered.select("span_id", pl.len().over(window).alias("span.requests_in_10s"))
    return tl.compare(orders.join(busy, on="span_id", how="left"), where=SLOW)


def test_the_shop_is_eight_services_in_three_languages_under_three_minutes_of_load(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "eight services in three languages under three minutes of load")
    assert shop["service_name"].n_unique() == 8
    assert shop["resource.telemetry.sdk.language"].drop_nulls().n_unique() == 3
    requests = shop.filter(tl.is_root() & (pl.col("service_name") == "gateway"))
    load = requests.select(pl.col("start_time").max() - pl.col("start_time").min()).item()
    assert load == pytest.approx(dt.timedelta(minutes=3), abs=dt.timedelta(seconds=3))


def test_reviews_are_the_slowest_and_orders_come_second_twice_as_often(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "Reviews are the slowest. `POST /api/orders` comes second, twice as often")
    says(NOTEBOOK, "half of the 557 orders took more than 104 ms")
    entries = shop.filter(pl.col("service_name") == "gateway")
    answer = tl.latency_percentiles(entries, by="name", quantiles=(0.5, 0.9, 0.99), wide=True)
    for column in ("p50", "p90", "p99"):
        ranks = answer.sort(column, descending=True)["name"].to_list()
        assert ranks[:2] == ["POST /api/reviews", "POST /api/orders"]
    reviews, orders = answer.head(2).rows(named=True)
    assert orders["count"] == 557
    assert orders["count"] / reviews["count"] == pytest.approx(2, abs=0.05)
    assert round(milliseconds(orders["p50"])) == 104
    shows(NOTEBOOK, "POST /api/reviews | 275 | 217 ms", "POST /api/orders | 557 | 104 ms", "310 ms")


def test_one_cell_asks_what_sets_the_slow_orders_apart() -> None:
    says(NOTEBOOK, "Let those be slow that took more than 150 ms.")
    runs(
        NOTEBOOK,
        """
        orders = tl.query(spans, '{ rootName = "POST /api/orders" }')
        slow = tl.is_root() & (pl.col("duration") > pl.duration(milliseconds=150))
        found = tl.compare(orders, where=slow)
        """,
    )
    asking = [cell for cell in cells(NOTEBOOK) if "= tl.compare(orders, where=slow)" in "".join(cell["source"])]
    assert len(asking) == 1


def test_three_stand_on_their_own_and_the_planted_pair_is_first(found: pl.DataFrame) -> None:
    says(NOTEBOOK, "Three things stand on their own.")
    assert alone(found)["finding"].to_list() == [
        PAIR,
        "span.payment.attempts",
        f"statusMessage = {GAVE_UP} of orders",
    ]
    shows(NOTEBOOK, PAIR, "span.payment.attempts", f"statusMessage = {GAVE_UP} of orders", "3 rows")


def test_the_pair_is_60_of_195_slow_orders_and_1_of_362_others(
    placed: pl.DataFrame, orders: pl.DataFrame, slow_ids: set[str], found: pl.DataFrame
) -> None:
    says(
        NOTEBOOK,
        "Business customers *and* version 1.9.0 of `orders`: 60 of the 195 slow orders, and 1 of the 362 others",
    )
    says(NOTEBOOK, "30 percentage points, between 24 and 37 with 95 % confidence")
    having = set(placed.filter(BUSINESS_OF_THE_NEW)["trace_id"])
    assert (len(slow_ids), orders["trace_id"].n_unique() - len(slow_ids)) == (195, 362)
    assert (len(having & slow_ids), len(having - slow_ids)) == (60, 1)
    effects = found.select("effect", "effect_lower", "effect_upper").row(0)
    assert [round(100 * effect) for effect in effects] == [30, 24, 37]
    assert effects[0] == pytest.approx(60 / 195 - 1 / 362)
    shows(NOTEBOOK, "| 60 | 1 | 0.3049 (0.2431 - 0.3729) |")


def test_attempts_are_compared_as_a_number(orders: pl.DataFrame, slow_ids: set[str], found: pl.DataFrame) -> None:
    says(NOTEBOOK, "how much more often a slow order has the larger number of two than the smaller one")
    row = row_of(found, "span.payment.attempts")
    assert row["kind"] == "number"
    attempts = orders.drop_nulls("span.payment.attempts").select("trace_id", "span.payment.attempts")
    is_slow = pl.col("trace_id").is_in(list(slow_ids))
    slow, others = (attempts.filter(side)["span.payment.attempts"].to_list() for side in (is_slow, ~is_slow))
    signs = [(one > other) - (one < other) for one in slow for other in others]
    assert row["effect"] == pytest.approx(sum(signs) / len(signs))


def test_the_20_orders_that_gave_up_were_all_slow(orders: pl.DataFrame, slow_ids: set[str]) -> None:
    says(NOTEBOOK, "Giving up after three attempts: 20 orders, all of them slow.")
    gave_up = set(orders.filter(pl.col("status_message") == GAVE_UP)["trace_id"])
    assert len(gave_up) == 20
    assert gave_up <= slow_ids
    assert orders.filter(pl.col("status_message") == GAVE_UP)["span.payment.attempts"].drop_nulls().unique().item() == 3


def test_what_is_given_has_a_q_value_of_five_percent_at_most(found: pl.DataFrame) -> None:
    says(NOTEBOOK, "`compare` gives what has a `q_value` of at most 0.05")
    assert (found["q_value"] <= 0.05).all()


def test_what_looks_bad_by_itself_is_explained_by_the_pair(orders: pl.DataFrame, found: pl.DataFrame) -> None:
    says(NOTEBOOK, "Business customers (41 % of the slow orders, 12 % of the others) and version 1.9.0 (63 % and 43 %)")
    says(NOTEBOOK, "so does `user-002`, who is a business customer. For all three `explained_by` names the pair")
    runs(NOTEBOOK, "tl.plot_compare(orders, where=slow, first=15)")
    shares = {
        "span.customer.kind = business": (41, 12),
        "resource.service.version = 1.9.0 of orders": (63, 43),
        "span.user.id = user-002": (20, 6),
    }
    for finding, (slow, others) in shares.items():
        row = row_of(found.head(15), finding)
        assert row["explained_by"] == PAIR
        assert [round(100 * row[f"{side}_share"]) for side in ("selection", "baseline")] == [slow, others]  # type: ignore[operator]
    kinds = orders.filter(pl.col("span.user.id") == "user-002")["span.customer.kind"].drop_nulls()
    assert kinds.unique().to_list() == ["business"]


def test_without_the_orders_of_the_pair_nothing_of_that_is_left(orders: pl.DataFrame, placed: pl.DataFrame) -> None:
    says(NOTEBOOK, "set its orders aside, and nothing is left of them that could be told from chance")
    of_the_pair = placed.filter(BUSINESS_OF_THE_NEW)["trace_id"]
    rest = tl.compare(orders.filter(~pl.col("trace_id").is_in(of_the_pair.implode())), where=SLOW)
    assert rest.height > 0
    told = " ".join(rest["finding"])
    for part in ("customer.kind", "service.version", "user-002"):
        assert part not in told


def test_only_business_customers_of_the_new_version_wait(placed: pl.DataFrame) -> None:
    says(NOTEBOOK, "With version 1.9.0 the median of the business customers' orders is 199 ms")
    says(NOTEBOOK, "in the other three groups it is 51 to 54 ms, and no interval of theirs comes near")
    slow, *others = tl.latency_percentiles(
        placed, by=["service.version", "customer.kind"], quantiles=(0.5,), wide=True
    ).rows(named=True)
    assert (slow["service.version"], slow["customer.kind"]) == ("1.9.0", "business")
    assert round(milliseconds(slow["p50"])) == 199
    assert sorted(round(milliseconds(row["p50"])) for row in others) == [51, 52, 54]
    assert 2 * max(row["p50_upper"] for row in others) < slow["p50_lower"]
    shows(NOTEBOOK, "1.9.0 | business | 61 | 199 ms (184 - 210 ms)", "1.8.0 | business | 63 | 51.7 ms")


def test_the_order_in_the_gantt_waits_longest_for_its_price_list(in_the_gantt: pl.DataFrame) -> None:
    says(NOTEBOOK, "`load_price_list` is the longest part of it; this order needed a second attempt to pay besides.")
    path = tl.critical_path(in_the_gantt).group_by("name").agg(pl.col("duration").sum()).sort("duration")
    assert path["name"][-1] == "load_price_list"
    assert in_the_gantt["span.payment.attempts"].max() == 2
    assert not in_the_gantt.filter(BUSINESS_OF_THE_NEW).is_empty()


def test_the_price_list_comes_fourth_with_the_shares_of_the_pair(found: pl.DataFrame) -> None:
    says(NOTEBOOK, "In the figure above that operation comes fourth, with the shares of the pair")
    says(NOTEBOOK, "these are the orders that have such a span")
    pair, price_list = found.row(0, named=True), found.row(3, named=True)
    assert price_list["finding"] == "operation orders::load_price_list"
    assert price_list["explained_by"] == PAIR
    assert all(pair[f"{side}_count"] == price_list[f"{side}_count"] for side in ("selection", "baseline"))


def test_all_orders_of_the_pair_and_no_other_load_a_price_list(shop: pl.DataFrame, placed: pl.DataFrame) -> None:
    priced = shop.filter(pl.col("name") == "load_price_list")["trace_id"]
    assert sorted(placed.filter(BUSINESS_OF_THE_NEW)["trace_id"]) == sorted(priced)


def test_half_of_the_slow_orders_have_neither(orders: pl.DataFrame, slow_ids: set[str]) -> None:
    says(NOTEBOOK, "Half of them have neither.")
    either = (pl.col("name") == "load_price_list") | (pl.col("span.payment.attempts") > 1)
    told = slow_ids & set(orders.filter(either)["trace_id"])
    assert (len(slow_ids - told), len(told)) == (97, 98)
    shows(NOTEBOOK, "false | 97 |", "true | 98 |")


def test_slow_orders_came_when_there_was_more_to_do(again: pl.DataFrame) -> None:
    says(NOTEBOOK, "the median of them among 387 requests in ten seconds, that of the others among 140")
    says(NOTEBOOK, "The pair is still first.")
    assert alone(again)["finding"].to_list()[:2] == [PAIR, "span.requests_in_10s"]
    row = row_of(again, "span.requests_in_10s")
    assert (row["selection_median"], row["baseline_median"]) == (387, 140)
    shows(NOTEBOOK, "span.requests_in_10s | 195 | 362 | 387 | 140 | 0.3224 (0.2241 - 0.4207) |")


def test_each_listing_of_products_runs_its_queries_one_after_the_other(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "Each of 802 listings of products made 14 or 15 queries, one after the other.")
    listings = shop.filter((pl.col("name") == "/shop.Catalogue/ListProducts") & (pl.col("kind") == "server"))
    found = tl.repeated_calls(shop)
    assert sorted(found["parent_span_id"]) == sorted(listings["span_id"])
    assert found["sequential"].all()
    assert set(found["count"]) == {14, 15}
    assert listings.height == 802
    shows(NOTEBOOK, "true | 802 | 11,492 | 14 | 15")


def test_no_comparison_of_listings_finds_their_queries(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "It cannot find what slow and fast ones have alike, such as one query for every thing on a page.")
    listed = tl.query(shop, '{ rootName = "GET /api/products" }')
    slow = tl.is_root() & (pl.col("duration") > pl.duration(milliseconds=30))
    told = tl.compare(listed, where=slow)
    assert "SELECT" not in " ".join(told["finding"])

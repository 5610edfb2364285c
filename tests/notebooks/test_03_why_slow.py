"""Every sentence of 03_why_slow that states something, held to the spans and to what the notebook shows."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

import tracelab as tl
from tests.notebooks.conftest import runs, says, shows

pytestmark = pytest.mark.filterwarnings("ignore:The clock of 'catalogue-2' is 3:tracelab.SkewWarning")
"""The sample shop has a clock that is 40 ms behind, of which the answers warn; the notebook takes times as they are."""

NOTEBOOK = "03_why_slow"
BUSINESS_OF_THE_NEW = (pl.col("span.customer.kind") == "business") & (pl.col("resource.service.version") == "1.9.0")


def milliseconds(duration: dt.timedelta) -> float:
    return duration / dt.timedelta(milliseconds=1)


def slowest_tenth(spans: pl.DataFrame) -> pl.DataFrame:
    profile = tl.critical_path_profile(spans, slowest=0.10)
    return profile.filter(pl.col("band") == "slowest").sort("excess", descending=True)


def leaders(spans: pl.DataFrame) -> list[tuple[str, str]]:
    return slowest_tenth(spans).select("service_name", "name").rows()


def without(spans: pl.DataFrame, trace_ids: pl.Series) -> pl.DataFrame:
    return spans.filter(~pl.col("trace_id").is_in(trace_ids.implode()))


def in_the_gantt(placed: pl.DataFrame, priced: pl.Series) -> str:
    """Give the trace that the notebook opens."""
    loaded = pl.col("trace_id").is_in(priced.implode())
    slow = placed.filter(loaded & (pl.col("span.http.response.status_code") == 202)).sort("duration", "span_id")
    return str(slow["trace_id"][slow.height // 2])


@pytest.fixture(scope="module")
def orders(shop: pl.DataFrame) -> pl.DataFrame:
    return tl.query(shop, '{ rootName = "POST /api/orders" }')


@pytest.fixture(scope="module")
def once(orders: pl.DataFrame) -> pl.DataFrame:
    return without(orders, orders.filter(pl.col("span.payment.attempts") > 1)["trace_id"])


@pytest.fixture(scope="module")
def busy(shop: pl.DataFrame, once: pl.DataFrame) -> pl.DataFrame:
    """Count the requests of windows of ten seconds, and the time in them that no span explains."""
    window = pl.col("start_time").dt.truncate("10s").alias("window")
    at_the_gateway = pl.col("service_name") == "gateway"
    asked = shop.filter(tl.is_root() & at_the_gateway).group_by(window).agg(requests=pl.len())
    gaps = tl.gaps(once).filter(at_the_gateway).group_by(window).agg(unexplained=pl.col("duration").sum())
    return asked.join(gaps, on="window", how="left").sort("requests", descending=True)


@pytest.fixture(scope="module")
def calm(once: pl.DataFrame, busy: pl.DataFrame) -> pl.DataFrame:
    crowded = pl.col("start_time").dt.truncate("10s").is_in(busy["window"].head(2).implode())
    return without(once, once.filter(tl.is_root() & crowded)["trace_id"])


@pytest.fixture(scope="module")
def placed(shop: pl.DataFrame) -> pl.DataFrame:
    return shop.filter((pl.col("service_name") == "orders") & (pl.col("name") == "POST /orders"))


@pytest.fixture(scope="module")
def priced(shop: pl.DataFrame) -> pl.Series:
    return shop.filter(pl.col("name") == "load_price_list")["trace_id"]


def test_the_shop_is_eight_services_in_three_languages_under_three_minutes_of_load(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "eight services in three languages under three minutes of load")
    assert shop["service_name"].n_unique() == 8
    assert shop["resource.telemetry.sdk.language"].drop_nulls().n_unique() == 3
    requests = shop.filter(tl.is_root() & (pl.col("service_name") == "gateway"))
    load = requests.select(pl.col("start_time").max() - pl.col("start_time").min()).item()
    assert load == pytest.approx(dt.timedelta(minutes=3), abs=dt.timedelta(seconds=3))


def test_every_request_enters_at_the_gateway(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "every request enters at the `gateway`")
    assert shop.filter(tl.is_root() & (pl.col("kind") == "server"))["service_name"].unique().to_list() == ["gateway"]


def test_reviews_are_the_slowest_and_orders_come_second_twice_as_often(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "Reviews are the slowest. `POST /api/orders` comes second, twice as often")
    says(NOTEBOOK, "half of the 557 orders took more than 104 ms, and one in ten more than 310 ms")
    entries = shop.filter(pl.col("service_name") == "gateway")
    answer = tl.latency_percentiles(entries, by="name", quantiles=(0.5, 0.9, 0.99), wide=True)
    for column in ("p50", "p90", "p99"):
        ranks = answer.sort(column, descending=True)["name"].to_list()
        assert ranks[:2] == ["POST /api/reviews", "POST /api/orders"]
    reviews, orders = answer.head(2).rows(named=True)
    assert orders["count"] == 557
    assert orders["count"] / reviews["count"] == pytest.approx(2, abs=0.05)
    assert [round(milliseconds(orders[column])) for column in ("p50", "p90")] == [104, 310]
    shows(NOTEBOOK, "POST /api/reviews | 275 | 217 ms", "POST /api/orders | 557 | 104 ms", "310 ms")


def test_the_traces_that_are_followed_are_all_orders_and_whole(shop: pl.DataFrame, orders: pl.DataFrame) -> None:
    says(NOTEBOOK, "all spans of the traces whose root has that name")
    roots = shop.filter(tl.is_root() & (pl.col("name") == "POST /api/orders"))["trace_id"]
    assert roots.len() == 557
    assert orders.height == shop.filter(pl.col("trace_id").is_in(roots.implode())).height


def test_the_excesses_sum_to_the_whole_difference_between_the_bands(orders: pl.DataFrame) -> None:
    says(NOTEBOOK, "the excesses sum to the whole difference between the bands")
    profile = tl.critical_path_profile(orders, slowest=0.10)
    slow, rest = (
        profile.filter((pl.col("band") == "slowest") == is_slow).select(pl.col("mean").sum()).item()
        for is_slow in (True, False)
    )
    excess = slowest_tenth(orders).select(pl.col("excess").sum()).item()
    assert milliseconds(excess) == pytest.approx(milliseconds(slow - rest), abs=0.5)


def test_payments_is_on_top_of_all_orders_with_199_ms(orders: pl.DataFrame) -> None:
    says(NOTEBOOK, "`payments` is on top: a slow order waits 199 ms longer for it")
    top = slowest_tenth(orders).row(0, named=True)
    assert (top["service_name"], round(milliseconds(top["excess"]))) == ("payments", 199)
    shows(NOTEBOOK, "payments | POST /charge | 251 ms | 199 ms | 56 | 0 %")


def test_65_orders_needed_more_than_one_attempt_as_the_span_pay_counts(orders: pl.DataFrame) -> None:
    says(NOTEBOOK, "`orders` counts its attempts in the span `pay`")
    says(NOTEBOOK, "65 orders needed a second or a third attempt")
    pay = orders.filter(pl.col("span.payment.attempts").is_not_null())
    assert pay.select("service_name", "name").unique().rows() == [("orders", "pay")]
    assert pay["trace_id"].n_unique() == pay.height == 557
    assert dict(pay.group_by("span.payment.attempts").len().iter_rows()) == {1: 492, 2: 45, 3: 20}
    shows(NOTEBOOK, "1 | 492 | ", "2 | 45 | ", "3 | 20 | ")


def test_without_retries_two_calls_of_the_gateway_lead(shop: pl.DataFrame, once: pl.DataFrame) -> None:
    says(NOTEBOOK, "Now two calls of the `gateway` lead, `Reserve` of `catalogue` and `POST` to `orders`")
    assert leaders(once)[:2] == [("gateway", "grpc.shop.Catalogue/Reserve"), ("gateway", "POST")]
    for name, callee in (("grpc.shop.Catalogue/Reserve", "catalogue"), ("POST", "orders")):
        calls = once.filter((pl.col("service_name") == "gateway") & (pl.col("name") == name))
        assert calls["kind"].unique().to_list() == ["client"]
        below = shop.filter(pl.col("parent_span_id").is_in(calls["span_id"].implode()))
        assert below["service_name"].unique().to_list() == [callee]


def test_the_two_windows_with_the_most_requests_hold_most_of_the_time_that_no_span_explains(
    busy: pl.DataFrame,
) -> None:
    says(NOTEBOOK, "the two windows with the most requests, twice as many as any other")
    says(NOTEBOOK, "hold more than three quarters of this time")
    assert busy["requests"][1] > 2 * busy["requests"][2]
    share = busy.select(pl.col("unexplained").head(2).sum() / pl.col("unexplained").sum()).item()
    assert 0.75 < share < 0.8
    shows(NOTEBOOK, "11.8 s | 398 | 44.8 %", "8.93 s | 387 | 33.9 %", "739 ms | 182 | 2.8 %")


def test_without_retries_and_bursts_load_price_list_leads_unguessed(calm: pl.DataFrame) -> None:
    says(
        NOTEBOOK,
        "Now `load_price_list` of `orders` leads, on the path of 24 of the 34 slowest, and none of it is guessed",
    )
    band = slowest_tenth(calm)
    top = band.row(0, named=True)
    assert (top["service_name"], top["name"], top["traces"]) == ("orders", "load_price_list", 24)
    assert top["ambiguous_share"] == 0
    assert band["traces"].max() == 34
    shows(NOTEBOOK, "orders | load_price_list | 108 ms | 102 ms | 24 | 0 %")


def test_before_that_load_price_list_leads_nowhere(orders: pl.DataFrame, once: pl.DataFrame) -> None:
    price_list = ("orders", "load_price_list")
    assert [leaders(spans).index(price_list) + 1 for spans in (orders, once)] == [4, 3]


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
    shows(NOTEBOOK, "1.9.0 | business | 61 | 199 ms | 184 ms | 210 ms", "1.8.0 | business | 63 | 51.7 ms")


def test_all_orders_of_these_and_no_other_load_a_price_list(placed: pl.DataFrame, priced: pl.Series) -> None:
    says(NOTEBOOK, "All 61 orders of business customers with version 1.9.0, and no other")
    assert sorted(placed.filter(BUSINESS_OF_THE_NEW)["trace_id"]) == sorted(priced)
    assert priced.len() == 61
    shows(NOTEBOOK, "1.9.0 | business | 61 | 61 | ", "1.9.0 | consumer | 216 | 0 | ", "1.8.0 | business | 63 | 0 | ")


def test_the_first_order_met_the_new_version_when_the_notebook_says(placed: pl.DataFrame) -> None:
    says(NOTEBOOK, "The first order met that version at 22:43:19")
    first = placed.filter(pl.col("resource.service.version") == "1.9.0")["start_time"].min()
    assert isinstance(first, dt.datetime)
    assert f"{first:%H:%M:%S}" == "22:43:19"
    shows(NOTEBOOK, "1.9.0 | consumer | 216 | 0 | 2026-11-24 22:43:19")


def test_the_median_of_business_customers_climbs_with_the_release_and_that_of_consumers_stays(
    placed: pl.DataFrame,
) -> None:
    says(NOTEBOOK, "climbs in the window that begins at 22:43:00 and stays near 200 ms from 22:43:30 on")
    says(NOTEBOOK, "that of the consumers stays near 50 ms")
    runs(NOTEBOOK, 'tl.plot_latency_percentiles(placed, by="customer.kind", quantiles=(0.5,), every="30s")')
    answer = tl.latency_percentiles(placed, by="customer.kind", quantiles=(0.5,), every="30s").sort("window")
    medians = {
        kind: {
            f"{window:%H:%M:%S}": milliseconds(duration)
            for window, duration in rows.select("window", "duration").rows()
        }
        for (kind,), rows in answer.group_by("customer.kind", maintain_order=True)
    }
    business = medians["business"]
    before = [median for window, median in business.items() if window < "22:43:00"]
    after = [median for window, median in business.items() if window > "22:43:00"]
    assert max(before) < 60 < business["22:43:00"] < min(after)
    assert after == pytest.approx([200] * 3, abs=10)
    assert list(medians["consumer"].values()) == pytest.approx([50] * 7, abs=5)


def test_the_order_in_the_gantt_was_placed_and_waits_longest_for_its_price_list(
    shop: pl.DataFrame, placed: pl.DataFrame, priced: pl.Series
) -> None:
    says(
        NOTEBOOK,
        "An order in the middle of the slow kind, with its critical path: `load_price_list` is the longest part",
    )
    runs(NOTEBOOK, 'slow.sort("duration", "span_id")["trace_id"][slow.height // 2]')
    trace = shop.filter(pl.col("trace_id") == in_the_gantt(placed, priced))
    path = tl.critical_path(trace).group_by("name").agg(pl.col("duration").sum()).sort("duration", descending=True)
    assert path["name"][0] == "load_price_list"
    assert not trace.select(tl.is_error().any()).item()


def test_the_gantt_has_the_two_marks_that_the_notebook_explains(
    shop: pl.DataFrame, placed: pl.DataFrame, priced: pl.Series
) -> None:
    says(NOTEBOOK, "the clock of a `catalogue` host is behind, so its span starts before its parent")
    says(NOTEBOOK, "the parent of `send_mail` was not recorded")
    spans = shop.filter(pl.col("trace_id") == in_the_gantt(placed, priced))
    parents = spans.select(pl.col("span_id").alias("parent_span_id"), began=pl.col("start_time"))
    joined = spans.join(parents, on="parent_span_id", how="left")
    early = joined.filter(pl.col("start_time") < pl.col("began"))
    assert early.select("service_name", "name").rows() == [("catalogue", "/shop.Catalogue/Reserve")]
    orphans = joined.filter(pl.col("parent_span_id").is_not_null() & pl.col("began").is_null())
    assert orphans["name"].to_list() == ["send_mail"]


def test_each_listing_of_products_runs_one_query_for_the_list_and_more_for_the_prices(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "Each of 802 listings of products ran one query for the list and 13 or 14 more for prices")
    says(NOTEBOOK, "one after the other")
    listings = shop.filter((pl.col("name") == "/shop.Catalogue/ListProducts") & (pl.col("kind") == "server"))
    found = tl.repeated_calls(shop)
    assert sorted(found["parent_span_id"]) == sorted(listings["span_id"])
    assert found["sequential"].all()
    below = shop.filter(pl.col("parent_span_id").is_in(listings["span_id"].implode()))
    of_each = below.group_by("parent_span_id").agg(
        lists=pl.col("span.db.statement").str.contains("FROM products").sum(),
        prices=pl.col("span.db.statement").str.contains("FROM prices").sum(),
        queries=pl.len(),
    )
    assert of_each.height == 802
    assert of_each["lists"].unique().to_list() == [1]
    assert sorted(of_each["prices"].unique()) == [13, 14]
    assert (of_each["queries"] == of_each["lists"] + of_each["prices"]).all()
    shows(NOTEBOOK, "true | 802 | 11,492 | 14 | 15")
    shows(NOTEBOOK, "| 802 | 802 |", "| 10,690 | 802 |")


def test_each_of_these_queries_is_short(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "Each of these spans is short")
    queries = shop.filter(pl.col("parent_span_id").is_in(tl.repeated_calls(shop)["parent_span_id"].implode()))
    median = queries["duration"].median()
    assert isinstance(median, dt.timedelta)
    assert milliseconds(median) < 1

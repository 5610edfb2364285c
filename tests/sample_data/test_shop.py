"""The sample data: every form loads, forms of the same traces agree, and the planted faults are there to be seen."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tracelab as tl

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = "_slice/shop-slice.otlp.jsonl.gz"
OTLP_FORMS = [
    "_slice/shop-slice.otlp.pb",
    "_slice/shop-slice.otlp.jsonl.zst",
    "_slice/shop-slice.otlp.pb.zst",
    "_slice/shop-slice-framed.otlp.jsonl.zst",
    "_slice/shop-slice-framed.otlp.pb.zst",
    "_slice/shop-slice.jaeger-v3.jsonl.gz",
]
OTHER_FORMS = [
    "_slice/shop-slice.jaeger.json.gz",
    "_slice/shop-slice.jaeger-adjusted.json.gz",
    "_slice/shop-slice.zipkin.json.gz",
]
STRUCTURE = ["trace_id", "span_id", "parent_span_id", "kind", "service_name", "status_code", "status_message", "entry"]
MICROSECOND = pl.duration(microseconds=1)


@pytest.fixture(scope="module")
def shop(sample_data: Path) -> pl.DataFrame:
    return tl.read(sample_data / "shop.otlp.jsonl.gz")


@pytest.fixture(scope="module")
def truth(sample_data: Path) -> dict[str, Any]:
    counted: dict[str, Any] = json.loads((sample_data / "truth.json").read_text())
    return counted


def by_id(spans: pl.DataFrame) -> pl.DataFrame:
    return spans.sort("trace_id", "span_id")


def with_parent(spans: pl.DataFrame) -> pl.DataFrame:
    """Join every span to its parent's columns, which get the suffix `_parent`."""
    return spans.join(spans, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], suffix="_parent")


def reference(sample_data: Path) -> pl.DataFrame:
    return by_id(tl.read(sample_data / REFERENCE))


@pytest.mark.parametrize("form", [REFERENCE, *OTLP_FORMS, *OTHER_FORMS])
def test_every_form_of_the_slice_has_the_counted_traces_and_spans(
    sample_data: Path, truth: dict[str, Any], form: str
) -> None:
    spans = tl.read(sample_data / form)
    assert spans["trace_id"].n_unique() == truth["slice"]["traces"]
    assert spans.height == truth["slice"]["spans"]


def test_the_whole_run_has_the_counted_traces_and_spans(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    assert shop["trace_id"].n_unique() == truth["totals"]["traces"] >= 2_000
    assert shop.height == truth["totals"]["spans"] >= 30_000
    assert dict(shop["service_name"].value_counts().rows()) == truth["totals"]["spans_by_service"]


def test_the_content_system_has_four_hundred_and_twenty_traces(sample_data: Path) -> None:
    assert tl.read(sample_data / "content.otlp.jsonl.gz")["trace_id"].n_unique() == 420


@pytest.mark.parametrize("form", OTLP_FORMS)
def test_otlp_forms_give_the_very_same_frame(sample_data: Path, form: str) -> None:
    assert_frame_equal(tl.read(sample_data / form), tl.read(sample_data / REFERENCE))


def test_jaeger_agrees_in_all_that_it_can_carry(sample_data: Path) -> None:
    otlp, jaeger = reference(sample_data), by_id(tl.read(sample_data / "_slice/shop-slice.jaeger.json.gz"))
    attributes = [name for name in otlp.columns if name.startswith(("span.", "resource."))]
    same = [*STRUCTURE, "name", "scope_name", "scope_version", *attributes]
    assert_frame_equal(jaeger.select(same), otlp.select(same))
    assert_frame_equal(
        jaeger.select("start_time", "duration"),
        # Jaeger cuts both to microseconds.
        otlp.select(
            pl.col("start_time").dt.truncate("1us"),
            (pl.col("duration").dt.total_nanoseconds() // 1000 * 1000).cast(pl.Duration("ns")),
        ),
    )
    assert_frame_equal(events(jaeger), events(otlp))
    assert_frame_equal(links(jaeger), links(otlp))


def test_zipkin_agrees_in_all_that_it_can_carry(sample_data: Path) -> None:
    otlp, zipkin = reference(sample_data), by_id(tl.read(sample_data / "_slice/shop-slice.zipkin.json.gz"))
    same = [*STRUCTURE, "scope_name"]
    assert_frame_equal(zipkin.select(same), otlp.select(same))
    # Zipkin's names are lower-case, its attributes text; the ends of a connection move into endpoints.
    assert zipkin["name"].equals(otlp["name"].str.to_lowercase())
    attributes = [
        name
        for name in otlp.columns
        if name.startswith("span.") and not name.startswith(("span.net.peer", "span.network.peer")) and ":" not in name
    ]
    moved = {"span.http.status_code"}  # the Zipkin conventions know this one; the loader reads it from both names
    assert_frame_equal(
        zipkin.select(sorted(set(attributes) - moved)).cast(pl.String),
        otlp.select(sorted(set(attributes) - moved)).cast(pl.String),
    )
    for name in ("start_time", "duration"):
        assert ((zipkin[name] - otlp[name]).abs() <= pl.select(MICROSECOND).item()).all()
    assert_frame_equal(links(zipkin), links(otlp))


def events(spans: pl.DataFrame) -> pl.DataFrame:
    each = spans.select("span_id", "events").explode("events", empty_as_null=False).unnest("events")
    return each.with_columns(pl.col("time").dt.truncate("1us"), pl.col("attributes").cast(pl.List(pl.Struct)))


def links(spans: pl.DataFrame) -> pl.DataFrame:
    each = spans.select(pl.col("span_id").alias("owner"), "links").explode("links", empty_as_null=False)
    return each.unnest("links").select("owner", "trace_id", "span_id").sort(pl.all())


def test_jaegers_adjustment_hides_the_wrong_clock(sample_data: Path) -> None:
    early = {
        form: with_parent(tl.read(sample_data / f"_slice/shop-slice.{form}.json.gz")).filter(
            pl.col("service_name") == "catalogue",
            pl.col("kind") == "server",
            pl.col("start_time") < pl.col("start_time_parent"),
        )
        for form in ("jaeger", "jaeger-adjusted")
    }
    assert early["jaeger"].height > 0
    assert early["jaeger-adjusted"].height == 0


@pytest.mark.parametrize(
    ("name", "most"), [("cold-cache-wrong-clock", 15), ("swallowed-timeout", 15), ("order-paid-at-second-try", 30)]
)
def test_the_readable_traces_are_small(sample_data: Path, name: str, most: int) -> None:
    spans = tl.read(sample_data / "traces" / f"{name}.json")
    assert spans["trace_id"].n_unique() == 1
    assert spans.height <= most


def test_version_1_9_0_slows_orders_of_business_customers_only(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    orders = shop.filter(pl.col("service_name") == "orders", pl.col("kind") == "server")
    medians = {
        (version, customer): (count, median / 1e6)
        for version, customer, count, median in orders.group_by("resource.service.version", "span.customer.kind")
        .agg(pl.len(), pl.col("duration").dt.total_nanoseconds().median())
        .rows()
    }
    for group in truth["version_change"]["orders"]:
        count, median = medians[group["version"], group["customer"]]
        assert (count, median) == (group["count"], pytest.approx(group["median_ms"], abs=0.06))
    assert medians["1.9.0", "business"][1] > 2 * medians["1.8.0", "business"][1]
    assert medians["1.9.0", "consumer"][1] < 1.3 * medians["1.8.0", "consumer"][1]


def test_listing_products_asks_the_database_once_per_product(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    listing = pl.col("name_parent") == "/shop.Catalogue/ListProducts"
    queries = with_parent(shop).filter(listing, pl.col("name") == "SELECT").group_by("trace_id", "parent_span_id").len()
    assert queries.height == truth["n_plus_one"]["listings"]
    assert queries["len"].sum() == truth["n_plus_one"]["queries"]
    assert queries["len"].min() == truth["n_plus_one"]["fewest_queries"] > 10


def test_some_payments_outlive_the_call_that_gave_up(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    end, parent_end = pl.col("start_time") + pl.col("duration"), pl.col("start_time_parent") + pl.col("duration_parent")
    outliving = with_parent(shop).filter(pl.col("service_name") == "payments", end > parent_end)
    assert outliving.height == truth["payments"]["spans_that_outlive_their_parent"] > 0


def test_one_hosts_clock_lets_calls_begin_before_their_caller(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    calls = with_parent(shop).filter(pl.col("service_name") == "catalogue", pl.col("kind") == "server")
    early = calls.filter(pl.col("start_time") < pl.col("start_time_parent"))["resource.host.name"].value_counts()
    wrong = truth["clock"]["catalogue-2"]
    assert dict(early.rows()) == {"catalogue-2": wrong["calls_that_begin_before_their_caller"]}
    assert wrong["median_lag_ms"] == pytest.approx(-40, abs=10)


def test_the_recommender_begins_traces_of_its_own(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    roots = shop.filter(pl.col("name") == "rank_products", pl.col("parent_span_id").is_null())
    assert roots.height == truth["lost_context"]["traces"]
    assert shop.filter(pl.col("trace_id").is_in(roots["trace_id"].implode())).height == truth["lost_context"]["spans"]


def test_only_mails_are_orphans_of_the_fulfilment_that_samples_by_itself(
    shop: pl.DataFrame, truth: dict[str, Any]
) -> None:
    orphans = shop.filter(pl.col("depth") == 0, pl.col("parent_span_id").is_not_null())
    assert orphans["name"].unique().to_list() == ["send_mail"]
    assert orphans.height == truth["own_sampling"]["mails_without_parent"] > 0


def test_the_cache_is_cold_again_after_the_flush(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    begin = shop.filter(pl.col("service_name") == "gateway", pl.col("kind") == "server")["start_time"].min()
    lookups = shop.filter(pl.col("name") == "product.lookup", pl.col("span.product.id") != 999)
    second = (lookups["start_time"] - begin).dt.total_nanoseconds() / 1e9
    misses = [
        lookups.filter(second >= phase["from_second"], second < phase["to_second"], ~pl.col("span.cache.hit")).height
        for phase in truth["cache"]["phases"]
    ]
    assert misses == [phase["misses"] for phase in truth["cache"]["phases"]]


def test_errors_reach_the_user_on_two_routes(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    failed = shop.filter(pl.col("service_name") == "gateway", pl.col("kind") == "server", tl.is_error())
    counts = failed.group_by("span.http.request.method", "span.http.route", "span.http.response.status_code").len()
    assert {f"{m} {route} {status}": n for m, route, status, n in counts.rows()} == truth["errors"]["reached_the_user"]


def test_outcomes_are_what_users_saw(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    answer = tl.outcomes(shop)
    counts = {f"{route} {outcome}": n for route, outcome, n in answer.select("route", "outcome", "requests").rows()}
    failed = answer.filter("failed")
    assert answer["requests"].sum() == truth["load"]["requests"]
    assert {f"{r} {o}": n for r, o, n in failed.select("route", "outcome", "requests").rows()} == (
        truth["errors"]["reached_the_user"]
    )
    assert truth["errors"]["refused"].items() <= counts.items()
    assert {name: n for name, n in counts.items() if name[-3:] >= "300"} == (
        truth["errors"]["reached_the_user"] | truth["errors"]["refused"]
    )
    assert truth["recommender"]["broken"] not in answer["requests"]
    routes = answer.group_by("route").agg(pl.col("requests").sum())
    assert dict(routes.rows()) == truth["load"]["requests_by_route"]


def test_outcomes_say_where_they_started(shop: pl.DataFrame) -> None:
    started = tl.outcomes(shop).drop_nulls("origins").select("route", "outcome", "origins").rows()
    assert started == [
        ("POST /api/reviews", "500", "content-analysis::generate_embedding: analysis.EmbeddingError (12)"),
        ("POST /api/orders", "502", "payments::POST /charge: HTTP 503 (11)"),
        ("POST /api/orders", "504", "orders::HTTP POST: context.deadlineExceededError (9)"),
        ("POST /api/reviews", "502", "content-analysis::fetch_content: analysis.ContentUnavailableError (8)"),
        ("GET /api/products/:id", "404", "catalogue::/shop.Catalogue/GetProduct: Exception (23)"),
        ("POST /api/orders", "402", "payments::POST /charge: HTTP 402 (11)"),
    ]


def test_error_origins_count_the_requests_of_users(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    answer = tl.error_origins(shop)
    columns = ["name", "exception_type", "errors", "requests", "reached_requests", "reached_fragment", "swallowed_by"]
    found = {row[:2]: row[2:] for row in answer.select(columns).rows()}
    payments, recommender = truth["payments"], truth["recommender"]
    # Attempts of orders that were paid at the second try, and three attempts of each that was not.
    attempts = payments["paid_at_second_try"] + 3 * payments["failed_after_three"]
    orders = payments["paid_at_second_try"] + payments["failed_after_three"]
    assert found["POST /charge", "HTTP 503"] == (attempts, orders, payments["failed_after_three"], 0, "orders::pay")
    timeouts = (payments["timed_out_calls"], *[payments["timed_out_after_three"]] * 2, 0, None)
    assert found["HTTP POST", "context.deadlineExceededError"] == timeouts
    assert found["HTTP POST", "HTTP 402"] == (*[payments["declined"]] * 3, 0, None)
    assert found["grpc.shop.Catalogue/GetProduct", "gRPC NOT_FOUND"] == (23, 23, 23, 0, None)
    broken = recommender["broken"]
    assert found["rank_products", "__main__.NoProfileError"] == (broken, 0, 0, broken, None)
    assert found["GET /recommendations", "__main__.NoProfileError"] == (
        broken,
        broken,
        0,
        0,
        "gateway::request handler",
    )
    reached = answer["reached_requests"].sum()
    assert reached == sum(truth["errors"]["reached_the_user"].values()) + sum(truth["errors"]["refused"].values())


def test_what_ran_on_after_its_parent_is_on_the_path_of_calls_only(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    """Payments that timed out were waited for; milliseconds that JavaScript's clocks disagree by are no running on."""
    with pytest.warns(tl.SkewWarning, match="The clock of 'catalogue-2' is 3"):
        path = tl.critical_path(shop)
    late = with_parent(shop).filter(
        pl.col("start_time") + pl.col("duration") > pl.col("start_time_parent") + pl.col("duration_parent")
    )
    on_path = late.join(path.select("trace_id", "span_id").unique(), on=["trace_id", "span_id"])
    payments = on_path.filter(pl.col("service_name") == "payments", pl.col("kind") == "server")
    assert payments.height == truth["payments"]["timed_out_calls"]
    within = on_path.filter(pl.col("service_name") == pl.col("service_name_parent"), pl.col("kind") != "server")
    over = pl.col("start_time") + pl.col("duration") - pl.col("start_time_parent") - pl.col("duration_parent")
    assert within.select(over.max()).item() <= timedelta(milliseconds=1, microseconds=1)
    assert within.height > 500


def test_batches_of_mails_link_to_every_order(shop: pl.DataFrame, truth: dict[str, Any]) -> None:
    batches = shop.filter(pl.col("name") == "mails process")["links"].list.len()
    assert (batches.len(), batches.sum(), batches.max()) == tuple(truth["batches"].values())


def test_the_service_graph_is_the_one_that_the_readme_draws(shop: pl.DataFrame) -> None:
    edges = tl.service_graph(shop).filter(pl.col("callee_type") == "service")
    assert set(edges.select("caller", "callee").rows()) == {
        ("gateway", "catalogue"),
        ("gateway", "content-analysis"),
        ("gateway", "orders"),
        ("gateway", "recommender"),
        ("recommender", "catalogue"),
        ("orders", "payments"),
        ("orders", "fulfilment"),
        ("fulfilment", "mailer"),
    }

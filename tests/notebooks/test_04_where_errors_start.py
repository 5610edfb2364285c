"""Every sentence of 04_where_errors_start that states something, held to the spans and to what the notebook shows."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tests.notebooks.conftest import runs, says, shows

NOTEBOOK = "04_where_errors_start"
SWALLOWED = pl.col("errors") - pl.col("reached_root") - pl.col("reached_fragment")
UNSEEN = "{ nestedSetParent = -1 && span.http.response.status_code < 400 } &>> { status = error }"


@pytest.fixture(scope="module")
def outcomes(shop: pl.DataFrame) -> pl.DataFrame:
    return tl.outcomes(shop)


@pytest.fixture(scope="module")
def origins(shop: pl.DataFrame) -> pl.DataFrame:
    return tl.error_origins(shop).with_columns(swallowed=SWALLOWED)


@pytest.fixture(scope="module")
def rates(shop: pl.DataFrame) -> dict[str, tuple[int, int]]:
    return {
        name: (errors, spans) for name, errors, spans in tl.error_rates(shop)["service_name", "errors", "spans"].rows()
    }


def origin(origins: pl.DataFrame, name: str, exception: str) -> dict[str, int | str | None]:
    return origins.row(by_predicate=(pl.col("name") == name) & (pl.col("exception_type") == exception), named=True)


def counts(outcomes: pl.DataFrame) -> dict[tuple[str, str], int]:
    return {(route, outcome): requests for route, outcome, requests in outcomes["route", "outcome", "requests"].rows()}


def test_forty_requests_failed_and_they_come_first(outcomes: pl.DataFrame) -> None:
    says(NOTEBOOK, "the failures first: 40 requests failed, 20 reviews (500 and 502) and 20 orders (502 and 504)")
    failed = outcomes.head(4)
    assert failed["failed"].all()
    assert failed.height == outcomes["failed"].sum()
    assert counts(failed) == {
        ("POST /api/reviews", "500"): 12,
        ("POST /api/reviews", "502"): 8,
        ("POST /api/orders", "502"): 11,
        ("POST /api/orders", "504"): 9,
    }
    shows(NOTEBOOK, "POST /api/reviews | 500 | true | 12 |", "POST /api/orders | 502 | true | 11 |")
    shows(NOTEBOOK, "POST /api/orders | 504 | true | 9 |", "POST /api/reviews | 502 | true | 8 |")


def test_then_come_34_that_were_refused_whose_root_did_not_fail(shop: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    says(NOTEBOOK, "Then what was refused: 34 requests were answered 404 or 402")
    says(NOTEBOOK, "A refusal is no failure of the gateway, its span did not fail")
    refused = outcomes[4:6]
    assert counts(refused) == {("GET /api/products/:id", "404"): 23, ("POST /api/orders", "402"): 11}
    assert not refused["failed"].any()
    answered = pl.col("span.http.response.status_code").is_in([402, 404])
    roots = shop.filter(tl.is_root() & answered)
    assert roots.height == 34
    assert not roots.select(tl.is_error().any()).item()
    shows(NOTEBOOK, "GET /api/products/:id | 404 | false | 23 |", "POST /api/orders | 402 | false | 11 |")


def test_all_other_requests_were_answered_200_or_202(outcomes: pl.DataFrame) -> None:
    says(NOTEBOOK, "All other requests were answered 200 or 202, among them all 373 for recommendations")
    assert set(outcomes[6:]["outcome"]) == {"200", "202"}
    recommendations = outcomes.filter(pl.col("route") == "GET /api/recommendations")
    assert counts(recommendations) == {("GET /api/recommendations", "200"): 373}
    assert outcomes["requests"].sum() == 3_000
    shows(NOTEBOOK, "GET /api/recommendations | 200 | false | 373 | 100 %")


def test_origins_says_where_each_failure_and_refusal_began(outcomes: pl.DataFrame) -> None:
    says(NOTEBOOK, "`origins` says already where it began")
    assert (outcomes["origins"].is_not_null() == pl.Series([True] * 6 + [False] * 6)).all()


def test_payments_leads_the_error_rates_and_recommender_has_some(rates: dict[str, tuple[int, int]]) -> None:
    says(NOTEBOOK, "`payments` leads with 78 errors, more than the 40 that got out of the `gateway`")
    says(NOTEBOOK, "`recommender` has 42, though every request for recommendations was answered 200")
    assert max(rates, key=lambda name: rates[name][0] / rates[name][1]) == "payments"
    assert max(rates, key=lambda name: rates[name][0]) == "payments"
    assert [rates[name] for name in ("payments", "gateway", "recommender")] == [(78, 642), (40, 3_000), (42, 746)]
    runs(NOTEBOOK, "tl.plot_error_rates(spans)")


def test_some_failures_reached_a_user_some_were_stopped_and_one_kind_got_nowhere(origins: pl.DataFrame) -> None:
    says(NOTEBOOK, "some failures reached a user, some were stopped on the way, and one kind got nowhere")
    assert (origins["reached_requests"] > 0).sum() == 6
    assert (origins["swallowed"] > 0).sum() == 5
    lost = origins.filter(pl.col("reached_fragment") > 0)
    assert lost.select("name", "requests", "reached_root", "swallowed").rows() == [("rank_products", 0, 0, 0)]


def test_six_kinds_of_failure_reached_the_74_requests_of_the_first_table(
    origins: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    says(NOTEBOOK, "Six kinds of failure reached 74 requests: the 40 that failed and the 34 that were refused")
    reached = origins.filter(pl.col("reached_requests") > 0)
    assert (reached.height, reached["reached_requests"].sum()) == (6, 74)
    assert sorted(reached["reached_requests"]) == sorted(outcomes.head(6)["requests"])


def test_several_attempts_are_several_errors_but_one_request(origins: pl.DataFrame) -> None:
    says(NOTEBOOK, "27 timeouts are 9 orders, and 33 answers 503 of `payments` are 11")
    timeouts = origin(origins, "HTTP POST", "context.deadlineExceededError")
    assert [timeouts[key] for key in ("service_name", "reached_root", "reached_requests")] == ["orders", 27, 9]
    charges = origin(origins, "POST /charge", "HTTP 503")
    assert [charges[key] for key in ("service_name", "reached_root", "reached_requests")] == ["payments", 33, 11]
    shows(NOTEBOOK, "context.deadlineExceededError | 27 | 27 | 9", "HTTP 503 | 78 | 33 | 11")


def test_refusals_reached_who_asked_through_a_root_that_did_not_fail(
    origins: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    says(NOTEBOOK, "`gRPC NOT_FOUND` became the 404s and `HTTP 402` the 402s: the root's span is no failure")
    says(
        NOTEBOOK,
        "the first table names who refused, `catalogue` and `payments`; here stands the call to them, which failed",
    )
    called = [
        ("grpc.shop.Catalogue/GetProduct", "gRPC NOT_FOUND", "gateway", 23),
        ("HTTP POST", "HTTP 402", "orders", 11),
    ]
    for name, exception, service, requests in called:
        row = origin(origins, name, exception)
        assert (row["service_name"], row["reached_root"], row["reached_requests"]) == (service, requests, requests)
    said = dict(outcomes[4:6].select("outcome", "origins").rows())
    assert said["404"].startswith("catalogue::/shop.Catalogue/GetProduct")
    assert said["402"].startswith("payments::POST /charge")
    shows(
        NOTEBOOK, "404 | false | 23", "catalogue::/shop.Catalogue/GetProduct", "payments::POST /charge: HTTP 402 (11)"
    )


def test_119_errors_were_swallowed_and_who_stopped_them(origins: pl.DataFrame) -> None:
    says(NOTEBOOK, "119 errors were swallowed. 45 of the 78 answers 503 of `payments` are among them")
    says(NOTEBOOK, "stopped by `pay` of `orders`")
    says(
        NOTEBOOK, "The gateway's request handler stopped 46: 25 calls that timed out and 21 exceptions of `recommender`"
    )
    swallowed = origins.filter(pl.col("swallowed") > 0)
    assert swallowed["swallowed"].sum() == 119
    assert swallowed.select("service_name", "name", "errors", "swallowed", "swallowed_by").rows() == [
        ("payments", "POST /charge", 78, 45, "orders::pay"),
        ("gateway", "GET", 25, 25, "gateway::request handler"),
        ("recommender", "GET /recommendations", 21, 21, "gateway::request handler"),
        ("fulfilment", "pack_order", 16, 16, "fulfilment::orders.placed receive"),
        ("content-analysis", "topic_agent", 12, 12, "content-analysis::analyze_content"),
    ]
    shows(NOTEBOOK, "The operation was aborted due to timeout | 25 | 25 | gateway::request handler")
    shows(NOTEBOOK, "HTTP 503 | 78 | 45 | orders::pay", "| 21 | 21 | gateway::request handler")


def test_what_was_swallowed_is_in_traces_that_were_answered_well_one_error_in_each(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "119 traces, one for each error that was swallowed: 61 orders (45 and the 16 of `pack_order`)")
    says(NOTEBOOK, "46 requests for recommendations, and 12 reviews")
    runs(NOTEBOOK, f'tl.search(spans, "{UNSEEN}")')
    found = tl.search(shop, UNSEEN)
    assert dict(found.group_by("root_name").len().iter_rows()) == {
        "POST /api/orders": 61,
        "GET /api/recommendations": 46,
        "POST /api/reviews": 12,
    }
    within = tl.error_origins(shop.filter(pl.col("trace_id").is_in(found["trace_id"].implode())))
    assert within["errors"].sum() == found.height == 119
    assert within.select(SWALLOWED.sum()).item() == 119
    shows(NOTEBOOK, "POST /api/orders | 61 |", "GET /api/recommendations | 46 |", "POST /api/reviews | 12 |")


def test_the_exceptions_of_recommender_are_there_twice_and_no_user_has_seen_them(
    shop: pl.DataFrame, origins: pl.DataFrame
) -> None:
    says(NOTEBOOK, "The 21 at `GET /recommendations` are in requests, and were swallowed")
    says(NOTEBOOK, "The 21 at `rank_products` are in no request")
    says(NOTEBOOK, "it stands at the top of a trace of its own")
    says(NOTEBOOK, "Nobody above it stopped these errors, and still no user has seen them")
    twice = origins.filter(pl.col("exception_type").str.contains("NoProfileError")).sort("name")
    columns = ("name", "errors", "requests", "reached_root", "reached_requests", "reached_fragment", "swallowed")
    assert twice.select(columns).rows() == [
        ("GET /recommendations", 21, 21, 0, 0, 0, 21),
        ("rank_products", 21, 0, 0, 0, 21, 0),
    ]
    assert twice["swallowed_by"].to_list() == ["gateway::request handler", None]
    spans = shop.filter(pl.col("name") == "rank_products")
    assert spans.select(tl.is_root().all()).item()
    shows(NOTEBOOK, "__main__.NoProfileError | 21 | 21 | 0 | 0 |", "__main__.NoProfileError | 21 | 0 | 0 | 21 |")


def test_both_tell_of_the_same_sessions(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "The exceptions of `recommender` are there twice")
    failing = shop.filter((pl.col("service_name") == "recommender") & tl.is_error())
    event = pl.col("events").list.last().struct.field("attributes").map.get("exception.message")
    messages = failing.select("name", message=event).group_by("name").agg(pl.col("message").sort())
    assert messages["message"].n_unique() == 1
    assert messages.height == 2


def test_in_37_of_39_windows_the_interval_holds_the_rate_of_the_whole_time(shop: pl.DataFrame) -> None:
    says(NOTEBOOK, "in 37 of 39 windows the interval holds the rate that the service has over the whole time")
    says(NOTEBOOK, "Two do not, about as many as intervals of 95 % miss by chance")
    three = shop.filter(pl.col("service_name").is_in(["gateway", "orders", "payments"]))
    whole = tl.error_rates(three).select("service_name", whole="error_rate")
    windows = tl.error_rates(three, every="15s").join(whole, on="service_name")
    outside = windows.filter(~pl.col("whole").is_between("lower", "upper"))
    assert (windows.height, outside.height) == (39, 2)
    assert windows.height * 0.05 == pytest.approx(outside.height, abs=0.1)
    shows(NOTEBOOK, "gateway | 13 | 0", "orders | 13 | 1", "payments | 13 | 1")


def test_the_exemplar_in_the_gantt_failed_at_its_first_attempt_and_not_at_its_second(
    shop: pl.DataFrame, origins: pl.DataFrame
) -> None:
    says(NOTEBOOK, "Open the first with the failing span selected: `payments` answered 503 to the first attempt")
    says(NOTEBOOK, "and the second went well")
    first = origins.row(0, named=True)
    in_trace = pl.col("trace_id") == first["exemplar_trace_id"]
    charges = shop.filter(in_trace & (pl.col("service_name") == "payments")).sort("start_time")
    assert charges["span_id"][0] == first["exemplar_span_id"]
    assert charges["span.http.response.status_code"].to_list() == [503, 200]

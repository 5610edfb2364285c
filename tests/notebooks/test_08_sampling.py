from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.notebooks import conftest
from tracelab.sampling import ParentBased, TraceIdRatioBased, broken_calls, presets, tail_policies
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.sampling import TailPolicies

NOTEBOOK = "08_sampling"
says, shows = partial(conftest.says, NOTEBOOK), partial(conftest.shows, NOTEBOOK)
GO = TraceIdRatioBased(0.5, sdk="go")
FLEET = {"gateway": TraceIdRatioBased(0.5, sdk="js"), "orders": GO, "payments": GO, "*": TraceIdRatioBased(0.5)}


@pytest.fixture(scope="module")
def report(shop: pl.DataFrame) -> pl.DataFrame:
    """What the first policy keeps, by service."""
    return tl.sampling_report(shop, presets.production(), quantiles=0.95)


@pytest.fixture(scope="module")
def compared(shop: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The policies of the figure, by name."""
    named = {
        "a tenth of all": ParentBased(TraceIdRatioBased(0.1)),
        "production": presets.production(),
        "everyday": presets.everyday(shop),
        "plan": tl.plan_sampling(shop, budget="33 spans/s"),
    }
    return {row["policy"]: row for row in tl.compare_policies(shop, named).iter_rows(named=True)}


@cache
def own() -> TailPolicies:
    """The configuration that stands in a cell."""
    (cell,) = (text for text in map(_source, conftest.cells(NOTEBOOK)) if "tail_policies(" in text)
    return tail_policies(cell.split('"""')[1])


def row_of(frame: pl.DataFrame, service: str) -> dict[str, Any]:
    return frame.row(by_predicate=pl.col("service_name") == service, named=True)


def test_the_policy_is_shown_as_yaml_that_keeps_errors_and_a_tenth() -> None:
    says("keep every trace with an error, and a tenth of all")
    shows("status_codes: [ERROR]", "probabilistic: {sampling_percentage: 10.0}")


def test_the_gateway_keeps_446_of_3000_traces(report: pl.DataFrame) -> None:
    says("Of the 3,000 traces that went through the `gateway`, 446 are kept. That is more than a tenth")
    gateway = row_of(report, "gateway")
    assert (gateway["traces"], gateway["traces_kept"]) == (3000, 446)
    assert report["errors_kept"].equals(report["errors"], check_names=False)
    shows("gateway | 3,000 | 446 | 14,035 | 2,117 | 4.0 MB | 638.4 kB |")


def test_naive_error_rates_are_far_off_and_weights_repair_them(report: pl.DataFrame) -> None:
    says("The `gateway` failed 1.3 % of its requests. Who counts the spans that are kept reads 9.0 %")
    says("the estimate is 1.5 %, between 1.3 % and 1.6 %")
    shows("gateway | 1.3 % | 9.0 % | 1.5 % (1.3 - 1.6 %) |")
    gateway = row_of(report, "gateway")
    ends = ("", "_kept", "_weighted", "_lower", "_upper")
    assert [round(gateway[f"error_rate{end}"], 3) for end in ends] == [0.013, 0.09, 0.015, 0.013, 0.016]


def test_intervals_miss_where_little_is_left(report: pl.DataFrame) -> None:
    says("The intervals hold the true rate of seven of eight services.")
    says("that of `content-analysis`, of which 44 traces are left")
    says("For `content-analysis` it is 19")
    within = pl.col("error_rate").is_between("error_rate_lower", "error_rate_upper")
    assert report.filter(~within)["service_name"].to_list() == ["content-analysis"]
    missed = row_of(report, "content-analysis")
    assert (missed["traces_kept"], round(missed["effective_sample_size"])) == (44, 19)
    says("too few for a high percentile, which has no upper bound there either")
    assert missed["p95_upper"] is None


@pytest.mark.parametrize(("service", "words"), [("gateway", "356 609 296"), ("orders", "238 1300 225")])
def test_naive_percentiles_are_far_off_and_weights_repair_them(report: pl.DataFrame, service: str, words: str) -> None:
    says("the `gateway` looks slower than it is: 609 ms instead of 356 ms. For `orders` it is 1.3 s instead of 238 ms.")
    says("With weights it is 296 ms and 225 ms, and both intervals hold the true figure.")
    found = row_of(report, service)
    p95 = [found[f"p95{end}"].total_seconds() * 1_000 for end in ("", "_kept", "_weighted")]
    assert p95 == pytest.approx([float(word) for word in words.split()], rel=0.01)
    assert found["p95_lower"] <= found["p95"]
    says("That of `orders` has no upper bound")
    assert found["p95_upper"] is None if service == "orders" else found["p95"] <= found["p95_upper"]


def test_a_hundredth_loses_a_route_and_six_users(shop: pl.DataFrame) -> None:
    says("No failure is lost, since errors are kept.")
    says("no trace is left of a whole route, `GET /api/orders/:id`, which 209 requests took, and none of six users")
    lost = tl.sampling_losses(shop, presets.production(ratio=0.01))
    assert lost.filter(kind="route").select("value", "traces").rows() == [("GET /api/orders/:id", 209)]
    assert lost["kind"].to_list() == ["route", *["user"] * 6]


def test_services_that_decide_by_themselves_break_traces_below_the_gateway(shop: pl.DataFrame) -> None:
    says("All of it happens below the `gateway`, which is written in JavaScript")
    says("of what its callees keep, about half has lost its caller. Go and Python agree here")
    says("With `ParentBased` around each sampler every service does as its caller did, and no trace breaks.")
    languages = shop.select("service_name", language=tl.attr("telemetry.sdk.language")).unique()
    known = dict(languages.iter_rows())
    rules = {"js": "nodejs", "go": "go", "python": "python"}
    assert all(known[name] == rules[FLEET.get(name, FLEET["*"]).sdk] for name in known)
    calls = broken_calls(shop, FLEET).filter(pl.col("broken") > 0)
    assert calls["caller"].unique().to_list() == ["gateway"]
    assert (calls["broken"] / calls["callees_kept"]).is_between(0.45, 0.55).all()
    followed = broken_calls(shop, {name: ParentBased(sampler) for name, sampler in FLEET.items()})
    assert followed["broken"].sum() == 0


def test_a_policy_asks_for_an_attribute_of_another_name(shop: pl.DataFrame) -> None:
    says("`failed-answers` never matched, so every failure was left to chance.")
    says("It asks for `http.status_code`, the old name of an attribute that most services here write as")
    says("The condition found 61 traces, and 57 of them no other policy would have kept.")
    matches = tl.policy_matches(shop, own())
    assert matches.filter("never_matched")["policy"].to_list() == ["failed-answers"]
    condition = matches.row(by_predicate=pl.col("type") == "ottl_condition", named=True)
    assert (condition["matched"], condition["kept_alone"]) == (61, 57)
    writers = [
        set(shop.filter(tl.attr(key).is_not_null())["service_name"])
        for key in ("http.status_code", "http.response.status_code")
    ]
    assert len(writers[0]) < len(writers[1])


def test_the_plan_costs_what_the_first_policy_does(compared: dict[str, dict[str, Any]]) -> None:
    says("The first policy kept 33 spans a second.")
    says("`plan` keeps about as much as `production`, but every slow trace, and pays for it with a smaller share")
    production, plan = compared["production"], compared["plan"]
    assert round(production["spans_per_second"]) == 33
    assert plan["spans_per_second"] == pytest.approx(33, rel=0.05)
    assert (plan["slow_traces_kept_share"], production["slow_traces_kept_share"] < 0.5) == (1, True)
    assert plan["traces_kept_share"] < production["traces_kept_share"]
    shows("# Budget: 33 spans/s.", "probabilistic: {sampling_percentage: 3.51}")


def test_weights_repair_what_keeping_errors_does_to_figures(compared: dict[str, dict[str, Any]]) -> None:
    says("`production`, `everyday` (errors, the slowest 5 %, a hundredth of all) and `plan` keep every failed trace.")
    says("their error rates are off by about ten points; with weights by about half a point, less")
    tenth = compared["a tenth of all"]
    assert tenth["error_rate_off"] == pytest.approx(tenth["error_rate_off_kept"], rel=0.01)
    for name in ("production", "everyday", "plan"):
        row = compared[name]
        assert row["failed_traces_kept_share"] == 1
        assert row["error_rate_off_kept"] == pytest.approx(0.10, abs=0.015)
        assert row["error_rate_off"] == pytest.approx(0.005, abs=0.0005)
        assert row["error_rate_off"] < tenth["error_rate_off"]
        assert row["duration_off"] < row["duration_off_kept"]


def test_mails_of_a_service_that_records_some_are_estimated(shop: pl.DataFrame) -> None:
    says("Recorded are 312 mails that `fulfilment` sent. It sent about 520, says the estimate, between 485 and 559.")
    says("The `mailer` records everything and knows: it sent 526.")
    weighted = tl.with_weights(shop, {"fulfilment": 0.6, "*": 1})
    graph = tl.service_graph(weighted, weights="sampling_weight")
    call = graph.row(by_predicate=(pl.col("caller") == "fulfilment") & (pl.col("callee") == "mailer"), named=True)
    found = [call["calls"], *(call[f"estimated_calls{end}"] for end in ("", "_lower", "_upper"))]
    assert [round(number) for number in found] == [312, 520, 485, 559]
    assert shop.filter(service_name="mailer", name="send_mail").height == 526


def test_what_a_policy_left_gives_the_same_estimates(shop: pl.DataFrame, report: pl.DataFrame) -> None:
    says("That is the column `p95_weighted` from above")
    says("of the `gateway` about 2,723, between 2,440 and 3,035. There were 3,000.")
    policy = presets.production()
    kept = tl.with_weights(tl.sample_tail(shop, policy).drop("sampling_weight"), policy)
    p95 = tl.latency_percentiles(kept, quantiles=0.95, weights="sampling_weight")
    assert p95["duration"].equals(report["p95_weighted"], check_names=False)
    found = row_of(p95, "gateway")
    counts = [found[f"estimated_count{end}"] for end in ("", "_lower", "_upper")]
    assert [round(count) for count in counts] == [2723, 2440, 3035]
    shows(f"gateway | {format_duration(round(found['duration'].total_seconds() * 1e9))} (", "| 446 | 2,723 (2,440")


def test_what_records_nothing_has_no_weight(shop: pl.DataFrame) -> None:
    says("Where nothing is recorded and nobody knows, the weight is null, and so is every figure that rests on it.")
    with pytest.warns(tl.SamplingWarning):
        unknown = tl.with_weights(shop)
    assert unknown["sampling_weight"].null_count() == shop.height
    rates = tl.error_rates(unknown, weights="sampling_weight")
    assert rates["error_rate"].null_count() == rates.height


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])

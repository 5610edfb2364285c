"""The policy that keeps the most of what matters within a budget."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
import yaml

import tracelab as tl
from tracelab.sampling import TailPolicies, tail_policies
from tracelab.synthetic import draw, generate


@pytest.fixture(scope="module")
def spans() -> pl.DataFrame:
    return generate(40_000, spans_per_trace=10)


def pace(spans: pl.DataFrame) -> float:
    return float(tl.compare_policies(spans, {"all": tl.sampling.AlwaysOn()})["spans_per_second"].item())


def names(policies: TailPolicies) -> list[str]:
    return [policy.name for policy in policies.policies]


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05, 0.1, 0.3, 0.7, 0.99])
def test_what_is_kept_fits_the_budget_and_nearly_fills_it(spans: pl.DataFrame, share: float) -> None:
    policies = tl.plan_sampling(spans, budget=f"{pace(spans) * share:.6f} spans/s")
    told = tl.sampling_decisions(spans, policies)
    expected = (told["sampling_probability"] * told["spans"]).sum() / spans.height
    assert 0.85 * share < expected <= share * 1.001


@pytest.mark.parametrize("unit", ["spans", "traces", "bytes"])
def test_each_unit_is_what_it_says(spans: pl.DataFrame, unit: str) -> None:
    everything = tl.compare_policies(spans, {"all": tl.sampling.AlwaysOn()}).row(0, named=True)
    seconds = spans.height / everything["spans_per_second"]
    whole = {
        "spans": everything["spans_per_second"],
        "traces": spans["trace_id"].n_unique() / seconds,
        "bytes": everything["bytes_per_day"] / 86_400,
    }[unit]
    policies = tl.plan_sampling(spans, budget=f"{whole / 4:.9f} {unit}/s")
    found = tl.compare_policies(spans, {"plan": policies})[f"{unit}_kept_share"].item()
    assert found == pytest.approx(0.25, rel=0.1)


def test_what_matters_most_is_kept_first(spans: pl.DataFrame) -> None:
    whole = pace(spans)
    rich = tl.plan_sampling(spans, budget=f"{whole * 0.6:.6f} spans/s")
    assert names(rich)[:2] == ["errors", "slow"]
    compared = tl.compare_policies(spans, {"rich": rich}).row(0, named=True)
    assert compared["failed_traces_kept_share"] == 1
    assert compared["slow_traces_kept_share"] > 0.95
    poor = tl.plan_sampling(spans, budget=f"{whole * 0.001:.6f} spans/s")
    assert names(poor) == ["errors", "share-of-the-rest"]
    assert 0 < tl.compare_policies(spans, {"poor": poor})["failed_traces_kept_share"].item() < 1


def test_a_budget_for_everything_keeps_everything() -> None:
    policies = tl.plan_sampling(generate(1_000), budget="1 TB/s")
    assert names(policies) == ["everything"]


def test_routes_that_are_rare_are_kept() -> None:
    many = generate(20_000, spans_per_trace=2).with_columns(pl.lit("/usual").alias("span.http.route"))
    first = many["trace_id"][0]
    route = pl.when(pl.col("trace_id") == first).then(pl.lit("/rare")).otherwise("span.http.route")
    spans = many.with_columns(route.alias("span.http.route"))
    policies = tl.plan_sampling(spans, budget=f"{pace(spans) / 2:.6f} spans/s")
    (rare,) = [policy for policy in policies.policies if policy.name == "rare-routes"]
    assert vars(rare)["values"] == ("/rare",)
    assert first in tl.sample_tail(spans, policies)["trace_id"]


@pytest.mark.parametrize("route", ["/price/$id", "/a/$$b", "/a/${env:HOME}", "/a/$${x}", "$"])
def test_a_dollar_sign_in_a_route_is_no_reference(route: str) -> None:
    many = generate(2_000, spans_per_trace=1).with_columns(pl.lit("/usual").alias("span.http.route"))
    first = many["trace_id"][0]
    spans = many.with_columns(
        pl.when(pl.col("trace_id") == first).then(pl.lit(route)).otherwise("span.http.route").alias("span.http.route")
    )
    policies = tl.plan_sampling(spans, budget=f"{pace(spans) / 2:.6f} spans/s", slow=1)
    for each in (policies, tail_policies(str(policies))):
        (rare,) = [policy for policy in each.policies if policy.name == "rare-routes"]
        assert vars(rare)["values"] == (route,)


def stretched(spans: pl.DataFrame, factor: float) -> pl.DataFrame:
    since = pl.col("start_time") - pl.col("start_time").min()
    return spans.with_columns(
        start_time=pl.col("start_time").min() + since * factor, duration=pl.col("duration") * factor
    )


def test_traces_that_take_minutes_are_waited_for(spans: pl.DataFrame) -> None:
    longest = spans["duration"].max()
    assert isinstance(longest, timedelta)
    slow = stretched(spans, 120 / longest.total_seconds())
    policies = tl.plan_sampling(slow, budget=f"{pace(slow) * 0.3:.9f} spans/s")
    assert policies.decision_wait > 30e9
    assert "# decision_wait: of 99.9 % of the traces all has come after " in str(policies)
    compared = tl.compare_policies(slow, {"plan": policies}).row(0, named=True)
    assert compared["failed_traces_kept_share"] == 1
    assert compared["slow_traces_kept_share"] > 0.95


def test_traces_are_waited_for_ten_minutes_at_most(spans: pl.DataFrame) -> None:
    slow = stretched(spans, 100_000)
    assert tl.plan_sampling(slow, budget=f"{pace(slow) / 2:.9f} spans/s").decision_wait == 600e9


def test_as_many_traces_are_held_as_come_meanwhile() -> None:
    spans = stretched(generate(60_000, spans_per_trace=1), 1e-3)
    policies = tl.plan_sampling(spans, budget=f"{pace(spans) / 4:.6f} spans/s")
    assert policies.num_traces >= 2 * spans["trace_id"].n_unique()
    assert "# num_traces: " in str(policies)
    found = tl.compare_policies(spans, {"plan": policies})["spans_kept_share"].item()
    assert found == pytest.approx(0.25, rel=0.1)


def test_what_is_shown_says_what_it_keeps_and_is_a_configuration(spans: pl.DataFrame) -> None:
    policies = tl.plan_sampling(spans, budget=f"{pace(spans) / 10:.6f} spans/s")
    text = str(policies)
    assert text.startswith("# Budget: ")
    assert "10.0 %" in text or "9.9" in text
    assert names(tail_policies(text)) == names(policies)
    assert "policies" in yaml.safe_load(text)["processors"]["tail_sampling"]


def test_what_is_lost_is_said_too(spans: pl.DataFrame) -> None:
    with_users = spans.with_columns(pl.col("trace_id").str.slice(29).alias("span.user.id"))
    policies = tl.plan_sampling(with_users, budget=f"{pace(spans) / 50:.6f} spans/s")
    lost = tl.sampling_losses(with_users, policies)["kind"].to_list()
    (line,) = (line for line in str(policies).splitlines() if line.startswith("# Lost altogether: "))
    assert f"{lost.count('user'):,} of {with_users['span.user.id'].n_unique():,} users" in line
    for kind, word in (("failure", "failing operation"), ("route", "route"), ("service", "service")):
        assert (word in line) == (kind in lost)


def test_it_is_said_if_nothing_is_lost() -> None:
    text = str(tl.plan_sampling(draw("api =! user.id=7"), budget="1 TB/s"))
    assert "# Lost altogether: none of the failing operations, routes, users, services.\n" in text


def test_spans_of_one_moment_have_no_pace() -> None:
    moment = draw("api =").with_columns(duration=pl.lit(0).cast(pl.Duration("ns")))
    for spans in (moment, moment.clear()):
        with pytest.raises(tl.TracelabError, match="nothing is known of their pace"):
            tl.plan_sampling(spans, budget="1 spans/s")


@pytest.mark.parametrize("option", ["slow", "rare", "rest"])
def test_shares_are_shares(option: str) -> None:
    with pytest.raises(tl.TracelabError, match=f"`{option}` must lie between 0 and 1"):
        tl.plan_sampling(generate(100), budget="1 spans/s", **{option: 2.0})

"""Policies side by side."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tracelab as tl
from tracelab.sampling import AlwaysOff, AlwaysOn, TraceIdRatioBased, presets
from tracelab.synthetic import draw, generate

SPANS = draw("""
web::GET /   ====
  db::look   .==

web::GET /   ====!
  db::look   .==!
""")


def test_policies_stand_in_their_order_and_everything_kept_is_right() -> None:
    found = tl.compare_policies(SPANS, {"b": AlwaysOff(), "a": AlwaysOn()})
    assert found["policy"].to_list() == ["b", "a"]
    everything = found.row(1, named=True)
    for name in (
        "traces_kept_share",
        "spans_kept_share",
        "bytes_kept_share",
        "failed_traces_kept_share",
        "intervals_right_share",
    ):
        assert everything[name] == 1
    for name in ("error_rate_off", "error_rate_off_kept", "duration_off", "duration_off_kept"):
        assert everything[name] == 0
    nothing = found.row(0, named=True)
    assert (nothing["spans_kept_share"], nothing["failures_lost"], nothing["services_lost"]) == (0, 2, 2)
    assert nothing["error_rate_off"] == 0.5
    assert nothing["duration_off"] == 1
    assert nothing["intervals_right_share"] is None


def test_weights_set_right_what_keeping_errors_distorts() -> None:
    spans = generate(200_000, spans_per_trace=20)
    row = tl.compare_policies(spans, {"p": presets.production(ratio=0.2)}).row(0, named=True)
    assert row["failed_traces_kept_share"] == 1
    assert row["error_rate_off_kept"] > 5 * row["error_rate_off"]
    assert row["intervals_right_share"] > 0.7


def test_a_fleet_of_sdks_that_disagree_breaks_traces() -> None:
    spans = generate(20_000, spans_per_trace=10)
    first = spans["service_name"].unique().sort()[0]
    fleet = {first: TraceIdRatioBased(0.5), "*": TraceIdRatioBased(0.5, sdk="js")}
    found = tl.compare_policies(spans, {"one": TraceIdRatioBased(0.5), "mixed": fleet})
    assert found["broken_traces"][0] == 0
    assert found["broken_traces"][1] > 0


@pytest.mark.parametrize("wrong", [{}, [], None, {1: AlwaysOn()}, AlwaysOn()])
def test_policies_need_names(wrong: Any) -> None:
    with pytest.raises(tl.TracelabError, match="`policies` must map names"):
        tl.compare_policies(SPANS, wrong)


def test_a_policy_is_told_of_alone_as_beside_others() -> None:
    spans = generate(2_000, spans_per_trace=10, seed=3)
    policies = {"all": AlwaysOn(), "errors": presets.production(ratio=0), "some": TraceIdRatioBased(0.2)}
    together = tl.compare_policies(spans, policies)
    for place, (name, policy) in enumerate(policies.items()):
        assert_frame_equal(tl.compare_policies(spans, {name: policy}), together[place])


def test_what_is_lost_is_counted_as_losses_are_listed() -> None:
    spans = generate(2_000, spans_per_trace=10, seed=3).with_columns(
        pl.col("trace_id").str.slice(31).alias("span.user.id")
    )
    for policy in (TraceIdRatioBased(0.05), presets.production(ratio=0), AlwaysOff()):
        row = tl.compare_policies(spans, {"p": policy}).row(0, named=True)
        lost = tl.sampling_losses(spans, policy)["kind"].to_list()
        for kind in ("failure", "route", "user", "service"):
            assert row[f"{kind}s_lost"] == lost.count(kind)


def test_no_spans_are_compared_without_a_number_that_is_none() -> None:
    row = tl.compare_policies(SPANS.clear(), {"p": presets.production()}).row(0, named=True)
    assert row["spans_per_second"] is None
    assert row["traces_kept_share"] is None

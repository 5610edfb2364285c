"""Policies side by side."""

from __future__ import annotations

from typing import Any

import pytest

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
    for name in ("traces_kept", "spans_kept", "bytes_kept", "failed_traces_kept", "intervals_right"):
        assert everything[name] == 1
    for name in ("error_rate_off", "error_rate_off_kept", "duration_off", "duration_off_kept"):
        assert everything[name] == 0
    nothing = found.row(0, named=True)
    assert (nothing["spans_kept"], nothing["failures_lost"], nothing["services_lost"]) == (0, 2, 2)
    assert nothing["error_rate_off"] == 0.5
    assert nothing["duration_off"] == 1
    assert nothing["intervals_right"] is None


def test_weights_set_right_what_keeping_errors_distorts() -> None:
    spans = generate(200_000, spans_per_trace=20)
    row = tl.compare_policies(spans, {"p": presets.production(ratio=0.2)}).row(0, named=True)
    assert row["failed_traces_kept"] == 1
    assert row["error_rate_off_kept"] > 5 * row["error_rate_off"]
    assert row["intervals_right"] > 0.7


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


def test_no_spans_are_compared_without_a_number_that_is_none() -> None:
    row = tl.compare_policies(SPANS.clear(), {"p": presets.production()}).row(0, named=True)
    assert row["spans_per_second"] is None
    assert row["traces_kept"] is None

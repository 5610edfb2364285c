from __future__ import annotations

import json

import polars as pl
import pytest

import tracelab as tl
from tracelab.sampling import AlwaysOff, AlwaysOn, ParentBased, TraceIdRatioBased, presets
from tracelab.sampling_overview import Kept
from tracelab.synthetic import draw, generate

SPANS = draw("""
api::GET /cart  ==========
  db            ..=====!

api::GET /pay   ====
""")


def kept(policy: object, spans: pl.DataFrame = SPANS, *, every: str | None = None) -> Kept:
    return Kept(spans, policy, by=["service_name"], every=every)


def test_sentences_say_what_is_kept_lost_and_never_matched() -> None:
    rules = [
        {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
        {"name": "slow", "type": "latency", "latency": {"threshold_ms": 500}},
    ]
    said = kept(rules).sentences()
    assert said[:2] == ["Traces kept: 1 of 2 (50.0 %).", "Spans kept: 2 of 3 (66.7 %)."]
    assert said[3] == "Not estimated: groups with requests that no kept one stands for (1)."
    assert said[4:] == ["Never matched: slow.", "Lost altogether: 1 route."]


def test_sentences_of_no_spans_have_no_shares() -> None:
    assert kept(AlwaysOn(), SPANS.clear()).sentences()[0] == "Traces kept: 0 of 0 (-)."


def test_broken_traces_are_said() -> None:
    fleet = {"api": AlwaysOff(), "*": AlwaysOn()}
    assert "Broken: 1 trace, of which a kept span lost its parent." in kept(fleet).sentences()
    fleet = {"*": ParentBased(AlwaysOff())}
    assert not any("Broken" in line for line in kept(fleet).sentences())


def test_simulated_decisions_and_unknown_probabilities_are_said() -> None:
    rules = [{"name": "few", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 100}}]
    said = " ".join(kept(rules, generate(1_000)).sentences())
    assert "Simulated: " in said
    assert "of unknown probability" in said


def test_tables_put_what_is_true_beside_what_is_kept_and_estimated() -> None:
    told = kept(presets.production(ratio=0))
    assert told.error_rates().rows() == [
        ("api", "1 of 2", "0 %", "0 %", "-", told.error_rates()["95 % interval"][0]),
        ("db", "1 of 1", "100 %", "100 %", "100 %", told.error_rates()["95 % interval"][1]),
    ]
    assert told.percentiles()["true"].to_list() == ["9.7 ms", "5 ms"]


def test_a_key_may_be_called_as_a_column_of_the_tables() -> None:
    told = Kept(SPANS.rename({"name": "true"}).with_columns(name=pl.lit("x")), AlwaysOn(), by=["true"], every=None)
    assert told.error_rates().columns[0] == "true"


def test_json_has_exact_numbers_and_durations_in_seconds() -> None:
    spans = generate(2_000, seed=2)
    policy = TraceIdRatioBased(0.3)
    told = json.loads(kept(policy, spans).as_json(yaml=None))
    report = tl.sampling_report(spans, policy, by=None, quantiles=0.95)
    assert told["total"]["error_rate_weighted"] == report["error_rate_weighted"][0]
    assert told["total"]["p95"] == pytest.approx(report["p95"].dt.total_nanoseconds()[0] / 1e9, abs=1e-9)
    assert sum(told["decisions"].values()) == spans["trace_id"].n_unique()
    assert len(told["losses"]) == tl.sampling_losses(spans, policy).height
    assert "yaml" not in told
    assert json.loads(kept(presets.production(), spans).as_json(yaml="a: 1\n"))["yaml"] == "a: 1\n"


def test_windows_are_told_apart() -> None:
    assert kept(AlwaysOn(), every="1m").percentiles().columns[:2] == ["service_name", "window"]

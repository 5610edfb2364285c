"""Refinery's rules in the faces that take policies of any dialect."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tracelab.sampling.dialects import Dialect
from tracelab.synthetic import generate

SPANS = generate(5_000, spans_per_trace=10, seed=3)
RULES = """
RulesVersion: 2
Samplers:
  __default__:
    RulesBasedSampler:
      Rules:
        - {Name: errors, SampleRate: 1, Conditions: [{Field: error, Operator: exists}]}
        - {Name: rest, SampleRate: 4}
"""


def test_rules_go_where_policies_go() -> None:
    rules = tl.sampling.refinery_rules(RULES)
    assert isinstance(rules, Dialect)
    told = tl.sampling.tail_decisions(SPANS, rules)
    kept = tl.sampling.sample_tail(SPANS, rules)
    assert told.equals(rules.decisions(SPANS))
    assert kept.equals(rules.sampled(SPANS))
    assert tl.sampling.policy_matches(SPANS, rules).equals(rules.matches(SPANS))
    assert kept.height == told["spans_kept"].sum()


def test_the_frames_are_those_of_the_collectors_policies() -> None:
    rules = tl.sampling.refinery_rules(RULES)
    policies = [{"name": "all", "type": "always_sample"}]
    for face in (tl.sampling.tail_decisions, tl.sampling.sample_tail, tl.sampling.policy_matches):
        assert face(SPANS, rules).schema == face(SPANS, policies).schema


def test_a_lazy_frame_a_pandas_frame_and_coarse_times_give_the_same() -> None:
    rules = tl.sampling.refinery_rules(RULES)
    kept = tl.sampling.sample_tail(SPANS, rules)
    lazy = tl.sampling.sample_tail(SPANS.lazy(), rules)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect_schema() == kept.schema
    assert lazy.collect().equals(kept)
    plain = SPANS.select("trace_id", "span_id", "parent_span_id", "name", "start_time", "duration", "status_code")
    decisions = tl.sampling.tail_decisions(plain, rules)
    assert tl.sampling.tail_decisions(plain.to_pandas(), rules).equals(decisions)
    coarse = plain.with_columns(
        pl.col("start_time").dt.cast_time_unit("us"), pl.col("duration").dt.cast_time_unit("us")
    )
    assert tl.sampling.tail_decisions(coarse, rules).equals(decisions)


def test_columns_of_ones_own_stay() -> None:
    kept = tl.sampling.sample_tail(SPANS.with_columns(mine=pl.int_range(pl.len())), tl.sampling.refinery_rules(RULES))
    assert kept.columns[-3:] == ["mine", "sampling_policy", "sampling_weight"]
    assert kept["mine"].is_sorted()


def test_arrivals_are_the_collectors() -> None:
    with pytest.raises(ValueError, match="`arrival` is for policies of the Collector"):
        tl.sampling.sample_tail(SPANS, tl.sampling.refinery_rules(RULES), arrival="start_time")

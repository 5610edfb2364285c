"""Presets: policies that most teams start from, as a Collector takes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
import yaml

import tracelab as tl
from tracelab.sampling import TailPolicies, presets, sample_tail, tail_policies
from tracelab.synthetic import draw, generate

SPANS = draw("""
api  ====

api  ====!

api  ==================
""")


def kept(policies: TailPolicies) -> list[int]:
    lengths = sample_tail(SPANS, policies)["duration"].dt.total_milliseconds()
    return sorted(lengths)


def test_development_keeps_everything() -> None:
    assert kept(presets.development()) == [4, 4, 18]


def test_production_keeps_errors_and_the_share_that_is_asked_for() -> None:
    assert kept(presets.production(ratio=0)) == [4]
    assert kept(presets.production(ratio=1)) == [4, 4, 18]
    many = generate(20_000, spans_per_trace=2)
    ids = sample_tail(many, presets.production(ratio=0.1))
    assert ids.filter(sampling_policy="share-of-the-rest")["trace_id"].n_unique() == pytest.approx(
        0.1 * many["trace_id"].n_unique(), rel=0.1
    )


@pytest.mark.parametrize("slow", ["10ms", timedelta(milliseconds=10)])
def test_everyday_keeps_errors_and_what_is_longer_than_it_is_told(slow: Any) -> None:
    assert kept(presets.everyday(slow, ratio=0)) == [4, 18]


def test_what_is_slow_only_after_the_usual_wait_is_waited_for() -> None:
    spans = draw("api ==========\n  db .==\n\napi ====\n  db .==").with_columns(pl.col("duration") * 10_000)
    policies = presets.everyday("50s", ratio=0)
    assert policies.decision_wait == 100e9
    assert set(sample_tail(spans, policies)["trace_id"]) == {spans["trace_id"][0]}


def test_everyday_learns_from_spans_what_is_slow() -> None:
    many = generate(20_000, spans_per_trace=20)
    (slow,) = [policy for policy in presets.everyday(many).policies if policy.name == "slow"]
    ends = many.group_by("trace_id").agg(
        length=(pl.col("start_time") + pl.col("duration")).max() - pl.col("start_time").min()
    )
    threshold = ends["length"].dt.total_nanoseconds().quantile(0.95)
    assert threshold is not None
    assert vars(slow)["threshold_ms"] == int(threshold) // 1_000_000


@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan"), "10 %", None])
def test_a_share_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(tl.TracelabError, match="`ratio` must lie between 0 and 1"):
        presets.production(ratio=wrong)


def test_what_is_slow_is_not_guessed_from_nothing() -> None:
    with pytest.raises(tl.TracelabError, match="no spans to tell"):
        presets.everyday(SPANS.clear())
    with pytest.raises(tl.SchemaError):
        presets.everyday(pl.DataFrame({"a": [1]}))


@pytest.mark.parametrize("policies", [presets.development(), presets.production(), presets.everyday("800ms")])
def test_what_is_shown_is_yaml_that_makes_the_same_policies(policies: TailPolicies) -> None:
    text = str(policies)
    assert yaml.safe_load(text)["processors"]["tail_sampling"]["decision_wait"] == "30s"
    assert str(tail_policies(text)) == text
    assert policies._repr_markdown_() == f"```yaml\n{text}```"


def test_a_policy_names_its_parts_in_one_line() -> None:
    assert repr(presets.production()) == "TailPolicies(errors, share-of-the-rest; as Collector 0.165 decides)"


def test_yaml_quotes_what_a_collector_would_take_for_something_else() -> None:
    values = ["0o10", "yes", "1_000", "~", "a: b", "${x", "a$b", "#", "Ü", "```", "2026-11-28", ""]
    policy = {"name": "010", "type": "string_attribute", "string_attribute": {"key": "on", "values": values}}
    read = tail_policies([policy])
    again = tail_policies(str(read))
    (first,), (second,) = read.policies, again.policies
    assert (second.name, vars(second)["key"], vars(second)["values"]) == ("010", "on", tuple(values))
    assert vars(first)["values"] == tuple(values)
    assert read._repr_markdown_().startswith("````yaml\n")


def test_a_quantile_is_one_also_where_a_length_is_given() -> None:
    with pytest.raises(tl.TracelabError, match="`quantile` must lie between 0 and 1"):
        presets.everyday("1s", quantile=95)


@pytest.mark.parametrize("wrong", [None, 5, float("nan"), ""])
def test_what_is_slow_is_a_length_of_time(wrong: Any) -> None:
    with pytest.raises(tl.TracelabError, match="`slow`"):
        presets.everyday(wrong)

"""Rules files: what they say, and what Refinery refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tracelab.errors import PolicyError, QueryWarning
from tracelab.sampling.refinery import samplers as s
from tracelab.sampling.refinery.rules import refinery_rules

SECOND = 1_000_000_000
EVERY_SAMPLER = """
RulesVersion: 2
Samplers:
  __default__:
    DeterministicSampler: {SampleRate: 10}
  average:
    DynamicSampler: {SampleRate: 2, ClearFrequency: 1m0s, FieldList: [b, a], UseTraceLength: true, MaxKeys: 7}
  moving:
    EMADynamicSampler:
      GoalSampleRate: 5
      AdjustmentInterval: 20s
      Weight: 0.25
      BurstMultiple: -1
      BurstDetectionDelay: 5
      FieldList: [a]
  flow:
    EMAThroughputSampler: {GoalThroughputPerSec: 100, FieldList: [a]}
  window:
    WindowedThroughputSampler: {GoalThroughputPerSec: 9, UpdateFrequency: 2s, LookbackFrequency: 5s, FieldList: [a]}
  total:
    TotalThroughputSampler: {GoalThroughputPerSec: 9, FieldList: [a]}
  rules:
    RulesBasedSampler:
      CheckNestedFields: true
      Rules:
        - Name: drop health
          Drop: true
          Scope: span
          Conditions:
            - {Field: root.http.route, Operator: =, Value: /health}
            - {Fields: [a, b], Operator: '>=', Value: 500, Datatype: int}
        - SampleRate: 3
          Conditions: [{Field: '?.NUM_DESCENDANTS', Operator: '>', Value: 100}]
        - Name: the rest
          Sampler: {EMADynamicSampler: {GoalSampleRate: 15, FieldList: [x]}}
"""


def sampler_of(environment: str) -> s.Sampler:
    return refinery_rules(EVERY_SAMPLER, environment=environment).sampler


def test_every_sampler_is_read_with_its_defaults() -> None:
    assert refinery_rules(EVERY_SAMPLER).sampler == s.Deterministic(10)
    assert sampler_of("average") == s.Average(s.Key(("b", "a"), trace_length=True, most=7), 2, 60 * SECOND)
    assert sampler_of("moving") == s.MovingAverage(
        s.Key(("a",)), 20 * SECOND, 5, 5, None, weight=0.25, age_out=0.25, burst_multiple=-1.0, burst_delay=5
    )
    assert sampler_of("flow") == s.MovingAverage(
        s.Key(("a",)), 15 * SECOND, 10, None, 100, weight=0.5, age_out=0.5, burst_multiple=2.0, burst_delay=3
    )
    assert sampler_of("window") == s.Windowed(s.Key(("a",)), 9, 2 * SECOND, 4 * SECOND)
    assert sampler_of("total") == s.Throughput(s.Key(("a",)), 9, 30 * SECOND)


def test_rules_are_read() -> None:
    sampler = sampler_of("rules")
    assert isinstance(sampler, s.RulesBased)
    first, second, third = sampler.rules
    assert sampler.nested
    assert (first.name, first.drop, first.scope) == ("drop health", True, "span")
    assert first.conditions == (
        s.Condition(("root.http.route",), "=", "/health", None),
        s.Condition(("a", "b"), ">=", 500, "int"),
    )
    assert (second.name, second.rate, second.conditions[0].is_computed) == ("rule 2", 3, True)
    assert isinstance(third.sampler, s.MovingAverage)
    assert third.conditions == ()


def test_an_environment_must_be_there() -> None:
    assert refinery_rules(EVERY_SAMPLER, environment="total").environment == "total"
    with pytest.raises(PolicyError, match=r"There is no sampler for 'totals'\. Did you mean 'total'"):
        refinery_rules(EVERY_SAMPLER, environment="totals")
    with pytest.raises(PolicyError, match="`environment` must be one of"):
        refinery_rules(EVERY_SAMPLER, environment=3)  # type: ignore[arg-type]


def test_the_one_meant_for_an_environment_is_the_first_in_the_order_of_refinery() -> None:
    both = {"DynamicSampler": {"SampleRate": 2, "FieldList": ["a"]}, "RulesBasedSampler": {"Rules": []}}
    rules = refinery_rules({"RulesVersion": 2, "Samplers": {"__default__": both}})
    assert rules.sampler == s.RulesBased(())


RULE = """RulesVersion: 2
Samplers:
  __default__:
    RulesBasedSampler:
      Rules:
        - Name: first
          {}
"""
SAMPLER = """RulesVersion: 2
Samplers:
  __default__:
    {}
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("RulesVersion: 3\nSamplers: {}\n", "line 1, RulesVersion: must be 2, and is 3"),
        ("RulesVersion: '2'\nSamplers: {}\n", "must be 2, and is '2'"),
        ("Samplers: {__default__: {}}\n", "RulesVersion: must be 2, and is nothing"),
        ("RulesVersion: 2\n", "Samplers: must be a mapping"),
        ("RulesVersion: 2\nSamplers: [a]\n", "line 2, Samplers: must be a mapping"),
        ("RulesVersion: 2\nSamplers: {a: {DeterministicSampler: {SampleRate: 1}}}\n", "there must be a '__default__'"),
        ("RulesVersion: 2\nSampler: {}\n", "line 2, Sampler: Refinery knows no such key. Did you mean 'Samplers'"),
        ("- a\n", "is a mapping with `RulesVersion: 2`"),
        ("# nothing\n", "is a mapping with `RulesVersion: 2`"),
        (SAMPLER.format("{}"), "has no sampler. Known are DeterministicSampler"),
        (SAMPLER.format("DeterministicSampler"), "line 3, Samplers.__default__: must be a mapping"),
        (SAMPLER.format("Deterministicsampler: {SampleRate: 1}"), "line 4, .*Did you mean 'DeterministicSampler'"),
        (SAMPLER.format("DeterministicSampler: {}"), "needs `SampleRate`"),
        (SAMPLER.format("DeterministicSampler: {SampleRate: 0}"), "must not be 0"),
        (SAMPLER.format("DeterministicSampler: {SampleRate: '5'}"), "must be a whole number, and is '5'"),
        (SAMPLER.format("DeterministicSampler: {SampleRate: true}"), "must be a whole number, and is True"),
        (SAMPLER.format("DeterministicSampler: {SampleRate: 1e3}"), "must be a whole number, and is 1000.0"),
        (SAMPLER.format("DeterministicSampler: {SampleRate: }"), "must be a whole number, and is nothing"),
        (SAMPLER.format("DeterministicSampler: {SampleRate: 99999999999999999999}"), "must be a whole number"),
        (SAMPLER.format("DeterministicSampler: {SampleRate: 9999999999999999999}"), "must fit 64 bits"),
        (SAMPLER.format("DynamicSampler: {SampleRate: 5}"), "needs `FieldList`"),
        (SAMPLER.format("DynamicSampler: {SampleRate: 5, FieldList: a}"), "must be a list of texts, and is 'a'"),
        (SAMPLER.format("DynamicSampler: {SampleRate: 5, FieldList: [a, 1]}"), "must be a list of texts"),
        (SAMPLER.format("DynamicSampler: {SampleRate: -5, FieldList: [a]}"), "is -5. Refinery stops"),
        (SAMPLER.format("DynamicSampler: {SampleRate: 5, FieldList: [a], ClearFrequency: 30}"), "must be a duration"),
        (SAMPLER.format("DynamicSampler: {SampleRate: 5, FieldList: [a], ClearFrequency: -1s}"), "must be 0 or more"),
        (SAMPLER.format("EMADynamicSampler: {GoalSampleRate: 5, FieldList: [a], Weight: 1.5}"), "must be from 0 to 1"),
        (SAMPLER.format("EMADynamicSampler: {GoalSampleRate: 5, FieldList: [a], Weight: .nan}"), "must be from 0 to 1"),
        (SAMPLER.format("EMAThroughputSampler: {GoalThroughputPerSec: 0, FieldList: [a]}"), "must be 1 or more"),
        (
            SAMPLER.format("EMAThroughputSampler: {GoalThroughputPerSec: 5, FieldList: [a], AdjustmentInterval: 1us}"),
            "must be a millisecond or more",
        ),
        (SAMPLER.format("RulesBasedSampler: {Rules: {a: 1}}"), "must be a list of mappings"),
        (RULE.format("Drop: yes"), "line 7, .*Rules.0..Drop: must be true or false, and is 'yes'"),
        (RULE.format("Scope: spans"), "'spans' is none of its values. Did you mean 'span'"),
        (RULE.format("sampleRate: 1"), "Did you mean 'SampleRate'"),
        (RULE.format("Conditions: {Field: a, Operator: exists}"), "must be a list of mappings, each after a `-`"),
        (RULE.format("Conditions: [a]"), r"Conditions\[0\]: must be a mapping"),
        (RULE.format("Conditions: [{Field: a}]"), "needs an `Operator`"),
        (RULE.format("Conditions: [{Field: a, Operator: '=='}]"), "'==' is none of its values. Did you mean '='"),
        (RULE.format("Conditions: [{Field: a, Operator: In, Value: b}]"), "Did you mean 'in'"),
        (RULE.format("Conditions: [{Field: a, Fields: [b], Operator: exists}]"), "both `Field` and `Fields`"),
        (RULE.format("Conditions: [{Field: a, Operator: =, Value: {b: 1}}]"), "must be text, a number"),
        (RULE.format("Conditions: [{Field: a, Operator: =, Value: }]"), "and is nothing"),
        (RULE.format("Conditions: [{Field: a, Operator: =, Value: 1, Datatype: integer}]"), "none of its values"),
        (RULE.format("Conditions: [{Field: '?.NUM_DESCENDENTS', Operator: exists}]"), "Did you mean"),
        (RULE.format("Conditions: [{Fields: ['?.NUM_DESCENDANTS', a], Operator: exists}]"), "It stands alone"),
        (RULE.format("Sampler: {RulesBasedSampler: {Rules: []}}"), "knows no such key here"),
        (RULE.format("Sampler: {}"), "names no sampler"),
        (RULE.format("Sampler: {EMADynamicSampler: {FieldList: [a]}}"), "needs `GoalSampleRate`"),
    ],
)  # fmt: skip
def test_what_refinery_refuses_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        refinery_rules(text)


def test_what_any_environment_has_wrong_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"line 10, Samplers\.moving\.EMADynamicSampler\.GoalSampleRate"):
        refinery_rules(EVERY_SAMPLER.replace("GoalSampleRate: 5", "GoalSampleRate: five"), environment="total")


@pytest.mark.parametrize(
    "text",
    [
        'Sampler = "DeterministicSampler"\nSampleRate = 1\n',
        '[env1]\nSampler = "DynamicSampler"\nFieldList = ["a"]\n\n[[env1.rule]]\nname = "x"\n',
        "Sampler: DeterministicSampler\nSampleRate: 1\n",
    ],
)
def test_rules_of_version_1_are_told_apart(text: str) -> None:
    with pytest.raises(PolicyError, match=r"version 1 .*convert rules"):
        refinery_rules(text)


def test_version_2_may_be_written_in_toml() -> None:
    rules = refinery_rules("RulesVersion = 2\n[Samplers.__default__.DeterministicSampler]\nSampleRate = 4\n")
    assert rules.sampler == s.Deterministic(4)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("{Field: a, Operator: =, Value: x, Datatype: int}", "ignores `Datatype: int`"),
        ("{Field: a, Operator: '>', Value: true, Datatype: bool}", "ignores `Datatype: bool`"),
        ("{Field: a, Operator: =, Value: [x]}", "no field equals a list"),
        ("{Field: a, Operator: in, Value: [x, 1], Datatype: int}", "leaves out 'x'"),
        ("{Field: a, Operator: in, Value: true}", "takes no booleans"),
        ("{Field: a, Operator: matches, Value: '('}", "is no regular expression"),
    ],
)
def test_what_refinery_takes_but_does_not_do_is_told(condition: str, words: str) -> None:
    with pytest.warns(QueryWarning, match=words):
        refinery_rules(RULE.format(f"Conditions: [{condition}]"))


@pytest.mark.parametrize(
    "rules",
    [
        None, 5, [], b"RulesVersion: 2", {"RulesVersion": 2, "Samplers": {"__default__": {"DeterministicSampler": 3}}},
        {1: 2}, {"RulesVersion": 2, "Samplers": {"__default__": {"RulesBasedSampler": {"Rules": [[]]}}}},
        {"RulesVersion": True, "Samplers": {}}, {"RulesVersion": 2, "Samplers": {"__default__": object()}},
    ],
)  # fmt: skip
def test_what_is_no_rules_file_at_all_is_refused(rules: Any) -> None:
    with pytest.raises(PolicyError):
        refinery_rules(rules)

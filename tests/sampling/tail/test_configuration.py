"""Configurations of tail sampling, and what the Collector refuses of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tracelab.errors import PolicyError, QueryWarning, SourceError
from tracelab.sampling import tail_policies
from tracelab.sampling.tail.policies import And, Composite, Latency, NumericAttribute, Probabilistic, RateLimiting
from tracelab.sampling.tail.versions import KEYS, RULES, TYPES, parse_version, rule_holds

if TYPE_CHECKING:
    from pathlib import Path

COLLECTOR = """
receivers: {otlp: {}}
processors:
  batch:
  tail_sampling:
    decision_wait: 1m30s
    num_traces: 100
    policies:
      - name: slow checkouts
        type: and
        and:
          and_sub_policy:
            - {name: slow, type: latency, latency: {threshold_ms: 500}}
            - name: checkout
              type: string_attribute
              string_attribute: {key: http.route, values: ["/checkout"]}
      - {name: rest, type: probabilistic, probabilistic: {sampling_percentage: 10}}
"""


def refusal(source: Any, version: str = "0.165") -> str:
    with pytest.raises(PolicyError) as caught:
        tail_policies(source, collector_version=version)
    return str(caught.value)


def settings(kind: str, values: str, version: str = "0.165") -> str:
    return refusal(f"policies:\n  - name: it\n    type: {kind}\n    {kind}: {values}\n", version)


def test_a_whole_configuration_is_read() -> None:
    policies = tail_policies(COLLECTOR)
    both, rest = policies.policies
    assert policies.decision_wait == 90_000_000_000
    assert policies.num_traces == 100
    assert isinstance(both, And)
    assert [type(sub).__name__ for sub in both.policies] == ["Latency", "StringAttribute"]
    assert isinstance(rest, Probabilistic)
    assert rest.hash_salt == "default-hash-seed"


def test_a_file_a_block_a_list_and_a_mapping_are_read_alike(tmp_path: Path) -> None:
    rule = {"name": "a", "type": "latency", "latency": {"threshold_ms": 5}}
    block = "policies: [{name: a, type: latency, latency: {threshold_ms: 5}}]"
    path = tmp_path / "policies.yaml"
    path.write_text(f"tail_sampling:\n  {block}\n")
    found = [
        tail_policies(source).policies[0]
        for source in (path, str(path), block, f"tail_sampling/b: {{{block}}}", [rule], {"policies": [rule]})
    ]
    assert {(each.name, each.threshold_ms) for each in found if isinstance(each, Latency)} == {("a", 5)}
    assert len(found) == 6


def test_one_of_several_processors_is_named() -> None:
    source = "processors:\n  tail_sampling/a: {policies: []}\n  tail_sampling/b: {num_traces: 7, policies: []}\n"
    assert "'tail_sampling/a', 'tail_sampling/b'" in refusal(source)
    assert tail_policies(source, processor="tail_sampling/b").num_traces == 7
    with pytest.raises(PolicyError, match="Did you mean 'tail_sampling/"):
        tail_policies(source, processor="tail_sampling/c")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "policies:\n  - {name: a, type: latncy}\n",
            "line 2, policies[0].type: there is no policy type 'latncy'. Did you",
        ),
        (
            "policies:\n  - {name: a, type: always_sample}\n  - {name: a, type: always_sample}",
            "policies[1].name: 'a' is",
        ),
        ("policies:\n  - {type: always_sample}\n", "policies[0].name: a policy has a name"),
        ("policies:\n  - {name: 5, type: always_sample}\n", "a text stands here, got a whole number (5). Put it into"),
        ("policies: {name: a}\n", "policies: a list stands here, got a mapping"),
        ("policies: [a]\n", "policies[0]: a mapping stands here, got a text ('a')"),
        ("decision_wait: 3x\npolicies: []\n", "line 1, decision_wait: a length of time such as 30s"),
        ("num_traces: -1\npolicies: []\n", "a whole number from 0 to"),
        ("num_trace: 1\npolicies: []\n", "Did you mean 'num_traces'?"),
        ("num_shards: 257\npolicies: []\n", "256 at most"),
        ("sampling_strategy: span_ingest\npolicies: []\n", "Did you mean 'span-ingest'?"),
        ("processors: {tail_samplin: {}}\n", "there is no `tail_sampling` here"),
        ("policies:\n  - {name: a, type: and, and: {and_sub_policy: [{name: b, type: drop}]}}\n", "drop cannot stand"),
        ("policies:\n  - {name: a, type: '${env:TYPE}'}\n", "policies[0].type: '${env:TYPE}' is filled in where"),
    ],
)
def test_what_the_collector_refuses_is_refused_with_its_place(source: str, words: str) -> None:
    assert words in refusal(source)


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (
            "latency",
            "{threshold_ms: fast}",
            "line 4, policies[0].latency.threshold_ms: a whole number stands here, got a",
        ),
        ("latency", "{threshold: 5}", "Did you mean 'threshold_ms'"),
        ("status_code", "{status_codes: [error]}", "Did you mean 'ERROR'?"),
        ("status_code", "{status_codes: []}", "at least one of OK, ERROR, UNSET"),
        ("string_attribute", "{key: a, values: ['(']  , enabled_regex_matching: true}", "values[0]: '(' is no regular"),
        ("string_attribute", "{key: a, values: [1]}", "string_attribute.values[0]: a text stands here"),
        ("boolean_attribute", "{key: a, value: yes}", "true or false stands here, got a text ('yes')"),
        ("numeric_attribute", "{key: a}", "one of min_value and max_value is needed"),
        ("probabilistic", "{sampling_percentage: '10'}", "a number stands here, got a text"),
        ("probabilistic", "{sampling_percentage: .nan}", "a number stands here"),
        ("span_count", "{min_spans: 3000000000}", "a whole number from -2147483648 to 2147483647"),
        ("ottl_condition", "{error_mode: ignore}", "a condition is needed"),
        ("ottl_condition", "{error_mode: ignor, span: ['true']}", "Did you mean 'ignore'?"),
    ],
)
def test_settings_that_are_none_are_refused_with_their_place(kind: str, values: str, words: str) -> None:
    assert words in settings(kind, values)


@pytest.mark.parametrize(
    ("kind", "version", "words"),
    [
        ("not", "0.144", "0.144 has no policy type not: it is there since 0.145"),
        ("trace_flags", "0.100", "since 0.145"),
        ("bytes_limiting", "0.140", "since 0.141"),
        ("drop", "0.120", "since 0.128 at the latest, not in 0.121"),
    ],
)
def test_a_type_of_another_version_says_which_has_it(kind: str, version: str, words: str) -> None:
    assert words in refusal([{"name": "a", "type": kind}], version)


def test_a_key_of_another_version_says_which_has_it() -> None:
    assert "since 0.153" in settings("rate_limiting", "{spans_per_second: 5, burst_capacity: 9}", "0.152")
    assert "since 0.159" in refusal("num_shards: 2\npolicies: []\n", "0.158")
    no_flags = "{name: b, type: not, not: {not_sub_policy: {type: trace_flags}}}"
    inside = f"policies: [{{name: a, type: and, and: {{and_sub_policy: [{no_flags}]}}}}]"
    assert tail_policies(inside, collector_version="0.154").policies
    with pytest.warns(QueryWarning, match="settings of an extension"):
        assert "not cannot stand inside this policy in 0.153" in refusal(inside, "0.153")


def test_unknown_keys_of_a_policy_are_settings_of_extensions_where_the_collector_takes_them() -> None:
    source = "policies: [{name: a, type: latency, latncy: {threshold_ms: 5}}]"
    with pytest.warns(QueryWarning, match="Did you mean 'latency'"):
        tail_policies(source)
    assert "Did you mean 'latency'?" in refusal(source, "0.130")
    assert "there is no such key" in refusal("policies: [{name: a, type: latency, latncy: 5}]")


@pytest.mark.parametrize("version", ["0.99", "0.166", "1.0", "latest", None, 0.161])
def test_versions_whose_rules_are_not_known_are_refused(version: Any) -> None:
    with pytest.raises(PolicyError, match="collector_version"):
        tail_policies([], collector_version=version)


def test_values_are_read_as_the_collector_reads_them() -> None:
    (policy,) = tail_policies("policies: [{name: a, type: latency, latency: {threshold_ms: 10.9}}]").policies
    assert isinstance(policy, Latency)
    assert policy.threshold_ms == 10
    text = "policies: [{name: $$a, type: string_attribute, string_attribute: {key: k, values: 'x,y'}}]"
    (policy,) = tail_policies(text).policies
    assert (policy.name, policy.values) == ("$a", ("x", "y"))  # type: ignore[union-attr]
    assert tail_policies("decision_wait: 5\npolicies: []\n").decision_wait == 5


def test_bounds_of_zero_are_none_since_numbers_may_be_open() -> None:
    rule = "policies: [{name: a, type: numeric_attribute, numeric_attribute: {key: k, min_value: 5}}]"
    bounds = []
    for version in ("0.100", "0.120", "0.130", "0.132"):
        (policy,) = tail_policies(rule, collector_version=version).policies
        assert isinstance(policy, NumericAttribute)
        bounds.append((policy.min_value, policy.max_value))
    assert bounds == [(5, 0), (5, 0), (5, 0), (5, None)]


def test_a_single_bound_of_zero_is_one_before_numbers_may_be_open() -> None:
    rule = "policies: [{name: a, type: numeric_attribute, numeric_attribute: {key: k, min_value: 0}}]"
    (policy,) = tail_policies(rule, collector_version="0.130").policies
    assert isinstance(policy, NumericAttribute)
    assert (policy.min_value, policy.max_value) == (0, 0)
    with pytest.raises(PolicyError, match="one of min_value and max_value is needed"):
        tail_policies(rule, collector_version="0.132")


def test_what_is_filled_in_outside_of_the_processor_is_no_matter() -> None:
    text = """
exporters:
  otlp: {endpoint: "${env:HOST}:4317", headers: {api-key: "${KEY}"}}
processors:
  batch: {timeout: "${env:TIMEOUT:-1s}"}
  tail_sampling/other:
    policies: [{name: b, type: latency, latency: {threshold_ms: "${env:SLOW}"}}]
  tail_sampling:
    policies: [{name: a, type: always_sample}]
"""
    assert [policy.name for policy in tail_policies(text, processor="tail_sampling").policies] == ["a"]
    with pytest.raises(PolicyError, match=r"line 7, processors.tail_sampling/other.policies\[0\].latency.threshold_ms"):
        tail_policies(text, processor="tail_sampling/other")
    with pytest.raises(PolicyError, match=r"line 1, processors: '\$\{file:p.yaml\}' is filled in where"):
        tail_policies("processors: ${file:p.yaml}\n")


@pytest.mark.parametrize(
    ("context", "condition", "last", "first", "words"),
    [
        (
            "span",
            'HasPrefix(name, "x")',
            "0.125",
            "0.130",
            "0.125 has no converter `HasPrefix`: it is there since",
        ),
        ("span", "flags == 1", "0.142", "0.147", "has no path `flags`: it is there since 0.147 at the latest"),
        ("span", 'span.name == "x"', "0.120", "0.130", "no paths that begin with `span.`"),
        ("span", 'scope.name == "x"', "0.120", "0.130", "no paths that begin with `scope.`"),
        ("spanevent", 'spanevent.name == "x"', "0.120", "0.130", "no paths that begin with `spanevent.`"),
        ("spanevent", "event_index == 1", "0.120", "0.130", "no path `event_index`"),
        (
            "span",
            "IsMatch(name, status.message)",
            "0.135",
            "0.140",
            "no `pattern` of `IsMatch` that is not written",
        ),
        ("span", 'span_id == SpanID("0000000000000001")', "0.140", "0.142", "`SpanID` that is not written out"),
        ("span", 'Concat(attributes["a"], "") == "x"', "0.157", "0.161", "no `vals` of `Concat` that is not written"),
        ("span", 'Substring(name, 0, 1, true) == "x"', "0.152", "0.157", "no `utf8_safe` of `Substring`"),
        ("span", 'SliceToMap(attributes["a"]) != nil', "0.130", "0.135", "no `SliceToMap` without its `key_path`"),
        ("span", "attributes[name] != nil", "0.115", "0.120", "no keys in brackets that are not written out"),
        ("span", '-attributes["a"] < 2', "0.142", "0.147", "no sign before what is no number"),
        ("span", '{"a": 1} == attributes', "0.105", "0.110", "no maps that are written out"),
    ],
)
def test_what_the_ottl_of_a_version_does_not_have_is_refused(
    context: str, condition: str, last: str, first: str, words: str
) -> None:
    rules = [{"name": "a", "type": "ottl_condition", "ottl_condition": {context: ["name == nil", condition]}}]
    tail_policies(rules, collector_version=first)
    with pytest.raises(PolicyError, match=re.escape(words)) as caught:
        tail_policies(rules, collector_version=last)
    assert f"ottl_condition.{context}[1]: " in str(caught.value)


def test_events_always_knew_their_spans() -> None:
    conditions = {"spanevent": ['span.name == "x"'], "span": ['IsMatch(name, "x") and -1 < 2']}
    rules = [{"name": "a", "type": "ottl_condition", "ottl_condition": conditions}]
    assert tail_policies(rules, collector_version="0.110").policies


def test_json_may_be_indented_by_tabs() -> None:
    rules = '[{"name": "a\\tb", "type": "always_sample"}]'
    text = f'{{\n\t"tail_sampling": {{\n\t\t"policies":\t{rules},\n\t\t"num_trace": 1}}}}'
    with pytest.raises(PolicyError, match=r"line 4, tail_sampling\.num_trace: "):
        tail_policies(text)
    assert [policy.name for policy in tail_policies(text.replace("num_trace", "num_traces")).policies] == ["a\tb"]


def test_rules_of_refinery_are_told_from_a_configuration() -> None:
    with pytest.raises(PolicyError, match="these are rules of Refinery, which refinery_rules reads"):
        tail_policies("RulesVersion: 2\nSamplers: {__default__: {DeterministicSampler: {SampleRate: 2}}}\n")


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_is_called_empty(text: str) -> None:
    with pytest.raises(PolicyError, match="and is an empty text"):
        tail_policies(text)


def test_budgets_have_twice_their_rate_at_first() -> None:
    (policy,) = tail_policies(
        [{"name": "a", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 7}}]
    ).policies
    assert isinstance(policy, RateLimiting)
    huge = {"name": "a", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 2**63 - 1}}
    (round_about,) = tail_policies([huge]).policies
    assert isinstance(round_about, RateLimiting)
    assert round_about.burst_capacity == -2
    assert policy.burst_capacity == 14


def test_shares_of_a_composite_are_those_of_its_version() -> None:
    rule = {
        "name": "c",
        "type": "composite",
        "composite": {
            "max_total_spans_per_second": 100,
            "composite_sub_policy": [{"name": name, "type": "always_sample"} for name in "abc"],
            "rate_allocation": [{"policy": "a", "percent": 50}, {"policy": "b", "percent": 0}],
        },
    }
    shares = []
    for version in ("0.158", "0.159"):
        (policy,) = tail_policies([rule], collector_version=version).policies
        assert isinstance(policy, Composite)
        shares.append(policy.allocated)
    assert shares == [(50, 33, 0), (50, 33, 33)]


def test_a_condition_that_is_none_is_refused_with_its_place() -> None:
    text = settings("ottl_condition", "{span: ['true', 'atributes[\"x\"] == 1']}")
    assert text.startswith("line 4, policies[0].ottl_condition.span[1]: ")
    assert "Did you mean" in text


def test_span_ingest_takes_no_policy_that_may_change_its_mind() -> None:
    block = "sampling_strategy: span-ingest\npolicies: [{name: a, type: rate_limiting}]\n"
    assert "takes no policy whose answer may change: a limit" in refusal(block)


def test_a_path_that_leads_nowhere_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        tail_policies(tmp_path / "none.yaml")
    for nothing in (None, 5, ""):
        with pytest.raises(PolicyError):
            tail_policies(nothing)


def test_what_nobody_looked_at_is_taken_to_be_there() -> None:
    assert [rule_holds("free_keys", (0, minor)) for minor in (136, 137, 139)] == [False, True, True]
    assert {
        since.version > since.after for since in [*filter(None, TYPES.values()), *KEYS.values(), *RULES.values()]
    } == {True}
    assert parse_version("v0.161.0") == (0, 161)

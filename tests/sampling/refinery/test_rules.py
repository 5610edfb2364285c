"""Rules put to spans: who decides, with which probability, and what is written down about it."""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from tracelab.sampling.refinery.draws import chosen, drawn
from tracelab.sampling.refinery.fields import Events
from tracelab.sampling.refinery.keys import trace_keys
from tracelab.sampling.refinery.rules import NO_RULE, RefineryRules, refinery_rules
from tracelab.sampling.refinery.samplers import Key
from tracelab.sampling.refinery.traces import Traces
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from tests.sampling.refinery.conftest import Ask

SPANS = generate(20_000, spans_per_trace=10, seed=3)
RULES = """
RulesVersion: 2
Samplers:
  __default__:
    RulesBasedSampler:
      Rules:
        - {Name: errors, SampleRate: 1, Conditions: [{Field: error, Operator: exists}]}
        - {Name: slow, SampleRate: 2, Conditions: [{Field: duration_ms, Operator: '>', Value: 200, Datatype: float}]}
        - {Name: never, SampleRate: 1, Conditions: [{Field: no.such.field, Operator: exists}]}
        - {Name: forgotten, Conditions: [{Field: cart.value, Operator: '>', Value: 40, Datatype: float}]}
        - {Name: dropped, Drop: true, Conditions: [{Field: messaging.system, Operator: exists}]}
        - Name: by route
          Sampler: {EMADynamicSampler: {GoalSampleRate: 5, FieldList: [root.http.route, service.name]}}
"""


def only(sampler: dict[str, Any]) -> RefineryRules:
    return refinery_rules({"RulesVersion": 2, "Samplers": {"__default__": sampler}})


def rule(**options: Any) -> RefineryRules:
    return only({"RulesBasedSampler": {"Rules": [options]}})


def ids(count: int) -> pl.Series:
    return pl.Series([sha1(str(number).encode(), usedforsecurity=False).hexdigest()[:32] for number in range(count)])


def test_deterministic_sampling_is_as_refinerys_own_tests_have_it() -> None:
    texts = pl.Series(["abc123", "def456", "ghi789", "zyx987", "wvu654", "tsr321"])
    assert chosen(texts, 10).tolist() == [False, True, False, False, False, False]


def test_deterministic_sampling_is_refinerys_own(ask_refinery: Ask) -> None:
    texts, rates = ids(20_000), [1, 2, 3, 7, 10, 100, 1000, 2**31, 2**32 - 1]
    told = ask_refinery({"ids": texts.to_list(), "rates": rates})["kept"]
    for rate, real in zip(rates, told, strict=True):
        assert chosen(texts, rate).tolist() == real


def test_draws_keep_one_in_a_rate_and_fewer_at_a_higher_one() -> None:
    texts = ids(40_000)
    few, more, none = (drawn(texts, np.full(texts.len(), rate), 0) for rate in (10, 3, 0))
    assert abs(few.mean() - 0.1) < 0.006
    assert abs(more.mean() - 1 / 3) < 0.01
    assert not (few & ~more).any()
    assert not none.any()
    assert drawn(texts, np.ones(texts.len(), dtype=np.int64), 0).all()
    assert (drawn(texts, np.full(texts.len(), 3), 1) != more).any()
    assert abs(np.corrcoef(chosen(texts, 3), more)[0, 1]) < 0.02


def test_ids_whose_first_half_is_zeros_are_hashed_without_it() -> None:
    short = "00f798a1e7f33c8a"
    spans = draw("api ==").with_columns(trace_id=pl.lit("0" * 16 + short))
    for rate in range(2, 12):
        decision = only({"DeterministicSampler": {"SampleRate": rate}}).decisions(spans)["decision"][0]
        assert (decision == "sampled") == chosen(pl.Series([short]), rate)[0]


def test_the_first_rule_that_matches_decides() -> None:
    told = refinery_rules(RULES).decisions(SPANS)
    assert told["trace_id"].is_sorted()
    assert told["spans"].sum() == SPANS.height
    failing = SPANS.filter(pl.col("status_code") == "error")["trace_id"].unique()
    errors = told.filter(pl.col("trace_id").is_in(failing.implode()))
    assert set(errors.select("decision", "policy", "sampling_probability", "simulated").rows()) == {
        ("sampled", "errors", 1.0, False)
    }
    slow = told.filter(pl.col("policy") == "slow")
    assert slow["sampling_probability"].unique().to_list() == [0.5]
    assert slow["simulated"].all()
    dropped = told.filter(pl.col("policy") == "dropped")
    assert set(dropped.select("decision", "sampling_probability", "simulated").rows()) == {("dropped", 0.0, False)}
    routes = told.filter(pl.col("policy") == "by route")
    assert routes["simulated"].all()
    assert routes["sampling_probability"].n_unique() > 3


def test_a_rule_without_a_rate_keeps_nothing() -> None:
    row = rule(Name="forgotten").decisions(draw("api ==")).row(0, named=True)
    assert (row["decision"], row["sampling_probability"], row["simulated"]) == ("not_sampled", 0.0, False)
    assert rule(Name="x", SampleRate=-3).decisions(draw("api =="))["decision"][0] == "not_sampled"


def test_a_trace_that_no_rule_matches_is_kept() -> None:
    asked = rule(Name="x", SampleRate=5, Conditions=[{"Field": "nothing", "Operator": "exists"}])
    row = asked.decisions(draw("api ==")).row(0, named=True)
    assert (row["decision"], row["policy"], row["sampling_probability"]) == ("sampled", None, 1.0)
    assert row["evaluations"] == [
        {"policy": "x", "type": "SampleRate", "decision": "not_matched", "reason": None},
        {"policy": None, "type": None, "decision": "sampled", "reason": NO_RULE},
    ]


def test_evaluations_end_with_the_rule_that_decided() -> None:
    for row in refinery_rules(RULES).decisions(SPANS).sample(50, seed=1).iter_rows(named=True):
        *before, last = row["evaluations"]
        assert (last["policy"], last["decision"]) == (row["policy"], row["decision"])
        assert {each["decision"] for each in before} <= {"not_matched"}


def test_sampled_spans_are_those_of_kept_traces_with_their_weights() -> None:
    rules = refinery_rules(RULES)
    told, kept = rules.decisions(SPANS), rules.sampled(SPANS)
    assert kept.columns == [*SPANS.columns, "sampling_policy", "sampling_weight"]
    expected = SPANS.join(told.filter(pl.col("spans_kept") > 0), on="trace_id", how="semi", maintain_order="left")
    assert kept.select(SPANS.columns).equals(expected)
    joined = kept.join(told, on="trace_id", how="left")
    assert (joined["sampling_weight"] * joined["sampling_probability"]).is_close(1.0).all()
    assert joined["sampling_policy"].equals(joined["policy"].alias("sampling_policy"), null_equal=True)


def test_weights_of_kept_traces_sum_to_the_number_of_all() -> None:
    told = rule(Name="x", SampleRate=4).decisions(generate(40_000, spans_per_trace=2))
    kept = told.filter(pl.col("decision") == "sampled")
    error = np.sqrt(12.0 * kept.height)
    assert abs((1 / kept["sampling_probability"]).sum() - told.height) < 4 * error


def test_matches_are_counted_rule_by_rule() -> None:
    rules = refinery_rules(RULES)
    told, found = rules.decisions(SPANS), rules.matches(SPANS)
    assert found["policy"].to_list() == ["errors", "slow", "never", "forgotten", "dropped", "by route"]
    assert found["type"].to_list()[3:] == ["SampleRate", "Drop", "EMADynamicSampler"]
    assert found["never_matched"].to_list() == [False, False, True, False, False, False]
    assert found["matched"][5] == found["traces"][0] == told.height
    assert found["matched_spans"][5] == SPANS.height
    decided = [told.filter(pl.col("policy") == name).height for name in found["policy"]]
    assert found["decided"].to_list() == decided
    assert (found["decided"] <= found["matched"]).all()
    assert (found["kept_alone"] <= found["decided"]).all()
    assert found["kept_alone"][0] > 0


def test_a_rule_keeps_alone_what_the_next_would_not_keep() -> None:
    conditions = [{"Field": "error", "Operator": "exists"}]
    rules = only(
        {
            "RulesBasedSampler": {
                "Rules": [
                    {"Name": "errors", "SampleRate": 1, "Conditions": conditions},
                    {"Name": "too", "SampleRate": 1, "Conditions": [{"Field": "n", "Operator": "exists"}]},
                    {"Name": "rest", "Drop": True},
                ]
            }
        }
    )
    spans = draw("""
        api ==!

        api ==! n=1

        api == n=1

        api ==
    """)
    assert rules.matches(spans).select("matched", "decided", "kept_alone").rows() == [(2, 2, 1), (2, 1, 1), (4, 1, 0)]


def test_keys_are_the_values_of_fields_in_order() -> None:
    spans = draw("""
        api       ===== b=2 a=x
          db      .===  a=y
          cache   .==   a=x
          queue   .==   a=""

        api       ==    c=1.5

        api::none
          db      ==    a=x
    """)
    events = Events(Traces(spans))
    traces = np.arange(events.traces.count)

    def keys(*fields: str, length: bool = False) -> list[str]:
        return trace_keys(events, Key(fields, trace_length=length), traces).to_list()

    assert keys("b", "a") == ["x•y•,2•,", "", "x•,"]
    assert keys("root.b", "a", length=True) == ["x•y•,2,4", "1", "x•,1"]
    assert keys("root.c", "root.b") == ["2,", "1.5,", ""]
    assert keys() == keys("nothing") == ["", "", ""]


def test_a_key_has_99_values_at_most() -> None:
    many = [{"time": None, "name": f"{number:03}", "attributes": None} for number in range(150)]
    spans = draw("api ==")
    spans = spans.with_columns(events=pl.Series([many], dtype=spans.schema["events"]))
    [key] = trace_keys(Events(Traces(spans)), Key(("name", "service.name")), np.array([0])).to_list()
    assert key.count("•") == 99


def test_a_dynamic_sampler_keeps_the_rare_and_thins_the_frequent() -> None:
    rules = only({"EMADynamicSampler": {"GoalSampleRate": 10, "AdjustmentInterval": "10s", "FieldList": ["kind"]}})
    base = draw("api ==").select(pl.all().gather(pl.lit(0).repeat_by(4000).explode()))
    ticks = pl.int_range(4000) * 25
    spans = base.with_columns(
        pl.int_range(4000).cast(pl.String).str.zfill(32).alias("trace_id"),
        start_time=pl.col("start_time") + pl.duration(milliseconds=ticks),
        **{"span.kind": pl.when(pl.int_range(4000) % 200 == 7).then(pl.lit("rare")).otherwise(pl.lit("usual"))},
    )
    told = rules.decisions(spans).with_columns(rare=pl.int_range(4000) % 200 == 7)
    later = told.slice(1000)
    assert later.filter("rare")["sampling_probability"].min() == 1.0
    usual = later.filter(~pl.col("rare"))["sampling_probability"].mean()
    assert isinstance(usual, float)
    assert 0.05 < usual < 0.15
    assert told.row(0, named=True)["sampling_probability"] == 0.1


WAITING = """
RulesVersion: 2
Samplers:
  __default__:
    RulesBasedSampler:
      Rules:
        - {Name: incomplete, Drop: true, Conditions: [{Operator: has-root-span, Value: false}]}
        - {Name: errors, SampleRate: 1, Conditions: [{Field: error, Operator: exists}]}
        - {Name: rest, Drop: true}
"""


def test_spans_that_come_after_the_decision_have_no_say() -> None:
    spans = draw("""
        api      ==========
          db     .====
          mail   .............!

        api      ==========
          db     .====!
    """)
    whole = refinery_rules(WAITING)
    assert whole.decisions(spans).select("policy", "simulated").rows() == [("errors", False), ("errors", False)]
    soon = refinery_rules(WAITING, trace_timeout="1s", send_delay="2ms")
    assert soon.decisions(spans).select("policy", "spans", "simulated").rows() == [
        ("rest", 3, True),
        ("errors", 2, False),
    ]
    later = refinery_rules(WAITING, trace_timeout="1s", send_delay="4ms")
    assert later.decisions(spans).equals(whole.decisions(spans))
    assert later.sampled(spans).height == 5


def test_a_root_that_comes_after_the_timeout_is_not_there() -> None:
    spans = draw("""
        api      ==========!
          db     .====
    """)
    # The first span ends after 5 ms, the root after 10.
    policies = [
        refinery_rules(WAITING, trace_timeout=timeout).decisions(spans)["policy"][0]
        for timeout in ("4ms", "5ms", "60s")
    ]
    assert policies == ["incomplete", "errors", "errors"]


@pytest.mark.parametrize(
    "options", [{"trace_timeout": "x"}, {"trace_timeout": 5}, {"trace_timeout": "1s", "send_delay": None}]
)
def test_waiting_is_a_length_of_time(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be a length of time|no duration"):
        refinery_rules(WAITING, **options)


def test_without_spans_there_are_no_decisions() -> None:
    rules, none = refinery_rules(RULES), SPANS.head(0)
    assert rules.decisions(none).height == rules.sampled(none).height == 0
    assert rules.decisions(none).schema == rules.decisions(SPANS).schema
    assert rules.sampled(none).schema == rules.sampled(SPANS).schema
    assert rules.matches(none)["never_matched"].all()
    assert rules.matches(none).schema == rules.matches(SPANS).schema


def test_any_frame_gives_the_same() -> None:
    rules = refinery_rules(RULES)
    spans = SPANS.filter(pl.col("trace_id") < "4")
    told, kept = rules.decisions(spans), rules.sampled(spans)
    coarse = spans.with_columns(
        pl.col("start_time").dt.cast_time_unit("us"), pl.col("duration").dt.cast_time_unit("us")
    )
    assert rules.decisions(spans.lazy()).equals(told)
    assert rules.sampled(spans.lazy()).equals(kept)
    # Of a microsecond there is a part that microseconds cannot hold: it decides on nothing here.
    assert (
        rules.decisions(coarse)
        .select("trace_id", "decision", "policy")
        .equals(told.select("trace_id", "decision", "policy"))
    )
    simple = spans.select("trace_id", "span_id", "parent_span_id", "name", "start_time", "duration", "status_code")
    assert rules.decisions(simple.to_pandas()).equals(rules.decisions(simple))


def test_the_order_of_rows_changes_no_decision() -> None:
    rules = refinery_rules(RULES)
    assert rules.decisions(SPANS.sample(fraction=1.0, shuffle=True, seed=5)).equals(rules.decisions(SPANS))


@pytest.mark.parametrize("seed", [-1, 1.5, "a", None, True])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ValueError, match="`seed` must be"):
        refinery_rules(RULES, seed=seed)

"""Laws of Refinery's rules: whatever a rules file says, it is refused in words or decides on every trace."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelab.errors import TracelabError
from tracelab.sampling.refinery.rules import refinery_rules
from tracelab.sampling.refinery.samplers import DATATYPES, OPERATORS
from tracelab.synthetic import draw

SPANS = draw("""
    api   ===== a=1 b=x n=aa
      db  .==   a=1.5
      mq  ..==! b=true

    api
      db  ==    n=7

    api   ===   a=zz
""").with_columns(**{"span.l": pl.Series([[1, 2], None, [], None, [3]], dtype=pl.List(pl.Int64))})
KEY = {"FieldList": ["a", "root.b"], "MaxKeys": 2, "UseTraceLength": True}
MOVING = {"AdjustmentInterval": "1s", "Weight": 0.5, "AgeOutValue": 0.5, "BurstMultiple": 2.0, "BurstDetectionDelay": 3}
CONFIGURATION: dict[str, Any] = {
    "RulesVersion": 2,
    "Samplers": {
        "__default__": {
            "RulesBasedSampler": {
                "CheckNestedFields": False,
                "Rules": [
                    {
                        "Name": "a",
                        "SampleRate": 2,
                        "Drop": False,
                        "Scope": "span",
                        "Conditions": [
                            {"Field": "root.a", "Operator": "=", "Value": 1, "Datatype": "int"},
                            {"Fields": ["a", "b"], "Operator": "in", "Value": [1, "x"], "Datatype": "float"},
                        ],
                    },
                    {
                        "Name": "b",
                        "Conditions": [{"Field": "n", "Operator": "matches", "Value": "a+"}],
                        "Sampler": {"EMADynamicSampler": {"GoalSampleRate": 3, **MOVING, **KEY}},
                    },
                    {"Sampler": {"WindowedThroughputSampler": {"GoalThroughputPerSec": 3, **KEY}}},
                ],
            }
        }
    },
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, item in items for inner in paths(item, (*path, key)))]


PATHS = paths(CONFIGURATION)[1:]
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        (*OPERATORS, *DATATYPES, "1s", "-1s", "(", "root.a", "root.root.", "?.NUM_DESCENDANTS", "l", "name")
    ),
    st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=3), st.none()), max_size=3),
    st.just({}),
)


@settings(max_examples=300)
@given(st.sampled_from(PATHS), values)
def test_a_configuration_is_refused_in_words_or_decides_on_every_trace(path: tuple[Any, ...], value: Any) -> None:
    changed = copy.deepcopy(CONFIGURATION)
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            rules = refinery_rules(changed)
        except TracelabError:
            return
    told, kept, found = rules.decisions(SPANS), rules.sampled(SPANS), rules.matches(SPANS)
    assert told["trace_id"].to_list() == sorted(SPANS["trace_id"].unique())
    assert told["spans_kept"].sum() == kept.height
    assert told["sampling_probability"].is_between(0, 1).all()
    assert (kept["sampling_weight"] >= 1).all()
    assert found["decided"].sum() + told["policy"].null_count() == told.height


@settings(max_examples=60)
@given(st.integers(2, 50), st.integers(1, 50), st.integers(0, 5))
def test_a_higher_rate_keeps_nothing_that_a_lower_one_does_not(rate: int, more: int, seed: int) -> None:
    def kept(chosen: int) -> set[str]:
        rule = {"Name": "x", "SampleRate": chosen}
        sampler = {"RulesBasedSampler": {"Rules": [rule]}}
        rules = refinery_rules({"RulesVersion": 2, "Samplers": {"__default__": sampler}}, seed=seed)
        return set(rules.sampled(MANY)["trace_id"])

    assert kept(rate + more) <= kept(rate)


MANY = pl.concat(
    SPANS.filter(pl.col("name") == "api")
    .head(1)
    .with_columns(trace_id=pl.lit(f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"))
    for number in range(1, 200)
)

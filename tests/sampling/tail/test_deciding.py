"""Replays of tail sampling on small traces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.sampling.tail.settings import one, policy
from tracelab.errors import PolicyError, QueryWarning, SamplingWarning, SchemaError
from tracelab.sampling import policy_matches, sample_tail, tail_decisions, tail_policies
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOW = policy("slow", "latency", threshold_ms=5)
ERRORS = policy("errors", "status_code", status_codes=["ERROR"])
BEGIN = datetime(2026, 5, 1, tzinfo=UTC)


def traces(*pictures: str) -> pl.DataFrame:
    """Draw traces, which get the ids 1, 2 and so on, one after the other and a second apart."""
    frames = [
        draw(picture).with_columns(
            trace_id=pl.lit(f"{number:08x}{0:024x}"),
            span_id=pl.concat_str(pl.lit(f"{number:08x}"), pl.col("span_id").str.tail(8)),
            parent_span_id=pl.concat_str(pl.lit(f"{number:08x}"), pl.col("parent_span_id").str.tail(8)),
            start_time=pl.col("start_time") - pl.col("start_time").min() + BEGIN + timedelta(seconds=number),
        )
        for number, picture in enumerate(pictures, 1)
    ]
    return pl.concat(frames, how="diagonal").drop("depth", "tree_left", "tree_right", "entry")


def decided(spans: pl.DataFrame, policies: Any, version: str = "0.165", **options: Any) -> list[str]:
    found = tail_decisions(spans, tail_policies(policies, collector_version=version), **options)
    return [str(decision) for decision in found["decision"]]


def at(spans: pl.DataFrame, seconds: Sequence[float]) -> pl.DataFrame:
    """Say when spans came."""
    return spans.with_columns(came=pl.Series([BEGIN + timedelta(seconds=each) for each in seconds]))


def test_the_bound_of_a_latency_is_exclusive_since_then() -> None:
    spans = traces("api =====", "api ======", "api ====")
    assert decided(spans, [SLOW], "0.157") == ["not_sampled", "sampled", "not_sampled"]
    assert decided(spans, [SLOW], "0.156") == ["sampled", "sampled", "not_sampled"]


def test_a_latency_with_an_upper_bound_depends_on_which_span_came_first() -> None:
    spans = traces("api ====================\n  db .===")
    rules = one("latency", threshold_ms=2, upper_threshold_ms=10)
    for first, expected in ((0, "not_sampled"), (1, "sampled")):
        came = at(spans, [1 + first, 2 - first])
        found = tail_decisions(came, rules, arrival="came").select("decision", "simulated").row(0)
        assert found == (expected, True)
    alone = traces("api ====================")
    assert tail_decisions(alone, rules)["simulated"].to_list() == [False]


def test_inverted_matches_outvoted_others_before() -> None:
    spans = traces("api =! route=/a", "api =! route=/b")
    inverted = policy("i", "string_attribute", key="route", values=["/a"], invert_match=True)
    assert decided(spans, [ERRORS, inverted], "0.142") == ["not_sampled", "sampled"]
    assert decided(spans, [ERRORS, inverted], "0.144") == ["sampled", "sampled"]


def test_an_and_passed_inversions_on_for_some_versions() -> None:
    spans = traces("api =! route=/a")
    inverted = policy("i", "string_attribute", key="route", values=["/a"], invert_match=True)
    rules = [ERRORS, policy("both", "and", and_sub_policy=[inverted])]
    found = [decided(spans, rules, version)[0] for version in ("0.102", "0.109", "0.115", "0.116")]
    assert found == ["sampled", "not_sampled", "not_sampled", "sampled"]


def test_numbers_of_resources_count_since_then() -> None:
    spans = traces("api =", "api =").with_columns(pl.Series("resource.n", [5, None]))
    rule = one("numeric_attribute", key="n", min_value=1, max_value=9)
    assert decided(spans, rule, "0.102") == ["not_sampled", "not_sampled"]
    assert decided(spans, rule, "0.109") == ["sampled", "not_sampled"]


def test_one_span_outside_the_bounds_was_enough_for_an_inverted_match() -> None:
    spans = traces("api =\n  db =").with_columns(pl.Series("span.n", [5, 20]))
    rule = one("numeric_attribute", key="n", min_value=1, max_value=9, invert_match=True)
    assert decided(spans, rule, "0.102") == ["sampled"]
    assert decided(spans, rule, "0.144") == ["not_sampled"]


def test_what_is_dropped_stays_dropped_whatever_others_say() -> None:
    spans = traces("api ==========!", "api =!", "api ==========")
    rules = [policy("all", "always_sample"), policy("off", "drop", drop_sub_policy=[SLOW, ERRORS])]
    assert decided(spans, rules) == ["dropped", "sampled", "sampled"]
    assert decided(spans, rules, "0.130") == ["not_sampled", "sampled", "sampled"]
    found = tail_decisions(spans, rules)
    assert found["policy"].to_list() == ["off", "all", "all"]
    assert found["sampling_probability"].to_list() == [0.0, 1.0, 1.0]


def test_numbers_are_read_by_their_type() -> None:
    values = {"span.n": ["5", "5.0", "five", None], "span.n:type": ["int", "double", "string", None]}
    spans = traces(*["api ="] * 4).with_columns(**{name: pl.Series(each) for name, each in values.items()})
    near = one("numeric_attribute", key="n", min_value=4, max_value=6)
    assert decided(spans, near) == ["sampled", "not_sampled", "not_sampled", "not_sampled"]
    around = one("numeric_attribute", key="n", min_value=-1, max_value=1)
    assert decided(spans, around) == ["not_sampled", "sampled", "sampled", "not_sampled"]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("string_attribute", {"values": [".*"], "enabled_regex_matching": True}),
        ("boolean_attribute", {"value": False}),
        ("numeric_attribute", {"min_value": -1, "max_value": 1}),
    ],
)
def test_a_service_that_nobody_named_has_no_name(kind: str, values: dict[str, Any]) -> None:
    spans = traces("unknown_service::get =", "api =")
    assert decided(spans, one(kind, key="service.name", **values)) == ["not_sampled", "sampled"]


def test_attributes_without_a_column_are_found() -> None:
    spans = traces("api =", "api =").with_columns(
        more_attributes=pl.Series(
            [
                [{"key": "span.n", "value": "7"}, {"key": "span.n:type", "value": "int"}],
                [{"key": "resource.r", "value": "x"}],
            ]
        ).cast(pl.Map(pl.String(), pl.String()))
    )
    assert decided(spans, one("numeric_attribute", key="n", min_value=7)) == ["sampled", "not_sampled"]
    assert decided(spans, one("string_attribute", key="r", values=["x"])) == ["not_sampled", "sampled"]


def test_numbers_that_may_have_been_whole_are_warned_of() -> None:
    spans = traces("api = n=5.5", "api = n=5.5").with_columns(pl.Series("span.n", [5.5, 5.0]))
    with pytest.warns(QueryWarning, match="read as 0"):
        assert decided(spans, one("numeric_attribute", key="n", min_value=4)) == ["not_sampled"] * 2


def test_weights_come_from_ratios_and_are_1_where_content_decides() -> None:
    spans = traces(*(["api =!"] + ["api ="] * 60))
    rules = [ERRORS, policy("rest", "probabilistic", sampling_percentage=25)]
    kept = sample_tail(spans, rules)
    assert kept.columns[-2:] == ["sampling_policy", "sampling_weight"]
    weights = set(kept.select("sampling_policy", "sampling_weight").iter_rows())
    assert weights == {("errors", 1.0), ("rest", 4.0)}
    assert tail_decisions(spans, rules)["sampling_probability"].value_counts(sort=True).rows() == [(0.25, 60), (1.0, 1)]


@pytest.mark.parametrize(
    ("salts", "policies", "probability"),
    [
        (("a", "b"), "or", 0.625),
        (("a", "a"), "or", 0.5),
        (("a", "b"), "and", 0.125),
        (("a", "a"), "and", 0.25),
        (("a", "b"), "drop", 0.375),
        (("a", "a"), "drop", 0.25),
        (("a", "b"), "not", 0.875),
        (("a", "a"), "not", 0.75),
    ],
)
def test_probabilities_follow_from_the_salts(salts: tuple[str, str], policies: str, probability: float) -> None:
    half, quarter = (
        policy(name, "probabilistic", sampling_percentage=share, hash_salt=salt)
        for name, share, salt in zip(("half", "quarter"), (50, 25), salts, strict=True)
    )
    rules = {
        "or": [half, quarter],
        "and": [policy("both", "and", and_sub_policy=[half, quarter])],
        "drop": [half, policy("off", "drop", drop_sub_policy=[quarter])],
        "not": [
            policy("n", "not", not_sub_policy=policy("x", "probabilistic", sampling_percentage=25, hash_salt=salts[1])),
            policy("h", "and", and_sub_policy=[half, quarter]),
        ]
        if salts[0] != salts[1]
        else [policy("n", "not", not_sub_policy=quarter)],
    }[policies]
    expected = 0.75 + 0.25 * 0.5 if policies == "not" and salts[0] != salts[1] else probability
    found = tail_decisions(traces("api ="), rules)["sampling_probability"].item()
    assert found == pytest.approx(expected)


def test_the_highest_ratio_decides_since_then_and_the_first_before() -> None:
    spans = traces("api ==========")
    rules = [policy("all of it", "probabilistic", sampling_percentage=99.9999), SLOW]
    for version, name in (("0.161", "all of it"), ("0.162", "slow")):
        found = tail_decisions(spans, tail_policies(rules, collector_version=version))
        assert found["policy"].to_list() == [name]


def test_a_rate_limit_leaves_the_probability_unknown_and_the_decision_simulated() -> None:
    spans = traces("api =", "api =!", "api =")
    rules = [ERRORS, policy("some", "rate_limiting", spans_per_second=1, burst_capacity=1)]
    found = tail_decisions(spans, rules).select("decision", "sampling_probability", "simulated").rows()
    assert found == [("sampled", None, True), ("sampled", 1.0, False), ("sampled", None, True)]
    none = one("rate_limiting", spans_per_second=0)
    said = tail_decisions(spans, none)["evaluations"].to_list()[0][0]
    assert said["reason"] == "too little is left of 0 spans per second"
    assert sample_tail(spans, rules)["sampling_weight"].to_list() == [None, 1.0, None]


def test_a_bucket_fills_by_the_clock_and_is_empty_for_all_that_one_tick_decides() -> None:
    spans = traces(*["api ="] * 4)
    rule = one("rate_limiting", spans_per_second=1, burst_capacity=2)
    together = at(spans, [0.1, 0.2, 0.3, 0.4])
    assert decided(together, rule, arrival="came") == ["sampled", "sampled", "not_sampled", "not_sampled"]
    apart = at(spans, [0.1, 0.2, 0.3, 1.4])
    assert decided(apart, rule, arrival="came") == ["sampled", "sampled", "not_sampled", "sampled"]
    whole = one("rate_limiting", spans_per_second=2)
    assert decided(together, whole, "0.152", arrival="came") == ["sampled", "not_sampled", "not_sampled", "not_sampled"]


def test_a_composite_shares_each_second() -> None:
    spans = at(traces("api =!", "api =!", "api =", "api =", "api =!"), [0.1, 0.2, 0.3, 0.4, 1.1])
    rule = policy(
        "c",
        "composite",
        max_total_spans_per_second=2,
        composite_sub_policy=[ERRORS, policy("rest", "always_sample")],
        rate_allocation=[{"policy": "errors", "percent": 50}, {"policy": "rest", "percent": 50}],
    )
    assert decided(spans, [rule], arrival="came") == ["sampled", "not_sampled", "sampled", "not_sampled", "sampled"]


def test_bytes_are_counted_as_the_collector_does() -> None:
    spans = traces("api =")
    size = next(each for each in range(1, 400) if _fits(spans, each))
    assert not _fits(spans, size - 1)
    assert _fits(spans, size + 1)


def _fits(spans: pl.DataFrame, size: int) -> bool:
    return decided(spans, one("bytes_limiting", bytes_per_second=1, burst_capacity=size)) == ["sampled"]


def test_late_spans_inherit_the_decision_while_the_trace_is_remembered() -> None:
    spans = at(traces("api ==========\n  db .=!"), [1, 40])
    block = {"decision_wait": "10s", "policies": [ERRORS]}
    assert decided(spans, block, arrival="came") == ["not_sampled"]
    assert decided(spans, {**block, "decision_wait": "60s"}, arrival="came") == ["sampled"]
    both = tail_decisions(spans, {**block, "policies": [SLOW]}, arrival="came")
    assert both.select("decision", "spans_kept", "simulated").row(0) == ("sampled", 2, True)


def test_the_longest_waits_end_with_time() -> None:
    spans = at(traces("api =!"), [1])
    for wait in ("2562047h", "-1h"):
        block = {"decision_wait": wait, "decision_wait_after_root_received": "2562047h", "policies": [ERRORS]}
        assert decided(spans, block, arrival="came") == ["sampled"]


@pytest.mark.parametrize("came", [(-(2**63) + 1, 2**63 - 1), (2**63 - 1, 2**63 - 1), (-(2**63) + 1,) * 2])
def test_the_first_and_the_last_time_there_is_are_times(came: tuple[int, int]) -> None:
    times = pl.Series(came, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))
    spans = traces("api =\n  db =!").with_columns(came=times)
    found = tail_decisions(spans, one("always_sample"), arrival="came")
    assert found.select("decision", "spans_kept").row(0) == ("sampled", 2)


def test_a_root_brings_the_decision_forward() -> None:
    spans = at(traces("api ==========\n  db .=!"), [1, 5])
    block = {"decision_wait": "10s", "decision_wait_after_root_received": "1s", "policies": [ERRORS]}
    assert decided(spans, block, arrival="came") == ["not_sampled"]


def test_a_trace_that_is_forgotten_is_decided_anew() -> None:
    spans = at(traces("api =\n  db =!", "api =", "api ="), [1, 60, 20, 30])
    block = {"decision_wait": "5s", "num_traces": 2, "policies": [ERRORS]}
    found = tail_decisions(spans, block, arrival="came")
    assert found.select("decision", "spans_kept", "simulated", "sampling_probability").row(0) == (
        "partial",
        1,
        True,
        None,
    )
    assert sample_tail(spans, block, arrival="came")["name"].to_list() == ["db"]
    cached = {**block, "decision_cache": {"non_sampled_cache_size": 10}}
    assert decided(spans, cached, arrival="came") == ["not_sampled"] * 3


def test_a_trace_that_is_forgotten_too_early_is_lost() -> None:
    spans = at(traces("api =!", "api =!", "api =!"), [1, 2, 3])
    block = {"decision_wait": "30s", "num_traces": 2, "policies": [ERRORS]}
    found = tail_decisions(spans, block, arrival="came").select("decision", "policy", "simulated").rows()
    assert found == [("not_sampled", None, True), ("sampled", "errors", False), ("sampled", "errors", False)]
    waiting = {**block, "block_on_overflow": True}
    cached = {**waiting, "decision_cache": {"sampled_cache_size": 9, "non_sampled_cache_size": 9}}
    assert decided(spans, cached, arrival="came") == ["sampled"] * 3
    with pytest.warns(QueryWarning, match="takes no more when it has had 2, which is not replayed"):
        assert decided(spans, waiting, arrival="came") == ["sampled"] * 3
    assert decided(spans, waiting, "0.136", arrival="came") == ["sampled"] * 3


def test_what_was_decided_on_a_trace_is_forgotten_where_a_cache_is_too_small() -> None:
    spans = at(traces("api =!\n  db =", "api =!", "api =!"), [1, 60, 20, 30])
    block = {"decision_wait": "5s", "policies": [ERRORS]}
    for size, kept in ((0, 4), (3, 4), (2, 3), (1, 3)):
        cached = {**block, "decision_cache": {"sampled_cache_size": size}}
        assert sample_tail(spans, cached, arrival="came").height == kept


def test_what_each_life_of_a_trace_got_says_which_cache_holds_it() -> None:
    # The first life is sampled and held; the second begins when it is pushed out, and is not.
    spans = at(traces("api =!\n  db =\n  db =", "api =!"), [1, 40, 60, 20])
    block = {"decision_wait": "5s", "policies": [ERRORS]}
    cached = {**block, "decision_cache": {"sampled_cache_size": 1, "non_sampled_cache_size": 9}}
    found = tail_decisions(spans, cached, arrival="came").select("decision", "spans_kept", "simulated")
    assert found.rows() == [("partial", 1, True), ("sampled", 1, False)]


def test_a_trace_that_was_pushed_out_is_decided_with_the_batch_that_it_was_in_before() -> None:
    spans = at(traces("api =\n  db =!\n  db =!", "api ="), [1, 25, 40, 20])
    block = {"decision_wait": "30s", "num_traces": 1, "policies": one("span_count", min_spans=2)}
    # Its first batch is decided at second 32, when only one of the two other spans is there.
    assert decided(spans, block, arrival="came") == ["not_sampled", "not_sampled"]
    spans = at(traces("api =\n  db =!\n  db =!", "api ="), [1, 25, 31, 20])
    assert sample_tail(spans, block, arrival="came")["name"].to_list() == ["db", "db"]


def test_spans_that_are_decided_when_they_come_are_late_where_no_is_remembered() -> None:
    spans = at(traces("api =\n  db =!"), [1, 40])
    block = {"decision_wait": "5s", "sampling_strategy": "span-ingest", "policies": [ERRORS]}
    assert sample_tail(spans, block, arrival="came")["name"].to_list() == ["db"]
    cached = {**block, "decision_cache": {"non_sampled_cache_size": 9}}
    assert sample_tail(spans, cached, arrival="came").height == 0


def test_what_comes_after_a_span_that_decided_makes_no_trace_too_large() -> None:
    spans = at(traces("api =!\n  db =\n  db =\n  db ="), [1, 2, 3, 4])
    block = {"maximum_trace_size_bytes": 300, "policies": [ERRORS]}
    assert decided(spans, block, arrival="came") == ["not_sampled"]
    assert decided(spans, {**block, "sampling_strategy": "span-ingest"}, arrival="came") == ["sampled"]


def test_a_trace_that_is_too_large_is_lost() -> None:
    spans = traces("api =!", "api =!\n  db =!\n  db =!\n  db =!")
    block = {"maximum_trace_size_bytes": 300, "policies": [ERRORS]}
    assert decided(spans, block) == ["sampled", "not_sampled"]


def test_ids_without_16_bytes_are_unknown_and_counted() -> None:
    spans = traces("api =!", "api =!").with_columns(trace_id=pl.Series(["x", "00000000000000ab"]))
    assert decided(spans, [ERRORS]) == ["sampled", "unknown"]
    with pytest.warns(SamplingWarning, match="On 1 spans nothing can be said"):
        assert sample_tail(spans, [ERRORS])["trace_id"].to_list() == ["00000000000000ab"]


def test_conditions_that_fail_are_no_vote_and_tell_why() -> None:
    spans = traces("api =", "api =!").with_columns(pl.Series("span.n", [1, 2]))
    rules = [*one("ottl_condition", error_mode="propagate", span=['Len(attributes["n"]) > 1']), ERRORS]
    found = tail_decisions(spans, rules)
    assert found["decision"].to_list() == ["not_sampled", "sampled"]
    said = found["evaluations"].to_list()[0][0]
    assert said["decision"] == "error"
    assert said["reason"]
    assert policy_matches(spans, rules)["errors"].to_list() == [2, 0]


def test_which_span_fails_or_matches_first_decides() -> None:
    spans = traces("api =\n  db =").with_columns(pl.Series("span.n", [1, None]), name=pl.Series(["api", "db"]))
    rules = one("ottl_condition", error_mode="propagate", span=['name == "db" or Len(attributes["n"]) > 1'])
    for first, expected in ((0, "not_sampled"), (1, "sampled")):
        found = tail_decisions(at(spans, [1 + first, 2 - first]), rules, arrival="came")
        assert found.select("decision", "simulated").row(0) == (expected, True)


def test_what_a_span_frame_does_not_have_is_unknown_where_it_matters() -> None:
    spans = traces("api =", "api =!")
    rules = [ERRORS, *one("ottl_condition", error_mode="ignore", span=["dropped_events_count > 0"])]
    found = tail_decisions(spans, rules).select("decision", "sampling_probability").rows()
    assert found == [("unknown", None), ("sampled", 1.0)]
    with pytest.warns(SamplingWarning, match="On 1 spans nothing can be said"):
        assert sample_tail(spans, rules).height == 1


def test_matches_are_counted_by_policy_and_sub_policy() -> None:
    spans = traces("api ==========!", "api ==========", "api =!", "api =")
    rules = [policy("both", "and", and_sub_policy=[SLOW, ERRORS]), ERRORS, policy("never", "latency", threshold_ms=999)]
    found = policy_matches(spans, rules).select("policy", "traces", "matched", "decided", "kept_alone", "never_matched")
    assert found.rows() == [
        ("both", 4, 1, 1, 0, False),
        ("both/slow", 4, 2, None, None, False),
        ("both/errors", 2, 1, None, None, False),
        ("errors", 4, 2, 1, 1, False),
        ("never", 4, 0, 0, 0, True),
    ]


def test_evaluations_tell_who_was_asked() -> None:
    rules = [policy("both", "and", and_sub_policy=[SLOW, ERRORS]), policy("rest", "always_sample")]
    found = tail_decisions(traces("api =!"), rules)["evaluations"].to_list()[0]
    assert [(each["policy"], each["type"], each["decision"]) for each in found] == [
        ("both", "and", "not_sampled"),
        ("both/slow", "latency", "not_sampled"),
        ("rest", "always_sample", "sampled"),
    ]


def test_no_spans_and_no_policies_are_fine() -> None:
    spans = traces("api =")
    assert sample_tail(spans.clear(), [ERRORS]).height == 0
    assert tail_decisions(spans.clear(), [ERRORS]).height == 0
    assert decided(spans, []) == ["not_sampled"]
    assert policy_matches(spans, []).height == 0


def test_on_a_terminal_one_sees_which_policies_never_matched() -> None:
    rules = [{"name": "slow", "type": "latency", "latency": {"threshold_ms": 500}}]
    lines = tl.show(policy_matches(draw("api =="), rules)).text(width=80).split("\n")
    assert any(line.startswith("slow") and line.endswith("true") for line in lines)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("name", r"gives String\. Write a column of datetimes"),
        ("start_tme", r"names 'start_tme', which is no column of the spans\. Did you mean 'start_time'"),
        ("none", r"is no column of the spans\. Write a column of datetimes"),
        (5, r"must be the name of a column or an expression, got 5\."),
        (pl.col("start_time").head(0), "gives 0 for 1 spans"),
        (pl.col("not_there") + 1, r"cannot be computed from these spans: unable to find column \"not_there\"\.$"),
        (pl.all(), "takes one column, got "),
        (pl.lit(None, pl.Datetime("ns")), "1 have none"),
    ],
)
def test_arrivals_are_times(wrong: Any, said: str) -> None:
    with pytest.raises(SchemaError, match=f"`arrival` .*{said}"):
        sample_tail(traces("api ="), [ERRORS], arrival=wrong)


def test_what_a_lazy_frame_has_no_column_for_is_refused_at_once() -> None:
    with pytest.raises(SchemaError, match="`arrival` names 'none'"):
        sample_tail(traces("api =").lazy(), [ERRORS], arrival="none")


def test_spans_that_were_kept_once_are_told_of_anew_at_the_end() -> None:
    spans = sample_tail(traces("api =!"), [ERRORS]).with_columns(mine=pl.lit(1))
    for found in (sample_tail(spans, [ERRORS]), sample_tail(spans.lazy(), [ERRORS]).collect()):
        assert found.columns[-3:] == ["mine", "sampling_policy", "sampling_weight"]


@pytest.mark.parametrize("wrong", [None, 5, float("nan"), b"x", tl.sampling.AlwaysOn()])
def test_what_is_no_policy_is_refused(wrong: Any) -> None:
    with pytest.raises(PolicyError, match="`policies` must be what tail_policies or refinery_rules makes"):
        sample_tail(traces("api ="), wrong)

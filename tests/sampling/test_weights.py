from __future__ import annotations

import warnings
from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.errors import QueryWarning, SamplingWarning, SchemaError, TracelabError
from tracelab.sampling import (
    AlwaysOn,
    ProbabilisticProcessor,
    TraceIdRatioBased,
    refinery_rules,
    sample_head,
    weight_sources,
    with_weights,
)
from tracelab.sampling.tail.deciding import sample_tail
from tracelab.synthetic import draw, generate

R = "d0000000000000"


def weights(spans: pl.DataFrame, source: Any = "auto") -> list[float | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        return with_weights(spans, source)["sampling_weight"].to_list()


def with_state(*states: str | None) -> pl.DataFrame:
    spans = draw("\n\n".join("api =" for _ in states))
    return spans.with_columns(pl.Series("trace_state", states, dtype=pl.String))


def attributes(*texts: str) -> pl.DataFrame:
    return draw("\n".join(texts))


@pytest.mark.parametrize(
    ("state", "weight"),
    [
        (f"ot=th:c;rv:{R}", 4),
        (f"vendor=1,ot=rv:{R};th:8", 2),
        (f"ot=th:0;rv:{R}", 1),
        (f"ot=th:f;rv:{R}", None),  # the random value does not reach it
        (f"ot=rv:{R}", None),
        (f"ot=th:C;rv:{R}", None),
        ("other=th:c", None),
        (None, None),
        ("ot=p:3;r:5", 8),
        ("ot=p:0", 1),
        ("ot=p:5;r:3", None),
        ("ot=p:63;r:5", None),
        ("ot=p:99", None),
        ("es=s:0.25", 4),
        ("es=x:1;s:1", 1),
        ("es=s:0", None),
        ("es=s:2", None),
        ("es=s:nan", None),
    ],
)
def test_trace_states_tell_weights(state: str | None, weight: float | None) -> None:
    assert weights(with_state(state)) == [weight]


def test_without_a_random_value_the_trace_id_is_it() -> None:
    spans = with_state("ot=th:8", "ot=th:8", "ot=th:8").with_columns(
        trace_id=pl.Series(["0" * 18 + "80000000000000", "0" * 18 + "7fffffffffffff", "no id"])
    )
    assert weights(spans)[:2] == [2, None]


@pytest.mark.parametrize(
    ("said", "weight"),
    [
        ("SampleRate=20", 20),
        ("sampleRate=5 SampleRate=20", 5),
        ("SampleRate=0", None),
        ("SampleRate=2.5", None),
        ("SampleRate=often", None),
        ("_dd.rule_psr=0.5", 2),
        ("_dd.rule_psr=0.5 _dd.limit_psr=1.0 _dd.p.dm=-3", 2),
        ("_dd.rule_psr=0.5 _dd.limit_psr=0.7", None),
        ("_dd.rule_psr=0.5 _dd.p.dm=-4", None),
        ("_dd.agent_psr=0.25 _sampling_priority_v1=1", 4),
        ("_dd.agent_psr=0.25 _sampling_priority_v1=-1", None),
        ("_dd.agent_psr=0.25 _sample_rate=0.5", 8),
        ("_dd.agent_psr=7.0", None),
        ("sampler.type=probabilistic sampler.param=0.1", 10),
        ("sampler.type=const sampler.param=true", 1),
        ("sampler.type=ratelimiting sampler.param=2.0", None),
        ("sampler.type=probabilistic sampler.param=much", None),
        ("sampler.param=0.1", None),
        ("microsoft.sample_rate=25.0", 4),
        ("_MS.sampleRate=50.0", 2),
        ("_MS.sampleRate=0.0", None),
        ("sampling.probability=0.2", 5),
        ("sampling.probability=-1", None),
    ],
)
def test_attributes_tell_weights(said: str, weight: float | None) -> None:
    assert weights(attributes(f"api = {said}")) == [weight]


def test_what_a_root_says_holds_for_its_trace_but_a_sample_rate_for_its_span_only() -> None:
    jaeger = attributes("api === sampler.type=probabilistic sampler.param=0.1", "  db .=")
    assert weights(jaeger) == [10, 10]
    assert weights(attributes("api === SampleRate=10", "  db .=")) == [10, None]


def test_where_spans_of_a_trace_disagree_each_speaks_for_itself() -> None:
    spans = attributes("api === sampling.probability=0.5", "  db .== sampling.probability=0.1", "    disk ..=")
    assert weights(spans) == [2, 10, None]


def test_a_given_probability_is_that_of_all_or_of_each_service() -> None:
    spans = attributes("api ===", "  db .=")
    assert weights(spans, 0.25) == [4, 4]
    assert weights(spans, 1) == [1, 1]
    assert weights(spans, {"db": 0.5}) == [None, 2]
    assert weights(spans, {"db": 0.5, "*": 0.1}) == [10, 2]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (0, "probability 0"),
        (1.5, "between 0 and 1"),
        (float("nan"), "between 0 and 1"),
        (True, "must be 'auto'"),
        (None, "must be 'auto'"),
        ({}, "must be 'auto'"),
        ([], "must be 'auto'"),
        ({"api": 2}, "between 0 and 1"),
        ({3: 0.5}, "names of services"),
        ("ot=ht", "Did you mean 'ot=th'"),
        (["SampleRate", "nothing at all"], "no source"),
        (pl.DataFrame({"trace_id": ["a"]}), "sampling_probability"),
        (pl.DataFrame({"trace_id": ["a", "a"], "sampling_probability": [1.0, 1.0]}), "several"),
        (pl.DataFrame({"trace_id": ["a"], "sampling_probability": ["x"]}), "are numbers"),
        (pl.DataFrame({"trace_id": ["00" * 16], "sampling_probability": [2.0]}), "between 0 and 1"),
    ],
)
def test_what_is_no_source_is_refused(source: Any, words: str) -> None:
    spans = draw("api =").with_columns(trace_id=pl.lit("00" * 16))
    with pytest.raises(TracelabError, match=words):
        with_weights(spans, source)


def test_only_the_sources_that_are_named_are_read() -> None:
    spans = attributes("api = SampleRate=20 sampling.probability=0.5")
    assert weights(spans, "sampling.probability") == [2]
    assert weights(spans, ["ot=th", "sampling.probability"]) == [2]


def test_a_sampler_is_replayed_span_by_span() -> None:
    spans = generate(500, seed=1)
    fleet = {"*": TraceIdRatioBased(0.3), "accounts": AlwaysOn()}
    kept = sample_head(spans, fleet)
    assert weights(kept.drop("sampling_weight"), fleet) == pytest.approx(kept["sampling_weight"].to_list())


@pytest.mark.parametrize("mode", ["hash_seed", "proportional", "equalizing"])
def test_a_processor_is_not_replayed_on_what_it_has_written(mode: str) -> None:
    processor = ProbabilisticProcessor(15, mode=mode)
    kept = sample_head(generate(3_000, seed=2), processor)
    assert weights(kept, processor) == pytest.approx(kept["sampling_weight"].to_list())
    # Where the trace state is lost, it is replayed.
    lost = kept.with_columns(trace_state=pl.lit(None, dtype=pl.String))
    assert weights(lost, processor) == pytest.approx(kept["sampling_weight"].to_list())


def test_a_name_that_is_nearly_a_service_s_is_said() -> None:
    with pytest.warns(QueryWarning, match=r"probability for 'Gateway'.* Did you mean 'gateway'"):
        assert weights(draw("gateway ="), {"Gateway": 0.1, "*": 0.5}) == [2]


@pytest.mark.parametrize("source", [1e-20, "sampling.probability", "SampleRate"])
def test_what_is_too_rare_for_any_sampler_has_no_weight(source: Any) -> None:
    spans = attributes("api = sampling.probability=1e-300 SampleRate=1e30")
    with pytest.warns(SamplingWarning, match=r"more than 2\^64"):
        assert with_weights(spans, source)["sampling_weight"].to_list() == [None]
    assert weights(spans, 2.0**-64) == [2.0**64]


def test_a_bare_list_of_policies_is_replayed_too() -> None:
    policies = [{"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": 20}}]
    assert set(weights(sample_tail(generate(5_000, seed=1), policies), policies)) == {5.0}


def test_tail_policies_are_replayed_and_what_they_cannot_tell_is_null() -> None:
    spans = generate(30_000, seed=1)
    policies = """
        tail_sampling:
          policies:
            - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
            - {name: some, type: probabilistic, probabilistic: {sampling_percentage: 20}}
    """
    kept = sample_tail(spans, policies)
    assert weights(kept, policies) == pytest.approx(kept["sampling_weight"].to_list())
    assert set(kept["sampling_weight"].round(3)) == {1.0, 5.0}


def test_spans_that_policies_would_not_have_kept_have_no_weight() -> None:
    spans = generate(5_000, seed=1)
    policies = [{"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": 20}}]
    kept = spans["trace_id"].is_in(sample_tail(spans, policies)["trace_id"].implode())
    with pytest.warns(SamplingWarning, match="would not have been kept"):
        found = with_weights(spans, policies)["sampling_weight"]
    assert found.filter(kept).unique().to_list() == [5.0]
    assert found.filter(~kept).null_count() == (~kept).sum()


def test_a_simulated_draw_says_nothing_against_spans_that_are_there() -> None:
    rules = refinery_rules("""
        RulesVersion: 2
        Samplers:
          __default__:
            RulesBasedSampler:
              Rules: [{Name: some, SampleRate: 20}]
    """)
    assert weights(generate(2_000, seed=1), rules) == [20.0] * 2_000


def test_decisions_are_joined_by_trace() -> None:
    spans = draw("api =\n\napi =\n\napi =")
    ids = spans["trace_id"]
    decisions = pl.DataFrame({"trace_id": ids[:2], "sampling_probability": [0.5, None]})
    assert weights(spans, decisions) == [2, None, None]
    assert weights(spans, decisions.lazy()) == [2, None, None]


def test_the_warning_counts_what_was_found_and_what_was_not() -> None:
    spans = with_state(f"ot=th:c;rv:{R}", f"ot=th:f;rv:{R}", None)
    with pytest.warns(SamplingWarning) as caught:
        with_weights(spans)
    (warning,) = caught
    text = str(warning.message)
    assert "null on 2 of 3 spans" in text
    assert "1 has an `ot=th` that the random value does not reach" in text
    assert "of 1 it is not known" in text
    assert "1 by ot=th" in text
    assert warning.filename == __file__


def test_the_warning_is_short_where_nothing_is_known() -> None:
    with pytest.warns(SamplingWarning, match="null on all 2 spans: it is not known how they were sampled"):
        with_weights(with_state(None, None))


def test_frames_keep_their_kind_and_an_old_column_is_replaced() -> None:
    spans = draw("api =").with_columns(sampling_weight=pl.lit("old"), other=1)
    assert with_weights(spans, 0.5).columns[-2:] == ["other", "sampling_weight"]
    lazy = with_weights(spans.lazy(), 0.5)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect()["sampling_weight"].to_list() == [2]
    assert with_weights(spans.to_pandas(), 0.5)["sampling_weight"].to_list() == [2]
    assert with_weights(spans.clear()).schema["sampling_weight"] == pl.Float64


def test_sources_are_listed_with_what_they_say() -> None:
    spans = attributes("api === SampleRate=20 sampling.probability=0.5", "  db .== SampleRate=0")
    rows = {row["source"]: row for row in weight_sources(spans).iter_rows(named=True)}
    honeycomb, legacy = rows["SampleRate"], rows["sampling.probability"]
    assert (honeycomb["spans"], honeycomb["refused"], honeycomb["used"], honeycomb["largest"]) == (1, 1, 1, 20)
    assert (legacy["spans"], legacy["used"], legacy["least"]) == (2, 1, 2)
    assert len(rows) == 2


def test_sources_that_are_not_there_have_no_row() -> None:
    assert weight_sources(draw("api =")).rows() == []
    assert weight_sources(draw("api =").clear()).rows() == []
    only_refused = weight_sources(with_state("ot=th:zz"))
    assert only_refused.select("source", "spans", "refused").rows() == [("ot=th", 0, 1)]


def test_where_nothing_is_recorded_one_can_still_say_it() -> None:
    with pytest.warns(SamplingWarning, match=r"say it: with_weights\(spans, 0\.1\)"):
        with_weights(draw("api ="))
    with pytest.warns(SamplingWarning) as caught:
        with_weights(draw("api ="), {"web": 0.1})
    assert "say it" not in str(caught[0].message)


def test_weights_of_kept_traces_sum_to_the_number_of_all_within_their_interval() -> None:
    spans = generate(20_000, seed=4)
    kept = with_weights(sample_head(spans, TraceIdRatioBased(0.3)).drop("sampling_weight"), 0.3)
    row = tl.trace_latency_percentiles(kept, by=None, quantiles=0.5, weights="sampling_weight").row(0, named=True)
    assert row["estimated_count_lower"] <= spans["trace_id"].n_unique() <= row["estimated_count_upper"]


def test_a_schema_error_is_a_tracelab_error_with_a_name() -> None:
    with pytest.raises(SchemaError, match="trace_id"):
        with_weights(draw("api ="), pl.DataFrame({"sampling_probability": [1.0]}))


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([[20]], dtype=pl.List(pl.Int64)),
        pl.Series([True]),
        pl.Series([1e308 * 10]),
        pl.Series([float("nan")]),
        pl.Series(["\x00" * 50]),
        pl.Series([-(2**63)]),
        pl.Series([None], dtype=pl.Int64),
    ],
)
def test_attributes_of_any_kind_are_no_weight_and_no_crash(values: pl.Series) -> None:
    keys = (
        "SampleRate",
        "_dd.rule_psr",
        "sampler.param",
        "sampler.type",
        "microsoft.sample_rate",
        "sampling.probability",
    )
    for key in keys:
        found = weights(draw("api =").with_columns(values.alias(f"span.{key}")))
        assert found in ([None], [1.0])

"""Head sampling: what holds for any ratio, any ids and any tree."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sampling.ids_by_the_thousand import one_span_each
from tests.strategies import SERVICES, span_frames
from tracelab.conforming import with_tree
from tracelab.sampling import (
    AlwaysOff,
    AlwaysOn,
    ParentBased,
    ParentThreshold,
    ProbabilitySampler,
    Sampler,
    TraceIdRatioBased,
    head_decisions,
    sample_head,
)
from tracelab.sampling.head.ratios import SDKS

ratios = st.floats(0, 1)
ids = st.integers(1, 2**128 - 1).map("{:032x}".format)
leaves = st.one_of(
    st.just(AlwaysOn()),
    st.just(AlwaysOff()),
    st.builds(TraceIdRatioBased, ratios, st.sampled_from(sorted(SDKS))),
    st.builds(ProbabilitySampler, ratios, st.none() | st.integers(1, 14)),
)
samplers: st.SearchStrategy[Sampler] = st.recursive(
    leaves,
    lambda below: st.one_of(
        st.builds(ParentBased, below, below, below, below, below), st.builds(ParentThreshold, below)
    ),
    max_leaves=8,
)
fleets = st.fixed_dictionaries({"*": samplers}, optional=dict.fromkeys(SERVICES, samplers))


@st.composite
def frames(draw: Any) -> pl.DataFrame:
    """Draw trees under ids that can be decided on."""
    spans = draw(span_frames())
    names = {name: draw(ids) for name in spans["trace_id"].unique(maintain_order=True)}
    states = st.sampled_from([None, "ot=th:8", "ot=rv:c0000000000000;th:4", "ot=rv:10000000000000", "x=1,ot=th:x"])
    spans = spans.with_columns(trace_state=pl.Series([draw(states) for _ in range(spans.height)], dtype=pl.String))
    renamed: pl.DataFrame = with_tree(spans.with_columns(pl.col("trace_id").replace_strict(names)))
    return renamed


@pytest.mark.parametrize("sdk", SDKS)
@given(trace_ids=st.lists(ids, min_size=1, max_size=30, unique=True), ratio=ratios, more=ratios)
def test_raising_a_ratio_loses_no_trace(sdk: str, trace_ids: list[str], ratio: float, more: float) -> None:
    frame = one_span_each(trace_ids)
    low, high = sorted((ratio, more))
    few, many = (set(sample_head(frame, TraceIdRatioBased(each, sdk=sdk))["trace_id"]) for each in (low, high))
    assert few <= many


@given(trace_ids=st.lists(ids, min_size=1, max_size=30, unique=True), ratio=ratios, more=ratios)
def test_raising_a_probability_loses_no_trace(trace_ids: list[str], ratio: float, more: float) -> None:
    frame = one_span_each(trace_ids)
    few, many = (set(sample_head(frame, ProbabilitySampler(each))["trace_id"]) for each in sorted((ratio, more)))
    assert few <= many


missing = st.sampled_from(["root", "sampled", "not_sampled"])


@given(spans=frames(), fleet=fleets, parents=missing)
def test_the_order_of_rows_and_the_kind_of_frame_change_nothing(
    spans: pl.DataFrame, fleet: dict[str, Sampler], parents: str
) -> None:
    expected = sample_head(spans, fleet, missing_parents=parents)
    assert sample_head(spans.lazy(), fleet, missing_parents=parents).collect().equals(expected)
    shuffled = spans.sample(fraction=1, shuffle=True, seed=1)
    assert sample_head(shuffled, fleet, missing_parents=parents).sort("tree_left").equals(expected.sort("tree_left"))
    assert head_decisions(shuffled, fleet).equals(head_decisions(spans, fleet))


@given(spans=frames(), fleet=fleets)
def test_traces_are_decided_on_without_each_other(spans: pl.DataFrame, fleet: dict[str, Sampler]) -> None:
    parts = [sample_head(part, fleet) for _, part in spans.group_by("trace_id", maintain_order=True)]
    whole = sample_head(spans, fleet)
    key = ["trace_id", "tree_left"]
    assert pl.concat(parts).sort(key).equals(whole.sort(key))


@given(spans=frames(), fleet=fleets)
def test_what_is_kept_has_a_weight_of_1_or_more_or_none(spans: pl.DataFrame, fleet: dict[str, Sampler]) -> None:
    weights = sample_head(spans, fleet)["sampling_weight"].drop_nulls()
    assert (weights >= 1).all()
    assert weights.is_finite().all()


@given(spans=frames(), root=leaves)
def test_following_parents_breaks_nothing(spans: pl.DataFrame, root: Sampler) -> None:
    found = head_decisions(spans, ParentBased(root))
    assert found["broken"].sum() == 0

"""The Collector's probabilistic sampler: where no Collector is at hand to ask."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tests.sampling.ids_by_the_thousand import one_span_each, random_ids
from tracelab.sampling import ProbabilisticProcessor, head_decisions, sample_head
from tracelab.synthetic import draw

KEEP_ALL = ProbabilisticProcessor(100, mode="equalizing")


def test_hashes_decide_as_the_vectors_say(vectors: dict[str, Any]) -> None:
    frame = one_span_each(vectors["ids"])
    for case in vectors["probabilistic_processor_hash_seed"]["cases"]:
        processor = ProbabilisticProcessor(case["percentage"], hash_seed=case["hash_seed"])
        kept = sample_head(frame, processor)["trace_id"].to_list()
        found = "".join(map(str, frame["trace_id"].is_in(kept).cast(pl.Int8).to_list()))
        assert (found, processor.buckets) == (case["sampled"], case["scaled"]), case


@pytest.mark.parametrize("mode", ["equalizing", "proportional"])
def test_weights_go_on_from_the_threshold_that_a_span_has(mode: str) -> None:
    frame = one_span_each(random_ids(400)).with_columns(trace_state=pl.lit("ot=th:8"))
    found = sample_head(frame, ProbabilisticProcessor(25, mode=mode))
    weight = {"equalizing": 4.0, "proportional": 8.0}[mode]
    assert set(found["sampling_weight"]) == {weight}
    assert set(found["trace_state"]) == {{"equalizing": "ot=th:c", "proportional": "ot=th:e"}[mode]}


@pytest.mark.parametrize(("priority", "names"), [("0", []), ("1", ["api"]), ("-1", ["api"]), ("high", ["api"])])
def test_a_priority_of_0_drops(priority: str, names: list[str]) -> None:
    spans = draw(f"api === sampling.priority={priority}")
    assert sample_head(spans, KEEP_ALL)["name"].to_list() == names


def test_a_priority_above_0_keeps_for_certain() -> None:
    spans = draw("api === sampling.priority=1")
    found = sample_head(spans, ProbabilisticProcessor(0))
    assert found.select("name", "sampling_weight").rows() == [("api", 1.0)]


def test_a_priority_among_more_attributes_counts_too() -> None:
    more = pl.lit([{"key": "span.sampling.priority", "value": "0"}]).cast(pl.Map(pl.String(), pl.String()))
    assert sample_head(draw("api ===").with_columns(more_attributes=more), KEEP_ALL).is_empty()


@pytest.mark.parametrize(("closed", "kept"), [(True, 0), (False, 1)])
@pytest.mark.parametrize("state", ["ot=th:x", "ot=th:8;rv:00000000000000", "X=1"])
def test_what_fails_is_dropped_or_kept_with_no_weight(state: str, closed: bool, kept: int) -> None:
    spans = draw("api ===").with_columns(trace_state=pl.lit(state))
    found = sample_head(spans, ProbabilisticProcessor(100, mode="proportional", fail_closed=closed))
    assert found["sampling_weight"].to_list() == [None] * kept


def test_spans_of_one_trace_are_decided_on_one_by_one() -> None:
    spans = draw("""
    api    =====
      auth .==    sampling.priority=0
      db   ...=
    """)
    row = head_decisions(spans, KEEP_ALL).row(0, named=True)
    assert (row["decision"], row["spans_kept"], row["sampling_probability"]) == ("partial", 2, None)
    assert row["policy"] == "ProbabilisticProcessor(100, mode=equalizing)"


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "10", None, True, 1e-20])
def test_percentages_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(tl.TracelabError, match="`sampling_percentage` must be 0 or a number from"):
        ProbabilisticProcessor(value)


def test_seeds_have_32_bits() -> None:
    with pytest.raises(tl.TracelabError, match="`hash_seed` must be from 0 to 4294967295"):
        ProbabilisticProcessor(1, hash_seed=2**32)

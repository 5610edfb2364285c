"""What holds for every retimed trace: of drawn trees with ties, orphans, cycles and spans that take no time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracelab as tl
from tests.retiming.enclosing import bounds_of, enclosed
from tests.retiming.programs import KINDS, case_of, frame_of
from tests.strategies import span_frames
from tracelab.retiming.changing import Change, retimed
from tracelab.retiming.slack import slack_and_drag
from tracelab.retiming.tracing import cohort_of

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tracelab.retiming.order import Placed
    from tracelab.retiming.propagating import Changes

# Clocks of random times are wherever they are.
pytestmark = pytest.mark.filterwarnings("ignore::tracelab.SkewWarning")

ENOUGH = 0.95
FACTORS = (0.0, 0.25, 0.5, 0.9, 1.0, 1.1, 2.0, 5.0)
LONGER = (0, 1, 7)


def changed(spans: Placed, places: list[int], change: Change) -> Changes:
    chosen = np.zeros(spans.start.size, dtype=bool)
    chosen[places] = True
    return retimed(spans, chosen, change)


def parts_of(spans: pl.DataFrame) -> list[Placed]:
    return [part for _, part in cohort_of(spans).parts]


def brute_force(spans: Placed) -> None:
    """Change every span alone, and see that its slack and its drag are what they are said to be."""
    most_slack, least_slack, most_drag, least_drag = slack_and_drag(spans)
    for place in np.flatnonzero(spans.awaited).tolist():
        root = spans.forest.root[place]
        gone = changed(spans, [place], Change(0.0, None, "whole"))
        assert (-gone.high[root], -gone.low[root]) == (least_drag[place], most_drag[place])
        length = int(spans.end[place] - spans.start[place])
        for more in LONGER:
            grown = changed(spans, [place], Change(None, length + int(least_slack[place]) + more, "whole"))
            assert grown.high[root] == more
            grown = changed(spans, [place], Change(None, length + int(most_slack[place]) + more, "whole"))
            assert grown.low[root] == more


@settings(max_examples=80)
@given(spans=span_frames(max_traces=1, max_spans=14))
def test_slack_and_drag_are_what_changing_each_span_alone_says(spans: pl.DataFrame) -> None:
    for part in parts_of(spans):
        brute_force(part)


@pytest.mark.parametrize("kind", KINDS)
def test_slack_and_drag_of_programs_are_what_changing_each_span_alone_says(kind: str) -> None:
    for seed in range(6):
        for part in parts_of(frame_of(case_of(kind, seed).run)):
            brute_force(part)


@settings(max_examples=60)
@given(spans=span_frames(), chance=st.randoms(use_true_random=False), part=st.sampled_from(["whole", "self"]))
def test_shorter_spans_make_no_trace_longer_and_the_bounds_keep_their_order(
    spans: pl.DataFrame, chance: random.Random, part: str
) -> None:
    for placed in parts_of(spans):
        places = [place for place in range(placed.start.size) if chance.random() < 0.5]
        length = placed.end - placed.start
        before = None
        for factor in FACTORS:
            found = changed(placed, places, Change(factor, None, part))  # type: ignore[arg-type]
            assert np.all(found.low <= found.high)
            assert np.all(found.low + length >= 0)
            if factor == 1:
                assert not found.low.any()
                assert not found.high.any()
            if before is not None:
                assert np.all(before.low <= found.low)
                assert np.all(before.high <= found.high)
            before = found


@settings(max_examples=60)
@given(spans=span_frames(), chance=st.randoms(use_true_random=False))
def test_a_longer_duration_makes_no_trace_shorter(spans: pl.DataFrame, chance: random.Random) -> None:
    for placed in parts_of(spans):
        places = [place for place in range(placed.start.size) if chance.random() < 0.5]
        found = [changed(placed, places, Change(None, length, "whole")) for length in (0, 1, 3, 8, 20)]
        for one, other in pairwise(found):
            assert np.all(one.low <= other.low)
            assert np.all(one.high <= other.high)
            assert np.all(other.low <= other.high)


@given(spans=span_frames())
def test_what_is_on_the_critical_path_has_no_slack_and_drag_is_no_more_than_the_duration(spans: pl.DataFrame) -> None:
    added = tl.with_slack(spans)
    on = tl.critical_path(spans).select("trace_id", "root_span_id", "span_id").unique()
    ids = added.group_by("trace_id", "span_id").agg(pl.len(), pl.col("slack_pessimistic").min())
    path = on.join(ids.filter(pl.col("len") == 1), on=["trace_id", "span_id"])
    assert path.filter(pl.col("slack_pessimistic") != pl.duration()).is_empty()
    assert added.filter(pl.col("drag_optimistic") > pl.col("duration")).is_empty()
    assert added.filter(pl.col("drag_pessimistic") > pl.col("drag_optimistic")).is_empty()
    assert added.filter(pl.col("slack_pessimistic") > pl.col("slack_optimistic")).is_empty()
    assert added.drop("^(slack|drag)_.*$").equals(spans)


@given(spans=span_frames())
def test_removing_roots_leaves_nothing_and_doubling_them_doubles_all(spans: pl.DataFrame) -> None:
    roots = pl.col("depth") == 0
    none = tl.retime(spans, roots, remove=True)
    assert none["after_optimistic"].dt.total_nanoseconds().sum() == 0
    assert none["after_pessimistic"].dt.total_nanoseconds().sum() == 0
    twice = tl.retime(spans, roots, factor=2)
    assert (twice["after_optimistic"] == 2 * twice["before"]).all()
    assert (twice["after_pessimistic"] == 2 * twice["before"]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_bounds_enclose_the_truth_of_programs_that_are_known(kind: str) -> None:
    assert enclosed(kind, 1_000)["enclosed"] >= ENOUGH


def test_no_program_that_is_made_of_waiting_beside_others_leaves_the_bounds() -> None:
    assert enclosed("waiting", 1_000)["enclosed"] == 1
    assert enclosed("pool", 1_000)["enclosed"] == 1


@pytest.mark.parametrize("kind", ["sequential", "forgetting"])
def test_where_the_order_is_certain_both_bounds_are_the_truth(kind: str) -> None:
    cases = [case_of(kind, seed) for seed in range(200)]
    _, low, high = bounds_of(cases).T.tolist()
    assert low == high == [case.truth for case in cases]


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_a_factor_of_one_changes_nothing_in_real_dumps(shared_data: Path) -> None:
    traces = 0
    for path in sorted((shared_data / "otlp-json").rglob("*.json")):
        try:
            spans = tl.read(path, progress=False)
        except tl.LoadError:
            continue
        for where in (pl.lit(value=True), pl.col("depth") > 0, pl.col("kind") == "client"):
            for part in ("whole", "self"):
                found = tl.retime(spans, where, factor=1, part=part)
                assert (found["before"] == found["after_optimistic"]).all()
                assert (found["before"] == found["after_pessimistic"]).all()
                traces += found.height
    assert traces > 100

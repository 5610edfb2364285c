from __future__ import annotations

from math import comb

import numpy as np
import pytest

from tests.sampling.estimation.samples import sample_of
from tracelab.sampling.estimation.totals import totals


def test_a_total_is_the_sum_of_weights_and_its_interval_nearly_that_of_a_binomial_number() -> None:
    sample = sample_of(*((0, trace, 4.0) for trace in range(90)))
    found = totals(sample, np.ones(90), confidence=0.95)
    # By hand: 90 = N / 4 -+ 1.96 sqrt(N / 4 * 3 / 4), for N.
    for bound in (found.lower[0], found.upper[0]):
        assert abs(90 - bound / 4) == pytest.approx(1.959964 * np.sqrt(bound / 4 * 0.75), rel=0.02)
    assert found.value[0] == 360
    assert 90 <= found.lower[0] < 360 < found.upper[0]


@pytest.mark.parametrize(("traces", "chance"), [(20, 0.1), (200, 0.1), (10, 0.5), (41, 0.5), (500, 0.01)])
def test_few_traces_of_one_weight_have_intervals_that_hold_the_truth_as_often_as_they_say(
    traces: int, chance: float
) -> None:
    bounds = [(0.0, 3.1 * (1 / chance - 1))]
    for kept in range(1, min(2 * traces, 60)):
        found = totals(sample_of(*((0, one, 1 / chance) for one in range(kept))), np.ones(kept), confidence=0.95)
        bounds.append((found.lower[0] - 1e-9, found.upper[0] + 1e-9))

    def held(there: int) -> float:
        return sum(
            comb(there, kept) * chance**kept * (1 - chance) ** (there - kept)
            for kept, (lower, upper) in enumerate(bounds[: there + 1])
            if lower <= there <= upper
        )

    # Over numbers of traces around this one, as each of them alone has a coverage of its own: what is kept is whole.
    coverage = [held(there) for there in range(traces - traces // 10, traces + traces // 10 + 1)]
    assert 0.935 <= np.mean(coverage) <= 0.975


def test_spans_of_one_trace_are_drawn_together() -> None:
    alone = totals(sample_of(*((0, trace, 4.0) for trace in range(40))), np.ones(40), confidence=0.95)
    fours = totals(sample_of(*((0, trace // 4, 4.0) for trace in range(40))), np.ones(40), confidence=0.95)
    ten = totals(sample_of(*((0, trace, 4.0) for trace in range(10))), np.ones(10), confidence=0.95)
    assert fours.value[0] == alone.value[0] == 160
    assert fours.upper[0] - fours.lower[0] > 1.9 * (alone.upper[0] - alone.lower[0])
    assert fours.upper[0] - fours.lower[0] == pytest.approx(4 * (ten.upper[0] - ten.lower[0]), rel=0.2)


def test_what_is_sure_to_be_kept_is_counted_exactly() -> None:
    found = totals(sample_of((0, 1, 1.0), (0, 2, 1.0)), np.ones(2), confidence=0.95)
    assert (found.value[0], found.lower[0], found.upper[0]) == (2, 2, 2)


def test_a_group_of_which_only_what_is_sure_was_seen_may_have_had_more() -> None:
    sample = sample_of((0, 1, 1.0), (0, 2, 1.0), *((1, trace, 10.0) for trace in range(3, 30)))
    found = totals(sample, np.ones(29), confidence=0.95)
    assert (found.value[0], found.lower[0]) == (2, 2)
    assert found.upper[0] == pytest.approx(2 + 3 * 9, rel=0.1)


def test_what_was_never_seen_may_have_been_dropped() -> None:
    sample = sample_of(*((0, trace, 10.0) for trace in range(20)))
    found = totals(sample, np.zeros(20, dtype=np.bool_), confidence=0.95)
    assert (found.value[0], found.lower[0]) == (0, 0)
    assert found.upper[0] == pytest.approx(3 * 9, rel=0.1)


def test_how_large_numbers_are_that_were_never_seen_is_not_known() -> None:
    chanced, sure = sample_of((0, 1, 10.0), (0, 2, 10.0)), sample_of((0, 1, 1.0))
    assert np.isinf(totals(chanced, np.zeros(2), confidence=0.95).upper[0])
    assert totals(sure, np.zeros(1), confidence=0.95).upper[0] == 0


def test_what_a_rule_seems_to_keep_for_sure_is_counted_as_seen() -> None:
    sample = sample_of((0, 0, 1.0), *((0, trace, 10.0) for trace in range(1, 20)))
    found = totals(sample, np.arange(20) < 1, confidence=0.95)
    assert (found.value[0], found.lower[0], found.upper[0]) == (1, 1, 1)


def test_a_few_sure_draws_beside_a_few_of_much_weight_leave_open_what_the_latter_do() -> None:
    heavy = sample_of(*((0, trace, 100.0) for trace in range(8)))
    both = sample_of(*((0, trace, 100.0) for trace in range(8)), *((0, trace, 1.0) for trace in range(8, 80)))
    alone, beside = (totals(each, np.ones(each.group.size), confidence=0.95) for each in (heavy, both))
    for name in ("value", "lower", "upper"):
        assert getattr(beside, name)[0] == pytest.approx(getattr(alone, name)[0] + 72)
    # With a mean of 4 there are 8 or more, of which half those of 8 count, in 3.6 % of all cases: it is possible.
    assert alone.lower[0] < 400


def test_an_unknown_weight_leaves_nothing_known_of_its_group_only() -> None:
    found = totals(sample_of((0, 1, 2.0), (0, 2, None), (1, 3, 2.0)), np.ones(3), confidence=0.95)
    assert np.isnan([found.value[0], found.lower[0], found.upper[0]]).all()
    assert found.value[1] == 2


def test_a_single_trace_that_might_have_been_dropped_says_little() -> None:
    found = totals(sample_of((0, 1, 8.0), (0, 1, 8.0)), np.ones(2, dtype=np.bool_), confidence=0.95)
    assert found.value[0] == 16
    assert 2 <= found.lower[0] < 3
    # Of a Poisson number of which 1 was seen, the mean may be 4.7 to 5.6.
    assert 4.5 * 16 < found.upper[0] < 5.6 * 16


def test_spans_of_one_trace_with_weights_of_their_own_are_no_surer_than_traces() -> None:
    together = sample_of(*((0, item // 2, 2.0 + 2 * (item % 2)) for item in range(60)))
    alone = sample_of(*((0, item, 2.0 + 2 * (item % 2)) for item in range(60)))
    whole, parts = (totals(each, np.ones(60), confidence=0.95) for each in (together, alone))
    assert whole.value[0] == parts.value[0] == 180
    assert whole.upper[0] - whole.lower[0] > 1.2 * (parts.upper[0] - parts.lower[0])


def test_effective_numbers_are_kishs() -> None:
    sample = sample_of((0, 1, 1.0), (0, 2, 1.0), (0, 3, 4.0), (1, 1, 3.0), (1, 2, 3.0))
    assert sample.effective == pytest.approx([36 / 18, 2])


@pytest.mark.parametrize("mixed", [False, True])
def test_flags_are_counted_as_ones_are_added(mixed: bool) -> None:
    random = np.random.default_rng(0)
    items = [(int(g), int(t), 1.0 + t % 7 + (mixed and x)) for g, t, x in random.integers(0, [5, 60, 2], (400, 3))]
    sample, flags = sample_of(*items), random.random(400) < 0.4
    counted = totals(sample, flags, confidence=0.95)
    added = totals(sample, flags.astype(np.float64), confidence=0.95)
    assert counted.value == pytest.approx(added.value)
    for name in ("lower", "upper"):
        assert getattr(counted, name) == pytest.approx(getattr(added, name), rel=0.01)

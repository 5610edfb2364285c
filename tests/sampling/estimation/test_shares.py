from __future__ import annotations

import numpy as np
import pytest

from tests.sampling.estimation.samples import sample_of
from tracelab.sampling.estimation.shares import shares
from tracelab.sampling.estimation.totals import totals


def test_a_share_is_of_what_items_stand_for() -> None:
    sample = sample_of((0, 1, 1.0), (0, 2, 9.0))
    found = shares(sample, np.array([True, False]), confidence=0.95)
    assert found.value[0] == pytest.approx(0.1)


def test_with_one_weight_the_interval_is_nearly_wilsons_of_the_population_that_was_not_seen() -> None:
    sample = sample_of(*((0, trace, 4.0) for trace in range(50)))
    found = shares(sample, np.arange(50) < 10, confidence=0.95)
    # 50 of 200: the same as 50 / (1 - 1 / 4) of infinitely many.
    n = 50 / 0.75
    z = 1.959964
    middle = (0.2 + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(0.2 * 0.8 / n + z * z / (4 * n * n))
    assert found.lower[0] == pytest.approx(middle - reach, rel=0.02)
    assert found.upper[0] == pytest.approx(middle + reach, rel=0.02)


def test_errors_of_one_trace_come_together() -> None:
    together = sample_of(*((0, item // 4, 5.0) for item in range(200)))
    alone = sample_of(*((0, item, 5.0) for item in range(200)))
    flags = np.arange(200) < 40
    bursts, single = (shares(each, flags, confidence=0.95) for each in (together, alone))
    assert bursts.value[0] == single.value[0] == pytest.approx(0.2)
    assert bursts.upper[0] - bursts.lower[0] == pytest.approx(2 * (single.upper[0] - single.lower[0]), rel=0.25)


def test_errors_that_are_sure_beside_a_few_draws_of_much_weight_have_a_share_as_unsure_as_their_total() -> None:
    # 20 errors and 40 slow traces were kept for sure, and 8 of the rest, of which 4 are usual where there are 400.
    weights = [1.0] * 60 + [100.0] * 8
    sample = sample_of(*((0, trace, weight) for trace, weight in enumerate(weights)))
    found, errors = shares(sample, np.arange(68) < 20, confidence=0.95), 20
    everything = totals(sample, np.ones(68, dtype=np.bool_), confidence=0.95)
    assert found.value[0] == pytest.approx(errors / 860)
    assert found.upper[0] == pytest.approx(errors / everything.lower[0], rel=1e-3)
    assert found.lower[0] == pytest.approx(errors / everything.upper[0], rel=1e-3)
    assert found.upper[0] > errors / 460


def test_a_share_of_nothing_that_was_seen_ends_where_three_draws_would_be() -> None:
    sample = sample_of(*((0, trace, 50.0) for trace in range(100)))
    found = shares(sample, np.zeros(100, dtype=np.bool_), confidence=0.95)
    assert (found.value[0], found.lower[0]) == (0, 0)
    assert found.upper[0] == pytest.approx(0.03, abs=0.003)
    other = shares(sample, np.ones(100, dtype=np.bool_), confidence=0.95)
    assert (other.value[0], other.upper[0]) == (1, 1)
    assert other.lower[0] == pytest.approx(1 - found.upper[0])


def test_an_unknown_weight_leaves_no_share_of_its_group_only() -> None:
    found = shares(sample_of((0, 1, 2.0), (0, 2, None), (1, 3, 2.0)), np.ones(3, dtype=np.bool_), confidence=0.95)
    assert np.isnan([found.value[0], found.lower[0], found.upper[0]]).all()
    assert found.value[1] == found.upper[1] == 1


def test_where_nothing_was_left_to_chance_nothing_is_uncertain() -> None:
    found = shares(sample_of((0, 1, 1.0), (0, 2, 1.0)), np.array([True, False]), confidence=0.95)
    assert (found.lower[0], found.value[0], found.upper[0]) == (0.5, 0.5, 0.5)


def test_errors_that_are_always_kept_say_little_of_a_group_where_nothing_else_was_seen() -> None:
    sample = sample_of((0, 1, 1.0), (0, 2, 1.0), *((1, trace, 10.0) for trace in range(3, 30)))
    flags = np.array([True, True] + [False] * 27)
    found = shares(sample, flags, confidence=0.95)
    assert found.value[0] == 1
    assert found.lower[0] < 0.2
    assert found.upper[0] == 1
    assert found.upper[1] < 0.2


def test_a_share_of_what_is_sure_says_little_of_a_group_where_nothing_else_was_seen() -> None:
    sample = sample_of(*((0, trace, 1.0) for trace in range(4)), *((1, trace, 10.0) for trace in range(4, 30)))
    found = shares(sample, np.arange(30) < 1, confidence=0.95)
    # Up to 3 * 9 others were dropped, all with the flag or none.
    assert found.value[0] == 0.25
    assert (found.lower[0], found.upper[0]) == pytest.approx((1 / 31, 28 / 31), abs=0.015)


def test_mixed_weights_in_a_trace_give_the_same_share_as_counted_by_item() -> None:
    sample = sample_of((0, 1, 2.0), (0, 1, 4.0), (0, 2, 2.0))
    found = shares(sample, np.array([False, True, False]), confidence=0.95)
    assert found.value[0] == pytest.approx(0.5)
    assert 0 <= found.lower[0] < 0.5 < found.upper[0] <= 1

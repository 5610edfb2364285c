from __future__ import annotations

import numpy as np
import pytest

from tests.sampling.estimation.samples import sample_of
from tracelab.sampling.estimation.shares import ratio, shares


def test_a_share_is_of_what_items_stand_for() -> None:
    sample = sample_of((0, 1, 1.0), (0, 2, 9.0))
    found = shares(sample, np.array([True, False]), confidence=0.95)
    assert found.value[0] == pytest.approx(0.1)


def test_with_one_weight_the_interval_is_wilsons_of_the_population_that_was_not_seen() -> None:
    sample = sample_of(*((0, trace, 4.0) for trace in range(50)))
    found = shares(sample, np.arange(50) < 10, confidence=0.95)
    # 50 of 200: the same as 50 / (1 - 1 / 4) of infinitely many.
    n = 50 / 0.75
    z = 1.959964
    middle = (0.2 + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(0.2 * 0.8 / n + z * z / (4 * n * n))
    assert found.lower[0] == pytest.approx(middle - reach, abs=1e-5)
    assert found.upper[0] == pytest.approx(middle + reach, abs=1e-5)


def test_the_variance_is_that_of_residuals_summed_by_trace() -> None:
    sample = sample_of((0, 1, 2.0), (0, 1, 2.0), (0, 2, 2.0), (0, 3, 5.0), (0, 3, 5.0), (0, 4, 5.0))
    flags = np.array([True, True, False, True, False, False])
    found = ratio(sample, flags[sample.order], again=0)
    weight = np.array([2, 2, 2, 5, 5, 5.0])
    r = weight @ flags / weight.sum()
    of_trace = [np.array([0, 1]), np.array([2]), np.array([3, 4]), np.array([5])]
    variance = sum((1 - 1 / weight[t][0]) * (weight[t] @ (flags[t] - r)) ** 2 for t in of_trace) / weight.sum() ** 2
    assert found.share[0] == pytest.approx(r)
    assert found.alone[0] / found.effect.factor[0] == pytest.approx(r * (1 - r) / variance)


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
    # Up to 1.96^2 * 9 = 34.6 others were dropped, all with the flag or none.
    assert found.value[0] == 0.25
    assert (found.lower[0], found.upper[0]) == pytest.approx((1 / 38.573, 35.573 / 38.573), rel=1e-4)


def test_mixed_weights_in_a_trace_give_the_same_share_as_counted_by_item() -> None:
    sample = sample_of((0, 1, 2.0), (0, 1, 4.0), (0, 2, 2.0))
    found = shares(sample, np.array([False, True, False]), confidence=0.95)
    assert found.value[0] == pytest.approx(0.5)
    assert 0 <= found.lower[0] < 0.5 < found.upper[0] <= 1

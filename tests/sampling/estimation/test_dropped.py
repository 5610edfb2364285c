"""What was dropped is bounded as numbers of draws are, beside exact tails of Poisson distributions."""

from __future__ import annotations

from math import exp, factorial

import numpy as np
import pytest

from tracelab.sampling.estimation.dropped import Dropped, difference

Z = 1.959964


def of_draws(*sizes: float) -> Dropped:
    """Estimate what was dropped where draws of these sizes tell of as much each."""
    x = np.array(sizes)
    return Dropped(*(np.array([(x**power).sum()]) for power in (1, 2, 3)))


def bounds(dropped: Dropped, *, event: float = 1.0, unseen: bool = True) -> list[float]:
    limits = dropped.limits(np.array([event]), np.array([1.0]), Z, unseen)
    return [float(limit[0]) for limit in limits]


def half_of(seen: int, mean: float) -> float:
    """Give the chance of fewer, and half of that of so many."""
    chances = [exp(-mean) * mean**k / factorial(k) for k in range(seen + 1)]
    return sum(chances[:-1]) + chances[-1] / 2


@pytest.mark.parametrize("seen", [1, 2, 3, 5, 10, 40])
def test_limits_of_draws_that_are_alike_are_mid_p_limits_of_poisson_numbers(seen: int) -> None:
    lower, mean, upper = bounds(of_draws(*[1.0] * seen))
    assert mean == seen
    assert half_of(seen, upper) == pytest.approx(0.025, abs=0.004)
    assert 1 - half_of(seen, lower) == pytest.approx(0.025, abs=0.011)


def test_of_what_was_never_seen_there_may_be_three_draws_or_none() -> None:
    assert bounds(of_draws(), event=7.0)[:2] == [0, 0]
    assert bounds(of_draws(), event=7.0)[2] == pytest.approx(21, abs=1)
    assert bounds(of_draws(), event=7.0, unseen=False) == [0, 0, 0]


def test_draws_of_several_sizes_leave_more_open_above_than_as_many_that_are_alike() -> None:
    alike, unlike = of_draws(*[1.0] * 40), of_draws(*[0.5] * 39, 20.5)
    assert bounds(alike)[1] == bounds(unlike)[1] == 40
    assert bounds(unlike)[2] > 2 * bounds(alike)[2]


def test_the_less_was_seen_the_more_a_usual_trace_counts() -> None:
    def widened(seen: int) -> float:
        draws = of_draws(*[1.0] * seen)
        return bounds(draws, event=10)[2] / bounds(draws, event=1)[2]

    assert widened(1) > widened(5) > widened(50) > 1
    assert widened(50) < 1.05


def test_distances_to_limits_are_added_as_deviations() -> None:
    more, fewer = ([np.array([x]) for x in limits] for limits in ((7.0, 10.0, 14.0), (3.0, 6.0, 9.0)))
    low, high = difference((more[0], more[1], more[2]), (fewer[0], fewer[1], fewer[2]))
    assert (low[0], high[0]) == pytest.approx((4 - np.hypot(3, 3), 4 + np.hypot(4, 3)))

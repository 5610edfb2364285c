from __future__ import annotations

import numpy as np
import pytest

from tests.differences.changes.false_alarms import alarms, independent, power
from tracelab.differences.changes.measuring import wilson
from tracelab.differences.changes.moments import moment_of, most_likely
from tracelab.differences.changes.scanning import FEWEST, blocks_of, likelihood_ratio, strongest


def brute(values: np.ndarray[tuple[int], np.dtype[np.float64]], begin: int, end: int) -> float:
    """Give the likelihood ratio of one share, within and beside a stretch, from its definition."""

    def log_likelihood(some: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        rate = float(some.mean())
        return sum(float(np.log(rate if hit else 1 - rate)) for hit in some.tolist())

    inside = np.zeros(values.size, dtype=bool)
    inside[begin:end] = True
    return 2 * (log_likelihood(values[inside]) + log_likelihood(values[~inside]) - log_likelihood(values))


def test_the_statistic_is_the_likelihood_ratio() -> None:
    values = (np.random.default_rng(1).random(60) < 0.3).astype(float)
    for begin, end in ((10, 30), (20, 60), (0, 40)):
        inside = np.array([values[begin:end].sum(), end - begin])
        outside = np.array([values.sum() - inside[0], 60 - (end - begin)])
        assert likelihood_ratio(inside, outside) == pytest.approx(brute(values, begin, end))


def test_blocks_hold_all_units_and_begin_where_they_may() -> None:
    rng = np.random.default_rng(2)
    shares, borders = rng.random((500, 3)), rng.random(500) < 0.3
    blocks = blocks_of(shares, borders)
    assert blocks.sums[:, -1].sum() == 500
    assert np.allclose(blocks.sums[:, :-1].sum(axis=0), shares.sum(axis=0))
    assert borders[blocks.edges[1:-1]].all()
    assert blocks_of(shares, np.zeros(500, dtype=bool)).count == 1


def test_units_with_a_memory_are_taken_in_longer_blocks() -> None:
    rng = np.random.default_rng(3)
    fresh = rng.standard_normal(4_000)
    like = np.convolve(fresh, np.ones(200), mode="same")
    borders = np.ones(4_000, dtype=bool)
    short, long = (blocks_of(values[:, None] - values.min(), borders).count for values in (fresh, like))
    assert long < short / 2


def test_a_stretch_in_the_middle_is_found_within_its_slack() -> None:
    rng = np.random.default_rng(4)
    place = np.arange(900)
    inside = (place >= 400) & (place < 520)
    shares = (rng.random(900) < np.where(inside, 0.6, 0.1)).astype(float)[:, None]
    found = strongest(blocks_of(shares, np.ones(900, dtype=bool)), seed=1)
    assert found is not None
    assert abs(found.begin - 400) <= found.slack
    assert abs(found.end - 520) <= found.slack
    assert found.p_value < 1e-4


def test_p_values_of_nothing_are_spread_evenly() -> None:
    borders = np.ones(200, dtype=bool)
    p = []
    for run in range(100):
        shares = (np.random.default_rng([run, 5]).random(200) < 0.3).astype(float)[:, None]
        found = strongest(blocks_of(shares, borders), seed=run)
        assert found is not None
        p.append(found.p_value)
    for level in (0.1, 0.5):
        assert (np.array(p) <= level).mean() <= level + 3 * (level * (1 - level) / 100) ** 0.5


def test_too_few_units_have_no_stretch() -> None:
    shares = np.ones((2 * FEWEST - 1, 1))
    assert strongest(blocks_of(shares, np.ones(2 * FEWEST - 1, dtype=bool)), seed=1) is None


def test_a_moment_is_where_a_clear_change_is_and_its_interval_holds_it() -> None:
    borders = np.ones(300, dtype=bool)
    held = 0
    for run in range(40):
        rng = np.random.default_rng([run, 6])
        shares = (rng.random(300) < np.where(np.arange(300) < 180, 0.2, 0.6)).astype(float)[:, None]
        at = most_likely(shares, borders, slice(0, 150), slice(200, 300), FEWEST)
        assert at is not None
        moment = moment_of(shares, borders, 0, at, 300, confidence=0.95, least=1)
        assert moment.low <= at <= moment.high
        held += moment.low <= 180 <= moment.high
    assert held >= 34


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert wilson(0.1, 100, 0.95) == pytest.approx((0.0552, 0.1744), abs=1e-3)
    assert wilson(0.0, 10, 0.95)[0] == 0.0
    assert wilson(1.0, 10, 0.95)[1] == 1.0


def test_of_stationary_systems_few_have_a_step_and_planted_ones_are_found() -> None:
    # At a rate of 0.05 more than 4 of 20 runs would report something in 3 of 1,000 such tests.
    assert alarms(independent, 20, 200) <= 4
    found, held, _ = power(400, 5, factor=2.0)
    assert found == 5
    assert held >= 3

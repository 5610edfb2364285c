from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tracelab.differences.significance import (
    Tables,
    benjamini_hochberg,
    cochran_mantel_haenszel,
    difference_interval,
    fisher,
    least_fisher,
    log_likelihood_ratio,
    median_difference,
    rank_chi,
    rank_sum,
    tables,
)


def some_tables(seed: int, size: int = 200) -> Tables:
    rng = np.random.default_rng(seed)
    return tables(rng.integers(0, 31, size), rng.integers(0, 301, size), (30, 300))


def test_fisher_is_twice_the_smaller_tail_of_the_exact_test() -> None:
    found = some_tables(1)
    p = fisher(found)
    for number in range(found.selection.size):
        a, b = int(found.selection[number]), int(found.baseline[number])
        table = np.array([[a, 30 - a], [b, 300 - b]])
        tails = [stats.fisher_exact(table, alternative=which).pvalue for which in ("less", "greater")]
        exact = min(1.0, 2 * min(tails))
        if exact < 0.2:
            assert p[number] == pytest.approx(exact, rel=1e-6)
        else:  # what is far from small need not be exact
            assert p[number] > 0.1


def test_fisher_of_one_tail_is_that_of_a_larger_share() -> None:
    found = tables(np.array([9, 1]), np.array([10, 290]), (30, 300))
    one, other = fisher(found, over_only=True)
    expected = stats.fisher_exact(np.array([[9, 21], [10, 290]]), alternative="greater").pvalue
    assert one == pytest.approx(expected)
    assert other == pytest.approx(1.0)


def test_fisher_of_large_sides_comes_near_the_exact_one() -> None:
    found = tables(np.array([600]), np.array([10_000]), (10_000, 200_000))
    exact = 2 * stats.hypergeom.sf(599, 210_000, 10_600, 10_000)
    assert np.log10(fisher(found)[0]) == pytest.approx(np.log10(exact), abs=0.5)


def test_fisher_of_nothing_is_one() -> None:
    empty = tables(np.array([0, 5, 0]), np.array([0, 9, 0]), (5, 9))
    assert fisher(empty).tolist() == [1.0, 1.0, 1.0]
    assert fisher(tables(np.array([0]), np.array([0]), (0, 0))).tolist() == [1.0]
    assert fisher(tables(np.zeros(0, dtype=int), np.zeros(0, dtype=int), (3, 4))).size == 0


def test_no_split_has_a_smaller_p_value_than_the_least() -> None:
    totals = np.arange(1, 50)
    least = least_fisher(totals, (12, 38))
    for total, bound in zip(totals.tolist(), least.tolist(), strict=True):
        split = np.arange(max(0, total - 38), min(12, total) + 1)
        p = fisher(tables(split, total - split, (12, 38)))
        assert p.min() >= bound * (1 - 1e-9)
        assert p.min() == pytest.approx(bound, rel=1e-6) or bound > 0.2


def test_the_likelihood_ratio_is_that_of_scipy() -> None:
    found = some_tables(2, 50)
    g = log_likelihood_ratio(found)
    for number in range(50):
        a, b = int(found.selection[number]), int(found.baseline[number])
        if 0 < a + b < 330:
            table = [[a, 30 - a], [b, 300 - b]]
            expected = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
            assert g[number] == pytest.approx(expected, abs=1e-6)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    # Newcombe (1998), table II: 56/70 - 48/80 and 9/10 - 3/10, method 10.
    found = Tables(np.array([56, 9]), np.array([48, 3]), np.array([70, 10]), np.array([80, 10]))
    low, high = difference_interval(found, 0.95)
    assert low.round(4).tolist() == [0.0524, 0.1705]
    assert high.round(4).tolist() == [0.3339, 0.8090]


def test_false_discoveries_are_controlled_as_in_scipy() -> None:
    p = np.random.default_rng(3).random(500) ** 3
    assert np.allclose(benjamini_hochberg(p), stats.false_discovery_control(p))
    more = np.concatenate((p, np.ones(500)))
    assert np.allclose(benjamini_hochberg(p, among=1000), stats.false_discovery_control(more)[:500])
    assert benjamini_hochberg(np.zeros(0)).size == 0


def test_within_strata_nothing_is_left_of_what_they_explain() -> None:
    rng = np.random.default_rng(4)
    p = []
    for _ in range(200):
        stratum = rng.integers(0, 2, 2_000)
        selected = rng.random(2_000) < np.where(stratum, 0.8, 0.1)
        has = rng.random(2_000) < np.where(stratum, 0.7, 0.2)
        marks = has, selected, has & selected, np.ones(2_000, dtype=bool)
        within = cochran_mantel_haenszel(*(np.bincount(stratum[mark], minlength=2) for mark in marks))
        p.append(float(within))
        assert cochran_mantel_haenszel(*(np.array([mark.sum()]) for mark in marks)) < 1e-30
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_ranks_are_compared_as_in_scipy() -> None:
    rng = np.random.default_rng(5)
    one, other = rng.integers(0, 20, 60).astype(float), rng.integers(3, 25, 90).astype(float)
    found = rank_sum(one, other, 0.95)
    expected = stats.mannwhitneyu(one, other, method="asymptotic", use_continuity=False)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.effect == pytest.approx(2 * expected.statistic / (60 * 90) - 1)
    assert found.low < found.effect < found.high < 0


def test_ranks_of_strata_add_up() -> None:
    rng = np.random.default_rng(6)
    strata = [(rng.normal(shift, 1, 30), rng.normal(shift, 1, 50)) for shift in (0.0, 100.0, 200.0)]
    assert rank_chi(strata) < 15
    assert rank_chi([(one + 2, other) for one, other in strata]) > 50
    assert rank_chi([(np.zeros(0), np.ones(3))]) == 0


def test_equal_values_differ_in_nothing() -> None:
    found = rank_sum(np.ones(10), np.ones(20), 0.95)
    assert (found.p_value, found.effect) == (1.0, 0.0)
    assert median_difference(np.ones(10), np.ones(20), 0.95) == (1.0, 1.0, 0.0, 0.0)


def test_intervals_of_medians_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        _, _, low, high = median_difference(rng.exponential(1, 80), rng.exponential(2, 120), 0.95)
        held += low <= np.log(2) * (1 - 2) <= high
    assert held / 400 > 0.92

from __future__ import annotations

import numpy as np
from scipy import sparse

from tracelab.differences.paths.cohort import Cohort
from tracelab.differences.paths.resampling import resampled

PATHS = 40


def cohort(taken: np.ndarray) -> Cohort:
    whole = np.rint(taken).astype(np.int64)
    paths, traces = whole.shape
    sums, nobody = whole.sum(axis=1), np.zeros(paths, dtype=np.int64)
    critical = sparse.csr_array(whole.astype(np.float64))
    return Cohort(traces, whole.sum(axis=0), critical, sums, sums, sums, nobody + traces, nobody, nobody + traces)


def drawn(rng: np.random.Generator, traces: int, times: float) -> np.ndarray:
    """Draw durations with long tails: some call paths are in all traces, some in a few."""
    there = rng.random((PATHS, traces)) < np.linspace(0.1, 1, PATHS)[:, None]
    return 1e6 * times * there * rng.lognormal(0, 1.5, (PATHS, traces))


def test_intervals_hold_the_difference_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    truth = 1e6 * (1.3 - 1.0) * np.linspace(0.1, 1, PATHS) * np.exp(1.5**2 / 2)
    quantile = np.quantile(drawn(rng, 100_000, 1.0).sum(axis=0), 0.8)
    missed, missed_whole, missed_quantile, runs = 0, 0, 0, 80
    for _ in range(runs):
        before, after = cohort(drawn(rng, 120, 1.0)), cohort(drawn(rng, 90, 1.3))
        found = resampled(before, after, resamples=100, confidence=0.95, quantile=0.8)
        missed += int(((truth < found.lower) | (truth > found.upper)).sum())
        missed_whole += not found.mean[0] <= truth.sum() <= found.mean[1]
        missed_quantile += not found.quantile[0] <= 0.3 * quantile <= found.quantile[1]
    # Quantiles of draws alone leave out 11 of 100. Of means of such tails no interval does much better than this.
    assert 0.02 <= missed / (runs * PATHS) <= 0.075
    assert missed_whole <= 10
    assert missed_quantile <= 10


def test_what_is_alike_in_all_traces_has_no_width() -> None:
    same = np.full((2, 100), 5e6)
    found = resampled(cohort(same), cohort(same + 1e6), resamples=50, confidence=0.95, quantile=0.95)
    np.testing.assert_allclose([found.lower, found.upper], 1e6)
    np.testing.assert_allclose([found.mean, found.quantile], 2e6)


def test_one_trace_gives_no_interval() -> None:
    one, more = cohort(np.ones((2, 1))), cohort(np.ones((2, 9)))
    for before, after in ((one, more), (more, one), (cohort(np.ones((2, 0))), more)):
        found = resampled(before, after, resamples=50, confidence=0.95, quantile=0.5)
        assert np.isnan([*found.lower, *found.upper, *found.mean, *found.quantile]).all()

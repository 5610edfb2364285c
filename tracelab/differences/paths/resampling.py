"""Intervals of differences of means, by drawing traces again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tracelab.differences.paths.cohort import Cohort

Floats: TypeAlias = npt.NDArray[np.float64]

_SEED: Final = 20_260_501
_AT_ONCE: Final = 32


def resampled(before: Cohort, after: Cohort, *, resamples: int, confidence: float) -> tuple[Floats, Floats, Floats]:
    """Draw the traces of both cohorts anew, with replacement, and take the differences of their means each time.

    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: the percentile interval.

    Returns
    -------
    The bounds of the difference of each call path's time on the critical path, in nanoseconds, and the two bounds of
    the difference from end to end; nan where a cohort has fewer than two traces.
    """
    paths = before.critical.shape[0]
    if min(before.traces, after.traces) < 2:
        nothing = np.full(paths, np.nan)
        return nothing, nothing.copy(), np.full(2, np.nan)
    rng = np.random.default_rng(_SEED)
    drawn = np.empty((resamples, paths))
    whole = np.empty(resamples)
    for low in range(0, resamples, _AT_ONCE):
        high = min(low + _AT_ONCE, resamples)
        means = []
        for cohort in (after, before):
            times = rng.multinomial(cohort.traces, np.full(cohort.traces, 1 / cohort.traces), high - low)
            weights = times.T.astype(np.float64) / cohort.traces
            means.append(((cohort.critical @ weights).T, cohort.total.astype(np.float64) @ weights))
        drawn[low:high] = means[0][0] - means[1][0]
        whole[low:high] = means[0][1] - means[1][1]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    lower, upper = np.quantile(drawn, tails, axis=0)
    return lower, upper, np.quantile(whole, tails)

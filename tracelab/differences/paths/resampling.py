"""Intervals of differences of means, by drawing traces again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import sparse, stats

if TYPE_CHECKING:
    from tracelab.array_types import Floats
    from tracelab.differences.paths.cohort import Cohort


_SEED: Final = 20_260_501
_AT_ONCE: Final = 32


@dataclass(frozen=True)
class Intervals:
    """The bounds of differences, in nanoseconds; nan where a cohort has fewer than two traces.

    Attributes
    ----------
    lower, upper
        Of each call path's mean time on the critical path.
    mean, quantile
        The two bounds of the mean from end to end, and those of the quantile.
    """

    lower: Floats
    upper: Floats
    mean: Floats
    quantile: Floats


def resampled(before: Cohort, after: Cohort, *, resamples: int, confidence: float, quantile: float) -> Intervals:
    """Draw the traces of both cohorts anew, with replacement, and take the differences of their means each time.

    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: the percentile interval. Where
    a few long traces decide a mean, draws spread too little, and that interval is too narrow; it is widened to Welch's
    for the difference of two means, which rests on the standard errors alone.
    """
    paths = before.critical.shape[0]
    if min(before.traces, after.traces) < 2:
        nothing, neither = np.full(paths, np.nan), np.full(2, np.nan)
        return Intervals(nothing, nothing, neither, neither)
    rng = np.random.default_rng(_SEED)
    taken = [_with_whole(after), _with_whole(before)]
    order = [np.argsort(cohort.total, kind="stable") for cohort in (after, before)]
    totals = [cohort.total[placed].astype(np.float64) for cohort, placed in zip((after, before), order, strict=True)]
    drawn = np.empty((paths + 1, resamples))
    quantiles = np.empty(resamples)
    for low in range(0, resamples, _AT_ONCE):
        high = min(low + _AT_ONCE, resamples)
        means, reached = [], []
        for each, placed, total in zip(taken, order, totals, strict=True):
            traces = total.size
            times = rng.multinomial(traces, np.full(traces, 1 / traces), high - low).T
            means.append(each @ (times.astype(np.float64) / traces))
            reached.append(total[(np.cumsum(times[placed], axis=0) < quantile * traces).sum(axis=0)])
        drawn[:, low:high] = means[0] - means[1]
        quantiles[low:high] = reached[0] - reached[1]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    lower, upper = np.quantile(drawn, tails, axis=1)
    difference, reach = _welch(taken[0], taken[1], confidence)
    lower, upper = np.minimum(lower, difference - reach), np.maximum(upper, difference + reach)
    ends = np.array([lower[-1], upper[-1]])
    return Intervals(lower[:-1], upper[:-1], ends, np.quantile(quantiles, tails))


def _with_whole(cohort: Cohort) -> sparse.csr_array:
    """Give what call paths took of each trace, and as the last row what all took."""
    whole = sparse.csr_array(cohort.total.astype(np.float64)[None, :])
    return sparse.csr_array(sparse.vstack([cohort.critical, whole]))


def _welch(one: sparse.csr_array, other: sparse.csr_array, confidence: float) -> tuple[Floats, Floats]:
    """Give the differences of the means of rows, and how far Welch's interval reaches to either side of them."""
    means, squares = zip(*(_mean_and_error(each) for each in (one, other)), strict=True)
    together = squares[0] + squares[1]
    freedom = np.zeros_like(together)
    for each, square in zip((one, other), squares, strict=True):
        freedom += square**2 / (each.shape[1] - 1)
    degrees = np.divide(together**2, freedom, out=np.ones_like(together), where=freedom > 0)
    return means[0] - means[1], np.sqrt(together) * stats.t.ppf((1 + confidence) / 2, degrees)


def _mean_and_error(taken: sparse.csr_array) -> tuple[Floats, Floats]:
    """Give the means of rows, and the squares of their standard errors."""
    traces = taken.shape[1]
    mean = np.asarray(taken.sum(axis=1)).ravel() / traces
    # From the mean on, since squares of nanoseconds lose too many digits; what a row does not hold is that far off.
    away = taken.tocoo()
    apart = np.bincount(away.row, (away.data - mean[away.row]) ** 2, minlength=taken.shape[0])
    held = np.bincount(away.row, minlength=taken.shape[0])
    return mean, (apart + (traces - held) * mean**2) / (traces - 1) / traces

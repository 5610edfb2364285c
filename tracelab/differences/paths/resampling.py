"""Intervals of differences of means, by drawing traces again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import sparse, stats

if TYPE_CHECKING:
    from tracelab.array_types import Floats, Ints
    from tracelab.differences.paths.cohort import Cohort


_SEED: Final = 20_260_501
_AT_ONCE: Final = 32
_DRAWN: Final = 20_000
_CELLS: Final = 10_000_000
"""How many means are held at once: names that hold ids make a call path of each span."""


@dataclass(frozen=True)
class Intervals:
    """The bounds of differences, in nanoseconds; nan where a cohort has fewer than two traces.

    Attributes
    ----------
    lower, upper
        Of each call path's mean time on the critical path.
    mean, quantile
        The two bounds of the mean from end to end, and those of the quantile; nan too where a cohort has too few traces
        for the quantile (fewer than 72 for p95, with a confidence of 0.95).
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
    draws, reached = zip(*(_drawn(cohort.total, resamples, quantile, rng) for cohort in (after, before)), strict=True)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    lower, upper = np.empty(paths + 1), np.empty(paths + 1)
    rows = max(_CELLS // resamples, 1)
    for low in range(0, paths + 1, rows):
        some = slice(low, low + rows)
        means = [_means_of(each[some], drawn) for each, drawn in zip(taken, draws, strict=True)]
        lower[some], upper[some] = np.quantile(means[0] - means[1], tails, axis=1)
    quantiles = reached[0] - reached[1]
    difference, reach = _welch(taken[0], taken[1], confidence)
    lower, upper = np.minimum(lower, difference - reach), np.maximum(upper, difference + reach)
    ends = np.array([lower[-1], upper[-1]])
    # The quantile may lie beyond all traces that there are: then no draw of them reaches it.
    known = max(quantile, 1 - quantile) ** min(before.traces, after.traces) <= tails[0]
    return Intervals(lower[:-1], upper[:-1], ends, np.quantile(quantiles, tails) if known else np.full(2, np.nan))


def _drawn(
    total: Ints, resamples: int, quantile: float, rng: np.random.Generator
) -> tuple[list[sparse.csc_array], Floats]:
    """Draw traces again and again; give how often each was drawn, and the quantile of each draw.

    Of very many traces a part is drawn each time, and the deviations are scaled down (see `what_if`).
    """
    order = np.argsort(total, kind="stable")
    traces, drawn = total.size, min(total.size, _DRAWN)
    scale = (drawn / traces) ** 0.5
    rank = max(int(np.ceil(quantile * drawn)), 1) - 1
    middle = float(total[order[max(int(np.ceil(quantile * traces)), 1) - 1]])
    times, reached = [], np.empty(resamples)
    for low in range(0, resamples, _AT_ONCE):
        count = min(_AT_ONCE, resamples - low)
        places = rng.integers(0, traces, (count, drawn), dtype=np.int32)
        reached[low : low + count] = total[order[np.partition(places, rank, axis=1)[:, rank]]]
        ends = np.arange(count + 1) * drawn
        ones = np.ones(places.size, dtype=np.uint16)
        each = sparse.csc_array((ones, order[places].astype(np.int32).ravel(), ends), shape=(traces, count))
        each.sum_duplicates()
        times.append(each)
    return times, middle + scale * (reached - middle)


def _means_of(taken: sparse.csr_array, times: list[sparse.csc_array]) -> Floats:
    """Give the means of rows, of each draw."""
    traces, drawn = taken.shape[1], int(times[0][:, [0]].sum())
    means: Floats = np.hstack([_product(taken, each) for each in times]) / drawn
    if drawn == traces:
        return means
    known = np.asarray(taken.sum(axis=1)).ravel()[:, None] / traces
    scaled: Floats = known + (drawn / traces) ** 0.5 * (means - known)
    return scaled


def _product(taken: sparse.csr_array, times: sparse.csc_array) -> Floats:
    if times.shape[0] <= _DRAWN:
        return np.asarray(taken @ times.toarray().astype(np.float64))
    return np.asarray((taken @ times.astype(np.float64).tocsr()).toarray())


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

"""Confidence intervals that assume no distribution."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl

from tracelab.options import share

NOWHERE: Final = -1


def checked_confidence(confidence: float) -> float:
    """Give the confidence back, or say why it is none."""
    return share("confidence", confidence, ends=False, why="0.95 is usual.")


def wilson(errors: pl.Expr, count: pl.Expr, *, confidence: float) -> tuple[pl.Expr, pl.Expr]:
    """Give the bounds of Wilson's score interval for a share.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212. It
    stays between 0 and 1 and says something sensible where no error was seen.
    """
    z = NormalDist().inv_cdf(0.5 + checked_confidence(confidence) / 2)
    errors, count = errors.cast(pl.Float64), count.cast(pl.Float64)
    rate = errors / count
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * (rate * (1 - rate) / count + z * z / (4 * count * count)).sqrt()
    # At the ends rounding would leave a bound a hair off 0 or 1.
    lower = pl.when(errors == 0).then(0.0).otherwise(middle - reach)
    upper = pl.when(errors == count).then(1.0).otherwise(middle + reach)
    return lower, upper


@lru_cache(maxsize=65_536)
def order_statistics(count: int, quantile: float, confidence: float) -> tuple[int, int] | None:
    """Say between which order statistics a quantile lies, whatever the distribution.

    The number of values below the quantile is binomial; the bounds are the order statistics that cut off at most half
    of what `confidence` leaves on either side (W. J. Conover, "Practical Nonparametric Statistics", section 3.2;
    Hahn and Meeker, "Statistical Intervals", section 5.2).

    Returns
    -------
    The places of the bounds among the sorted values, counted from 0; None if the sample is too small to have both.
    """
    lower, upper = lone_order_statistic(count, quantile, confidence)
    return None if NOWHERE in (lower, upper) else (lower, upper)


@lru_cache(maxsize=65_536)
def lone_order_statistic(count: int, quantile: float, confidence: float) -> tuple[int, int]:
    """Give the places of the bounds of `order_statistics` one by one, -1 for one that the sample is too small to have.

    A bound alone leaves out at most half of what `confidence` leaves.
    """
    if not 0 < quantile < 1 or count < 1:
        return NOWHERE, NOWHERE
    tail = (1 - confidence) / 2
    first, mass = _binomial(count, quantile)
    below = np.cumsum(mass)
    # P(fewer than `lower` values are below) <= tail, and P(at least `upper` are) <= tail, both as large as they may be.
    lower = first + int(np.searchsorted(below, tail, side="right"))
    upper = first + int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return (lower - 1 if lower >= 1 else NOWHERE), (upper - 1 if upper <= count else NOWHERE)


def _binomial(count: int, rate: float) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Give the probabilities of a binomial variable around its mean, and the number that the first belongs to.

    What is more than ten standard deviations off is less than rounding.
    """
    reach = 10 * (count * rate * (1 - rate)) ** 0.5 + 10
    first, last = max(0, int(count * rate - reach)), min(count, int(count * rate + reach))
    numbers = np.arange(first + 1, last + 1)
    steps = np.log((count - numbers + 1) / numbers) + np.log(rate / (1 - rate))
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    mass = np.exp(logs - logs.max())
    return first, mass / mass.sum()

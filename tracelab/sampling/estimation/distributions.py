"""The distributions behind intervals, for whole arrays: the normal one, Student's, and the binomial one."""

from __future__ import annotations

from statistics import NormalDist
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

_TINY: Final = 1e-300
_CLOSE: Final = 1e-11
_TERMS: Final = 2_000
_BOLD: Final = 2.0
_NEARLY_NORMAL: Final = 200
_FAR_OUT: Final = 12
_SPREAD: Final = 12
_SMALL: Final = 1e-4
_STEPS: Final = 9


def normal_quantile(confidence: float) -> float:
    """Give the number of standard deviations that a two-sided interval reaches to either side."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def student_quantile(confidence: float, freedom: Floats) -> Floats:
    """Give the same for Student's distribution; infinite where there is no degree of freedom."""
    degrees, which = np.unique(freedom, return_inverse=True)
    known, z = degrees > 0, normal_quantile(confidence)
    found = np.where(known, z, np.inf)
    few = known & np.isfinite(degrees)
    v = degrees[few]
    # The expansion around the normal quantile is exact enough for many degrees, and a start for few.
    t = z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    some = v < _NEARLY_NORMAL
    t[some] = _students(1 - confidence, v[some], np.maximum(np.minimum(t[some], 10 * z), _SMALL))
    found[few] = t
    return found[which].reshape(freedom.shape)


def _students(tail: float, v: Floats, t: Floats) -> Floats:
    """Search for where both tails have a probability, by Newton's steps on logarithms: tails are nearly powers of t."""
    norm = log_gamma((v + 1) / 2) - log_gamma(v / 2) - 0.5 * np.log(v * np.pi)
    for _ in range(_STEPS):
        beyond = beta_below(v / (v + t * t), v / 2, np.full(v.size, 0.5))
        density = np.exp(norm - (v + 1) / 2 * np.log1p(t * t / v))
        step = np.log(np.maximum(beyond, _TINY) / tail) * beyond / (2 * density * t)
        t = t * np.exp(np.clip(step, -_BOLD, _BOLD))
    return t


def at_least(successes: Floats, trials: Floats, rate: Floats) -> Floats:
    """Give the probability of so many successes or more; numbers that are not whole are interpolated smoothly."""
    inside = (successes > 0) & (successes < trials + 1)
    wanted = np.where(inside, successes, 1.0)
    some = beta_below(rate, wanted, np.where(inside, trials - wanted + 1, 1.0))
    return np.where(inside, some, np.where(successes <= 0, 1.0, 0.0))


def exceeded(trials: Floats, rate: Floats, tail: float) -> Floats:
    """Give the share of trials that a binomial number exceeds with a small probability; 1 where there is none so high.

    Half of the probability of the number itself counts, as effective numbers of trials are not whole.
    """
    n, p = np.asarray(trials, dtype=np.float64), np.asarray(rate, dtype=np.float64)
    variance = n * p * (1 - p)
    z = NormalDist().inv_cdf(1 - tail)
    with np.errstate(divide="ignore", invalid="ignore"):
        # E. Cornish and R. Fisher's expansion around the normal quantile.
        found = n * p + z * np.sqrt(variance) + (z * z - 1) * (1 - 2 * p) / 6
        curved = (z**3 - 3 * z) * (1 - 6 * p * (1 - p)) / 24 - (2 * z**3 - 5 * z) * (1 - 2 * p) ** 2 / 36
        found = found + curved / np.sqrt(variance)
    some = (p > 0) & (p < 1) & (n > 0)
    few = some & (variance < _SPREAD)
    found = np.where(some, found, n)
    if few.any():
        found[few] = _searched(n[few], p[few], tail, found[few])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(some, np.minimum(found / n, 1.0), 1.0)


def _searched(n: Floats, p: Floats, tail: float, guess: Floats) -> Floats:
    """Search for what `exceeded` looks for around a guess, on logarithms, which are nearly straight there."""

    def beyond(x: Floats) -> Floats:
        mass = log_gamma(n + 1) - log_gamma(x + 1) - log_gamma(n - x + 1) + x * np.log(p) + (n - x) * np.log1p(-p)
        return np.log(np.maximum(at_least(x, n, p) - np.exp(mass) / 2, _TINY))

    wanted = np.log(tail)
    low, high = np.minimum(n * p, n), n.copy()
    unbounded = beyond(high) >= wanted
    x, before = np.clip(guess, low, high), np.clip(guess + 0.5, low, high)
    before = np.where(before == x, np.maximum(x - 0.5, low), before)
    there = beyond(before)
    for _ in range(_STEPS):
        here = beyond(x)
        more = here > wanted
        low, high = np.where(more, x, low), np.where(more, high, x)
        with np.errstate(divide="ignore", invalid="ignore"):
            further = x + (wanted - here) * (x - before) / (here - there)
        inside = (further > low) & (further < high)
        before, there = x, here
        x = np.where(inside, further, (low + high) / 2)
    return np.where(unbounded, n, x)


def beta_below(x: Floats, a: Floats, b: Floats) -> Floats:
    """Give the regularised incomplete beta function, by its continued fraction (DLMF 8.17.22)."""
    x, a, b = (np.asarray(part, dtype=np.float64) for part in np.broadcast_arrays(x, a, b))
    # The fraction converges quickly below the mean only; above it the mirrored one does.
    mirrored = x > (a + 1) / (a + b + 2)
    p, q, at = np.where(mirrored, b, a), np.where(mirrored, a, b), np.where(mirrored, 1 - x, x)
    inside = (at > 0) & (at < 1)
    safe = np.where(inside, at, 0.5)
    front = p * np.log(safe) + q * np.log1p(-safe) + log_gamma(p + q) - log_gamma(p) - log_gamma(q)
    value = np.where(inside, np.exp(front) * _fraction(safe, p, q) / p, np.where(at <= 0, 0.0, 1.0))
    return np.where(mirrored, 1 - value, value)


def log_gamma(x: Floats) -> Floats:
    """Give the logarithm of the gamma function of positive numbers: Stirling's series, further out (DLMF 5.11.1)."""
    steps = np.prod([x + step for step in range(_FAR_OUT)], axis=0)
    far = np.where(x < _FAR_OUT, x + _FAR_OUT, x)
    correction = 1 / (12 * far) - 1 / (360 * far**3) + 1 / (1260 * far**5) - 1 / (1680 * far**7)
    stirling: Floats = (far - 0.5) * np.log(far) - far + 0.5 * np.log(2 * np.pi) + correction
    return stirling - np.where(x < _FAR_OUT, np.log(np.where(x < _FAR_OUT, steps, 1.0)), 0.0)


def _fraction(x: Floats, a: Floats, b: Floats) -> Floats:
    """Work the continued fraction out, by Lentz' method, as long as some item still changes."""

    def clear_of_zero(part: Floats) -> Floats:
        part[part == 0] = _TINY
        return part

    c = np.ones(x.shape)
    d = 1 / clear_of_zero(1 - (a + b) * x / (a + 1))
    result = d.copy()
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / clear_of_zero(1 + even * d), clear_of_zero(1 + even / c)
        result = result * d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / clear_of_zero(1 + odd * d), clear_of_zero(1 + odd / c)
        change = d * c
        result = result * change
        if not m % 4 and bool(np.all(np.abs(change - 1) < _CLOSE)):
            break
    return result

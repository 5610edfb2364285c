"""The distributions behind intervals, for whole arrays: the normal one and Student's."""

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

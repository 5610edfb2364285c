"""How likely it is that a count came about by chance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from tracelab.array_types import Flags, Ints

UNLIKELY: Final = math.log(1_000)
"""The logarithm of how unlikely something must be before it is taken for more than chance."""

_KS_LIMIT: Final = 1.95
"""Kolmogorov and Smirnov's statistic that chance exceeds once in a thousand times."""


def surprise(count: int, out_of: int, share: float) -> float:
    """Give the logarithm of how unlikely so many are where a share is expected, at least (Chernoff's bound); 0 if less.

    Examples
    --------
    >>> round(surprise(3, 3, 0.1), 2)  # three of three: 0.1 to the power of three
    6.91
    >>> surprise(1, 10, 0.1)
    0.0
    """
    if not out_of or count <= share * out_of:
        return 0.0
    if not share:
        return math.inf
    seen = count / out_of
    rest = 0.0 if seen == 1 else (1 - seen) * math.log((1 - seen) / (1 - share))
    return out_of * (seen * math.log(seen / share) + rest)


def same_times(one: Ints, other: Ints) -> bool:
    """Say whether two sets of times may have been drawn from the same stretch of time."""
    if not one.size or not other.size:
        return True
    one, other = np.sort(one), np.sort(other)
    every = np.concatenate((one, other))
    of_one = np.searchsorted(one, every, "right") / one.size
    of_other = np.searchsorted(other, every, "right") / other.size
    size = math.sqrt(one.size * other.size / (one.size + other.size))
    return float(np.abs(of_one - of_other).max()) * size < _KS_LIMIT


def is_cut(values: npt.NDArray[np.uint64], marked: Flags) -> bool:
    """Say whether those marked lie on one side of some value and the others on the other, by more than chance."""
    few, all_of_them = min(int(marked.sum()), int((~marked).sum())), values.size
    below = np.cumsum(marked[np.argsort(values, kind="stable")])
    place = np.arange(1, all_of_them + 1)
    # How many stand on the wrong side if all up to a place should be marked, or all behind it.
    marked_first = place - below + (below[-1] - below)
    wrong = int(min(marked_first.min(), (all_of_them - marked_first).min()))
    ways = math.lgamma(all_of_them + 1) - math.lgamma(few + 1) - math.lgamma(all_of_them - few + 1)
    return wrong <= few // 50 and ways > UNLIKELY + math.log(16)

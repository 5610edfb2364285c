"""What was dropped: how much it may have been, as far as what was kept tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats

# How much of a further draw puts limits between those that are surely wide enough and those that are too narrow. They
# rest on no population: for draws that are alike they give the Poisson limits that count half of the chance of what was
# seen ("mid-P"). So of a side of which nothing was seen there may be 3 draws: none is kept of them in 5 % of all cases.
_FURTHER_DOWN: Final = 0.4
_FURTHER_UP: Final = 0.75
# For how many of the draws that were seen it counts how large a usual trace is: what was not seen may be larger. It was
# chosen on the populations of `tests/sampling/estimation/coverage.py`: with 1, high quantiles are above their upper
# bound too often where one trace of thousands holds a sixth of what is slow; with 3, bounds are lost that were right.
# On others (two kinds of traces, traces that fail whole) it does as well. Where a handful of large traces holds nearly
# all that is slow or failed, or most of all spans (sizes by a power law), and none of these is kept, what was seen
# cannot tell: there 76 to 94 % were measured.
_BELIEF: Final = 1.5


@dataclass(frozen=True, slots=True)
class Dropped:
    """Sums over what was dropped of each group, estimated from what was kept.

    One draw that stands for w, and adds x to a sum, tells of w - 1 like it that were dropped.

    Attributes
    ----------
    mean
        The sum itself.
    variance, third
        Its variance, and its third moment.
    """

    mean: Floats
    variance: Floats
    third: Floats

    def limits(
        self, event: Floats, chance: Floats, z: float, unseen: Flags | bool = True
    ) -> tuple[Floats, Floats, Floats]:
        """Bound the sum: the lower limit, the mean, the upper limit.

        They are E. Byar's, for a Poisson number, and a part of a draw more than was seen is taken for each. So a sum of
        which nothing was seen may still be there, where it is `unseen`: as draws that have the largest weight of the
        group, and add as much as an `event`. The more is seen, the more that says how large draws are. Where they
        differ in size, the few largest are most of the sum, and the upper limit is a Student's, with two degrees of
        freedom for each draw that counts (the first term of the series around the normal distribution).

        Parameters
        ----------
        event
            What a draw adds of which nothing was seen.
        chance
            How probably such a draw is dropped.
        z
            The number of standard deviations that limits are apart from the mean.
        unseen
            Of which groups there may be some though none was seen.
        """
        mean, variance, third = self.mean, self.variance, self.third
        with np.errstate(divide="ignore", invalid="ignore"):
            there = (variance > 0) & (third > 0)
            largest = np.where(there, third / variance, 0.0)
            number = np.where(there, variance / largest**2, 0.0)
            unlike = np.where(there, np.maximum(1 - number * variance / mean**2, 0), 0.0)
            below = (event + largest * number) / (number + 1)
            above = (_BELIEF * event + largest * number) / (number + _BELIEF)
            further = z * (1 + (z * z + 1) / 8 * unlike / np.maximum(number, 1))
            # Draws of several sizes are as skew as fewer draws of a larger size, and the rest of the mean is a shift:
            # what is to be found above may be the few largest, none of which was kept.
            skew = largest * number
            lower = np.fmin(_byar(mean, variance, below, chance * _FURTHER_DOWN, -z), mean)
            upper = np.fmax(mean - skew + _byar(skew, variance, above, chance * _FURTHER_UP, further), mean)
        return np.where(there, lower, 0.0), mean, np.where(there | unseen, upper, 0.0)


def _byar(mean: Floats, variance: Floats, event: Floats, further: Floats, z: Floats | float) -> Floats:
    """Give a limit of a sum of which a mean and a variance were seen, and so many further events are taken for it."""
    mean, variance = mean + further * event, variance + further * event**2
    spread = np.sqrt(variance) / (3 * mean)
    limit: Floats = mean * np.maximum(1 - spread**2 + z * spread, 0) ** 3
    return limit


def difference(more: tuple[Floats, Floats, Floats], fewer: tuple[Floats, Floats, Floats]) -> tuple[Floats, Floats]:
    """Bound the difference of two sums that do not depend on each other, by their limits.

    The distances to the limits are added as standard deviations are (G. Zou and A. Donner, Statistics in Medicine 27,
    2008).
    """
    middle = more[1] - fewer[1]
    down = np.hypot(more[1] - more[0], fewer[2] - fewer[1])
    up = np.hypot(more[2] - more[1], fewer[1] - fewer[0])
    return middle - down, middle + up

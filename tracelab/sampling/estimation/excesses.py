"""Excesses: how many items more than a part of all lie below a value, as far as a sample knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracelab.sampling.estimation.samples import Floats, Ints, Sample

# How much of a further draw puts limits between those that are surely wide enough and those that are too narrow. Of a
# side of which nothing was seen there may be 3 draws: with that mean none is seen in 5 % of all cases.
_FURTHER_DOWN: Final = 0.4
_FURTHER_UP: Final = 0.75
_HAIR: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Draws:
    """What was drawn, as each item sees it: the items of a trace, a group and a weight were kept or dropped together.

    The items come group by group, and inside of each as they grow.

    Attributes
    ----------
    weight
        The weight of the draw, over the largest one of its group, so that no group is lost beside another's weights.
    chance
        By how much the weight is above 1, in the same unit: 0 where the draw was sure.
    rank
        How many items of the draw are smaller.
    size
        How many items it has.
    times
        By how many times its variance counts, as draws from one trace with several weights depend on each other.
    unit
        For each group, the largest weight.
    usual
        For each group, how many items a draw has on average.
    begins, ends
        For each group, where its items begin and end.
    """

    weight: Floats
    chance: Floats
    rank: Floats
    size: Floats
    times: Floats
    unit: Floats
    usual: Floats
    begins: Ints
    ends: Ints

    @classmethod
    def of(cls, sample: Sample, by_value: Ints) -> Draws:
        """Find the draws of a sample."""
        order, weight = sample.order, sample.ordered_weight
        begins = sample.begins
        times = np.ones(begins.size)
        if sample.mixed.size:
            new = np.zeros(weight.size, dtype=np.bool_)
            new[begins] = True
            several = new.copy()
            several[1:] |= weight[1:] != weight[:-1]
            drawn = np.flatnonzero(several)
            cluster = np.cumsum(new)[drawn] - 1
            chances = np.bincount(cluster, weights=weight[drawn] > 1)
            begins, times = drawn, np.maximum(chances, 1)[cluster]
        size = np.diff(begins, append=weight.size)
        drawn_weight = np.where(np.isnan(weight[begins]), 1.0, weight[begins])
        number = np.empty(weight.size, dtype=np.int64)
        number[order] = np.repeat(np.arange(begins.size), size)
        number = number[by_value]
        rank = np.zeros(weight.size)
        if begins.size < weight.size:
            together = np.argsort(number, kind="stable")
            rank[together] = np.arange(weight.size) - np.repeat(np.cumsum(size) - size, size)
        unit = sample.heaviest[sample.group[by_value]]
        ends = np.cumsum(np.bincount(sample.group, minlength=sample.groups))
        counts = np.diff(ends, prepend=0)
        squares = np.bincount(sample.group[order[begins]], weights=size * size, minlength=sample.groups)
        return cls(
            weight=drawn_weight[number] / unit,
            chance=(drawn_weight[number] - 1) / unit,
            rank=rank,
            size=size[number].astype(np.float64),
            times=times[number],
            unit=sample.heaviest,
            usual=squares / np.maximum(counts, 1),
            begins=ends - counts,
            ends=ends,
        )


@dataclass(frozen=True, slots=True)
class Excess:
    """How many items more than a part p of all lie at or below a value, as a sample knows it.

    It is the sum over draws of how many items they have up to the value, less p times how many they have. The draws
    that have more and those that have fewer are different ones, so that what was dropped of either is known by itself.

    Attributes
    ----------
    more, fewer
        The running sums of what was dropped on each side: the mean, the variance, and the third moment.
    """

    draws: Draws
    p: float
    more: tuple[Floats, Floats, Floats]
    fewer: tuple[Floats, Floats, Floats]

    @classmethod
    def of(cls, draws: Draws, p: float) -> Excess:
        """Add up value by value."""
        before = draws.rank - p * draws.size
        after = before + 1
        mean, variance = draws.chance, draws.chance * draws.weight * draws.times
        skewness = variance * draws.weight

        def sums(low: Floats, high: Floats) -> tuple[Floats, Floats, Floats]:
            low, high = np.maximum(low, 0), np.maximum(high, 0)
            return (
                _running(mean * (high - low)),
                _running(variance * (high**2 - low**2)),
                _running(skewness * (high**3 - low**3)),
            )

        return cls(draws, p, sums(before, after), sums(-before, -after))

    def range(self, taken: Ints, z: float) -> tuple[Floats, Floats]:
        """Bound the excess of each group at the value of so many of its items, or below all where it is 0."""
        begins, ends, unit = self.draws.begins, self.draws.ends, self.draws.unit
        at, p = begins + taken, self.p
        more = self._limits((sums[at] - sums[begins] for sums in self.more), (1 - p) * self.draws.usual, z)
        fewer = self._limits((sums[at] - sums[ends] for sums in self.fewer), p * self.draws.usual, z)
        middle = taken - p * (ends - begins) + unit * (more[1] - fewer[1])
        # G. Zou and A. Donner (Statistics in Medicine 27, 2008): the distances to the limits are added as deviations.
        reach_down = np.hypot(more[1] - more[0], fewer[2] - fewer[1])
        reach_up = np.hypot(more[2] - more[1], fewer[1] - fewer[0])
        return middle - unit * reach_down, middle + unit * reach_up

    def _limits(self, sums: Iterable[Floats], event: Floats, z: float) -> tuple[Floats, Floats, Floats]:
        """Bound what was dropped on one side: the lower limit, the mean, the upper limit.

        They are E. Byar's, for a Poisson number, and a part of a draw more than was seen is taken for each. So a side
        of which nothing was seen may still be there: as draws that have the largest weight of the group, and as many
        items as the trace of a usual item has. The more is seen of a side, the more that says how large its draws are.
        """
        mean, variance, skewness = (np.maximum(part, 0.0) for part in sums)
        chance = 1 - 1 / self.draws.unit
        with np.errstate(divide="ignore", invalid="ignore"):
            there = (variance > 0) & (skewness > 0)
            largest = np.where(there, skewness / variance, 0.0)
            number = np.where(there, variance / largest**2, 0.0)
            event = (event + largest * number) / (number + 1)
            # Draws of several sizes are as skew as fewer draws of a larger size, and the rest of the mean is a shift:
            # what is to be found above may be the few largest, none of which was kept.
            skew = largest * number
            lower = np.fmin(_byar(mean, variance, event, chance * _FURTHER_DOWN, -z), mean)
            upper = np.fmax(mean - skew + _byar(skew, variance, event, chance * _FURTHER_UP, z), mean)
        return lower, mean, upper

    def first(self, z: float, *, upper: bool) -> Ints:
        """Find which item of each group, counted from 1, may be the last below a quantile, or `upper` is above it.

        It is 0 where the quantile may lie below all items, and one more than there are where it may lie above them.
        """
        counts = self.draws.ends - self.draws.begins
        low, high = np.zeros(counts.size, dtype=np.int64), counts + 1
        hair = _HAIR * counts
        while np.any(low < high):
            at = (low + high) // 2
            least, most = self.range(np.minimum(at, counts), z)
            there = least >= 1 - self.p - hair if upper else most > hair - self.p
            there |= at > counts
            low, high = np.where(there | (low >= high), low, at + 1), np.where(there, at, high)
        return low


def _byar(mean: Floats, variance: Floats, event: Floats, further: Floats, z: float) -> Floats:
    """Give a limit of a sum of which a mean and a variance were seen, and so many further events are taken for it."""
    mean, variance = mean + further * event, variance + further * event**2
    spread = np.sqrt(variance) / (3 * mean)
    limit: Floats = mean * np.maximum(1 - spread**2 + z * spread, 0) ** 3
    return limit


def _running(steps: Floats) -> Floats:
    return np.concatenate(([0.0], np.cumsum(steps)))

"""Excesses: how many items more than a part of all lie below a value, as far as a sample knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.sampling.estimation.dropped import Dropped, difference

if TYPE_CHECKING:
    from tracelab.array_types import Floats, Ints
    from tracelab.sampling.estimation.draws import Draws
    from tracelab.sampling.estimation.samples import Sample

_HAIR: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Places:
    """Where each item stands in its draw; the items come group by group, and inside of each as they grow.

    Attributes
    ----------
    draws
        The draws.
    of
        The draw of each item.
    rank
        How many items of its draw are smaller.
    begins, ends
        For each group, where its items begin and end.
    """

    draws: Draws
    of: Ints
    rank: Floats
    begins: Ints
    ends: Ints

    @classmethod
    def ordered(cls, sample: Sample, by_value: Ints) -> Places:
        """Find the places of items that come in some order."""
        draws = sample.draws
        size = draws.size.astype(np.int64)
        number = np.empty(by_value.size, dtype=np.int64)
        number[draws.order] = np.repeat(np.arange(size.size), size)
        number = number[by_value]
        rank = np.zeros(by_value.size)
        if size.size < by_value.size:
            together = np.argsort(number, kind="stable")
            rank[together] = np.arange(by_value.size) - np.repeat(np.cumsum(size) - size, size)
        counts = np.bincount(sample.group, minlength=sample.groups)
        ends = np.cumsum(counts)
        return cls(draws, number, rank, ends - counts, ends)


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

    places: Places
    p: float
    more: tuple[Floats, Floats, Floats]
    fewer: tuple[Floats, Floats, Floats]

    @classmethod
    def of(cls, places: Places, p: float) -> Excess:
        """Add up value by value."""
        draws, of = places.draws, places.of
        before = places.rank - p * draws.size[of]
        after = before + 1
        # Sums run on through all groups, so that an unknown weight must not be part of them.
        mean, variance, third = (np.nan_to_num(part)[of] for part in draws.moments)

        def sums(low: Floats, high: Floats) -> tuple[Floats, Floats, Floats]:
            low, high = np.maximum(low, 0), np.maximum(high, 0)
            return (
                _running(mean * (high - low)),
                _running(variance * (high**2 - low**2)),
                _running(third * (high**3 - low**3)),
            )

        return cls(places, p, sums(before, after), sums(-before, -after))

    def range(self, taken: Ints, z: float) -> tuple[Floats, Floats]:
        """Bound the excess of each group at the value of so many of its items, or below all where it is 0."""
        begins, ends, draws, p = self.places.begins, self.places.ends, self.places.draws, self.p
        at, chance = begins + taken, draws.unseen_chance
        more = _between(self.more, begins, at).limits((1 - p) * draws.usual, chance, z)
        fewer = _between(self.fewer, ends, at).limits(p * draws.usual, chance, z)
        low, high = difference(more, fewer)
        seen = taken - p * (ends - begins)
        return seen + draws.unit * low, seen + draws.unit * high

    def first(self, z: float, *, upper: bool) -> Ints:
        """Find which item of each group, counted from 1, may be the last below a quantile, or `upper` is above it.

        It is 0 where the quantile may lie below all items, and one more than there are where it may lie above them.
        """
        counts = self.places.ends - self.places.begins
        low, high = np.zeros(counts.size, dtype=np.int64), counts + 1
        hair = _HAIR * counts
        while np.any(low < high):
            at = (low + high) // 2
            least, most = self.range(np.minimum(at, counts), z)
            there = least >= 1 - self.p - hair if upper else most > hair - self.p
            there |= at > counts
            low, high = np.where(there | (low >= high), low, at + 1), np.where(there, at, high)
        return low


def _between(sums: tuple[Floats, Floats, Floats], begins: Ints, ends: Ints) -> Dropped:
    """Give the part of running sums from one place of each group to another; rounding leaves none below 0."""
    return Dropped(*(np.maximum(part[ends] - part[begins], 0.0) for part in sums))


def _running(steps: Floats) -> Floats:
    return np.concatenate(([0.0], np.cumsum(steps)))

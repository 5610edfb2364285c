"""Draws: what was kept or dropped together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tracelab.sampling.estimation.dropped import Dropped

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints


@dataclass(frozen=True)
class Draws:
    """The draws of a sample: the items of a trace, a group and a weight were kept or dropped together.

    Attributes
    ----------
    order
        The items, draw by draw.
    begins
        Where each draw begins in that order.
    group
        The group of each draw.
    stands_for
        Its weight.
    times
        By how many times its variance counts, as draws from one trace with several weights depend on each other.
    unit
        For each group, the largest weight that what was dropped may have had.
    """

    order: Ints
    begins: Ints
    group: Ints
    stands_for: Floats
    times: Floats
    unit: Floats

    @cached_property
    def weight(self) -> Floats:
        """The weight of each draw, over the unit of its group: no group is lost beside another's weights."""
        return self.stands_for / self.unit[self.group]

    @cached_property
    def chance(self) -> Floats:
        """By how much the weight of each draw is above 1, in the same unit: 0 where the draw was sure."""
        return (self.stands_for - 1) / self.unit[self.group]

    @cached_property
    def size(self) -> Floats:
        """How many items each draw has."""
        return np.diff(self.begins, append=self.order.size).astype(np.float64)

    @cached_property
    def usual(self) -> Floats:
        """For each group, how many items the draw of a usual item has."""
        return self.of_groups(self.size**2) / np.maximum(self.of_groups(self.size), 1)

    @cached_property
    def unseen_chance(self) -> Floats:
        """For each group, how probably a draw is dropped of which nothing was seen."""
        return 1 - 1 / np.maximum(self.unit, 1)

    def added(self, items: Floats | Flags) -> Floats:
        """Add up over the items of each draw, or count those that have a flag."""
        return np.add.reduceat(items[self.order], self.begins, dtype=np.float64) if items.size else np.zeros(0)

    def of_groups(self, numbers: Floats | Flags) -> Floats:
        """Add up over the draws of each group."""
        return np.bincount(self.group, weights=numbers, minlength=self.unit.size).astype(np.float64)

    @cached_property
    def moments(self) -> tuple[Floats, Floats, Floats]:
        """What each draw tells of those that were dropped, if it adds 1: the mean, the variance, the third moment."""
        variance = self.chance * self.weight * self.times
        return self.chance, variance, variance * self.weight

    def dropped(self, numbers: Floats) -> Dropped:
        """Estimate the sum over what was dropped of numbers that the draws have, over the unit of each group."""
        powers = (numbers, numbers**2, numbers**3)
        return Dropped(*(self.of_groups(part * power) for part, power in zip(self.moments, powers, strict=True)))

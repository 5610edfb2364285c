"""Siblings that overlap: what their parent has from each of them alone getting shorter or longer.

The formulas are those of `propagating`, for a change of one child.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.analysis.arrays import group_starts, running_max
from tracelab.forest import NOBODY

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.forest import Forest
    from tracelab.retiming.order import Order, Placed

_NEVER: Final = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Crowds:
    """The children that overlap with siblings, group by group and in a group by start.

    Attributes
    ----------
    child
        Their places.
    number
        For every place which of them it is, -1 if none.
    start, end, above_end
        When they start and end, and when their parents end.
    followed
        Which of them may be what came after their group followed.
    begin, stop
        Where the group of each begins and stops.
    finish
        When the group of each ends.
    """

    child: Ints
    number: Ints
    start: Ints
    end: Ints
    above_end: Ints
    followed: Flags
    begin: Ints
    stop: Ints
    finish: Ints

    @cached_property
    def behind(self) -> Ints:
        """The first of the group that starts when this one has ended, or where the group stops."""
        which = np.concatenate((self.begin, self.begin))
        order = np.lexsort((np.arange(which.size) < self.start.size, np.concatenate((self.start, self.end)), which))
        before = np.cumsum(order < self.start.size)
        result = np.empty(which.size, dtype=np.int64)
        result[order] = before
        return result[self.start.size :]

    @cached_property
    def alone(self) -> Flags:
        """Which of them are the only ones that may have been followed."""
        begins = group_starts(self.begin)
        counts = np.add.reduceat(self.followed.astype(np.int64), begins) if begins.size else begins
        single: Flags = self.followed & (np.repeat(counts, np.diff(begins, append=self.begin.size)) == 1)
        return single

    @cached_property
    def cap(self) -> Ints:
        """How much their parents gain from each at most, by the pessimistic bound."""
        # The only one to be followed is the last to end; without it the last of the others is.
        before = _shifted(running_max(self.end, self.begin), self.begin, _NEVER)
        after = _shifted(running_max(self.end[::-1], self.begin[::-1]), self.begin[::-1], _NEVER)[::-1]
        result = np.zeros_like(self.end)
        result[self.alone] = (self.finish - np.maximum(before, after))[self.alone]
        return result

    def least_slack(self) -> Ints:
        """Give by how much each place may grow before its parent may do so."""
        reached = np.append(running_max(self.end[::-1], self.begin[::-1])[::-1], 0)
        waited = np.append(running_max(self.followed[::-1].astype(np.int64), self.begin[::-1])[::-1], 0)
        some = self.behind < self.stop
        latest = np.maximum(self.end, np.where(some, reached[self.behind], self.end))
        waited_for = self.followed | (some & (waited[self.behind] > 0))
        return self._by_place(np.where(waited_for, 0, self.finish - latest))

    def most_slack(self) -> Ints:
        """Give by how much each place may grow before its parent must do so."""
        return self._by_place(np.where(self.alone, 0, self.above_end - self.end))

    def _by_place(self, values: Ints) -> Ints:
        result = np.zeros_like(self.number)
        result[self.child] = values
        return result

    def nearest(self, forest: Forest) -> Ints:
        """Give for every place itself or the nearest place above that is in a crowd, else its root."""
        ends = (self.number >= 0) | ~forest.has_parent
        jump = np.where(ends, np.arange(self.number.size), forest.parent)
        while True:
            further = jump[jump]
            if np.array_equal(further, jump):
                return jump
            jump = further

    def saved(self, member: Ints, amount: Ints) -> Ints:
        """Say what their parents gain, by the optimistic bound, if each of these alone gets shorter by so much."""
        end, parent_end = self.end[member] - amount, self.above_end[member]
        moved = np.clip(self._latest_followed[member] - end, 0, amount)
        shift = np.where(self.followed[member], -amount, -moved)
        # What started before the new end stays as it is, and what started from there to the old end may do so earlier,
        # at the new end. What started later ends earlier by the whole amount.
        after = self._first_after(member, end)
        for low, high in ((self.begin[member], member), (member + 1, after)):
            latest, some = self._ends.between(low, high)
            shift = np.where(some, np.maximum(shift, latest - parent_end), shift)
        longest, some = self._lengths.between(after, self.behind[member])
        return -np.where(some, np.maximum(shift, longest + end - parent_end), shift)

    @cached_property
    def _ends(self) -> Largest:
        return Largest.of(self.end, self.stop - self.begin)

    @cached_property
    def _lengths(self) -> Largest:
        return Largest.of(self.end - self.start, self.stop - self.begin)

    @cached_property
    def _latest_followed(self) -> Ints:
        """The last start of those in the group that may have been followed."""
        begins = group_starts(self.begin)
        latest = np.maximum.reduceat(np.where(self.followed, self.start, _NEVER), begins) if begins.size else begins
        return np.repeat(latest, np.diff(begins, append=self.begin.size))

    def _first_after(self, member: Ints, time: Ints) -> Ints:
        """Find the first of the group behind each of these that starts after a time."""
        low, high = member + 1, self.stop[member].copy()
        while np.any(low < high):
            middle = np.minimum((low + high) // 2, self.start.size - 1)
            within = (low < high) & (self.start[middle] <= time)
            high = np.where(within | (low >= high), high, middle)
            low = np.where(within, middle + 1, low)
        return low


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest of any range of values, from tables for ranges of 1, 2, 4, ... of them."""

    tables: tuple[Ints, ...]

    @classmethod
    def of(cls, values: Ints, lengths: Ints) -> Largest:
        """Make the tables for ranges that are no longer than the largest of these lengths."""
        tables = [values]
        while 2 ** len(tables) <= int(lengths.max(initial=0)):
            half, last = 1 << (len(tables) - 1), tables[-1]
            table = last.copy()
            table[:-half] = np.maximum(last[:-half], last[half:])
            tables.append(table)
        return cls(tuple(tables))

    def between(self, low: Ints, high: Ints) -> tuple[Ints, Flags]:
        """Give the largest from `low` to below `high`, and where there is any; elsewhere the number means nothing."""
        some: Flags = high > low
        result = np.zeros(low.size, dtype=np.int64)
        power = np.frexp(np.maximum(high - low, 1).astype(np.float64))[1] - 1
        for step, table in enumerate(self.tables):
            asked = np.flatnonzero(some & (power == step))
            result[asked] = np.maximum(table[low[asked]], table[high[asked] - (1 << step)])
        return result, some


def crowds_of(spans: Placed, order: Order) -> Crowds:
    """Pick the children that overlap with siblings."""
    counts = np.diff(order.first)
    picked = np.flatnonzero(counts[order.group] > 1)
    child, group = order.child[picked], order.group[picked]
    begins = group_starts(group)
    sizes = np.diff(begins, append=group.size)
    number = np.full(spans.start.size, NOBODY)
    number[child] = np.arange(child.size)
    return Crowds(
        child,
        number,
        spans.start[child],
        spans.end[child],
        spans.end[spans.forest.parent[child]],
        order.followed[picked],
        np.repeat(begins, sizes),
        np.repeat(begins + sizes, sizes),
        order.finish[group],
    )


def _shifted(values: Ints, group: Ints, fill: int) -> Ints:
    """Give for each the value before it in its run of equal numbers in `group`."""
    result = np.append(fill, values[:-1])[: values.size]
    result[group_starts(group)] = fill
    return result

"""Which roots of other traces lie where calls could have begun them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.measures.chance import NO_MATCH

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints

ANY: Final = -1
"""A number that stands for "not known", which fits everything."""

TOLERANCE: Final = 10_000_000
"""By how much clocks may differ that are said to be right, in nanoseconds."""

_LOOK_AHEAD: Final = 32
_GRAINS: Final = (1_000_000, 1_000)
_ROUNDS: Final = 32


@dataclass(frozen=True)
class Times:
    """When spans ran, and what must agree of two that belong together; one item per span.

    Attributes
    ----------
    start, end
        In nanoseconds; on one clock, as far as that is possible.
    trace
        Number of the trace.
    traits
        Numbers that must be equal on both sides where both are known: of the operation, of the status and the like.
    """

    start: Ints
    end: Ints
    trace: Ints
    traits: tuple[Ints, ...]

    def at(self, rows: Ints | Flags) -> Times:
        """Pick some."""
        return Times(self.start[rows], self.end[rows], self.trace[rows], tuple(trait[rows] for trait in self.traits))


@dataclass(frozen=True)
class Keys:
    """Starts of spans at several places, in one order, to be looked up by place and time.

    Attributes
    ----------
    order
        The spans by place and start.
    starts
        All starts in order: a time is known by how many come before it, so that no window is too long.
    keys
        Place and start of each span in that order, in one number.
    """

    order: Ints
    starts: Ints
    keys: Ints

    @classmethod
    def of(cls, place: Ints, start: Ints) -> Keys:
        """Sort spans by place and start."""
        starts = np.sort(start)
        keys = place * (start.size + 1) + np.searchsorted(starts, start)
        order = np.argsort(keys)
        return cls(order, starts, keys[order])

    def before(self, place: Ints, time: Ints, *, too: bool = False) -> Ints:
        """Count the spans of earlier places, and of this one those that start before a time (or at it, too)."""
        rank = np.searchsorted(self.starts, time, "right" if too else "left")
        return np.searchsorted(self.keys, place * (self.starts.size + 1) + rank)

    def up_to(self, place: Ints) -> Ints:
        """Count the spans of earlier places and of this one."""
        return np.searchsorted(self.keys, (place + 1) * (self.starts.size + 1))


@dataclass(frozen=True)
class Roots:
    """Roots to be looked up by what they are reached by and by time.

    Attributes
    ----------
    keys
        Their order.
    times
        Their times and traits, in that order.
    length, grain
        How long each lasted, and how exactly that is known.
    waits
        Whether calls wait, so that a root lies within its call; without, it only begins afterwards.
    """

    keys: Keys
    times: Times
    length: Ints
    grain: int
    waits: bool

    @classmethod
    def of(cls, place: Ints, times: Times, *, waits: bool) -> Roots:
        """Sort roots by place and start."""
        keys = Keys.of(place, times.start)
        times = times.at(keys.order)
        length = times.end - times.start
        grain = next((size for size in _GRAINS if not np.any(length % size)), 0)
        return cls(keys, times, length, grain, waits)

    def pairs(self, place: Ints, calls: Times) -> tuple[Ints, Ints, Ints]:
        """List the pairs of calls and roots that could belong together, and how far their times are apart.

        Of the roots that begin after a call only the next ones are looked at. The pairs of a call stand together.
        """
        low = self.keys.before(place, calls.start - TOLERANCE)
        high = self.keys.before(place, calls.end, too=True) if self.waits else self.keys.up_to(place)
        count = np.clip(high - low, 0, _LOOK_AHEAD)
        call = np.repeat(np.arange(count.size), count)
        root = low[call] + np.arange(call.size) - (np.cumsum(count) - count)[call]
        fits = self.times.trace[root] != calls.trace[call]
        if self.waits:
            fits &= self.times.end[root] <= calls.end[call] + TOLERANCE
            # Whatever the clocks say, what is called takes no longer than the call; else it may be what called.
            fits &= self.length[root] <= (calls.end - calls.start + self.grain)[call]
        for ours, theirs in zip(self.times.traits, calls.traits, strict=True):
            fits &= (ours[root] == theirs[call]) | (ours[root] == ANY) | (theirs[call] == ANY)
        call, root = call[fits], root[fits]
        slack = np.abs(self.times.start[root] - calls.start[call])
        if self.waits:
            slack += np.abs(calls.end[call] - self.times.end[root])
        return call, self.keys.order[root], slack


def nearest(call: Ints, slack: Ints, calls: int) -> Ints:
    """Give the smallest slack of each call, from its pairs; `NO_MATCH` where it has none."""
    found = np.full(calls, NO_MATCH)
    if call.size:
        first = np.flatnonzero(np.diff(call, prepend=-1))
        found[call[first]] = np.minimum.reduceat(slack, first)
    return found


def matched(call: Ints, root: Ints, slack: Ints) -> Ints:
    """Choose pairs so that each call and each root is in one at most, and the closest are taken first.

    Gives the numbers of the pairs.
    """
    order = np.lexsort((root, call, slack))
    chosen = []
    for _ in range(_ROUNDS):
        # A pair that comes first both for its call and for its root can be taken at once.
        firsts = np.zeros(order.size, dtype=bool)
        both = firsts.copy()
        firsts[np.unique(call[order], return_index=True)[1]] = True
        both[np.unique(root[order], return_index=True)[1]] = True
        taken = order[firsts & both]
        chosen.append(taken)
        gone = np.isin(call[order], call[taken]) | np.isin(root[order], root[taken])
        order = order[~gone]
    return np.sort(np.concatenate(chosen)) if chosen else order

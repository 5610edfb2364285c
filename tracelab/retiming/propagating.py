"""How changes of some spans change those above them: from the deepest level up, with two bounds.

What the order leaves open is bounded. Of siblings that overlap it is not known who waited for whom: one may have waited
for another that had ended, for a place that another had taken, for several, or for nobody. For programs that are made
of waiting (for one, for all, for the first, for a free place) and of work that takes as long as before, times move by
no less than if all time that is freed in a group was saved, and by no more than if all that is added had to be waited
for. What comes after a group, when nothing but the parent runs, waited for all of the group, or followed one of those
that ended shortly before (see `order`): the bounds are the least and the most that any of these says. The parent ends
no earlier than any of those that it waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.analysis.arrays import group_starts
from tracelab.retiming.sweeps import earlier, later

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.retiming.order import Order, Placed


_LARGE: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Changes:
    """By how many nanoseconds spans get longer (shorter where it is below 0).

    Attributes
    ----------
    low, high
        Of every span, the optimistic and the pessimistic bound.
    """

    low: Ints
    high: Ints


@dataclass(frozen=True, slots=True)
class _Groups:
    """By how much the groups of a level change.

    Attributes
    ----------
    low, high
        How much later what comes after each group starts, at least and at most, if the group starts as before.
    member
        The children of the level that overlap with others, in groups that change.
    group
        The number of their group in the level.
    ends
        When they end at least, if their group starts as before.
    """

    low: Ints
    high: Ints
    member: Ints
    group: Ints
    ends: Ints


def propagated(spans: Placed, order: Order, own: Ints, gaps: Ints, tails: Ints) -> Changes:
    """Carry changes up to the roots.

    Parameters
    ----------
    spans, order
        The spans, and the order of the children of all parents above a change.
    own
        By how much each span changes itself; what is said of a parent in `order` is not looked at.
    gaps, tails
        By how much the work of these parents before each group and after the last one changes.
    """
    low, high = own.copy(), own.copy()
    for first, last in zip(order.level[-2::-1].tolist(), order.level[:0:-1].tolist(), strict=True):
        begin, stop = int(order.family[first]), int(order.family[last])
        groups = _grouped(spans, order, low, high, begin, stop)
        parent = order.parent[first:last]
        gap, tail = gaps[begin:stop], tails[first:last]
        families = order.family[first:last] - begin
        steps = groups.low + gap
        least = np.add.reduceat(steps, families) + tail
        if groups.member.size:
            number = np.repeat(np.arange(last - first), np.diff(families, append=stop - begin))
            moved = np.cumsum(steps) - groups.low
            moved -= (moved - gap)[families][number]
            reached = groups.ends + moved[groups.group] - spans.end[parent[number[groups.group]]]
            np.maximum.at(least, number[groups.group], reached)
        low[parent] = least
        high[parent] = np.add.reduceat(groups.high + gap, families) + tail
    return Changes(low, high)


def _grouped(spans: Placed, order: Order, low: Ints, high: Ints, begin: int, stop: int) -> _Groups:
    """Bound by how much each of a range of groups changes."""
    offset = order.first[begin]
    child = order.child[offset : order.first[stop]]
    least, most = low[child], high[child]
    firsts = order.first[begin:stop] - offset
    counts = np.diff(order.first[begin : stop + 1])
    group_low, group_high = least[firsts], most[firsts]
    changed = np.logical_or.reduceat((least != 0) | (most != 0), firsts) & (counts > 1)
    group = np.repeat(np.arange(counts.size), counts)
    member = np.flatnonzero(changed[group])
    group = group[member]
    if not member.size:
        return _Groups(group_low, group_high, member, group, member)
    least, most = least[member], most[member]
    start, end = spans.start[child[member]], spans.end[child[member]]
    if (least < 0).any():
        least -= earlier(group, start, end, np.maximum(-low[child[member]], 0))
    if (most > 0).any():
        most += later(group, start, end, np.maximum(high[child[member]], 0))
    finish = order.finish[begin:stop][group]
    begins = group_starts(group)
    which = group[begins]
    followed = order.followed[offset : order.first[stop]][member]
    group_low[which] = np.minimum.reduceat(np.where(followed, least, _LARGE), begins)
    group_high[which] = np.maximum.reduceat(np.where(followed, most, end + most - finish), begins)
    return _Groups(group_low, group_high, member, group, end + least)

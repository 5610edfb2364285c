"""Lanes: spans that run at once on threads of their own, so that slices of a thread lie beside or within each other.

A span goes on in the lane of its parent where both are of one service, it lies within the parent, and no earlier
sibling there still runs. A span that cannot begins a block: it and all that goes on in its lane. Blocks of a service
get as few lanes as there are blocks at once. All of it is whole columns; what goes step by step, from a span to the one
it hangs on, is done in rounds that double the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints


def lanes_of(parent: Ints, service: Ints, start: Ints, end: Ints) -> Ints:
    """Give every span the number of its lane among those of its service, from 0.

    Parameters
    ----------
    parent
        The place of the parent; -1 where there is none.
    service
        A number for each service.
    start, end
        Nanoseconds.
    """
    top = _tops(np.where(_goes_on(parent, service, start, end), parent, np.arange(parent.size)))
    blocks = np.flatnonzero(top == np.arange(top.size))
    lanes = np.zeros(parent.size, dtype=np.int64)
    lanes[blocks] = free_lanes(service[blocks], start[blocks], end[blocks])
    return lanes[top]


def own_time(parent: Ints, service: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Give the time after the start of each span before anything else begins in its lane: first and last moment.

    What is tied to a lane by a time is tied to this span there, whether a reader takes the slice that is open or the
    one that began last, and in whatever order it takes equal times. Where there is no such moment the last is before
    the first.
    """
    child = np.flatnonzero(_goes_on(parent, service, start, end))
    until = end.copy()
    np.minimum.at(until, parent[child], start[child])
    return start + 1, until - 1


def free_lanes(group: Ints, start: Ints, end: Ints) -> Ints:
    """Give intervals lanes in which none overlaps another: each takes the lane that came free last in its group.

    Free lanes are a stack: a start takes the uppermost one, an end puts its lane back. How high the stack is at every
    moment is a running sum, and the lane that a start takes is the one that was put at this height last.
    """
    count = group.size
    if not count:
        return np.zeros(0, dtype=np.int64)
    order = _moments(start, end, group)
    block, ends = order % count, order >= count
    steps = np.where(ends, 1, -1)
    height = np.cumsum(steps)
    height = np.where(ends, height, height + 1)  # where the lane lies that is put back, or taken
    # Lanes that were never used lie below, so that heights go down from 0; every group begins anew.
    first = np.append(True, np.diff(group[block]) != 0)
    height -= np.repeat(height[first], np.diff(np.flatnonzero(first), append=2 * count))
    by_height = np.lexsort((np.arange(2 * count), height, group[block]))
    before, after = by_height[:-1], by_height[1:]
    same = (height[before] == height[after]) & (group[block[before]] == group[block[after]])
    reused = same & ends[before] & ~ends[after]
    source = np.arange(count)
    source[block[after[reused]]] = block[before[reused]]
    lanes = np.zeros(count, dtype=np.int64)
    lanes[block[~ends]] = -height[~ends]
    return lanes[_tops(source)]


def _goes_on(parent: Ints, service: Ints, start: Ints, end: Ints) -> Flags:
    """Mark the spans that stay in the lane of their parent: those children that follow one another."""
    child = np.flatnonzero(parent >= 0)
    above = parent[child]
    fits = (service[child] == service[above]) & (start[child] >= start[above]) & (end[child] <= end[above])
    child = child[fits]
    child = child[np.lexsort((end[child], start[child], parent[child]))]
    chosen = np.zeros(parent.size, dtype=bool)
    chosen[child[_in_sequence(parent[child], start[child], end[child])]] = True
    return chosen


def _in_sequence(group: Ints, start: Ints, end: Ints) -> Flags:
    """Choose of each group, in order of starts, the first, then the next that starts when that has ended, and so on."""
    count = group.size
    if not count:
        return np.zeros(0, dtype=bool)
    times = np.unique(np.concatenate((start, end)))
    families = np.cumsum(np.append(0, np.diff(group) != 0))
    keys = families * times.size + np.searchsorted(times, start)
    following = np.searchsorted(keys, families * times.size + np.searchsorted(times, end))
    following = np.maximum(following, np.arange(1, count + 1))  # what takes no time is followed by the next
    within = np.minimum(following, count - 1)
    following = np.where((following < count) & (families[within] == families), following, count)
    jump = np.append(following, count)
    chosen = np.zeros(count + 1, dtype=bool)
    chosen[:count] = np.append(True, np.diff(families) != 0)
    while np.any(jump < count):
        chosen[jump[chosen]] = True
        jump = jump[jump]
    return chosen[:count]


def _tops(above: Ints) -> Ints:
    """Follow each to the one that hangs on nobody."""
    while True:
        further = above[above]
        if np.array_equal(further, above):
            return above
        above = further


def _moments(start: Ints, end: Ints, group: Ints) -> Ints:
    """Order starts (by their number) and ends (by theirs and how many there are): an end frees its lane for a start.

    What takes no time begins and ends between the ends and the starts of its instant.
    """
    count = group.size
    number = np.arange(count)
    nothing = np.tile(start == end, 2)
    is_end = np.repeat((False, True), count)
    phase = np.where(nothing, 1, np.where(is_end, 0, 2))
    time, both = np.concatenate((start, end)), np.tile(number, 2)
    return np.lexsort((is_end, both, phase, time, np.tile(group, 2)))

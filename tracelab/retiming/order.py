"""What ran after what: the children that a parent waited for, in groups between which nothing but the parent ran.

A parent is read as its own work and groups of children in turn. A group is what ran without a pause: one child, or
several that overlap. Between two groups no child runs, and what passes there is the parent's own work. All times are
clipped to those of the spans above, as they are for critical paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.analysis.arrays import durations, group_starts, running_max, starts
from tracelab.analysis.asynchronous import consumers, left_running
from tracelab.analysis.critical_paths.algorithm import clip

if TYPE_CHECKING:
    import polars as pl

    from tracelab.array_types import Flags, Ints
    from tracelab.forest import Forest

_ROOM: Final = 2**61
_AS_LONG: Final = 2
"""Work of a parent that nobody sees, since other children run meanwhile, is at most so many times what is seen."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Spans in places, with their clipped times and whether somebody waited for them.

    Attributes
    ----------
    forest
        Who is below whom.
    start, end
        The interval of every span, clipped to those of all spans above it.
    awaited
        Which spans can make the root of their fragment longer: false for what was left running, for what a message
        set off, for what ran wholly outside of a span above, and for all that is below these.
    """

    forest: Forest
    start: Ints
    end: Ints
    awaited: Flags


@dataclass(frozen=True, slots=True)
class Order:
    """The awaited children of some parents, by level of the tree, parent and start.

    Attributes
    ----------
    child
        Places of the children.
    group
        The number of the group of each child.
    first
        Where the children of each group begin; one more item is their number.
    followed
        Which of them may be what came after their group followed: between the end and what came next lies no more than
        twice the longest work of the parent that is seen, or it is the last of its group.
    finish
        When the last of each group ends.
    gap
        The work of the parent before each group.
    family
        Where the groups of each parent begin; one more item is their number.
    parent
        Places of the parents.
    tail
        The work of each parent after its last group.
    level
        Where the parents of each level begin, the highest first; one more item is their number.
    """

    child: Ints
    group: Ints
    first: Ints
    followed: Flags
    finish: Ints
    gap: Ints
    family: Ints
    parent: Ints
    tail: Ints
    level: Ints


def placed(frame: pl.DataFrame, forest: Forest) -> Placed:
    """Clip the spans, and find out which of them were waited for. The frame has its `process_columns`."""
    start = starts(frame)
    end = start + durations(frame)
    low, high = clip(forest, start, end)
    apart = consumers(frame, forest) | left_running(frame, forest, start, end) | (high < low)
    return Placed(forest, low, np.maximum(low, high), ~forest.below(apart))


def order_of(spans: Placed, parents: Flags) -> Order:
    """Put the awaited children of these parents into groups."""
    forest = spans.forest
    child = forest.siblings()
    child = child[spans.awaited[child] & parents[forest.parent[child]]]
    above = forest.parent[child]
    start, end = spans.start[child], spans.end[child]
    reached = running_max(end, above)
    fresh = np.ones(child.size, dtype=bool)
    fresh[1:] = above[1:] != above[:-1]
    opens = fresh.copy()
    opens[1:] |= start[1:] >= reached[:-1]
    first = np.flatnonzero(opens)
    begin = start[first]
    finish = reached[np.append(first[1:], child.size) - 1] if child.size else begin
    owner = above[first]
    family = np.flatnonzero(fresh[first])
    before = np.concatenate((begin[:1], finish[:-1]))
    before[family] = spans.start[owner[family]]
    parent = owner[family]
    last = np.append(family[1:], first.size)[: family.size] - 1
    gap, tail = begin - before, spans.end[parent] - finish[last]
    behind = np.append(gap[1:], 0)[: gap.size]
    behind[last] = tail
    group = np.cumsum(opens) - 1
    depth = forest.depth[parent]
    return Order(
        child,
        group,
        np.append(first, child.size),
        finish[group] - end <= _window(gap, tail, behind, family)[group],
        finish,
        gap,
        np.append(family, first.size),
        parent,
        tail,
        np.append(group_starts(depth), depth.size),
    )


def _window(gap: Ints, tail: Ints, behind: Ints, family: Ints) -> Ints:
    """Say how long before the last end of each group another may be that what came `behind` the group followed.

    A branch of the parent may have worked while another went on, and that nobody did so when the group ended is chance.
    """
    if not family.size:
        return gap
    longest = np.repeat(np.maximum(np.maximum.reduceat(gap, family), tail), np.diff(family, append=gap.size))
    window: Ints = np.maximum(_AS_LONG * np.minimum(longest, _ROOM) - behind, 0)
    return window

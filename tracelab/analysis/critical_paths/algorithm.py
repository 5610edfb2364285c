"""The critical path as numbers: all traces at once, on arrays by place.

The walk that is usually told as a recursion ("take the child that finished last, go on from its start") is a set of
pointers: every child points to the sibling that the walk would go on with. Chains of such pointers, one per parent,
say which children would be on the path if their parent is; a sum over ranges of places then takes out all that lies
below a span that is not. No loop runs over spans: chains are followed all at once, and those that are long by doubling
steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tracelab.analysis.arrays import group_starts
from tracelab.forest import NOBODY, Forest

if TYPE_CHECKING:
    import polars as pl

    from tracelab.array_types import Flags, Ints

_Short: TypeAlias = npt.NDArray[np.int32]

_STEPS_BEFORE_DOUBLING: Final = 32
_ROOM: Final = 2**62
_LEFT_RUNNING: Final = 1
_AMBIGUOUS: Final = 2


@dataclass(frozen=True, slots=True)
class Clipped:
    """What takes part in the walk.

    Attributes
    ----------
    start, end
        The interval of every span, clipped to those of all spans above it.
    alive
        Which spans can be on a path.
    left
        Places of the spans that cannot because somebody left them running, or one of their ancestors.
    left_start, left_end
        When these ran while their root did, whoever of those above them had ended.
    tie
        Of siblings that end together the one with the smallest `tie` is taken, then the one with the smallest span id.
    strict
        Whether a sibling must end before the next one starts, or may end in the same instant.
    """

    start: Ints
    end: Ints
    alive: Flags
    left: Ints
    left_start: Ints
    left_end: Ints
    tie: Ints
    strict: bool


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of all paths in order of fragments and time: whose, from when, to when, and how sure that is.

    `basis` is 0 where nothing else ran but the owner and its ancestors, 1 where only spans did that were left running,
    2 where others did.
    """

    owner: Ints
    start: Ints
    end: Ints
    basis: Ints

    @property
    def ambiguous(self) -> Flags:
        """True where the spans cannot tell what was waited for."""
        unsure: Flags = self.basis == _AMBIGUOUS
        return unsure


def clip(forest: Forest, start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Clip every interval to those of all its ancestors.

    Only spans that are out of their parent, and those below them, are looked at again.
    """
    inner = np.flatnonzero(forest.has_parent)
    above = forest.parent[inner]
    outside = np.zeros(start.size, dtype=bool)
    outside[inner] = (start[inner] < start[above]) | (end[inner] > end[above])
    places = np.flatnonzero(forest.below(outside))
    if not places.size:
        return start, end
    above = forest.parent[places]
    low, high = np.maximum(start[places], start[above]), np.minimum(end[places], end[above])
    number = np.full(start.size, NOBODY)
    number[places] = np.arange(places.size)
    jump = number[above]
    going = np.flatnonzero(jump >= 0)
    while going.size:
        to = jump[going]
        low[going], high[going] = np.maximum(low[going], low[to]), np.minimum(high[going], high[to])
        jump[going] = jump[to]
        going = going[jump[going] >= 0]
    start, end = start.copy(), end.copy()
    start[places], end[places] = low, high
    return start, end


def walk(frame: pl.DataFrame, forest: Forest, spans: Clipped) -> Sections:
    """Walk all paths and give their sections."""
    inner = forest.siblings()
    sequence = _by_end(frame, forest, spans, inner[spans.alive[inner]])
    parent, start, end = forest.parent[sequence], spans.start[sequence], spans.end[sequence]
    chosen = _chosen(start, end, parent, strict=spans.strict)
    off = ~spans.alive
    off[sequence[~chosen]] = True
    on = ~forest.below(off)
    members = np.flatnonzero(chosen & on[sequence])
    return _sections(forest, spans, on, sequence[members])


def _by_end(frame: pl.DataFrame, forest: Forest, spans: Clipped, sequence: Ints) -> Ints:
    """Sort siblings so that of any number of them the last is the one that the walk takes.

    Siblings stand in order of their starts, so mostly in order of their ends; only families that do not are sorted.
    """
    parent, end = forest.parent[sequence], spans.end[sequence]
    same = parent[1:] == parent[:-1]
    wrong = np.zeros(forest.parent.size, dtype=bool)
    wrong[parent[1:][same & (end[1:] <= end[:-1])]] = True
    places = np.flatnonzero(wrong[parent])
    if not places.size:
        return sequence
    family = np.cumsum(np.concatenate(([True], ~same)))[places]
    subset = sequence[places]
    order = np.lexsort((-spans.tie[subset], spans.end[subset], family))
    result = sequence.copy()
    result[places] = _ties_by_id(frame, forest, spans, subset[order])
    return result


def _ties_by_id(frame: pl.DataFrame, forest: Forest, spans: Clipped, sequence: Ints) -> Ints:
    """Put siblings that nothing else tells apart into descending order of their ids."""
    parent, end, tie = forest.parent[sequence], spans.end[sequence], spans.tie[sequence]
    equal = (parent[1:] == parent[:-1]) & (end[1:] == end[:-1]) & (tie[1:] == tie[:-1])
    tied = np.concatenate((equal, [False])) | np.concatenate(([False], equal))
    places = np.flatnonzero(tied)
    if not places.size:
        return sequence
    run = np.cumsum(np.concatenate(([True], ~equal)))[places]
    rank = frame["span_id"].gather(sequence[places]).rank("dense").to_numpy().astype(np.int64)
    result = sequence.copy()
    result[places] = sequence[places][np.lexsort((-places, -rank, run))]
    return result


def _chosen(start: Ints, end: Ints, parent: Ints, *, strict: bool) -> Flags:
    """Mark the children that the walk takes wherever it comes to their parent.

    The walk begins with the last of a family and goes on with the last one that ends before that one starts.
    """
    chosen = np.zeros(parent.size, dtype=bool)
    if not parent.size:
        return chosen
    begins = group_starts(parent)
    lengths = np.diff(begins, append=parent.size)
    low, at = begins, begins + lengths - 1
    for _ in range(_STEPS_BEFORE_DOUBLING):
        chosen[at] = True
        previous = _last_before(end, low, at, start[at], strict=strict)
        going = previous >= low
        low, at = low[going], previous[going]
        if not at.size:
            return chosen
    chosen[_follow(start, end, low, at, strict=strict)] = True
    return chosen


def _follow(start: Ints, end: Ints, low: Ints, at: Ints, *, strict: bool) -> Ints:
    """Follow long chains by doubling: jumps of 1, 2, 4, ... steps are found, then the longest are taken first."""
    counts = at - low + 1
    offsets = np.cumsum(counts) - counts
    members = np.repeat(low - offsets, counts) + np.arange(int(counts.sum()))
    previous = _last_before(end, np.repeat(low, counts), members, start[members], strict=strict)
    nowhere = members.size
    jump = np.full(nowhere + 1, nowhere, dtype=np.int32)
    jump[:-1] = np.where(previous >= np.repeat(low, counts), previous - np.repeat(low - offsets, counts), nowhere)
    jumps: list[_Short] = []
    while np.any(jump[:-1] != nowhere):
        jumps.append(jump)
        jump = jump[jump]
    reached = offsets + counts - 1
    for jump in reversed(jumps):
        reached = np.concatenate((reached, jump[reached]))
        reached = reached[reached != nowhere]
    found: Ints = members[reached]
    return found


def _last_before(end: Ints, low: Ints, high: Ints, limit: Ints, *, strict: bool) -> Ints:
    """Find the last place from `low` to just below `high` with an end up to `limit` (`low` - 1 if there is none)."""
    result = high - 1
    bound = limit - 1 if strict else limit
    unsure = np.flatnonzero((result >= low) & (end[np.maximum(result, 0)] > bound))
    lower, upper, bound = low[unsure], result[unsure], bound[unsure]
    # The answer is in [lower - 1, upper - 1] throughout.
    while np.any(lower < upper):
        middle = (lower + upper) // 2
        fits = (lower < upper) & (end[middle] <= bound)
        upper = np.where(fits | (lower >= upper), upper, middle)
        lower = np.where(fits, middle + 1, lower)
    result[unsure] = lower - 1
    return result


def _sections(forest: Forest, spans: Clipped, on: Flags, members: Ints) -> Sections:
    """Cut the time of every span on the path at the children on the path: it owns what lies between them."""
    parent = forest.parent[members]
    until = spans.end[parent]
    followed = np.flatnonzero(parent[1:] == parent[:-1])
    until[followed] = spans.start[members[followed + 1]]
    path = np.flatnonzero(on)
    first = spans.end.copy()
    heads = members[group_starts(parent)]
    first[forest.parent[heads]] = spans.start[heads]
    owner = np.concatenate((path, parent))
    start = np.concatenate((spans.start[path], spans.end[members]))
    end = np.concatenate((first[path], until))
    # Depth first, a span's own beginning comes when it is entered and what follows a child when the child is left:
    # that is also the order of time.
    entered = 2 * np.arange(on.size) - forest.depth
    turn = np.concatenate((entered[path], entered[members] + 2 * forest.size[members] - 1))
    real = np.flatnonzero(end > start)
    order = real[_in_turn(turn[real], 2 * on.size)]
    owner, start, end = owner[order], start[order], end[order]
    return Sections(owner, start, end, _basis(forest, spans, on, owner, start, end))


def _in_turn(turn: Ints, count: int) -> Ints:
    """Sort numbers that are all different and below `count`."""
    slots = np.full(count, NOBODY)
    slots[turn] = np.arange(turn.size)
    return slots[slots >= 0]


def _basis(forest: Forest, spans: Clipped, on: Flags, owner: Ints, start: Ints, end: Ints) -> Ints:
    """Tell in which sections nothing ran but the span and its ancestors, so that only one order is possible.

    Spans on the path only run at once if one is above the other, so it is those off the path that make a section
    unsure.
    """
    others = np.flatnonzero(spans.alive & ~on)
    sections = (owner, start, end)
    ran = _meanwhile(forest, spans, others, spans.start[others], spans.end[others], sections)
    basis = np.where(ran, _AMBIGUOUS, 0)
    if spans.left.size:
        ran = _meanwhile(forest, spans, spans.left, spans.left_start, spans.left_end, sections)
        basis[(basis == 0) & ran] = _LEFT_RUNNING
    return basis


def _meanwhile(
    forest: Forest, spans: Clipped, places: Ints, begin: Ints, stop: Ints, sections: tuple[Ints, Ints, Ints]
) -> Flags:
    """Tell during which sections (owner, start, end) any of these spans ran, from `begin` to `stop`.

    Each does so during all sections from the first that ends after it starts to the last that starts before it ends.
    """
    owner, start, end = sections
    zero, (begin, stop, low, high) = _one_timeline(forest, spans, (begin, stop, start, end))
    at, root = zero[forest.root[places]], zero[forest.root[owner]]
    first = np.searchsorted(root + high, at + begin, side="right")
    behind = np.searchsorted(root + low, at + stop, side="left")
    touching = first < behind
    size = owner.size + 1
    steps = np.bincount(first[touching], minlength=size) - np.bincount(behind[touching], minlength=size)
    ran: Flags = np.cumsum(steps[:-1]) > 0
    return ran


def _one_timeline(forest: Forest, spans: Clipped, times: tuple[Ints, ...]) -> tuple[Ints, list[Ints]]:
    """Lay all fragments behind each other on one timeline, so that one sorted array serves them all.

    Gives what to add to the times of each fragment (by the place of its root), and the given times. Where the timeline
    would be longer than an integer (some 146 years), times are replaced by their ranks.
    """
    roots = np.flatnonzero(spans.alive & ~forest.has_parent)
    begin, stop, *placed = spans.start[roots], spans.end[roots], *times
    if float((stop - begin).astype(np.float64).sum()) > _ROOM:
        known = np.unique(np.concatenate((begin, stop, *placed)))
        begin, stop, *placed = (np.searchsorted(known, values) for values in (begin, stop, *placed))
    lengths = stop - begin + 1
    zero = np.zeros(spans.start.size, dtype=np.int64)
    zero[roots] = np.cumsum(lengths) - lengths - begin
    return zero, placed

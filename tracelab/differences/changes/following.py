"""Which changes only follow from one of a callee at the same moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from tracelab.differences.changes.measuring import Effect
    from tracelab.differences.changes.requests import Group


_MOST_OF_IT: Final = 0.5


@dataclass(frozen=True)
class Candidate:
    """A change as far as it matters for what follows from what.

    Attributes
    ----------
    group
        The place of its group.
    begin, at, end
        The requests of the group that it is about, as units, and the first of them after it.
    is_latency
        Whether it is about latency.
    low, high
        Between which nanoseconds it is.
    effect
        How large it is.
    """

    group: int
    begin: int
    at: int
    end: int
    is_latency: bool
    low: int
    high: int
    effect: Effect


def origins_of(changes: list[Candidate], groups: list[Group]) -> list[int | None]:
    """Tell for every change the one that it follows from: that of a callee, in the same direction, at the same moment.

    A callee explains no more than it can: at least as large a share of the requests as the effect has to call it, and
    of latency no less than half of the change has to be gone without the time of the callee. Where a callee's change
    follows from a further one, that is the origin. Of several the largest is.

    Returns
    -------
    By change the place of the origin, None where it starts there.
    """
    calls: dict[tuple[int, int], float] = {}
    causes: list[int | None] = []
    for change in changes:
        least = max(min(abs(change.effect.low), abs(change.effect.high), abs(change.effect.value)), 0.0)
        found = []
        for other, cause in enumerate(changes):
            together = cause.low <= change.high and change.low <= cause.high
            if cause.group == change.group or not together or cause.effect.value * change.effect.value <= 0:
                continue
            pair = (change.group, cause.group)
            if pair not in calls:
                calls[pair] = _calling(groups[pair[0]], groups[pair[1]])
            if calls[pair] > 0 and calls[pair] >= least and not _is_own(change, *(groups[number] for number in pair)):
                found.append((-abs(cause.effect.value), other))
        causes.append(min(found)[1] if found else None)
    return [_root(number, causes) for number in range(len(changes))]


def _root(number: int, causes: list[int | None]) -> int | None:
    """Follow a change to where it starts; of those that follow from each other, none does."""
    seen = [number]
    while (cause := causes[seen[-1]]) is not None:
        if cause in seen:
            return None
        seen.append(cause)
    return seen[-1] if len(seen) > 1 else None


def _calling(caller: Group, callee: Group) -> float:
    """Give the share of requests of one group that have one of another below them."""
    below = np.sort(callee.left)
    inside = np.searchsorted(below, caller.right) > np.searchsorted(below, caller.left, side="right")
    return float(inside.mean())


def _is_own(change: Candidate, caller: Group, callee: Group) -> bool:
    """Tell whether most of a change of latency is in what requests take without the callee."""
    if not change.is_latency:
        return False
    order = np.argsort(callee.left)
    below, taken = callee.left[order], np.append(0, np.cumsum(callee.duration[order]))
    inside = taken[np.searchsorted(below, caller.right)] - taken[np.searchsorted(below, caller.left, side="right")]
    whole, own = (
        np.bincount(caller.unit, weights=lengths, minlength=caller.size)
        for lengths in (caller.duration, np.maximum(caller.duration - inside, 0))
    )
    before, after = slice(change.begin, change.at), slice(change.at, change.end)
    moved, moved_alone = (float(np.median(lengths[after]) - np.median(lengths[before])) for lengths in (whole, own))
    return bool(moved_alone * np.sign(moved) > _MOST_OF_IT * abs(moved))

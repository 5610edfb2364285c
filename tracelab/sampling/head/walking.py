"""What becomes of every span of a fleet: from the roots down, level by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.forest import NOBODY
from tracelab.sampling.head.samplers import NO_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracelab.array_types import Ints
    from tracelab.sampling.head.cells import Cells
    from tracelab.sampling.head.samplers import Sampler, States

ROOT: Final = 0
"""The fate of what is above a root: there is nothing."""


class Fates:
    """The different fates that spans have: each is what a span hands on, for every cell of ids.

    A fleet has few samplers, so that however many spans there are, few fates are different.
    """

    def __init__(self, cells: Cells, samplers: Sequence[Sampler]) -> None:
        self._cells = cells
        self._samplers = samplers
        self._numbers: dict[bytes, int] = {}
        self.states: list[States] = [np.full(cells.count, NO_THRESHOLD * 2)]
        self._next = np.full((1, 2 * len(samplers)), NOBODY)

    def number(self, state: States) -> int:
        """Give a fate its number; one that is known keeps it."""
        key = state.tobytes()
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.states)
            self.states.append(state)
            if found >= len(self._next):
                self._next = np.concatenate((self._next, np.full_like(self._next, NOBODY)))
        return found

    def below(self, parents: Ints, rules: Ints) -> Ints:
        """Give the fates of spans from those of their parents; a rule is twice a sampler, and 1 more below remotes."""
        fates = self._next[parents, rules]
        if fates.size and fates.min() < 0:
            width = self._next.shape[1]
            asked = np.flatnonzero(np.bincount((parents * width + rules)[fates < 0]))
            for parent, rule in zip(*(part.tolist() for part in np.divmod(asked, width)), strict=True):
                above = self.states[parent] if parent != ROOT else None
                state = self._samplers[rule // 2].decide(self._cells, above, remote=bool(rule % 2))
                number = self.number(state)
                self._next[parent, rule] = number
            fates = self._next[parents, rules]
        return fates


@dataclass(frozen=True)
class Spans:
    """What decisions need to know of the spans, one array item per row.

    Attributes
    ----------
    parent
        Row of the parent; -1 where it is not there.
    depth
        How deep it stands.
    rule
        Twice the number of the sampler, and 1 more where the parent is remote.
    above
        The fate of what is above the spans whose parent is not there.
    """

    parent: Ints
    depth: Ints
    rule: Ints
    above: Ints


def walk(spans: Spans, fates: Fates) -> Ints:
    """Give the fate of every span."""
    found = np.empty_like(spans.parent)
    for level in _levels(spans):
        parent = spans.parent[level]
        above = np.where(parent == NOBODY, spans.above[level], found[parent])
        found[level] = fates.below(above, spans.rule[level])
    return found


def _levels(spans: Spans) -> Iterator[Ints]:
    """List the rows level by level: parents always come before."""
    # numpy counts numbers of 16 bits instead of comparing them.
    small = spans.depth.astype(np.uint16) if spans.depth.max(initial=0) < 2**16 else spans.depth
    order = np.argsort(small, kind="stable")
    cuts = np.flatnonzero(np.diff(spans.depth[order])) + 1
    yield from np.split(order, cuts)

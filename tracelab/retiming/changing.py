"""What is to change: the spans that are chosen, and by how much each of them gets shorter or longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np

from tracelab.errors import TracelabError
from tracelab.options import choice, flag, nanoseconds, shown
from tracelab.retiming.order import order_of
from tracelab.retiming.propagating import propagated

if TYPE_CHECKING:
    from datetime import timedelta

    from tracelab.array_types import Flags, Ints
    from tracelab.retiming.order import Placed
    from tracelab.retiming.propagating import Changes

Part: TypeAlias = Literal["whole", "self"]
Length: TypeAlias = "str | timedelta"

_MOST: Final = 1_000.0
_ROOM: Final = 2**61
_LONGEST: Final = 2.0**62


@dataclass(frozen=True, slots=True)
class Change:
    """A change of chosen spans.

    Attributes
    ----------
    factor
        By what their time is multiplied; None if they get a new duration.
    duration
        Their new duration in nanoseconds; None if their time is multiplied.
    part
        What changes: the whole span with all below it, or its own work.
    """

    factor: float | None
    duration: int | None
    part: Part

    def applied(self, length: Ints) -> Ints:
        """Say how much longer times of these lengths get."""
        if self.duration is not None:
            return self.duration - length
        if self.factor == 0:
            return -length
        # Added to the length, and not multiplied with it, a factor of 1 changes nothing whatever the length.
        more = np.clip(np.rint(length * ((self.factor or 0.0) - 1)), -_LONGEST, _LONGEST).astype(np.int64)
        longer: Ints = np.maximum(more, -length)
        return longer


def change_of(factor: float | None, duration: Length | None, remove: Any, part: str) -> Change:
    """Read how spans are to change.

    Raises
    ------
    TracelabError
        There is not just one of a factor, a duration and removal, or one of them is none.
    """
    gone = flag("remove", remove)
    chosen: Part = choice("part", part, get_args(Part))  # type: ignore[assignment]
    given = [
        name
        for name, there in (("factor", factor is not None), ("duration", duration is not None), ("remove", gone))
        if there
    ]
    if len(given) != 1:
        raise TracelabError(
            f"Give one of `factor`, `duration` and `remove`, got {' and '.join(given) or 'none'}. "
            "For instance factor=0.5 for spans that take half the time."
        )
    if gone:
        return Change(0.0, None, chosen)
    if duration is not None:
        if chosen == "self":
            raise TracelabError("`duration` is that of a whole span, and `part` is 'self'. Give a factor.")
        return Change(None, nanoseconds("duration", duration), chosen)
    known = isinstance(factor, int | float | np.integer | np.floating) and not isinstance(factor, bool)
    if not known or not 0 <= float(factor) <= _MOST:  # type: ignore[arg-type]
        raise TracelabError(
            f"`factor` must lie between 0 and {_MOST:,.0f}, got {shown(factor)}. "
            "0.5 is half the time, 2 is twice the time, 0 is none."
        )
    return Change(float(factor), None, chosen)  # type: ignore[arg-type]


def retimed(spans: Placed, chosen: Flags, change: Change) -> Changes:
    """Change the chosen spans that somebody waited for, and say by how much they and those above them get longer.

    Of chosen spans below each other the highest is changed, and those below it with it, unless only their own work is.

    Raises
    ------
    TracelabError
        Some would last too long.
    """
    forest = spans.forest
    place = np.arange(chosen.size)
    tops = chosen & spans.awaited
    if change.part == "whole":
        tops[tops] = ~_below_others(tops, forest.size)[tops]
    counts = np.concatenate(([0], np.cumsum(tops)))
    above = counts[place + forest.size] - counts[place + 1] > 0
    parents = above | tops if change.part == "self" else above & ~forest.below(tops)
    order = order_of(spans, parents)
    own = np.zeros(chosen.size, dtype=np.int64)
    own[tops] = change.applied((spans.end - spans.start)[tops])
    grown = np.bincount(forest.root[tops], weights=np.maximum(own[tops], 0).astype(np.float64))
    if grown.max(initial=0.0) > _ROOM:
        raise TracelabError(
            "The changed spans would last longer than nanoseconds in 64 bits can tell. Choose fewer, or shorter times."
        )
    if change.part == "whole":
        return propagated(spans, order, own, np.zeros_like(order.gap), np.zeros_like(order.tail))
    owner = np.repeat(order.parent, np.diff(order.family))
    gaps = np.where(tops[owner], change.applied(order.gap), 0)
    tails = np.where(tops[order.parent], change.applied(order.tail), 0)
    return propagated(spans, order, own, gaps, tails)


def _below_others(marked: Flags, size: Ints) -> Flags:
    """Mark all spans that have a marked ancestor, themselves left out."""
    rows = np.flatnonzero(marked)
    steps = np.zeros(marked.size + 1, dtype=np.int64)
    np.add.at(steps, rows + 1, 1)
    np.subtract.at(steps, rows + size[rows], 1)
    below: Flags = np.cumsum(steps[:-1]) > 0
    return below

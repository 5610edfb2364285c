"""Sweeps over overlapping siblings: how far what starts at some time may move, if some of them get shorter or longer.

All of them take siblings group by group, and in a group by start. They give a bound for the start of every sibling that
holds whatever it was waiting for (see `propagating`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.analysis.arrays import group_starts, running_max

if TYPE_CHECKING:
    from tracelab.array_types import Floats, Ints

_NEVER: Final = np.iinfo(np.int64).min
_UP: Final = 1 + 2**-50
"""More than what a product of two floats may be too small by."""


def earlier(group: Ints, start: Ints, end: Ints, saved: Ints) -> Ints:
    """Say by how much each sibling may start earlier if each of them ends earlier by what is `saved`.

    Both bounds hold, so that the smaller one does: the time before its start that is freed by somebody, if it is the
    end of each that is freed; and the same if each runs faster from its start to its end.
    """
    return np.minimum(_freed(group, start, end, saved), _spread(group, start, end, saved))


def later(group: Ints, start: Ints, end: Ints, added: Ints) -> Ints:
    """Say by how much each sibling may start later if each of them lasts longer by what is `added`.

    Both bounds hold, so that the smaller one does: what is added to all that have ended by then, as if they waited for
    each other; and what the slowest adds at each time, if each runs slower from its start to its end.
    """
    return np.minimum(_ended(group, start, end, added), _spread(group, start, end, added))


def _freed(group: Ints, start: Ints, end: Ints, saved: Ints) -> Ints:
    """Measure how much time before each start lies within the freed ends of siblings, where they overlap once."""
    some = np.flatnonzero(saved)
    low, high = end[some] - saved[some], end[some]
    which, time = np.concatenate((group, group[some])), np.concatenate((start, low))
    reach = np.concatenate((np.full(start.size, _NEVER), high))
    # A start comes before the freed time that begins at once.
    order = np.lexsort((np.arange(time.size) >= start.size, time, which))
    which, time, reach = which[order], time[order], reach[order]
    reached = running_max(reach, which)
    before = np.concatenate(([_NEVER], reached[:-1]))[: time.size]
    before[group_starts(which)] = _NEVER
    fresh = np.where(reach == _NEVER, 0, np.maximum(reach - np.maximum(time, before), 0))
    total = _sums(fresh, which)
    ahead = np.maximum(np.where(reached == _NEVER, time, reached) - time, 0)
    result = np.empty(time.size, dtype=np.int64)
    result[order] = total - ahead
    return result[: start.size]


def _ended(group: Ints, start: Ints, end: Ints, added: Ints) -> Ints:
    """Add up what is added to the siblings that end before each start, itself left out."""
    some = np.flatnonzero(added)
    which, time = np.concatenate((group[some], group)), np.concatenate((end[some], start))
    amount = np.concatenate((added[some], np.zeros_like(start)))
    order = np.lexsort((np.arange(time.size) >= some.size, time, which))
    result = np.empty(time.size, dtype=np.int64)
    result[order] = _sums(amount[order], which[order])
    own: Ints = np.where(end == start, added, 0)
    return result[some.size :] - own


def _spread(group: Ints, start: Ints, end: Ints, amount: Ints) -> Ints:
    """Add up, up to each start, the largest rate at which anybody gets shorter or longer, who does so evenly.

    What takes no time gets longer all at once.
    """
    some = np.flatnonzero((amount != 0) & (end > start))
    which = np.concatenate((group, group[some], group[some]))
    time = np.concatenate((start, start[some], end[some]))
    order = np.lexsort((time, which))
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    which, time = which[order], time[order]
    length = np.zeros(order.size, dtype=np.int64)
    length[:-1] = np.where(which[1:] == which[:-1], time[1:] - time[:-1], 0)
    rate = amount[some] / (end[some] - start[some])
    begins, ends = place[start.size : start.size + some.size], place[start.size + some.size :]
    highest = _highest(order.size, begins, ends, rate)
    part = np.ceil(highest * length * _UP).astype(np.int64)
    # What gets shorter does so by no more than all of its time.
    part = np.where(highest <= 1, np.minimum(part, length), part)
    total = _sums(part, which) - part
    at_once = np.where(end > start, 0, amount)
    return total[place[: start.size]] + (_ended(group, start, end, at_once) if at_once.any() else 0)


def _highest(size: int, low: Ints, high: Ints, value: Floats) -> Floats:
    """Give for each of `size` places the largest value of a range from `low` to below `high` that holds it, or 0.

    Each range is two blocks of some power of two that overlap; blocks are cut into halves until they are single places.
    """
    result = np.zeros(size)
    if not low.size:
        return result
    power = np.frexp((high - low).astype(np.float64))[1] - 1
    for step in range(int(power.max()), -1, -1):
        own = power == step
        np.maximum.at(result, low[own], value[own])
        np.maximum.at(result, high[own] - (1 << step), value[own])
        if step:
            half = 1 << (step - 1)
            halves = result.copy()
            halves[half:] = np.maximum(halves[half:], result[:-half])
            result = halves
    return result


def _sums(values: Ints, group: Ints) -> Ints:
    """Add up within each run of equal numbers in `group`."""
    total = np.cumsum(values)
    begins = group_starts(group)
    offset = total[begins] - values[begins]
    return total - np.repeat(offset, np.diff(begins, append=values.size))

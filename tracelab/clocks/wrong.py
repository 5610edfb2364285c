"""Which hosts' clocks are wrong, told from how far those of pairs are apart.

A host whose clock disagrees with more of its neighbours than it would after being set right is the one that is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array, csgraph

from tracelab.clocks.agreement import middles, most_agree

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.clocks.pairs import Pairs

Gains: TypeAlias = npt.NDArray[np.float64]

_ROUNDS: Final = 32


def corrections(pairs: Pairs, hosts: int) -> Ints:
    """Give the nanoseconds to add to the times of every host so that the clocks agree."""
    table = np.zeros(hosts, dtype=np.int64)
    if pairs.bad.any():
        wrong = wrong_clocks(pairs, hosts)
        table[wrong["host"].to_numpy()] = wrong["offset"].to_numpy()
    return table


def turned_of(pairs: Pairs, correction: Ints) -> Flags:
    """Mark the pairs whose first host is the one that an answer is about."""
    first, second = np.abs(correction[pairs.first]), np.abs(correction[pairs.second])
    return np.where(first == second, ~pairs.calls_second, first > second)


def ahead(low: Ints, high: Ints, turned: Flags) -> tuple[Ints, Ints]:
    """Turn how far second hosts are behind into how far the hosts of an answer are ahead."""
    return np.where(turned, low, -high), np.where(turned, high, -low)


def wrong_clocks(pairs: Pairs, count: int) -> pl.DataFrame:
    """Set clocks right, one after the other, until the pairs agree that can be made to.

    Gives one row per wrong clock: `host`, `offset`, `lower`, `upper` (nanoseconds to add to its times; positive where
    the clock is behind; bounds beyond `FAR` are none), `against` (the only other host that it could be instead, else
    -1).
    """
    offset, lower, upper = (np.zeros(count, dtype=np.int64) for _ in range(3))
    against = np.full(count, -1, dtype=np.int64)
    wrong = np.zeros(count, dtype=bool)
    for _ in range(_ROUNDS):
        apart = offset[pairs.second] - offset[pairs.first]
        agree = (pairs.low <= apart) & (apart <= pairs.high)
        if agree.all():
            break
        gain, low, high, middle = _gains(pairs, offset, agree)
        winners, other = _winners(pairs, ~agree, gain)
        if not winners.size:
            winners, other, low, high, middle = _nearest(pairs, offset, agree)
        if not winners.size:
            break
        offset[winners], lower[winners], upper[winners] = middle[winners], low[winners], high[winners]
        against[winners] = np.where(wrong[winners], against[winners], other)
        wrong[winners] = True
    while (step := _joined(pairs, offset)) is not None:
        hosts, least, most, middle_of_step = step
        offset[hosts] += middle_of_step
        lower[hosts] += least
        upper[hosts] += most
        wrong[hosts] = True
    found = np.flatnonzero(wrong & (offset != 0))
    columns = {"host": found, "offset": offset[found], "lower": lower[found], "upper": upper[found]}
    return pl.DataFrame({**columns, "against": against[found]})


def _gains(pairs: Pairs, offset: Ints, agree: Flags) -> tuple[Gains, Ints, Ints, Ints]:
    """Tell for every host how much would be won if its clock alone were set right, and to which offsets.

    What is won is the number of neighbours that would agree and do not, times the share of all that would.
    """
    count = offset.size
    host = np.concatenate([pairs.first, pairs.second])
    other = np.concatenate([pairs.second, pairs.first])
    base = offset[other]
    low = base + np.concatenate([-pairs.high, pairs.low])
    high = base + np.concatenate([-pairs.low, pairs.high])
    middle = base + np.concatenate([-pairs.middle, pairs.middle])
    accused = np.zeros(count, dtype=bool)
    accused[host[np.concatenate([~agree, ~agree])]] = True
    asked = np.flatnonzero(accused[host])
    there, group = np.unique(host[asked], return_inverse=True)
    most, lowest, highest = most_agree(group, low[asked], high[asked])
    now = np.bincount(group[np.concatenate([agree, agree])[asked]], minlength=there.size)
    neighbours = np.bincount(group, minlength=there.size)
    share = most / neighbours
    holds = (low[asked] <= highest[group]) & (high[asked] >= lowest[group])
    medians = middles(group[holds], middle[asked][holds], middle[asked][holds], there.size)
    gain = np.zeros(count)
    gain[there] = np.where(share > 0.5, (most - now) * share, 0)
    low, high, middle = (np.zeros(count, dtype=np.int64) for _ in range(3))
    low[there], high[there], middle[there] = lowest, highest, np.clip(medians, lowest, highest)
    return gain, low, high, middle


def _winners(pairs: Pairs, apart: Flags, gain: Gains) -> tuple[Ints, Ints]:
    """Pick the hosts whose correction gains more than that of any host that they disagree with.

    Where two gain as much, the one that is called is taken; gives the other one too, else -1.
    """
    first, second = pairs.first[apart], pairs.second[apart]
    even = gain[first] == gain[second]
    ahead = np.where(even, ~pairs.calls_second[apart], gain[first] > gain[second])
    winner, loser = np.where(ahead, first, second), np.where(ahead, second, first)
    loses = np.zeros(gain.size, dtype=bool)
    loses[loser] = True
    tied = np.full(gain.size, -1, dtype=np.int64)
    tied[winner[even]] = loser[even]
    winners = np.flatnonzero((gain > 0) & ~loses)
    return winners, tied[winners]


def _nearest(pairs: Pairs, offset: Ints, agree: Flags) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Pick the host that is least apart from another, of those that agree with nobody: where no clock has a majority.

    Gives it and the other one, and for all hosts the offsets that they would have beside that other one.
    """
    settled = np.zeros(offset.size, dtype=bool)
    settled[pairs.first[agree]] = settled[pairs.second[agree]] = True
    # The one that is called is set right, if it agrees with nobody, else the one that calls.
    called, caller = (np.where(pairs.calls_second == flag, pairs.second, pairs.first) for flag in (True, False))
    moved = np.where(settled[called], caller, called)
    apart = np.abs(pairs.middle - (offset[pairs.second] - offset[pairs.first]))
    open_pairs = np.flatnonzero(~agree & ~settled[moved])
    low, high, middle = (np.zeros(offset.size, dtype=np.int64) for _ in range(3))
    if not open_pairs.size:
        return open_pairs, open_pairs, low, high, middle
    pair = open_pairs[[np.argmin(apart[open_pairs])]]
    host, second = moved[pair], moved[pair] == pairs.second[pair]
    other = np.where(second, pairs.first[pair], pairs.second[pair])
    low[host] = offset[other] + np.where(second, pairs.low[pair], -pairs.high[pair])
    high[host] = offset[other] + np.where(second, pairs.high[pair], -pairs.low[pair])
    middle[host] = offset[other] + np.where(second, pairs.middle[pair], -pairs.middle[pair])
    return host, other, low, high, middle


def _joined(pairs: Pairs, offset: Ints) -> tuple[Ints, int, int, int] | None:
    """Pick hosts that agree with each other, and with none of others that they talk to, to be moved together.

    Of the two sides that most pairs tie to each other the one with fewer hosts is moved, else the one that is called.
    Gives its hosts, and by how much at least, at most and probably; None where all that is tied agrees. Every move
    makes one group of two, and parts none.
    """
    apart = offset[pairs.second] - offset[pairs.first]
    agree = (pairs.low <= apart) & (apart <= pairs.high)
    edges = (np.ones(int(agree.sum())), (pairs.first[agree], pairs.second[agree]))
    count, part = csgraph.connected_components(coo_array(edges, shape=(offset.size, offset.size)), directed=False)
    one, other = part[pairs.first].astype(np.int64), part[pairs.second].astype(np.int64)
    between = np.flatnonzero(one != other)
    if not between.size:
        return None
    one, other, apart = one[between], other[between], apart[between]
    # By how much more the part with the larger number is behind, from each pair.
    sign = np.where(one < other, 1, -1)
    low, high = pairs.low[between] - apart, pairs.high[between] - apart
    low, high = np.where(sign > 0, low, -high), np.where(sign > 0, high, -low)
    middle = sign * (pairs.middle[between] - apart)
    tie = np.minimum(one, other) * count + np.maximum(one, other)
    distinct, group, ties = np.unique(tie, return_inverse=True, return_counts=True)
    tied = group == int(ties.argmax())
    smaller, larger = divmod(int(distinct[ties.argmax()]), int(count))
    nothing = np.zeros(int(tied.sum()), dtype=np.int64)
    _, (lowest,), (highest,) = most_agree(nothing, low[tied], high[tied])
    holds = (low[tied] <= highest) & (high[tied] >= lowest)
    best = int(np.clip(int(np.median(middle[tied][holds])), lowest, highest))
    sizes = np.bincount(part, minlength=count)
    calls_larger = int((pairs.calls_second[between] == (sign > 0))[tied].sum()) * 2 >= int(tied.sum())
    if (sizes[larger], not calls_larger) <= (sizes[smaller], calls_larger):
        return np.flatnonzero(part == larger), int(lowest), int(highest), best
    return np.flatnonzero(part == smaller), -int(highest), -int(lowest), -best

"""How far the clocks of hosts are apart, told from the calls between them.

A call bounds the offset between two clocks from both sides: its server span cannot begin before the client span that
called it, nor end after it. The offset that most calls between two hosts allow is that of their clocks: calls that go
on after their callers have given up, or were never waited for, are outvoted (as NTP tells good clocks from bad ones).
A host whose clock disagrees with more of its neighbours than it would after being set right is the one that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.auditing.evidence import CONSUMER, HOST_KEYS, PRODUCER, SERVER
from tracelab.numbering import renumbered

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence
    from tracelab.forest import Flags, Ints

Gains: TypeAlias = npt.NDArray[np.float64]

FAR: Final = 1 << 60
"""Nanoseconds that stand for no bound at all."""

_INSTANCE: Final = "resource.service.instance.id"
_FEWEST_CALLS: Final = 3
_BEGIN_TOO_EARLY: Final = 0.25
_END_TOO_LATE: Final = 0.6
_MOST_OUTLIERS: Final = 20  # one in so many calls may contradict an interval
_CALLS_OF_PAIR: Final = 256
_ROUNDS: Final = 32


@dataclass(frozen=True)
class Clocks:
    """Which hosts' clocks are wrong, and the calls that say so.

    Attributes
    ----------
    hosts
        Names of hosts by their numbers; where a span names no host, that of its instance or of its service.
    host
        Number of the host of every span; empty where no clock is wrong.
    wrong
        One row per wrong clock: `host`, `offset`, `lower`, `upper` (nanoseconds to add to its times; positive where
        the clock is behind; bounds beyond `FAR` are none), `against` (the only other host that it could be instead,
        else -1).
    calls
        Places of the called spans on or from those hosts; twice where both clocks are wrong.
    blamed
        For each call the row of `wrong` that it speaks of.
    contradicts
        Mark the calls that would be impossible if the clocks agreed.
    """

    hosts: pl.Series
    host: Ints
    wrong: pl.DataFrame
    calls: Ints
    blamed: Ints
    contradicts: Flags

    def correction(self) -> Ints | None:
        """Give the nanoseconds to add to the times of every span; None where all clocks agree."""
        if not self.wrong.height:
            return None
        table = np.zeros(self.hosts.len(), dtype=np.int64)
        table[self.wrong["host"].to_numpy()] = self.wrong["offset"].to_numpy()
        return table[self.host]


@dataclass(frozen=True)
class _Pairs:
    """Pairs of hosts, how far the clock of `second` is behind that of `first`, and which one calls the other."""

    first: Ints
    second: Ints
    low: Ints
    high: Ints
    middle: Ints
    calls_second: Flags


def clocks_of(evidence: Evidence) -> Clocks:
    """Find the hosts whose clocks are wrong."""
    return evidence.kept("clocks", lambda: _clocks(evidence))


def machines(evidence: Evidence) -> tuple[Ints, pl.Series]:
    """Give every span the number of its host, its instance or at least its service; and their names."""
    keys = (*HOST_KEYS, _INSTANCE)
    if not evidence.knows(*keys):
        return evidence.service, evidence.services
    number, names = evidence.numbers(*keys)
    unknown = number < 0
    if not unknown.any():
        return number, names
    return np.where(unknown, names.len() + evidence.service, number), pl.concat(
        [names.alias("host"), evidence.services.alias("host")]
    )


def grains(start: Ints, host: Ints, hosts: int) -> Ints:
    """Tell how coarse the clock of each host is written: in nanoseconds, microseconds or milliseconds."""
    grain = np.ones(hosts, dtype=np.int64)
    for size in (1_000, 1_000_000):
        coarse = np.ones(hosts, dtype=bool)
        coarse[host[start % size != 0]] = False
        if not coarse.any():
            break
        grain[coarse] = size
    return grain


def most_agree(group: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints, Ints]:
    """Find for each group the values that most of its intervals hold (Marzullo's algorithm).

    Groups are numbered from 0 without gaps. Gives how many intervals hold the best value, and the lowest and highest
    value around it that nearly as many hold.
    """
    values = np.concatenate([low, high])
    step = np.repeat(np.array([1, -1]), low.size)
    groups = np.concatenate([group, group])
    order = np.lexsort((-step, values, groups))
    values, groups = values[order], groups[order]
    holding = np.cumsum(step[order])
    first = np.flatnonzero(np.diff(groups, prepend=-1))
    most = np.maximum.reduceat(holding, first)
    best = np.flatnonzero(holding == most[groups])
    best = best[np.diff(groups[best], prepend=-1) > 0]
    # The last value of each group is held by none, so that no stretch goes beyond a group.
    places = np.arange(values.size)
    few = holding < (most - most // _MOST_OUTLIERS)[groups]
    before = np.maximum.accumulate(np.where(few, places, -1))[best]
    after = np.minimum.accumulate(np.where(few, places, values.size)[::-1])[::-1][best]
    return most, values[before + 1], values[after]


def _clocks(evidence: Evidence) -> Clocks:
    called = _called(evidence)
    if called.size:
        low, high = _bounds(evidence, called)
        if np.count_nonzero((low > 0) | (high < 0)) >= _FEWEST_CALLS:
            return _of_calls(evidence, called, low, high)
    return _none()


def _called(evidence: Evidence) -> Ints:
    """List the spans that another process has called."""
    enters = (evidence.kind == SERVER) | (evidence.kind == CONSUMER)
    return np.flatnonzero(evidence.crossing | (enters & (evidence.parent >= 0)))


def _bounds(evidence: Evidence, called: Ints) -> tuple[Ints, Ints]:
    """Give what must at least, and may at most be added to the times of called spans so that their callers hold them.

    Where a caller need not have waited, there is no upper bound.
    """
    caller = evidence.parent[called]
    low = evidence.start[caller] - evidence.start[called]
    high = evidence.end[caller] - evidence.end[called]
    waits = (evidence.kind[called] != CONSUMER) & (evidence.kind[caller] != PRODUCER) & (high >= low)
    return low, np.where(waits, high, FAR)


def _of_calls(evidence: Evidence, called: Ints, low: Ints, high: Ints) -> Clocks:
    host, hosts = machines(evidence)
    here, there = host[evidence.parent[called]], host[called]
    apart = here != there
    called, low, high, here, there = (values[apart] for values in (called, low, high, here, there))
    if not called.size:
        return _none()
    grain = grains(evidence.start, host, hosts.len())
    slack = np.maximum(grain[here], grain[there])
    low, high = low - slack, high + slack
    contradicts = (low > 0) | (high < 0)
    forward = here < there
    first, second = np.where(forward, here, there), np.where(forward, there, here)
    number, distinct = renumbered(first * hosts.len() + second)
    low, high = np.where(forward, low, -high), np.where(forward, high, -low)
    pairs, bad = _pairs(number, distinct, hosts.len(), low, high, forward)
    if not bad.any():
        return _none()
    wrong = _wrong(pairs, hosts.len())
    row_of = np.full(hosts.len(), -1, dtype=np.int64)
    row_of[wrong["host"].to_numpy()] = np.arange(wrong.height)
    # A call between two wrong clocks speaks of both.
    blamed = np.concatenate([row_of[first], row_of[second]])
    spoken = np.flatnonzero(blamed >= 0)
    call = spoken % called.size
    return Clocks(hosts, host, wrong, called[call], blamed[spoken], contradicts[call])


def _pairs(number: Ints, distinct: Ints, hosts: int, low: Ints, high: Ints, forward: Flags) -> tuple[_Pairs, Flags]:
    """Measure the offset of every pair of hosts, and mark those whose clocks cannot agree."""
    calls = np.bincount(number, minlength=distinct.size)
    # Some hundreds of calls tell the offset of a pair well enough.
    some = np.flatnonzero(_spread(number.size) % np.maximum(calls // _CALLS_OF_PAIR, 1)[number] == 0)
    asked, low, high, forward = number[some], low[some], high[some], forward[some]
    there, asked = np.unique(asked, return_inverse=True)
    most, lowest, highest = most_agree(asked, low, high)
    counted = np.bincount(asked)
    explained = most - np.bincount(asked[(low <= 0) & (high >= 0)], minlength=there.size)
    begins_early = np.where(forward, low > 0, high < 0)
    least = (
        np.where(
            np.bincount(asked[begins_early], minlength=there.size) * 2 >= explained, _BEGIN_TOO_EARLY, _END_TOO_LATE
        )
        * counted
    )
    bad = (explained >= np.maximum(least, _FEWEST_CALLS)) & ((lowest > 0) | (highest < 0))
    lowest = np.where(bad, lowest, np.minimum(lowest, 0))
    highest = np.where(bad, highest, np.maximum(highest, 0))
    middle = np.clip(_middles(asked, low, high, there.size), lowest, highest)
    first, second = np.divmod(distinct[there], hosts)
    calls_second = np.bincount(asked[forward], minlength=there.size) * 2 >= counted
    return _Pairs(first, second, lowest, highest, middle, calls_second), bad


def _spread(count: int) -> Ints:
    """Give numbers that look random, so that every so many of them are a fair sample."""
    return (np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)).astype(np.int64)


def _middles(group: Ints, low: Ints, high: Ints, groups: int) -> Ints:
    """Give each group the median of the middles of its intervals, or of the one bound where there is no other."""
    bounded = (low > -FAR // 2) & (high < FAR // 2)
    middle = np.where(bounded, low // 2 + high // 2, np.where(high < FAR // 2, high, low))
    table = pl.DataFrame({"group": group, "middle": middle, "bounded": bounded})
    medians = table.group_by("group").agg(
        pl.col("middle").filter("bounded").median().alias("bounded"), pl.col("middle").median()
    )
    found = np.zeros(groups, dtype=np.int64)
    found[medians["group"].to_numpy()] = medians.select(pl.coalesce("bounded", "middle").cast(pl.Int64)).to_series()
    return found


def _wrong(pairs: _Pairs, count: int) -> pl.DataFrame:
    """Set clocks right, one after the other, until the pairs agree that can be made to."""
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
    found = np.flatnonzero(wrong & (offset != 0))
    columns = {"host": found, "offset": offset[found], "lower": lower[found], "upper": upper[found]}
    return pl.DataFrame({**columns, "against": against[found]})


def _gains(pairs: _Pairs, offset: Ints, agree: Flags) -> tuple[Gains, Ints, Ints, Ints]:
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
    medians = _middles(group[holds], middle[asked][holds], middle[asked][holds], there.size)
    gain = np.zeros(count)
    gain[there] = np.where(share > 0.5, (most - now) * share, 0)
    low, high, middle = (np.zeros(count, dtype=np.int64) for _ in range(3))
    low[there], high[there], middle[there] = lowest, highest, np.clip(medians, lowest, highest)
    return gain, low, high, middle


def _winners(pairs: _Pairs, apart: Flags, gain: Gains) -> tuple[Ints, Ints]:
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


def _nearest(pairs: _Pairs, offset: Ints, agree: Flags) -> tuple[Ints, Ints, Ints, Ints, Ints]:
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


def _none() -> Clocks:
    nothing = np.empty(0, dtype=np.int64)
    wrong = pl.DataFrame(dict.fromkeys(("host", "offset", "lower", "upper", "against"), nothing))
    return Clocks(pl.Series("host", [], dtype=pl.String), nothing, wrong, nothing, nothing, nothing.astype(bool))

"""How far the clocks of two hosts are apart, told from the calls between them.

The offset that most calls between two hosts allow is that of their clocks: calls that go on after their callers have
given up, or were never waited for, are outvoted (as NTP tells good clocks from bad ones).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.clocks.agreement import middles, most_agree

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.clocks.calls import HostCalls

FEWEST_CALLS: Final = 3
"""So many calls must contradict that two clocks agree."""

ENOUGH: Final = 256
"""Some hundreds of calls tell the offset of a pair well enough."""

_BEGIN_TOO_EARLY: Final = 0.25
_END_TOO_LATE: Final = 0.6


@dataclass(frozen=True)
class Pairs:
    """Pairs of hosts, and how far their clocks are apart.

    Attributes
    ----------
    first, second
        Numbers of the hosts.
    low, high
        How many nanoseconds the clock of the second host is behind that of the first one, at least and at most.
    middle
        The same, as it is estimated.
    calls_second
        Mark the pairs of which the first host calls the second one, more often than the other way round.
    bad
        Mark the pairs whose clocks cannot agree; the interval of all others holds 0.
    looked_at, agreeing
        How many calls were looked at, and how many of them allow one and the same offset.
    """

    first: Ints
    second: Ints
    low: Ints
    high: Ints
    middle: Ints
    calls_second: Flags
    bad: Flags
    looked_at: Ints
    agreeing: Ints


def measured(calls: HostCalls, hosts: int, *, enough: int | None = ENOUGH) -> Pairs:
    """Measure the offset of every pair of hosts on so many of their calls, spread evenly, or on all of them."""
    asked, low, high, forward = calls.pair, calls.low, calls.high, calls.forward
    if enough is not None:
        count = np.bincount(asked, minlength=calls.distinct.size)
        some = np.flatnonzero(spread(asked.size) % np.maximum(count // enough, 1)[asked] == 0)
        asked, low, high, forward = asked[some], low[some], high[some], forward[some]
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
    bad = (explained >= np.maximum(least, FEWEST_CALLS)) & ((lowest > 0) | (highest < 0))
    lowest = np.where(bad, lowest, np.minimum(lowest, 0))
    highest = np.where(bad, highest, np.maximum(highest, 0))
    middle = np.clip(middles(asked, low, high, there.size), lowest, highest)
    first, second = np.divmod(calls.distinct[there], hosts)
    calls_second = np.bincount(asked[forward], minlength=there.size) * 2 >= counted
    return Pairs(first, second, lowest, highest, middle, calls_second, bad, counted, most)


def spread(count: int) -> Ints:
    """Give numbers that look random, so that every so many of them are a fair sample."""
    return (np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)).astype(np.int64)

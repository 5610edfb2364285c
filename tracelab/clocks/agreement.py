"""What most intervals of a group agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from tracelab.array_types import Ints

FAR: Final = 1 << 62
"""Nanoseconds that stand for no bound at all."""

_MOST_OUTLIERS: Final = 20  # one in so many calls may contradict an interval


def most_agree(group: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints, Ints]:
    """Find for each group the values that most of its intervals hold (Marzullo's algorithm).

    Groups are numbered from 0 without gaps. Gives how many intervals hold the best value, and the lowest and highest
    value around it that nearly as many hold.
    """
    values = np.concatenate([low, high])
    step = np.repeat(np.array([1, -1]), low.size)
    groups = np.concatenate([group, group])
    # Where values are equal the low ones stay first.
    order = np.argsort(values, kind="stable")
    order = order[_stably_by_group(groups[order])]
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


def _stably_by_group(group: Ints) -> Ints:
    """Sort by group; numpy counts 16-bit numbers instead of comparing them."""
    small = group.astype(np.uint16) if group.max(initial=0) < 1 << 16 else group
    return np.argsort(small, kind="stable")


def middles(group: Ints, low: Ints, high: Ints, groups: int) -> Ints:
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

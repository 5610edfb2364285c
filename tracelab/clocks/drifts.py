"""Offsets between clocks that do not stay what they are: clocks that drift, or are set meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.clocks.agreement import most_agree
from tracelab.clocks.pairs import FEWEST_CALLS

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.clocks.calls import HostCalls
    from tracelab.clocks.pairs import Pairs

_CALLS_OF_WINDOW: Final = 16
_MOST_WINDOWS: Final = 128
_CLEAR: Final = 0.25
_UNANIMOUS: Final = 0.9
_CLEARLY: Final = 2.0


def drifts(calls: HostCalls, pairs: Pairs, frame: pl.DataFrame) -> tuple[Flags, Ints]:
    """Mark the pairs of which no offset fits at all times, and tell how far it has moved.

    The calls of a pair are cut into windows of time with as many calls each, and measured window by window. Given is
    how much less the clock of the second host is behind that of the first one in the later of the two windows that are
    furthest apart; 0 where one offset fits all along.

    That calls go on after their callers, or begin behind them, some time and some time not, moves windows at random. A
    clock does not jump to and fro: either nearly all calls of both windows say so, or windows are like the next ones
    (J. von Neumann, "Distribution of the ratio of the mean square successive difference to the variance", Ann. Math.
    Statist. 12 (1941), 367-395).
    """
    start = frame["start_time"].to_physical().to_numpy()[calls.calls.caller]
    order = np.lexsort((start, calls.pair))
    pair = calls.pair[order]
    count = np.bincount(pair, minlength=pairs.first.size)
    rank = np.arange(pair.size) - np.repeat(np.cumsum(count) - count, count)
    windows = np.clip(count // _CALLS_OF_WINDOW, 1, _MOST_WINDOWS)
    window = pair * _MOST_WINDOWS + rank * windows[pair] // count[pair]
    distinct, number = np.unique(window, return_inverse=True)
    most, low, high = most_agree(number, calls.low[order], calls.high[order])
    asked = np.bincount(number)
    clear = most >= np.maximum(asked * _CLEAR, FEWEST_CALLS)
    columns = {"pair": distinct // _MOST_WINDOWS, "low": low, "high": high, "agree": most >= asked * _UNANIMOUS}
    table = pl.DataFrame(columns).filter(pl.Series(clear))
    highest, lowest = pl.col("low").arg_max(), pl.col("high").arg_min()
    middle = pl.col("low") // 2 + pl.col("high") // 2
    change = middle.get(highest) - middle.get(lowest)
    unanimous = pl.col("agree").get(highest) & pl.col("agree").get(lowest)
    like_next = (middle.diff().cast(pl.Float64) ** 2).sum() < (middle.cast(pl.Float64).var(ddof=0) * pl.len()) * (
        2 - 2 * _CLEARLY / pl.len().sqrt()
    )
    found = (
        table.group_by("pair")
        .agg(
            ((pl.col("low").max() > pl.col("high").min()) & (unanimous | like_next)).alias("moved"),
            pl.when(highest > lowest).then(-change).otherwise(change).alias("change"),
        )
        .filter("moved")
    )
    moved, drift = np.zeros(pairs.first.size, dtype=bool), np.zeros(pairs.first.size, dtype=np.int64)
    moved[found["pair"].to_numpy()] = True
    drift[found["pair"].to_numpy()] = found["change"].to_numpy()
    return moved, drift

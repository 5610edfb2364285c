"""Columns of spans as arrays of nanoseconds, and runs of equal numbers in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

    from tracelab.array_types import Ints


def starts(frame: pl.DataFrame) -> Ints:
    """Give the start of every span in nanoseconds since 1970."""
    return frame["start_time"].to_physical().to_numpy().astype(np.int64)


def durations(frame: pl.DataFrame) -> Ints:
    """Give the length of every span in nanoseconds."""
    return frame["duration"].to_physical().to_numpy().astype(np.int64)


def group_starts(group: Ints) -> Ints:
    """Find where the runs of equal numbers begin."""
    if not group.size:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))


def running_max(values: Ints, group: Ints) -> Ints:
    """Give the largest value so far within each run of equal numbers in `group`, by doubling steps."""
    begins = group_starts(group)
    rank = np.arange(values.size) - np.repeat(begins, np.diff(begins, append=values.size))
    result = values.copy()
    step = 1
    behind = np.flatnonzero(rank >= step)
    while behind.size:
        result[behind] = np.maximum(result[behind], result[behind - step])
        step *= 2
        behind = behind[rank[behind] >= step]
    return result

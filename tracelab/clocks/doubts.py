"""Whether clocks are further apart than what an answer tells of: then it is said once, with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.clocks.agreement import FAR
from tracelab.clocks.calls import calls_of
from tracelab.clocks.pairs import FEWEST_CALLS, measured
from tracelab.clocks.seen import seen_of
from tracelab.clocks.skews import ahead, turned
from tracelab.clocks.wrong import corrections
from tracelab.errors import SkewWarning, warn_caller
from tracelab.options import shown
from tracelab.units import format_duration

if TYPE_CHECKING:
    import polars as pl

    from tracelab.clocks.pairs import Pairs
    from tracelab.clocks.seen import Seen
    from tracelab.forest import Forest


def warn_of_skew(frame: pl.DataFrame, forest: Forest) -> None:
    """Warn where the clocks of two hosts are further apart than the calls between them leave room for.

    Then these calls lie outside of their callers, and what an answer tells of their times is wrong by about as much.
    The frame has its `host_columns`.
    """
    if not _is_suspect(frame, forest):
        return
    seen = seen_of(frame, forest)
    if seen.calls is None:
        return
    pairs = measured(seen.calls, seen.hosts.len())
    if pairs.bad.any():
        warn_caller(_says(seen, pairs), SkewWarning)


def _is_suspect(frame: pl.DataFrame, forest: Forest) -> bool:
    """Tell at a small price whether any calls of another process lie outside of their callers."""
    start = frame["start_time"].to_physical().to_numpy()
    end = start + frame["duration"].to_physical().to_numpy()
    rows = np.flatnonzero(forest.has_parent)
    above = forest.parent[rows]
    outside = rows[(start[rows] < start[above]) | (end[rows] > end[above])]
    if outside.size < FEWEST_CALLS:
        return False
    kind = frame["kind"].to_physical().to_numpy()
    return int(np.count_nonzero(calls_of(outside, forest.parent, kind, start, end).outside)) >= FEWEST_CALLS

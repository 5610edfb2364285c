"""Whether clocks are further apart than what an answer tells of: then it is said once, with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.clocks.agreement import FAR
from tracelab.clocks.calls import calls_of, entering
from tracelab.clocks.drifts import drifts
from tracelab.clocks.hosts import host_columns, machines
from tracelab.clocks.pairs import FEWEST_CALLS, measured, spread
from tracelab.clocks.seen import seen_of
from tracelab.clocks.wrong import ahead, corrections, turned_of
from tracelab.errors import SkewWarning, warn_caller
from tracelab.forest import build_forest
from tracelab.options import shown
from tracelab.units import format_duration

if TYPE_CHECKING:
    import polars as pl

    from tracelab.array_types import Ints
    from tracelab.clocks.calls import HostCalls
    from tracelab.clocks.pairs import Pairs
    from tracelab.clocks.seen import Seen
    from tracelab.forest import Forest

_ENOUGH: Final = 1 << 15


def timed_forest(spans: pl.DataFrame | pl.LazyFrame, *columns: str | pl.Expr) -> tuple[pl.DataFrame, Forest]:
    """Put the spans into their places, as `build_forest` does, for an answer that compares times of several hosts.

    Warns where their clocks do not allow that.
    """
    frame, forest = build_forest(spans, *columns, *host_columns(spans))
    warn_of_skew((frame, forest))
    return frame, forest


def warn_of_skew(*sides: tuple[pl.DataFrame, Forest]) -> None:
    """Warn, once, where the clocks of two hosts are further apart than the calls between them leave room for.

    Then these calls lie outside of their callers, and what an answer tells of their times is wrong by about as much.
    Each side is a frame with its `host_columns`, and its forest.
    """
    for frame, forest in sides:
        if text := _doubt(frame, forest):
            warn_caller(text, SkewWarning)
            return


def _doubt(frame: pl.DataFrame, forest: Forest) -> str | None:
    """Say which clocks are too far apart; None if there are none."""
    if not _is_suspect(frame, forest):
        return None
    seen = seen_of(frame, forest, _some_calls(frame, forest))
    if seen.calls is None:
        return None
    pairs = measured(seen.calls, seen.hosts.len())
    if pairs.bad.any():
        return _says(seen, seen.calls, pairs)
    moved, change = drifts(seen.calls, pairs, frame)
    return _says_of_drift(seen, seen.calls, pairs, np.where(moved, np.abs(change), 0)) if moved.any() else None


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
    calls = calls_of(outside, forest.parent, kind, start, end)
    outside = outside[calls.outside]
    if outside.size < FEWEST_CALLS:
        return False
    asked = np.concatenate((outside, forest.parent[outside]))
    host, _, _ = machines(frame.select("service_name", *host_columns(frame))[asked])
    here, there = np.split(host, 2)
    return int(np.count_nonzero(here != there)) >= FEWEST_CALLS


def _some_calls(frame: pl.DataFrame, forest: Forest) -> Ints:
    """List spans that another process may have called: so many of them, spread evenly, tell enough."""
    kind = frame["kind"].to_physical().to_numpy()
    service = frame["service_name"].hash().to_numpy()
    crossing = forest.has_parent & (service[forest.parent] != service)
    called = entering(forest.parent, kind, crossing)
    some: Ints = called[spread(called.size) % max(called.size // _ENOUGH, 1) == 0]
    return some


def _says(seen: Seen, calls: HostCalls, pairs: Pairs) -> str:
    """Put the pair into words that is furthest apart."""
    turned = turned_of(pairs, corrections(pairs, seen.hosts.len()))
    low, high = ahead(pairs.low, pairs.high, turned)
    least = np.where(pairs.bad, np.maximum(low, -high), 0)
    worst = int(np.argmax(least))
    first, second = pairs.first[worst], pairs.second[worst]
    host, reference = (first, second) if turned[worst] else (second, first)
    way = "ahead of" if low[worst] > 0 else "behind"
    of_pair = (calls.first == first) & (calls.second == second)
    outside = int(np.count_nonzero(of_pair & calls.calls.outside))
    others = int(np.count_nonzero(pairs.bad)) - 1
    more = f" And {others:,} more {'pair' if others == 1 else 'pairs'} of hosts." if others else ""
    calls_of_pair = int(np.count_nonzero(of_pair))
    return (
        f"The clock of {shown(seen.hosts[int(host)])} is {_size(low[worst], high[worst])} {way} that of "
        f"{shown(seen.hosts[int(reference)])}, so that times told across them are wrong: {outside:,} of "
        f"{calls_of_pair:,} calls looked at lie outside of their callers.{more} correct_skew(spans) sets times right, "
        "clock_skew(spans) tells more."
    )


def _says_of_drift(seen: Seen, calls: HostCalls, pairs: Pairs, change: Ints) -> str:
    """Put the pair into words whose clocks have moved apart most, though they may agree most of the time."""
    worst = int(np.argmax(change))
    first, second = pairs.first[worst], pairs.second[worst]
    called, caller = (second, first) if pairs.calls_second[worst] else (first, second)
    of_pair = (calls.first == first) & (calls.second == second)
    outside = int(np.count_nonzero(of_pair & calls.calls.outside))
    return (
        f"The clock of {shown(seen.hosts[int(called)])} or that of {shown(seen.hosts[int(caller)])} has drifted, or "
        f"was set, by {format_duration(int(change[worst]))} meanwhile, so that times told across them are wrong: "
        f"{outside:,} of {int(np.count_nonzero(of_pair)):,} calls looked at lie outside of their callers. No single "
        "offset sets them right at all times. clock_skew(spans) tells more."
    )


def _size(low: int, high: int) -> str:
    """Write how far two clocks are apart."""
    least, most = sorted((abs(int(low)), abs(int(high))))
    if most > FAR // 2:
        return f"at least {format_duration(least)}"
    said = list(dict.fromkeys((format_duration(least), format_duration(most))))
    return " to ".join(said)

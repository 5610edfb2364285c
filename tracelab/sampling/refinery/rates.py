"""The rates that dynamic samplers compute, replayed: traces come in the order of their decisions, ticks between them.

The clock starts with the first decision. Each function takes the traces in order: `codes` (the number of the key of
each, numbered in the order of the keys' texts), `counts` (its events) and `times` (nanoseconds), and gives the rate of
each. Traces between two ticks are looked at all at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.sampling.refinery import samplers as s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.array_types import Flags, Floats, Ints


_SECOND: Final = 1e9
_AT_ONCE: Final = 4096


@dataclass(frozen=True)
class Arrivals:
    """Traces in the order in which a sampler decides on them.

    Attributes
    ----------
    codes
        Which key each has.
    counts
        How many events.
    times
        When it is decided on, ascending.
    keys
        How many keys there are.
    """

    codes: Ints
    counts: Ints
    times: Ints
    keys: int


def rates(sampler: s.Dynamic, arrivals: Arrivals) -> Ints:
    """Give the rate that a sampler has for each trace: one in so many is kept."""
    if not arrivals.times.size:
        return np.zeros(0, dtype=np.int64)
    match sampler:
        case s.Average():
            found = _average(sampler, arrivals)
        case s.Throughput():
            found = _throughput(sampler, arrivals)
        case s.Windowed():
            found = _windowed(sampler, arrivals)
        case s.MovingAverage():
            found = _moving_average(sampler, arrivals)
    return np.maximum(found, 1)


def _intervals(arrivals: Arrivals, interval: int) -> Iterator[tuple[int, slice]]:
    """Give the intervals in which there are traces: the number of each, and which they are."""
    numbers = (arrivals.times - arrivals.times[0]) // interval
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    for start, end in zip(starts, [*starts[1:], numbers.size], strict=True):
        yield int(numbers[start]), slice(int(start), int(end))


def _counted(codes: Ints, held: Floats, most: int) -> Flags:
    """Mark the traces that are counted: whose key is held already, or comes while there is room for one more."""
    if most <= 0:
        return np.ones(codes.size, dtype=np.bool_)
    known = held > 0
    room = most - int(np.count_nonzero(known))
    new, first = np.unique(codes[~known[codes]], return_index=True)
    if new.size <= room:
        return np.ones(codes.size, dtype=np.bool_)
    allowed = known.copy()
    allowed[new[np.argsort(first)][: max(room, 0)]] = True
    return allowed[codes]


def _average(sampler: s.Average, arrivals: Arrivals) -> Ints:
    """Replay `AvgSampleRate`: the counts of an interval make the rates of the next."""
    found = np.zeros(arrivals.codes.size, dtype=np.int64)
    saved, last, counts, has_data = np.zeros(arrivals.keys, dtype=np.int64), -1, np.zeros(arrivals.keys), False
    for number, span in _intervals(arrivals, sampler.interval):
        if last >= 0:
            saved = _spread(counts, counts.sum() / sampler.rate)
            has_data = True
            if number > last + 1:
                saved = np.zeros_like(saved)
        codes = arrivals.codes[span]
        found[span] = saved[codes] if has_data else sampler.rate
        counts = _sums(arrivals, span, np.zeros(arrivals.keys), sampler.key.most)
        last = number
    return found


def _throughput(sampler: s.Throughput, arrivals: Arrivals) -> Ints:
    """Replay `TotalThroughput`: the keys of an interval share the goal of the next."""
    found = np.zeros(arrivals.codes.size, dtype=np.int64)
    saved, last, counts = np.zeros(arrivals.keys, dtype=np.int64), -1, np.zeros(arrivals.keys)
    for number, span in _intervals(arrivals, sampler.interval):
        if last >= 0:
            saved = np.zeros_like(saved) if number > last + 1 else _shared(counts, sampler.throughput, sampler.interval)
        found[span] = saved[arrivals.codes[span]]
        counts = _sums(arrivals, span, np.zeros(arrivals.keys), sampler.key.most)
        last = number
    return found


def _windowed(sampler: s.Windowed, arrivals: Arrivals) -> Ints:
    """Replay `WindowedThroughput`: at every tick the keys of the window behind it share the goal.

    The window is made of whole intervals of the clock (not of the ticks), the current one left out. A sampler that has
    as many keys as it may counts nothing at all, until keys leave the window.
    """
    found = np.zeros(arrivals.codes.size, dtype=np.int64)
    blocks = arrivals.times // sampler.interval
    counted = np.zeros(arrivals.codes.size)
    newest = np.full(arrivals.keys, np.iinfo(np.int64).min)
    window = np.zeros(arrivals.keys)
    entered, left = 0, 0
    saved = np.zeros(arrivals.keys, dtype=np.int64)
    back = sampler.lookback // sampler.interval
    for number, span in _intervals(arrivals, sampler.interval):
        if number:
            tick = (int(arrivals.times[0]) + number * sampler.interval) // sampler.interval
            until, since = (int(np.searchsorted(blocks[: span.start], block)) for block in (tick, tick - back))
            window += np.bincount(arrivals.codes[entered:until], counted[entered:until], arrivals.keys)
            window -= np.bincount(arrivals.codes[left:since], counted[left:since], arrivals.keys)
            entered, left = until, since
            saved = _shared(window, sampler.throughput, sampler.lookback)
            newest[newest <= tick - 1 - back] = np.iinfo(np.int64).min
        codes = arrivals.codes[span]
        taken = _until_full(codes, newest, sampler.key.most)
        found[span] = np.where(taken, saved[codes], 1)
        counted[span] = np.where(taken, arrivals.counts[span], 0)
        np.maximum.at(newest, codes[taken], blocks[span][taken])
    return found


def _until_full(codes: Ints, newest: Ints, most: int) -> Flags:
    """Mark the traces that come before there are as many keys as there may be."""
    if most <= 0:
        return np.ones(codes.size, dtype=np.bool_)
    known = newest > np.iinfo(np.int64).min
    _, first = np.unique(codes, return_index=True)
    is_new = np.zeros(codes.size, dtype=np.int64)
    is_new[first[~known[codes[first]]]] = 1
    before = np.count_nonzero(known) + np.cumsum(is_new) - is_new
    return before < most


def _moving_average(sampler: s.MovingAverage, arrivals: Arrivals) -> Ints:
    """Replay `EMASampleRate` and `EMAThroughput`: moving averages are brought up to date at ticks, and in bursts."""
    found = np.zeros(arrivals.codes.size, dtype=np.int64)
    state = _Averages(
        sampler, np.zeros(arrivals.keys), np.zeros(arrivals.keys), np.zeros(arrivals.keys, dtype=np.int64)
    )
    tick, at = int(arrivals.times[0]) + sampler.interval, 0
    while at < arrivals.codes.size:
        end = min(int(np.searchsorted(arrivals.times, tick)), at + _AT_ONCE)
        if end == at:
            state.update()
            missed = (int(arrivals.times[at]) - tick) // sampler.interval
            state.intervals += 1 + missed
            tick += (1 + missed) * sampler.interval
            continue
        codes, counts = arrivals.codes[at:end], arrivals.counts[at:end]
        taken = _counted(codes, state.counts, sampler.key.most)
        burst = state.burst(np.where(taken, counts, 0))
        upto = codes.size if burst is None else burst + 1
        found[at : at + upto] = state.saved[codes[:upto]] if state.has_data else sampler.initial
        state.take(codes[:upto][taken[:upto]], counts[:upto][taken[:upto]])
        at += upto
        if burst is not None:
            state.update()
            tick = int(arrivals.times[at - 1]) + sampler.interval
    return found


@dataclass
class _Averages:
    """What a sampler of moving averages knows."""

    sampler: s.MovingAverage
    averages: Floats
    counts: Floats
    saved: Ints
    has_data: bool = False
    intervals: int = 0
    threshold: float = 0.0
    burst_sum: float = 0.0

    def burst(self, counts: Ints) -> int | None:
        """Say at which of the traces more events have come than a burst needs; None if at none."""
        if not (self.threshold > 0 and self.intervals >= self.sampler.burst_delay):
            return None
        over = self.burst_sum + np.cumsum(counts) >= self.threshold
        return int(np.argmax(over)) if over.any() else None

    def take(self, codes: Ints, counts: Ints) -> None:
        self.counts += np.bincount(codes, counts, self.counts.size)
        self.burst_sum += float(counts.sum())

    def update(self) -> None:
        """Move the averages on and spread the goal anew; without traffic nothing changes."""
        if not self.counts.any():
            return
        weight = self.sampler.weight
        moved = self.counts * weight + (1.0 - weight) * self.averages
        self.averages = np.where(moved < self.sampler.age_out, 0.0, moved)
        self.counts = np.zeros_like(self.counts)
        self.burst_sum = 0.0
        total = float(np.maximum(self.averages[self.averages > 0], 1).sum())
        self.threshold = total * self.sampler.burst_multiple
        if self.sampler.throughput is not None:
            goal = self.sampler.throughput * (self.sampler.interval / _SECOND)
        else:
            goal = total / (self.sampler.rate or 1)
        self.saved = _spread(self.averages, goal)
        self.has_data = True


def _sums(arrivals: Arrivals, span: slice, held: Floats, most: int) -> Floats:
    codes, counts = arrivals.codes[span], arrivals.counts[span]
    taken = _counted(codes, held, most)
    return np.bincount(codes[taken], counts[taken], arrivals.keys).astype(np.float64)


def _shared(counts: Floats, throughput: int, length: int) -> Ints:
    """Give every key the same share of the events that may be sent in a length of time."""
    keys = np.count_nonzero(counts)
    if not keys:
        return np.zeros(counts.size, dtype=np.int64)
    share = throughput * (length / _SECOND) / keys
    return np.where(counts > 0, np.maximum(1, np.floor(counts / share)), 0).astype(np.int64)


def _spread(counts: Floats, goal: float) -> Ints:
    """Spread a number of events over keys by the logarithms of their counts, and give the rates; 0 for other keys.

    In the order of the keys, each gets its share and an equal part of what those before it left.
    """
    spread = np.zeros(counts.size, dtype=np.int64)
    present = np.flatnonzero(counts > 0)
    sizes = np.maximum(counts[present], 1)
    logarithms = np.log10(sizes)
    total = float(logarithms.sum())
    if not total:
        # Every key was seen once: all shares are without bounds.
        spread[present] = 1
        return spread
    shares = np.maximum(1, logarithms * (goal / total)).tolist()
    extra, remaining = 0.0, present.size
    for code, size, share in zip(present.tolist(), sizes.tolist(), shares, strict=True):
        given = extra / remaining
        allowed = share + given
        extra -= given
        remaining -= 1
        rate = 1 if size <= allowed else math.ceil(size / allowed)
        spread[code] = rate
        extra += allowed - size / rate
    return spread

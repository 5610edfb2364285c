"""The Collector's clock, simulated: when a trace is decided, which spans come too late, and which traces it forgets."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import polars as pl

from tracelab.errors import SchemaError
from tracelab.options import shown
from tracelab.sampling.documents import near
from tracelab.sampling.tail.groups import Groups

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.sampling.tail.policies import TailPolicies

_SECOND: Final = 1_000_000_000
_WRITE: Final = " Write a column of datetimes, or None: then spans come when they end."


def arrival_column(spans: pl.DataFrame | pl.LazyFrame, arrival: Any) -> pl.Expr | None:
    """Turn `arrival` into the expression for the times at which spans came; None where nobody says it.

    Raises
    ------
    SchemaError
        There is no such column, or it holds no times.
    """
    if arrival is None:
        return None
    if not isinstance(arrival, str | pl.Expr):
        raise SchemaError(f"`arrival` must be the name of a column or an expression, got {shown(arrival)}.{_WRITE}")
    schema = spans.lazy().collect_schema()
    if isinstance(arrival, str) and arrival not in schema:
        raise SchemaError(
            f"`arrival` names {arrival!r}, which is no column of the spans.{near(arrival, schema.names()) or _WRITE}"
        )
    column = pl.col(arrival) if isinstance(arrival, str) else arrival
    try:
        found = pl.DataFrame(schema=schema).select(column).schema
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0].partition("; valid columns")[0]
        raise SchemaError(f"`arrival` cannot be computed from these spans: {reason}.") from error
    dtypes = found.dtypes()
    if len(dtypes) != 1:
        raise SchemaError(f"`arrival` takes one column, got {len(dtypes)}: {shown(found.names())}.")
    if not isinstance(dtypes[0], pl.Datetime):
        raise SchemaError(f"`arrival` must give the time at which each span came, and gives {dtypes[0]}.{_WRITE}")
    return column


def arrivals(frame: pl.DataFrame, arrival: Any) -> Ints:
    """Give the instant at which each span came, in nanoseconds: its end, unless a column or an expression says it.

    Raises
    ------
    SchemaError
        There is no such column, or it holds no times, or not one for each span.
    """
    column = arrival_column(frame, arrival)
    if column is None:
        ends = frame["start_time"].to_physical() + frame["duration"].to_physical()
        return ends.to_numpy()
    times = frame.select(column).to_series()
    if times.len() != frame.height:
        raise SchemaError(
            f"`arrival` must give a time for every span, and gives {times.len():,} for {frame.height:,} spans."
        )
    if times.null_count():
        raise SchemaError(f"`arrival` must give a time for every span, and {times.null_count():,} have none.")
    return times.dt.cast_time_unit("ns").to_physical().to_numpy()


@dataclass(frozen=True)
class Lives:
    """Traces as the Collector holds them: one that it forgot is a new one when another span comes.

    Attributes
    ----------
    groups
        The spans of each life.
    trace
        The number of the trace of each life.
    first, decided
        When its first span came, and when it is decided, in nanoseconds.
    lost
        Whether it was forgotten before it was decided.
    """

    groups: Groups
    trace: Ints = field(repr=False)
    first: Ints = field(repr=False)
    decided: Ints = field(repr=False)
    lost: Flags = field(repr=False)

    @classmethod
    def of(cls, groups: Groups, arrival: Ints, policies: TailPolicies) -> Lives:
        """Take every trace for one life."""
        first, decided = _schedule(groups, arrival, policies)
        count = groups.starts.size
        return cls(groups, np.arange(count), first, decided, np.zeros(count, dtype=bool))

    def late(self, arrival: Ints) -> Flags | None:
        """Mark the places whose spans came after the decision; None where there are none."""
        if not (self.groups.most(arrival) > self.decided).any():
            return None
        return np.greater(self.groups.placed(arrival), np.repeat(self.decided, self.groups.sizes))

    def parted(self, later: Flags, arrival: Ints, policies: TailPolicies) -> Lives:
        """Give the places that are marked lives of their own, one for each life that they were of."""
        groups = self.groups
        rows = np.arange(groups.places) if groups.rows is None else groups.rows
        return _lives(self, rows, groups.group * 2 + later, arrival, policies)

    def may_be_forgotten(self, arrival: Ints, policies: TailPolicies) -> bool:
        """Say whether a trace, or what was decided on it, is pushed out by others while it still matters."""
        room = max(policies.num_traces, 1)
        count = self.first.size
        caches = [size for size in (policies.sampled_cache_size, policies.non_sampled_cache_size) if size > 0]
        if any(size < count or policies.span_ingest for size in caches) and self.late(arrival) is not None:
            return True
        if count <= room or policies.block_on_overflow:
            return False
        order = np.argsort(self.first, kind="stable")
        matters = np.maximum(self.groups.most(arrival), self.decided)[order]
        return bool((self.first[order][room:] <= matters[: count - room]).any())


Ending: TypeAlias = tuple[bool, int]
"""Whether a life is sampled, and at the coming of which row that is decided; -1 where it is at a tick of the clock."""


def forgetful(lives: Lives, arrival: Ints, policies: TailPolicies, endings: list[list[Ending]]) -> Lives:
    """Part traces into lives as they, and what was decided on them, are pushed out of memory.

    `endings` says what is thought to be decided on the lives of each trace. Spans are taken one by one in the order of
    their arrival, since who is pushed out depends on all before.
    """
    groups = lives.groups
    rows = np.arange(groups.places) if groups.rows is None else groups.rows
    order = np.lexsort((rows, arrival[rows]))
    memory = _Memory(policies, endings)
    is_root = groups.frame["parent_span_id"].is_null().to_numpy()[rows[order]].tolist()
    spans = zip(groups.group[order].tolist(), arrival[rows[order]].tolist(), rows[order].tolist(), is_root, strict=True)
    life = [memory.take(trace, time, row, root=root) for trace, time, row, root in spans]
    memory.tick()
    placed = np.empty(rows.size, dtype=np.int64)
    placed[order] = life
    found = _lives(lives, rows, placed, arrival, policies)
    return replace(found, decided=np.array(memory.ticks), lost=np.array(memory.lost, dtype=bool))


def _lives(lives: Lives, rows: Ints, life: Ints, arrival: Ints, policies: TailPolicies) -> Lives:
    """Put rows together that have the same number, in the order of the numbers."""
    order = np.lexsort((rows, life))
    starts = np.flatnonzero(np.diff(life[order], prepend=-1))
    parted = Groups(lives.groups.frame, rows[order], starts)
    first, decided = _schedule(parted, arrival, policies)
    trace = lives.trace[lives.groups.group[order[starts]]]
    return Lives(parted, trace, first, decided, np.zeros(starts.size, dtype=bool))


def _schedule(groups: Groups, arrival: Ints, policies: TailPolicies) -> tuple[Ints, Ints]:
    """Say when each group's first span came, and at which tick of the clock, once a second, it is decided."""
    first = groups.least(arrival)
    decided = _tick(first, max(policies.decision_wait // _SECOND, 1) + 1)
    if policies.decision_wait_after_root_received > 0:
        is_root = groups.frame["parent_span_id"].is_null().to_numpy()
        root = groups.least(np.where(is_root, arrival, np.iinfo(np.int64).max))
        decided = np.minimum(decided, _tick(root, policies.decision_wait_after_root_received // _SECOND + 1))
    return first, decided


def _tick(times: Ints, wait: int) -> Ints:
    """Give the tick that is so many after some instants, or the last there is, which is none before them."""
    last = np.iinfo(np.int64).max // _SECOND
    # Seconds first: the second that the earliest instant lies in begins before nanoseconds do.
    ticks: Ints = (np.minimum(times // _SECOND, last - min(wait, last)) + min(wait, last)) * _SECOND
    return np.maximum(ticks, times)


class _Memory:
    """What the Collector holds: traces, the batches of their ids that it decides on one a second, and decisions.

    A batch holds ids: a trace that was pushed out and comes again is decided with the batch that it was in before.
    """

    def __init__(self, policies: TailPolicies, endings: list[list[Ending]]) -> None:
        self.endings = endings
        self.ingest = policies.span_ingest
        self.room = None if policies.block_on_overflow else max(policies.num_traces, 1)
        self.wait = max(policies.decision_wait // _SECOND, 1) + 1
        after_root = policies.decision_wait_after_root_received
        self.wait_after_root = after_root // _SECOND + 1 if after_root > 0 else None
        self.caches = {True: _Recent(policies.sampled_cache_size), False: _Recent(policies.non_sampled_cache_size)}
        self.held: OrderedDict[int, int] = OrderedDict()
        self.born = [0] * len(endings)
        self.batches: list[tuple[int, int]] = []
        self.waiting: set[tuple[int, int]] = set()
        self.batch: list[int] = []
        self.pending: set[int] = set()
        self.end: list[Ending] = []
        self.ticks: list[int] = []
        self.lost: list[bool] = []

    def take(self, trace: int, time: int, row: int, *, root: bool) -> int:
        """Take a span, and say of which life it is."""
        self.tick(time)
        known = self.caches[True].get(trace)
        if known is None:
            known = self.caches[False].get(trace)
        if known is not None:
            return known
        life = self.held.get(trace)
        if life is None:
            life = self._begin(trace, time)
        if root and self.wait_after_root is not None:
            tick = _one_tick(time, self.wait_after_root)
            if tick < self.batch[life]:
                self.waiting.discard((self.batch[life], trace))
                self._wait(trace, life, tick)
        if self.end[life][1] == row and life in self.pending:
            self._decide(trace, life)
        return life

    def tick(self, time: int | None = None) -> None:
        """Let the clock go on to a time, or to where nothing is left to decide."""
        while self.batches and (time is None or self.batches[0][0] < time):
            entry = heappop(self.batches)
            if entry not in self.waiting:
                continue  # it was moved to another batch
            self.waiting.discard(entry)
            tick, trace = entry
            life = self.held.get(trace)
            if life is None or life not in self.pending:
                continue
            self.ticks[life] = tick
            if self.ingest:
                self.end[life] = (False, -1)
            self._decide(trace, life)
            if self.ingest:
                self.held.pop(trace, None)

    def _begin(self, trace: int, time: int) -> int:
        if self.room is not None and len(self.held) >= self.room:
            _, oldest = self.held.popitem(last=False)
            self.lost[oldest] = oldest in self.pending
            self.pending.discard(oldest)
        life = len(self.lost)
        told = self.endings[trace]
        self.end.append(told[self.born[trace]] if self.born[trace] < len(told) else (False, -1))
        self.born[trace] += 1
        self.lost.append(False)
        self.batch.append(0)
        self.ticks.append(0)
        self.held[trace] = life
        self.pending.add(life)
        self._wait(trace, life, _one_tick(time, self.wait))
        return life

    def _wait(self, trace: int, life: int, tick: int) -> None:
        self.batch[life] = tick
        if life in self.pending:
            self.ticks[life] = tick
        if (tick, trace) not in self.waiting:
            self.waiting.add((tick, trace))
            heappush(self.batches, (tick, trace))

    def _decide(self, trace: int, life: int) -> None:
        self.pending.discard(life)
        if self.caches[self.end[life][0]].put(trace, life):
            del self.held[trace]


def _one_tick(time: int, wait: int) -> int:
    last = int(np.iinfo(np.int64).max) // _SECOND
    wait = min(wait, last)
    return (min(time // _SECOND, last - wait) + wait) * _SECOND


class _Recent:
    """The decisions that were asked for most recently, of a fixed number."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held: OrderedDict[int, int] = OrderedDict()

    def put(self, trace: int, life: int) -> bool:
        """Hold a decision, and say whether it is held."""
        if self.size <= 0:
            return False
        self.held[trace] = life
        self.held.move_to_end(trace)
        if len(self.held) > self.size:
            self.held.popitem(last=False)
        return True

    def get(self, trace: int) -> int | None:
        """Look a decision up, which makes it a recent one."""
        if trace in self.held:
            self.held.move_to_end(trace)
        return self.held.get(trace)

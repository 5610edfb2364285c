"""What happens when requests come: which spans there are, when, and which of them fail.

All arrays hold one item per span, in depth-first order, trace after trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tracelab.workload.systems.endpoints import CALLED, CLIENT, NOWHERE, POOLED, SERVER, Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.workload.systems.landscape import System


_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000


@dataclass(slots=True)
class Nodes:
    """All nodes of all call trees, column by column; `first` is where the tree of an entry begins."""

    nodes: list[Node]
    first: Ints
    size: Ints

    def column(self, name: str) -> npt.NDArray[Any]:
        """Give a field of all nodes."""
        return np.array([getattr(node, name) for node in self.nodes])


@dataclass(slots=True)
class Traffic:
    """The spans of all requests.

    `trace` is the number of the request, `origin` says where failures begin, `refused` that the client asked wrongly,
    `timed_out` that the caller gave up, `unreached` that the callee never heard of it; `send` is the row of the
    producer of a consumer.
    """

    trace: Ints
    parent: Ints
    node: Ints
    instance: Ints
    start: Ints
    duration: Ints
    origin: Flags
    failed: Flags
    refused: Flags
    timed_out: Flags
    unreached: Flags


def run(
    system: System,
    nodes: Nodes,
    rng: np.random.Generator,
    *,
    traces: int,
    begin: int,
    longer: Callable[[Ints, Ints], Ints] | None = None,
) -> Traffic:
    """Let requests come for some minutes.

    `longer` says for how many nanoseconds longer each span works, by its node and by when its request came.
    """
    weights = np.array([entry.weight for entry in system.entries]) / np.arange(1, len(system.entries) + 1) ** 0.5
    chosen = rng.choice(len(system.entries), size=traces, p=weights / weights.sum())
    sizes = nodes.size[chosen]
    firsts = np.cumsum(sizes) - sizes
    count = int(sizes.sum())
    trace = np.repeat(np.arange(traces), sizes)
    within = np.arange(count) - firsts[trace]
    node = nodes.first[chosen[trace]] + within
    parent = _rows(nodes.column("parent")[node], firsts[trace])
    levels = _levels(nodes.column("depth")[node])
    outcome = _Outcome.drawn(nodes, node, rng)
    present = outcome.presence(nodes, node, parent, firsts[trace], levels, rng)
    kept = np.flatnonzero(present)
    place = np.cumsum(present) - 1
    parent = np.where(parent[kept] >= 0, place[parent[kept]], NOWHERE)
    node, trace = node[kept], trace[kept]
    outcome = outcome.of(kept)
    levels = _levels(nodes.column("depth")[node])
    failed = outcome.climb(nodes, node, parent, levels, rng)
    arrival = _arrivals(rng, traces, chosen, begin)[trace]
    start, duration = _times(nodes, node, parent, levels, outcome, arrival, rng, longer)
    instance = _instances(system, nodes, node, trace, rng)
    return Traffic(
        trace,
        parent,
        node,
        instance,
        start,
        duration,
        outcome.origin,
        failed,
        outcome.refused & ~failed | _echo(nodes, node, parent, outcome, failed),
        outcome.timed_out,
        outcome.unreached,
    )


def _rows(local: Ints, firsts: Ints) -> Ints:
    return np.where(local >= 0, local + firsts, NOWHERE)


def _levels(depth: Ints) -> list[Ints]:
    return [np.flatnonzero(depth == level) for level in range(int(depth.max(initial=0)) + 1)]


@dataclass(slots=True)
class _Outcome:
    origin: Flags
    refused: Flags
    timed_out: Flags
    unreached: Flags
    retried: Flags
    lost: Flags

    @classmethod
    def drawn(cls, nodes: Nodes, node: Ints, rng: np.random.Generator) -> _Outcome:
        count = node.size
        chance = rng.random((3, count))
        timed_out = chance[0] < nodes.column("timeout")[node]
        origin = (chance[1] < nodes.column("fault")[node]) & ~timed_out
        refused = (chance[2] < nodes.column("refused")[node]) & ~origin
        # One in three callers that give up never reached the other side.
        unreached = timed_out & (rng.random(count) < 0.33)
        outcome = cls(origin, refused, timed_out, unreached, np.zeros(count, dtype=bool), np.zeros(count, dtype=bool))
        outcome.lose(nodes.column("lost")[node], rng)
        return outcome

    def lose(self, rate: Floats, rng: np.random.Generator) -> None:
        """Lose calls on the way: every other one before it gets there, the answers of the rest."""
        if not rate.any():
            return
        self.lost = rng.random(rate.size) < rate
        self.timed_out |= self.lost
        self.origin &= ~self.lost
        self.refused &= ~self.lost
        self.unreached |= self.lost & (rng.random(rate.size) < 0.5)

    def of(self, kept: Ints) -> _Outcome:
        return _Outcome(
            *(getattr(self, name)[kept] for name in ("origin", "refused", "timed_out", "unreached", "retried", "lost"))
        )

    def presence(
        self, nodes: Nodes, node: Ints, parent: Ints, firsts: Ints, levels: list[Ints], rng: np.random.Generator
    ) -> Flags:
        """Say which spans there are: calls that are made, and attempts after one that failed."""
        earlier = nodes.column("retry_of")[node]
        retries = np.flatnonzero(earlier >= 0)
        before = earlier[retries] + firsts[retries]
        # The callee's span directly follows the caller's.
        fails = self.timed_out | np.append(self.origin[1:], False)
        present = rng.random(node.size) < nodes.column("chance")[node]
        later = np.zeros(node.size, dtype=bool)
        later[retries] = fails[before]
        self.retried[before[fails[before]]] = True
        present &= (earlier < 0) | later
        # An attempt that was not made has none after it.
        for row, last in zip(retries.tolist(), before.tolist(), strict=True):
            present[row] &= present[last]
        for rows in levels[1:]:
            present[rows] &= present[parent[rows]] & ~self.unreached[parent[rows]]
        return present

    def climb(self, nodes: Nodes, node: Ints, parent: Ints, levels: list[Ints], rng: np.random.Generator) -> Flags:
        """Let failures climb: always to the caller, mostly to who called, never over a queue or out of a pool."""
        failed = self.origin | self.timed_out
        kind, mode = nodes.column("kind")[node], nodes.column("mode")[node]
        climbs = (mode == CALLED) & ~self.retried & ((kind == SERVER) | (rng.random(node.size) < 0.75))
        for rows in levels[:0:-1]:
            up = rows[failed[rows] & climbs[rows]]
            failed[parent[up]] = True
        return failed


def _echo(nodes: Nodes, node: Ints, parent: Ints, outcome: _Outcome, failed: Flags) -> Flags:
    """Tell callers that their callee refused."""
    told = np.zeros(node.size, dtype=bool)
    rows = np.flatnonzero(outcome.refused & ~failed & (nodes.column("kind")[node] == SERVER) & (parent >= 0))
    told[parent[rows]] = True
    # A proxy hands the answer on to whoever called it.
    proxies = np.flatnonzero(told & (nodes.column("kind")[node] == SERVER) & (parent >= 0))
    told[parent[proxies]] = True
    return told & ~failed


def _arrivals(rng: np.random.Generator, traces: int, chosen: Ints, begin: int) -> Ints:
    length = traces / rng.uniform(2, 12) * _SECOND
    arrivals = rng.random(traces) * length
    if rng.random() < 0.3:
        # Everybody wants one endpoint at once.
        hot = np.flatnonzero((chosen == 0) & (rng.random(traces) < 0.8))
        arrivals[hot] = rng.uniform(0.2, 0.7) * length + rng.random(hot.size) * rng.uniform(0.3, 4) * _SECOND
    return begin + arrivals.astype(np.int64)


def _times(
    nodes: Nodes,
    node: Ints,
    parent: Ints,
    levels: list[Ints],
    outcome: _Outcome,
    begin: Ints,
    rng: np.random.Generator,
    longer: Callable[[Ints, Ints], Ints] | None,
) -> tuple[Ints, Ints]:
    """Let durations add up from the leaves, then place every span that is waited for inside of its parent."""
    count, timed_out = node.size, outcome.timed_out
    mode = nodes.column("mode")[node]
    slow = np.where(rng.random(count) < 0.01, 8.0, 1.0)
    own = (nodes.column("work")[node] * rng.lognormal(0, 0.5, count) * slow * _MILLISECOND).astype(np.int64) + 4_000
    if longer is not None:
        own += longer(node, begin)
    given_up, late = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    callees = np.flatnonzero(parent >= 0)
    given_up[callees] = timed_out[parent[callees]]
    # Whose answer was lost was not late.
    late[callees] = given_up[callees] & ~outcome.lost[parent[callees]]
    own[timed_out] = 250 * _MILLISECOND + rng.integers(0, 3 * _MILLISECOND, int(timed_out.sum()))
    own[late] += 250 * _MILLISECOND + rng.integers(0, 250 * _MILLISECOND, int(late.sum()))
    waited = (mode == CALLED) & ~given_up & (parent >= 0)
    # Pool workers of one system in three are waited for by nobody; the others mostly end before their parent does.
    parallel = nodes.column("parallel")[node]
    below = np.zeros(count, dtype=np.int64)
    for rows in levels[:0:-1]:
        up, total = parent[rows], np.where(waited[rows], own[rows] + below[rows], 0)
        at_once = parallel[up]
        np.maximum.at(below, up[at_once], total[at_once])
        np.add.at(below, up[~at_once], total[~at_once])
    duration = own + below
    held = np.where(waited, duration, 0)
    siblings = np.argsort(parent, kind="stable")
    running = np.cumsum(held[siblings]) - held[siblings]
    first = np.searchsorted(parent[siblings], parent[siblings])
    before = np.empty_like(duration)
    before[siblings] = running - running[first]
    lead = np.where(nodes.column("kind")[node] == CLIENT, rng.uniform(0.25, 0.6, count), 0.33)
    delay = np.where(mode == POOLED, rng.exponential(0.5, count), rng.exponential(30, count)) * _MILLISECOND
    start = begin.copy()
    for rows in levels[1:]:
        up = parent[rows]
        inside = start[up] + (own[up] * lead[up]).astype(np.int64) + np.where(parallel[up], 0, before[rows])
        inside[given_up[rows]] = start[up][given_up[rows]] + 2 * _MILLISECOND
        sent = start[up] + duration[up] + 300_000
        queued = mode[rows] > POOLED
        start[rows] = np.where(queued, sent, inside) + np.where(mode[rows] == CALLED, 0, delay[rows]).astype(np.int64)
    return start, duration


def _instances(system: System, nodes: Nodes, node: Ints, trace: Ints, rng: np.random.Generator) -> Ints:
    """Let one instance of each service answer all of a request."""
    service = nodes.column("service")[node]
    offered = np.array([len(one.instances) for one in system.services])
    first = np.array([one.instances[0] for one in system.services])
    beside = np.arange(len(system.services))
    beside[list(system.proxies.values())] = list(system.proxies)
    drawn = rng.integers(0, 1 << 30, (int(trace.max(initial=0)) + 1, len(system.services)))[trace, beside[service]]
    chosen: Ints = first[service] + drawn % offered[service]
    return chosen

"""What goes wrong in an incident: one cause of each kind, how bad it is, and what it does to the calls of a system."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.workload.systems.endpoints import CLIENT, CONSUMER, INTERNAL, SERVER
from tracelab.workload.systems.landscape import DATABASE, HTTP
from tracelab.workload.systems.traffic import Nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.array_types import Flags, Ints
    from tracelab.workload.systems.endpoints import Node
    from tracelab.workload.systems.landscape import System


KINDS: Final = ("delay", "errors", "retries", "slow dependency", "lock", "lossy edge")
FAILING: Final = ("errors", "retries", "lossy edge")
"""The kinds in which calls fail; in the others they take longer."""
_MILLISECOND: Final = 1_000_000
_LONGEST_WAIT: Final = 10_000 * _MILLISECOND
_FEWEST: Final = 20
_LEAST: Final = 0.05
"""What hardly any request comes to is no incident: so many spans, and so many per request, are there normally."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What goes wrong.

    Attributes
    ----------
    kind
        One of `KINDS`.
    service_name, names
        Whose spans show it, and what they are called.
    callee
        The other end, where an edge is at fault; else None.
    services
        Those that a method may name which tells services only: for an edge between two of them either one.
    affected
        The nodes that it happens at.
    severity
        How bad it is, in words.
    """

    kind: str
    service_name: str
    names: tuple[str, ...]
    callee: str | None
    services: tuple[str, ...]
    affected: Flags
    severity: str


@dataclass(frozen=True, slots=True)
class Disturbed:
    """A system in which something went wrong: its nodes, and how much longer they work."""

    cause: Cause
    nodes: Nodes
    held: Callable[[Ints, Ints], Ints] | None


def disturb(kind: str, system: System, nodes: Nodes, seen: Ints, traces: int, rng: np.random.Generator) -> Disturbed:
    """Let something of a kind go wrong at a place that chance decides.

    Parameters
    ----------
    seen
        How many spans each node has in normal times.
    traces
        How many requests there were then.

    Raises
    ------
    LookupError
        Nothing of the kind can go wrong in this system.
    """
    return _DISTURBING[kind](_Ground(system, nodes, seen, traces, rng))


@dataclass(frozen=True, slots=True)
class _Ground:
    """What chance decides on."""

    system: System
    nodes: Nodes
    seen: Ints
    traces: int
    rng: np.random.Generator

    def service(self, number: int) -> str:
        return self.system.services[number].name

    def pick(self, places: dict[tuple[object, ...], list[int]]) -> list[int]:
        """Take one of the places that enough requests come to."""
        least = max(_FEWEST, _LEAST * self.traces)
        offered = [nodes for nodes in places.values() if self.seen[nodes].sum() >= least]
        if not offered:
            raise LookupError
        return offered[int(self.rng.integers(len(offered)))]

    def operation(self) -> list[int]:
        """Pick what a service does: all nodes of it, wherever it is called from."""
        places: dict[tuple[object, ...], list[int]] = {}
        for number, node in enumerate(self.nodes.nodes):
            named = self.system.services[node.service].language is not None
            if node.kind in (SERVER, CONSUMER, INTERNAL) and named:
                places.setdefault((node.service, node.name), []).append(number)
        return self.pick(places)

    def cause(
        self, kind: str, at: list[int], severity: str, *, callee: str | None = None, either: bool = False
    ) -> Cause:
        affected = np.zeros(len(self.nodes.nodes), dtype=bool)
        affected[at] = True
        first = self.nodes.nodes[at[0]]
        service = self.service(first.service)
        names = tuple(sorted({self.nodes.nodes[number].name for number in at}))
        services = (service, callee) if either and callee is not None else (service,)
        return Cause(kind, service, names, callee, services, affected, severity)

    def changed(self, at: list[int], change: Callable[[Node], Node]) -> Nodes:
        """Change some nodes."""
        chosen = set(at)
        nodes = [change(node) if number in chosen else node for number, node in enumerate(self.nodes.nodes)]
        return Nodes(nodes, self.nodes.first, self.nodes.size)

    def share(self) -> float:
        """Draw which share of the calls is affected."""
        return float(self.rng.choice([1.0, 0.6, 0.3]))

    def between(self, low: float, high: float) -> float:
        """Draw a number, small ones as often as large ones by ratio."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def slower(self, at: list[int], factor: float, share: float) -> Callable[[Ints, Ints], Ints]:
        """Let nodes work longer, by a multiple of what they usually do, at some of the calls."""
        extra = np.zeros(len(self.nodes.nodes))
        extra[at] = np.maximum(self.nodes.column("work")[at] * factor, 1.0) * _MILLISECOND

        def held(node: Ints, _arrival: Ints) -> Ints:
            hit = self.rng.random(node.size) < share
            longer = extra[node] * self.rng.lognormal(0, 0.3, node.size) * hit
            return longer.astype(np.int64)

        return held


def _delay(ground: _Ground) -> Disturbed:
    """Let an operation take longer."""
    at, factor, share = ground.operation(), ground.between(1, 15), ground.share()
    severity = f"{share:.0%} of its calls work longer by {factor:.1f} times what they usually do"
    return Disturbed(ground.cause("delay", at, severity), ground.nodes, ground.slower(at, factor, share))


def _errors(ground: _Ground) -> Disturbed:
    """Let an operation fail."""
    at, rate = ground.operation(), ground.between(0.06, 0.6)
    nodes = ground.changed(at, lambda node: replace(node, fault=min(node.fault + rate, 1.0)))
    return Disturbed(ground.cause("errors", at, f"{rate:.0%} more of its calls fail"), nodes, None)


def _retries(ground: _Ground) -> Disturbed:
    """Let an operation fail, and every other time be slow as well, that somebody calls again when it failed."""
    tried = {node.operation for node in ground.nodes.nodes if node.retry_of >= 0}
    places: dict[tuple[object, ...], list[int]] = {}
    for number, node in enumerate(ground.nodes.nodes):
        if node.operation in tried and node.kind == SERVER:
            places.setdefault(node.operation, []).append(number)
    at, rate = ground.pick(places), ground.between(0.15, 0.7)
    nodes = ground.changed(at, lambda node: replace(node, fault=min(node.fault + rate, 1.0)))
    factor = ground.between(1, 6) if ground.rng.random() < 0.5 else 0.0
    slow = f", and they work longer by {factor:.1f} times" if factor else ""
    cause = ground.cause("retries", at, f"{rate:.0%} more of its calls fail{slow}; callers try up to three times")
    return Disturbed(cause, nodes, ground.slower(at, factor, 1.0) if factor else None)


def _slow_dependency(ground: _Ground) -> Disturbed:
    """Let a database, or a service outside, take longer to answer one service; it records nothing itself."""
    places: dict[tuple[object, ...], list[int]] = {}
    for number, node in enumerate(ground.nodes.nodes):
        if node.kind == CLIENT and (node.hop == DATABASE or node.outside):
            places.setdefault((node.service, node.attributes["server.address"]), []).append(number)
    at, factor, share = ground.pick(places), ground.between(1, 20), ground.share()
    address = ground.nodes.nodes[at[0]].attributes["server.address"]
    severity = f"{share:.0%} of its calls take longer by {factor:.1f} times what they usually do"
    cause = ground.cause("slow dependency", at, severity, callee=address)
    return Disturbed(cause, ground.nodes, ground.slower(at, factor, share))


def _lock(ground: _Ground) -> Disturbed:
    """Let an operation wait for a lock that one request holds at a time, first come, first served."""
    at, load = ground.operation(), float(ground.rng.uniform(0.25, 0.95))
    cause = ground.cause("lock", at, f"its requests wait for a lock that is held {load:.0%} of the time")
    rng = ground.rng

    def held(node: Ints, arrival: Ints) -> Ints:
        """Give the waiting times of a queue with one server (D. V. Lindley, 1952), in the order of arrival."""
        rows = np.flatnonzero(cause.affected[node])
        extra = np.zeros(node.size, dtype=np.int64)
        if rows.size < 2:
            return extra
        rows = rows[np.argsort(arrival[rows], kind="stable")]
        gaps = np.diff(arrival[rows]).astype(np.float64)
        holding = rng.lognormal(0, 0.4, gaps.size)
        steps = np.append(0.0, holding * (load * gaps.sum() / holding.sum()) - gaps)
        walk = np.cumsum(steps)
        extra[rows] = np.minimum(walk - np.minimum.accumulate(walk), _LONGEST_WAIT).astype(np.int64)
        return extra

    return Disturbed(cause, ground.nodes, held)


def _lossy_edge(ground: _Ground) -> Disturbed:
    """Let calls from one service to another be lost, or their answers; who called gives up after 250 ms."""
    places: dict[tuple[object, ...], list[int]] = {}
    for number, node in enumerate(ground.nodes.nodes):
        caller = ground.system.services[node.service]
        if node.kind == CLIENT and node.callee >= 0 and node.hop >= HTTP and caller.language is not None:
            places.setdefault((node.service, node.callee), []).append(number)
    at, rate = ground.pick(places), ground.between(0.05, 0.5)
    nodes = ground.changed(at, lambda node: replace(node, lost=rate))
    callee = ground.service(ground.nodes.nodes[at[0]].callee)
    cause = ground.cause(
        "lossy edge", at, f"{rate:.0%} of its calls or their answers are lost", callee=callee, either=True
    )
    return Disturbed(cause, nodes, None)


_DISTURBING: Final[dict[str, Callable[[_Ground], Disturbed]]] = dict(
    zip(KINDS, (_delay, _errors, _retries, _slow_dependency, _lock, _lossy_edge), strict=True)
)

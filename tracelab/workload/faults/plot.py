"""The ground that faults are planted in: which places there are, and which are taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from tracelab.workload.systems.endpoints import CLIENT, CONSUMER, PRODUCER, SERVER
from tracelab.workload.systems.landscape import HTTP, QUEUE, RPC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracelab.array_types import Flags, Ints
    from tracelab.workload.systems.draft import Draft

HANDFUL: Final = 8
"""The fewest spans that a fault is planted on."""

Claim: TypeAlias = tuple[str, int] | tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Edge:
    """Calls of one service by another: the caller's spans, and the callee's below them, row by row."""

    caller: int
    callee: int
    hop: int
    clients: Ints
    servers: Ints


@dataclass(slots=True)
class Fault:
    """What was planted, in the numbers of the draft.

    `rules` are those that find it, `consequences` those that may be found with it and are true. Where there is a
    `caller` and a `callee` it belongs to that edge, else to any of `services` (none: to the whole dump). `rows` are
    the spans that show it, `touched` further ones that it is seen by. `only_worth_to_know` looks at the draft once
    all is planted, and says whether something harmless may as well be the reason.
    """

    kind: str
    rules: tuple[str, ...]
    says: str
    rows: Ints
    touched: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    consequences: tuple[str, ...] = ()
    severity: str = "warning"
    only_worth_to_know: Callable[[Draft], bool] | None = None
    services: tuple[int, ...] = ()
    caller: int | None = None
    callee: int | None = None


Planting: TypeAlias = "Callable[[Plot], Fault | None]"


@dataclass(slots=True)
class Plot:
    """A draft, chance, and what is claimed."""

    draft: Draft
    rng: np.random.Generator
    claimed: set[Claim] = field(default_factory=set)

    @staticmethod
    def has(draft: Draft, service: int, *kinds: int) -> bool:
        """Say whether a service has spans of some kinds."""
        return bool((draft.keep & (draft.service == service) & np.isin(draft.kind, kinds)).any())

    def name(self, service: int) -> str:
        """Name a service."""
        return self.draft.system.services[service].name

    def is_free(self, *claims: Claim) -> bool:
        """Say whether nobody has claimed any of these."""
        return not any(claim in self.claimed for claim in claims)

    def claim(self, *claims: Claim) -> None:
        """Take places, so that no other fault is planted there."""
        self.claimed.update(claims)

    def pick(self, places: Iterable[int]) -> int | None:
        """Pick one of several places, or none where there are none."""
        offered = list(places)
        return offered[int(self.rng.integers(len(offered)))] if offered else None

    def edges(self, *hops: int) -> list[Edge]:
        """List the edges of some hops that are free, in the order of their services: those with enough calls."""
        draft = self.draft
        rows = np.flatnonzero(
            draft.keep & (draft.parent >= 0) & np.isin(draft.kind, (SERVER, CONSUMER)) & np.isin(draft.hop, hops)
        )
        rows = rows[draft.keep[draft.parent[rows]] & np.isin(draft.kind[draft.parent[rows]], (CLIENT, PRODUCER))]
        callers = draft.service[draft.parent[rows]]
        keys = (callers * 1000 + draft.service[rows]) * 10 + draft.hop[rows]
        found = []
        for key in np.unique(keys).tolist():
            servers = rows[keys == key]
            caller, callee, hop = key // 10_000, key // 10 % 1000, key % 10
            free = caller != callee and self.is_free(
                ("edge", caller, callee), ("calls", caller), ("all", caller), ("all", callee)
            )
            if free and servers.size >= HANDFUL:
                found.append(Edge(caller, callee, hop, draft.parent[servers], servers))
        return found

    def edge(self, *hops: int, fits: Callable[[Edge], bool] = lambda _: True) -> Edge | None:
        """Pick a free edge that fits, and claim it."""
        offered = [edge for edge in self.edges(*(hops or (HTTP, RPC))) if fits(edge)]
        place = self.pick(range(len(offered)))
        if place is None:
            return None
        edge = offered[place]
        self.claim(("edge", edge.caller, edge.callee), ("some", edge.caller), ("some", edge.callee))
        return edge

    def calls(self, edge: Edge) -> Ints:
        """Give all client spans of an edge, also those that nobody answered."""
        draft = self.draft
        return np.flatnonzero(draft.keep & np.isin(draft.node, np.unique(draft.node[edge.clients])))

    def services(self, shown: Flags, *, subject: str = "", least: int = HANDFUL, alone: bool = False) -> list[int]:
        """List the services that have enough of some spans, where no fault of the same subject is.

        `alone` wants services on none of whose edges anything is planted, nor will be.
        """
        counts = np.bincount(self.draft.service[shown & self.draft.keep], minlength=len(self.draft.system.services))
        return [
            service
            for service in np.flatnonzero(counts >= least).tolist()
            if self.is_free(("all", service), (subject, service))
            and not (alone and not self.is_free(("some", service)))
        ]

    def share(self, rows: Ints) -> Ints:
        """Take all of some rows, mostly, or most of them."""
        if self.rng.random() < 0.7 or rows.size < 3 * HANDFUL:
            return rows
        return rows[self.rng.random(rows.size) < self.rng.uniform(0.5, 0.9)]

    def touching(self, rows: Ints) -> Ints:
        """Give the parents of rows and what is directly below them."""
        draft = self.draft
        above = draft.parent[rows]
        below = np.flatnonzero(np.isin(draft.parent, rows))
        return np.concatenate([above[above >= 0], below])


def hop_name(hop: int) -> str:
    """Name a hop."""
    return {HTTP: "HTTP", RPC: "gRPC", QUEUE: "a queue"}[hop]

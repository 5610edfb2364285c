"""Requests that go on in another trace, because the context is not handed on between two services."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.evidence import SERVER
from tracelab.auditing.findings import HOPS, Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.some_rows import texts_at
from tracelab.auditing.measures.split_calls import SplitCalls, split_calls
from tracelab.auditing.rules.splits.words import by_coincidence

if TYPE_CHECKING:
    import polars as pl

    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_SYSTEM: Final = ("span.rpc.system.name", "span.rpc.system")
_RPC: Final = ("span.rpc.method", "span.rpc.service", *_SYSTEM)
_HTTP: Final = ("span.http.request.method", "span.http.method", "span.url.full", "span.http.url")


def split_trace(evidence: Evidence) -> pl.DataFrame:
    """Find calls whose callee goes on in another trace."""
    splits = split_calls(evidence)
    if splits is None:
        return nothing()
    calls, edge = _calls(evidence, splits)
    sure = np.zeros(evidence.count)
    sure[splits.call] = 1.0 + splits.sure
    extracts = _callee_takes_none(evidence, splits)
    return findings_of(
        evidence,
        Symptom(
            "split-trace",
            "error",
            partial(_says, splits=splits, extracts=extracts),
            shown=sure[calls] > 0,
            rows=calls,
            service=np.where(extracts, splits.callee, splits.caller)[edge],
            caller=splits.caller[edge],
            callee=splits.callee[edge],
            hop=_hops(evidence, splits)[edge],
            weight=sure[calls],
            unit="calls",
            figures={"edge": edge, "unique": (sure[calls] > 1).astype(np.float64)},
        ),
    )


def _calls(evidence: Evidence, splits: SplitCalls) -> tuple[Ints, Ints]:
    """List all calls of the edges, those that were answered in their trace too, and the edge of each."""
    services = evidence.services.len()
    pairs = splits.caller * services + splits.callee
    crossing = np.flatnonzero(evidence.crossing)
    pair = evidence.parent_service[crossing] * services + evidence.service[crossing]
    found = [(splits.asked, splits.asked_edge)]
    for waits in (True, False):
        edges = np.flatnonzero(splits.waits == waits)
        edges = edges[np.argsort(pairs[edges])]
        if edges.size:
            place = np.minimum(np.searchsorted(pairs[edges], pair), edges.size - 1)
            kind = (evidence.kind[crossing] == SERVER) == waits
            there = (pairs[edges][place] == pair) & kind
            found.append((evidence.parent[crossing[there]], edges[place[there]]))
    calls, edge = (np.concatenate(parts) for parts in zip(*found, strict=True))
    both = np.unique(calls * splits.caller.size + edge)
    return both // splits.caller.size, both % splits.caller.size


def _hops(evidence: Evidence, splits: SplitCalls) -> Ints:
    """Tell of each edge how most of its calls were made; -1 where they do not say."""
    edges = splits.caller.size
    system = texts_at(evidence, splits.call, *_SYSTEM).str.to_lowercase()
    said = {
        "grpc": system.eq_missing("grpc").to_numpy(),
        "rpc": texts_at(evidence, splits.call, *_RPC).is_not_null().to_numpy(),
        "http": texts_at(evidence, splits.call, *_HTTP).is_not_null().to_numpy(),
    }
    hop = np.full(edges, -1, dtype=np.int64)
    most = np.bincount(splits.edge, minlength=edges) / 2
    for name, flags in reversed(said.items()):
        hop[np.bincount(splits.edge[flags], minlength=edges) >= most] = HOPS.index(name)
    return np.where(splits.waits, hop, HOPS.index("queue"))


def _callee_takes_none(evidence: Evidence, splits: SplitCalls) -> Flags:
    """Mark the edges whose callee is to blame: it never has a parent, and its caller hands contexts on to others."""
    services = evidence.services.len()
    enters = evidence.crossing | (evidence.named_parent & (evidence.kind == SERVER))
    takes, gives = np.zeros(services, dtype=bool), np.zeros(services, dtype=bool)
    takes[evidence.service[enters]] = True
    calls = evidence.crossing & (evidence.kind == SERVER)
    gives[evidence.service[evidence.parent[calls]]] = True
    return ~takes[splits.callee] & gives[splits.caller]


def _says(group: Group, *, splits: SplitCalls, extracts: Flags) -> str:
    edge = int(group["edge"])
    fits = "fit into these calls" if splits.waits[edge] else "begin right after these were sent"
    chance = by_coincidence(float(splits.expected[edge]), fits=" that fit as closely")
    blame = ""
    if extracts[edge]:
        blame = f" {group['caller']} hands contexts on to others; {group['callee']} never takes one."
    # Where roots fit less well than chance could do as well, they are not counted, though they may belong there too.
    least = "At least " if group["count"] < group["out_of"] else ""
    return (
        f"{least}{group['said_count']} from {group['caller']} to {group['callee']} go on in another trace: roots of "
        f"{group['callee']} {fits}. {chance}{blame}"
    )

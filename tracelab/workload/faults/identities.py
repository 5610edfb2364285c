"""Ids that are wrong: not unique, too short, used again, not random; and spans that are their own ancestor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracelab.workload.faults.plot import HANDFUL, Edge, Fault, Plot
from tracelab.workload.systems.endpoints import CLIENT, SERVER
from tracelab.workload.systems.landscape import DATABASE, HTTP, RPC

if TYPE_CHECKING:
    from tracelab.workload.systems.draft import Draft

_USUAL = 0.8


def duplicate_span_id(plot: Plot) -> Fault | None:
    """Let one service give the same id to two of its queries in a trace."""
    draft = plot.draft
    leaf = draft.keep & (draft.hop == DATABASE) & (draft.size == 1)
    rows = np.flatnonzero(leaf)
    key = draft.top()[rows] * 1000 + draft.service[rows]
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    again = np.flatnonzero(key[1:] == key[:-1]) + 1
    shown = np.zeros(draft.parent.size, dtype=bool)
    shown[rows[again]] = True
    service = plot.pick(plot.services(shown, subject="ids"))
    if service is None:
        return None
    plot.claim(("ids", service))
    again = again[draft.service[rows[again]] == service]
    twins, firsts = rows[again], rows[again - 1]
    # Pairs only: of three queries the third has an id of its own.
    apart = ~np.isin(firsts, twins)
    twins, firsts = twins[apart], firsts[apart]
    draft.identity[twins] = firsts
    return Fault(
        "duplicate-span-id",
        ("duplicate-span-id",),
        f"Two spans of {plot.name(service)} in a trace have the same id.",
        twins,
        touched=firsts,
        services=(service,),
        severity="error",
    )


def exported_twice(plot: Plot) -> Fault | None:
    """Write a batch of a service's spans once more."""
    draft = plot.draft
    service = plot.pick(plot.services(draft.keep, subject="ids", least=3 * HANDFUL))
    if service is None:
        return None
    plot.claim(("ids", service))
    rows = np.flatnonzero(draft.keep & (draft.service == service))
    rows = rows[np.argsort(draft.start[rows] + draft.duration[rows], kind="stable")]
    size = max(HANDFUL, rows.size // 5)
    first = int(plot.rng.integers(rows.size - size + 1))
    rows = rows[first : first + size]
    draft.repeated.append(rows)
    return Fault(
        "exported-twice",
        ("exported-twice",),
        f"A batch of {plot.name(service)} was exported twice.",
        rows,
        services=(service,),
    )


def shared_span_id(plot: Plot) -> Fault | None:
    """Let caller and callee share a span id, as Zipkin's tracers do.

    Whose child a span below the two is cannot be told then, so that no other fault stands on what the callee calls.
    Where nearly all callees do so it is how things are done there: only worth to know.
    """
    draft = plot.draft
    edge = plot.edge(
        HTTP, RPC, fits=lambda edge: plot.is_free(("ids", edge.caller), ("ids", edge.callee)) and _all_own(plot, edge)
    )
    if edge is None:
        return None
    plot.claim(("ids", edge.caller), ("ids", edge.callee), ("calls", edge.callee))
    draft.identity[edge.servers] = edge.clients
    draft.names_parent[edge.servers] = draft.parent[edge.clients]
    return Fault(
        "shared-span-id",
        ("shared-span-id",),
        f"{plot.name(edge.callee)} takes over the span id of {plot.name(edge.caller)}.",
        edge.servers,
        touched=edge.clients,
        services=(edge.caller, edge.callee),
        caller=edge.caller,
        callee=edge.callee,
        only_worth_to_know=lambda draft: _shared_edges(draft) > _USUAL,
    )


def _shared_edges(draft: Draft) -> float:
    """Give the share of the edges to servers on which these bear the ids of their clients."""
    above = draft.parent
    rows = np.flatnonzero(draft.keep & (draft.kind == SERVER) & (above >= 0))
    rows = rows[draft.keep[above[rows]]]
    edges = draft.service[above[rows]] * len(draft.system.services) + draft.service[rows]
    shared = edges[draft.identity[rows] == above[rows]]
    return np.unique(shared).size / max(1, np.unique(edges).size)


def short_trace_id(plot: Plot) -> Fault | None:
    """Let one service begin its traces with ids of 64 bits."""
    found = _begun_by_one(plot)
    if found is None:
        return None
    service, roots = found
    plot.draft.trace_bytes[roots, :8] = 0
    return _of_traces(
        plot, "short-trace-id", f"{plot.name(service)} begins traces with ids of 64 bits.", service, roots
    )


def reused_trace_id(plot: Plot) -> Fault | None:
    """Let the requests of one service share a handful of trace ids, as workers do that were forked with a seed."""
    found = _begun_by_one(plot, least=4 * HANDFUL)
    if found is None:
        return None
    service, roots = found
    plot.claim(("reused", service))
    ids = int(plot.rng.integers(1, 4))
    plot.draft.trace_of[roots] = roots[np.arange(roots.size) % ids]
    fault = _of_traces(
        plot, "reused-trace-id", f"{roots.size} requests to {plot.name(service)} share {ids} trace ids.", service, roots
    )
    fault.consequences = ("several-roots",)
    fault.severity = "error"
    return fault


def non_random_trace_id(plot: Plot) -> Fault | None:
    """Let one service count its trace ids, or make them of the time."""
    found = _begun_by_one(plot, least=3 * HANDFUL)
    if found is None:
        return None
    service, roots = found
    draft = plot.draft
    if plot.rng.random() < 0.5:
        low = int(plot.rng.integers(1 << 20, 1 << 40)) + np.arange(roots.size)
        how = "counts its trace ids"
    else:
        low = draft.start[roots]
        how = "makes its trace ids of the time"
    draft.trace_bytes[roots, :8] = draft.trace_bytes[roots[0], :8]
    draft.trace_bytes[roots, 8:] = low.astype(">u8").view(np.uint8).reshape(-1, 8)
    fault = _of_traces(plot, "non-random-trace-id", f"{plot.name(service)} {how}.", service, roots)
    fault.consequences = ("inconsistent-sampling-threshold",)
    return fault


def span_cycle(plot: Plot) -> Fault | None:
    """Let spans of a service name a span below them as their parent, or themselves."""
    draft = plot.draft
    child = draft.keep & (draft.parent >= 0) & ~draft.linked
    up = np.maximum(draft.parent, 0)
    child &= (
        draft.keep[up]
        & ~draft.linked[up]
        & (draft.service[up] == draft.service)
        & (draft.parent[up] >= 0)
        & (draft.kind[up] != SERVER)
    )
    service = plot.pick(plot.services(child, subject="ids"))
    if service is None:
        return None
    plot.claim(("ids", service), ("some", service))
    rows = np.flatnonzero(child & (draft.service == service))
    rows = rows[: max(HANDFUL, rows.size // 4)]
    itself = bool(plot.rng.random() < 0.3)
    if itself:
        draft.names_parent[rows] = rows
        shown = rows
    else:
        shown = np.unique(draft.parent[rows])
        firsts = rows[np.unique(draft.parent[rows], return_index=True)[1]]
        draft.names_parent[shown] = firsts
    return Fault(
        "span-cycle",
        ("span-cycle",),
        f"Spans of {plot.name(service)} are their own {'parent' if itself else 'ancestor'}.",
        shown,
        touched=rows,
        services=(service,),
        consequences=("several-roots", "child-outside-parent"),
        severity="error",
    )


def _all_own(plot: Plot, edge: Edge) -> bool:
    """Say whether all callers have ids of their own, and no fault stands on how the callee goes on.

    Where most calls shared their ids, that would be how this system is traced, and none a fault.
    """
    draft = plot.draft
    own = bool((draft.identity[edge.clients] == edge.clients).all())
    shared = int((draft.identity != np.arange(draft.identity.size)).sum()) + edge.servers.size
    usual = shared > int((draft.keep & (draft.kind == SERVER)).sum()) // 4
    return own and not usual and not any(claim[:2] == ("edge", edge.callee) for claim in plot.claimed)


def _begun_by_one(plot: Plot, *, least: int = HANDFUL) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.int64]]] | None:
    """Pick a service that begins traces, and the spans that begin them."""
    draft = plot.draft
    root = np.zeros(draft.parent.size, dtype=bool)
    root[np.unique(draft.top()[draft.keep])] = True
    root &= (draft.parent < 0) | draft.linked
    service = plot.pick(plot.services(root & (draft.kind != CLIENT), subject="trace ids", least=least))
    if service is None:
        return None
    plot.claim(("trace ids", service))
    return service, np.flatnonzero(root & draft.keep & (draft.service == service))


def _of_traces(
    plot: Plot, kind: str, says: str, service: int, roots: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> Fault:
    top = plot.draft.top()
    below = np.flatnonzero(np.isin(top, roots))
    everybody = tuple(np.unique(np.concatenate([[service], plot.draft.service[below]])).tolist())
    return Fault(kind, (kind,), says, roots, touched=below, services=everybody)

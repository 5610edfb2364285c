"""Context that is lost on its way: over HTTP, over gRPC, over a queue, into a thread pool."""

from __future__ import annotations

import numpy as np

from tracelab.workload.faults.plot import Fault, Plot, hop_name
from tracelab.workload.systems.endpoints import INTERNAL, NOWHERE
from tracelab.workload.systems.landscape import HTTP, QUEUE, RPC


def context_lost_http(plot: Plot) -> Fault | None:
    """Let servers of one edge begin a trace of their own, since the headers never arrived."""
    return _lost(plot, "context-lost-http", HTTP)


def context_lost_grpc(plot: Plot) -> Fault | None:
    """Let servers of one edge begin a trace of their own, since the metadata never arrived."""
    return _lost(plot, "context-lost-grpc", RPC)


def context_lost_queue(plot: Plot) -> Fault | None:
    """Let consumers begin a trace of their own, with neither a parent nor a link."""
    return _lost(plot, "context-lost-queue", QUEUE)


def context_lost_in_process(plot: Plot) -> Fault | None:
    """Let work of one service begin traces of its own, as where a thread pool is not told of the context.

    Only work within a handler counts, so that a span of the same process surrounds its beginning: else nobody could
    know where it belongs.
    """
    draft = plot.draft
    inner = (draft.kind == INTERNAL) & (draft.parent >= 0) & draft.keep
    inner &= draft.service[np.maximum(draft.parent, 0)] == draft.service
    inner &= np.char.find(draft.frame["scope_name"].to_numpy().astype(str), "shop.") == 0
    inner &= draft.start < (draft.start + draft.duration)[np.maximum(draft.parent, 0)]
    service = plot.pick(plot.services(inner, subject="in-process"))
    if service is None:
        return None
    plot.claim(("in-process", service), ("some", service))
    rows = np.flatnonzero(inner & (draft.service == service))
    nodes, counts = np.unique(draft.node[rows], return_counts=True)
    # All of one operation, the most frequent one.
    names = draft.frame["name"].gather(rows)
    chosen = names.gather(int(np.flatnonzero(draft.node[rows] == nodes[counts.argmax()])[0]))[0]
    rows = plot.share(rows[(names == chosen).to_numpy()])
    parents = draft.parent[rows]
    draft.parent[rows] = NOWHERE
    return Fault(
        "context-lost-in-process",
        ("lost-in-process",),
        f"{chosen} of {plot.name(service)} loses the context on the way into its thread pool.",
        rows,
        touched=parents,
        services=(service,),
        consequences=("client-root", "several-roots"),
        severity="error",
    )


def _lost(plot: Plot, kind: str, hop: int) -> Fault | None:
    draft = plot.draft
    # A caller addresses the service behind a proxy: whose context is lost between could not be told.
    languages = [service.language for service in draft.system.services]
    edge = plot.edge(hop, fits=lambda edge: languages[edge.callee] is not None)
    if edge is None:
        return None
    rows = plot.share(edge.servers)
    parents = draft.parent[rows]
    draft.parent[rows] = NOWHERE
    draft.linked[rows] = False
    queue = hop == QUEUE
    return Fault(
        kind,
        ("parentless-consumer", "split-trace") if queue else ("split-trace",),
        f"{plot.name(edge.callee)} loses the context that {plot.name(edge.caller)} sends over {hop_name(hop)}.",
        rows,
        touched=parents,
        services=(edge.caller, edge.callee),
        caller=edge.caller,
        callee=edge.callee,
        consequences=("missing-server-span", "split-trace", "parentless-consumer"),
        severity="error",
    )

"""Trees of the wrong shape: spans that should stand between, spans that stand twice, kinds that do not fit."""

from __future__ import annotations

import numpy as np
import polars as pl

from tracelab.workload.faults.plot import HANDFUL, Edge, Fault, Plot
from tracelab.workload.systems.endpoints import CLIENT, CONSUMER, INTERNAL, NOWHERE, PRODUCER, SERVER
from tracelab.workload.systems.landscape import HTTP, RPC


def missing_client_span(plot: Plot) -> Fault | None:
    """Take away the client's spans of an edge, as where the context is handed on by hand.

    Where the caller has no client span of anything, it may just not tell kinds apart: only worth to know.
    """
    draft = plot.draft
    edge = plot.edge(HTTP, RPC, fits=lambda edge: bool((draft.parent[edge.clients] >= 0).all()))
    if edge is None:
        return None
    draft.keep[edge.clients] = False
    draft.parent[edge.servers] = draft.parent[edge.clients]
    # Attempts that never arrived would go on to show that there is an instrumented client.
    draft.keep[plot.calls(edge)] = False
    return Fault(
        "missing-client-span",
        ("missing-client-span",),
        f"{plot.name(edge.caller)} calls {plot.name(edge.callee)} without a client span.",
        edge.servers,
        touched=draft.parent[edge.servers],
        services=(edge.caller, edge.callee),
        caller=edge.caller,
        callee=edge.callee,
        consequences=("child-outside-parent",),
        only_worth_to_know=lambda draft: not plot.has(draft, edge.caller, CLIENT),
    )


def missing_server_span(plot: Plot) -> Fault | None:
    """Take away all that an instrumented callee records for one caller, as where a route is left out.

    Somebody else calls it, and is answered with spans: else nobody could know that it is instrumented at all.
    """
    draft = plot.draft

    def is_known(edge: Edge) -> bool:
        others = draft.keep & (draft.kind == SERVER) & (draft.service == edge.callee)
        return (
            int(others.sum()) - edge.servers.size >= HANDFUL
            and int(others[draft.below(edge.servers)].sum()) <= edge.servers.size
        )

    edge = plot.edge(HTTP, RPC, fits=is_known)
    if edge is None:
        return None
    draft.keep[draft.below(edge.servers)] = False
    # A caller addresses the service behind a proxy, so that either may be named.
    behind = [service for service, proxy in draft.system.proxies.items() if proxy == edge.callee]
    return Fault(
        "missing-server-span",
        ("missing-server-span",),
        f"{plot.name(edge.callee)} records nothing where {plot.name(edge.caller)} calls it.",
        edge.clients,
        services=(edge.caller, edge.callee, *behind),
        caller=None if behind else edge.caller,
        callee=None if behind else edge.callee,
    )


def internal_across_services(plot: Plot) -> Fault | None:
    """Let the callee call its spans internal (and, in one of two, the caller too).

    Where neither service ever tells kinds apart, they may be parts of one process: that is only worth to know.
    """
    draft = plot.draft
    edge = plot.edge(HTTP, RPC)
    if edge is None:
        return None
    rows = edge.servers
    if plot.rng.random() < 0.5:
        rows = np.concatenate([rows, plot.calls(edge)])
    shown = np.zeros(draft.parent.size, dtype=bool)
    shown[rows] = True
    draft.kind[rows] = INTERNAL
    draft.put("kind", shown, pl.lit("internal"))
    return Fault(
        "internal-across-services",
        ("internal-across-services",),
        f"Spans of {plot.name(edge.callee)} that {plot.name(edge.caller)} calls are of kind internal.",
        edge.servers,
        touched=edge.clients,
        services=(edge.caller, edge.callee),
        caller=edge.caller,
        callee=edge.callee,
        consequences=("missing-client-span", "missing-server-span"),
        only_worth_to_know=lambda draft: (
            not any(
                plot.has(draft, service, SERVER, CLIENT, PRODUCER, CONSUMER) for service in (edge.caller, edge.callee)
            )
        ),
    )


def double_instrumentation(plot: Plot) -> Fault | None:
    """Let two libraries see the same call: a client span below a client span, or a server span below a server span."""
    draft = plot.draft
    languages = [service.language for service in draft.system.services]
    edge = plot.edge(HTTP, fits=lambda edge: languages[edge.callee] is not None)
    if edge is None:
        return None
    twice_called = plot.rng.random() < 0.6
    rows = edge.clients if twice_called else edge.servers
    service = edge.caller if twice_called else edge.callee
    language = draft.system.services[service].language
    children = np.flatnonzero(draft.keep & (draft.parent >= 0))
    added = draft.add(rows)
    inner = np.full(draft.parent.size, NOWHERE)
    inner[rows] = added
    moved = children[inner[draft.parent[children]] >= 0]
    draft.parent[moved] = inner[draft.parent[moved]]
    draft.parent[added] = rows
    gap = np.minimum(draft.duration[rows] // 40, 60_000)
    draft.start[added] += gap
    draft.duration[added] -= 2 * gap
    if twice_called:
        # A callee is heard of only after the inner call began.
        early = moved[draft.start[moved] < draft.start[draft.parent[moved]]]
        draft.start[draft.parent[early]] = draft.start[early]
    shown = np.zeros(draft.parent.size, dtype=bool)
    shown[added] = True
    scope = None if language is None else (language.second_client if twice_called else language.second_server)
    if scope is not None:
        draft.put("scope_name", shown, pl.lit(scope[0]))
        draft.put("scope_version", shown, pl.lit(scope[1], dtype=pl.String))
    return Fault(
        "double-instrumentation",
        ("double-instrumentation",),
        f"Two libraries of {plot.name(service)} record the same {'calls' if twice_called else 'requests'}.",
        added,
        touched=rows,
        services=(service, edge.caller, edge.callee),
    )


def client_root(plot: Plot) -> Fault | None:
    """Take away a service's server spans with all that hangs on them but client spans, which become roots.

    In one of two cases one operation only. Jobs, pollers and health checks of a service leave the same behind as
    requests that nobody records: whether it is called a fault or only worth to know, both are right.
    """
    draft = plot.draft
    root = draft.keep & (draft.parent < 0) & (draft.kind == SERVER)
    child = draft.keep & (draft.parent >= 0) & (draft.kind == CLIENT)
    child &= root[np.maximum(draft.parent, 0)]
    service = plot.pick(plot.services(child, alone=True))
    if service is None:
        return None
    plot.claim(("all", service), ("some", service))
    rows = np.flatnonzero(child & (draft.service == service))
    if plot.rng.random() < 0.5:
        nodes, counts = np.unique(draft.node[draft.parent[rows]], return_counts=True)
        rows = rows[draft.node[draft.parent[rows]] == nodes[counts.argmax()]]
    gone = draft.below(np.unique(draft.parent[rows])) & ~draft.below(rows)
    draft.keep[gone] = False
    draft.parent[rows] = NOWHERE
    return Fault(
        "client-root",
        ("client-root",),
        f"Requests to {plot.name(service)} have no server span: its calls begin traces.",
        rows,
        services=(service,),
        severity="either",
    )

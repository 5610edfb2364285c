"""Calls from service to service in which the span of one side is missing between two spans that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER
from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.some_rows import share_their_id, share_their_id_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_PROXIES: Final = r"(?i)^(envoy|istio|linkerd|nginx|traefik|kong|haproxy|caddy|apisix|contour|cilium)"
_OF_PROXIES: Final = ("span.upstream_cluster", "span.istio.mesh_id")


def missing_client_span(evidence: Evidence) -> pl.DataFrame:
    """Find server and consumer spans right below a span of another service that is no client or producer."""
    edges = _crossings(evidence, (SERVER, CONSUMER))
    if edges is None:
        return nothing()
    above = evidence.kind[evidence.parent[edges]]
    shown = (above == SERVER) | (above == INTERNAL) | (above == CONSUMER)
    # What shares its id with its client span, as Zipkin's tracers have it, hangs beside that one and not below it.
    places = np.flatnonzero(shown)
    shown[places[share_their_id_with(evidence, edges[places], CLIENT, PRODUCER)]] = False
    if not shown.any():
        return nothing()
    callers = evidence.parent_service[edges]
    # Who makes no client span of anything may have none that could be made: that is only worth to know.
    marks = _services_with(evidence, CLIENT)
    marked = marks[callers] & ~_proxied(evidence, edges)
    return findings_of(
        evidence,
        Symptom(
            "missing-client-span",
            "warning",
            _says_client,
            shown=shown,
            rows=edges,
            service=callers,
            caller=callers,
            callee=evidence.service[edges],
            hop=evidence.hops(edges),
            unit="calls",
            figures={"marks": marked.astype(np.float64)},
            judge=_mild_without("marks"),
        ),
    )


def internal_across_services(evidence: Evidence) -> pl.DataFrame:
    """Find internal spans whose parent is in another service."""
    edges = _crossings(evidence, (INTERNAL, SERVER, CONSUMER))
    if edges is None:
        return nothing()
    shown = evidence.kind[edges] == INTERNAL
    if not shown.any():
        return nothing()
    callees = evidence.service[edges]
    callers = evidence.parent_service[edges]
    marks = _services_with(evidence, SERVER, CLIENT, PRODUCER, CONSUMER)
    # Where two spans share the parent's id, the other one may be the parent, in the same service.
    places = np.flatnonzero(shown)
    shown[places[share_their_id(evidence, evidence.parent[edges[places]])]] = False
    return findings_of(
        evidence,
        Symptom(
            "internal-across-services",
            "warning",
            _says_internal,
            shown=shown,
            rows=edges,
            caller=callers,
            callee=callees,
            unit="calls",
            figures={"marks": (marks[callers] | marks[callees]).astype(np.float64)},
            judge=_mild_without("marks"),
        ),
    )


def _crossings(evidence: Evidence, kinds: tuple[int, ...]) -> Ints | None:
    """List the spans of these kinds whose parent is in another service."""
    edges = np.flatnonzero(evidence.crossing)
    edges = edges[evidence.of_kinds(edges, *kinds)] if edges.size else edges
    return edges if edges.size else None


def _proxied(evidence: Evidence, edges: Ints) -> Flags:
    """Tell which spans come from a proxy: those of meshes and gateways write one span for what they pass on."""
    named = evidence.libraries["scope_name"].str.contains(_PROXIES).fill_null(value=False).to_numpy()
    above = evidence.parent[edges]
    found: Flags = named[evidence.library[above]] | evidence.has(*_OF_PROXIES)[above]
    return found


def _services_with(evidence: Evidence, *kinds: int) -> Flags:
    """Mark the services that have spans of one of these kinds."""
    marked: Flags = np.any(evidence.kinds_of_services[:, list(kinds)], axis=1)
    return marked


def _mild_without(figure: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Make those findings mild in which most rows lack what a figure says."""

    def judge(groups: pl.DataFrame) -> pl.DataFrame:
        mild = pl.when(pl.col(figure) < 1).then(pl.lit("info")).otherwise("severity")
        return groups.with_columns(severity=mild)

    return judge


def _says_client(group: Group) -> str:
    return (
        f"{group['said_count']} from {group['caller']} to {group['callee']} have no client span: the span of "
        f"{group['callee']} hangs below one of {group['caller']} that is no call."
    )


def _says_internal(group: Group) -> str:
    return (
        f"{group['said_count']} from {group['caller']} to {group['callee']} arrive at an internal span: no server span "
        f"of {group['callee']} says that a request came in, or both run in one process under two names."
    )

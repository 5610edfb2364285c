"""Spans that are not there: sampled away, outside of the window, lost on export, or never exported at all."""

from __future__ import annotations

import numpy as np

from tracelab.workload.faults.plot import HANDFUL, Fault, Plot
from tracelab.workload.systems.endpoints import CLIENT, SERVER
from tracelab.workload.systems.landscape import HTTP, RPC

_ORPHANED = ("missing-parent", "several-roots", "missing-server-span")


def own_sampling(plot: Plot) -> Fault | None:
    """Let a service decide by a ratio of its own which traces it records.

    Nobody can see this at a service whose spans have none of others below them: only services that others' spans
    would miss are chosen.
    """
    draft = plot.draft
    service = plot.pick(_with_others_below(plot))
    if service is None:
        return None
    _alone(plot, service)
    ratio = float(plot.rng.uniform(0.3, 0.7))
    top = draft.top()
    sampled = plot.rng.random(draft.parent.size) < ratio
    lost = draft.keep & (draft.service == service) & ~sampled[top]
    rows = _orphans(plot, lost)
    draft.keep[lost] = False
    return Fault(
        "own-sampling",
        _ORPHANED,
        f"{plot.name(service)} samples {ratio:.0%} of traces by itself.",
        rows,
        touched=_calling(plot, lost),
        services=_around(plot, service, rows),
        severity="info",
        consequences=("inconsistent-sampling-threshold",),
    )


def window_cut(plot: Plot) -> Fault | None:
    """Cut the dump at both ends: spans that began before it or ended after it are not there."""
    draft = plot.draft
    if not plot.is_free(("window", 0)):
        return None
    plot.claim(("window", 0))
    end = draft.start + draft.duration
    # Where most is going on: a cut through a quiet second shows nothing.
    first, last = _busiest(plot, 0.02, 0.2), _busiest(plot, 0.8, 0.98)
    lost = draft.keep & ((draft.start < first) | (end > last))
    rows = _orphans(plot, lost)
    draft.keep[lost] = False
    return Fault(
        "window-cut",
        _ORPHANED,
        "The dump begins and ends in the midst of requests.",
        rows,
        touched=_calling(plot, lost),
        severity="info",
    )


def lost_export(plot: Plot) -> Fault | None:
    """Lose what one instance of a service exported in some seconds."""
    draft = plot.draft
    service = plot.pick(_with_others_below(plot))
    if service is None:
        return None
    instances = draft.system.services[service].instances
    counts = np.bincount(draft.instance[draft.keep], minlength=len(draft.system.instance_service))
    instance = max(instances, key=lambda one: int(counts[one]))
    end = draft.start + draft.duration
    ours = np.flatnonzero(draft.keep & (draft.instance == instance))
    ours = ours[np.argsort(end[ours], kind="stable")]
    size = max(ours.size // 6, 4 * HANDFUL)
    if ours.size < 2 * size:
        return None
    first = int(plot.rng.integers(ours.size // 5, ours.size - size))
    lost = np.zeros(draft.parent.size, dtype=bool)
    lost[ours[first : first + size]] = True
    rows = _orphans(plot, lost)
    if rows.size < HANDFUL // 2:
        return None
    _alone(plot, service)
    draft.keep[lost] = False
    return Fault(
        "lost-export",
        _ORPHANED,
        f"An instance of {plot.name(service)} lost a batch of its spans.",
        rows,
        touched=_calling(plot, lost),
        services=_around(plot, service, rows),
        severity="info",
    )


def parent_not_exported(plot: Plot) -> Fault | None:
    """Never export what one library of a service records: its server spans, or its client spans on one edge."""
    draft = plot.draft
    if plot.rng.random() < 0.5:
        edge = plot.edge(HTTP, RPC)
        if edge is None:
            return None
        draft.keep[plot.calls(edge)] = False
        return Fault(
            "parent-not-exported",
            ("missing-parent",),
            f"The client spans of {plot.name(edge.caller)} to {plot.name(edge.callee)} are never exported.",
            edge.servers,
            touched=edge.clients,
            services=(edge.caller, edge.callee),
            consequences=("several-roots", "internal-across-services"),
            severity="error",
        )
    server = draft.keep & (draft.kind == SERVER)
    below = np.zeros(draft.parent.size, dtype=bool)
    children = np.flatnonzero((draft.parent >= 0) & draft.keep)
    below[draft.parent[children]] = True
    service = plot.pick(plot.services(server & below, alone=True))
    if service is None:
        return None
    _alone(plot, service)
    lost = server & (draft.service == service)
    rows = _orphans(plot, lost)
    draft.keep[lost] = False
    return Fault(
        "parent-not-exported",
        ("missing-parent",),
        f"The server spans of {plot.name(service)} are never exported.",
        rows,
        touched=_calling(plot, lost),
        services=_around(plot, service, rows),
        severity="error",
        consequences=("several-roots", "missing-server-span"),
    )


def _with_others_below(plot: Plot) -> list[int]:
    """List services that have spans of others below enough of theirs."""
    draft = plot.draft
    inner = (draft.parent >= 0) & draft.keep
    above = draft.service[np.maximum(draft.parent, 0)]
    counts = np.bincount(above[inner & (above != draft.service)], minlength=len(draft.system.services))
    entries = {operation.service for operation in draft.system.entries}
    return [
        service
        for service in plot.services(draft.kind == CLIENT, alone=True)
        if counts[service] >= 4 * HANDFUL and service not in entries
    ]


def _alone(plot: Plot, service: int) -> None:
    plot.claim(("all", service), ("some", service))


def _orphans(
    plot: Plot, lost: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    draft = plot.draft
    inner = draft.keep & (draft.parent >= 0) & ~lost
    return np.flatnonzero(inner & lost[np.maximum(draft.parent, 0)] & ~draft.linked)


def _calling(
    plot: Plot, lost: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Give the spans that lost ones hung on, which seem to have called nobody."""
    above = plot.draft.parent[lost]
    return above[above >= 0]


def _around(plot: Plot, service: int, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[int, ...]:
    """Give a service and those whose spans would hang below its own, or above."""
    draft = plot.draft
    ours = draft.service == service
    above = draft.parent[ours & (draft.parent >= 0)]
    return tuple(np.unique(np.concatenate([[service], draft.service[rows], draft.service[above]])).tolist())


def _busiest(plot: Plot, low: float, high: float) -> int:
    """Give the instant between two shares of the dump's time at which most spans are open."""
    draft = plot.draft
    begin, end = int(draft.start.min()), int((draft.start + draft.duration).max())
    instants = np.linspace(begin + (end - begin) * low, begin + (end - begin) * high, 400).astype(np.int64)
    starts, ends = np.sort(draft.start), np.sort(draft.start + draft.duration)
    running = np.searchsorted(starts, instants, side="right") - np.searchsorted(ends, instants)
    return int(instants[int(running.argmax())])

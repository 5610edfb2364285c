"""Attributes of yesterday's names, of two generations at once, and on the wrong level."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from tracelab.workload.faults.plot import Fault, Plot
from tracelab.workload.systems.landscape import DATABASE, HTTP, QUEUE, RPC

_OLD: Final = {
    HTTP: (
        ("http.request.method", "http.method"),
        ("http.response.status_code", "http.status_code"),
        ("url.full", "http.url"),
        ("url.scheme", "http.scheme"),
        ("user_agent.original", "http.user_agent"),
        ("url.path", "http.target"),
    ),
    DATABASE: (
        ("db.system.name", "db.system"),
        ("db.query.text", "db.statement"),
        ("db.operation.name", "db.operation"),
        ("db.namespace", "db.name"),
        ("server.address", "net.peer.name"),
        ("server.port", "net.peer.port"),
    ),
    RPC: (("rpc.system.name", "rpc.system"), ("server.address", "net.peer.name"), ("server.port", "net.peer.port")),
    QUEUE: (
        ("messaging.operation.type", "messaging.operation"),
        ("messaging.consumer.group.name", "messaging.kafka.consumer.group"),
    ),
}
_SUBJECTS: Final = {HTTP: "HTTP", DATABASE: "database", RPC: "gRPC", QUEUE: "messaging"}
_MISPLACED: Final = {
    "span.service.name": pl.col("service_name"),
    "span.service.version": pl.col("resource.service.version"),
    "span.telemetry.sdk.language": pl.col("resource.telemetry.sdk.language"),
    "span.deployment.environment.name": pl.lit("production"),
    "resource.http.route": pl.lit("/api"),
    "resource.http.request.method": pl.lit("GET"),
    "resource.rpc.method": pl.lit("shop.Stock/Get"),
}


def old_attribute_names(plot: Plot) -> Fault | None:
    """Let the spans of one service and one subject carry the old names only."""
    found = _subject(plot)
    if found is None:
        return None
    service, hop, shown = found
    _rename(plot, hop, shown, keeps=False)
    return Fault(
        "old-attribute-names",
        ("old-attribute-names",),
        f"{plot.name(service)} writes the old names of {_SUBJECTS[hop]} attributes.",
        np.flatnonzero(shown),
        services=(service,),
        consequences=("mixed-attribute-names",),
    )


def mixed_attribute_names(plot: Plot) -> Fault | None:
    """Let the spans of one service and one subject carry both generations of names, together or by turns.

    Together is what SDKs write on request while one migrates, and only worth to know.
    """
    found = _subject(plot)
    if found is None:
        return None
    service, hop, shown = found
    both = bool(plot.rng.random() < 0.5)
    renamed = shown if both else shown & (plot.rng.random(shown.size) < 0.5)
    _rename(plot, hop, renamed, keeps=both)
    how = "on the same spans" if both else "on different spans"
    return Fault(
        "mixed-attribute-names",
        ("mixed-attribute-names",),
        f"{plot.name(service)} writes old and new names of {_SUBJECTS[hop]} attributes {how}.",
        np.flatnonzero(renamed),
        services=(service,),
        consequences=("old-attribute-names",),
        severity="info" if both else "warning",
    )


def attribute_at_wrong_level(plot: Plot) -> Fault | None:
    """Put an attribute of resources on a service's spans, or one of spans on its resource.

    What may stand on both (the name of a host that a span is about, the kind of a database) is left alone.
    """
    draft = plot.draft
    service = plot.pick(plot.services(draft.keep, subject="level"))
    if service is None:
        return None
    plot.claim(("level", service))
    column = list(_MISPLACED)[int(plot.rng.integers(len(_MISPLACED)))]
    shown = draft.keep & (draft.service == service)
    draft.put(column, shown, _MISPLACED[column])
    level, _, key = column.partition(".")
    return Fault(
        "attribute-at-wrong-level",
        ("attribute-at-wrong-level",),
        f"{plot.name(service)} has {key} on its {level}.",
        np.flatnonzero(shown),
        services=(service,),
    )


def _subject(plot: Plot) -> tuple[int, int, np.ndarray[tuple[int], np.dtype[np.bool_]]] | None:
    """Pick a service and a subject of which it has enough spans."""
    draft = plot.draft
    offered: list[tuple[int, int]] = []
    for hop in _OLD:
        key = f"{_OLD[hop][0][0]}"
        has = draft.keep & (draft.hop == hop) & _has(plot, f"span.{key}")
        offered.extend((service, hop) for service in plot.services(has, subject=f"names {hop}"))
    place = plot.pick(range(len(offered)))
    if place is None:
        return None
    service, hop = offered[place]
    plot.claim((f"names {hop}", service))
    return (
        service,
        hop,
        draft.keep & (draft.service == service) & (draft.hop == hop) & _has(plot, f"span.{_OLD[hop][0][0]}"),
    )


def _has(plot: Plot, column: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    frame = plot.draft.frame
    if column not in frame.columns:
        return np.zeros(frame.height, dtype=bool)
    return frame[column].is_not_null().to_numpy()


def _rename(plot: Plot, hop: int, shown: np.ndarray[tuple[int], np.dtype[np.bool_]], *, keeps: bool) -> None:
    draft = plot.draft
    for new, old in _OLD[hop]:
        column = f"span.{new}"
        if column in draft.frame.columns:
            draft.put(f"span.{old}", shown, pl.col(column))
            if not keeps:
                draft.put(column, shown, pl.lit(None))

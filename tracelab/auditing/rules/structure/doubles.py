"""One call that two instrumentations recorded, one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT, SERVER
from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.some_rows import texts_at

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_COVERED: Final = 0.6
"""How much of the outer span the inner one covers, where both are the same call."""

_ROOM: Final = 2_000_000
"""Nanoseconds that the outer instrumentation may take itself, where calls are short."""

_SAME: Final = (
    ("span.http.request.method", "span.http.method"),
    ("span.url.full", "span.http.url"),
    ("span.server.address", "span.net.peer.name"),
    ("span.rpc.method",),
    ("span.db.query.text", "span.db.statement"),
)
"""What both say alike if they are one call; what only one says proves nothing."""

_INSTANCE: Final = ("resource.service.instance.id", "resource.k8s.pod.name", "resource.host.name")
_REMOTE: Final = 0x200


def double_instrumentation(evidence: Evidence) -> pl.DataFrame:
    """Find client spans below client spans, and server spans below server spans, that record one and the same call."""
    found = [
        _doubled(evidence, CLIENT, unit="client spans"),
        _doubled(evidence, SERVER, unit="server spans"),
    ]
    return pl.concat(found)


def _doubled(evidence: Evidence, kind: int, *, unit: str) -> pl.DataFrame:
    of_kind = evidence.kind == kind
    parent = evidence.parent
    inner = np.flatnonzero(of_kind & (parent >= 0))
    inner = inner[of_kind[parent[inner]] & ~evidence.crossing[inner]]
    if inner.size:
        inner = inner[_one_call(evidence, inner)]
    if not inner.size:
        return nothing()
    rows = np.flatnonzero(of_kind)
    shown = np.zeros(evidence.count, dtype=bool)
    shown[inner] = True
    return findings_of(
        evidence,
        Symptom(
            "double-instrumentation",
            "warning",
            _says,
            shown=shown[rows],
            rows=rows,
            hop=evidence.hops(rows),
            unit=unit,
        ),
    )


def _one_call(evidence: Evidence, inner: Ints) -> Flags:
    """Mark the spans that are the same call as the span above them."""
    outer = evidence.parent[inner]
    alone = np.bincount(outer, minlength=evidence.count)[outer] == 1
    within = (evidence.start[inner] >= evidence.start[outer]) & (evidence.end[inner] <= evidence.end[outer])
    left_over = evidence.duration[outer] - evidence.duration[inner]
    covers = (evidence.duration[inner] >= _COVERED * evidence.duration[outer]) | (left_over <= _ROOM)
    hop = evidence.hops(inner)
    same_way = hop == evidence.hops(outer)
    found: Flags = alone & within & covers & same_way & ~_from_elsewhere(evidence, inner)
    found &= (hop >= 0) | _told_apart(evidence, inner, outer)
    places = np.flatnonzero(found)
    # A span of the same id is the same span once more, or is told from its parent by nothing.
    ids = evidence.frame["span_id"]
    found[places[(ids.gather(inner[places]) == ids.gather(outer[places])).to_numpy()]] = False
    places = np.flatnonzero(found)
    for keys in _SAME if places.size else ():
        if evidence.knows(*keys):
            said = texts_at(evidence, inner[places], *keys) != texts_at(evidence, outer[places], *keys)
            other = said.fill_null(value=False).to_numpy()
            found[places[other]] = False
    return found


def _told_apart(evidence: Evidence, inner: Ints, outer: Ints) -> Flags:
    """Mark pairs by two libraries, or of one name: one library that calls its steps servers records none twice."""
    found: Flags = (evidence.library[inner] != evidence.library[outer]) | (evidence.name[inner] == evidence.name[outer])
    return found


def _from_elsewhere(evidence: Evidence, inner: Ints) -> Flags:
    """Mark the spans whose parent is in another instance or, where none is said, in another process by their flags."""
    one, other = (texts_at(evidence, rows, *_INSTANCE) for rows in (inner, evidence.parent[inner]))
    flags = evidence.frame["flags"].gather(inner).fill_null(0)
    found: Flags = (one != other).fill_null(pl.Series((flags.to_numpy() & _REMOTE) != 0)).to_numpy()
    return found


def _says(group: Group) -> str:
    kind, inner = group["unit"].removesuffix("s"), group["library"] or "one that does not say its name"
    return (
        f"{group['said_count']} of {group['service']} record a call that the {kind} above them records as well: two "
        f"instrumentations wrap the same call, the inner one being {inner}."
    )

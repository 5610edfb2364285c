"""Attributes under names that the semantic conventions have given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.auditing.conventions.renames import ONE_OF, SUCCESSORS
from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.numbering import renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

_MOST_NAMES: Final = 8
_SETTLED_BY: Final = {
    # What an instrumentation with the new names leaves out on purpose, since the successors are opt-in or gone.
    "http.request_content_length": ("http.request.method",),
    "http.request_content_length_uncompressed": ("http.request.method",),
    "http.response_content_length": ("http.request.method",),
    "http.response_content_length_uncompressed": ("http.request.method",),
    "http.server_name": ("http.request.method",),
    "net.host.ip": ("server.address",),
    "net.sock.family": ("network.peer.address", "server.address"),
    "net.transport": ("server.address", "network.peer.address"),
    "db.sql.table": ("db.query.text", "db.query.summary"),
}
_SUCCESSOR: Final = {"rpc.service": ("rpc.system.name",)}  # `rpc.method` is an old name too, of half the thing
_OF_ENDPOINTS: Final = frozenset({"net.host.ip", "net.host.port", "net.peer.ip", "net.peer.port", "peer.service"})
"""What reading Zipkin's endpoints makes of them: nobody wrote it, where no library is named."""

_UNSETTLED: Final = ("peer.service", "feature_flag.", "gen_ai.")
_HOPS: Final = {"http": "http", "db": "database", "rpc": "rpc", "messaging": "queue"}


def old_attribute_names(evidence: Evidence) -> pl.DataFrame:
    """Find libraries that write attributes under old names, and resources that are described with them."""
    found = [_found(evidence, scope) for scope in ("span", "resource")]
    return pl.concat([nothing(), *found])


def _found(evidence: Evidence, scope: str) -> pl.DataFrame:
    names = sorted(name for name in SUCCESSORS if f"{scope}.{name}" in evidence.attributes)
    if not names:
        return nothing()
    of_span = scope == "span"
    marks = pl.DataFrame([_without_successor(evidence, scope, name) for name in names])
    shown = marks.select(pl.any_horizontal(pl.all())).to_series().to_numpy()
    rows = np.flatnonzero(shown)
    if not rows.size:
        return nothing()
    keys = {"_service": evidence.service} | ({"_library": evidence.library} if of_span else {})
    told = _counted(marks, keys, rows)
    words = [_words(row, of_span=of_span) for row in told.iter_rows(named=True)]
    table = told.select(*keys).with_columns(pl.DataFrame(words, schema=["names", "severity", "hop"], orient="row"))
    return findings_of(
        evidence,
        Symptom(
            "old-attribute-names",
            "warning",
            _says if of_span else _says_of_resource,
            shown=shown,
            by_library=of_span,
            judge=lambda groups: groups.drop("severity", "hop").join(
                table, on=[*keys], how="left", maintain_order="left"
            ),
        ),
    )


def _counted(marks: pl.DataFrame, keys: dict[str, Ints], rows: Ints) -> pl.DataFrame:
    """Count the marks of each group of rows."""
    sizes = [int(values.max()) + 1 for values in keys.values()]
    group, distinct = renumbered(np.ravel_multi_index([values[rows] for values in keys.values()], sizes))
    counts = {name: np.bincount(group, marks[name].gather(rows).to_numpy()).astype(np.int64) for name in marks.columns}
    return pl.DataFrame({**dict(zip(keys, np.unravel_index(distinct, sizes), strict=True)), **counts})


def _without_successor(evidence: Evidence, scope: str, name: str) -> pl.Series:
    """Mark the spans that carry an old name and nothing that says the same under a new one."""
    there = evidence.carries(f"{scope}.{name}")
    if name in _OF_ENDPOINTS and scope == "span":
        there &= evidence.frame["scope_name"].is_not_null()
    for new in (*_SUCCESSOR.get(name, SUCCESSORS[name]), *_SETTLED_BY.get(name, ())):
        if f"{scope}.{new}" in evidence.attributes:
            there &= ~evidence.carries(f"{scope}.{new}")
    return there.alias(name)


def _words(counts: dict[str, Any], *, of_span: bool) -> tuple[str, str, str | None]:
    """Say which names a group has, how much that matters, and what they are about."""
    there = {name: count for name, count in counts.items() if not name.startswith("_") and count}
    most_first = sorted(there, key=lambda name: (-there[name], name))
    renamed = [f"{name} (now {_now(name)})" for name in most_first[:_MOST_NAMES]]
    more = [f"{len(most_first) - _MOST_NAMES} more"] if len(most_first) > _MOST_NAMES else []
    *before, last = [*renamed, *more]
    said = f"{', '.join(before)} and {last}" if before else last
    settled = any(not name.startswith(_UNSETTLED) for name in there)
    areas = [area for name in most_first if (area := name.partition(".")[0]) in _HOPS]
    return said, "warning" if settled else "info", _HOPS[areas[0]] if areas and of_span else None


def _now(name: str) -> str:
    """List what took a name's place."""
    return (" or " if name in ONE_OF else " and ").join(SUCCESSORS[name])


def _says(group: Group) -> str:
    by = f" by {group['library']}" if group["library"] else ""
    return f"{group['said_count']} of {group['service']}{by} carry attributes under old names only: {group['names']}."


def _says_of_resource(group: Group) -> str:
    return f"The resource of {group['service']} is described under old names only: {group['names']}."

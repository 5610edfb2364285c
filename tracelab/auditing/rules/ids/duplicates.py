"""Spans of a trace that have the same id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT, SERVER
from tracelab.auditing.findings import Group, Symptom, findings_of, nothing

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_CONTENT: Final = ("name", "kind", "service_name", "start_time", "duration")
_USUAL: Final = 0.8
_FEWEST_BITS, _SPARE_BITS, _MOST_BITS = 16, 6, 22
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


def shared_ids(evidence: Evidence) -> pl.DataFrame:
    """Find ids that several spans of a trace have, and tell copies and Zipkin's shared spans from ids that clash."""
    rows = _sharing(evidence)
    if not rows.size:
        return nothing()
    spans = _told_apart(evidence, rows)
    copies = _marked(evidence, spans, pl.col("copy"))
    zipkin = pl.col("zipkin")
    shared = _marked(evidence, spans, zipkin & (pl.col("kind") == SERVER))
    clashing = _marked(evidence, spans, ~pl.col("copy") & ~zipkin & (pl.col("different") > 1))
    return pl.concat(
        [
            findings_of(evidence, Symptom("exported-twice", "warning", _says_twice, shown=copies)),
            _of_edges(evidence, shared, spans.filter(zipkin)),
            findings_of(evidence, Symptom("duplicate-span-id", "error", _says_clashing, shown=clashing)),
        ]
    )


def _sharing(evidence: Evidence) -> Ints:
    """List the places of spans whose id another span of their trace seems to have: a few too many, and never too few.

    Numbers are much faster to sort than texts, and small ones than large ones.
    """
    hashes = evidence.frame["span_id"].hash(14).to_numpy() ^ (evidence.trace.astype(np.uint64) * _SPREAD)
    key = (hashes >> np.uint64(32)).astype(np.uint32)
    ordered = np.sort(key)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    # A first look at the upper bits alone, in a table that is no larger than it must be, since a small one is fast.
    bits = min(max(_FEWEST_BITS, twice.size.bit_length() + _SPARE_BITS), _MOST_BITS)
    marked = np.zeros(1 << bits, dtype=bool)
    marked[twice >> (32 - bits)] = True
    rows = np.flatnonzero(marked[key >> (32 - bits)])
    return rows[np.isin(key[rows], twice, kind="sort")]


def _told_apart(evidence: Evidence, rows: Ints) -> pl.DataFrame:
    """Say of every span that shares its id whether it is a copy, and how many different spans have the id."""
    places = pl.Series(rows)
    ids = pl.DataFrame({"row": rows, "trace": evidence.trace[rows], "kind": evidence.kind[rows]}).with_columns(
        evidence.frame["span_id"].gather(places),
        evidence.frame.select(pl.col(_CONTENT).gather(places)).hash_rows().alias("content"),
    )
    one_id = ["trace", "span_id"]
    first = pl.col("content").is_first_distinct().over(one_id)
    told = ids.with_columns(
        copy=~first,
        different=pl.col("content").n_unique().over(one_id),
        sides=(first & pl.col("kind").is_in((CLIENT, SERVER))).sum().over(one_id),
        servers=(first & (pl.col("kind") == SERVER)).sum().over(one_id),
    ).filter(pl.len().over(one_id) > 1)
    return told.with_columns(zipkin=(pl.col("different") == 2) & (pl.col("sides") == 2) & (pl.col("servers") == 1))


def _marked(evidence: Evidence, spans: pl.DataFrame, what: pl.Expr) -> Flags:
    marked = np.zeros(evidence.count, dtype=bool)
    marked[spans.filter(what)["row"].to_numpy()] = True
    return marked


def _of_edges(evidence: Evidence, shared: Flags, spans: pl.DataFrame) -> pl.DataFrame:
    """Report Zipkin's shared spans by who calls whom: harmless where nearly all calls are so."""
    clients = spans.filter((pl.col("kind") == CLIENT) & ~pl.col("copy")).select("trace", "span_id", client="row")
    servers = spans.filter((pl.col("kind") == SERVER) & ~pl.col("copy")).select("trace", "span_id", "row")
    pairs = servers.join(clients, on=["trace", "span_id"])
    if not pairs.height:
        return nothing()
    caller = np.full(evidence.count, -1, dtype=np.int64)
    caller[pairs["row"].to_numpy()] = evidence.service[pairs["client"].to_numpy()]
    rows = np.flatnonzero(evidence.kind == SERVER)
    callers = np.where(shared[rows], caller[rows], evidence.parent_service[rows])
    edge = callers * evidence.services.len() + evidence.service[rows]
    edges = np.unique(edge[callers >= 0]).size
    usual = np.unique(edge[shared[rows]]).size > _USUAL * edges
    return findings_of(
        evidence,
        Symptom(
            "shared-span-id",
            "info" if usual else "warning",
            _says_shared,
            shown=shared[rows],
            rows=rows,
            caller=callers,
            callee=evidence.service[rows],
        ),
    )


def _says_twice(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} are copies of spans that are there already."


def _says_shared(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} share their ids with the client spans of {group['caller']}."


def _says_clashing(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} have the id of another, different span of their trace."

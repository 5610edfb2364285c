"""Trace ids that stand for more than one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.display.words import counted

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_MANY: Final = 5
_LONG: Final = 1_000_000_000
_APART: Final = 10
_SOME_TRACES: Final = 3


def reused_trace_id(evidence: Evidence) -> pl.DataFrame:
    """Find trace ids that a service gives to requests that have nothing to do with each other.

    Requests are unrelated if each begins after all before it have ended, over a time much longer than they take: many
    of them under one id, or a few under each of several ids, as forked processes with the same seed make.
    """
    roots = np.flatnonzero(evidence.true_root & (evidence.parent < 0))
    traces = np.bincount(evidence.trace[roots])
    several = traces[evidence.trace[roots]] > 1
    if not several.any():
        return nothing()
    reused = _reused(evidence, roots[several])
    if not reused.any():
        return nothing()
    shown = np.zeros(evidence.count, dtype=bool)
    shown[roots[several][reused]] = True
    service = evidence.service[roots]
    told = pl.DataFrame({"service": evidence.service[shown], "trace": evidence.trace[shown]})
    ids = np.zeros(evidence.services.len(), dtype=np.int64)
    by_service = told.group_by("service").agg(pl.col("trace").n_unique())
    ids[by_service["service"].to_numpy()] = by_service["trace"].to_numpy()
    return findings_of(
        evidence,
        Symptom(
            "reused-trace-id",
            "error",
            _says,
            shown=shown[roots],
            rows=roots,
            service=service,
            unit="roots",
            figures={"ids": ids[service]},
        ),
    )


def _reused(evidence: Evidence, roots: Ints) -> Flags:
    """Mark the roots whose service gave their trace id to unrelated requests."""
    spans = (
        pl.LazyFrame(
            {
                "root": np.arange(roots.size),
                "trace": evidence.trace[roots],
                "service": evidence.service[roots],
                "start": evidence.start[roots],
                "end": _ends(evidence)[roots],
            }
        )
        .sort("trace", "service", "start")
        .with_columns(before=pl.col("end").cum_max().shift(1).over("trace", "service"))
        .with_columns(later=(pl.col("start") > pl.col("before")).fill_null(value=False))
    )
    one_id = ["trace", "service"]
    measured = spans.with_columns(
        unrelated=pl.col("later").sum().over(one_id) + 1,
        lasts=(pl.col("start").max() - pl.col("start").min()).over(one_id),
        takes=(pl.col("end") - pl.col("start")).median().over(one_id),
    ).with_columns(long=(pl.col("lasts") > _LONG) & (pl.col("lasts") > _APART * pl.col("takes")))
    twice = pl.col("long") & (pl.col("unrelated") > 1)
    reused = measured.with_columns(traces=pl.col("trace").filter(twice).n_unique().over("service")).select(
        "root", reused=twice & ((pl.col("unrelated") >= _MANY) | (pl.col("traces") >= _SOME_TRACES))
    )
    found: Flags = reused.sort("root").collect()["reused"].to_numpy()
    return found


def _ends(evidence: Evidence) -> Ints:
    """Give for every root of a fragment the end of the last span of it."""
    fragments = np.flatnonzero(evidence.parent < 0)
    ends = evidence.end.copy()
    ends[fragments] = np.maximum.reduceat(evidence.end, fragments)
    return ends


def _says(group: Group) -> str:
    ids = counted(int(group["ids"]), "trace id")
    return f"{group['said_count']} of {group['service']} share {ids} with requests that they have nothing to do with."

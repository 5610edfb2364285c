"""Spans that begin before their parents or end after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CONSUMER, PRODUCER, SERVER
from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.offsets import clocks_of, machines
from tracelab.clocks.hosts import grains
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

_HARMLESS: Final = 1_000_000  # clocks of one process, such as the two of JavaScript, differ by less


def child_outside_parent(evidence: Evidence) -> pl.DataFrame:
    """Find spans that are not within their parents though one clock times both, or both clocks agree."""
    parent = evidence.parent
    # A root is compared with the last place, and left out.
    early = (evidence.start[parent] > evidence.start) & (parent >= 0)
    late = (evidence.end[parent] < evidence.end) & (parent >= 0)
    some_early, some_late = early.any(), late.any()
    if not (some_early or some_late):
        return nothing()
    host, hosts = machines(evidence)
    rows = np.flatnonzero(parent >= 0)
    above = parent[rows]
    wrong = np.zeros(hosts.len(), dtype=bool)
    wrong[clocks_of(evidence).wrong["host"].to_numpy()] = True
    one_clock = host[rows] == host[above]
    told = one_clock | ~(wrong[host[rows]] | wrong[host[above]])
    rows, above, one_clock = rows[told], above[told], one_clock[told]
    grain = grains(evidence.start, host, hosts.len())
    slack = 2 * np.maximum(grain[host[rows]], grain[host[above]])
    found = []
    if some_early:
        found.append(_early(evidence, rows, slack, one_clock=one_clock))
    if some_late:
        found.append(_late(evidence, rows, slack))
    return pl.concat(found)


def _early(evidence: Evidence, rows: Ints, slack: Ints, *, one_clock: Ints) -> pl.DataFrame:
    """Report what begins before its parent: in one process nothing but a wrong time explains it."""
    enters = evidence.of_kinds(rows, SERVER, CONSUMER)
    # Where no host is named, a service that calls itself may do so on another one.
    same = one_clock & (~enters | (evidence.host[rows] >= 0))
    by = evidence.start[evidence.parent[rows]] - evidence.start[rows]
    return findings_of(
        evidence,
        Symptom(
            "child-outside-parent",
            "info",
            _says_early,
            shown=by > slack,
            rows=rows,
            detail=np.where(same, 0, 1),
            details=("the same process", "another process"),
            weight=by,
            figures={"by": by},
            judge=_judged,
        ),
    )


def _judged(groups: pl.DataFrame) -> pl.DataFrame:
    harms = (pl.col("_detail") == 0) & (pl.col("by") >= _HARMLESS)
    return groups.with_columns(severity=pl.when(harms).then(pl.lit("warning")).otherwise("severity"))


def _late(evidence: Evidence, rows: Ints, slack: Ints) -> pl.DataFrame:
    """Report what ends after its parent, but for messages, which nobody is thought to wait for."""
    waited = (evidence.kind[rows] != CONSUMER) & (evidence.kind[evidence.parent[rows]] != PRODUCER)
    rows, slack = rows[waited], slack[waited]
    above = evidence.parent[rows]
    by = evidence.end[rows] - evidence.end[above]
    return findings_of(
        evidence,
        Symptom(
            "child-outside-parent",
            "info",
            _says_late,
            shown=by > slack,
            rows=rows,
            caller=evidence.service[above],
            callee=evidence.service[rows],
            weight=by,
            figures={"by": by},
        ),
    )


def _says_early(group: Group) -> str:
    by = format_duration(group["by"])
    where = group["detail"].strip("'")
    return f"{group['said_count']} of {group['service']} begin before their parents in {where}, half of them by {by}."


def _says_late(group: Group) -> str:
    by = format_duration(group["by"])
    return (
        f"{group['said_count']} of {group['service']} end after their parents in {group['caller']}, half of them by "
        f"{by} or more: work that nobody waits for."
    )

"""Roots that should not be one: several in a trace, and calls that nobody made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT, CONSUMER, PRODUCER, SERVER
from tracelab.auditing.findings import HOPS, Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.enclosing import NOT_ASKED, enclosing
from tracelab.auditing.measures.some_rows import share_their_id

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

IN_PROCESS: Final = HOPS.index("in-process")
_MOST: Final = 0.8
_FEW: Final = 3


def client_root(evidence: Evidence) -> pl.DataFrame:
    """Find traces that begin with a call, without a span that says what for."""
    roots = np.flatnonzero(evidence.true_root)
    kind = evidence.kind[roots]
    return findings_of(
        evidence,
        Symptom(
            "client-root",
            "info",
            _says_client,
            shown=(kind == CLIENT) | (kind == PRODUCER),
            rows=roots,
            unit="roots",
        ),
    )


def several_roots(evidence: Evidence) -> pl.DataFrame:
    """Find further spans without a parent in a trace that has a root already."""
    roots = np.flatnonzero(evidence.true_root)
    trace = evidence.trace[roots]
    # Places go trace after trace, so that roots of one trace stand together, the first to start first.
    further = np.concatenate(([False], trace[1:] == trace[:-1])) if roots.size else np.zeros(0, dtype=bool)
    if not further.any():
        return nothing()
    extra = roots[further]
    inside = enclosing(evidence, extra)
    inside[_by_accident(evidence, extra, inside)] = -1
    # What was exported twice is one root.
    inside[share_their_id(evidence, extra)] = -1
    rows = np.flatnonzero(evidence.true_root | evidence.crossing)
    above = np.full(evidence.count, -1, dtype=np.int64)
    above[extra] = np.where(inside >= 0, evidence.service[inside], -1)
    shown = np.zeros(evidence.count, dtype=bool)
    shown[extra] = True
    return pl.concat([
        _further(evidence, rows, shown & (above >= 0), above),
        _further(evidence, rows, shown & (above < 0), None),
    ])  # fmt: skip


def _further(evidence: Evidence, rows: Ints, shown: Flags, above: Ints | None) -> pl.DataFrame:
    """Count further roots by edge where another span of their trace encloses them, else by service."""
    if above is None:
        return findings_of(
            evidence,
            Symptom("several-roots", "info", _says_apart, shown=shown[rows], rows=rows, unit="spans that come in"),
        )
    caller = np.where(evidence.crossing, evidence.parent_service, above)[rows]
    return findings_of(
        evidence,
        Symptom(
            "several-roots",
            "warning",
            _says_inside,
            shown=shown[rows],
            rows=rows,
            caller=caller,
            callee=evidence.service[rows],
            hop=np.where(caller == evidence.service[rows], IN_PROCESS, evidence.hops(rows)),
            unit="spans that come in",
            judge=_mild_if_few,
        ),
    )


def _mild_if_few(groups: pl.DataFrame) -> pl.DataFrame:
    """Make mild what one span or two show: only their times say where they ran, and may do so by chance."""
    mild = pl.col("count") < _FEW
    return groups.with_columns(severity=pl.when(mild).then(pl.lit("info")).otherwise("severity"))


def _by_accident(evidence: Evidence, extra: Ints, inside: Ints) -> Flags:
    """Mark the roots that lie in another span by accident, as those of unrelated traces do that share an id.

    They are requests that come into the service that the trace began in, or most of their service lie in no other span.
    """
    service = evidence.service[extra]
    there = np.where(inside >= 0, evidence.service[inside], -1)
    again = (there == service) & evidence.of_kinds(extra, SERVER, CONSUMER)
    contained = np.bincount(service[inside >= 0], minlength=evidence.services.len())
    asked = np.bincount(service[inside > NOT_ASKED], minlength=evidence.services.len())
    accident: Flags = again | (contained < _MOST * asked)[service]
    return accident


def _says_client(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['service']} are calls: no span says on whose behalf they are made, as with "
        f"browsers, jobs and health checks."
    )


def _says_inside(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['callee']} have no parent, though they ran inside of a span of "
        f"{group['caller']} that is in the same trace: the trace id was handed on, the parent's id was not."
    )


def _says_apart(group: Group) -> str:
    return (
        f"{group['said_count']} of {group['service']} have no parent in a trace that has another root, and ran "
        f"inside of no other span of it."
    )

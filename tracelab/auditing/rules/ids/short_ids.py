"""Trace ids of 64 bits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.trace_ids import bytes_of_trace_ids, first_spans

if TYPE_CHECKING:
    from tracelab.array_types import Flags
    from tracelab.auditing.evidence import Evidence

_HALF: Final = 8


def short_trace_id(evidence: Evidence) -> pl.DataFrame:
    """Find trace ids whose upper half is zero: senders of B3 and old Jaeger clients make such, and cut others to it.

    They are harmless where there are no others; OpenTelemetry's SDKs make none. Small numbers are no such ids: their
    lower half would be random.
    """
    number, held = bytes_of_trace_ids(evidence)
    # Of random bytes the first two are seldom zero.
    short: Flags = (held[:, :_HALF].max(axis=1, initial=0) == 0) & (
        held[:, _HALF : _HALF + 2].max(axis=1, initial=0) > 0
    )
    if not short.any():
        return nothing()
    rows = first_spans(evidence)[number]
    mixed = not short.all()
    return findings_of(
        evidence,
        Symptom(
            "short-trace-id",
            "warning",
            _says_mixed if mixed else _says_all,
            shown=short,
            rows=rows,
            service=evidence.service[rows],
            unit="traces",
            judge=None if mixed else partial(_judged, evidence),
        ),
    )


def _judged(evidence: Evidence, groups: pl.DataFrame) -> pl.DataFrame:
    by_others = [evidence.language(service) is None for service in groups["service_name"]]
    return groups.with_columns(severity=pl.when(pl.Series(by_others)).then(pl.lit("info")).otherwise("severity"))


def _says_mixed(group: Group) -> str:
    return f"{group['said_count']} begun by {group['service']} have ids of 64 bits, while others have 128."


def _says_all(group: Group) -> str:
    return f"{group['said_count']} begun by {group['service']} have ids of 64 bits, as all traces here."

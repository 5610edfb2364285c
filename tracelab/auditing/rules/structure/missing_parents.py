"""Spans whose parent was never received."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelab.auditing.findings import Group, Symptom, findings_of

if TYPE_CHECKING:
    import polars as pl

    from tracelab.auditing.evidence import Evidence


def missing_parent(evidence: Evidence) -> pl.DataFrame:
    """Find spans that name a parent which is not in their trace."""
    return findings_of(
        evidence,
        Symptom(
            "missing-parent",
            "warning",
            _says,
            shown=evidence.orphan,
            service=evidence.service,
            weight=evidence.duration,
        ),
    )


def _says(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} name a parent that is not in their trace."

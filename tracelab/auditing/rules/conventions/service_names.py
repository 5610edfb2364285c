"""Spans that do not say which service made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelab.auditing.conventions.levels import UNKNOWN_SERVICE
from tracelab.auditing.findings import Group, Symptom, findings_of, nothing

if TYPE_CHECKING:
    import polars as pl

    from tracelab.auditing.evidence import Evidence


def missing_service_name(evidence: Evidence) -> pl.DataFrame:
    """Find spans whose service has no name, or the one that SDKs make up."""
    names = evidence.services
    unnamed = (names.str.strip_chars().eq("") | names.str.contains(UNKNOWN_SERVICE)).to_numpy()
    if not unnamed.any():
        return nothing()
    # Where nothing is said of any resource, and nobody has a name, the format may be what has no place for it.
    told = not unnamed.all() or any(name.startswith("resource.") for name in evidence.attributes)
    return findings_of(
        evidence,
        Symptom(
            "missing-service-name",
            "error" if told else "info",
            _says,
            shown=unnamed[evidence.service],
        ),
    )


def _says(group: Group) -> str:
    return f"{group['said_count']} have no `service.name`: they stand under {group['service']}."

"""Attributes of resources on spans, and attributes of spans on resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.auditing.conventions.levels import RESOURCE_MOSTLY
from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.levels import marks_of, on_resources, on_spans

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.findings import Severity, Words


def attribute_at_wrong_level(evidence: Evidence) -> pl.DataFrame:
    """Find attributes that describe a resource and stand on spans, or the other way round."""
    return pl.concat(
        [
            nothing(),
            _found(evidence, "span", on_spans(evidence), "warning", _says_on_spans),
            _found(evidence, "span", on_spans(evidence, RESOURCE_MOSTLY), "info", _says_on_spans),
            _found(evidence, "resource", on_resources(evidence), "warning", _says_on_resource),
        ]
    )


def _found(evidence: Evidence, scope: str, names: list[str], severity: Severity, says: Words) -> pl.DataFrame:
    if not names:
        return nothing()
    marks = marks_of(evidence, scope, names)
    shown = marks.select(pl.any_horizontal(pl.all())).to_series()
    if not shown.any():
        return nothing()
    marks = marks.with_columns(_service=pl.Series(evidence.service)).filter(shown)
    told = marks.group_by("_service").agg(pl.col(name).any() for name in names)
    listed = [", ".join(name for name in names if row[name]) for row in told.iter_rows(named=True)]
    table = told.select("_service", names=pl.Series(listed, dtype=pl.String))
    return findings_of(
        evidence,
        Symptom(
            "attribute-at-wrong-level",
            severity,
            says,
            shown=shown.to_numpy(),
            judge=lambda groups: groups.join(table, on="_service", how="left", maintain_order="left"),
        ),
    )


def _says_on_spans(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} carry what belongs to the resource: {group['names']}."


def _says_on_resource(group: Group) -> str:
    return f"The resource of {group['service']} carries what belongs to single spans: {group['names']}."

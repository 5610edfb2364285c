"""Attributes of resources on spans, and attributes of spans on resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.auditing.conventions.levels import RESOURCE_MOSTLY, RESOURCE_ONLY, SPAN_ONLY
from tracelab.auditing.findings import Group, Symptom, findings_of, nothing

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.findings import Severity, Words


def attribute_at_wrong_level(evidence: Evidence) -> pl.DataFrame:
    """Find attributes that describe a resource and stand on spans, or the other way round."""
    known = evidence.attributes
    on_spans = [name for name in sorted(RESOURCE_ONLY) if f"span.{name}" in known]
    perhaps = [name for name in sorted(RESOURCE_MOSTLY) if f"span.{name}" in known]
    on_resources = sorted(
        name.removeprefix("resource.")
        for name in known
        if name.startswith(tuple(f"resource.{key}" for key in SPAN_ONLY))
    )
    return pl.concat(
        [
            nothing(),
            _found(evidence, "span", on_spans, "warning", _says_on_spans),
            _found(evidence, "span", perhaps, "info", _says_on_spans),
            _found(evidence, "resource", on_resources, "warning", _says_on_resource),
        ]
    )


def _found(evidence: Evidence, scope: str, names: list[str], severity: Severity, says: Words) -> pl.DataFrame:
    if not names:
        return nothing()
    marks = pl.DataFrame([evidence.carries(f"{scope}.{name}").alias(name) for name in names])
    if scope == "span":
        # Formats without resources (Zipkin's, rows of CSV) have but one level: nothing stands wrong there.
        marks = marks.with_columns(pl.all() & _described(evidence))
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


def _described(evidence: Evidence) -> pl.Series:
    """Mark the spans that have a resource of their own."""
    names = [name for name in evidence.attributes if name.startswith("resource.")]
    if not names:
        return pl.repeat(value=False, n=evidence.count, dtype=pl.Boolean, eager=True)
    marks = pl.DataFrame([evidence.carries(name).alias(name) for name in names])
    return marks.select(pl.any_horizontal(pl.all())).to_series()


def _says_on_spans(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} carry what belongs to the resource: {group['names']}."


def _says_on_resource(group: Group) -> str:
    return f"The resource of {group['service']} carries what belongs to single spans: {group['names']}."

"""Which spans have attributes at the wrong level, and where that can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.auditing.conventions.levels import RESOURCE_ONLY, SPAN_ONLY

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracelab.array_types import Flags
    from tracelab.auditing.evidence import Evidence


def on_spans(evidence: Evidence, keys: Collection[str] = RESOURCE_ONLY) -> list[str]:
    """List the attributes of resources that any span has of its own."""
    return [key for key in sorted(keys) if f"span.{key}" in evidence.attributes]


def on_resources(evidence: Evidence) -> list[str]:
    """List the attributes of spans that any resource has."""
    begins = tuple(f"resource.{key}" for key in SPAN_ONLY)
    return sorted(name.removeprefix("resource.") for name in evidence.attributes if name.startswith(begins))


def marks_of(evidence: Evidence, scope: str, keys: Collection[str]) -> pl.DataFrame:
    """Mark the spans that carry each of some misplaced attributes.

    Formats without resources (Zipkin's, rows of CSV) have but one level: nothing stands wrong there.
    """
    marks = pl.DataFrame([evidence.carries(f"{scope}.{key}").alias(key) for key in keys])
    return marks.with_columns(pl.all() & has_resource(evidence)) if scope == "span" and keys else marks


def has_resource(evidence: Evidence) -> pl.Series:
    """Mark the spans that have a resource of their own."""
    names = [name for name in evidence.attributes if name.startswith("resource.")]
    return _any(evidence, pl.DataFrame([evidence.carries(name).alias(name) for name in names]))


def misplaced(evidence: Evidence) -> tuple[Flags, Flags]:
    """Mark the spans with attributes at the wrong level, and those of which that can be told."""
    wrong = _any(evidence, marks_of(evidence, "span", on_spans(evidence))) | _any(
        evidence, marks_of(evidence, "resource", on_resources(evidence))
    )
    return wrong.to_numpy(), has_resource(evidence).to_numpy()


def _any(evidence: Evidence, marks: pl.DataFrame) -> pl.Series:
    if not marks.width:
        return pl.repeat(value=False, n=evidence.count, dtype=pl.Boolean, eager=True)
    return marks.select(pl.any_horizontal(pl.all())).to_series()

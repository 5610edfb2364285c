"""Spans that are below themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tracelab.auditing.findings import Group, Symptom, Words, findings_of, nothing

if TYPE_CHECKING:
    from tracelab.array_types import Flags
    from tracelab.auditing.evidence import Evidence


def span_cycle(evidence: Evidence) -> pl.DataFrame:
    """Find spans that name themselves, or a span below them, as their parent."""
    cut = evidence.on_cut_cycle
    if not cut.any():
        return nothing()
    rows = np.flatnonzero(evidence.named_parent)
    ids, named = evidence.frame["span_id"].gather(rows), evidence.frame["parent_span_id"].gather(rows)
    own = (ids == named).to_numpy()

    def found(shown: Flags, says: Words) -> pl.DataFrame:
        return findings_of(
            evidence, Symptom("span-cycle", "error", says, shown=shown, rows=rows, unit="spans with a parent")
        )

    return pl.concat([found(cut[rows] & own, _says_own), found(cut[rows] & ~own, _says_ring)])


def _says_own(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} name themselves as their parent."


def _says_ring(group: Group) -> str:
    return f"{group['said_count']} of {group['service']} name a span below them as their parent."

"""Attributes and links of a few spans, without a look at all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.schema import attribute_value

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence
    from tracelab.forest import Flags, Ints

_SHARED: Final = 10
"""So many roots are not those of one request."""


def texts_at(evidence: Evidence, rows: Ints, *keys: str) -> pl.Series:
    """Read the first of these attributes (with their scope) that each of some spans has; null where it has none."""
    found: pl.Series | None = None
    for key in keys:
        if not evidence.knows(key):
            continue
        column = key if key in evidence.frame.columns else "more_attributes"
        text = evidence.frame[column].gather(rows)
        if column != key or text.dtype != pl.String:
            text = text.to_frame().select(attribute_value(key)).to_series()
        if text.null_count() == text.len():
            continue
        found = text if found is None else pl.select(pl.coalesce(found, text)).to_series()
        if not found.null_count():
            break
    return pl.repeat(None, rows.size, dtype=pl.String, eager=True) if found is None else found


def has_links(evidence: Evidence, rows: Ints) -> Flags:
    """Mark those of some spans that have links."""
    links: Flags = (evidence.frame["links"].gather(rows).list.len().fill_null(0) > 0).to_numpy()
    return links


def share_their_id(evidence: Evidence, rows: Ints) -> Flags:
    """Mark those of some spans whose id another span of their trace has as well."""
    if not rows.size:
        return np.zeros(0, dtype=bool)
    there = np.zeros(int(evidence.trace.max()) + 1, dtype=bool)
    there[evidence.trace[rows]] = True
    among = np.flatnonzero(there[evidence.trace])
    ids = pl.DataFrame({"trace": evidence.trace[among], "span_id": evidence.frame["span_id"].gather(among)})
    shared: Flags = ids.is_duplicated().to_numpy()[np.searchsorted(among, rows)]
    return shared


def children_of(evidence: Evidence, rows: Ints) -> Ints:
    """List the spans whose parent is one of some spans."""
    above = np.zeros(evidence.count, dtype=bool)
    above[rows] = True
    return np.flatnonzero((evidence.parent >= 0) & above[evidence.parent])


def own_traces(evidence: Evidence) -> Ints:
    """Give numbers to traces so that what only shares a trace's id by mistake, with many others, is told apart."""
    return evidence.kept("own traces", lambda: _own_traces(evidence))


def _own_traces(evidence: Evidence) -> Ints:
    trace = evidence.trace
    roots = np.bincount(trace[evidence.true_root], minlength=1)
    if roots.max() < _SHARED:
        return trace
    shared = np.zeros(int(trace.max()) + 1, dtype=bool)
    shared[: roots.size] = roots >= _SHARED
    return np.where(shared[trace], int(trace.max()) + 1 + evidence.forest.root, trace)

"""Attributes and links of a few spans, without a look at all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.schema import attribute_value

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

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
    among = np.flatnonzero(in_traces_of(evidence, rows))
    shared: Flags = _ids(evidence, among).is_duplicated().to_numpy()[np.searchsorted(among, rows)]
    return shared


def share_their_id_with(evidence: Evidence, rows: Ints, *kinds: int) -> Flags:
    """Mark those of some spans whose id a span of these kinds, which none of them has, bears in their trace."""
    if not rows.size:
        return np.zeros(0, dtype=bool)
    among = np.flatnonzero(in_traces_of(evidence, rows))
    others = _ids(evidence, among[evidence.of_kinds(among, *kinds)]).unique().with_columns(borne=True)
    asked = _ids(evidence, rows).join(others, on=["trace", "span_id"], how="left", maintain_order="left")
    shared: Flags = asked["borne"].fill_null(value=False).to_numpy()
    return shared


def in_traces_of(evidence: Evidence, rows: Ints) -> Flags:
    """Mark all spans of the traces of some spans."""
    there = np.zeros(int(evidence.trace.max()) + 1, dtype=bool)
    there[evidence.trace[rows]] = True
    marked: Flags = there[evidence.trace]
    return marked


def _ids(evidence: Evidence, rows: Ints) -> pl.DataFrame:
    return pl.DataFrame({"trace": evidence.trace[rows], "span_id": evidence.frame["span_id"].gather(rows)})


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

"""Spans that are missing because the dump begins or ends in the middle of their trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.explanations.exposures import Window
from tracelab.auditing.measures.requests import requests_of

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.explanations.exposures import Exposures

_LONG: Final = 0.95
_WIDEST: Final = 0.2
"""How much of the dump an end of it is at most."""

_SELDOM: Final = 1 / 3
_BINS: Final = 10


def cut_by_window(evidence: Evidence, exposures: Exposures) -> Flags:
    """Mark those missing near the ends of the dump, where far fewer are missing in between."""
    found = np.zeros(exposures.rows.size, dtype=bool)
    first, last = _extents(evidence)
    window = Window.of(evidence)
    rooted = np.zeros(first.size, dtype=bool)
    request = requests_of(evidence)
    rooted[request[evidence.true_root]] = True
    known = last >= first
    lengths = (last - first)[rooted if rooted.any() else known]
    reach = min(int(np.quantile(lengths, _LONG)), int(_WIDEST * (window.last - window.first)))
    there = exposures.request
    head = first[there] <= window.first + reach
    tail = last[there] >= window.last - reach
    near = head | tail
    # A root that is there started within the dump, and so did all that it called.
    could = exposures.absent & ((head & ~rooted[there]) | tail)
    if not could.any():
        return found
    edges = exposures.hidden * evidence.services.len() + evidence.service[exposures.rows]
    # Sorted, the rows of an edge lie side by side, so that many edges need no look at all rows each.
    by_edge = np.argsort(edges, kind="stable")
    wanted = np.unique(edges[could & (exposures.hidden >= 0)])
    begins = np.searchsorted(edges[by_edge], wanted)
    ends = np.searchsorted(edges[by_edge], wanted, "right")
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        here = by_edge[begin:end]
        at_ends = exposures.absent[here][near[here]].mean()
        if _usual_share(exposures, here[~near[here]]) <= _SELDOM * at_ends:
            found[here] = could[here]
    return found


def _usual_share(exposures: Exposures, rows: Ints) -> float:
    """Give the share of those missing in the middle, in the median of stretches of time."""
    if not rows.size:
        return 1.0
    rows = rows[np.argsort(exposures.time[rows], kind="stable")]
    parts = np.array_split(exposures.absent[rows], min(_BINS, rows.size))
    return float(np.median([part.mean() for part in parts]))


def _extents(evidence: Evidence) -> tuple[Ints, Ints]:
    """Give the first start and the last end of every request; the last is before the first where there is none."""
    request = requests_of(evidence)
    # Places go trace after trace, so that most often nothing is to be sorted.
    in_order = bool((request[1:] >= request[:-1]).all())
    order = slice(None) if in_order else np.argsort(request, kind="stable")
    sorted_request = request[order]
    begins = np.flatnonzero(np.concatenate(([True], sorted_request[1:] != sorted_request[:-1])))
    first = np.zeros(int(sorted_request[-1]) + 1, dtype=np.int64)
    last = np.full(first.size, -1, dtype=np.int64)
    first[sorted_request[begins]] = np.minimum.reduceat(evidence.start[order], begins)
    last[sorted_request[begins]] = np.maximum.reduceat(evidence.end[order], begins)
    return first, last

"""Which spans belong to one request, also where many requests share one trace id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_FEWEST: Final = 3
"""How many roots of the service that began a trace make it one of many requests."""


def requests_of(evidence: Evidence) -> Ints:
    """Give every span the number of its request: of its trace or, where ids are used again, of the root before it."""
    return evidence.kept("requests", lambda: _requests(evidence))


def _requests(evidence: Evidence) -> Ints:
    trace = evidence.trace
    again = _shared(evidence)
    if not again.any():
        return trace
    rows = np.flatnonzero(again[trace])
    root = evidence.true_root[rows]
    order = np.lexsort((~root, evidence.start[rows], trace[rows]))
    rows, root = rows[order], root[order]
    begins = root | np.concatenate(([True], trace[rows][1:] != trace[rows][:-1]))
    number = trace.copy()
    number[rows] = again.size + np.cumsum(begins)
    return number


def _shared(evidence: Evidence) -> Flags:
    """Mark the traces that hold several requests: their first root is one of many of its service."""
    traces = int(evidence.trace.max(initial=-1)) + 1
    roots = np.flatnonzero(evidence.true_root)
    if not roots.size or np.bincount(evidence.trace[roots]).max() < _FEWEST:
        return np.zeros(traces, dtype=bool)
    first = np.full(traces, -1, dtype=np.int64)
    first[evidence.trace[roots[::-1]]] = evidence.service[roots[::-1]]
    alike = evidence.service[roots] == first[evidence.trace[roots]]
    shared: Flags = np.bincount(evidence.trace[roots[alike]], minlength=traces) >= _FEWEST
    return shared

"""Inside of which span of its trace a span ran, where no id says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

NOT_ASKED: Final = -2
_PAIRS: Final = 4_000_000
"""How many pairs of a span and one of its trace are compared at most: what is beyond is not asked about."""


def enclosing(evidence: Evidence, rows: Ints, *, among: Flags | None = None) -> Ints:
    """Find the shortest span that encloses each of these spans in time, in its trace and outside of its fragment.

    Parameters
    ----------
    evidence
        The spans.
    rows
        Places of the spans that are asked about.
    among
        Which spans may enclose them; without, any.

    Returns
    -------
    The place of the span around each one; -1 where there is none, -2 where there were too many to compare.
    """
    trace = evidence.trace
    if not rows.size:
        return rows
    first = np.searchsorted(trace, trace[rows], "left")
    sizes = np.searchsorted(trace, trace[rows], "right") - first
    result = np.full(rows.size, NOT_ASKED, dtype=np.int64)
    asked = _some_of_all(sizes)
    sizes, first = sizes[asked], first[asked]
    owner = np.repeat(np.arange(asked.size), sizes)
    starts = np.cumsum(sizes) - sizes
    other = first[owner] + np.arange(owner.size) - starts[owner]
    one = rows[asked][owner]
    around = (evidence.start[other] <= evidence.start[one]) & (evidence.end[other] >= evidence.end[one])
    around &= evidence.forest.root[other] != evidence.forest.root[one]
    if among is not None:
        around &= among[other]
    owner, other = owner[around], other[around]
    order = np.lexsort((-evidence.forest.depth[other], evidence.duration[other], owner))
    owner, other = owner[order], other[order]
    shortest = np.concatenate(([True], owner[1:] != owner[:-1])) if owner.size else np.zeros(0, dtype=bool)
    found = np.full(asked.size, -1, dtype=np.int64)
    found[owner[shortest]] = other[shortest]
    result[asked] = found
    return result


def _some_of_all(sizes: Ints) -> Ints:
    """Choose which rows can be asked about: all, or so many, spread evenly over all, that the pairs stay in bounds."""
    everybody = np.arange(sizes.size)
    total = int(sizes.sum())
    if total <= _PAIRS:
        return everybody
    every = -(-total // _PAIRS)
    chosen = everybody[::every]
    return chosen[np.cumsum(sizes[chosen]) <= _PAIRS]

"""The structural operators: who is whose ancestor, parent or sibling, asked for many spans at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.forest import has_ancestor, numbered

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.forest import Forest

_OPPOSITE: Final = {">>": "<<", "<<": ">>", ">": "<", "<": ">", "~": "~"}


def related(forest: Forest, operator: str, left: Flags, right: Flags, groups: Ints | None) -> Flags:
    """Answer `L operator R` for every group of spans: mark the spans of the result.

    Parameters
    ----------
    forest
        The trees.
    operator
        One of `> < >> << ~`, or one of these behind `!` or `&`.
    left, right
        Marks the spans of the two sides.
    groups
        Numbers the spansets; relations hold within one. None where each trace is one.
    """
    sign = operator.lstrip("!&")
    rooted = (left, right) if forest.rootless is None else (left & ~forest.rootless, right & ~forest.rootless)
    hits = np.zeros(left.size, dtype=bool)
    rows = np.flatnonzero(rooted[0]), np.flatnonzero(rooted[1])
    hits[_hits(forest, sign, rows[0], rows[1], groups)] = True
    if operator.startswith("!"):
        return right & ~hits
    if operator.startswith("&"):
        hits[_hits(forest, _OPPOSITE[sign], rows[1], rows[0], groups)] = True
    return hits


def has_descendant(rows: Ints, descendants: Ints, left: Ints, right: Ints) -> Ints:
    """Pick the rows that enclose one of the descendants."""
    starts = np.sort(left[descendants])
    inside = np.searchsorted(starts, right[rows], "left") > np.searchsorted(starts, left[rows], "right")
    return rows[inside]


def _hits(forest: Forest, sign: str, left: Ints, right: Ints, groups: Ints | None) -> Ints:
    """Pick the rows of the right side that have what the operator asks for on the left side."""
    if not left.size or not right.size:
        return right[:0]
    if sign in (">>", "<<"):
        start, end = _shifted(forest, groups)
        if sign == ">>":
            return has_ancestor(right, left, start, end)
        return has_descendant(right, left, start, end)
    if sign == ">":
        found = forest.parents_among(right, left)
        related_rows, parents = right[found >= 0], found[found >= 0]
        return related_rows if groups is None else related_rows[groups[related_rows] == groups[parents]]
    if sign == "<":
        found = forest.parents_among(left, right)
        children, parents = left[found >= 0], found[found >= 0]
        return parents if groups is None else parents[groups[children] == groups[parents]]
    return _siblings(forest, left, right, groups)


def _shifted(forest: Forest, groups: Ints | None) -> tuple[Ints, Ints]:
    """Move the intervals of each group to a place of their own, so that none encloses one of another group."""
    if groups is None:
        return forest.left, forest.right
    shift = groups * (int(forest.right.max(initial=0)) + 1)
    return forest.left + shift, forest.right + shift


def _siblings(forest: Forest, left: Ints, right: Ints, groups: Ints | None) -> Ints:
    """Pick the rows of the right side that share their parent with another row of the left side."""
    is_left = np.zeros(forest.left.size, dtype=bool)
    is_left[left] = True
    either = is_left.copy()
    either[right] = True
    rows = np.flatnonzero(either)
    numbers = _families(forest, rows)
    if groups is not None:
        numbers = numbers + (groups[rows] - groups.min()) * (int(numbers.max()) + 1)
    if numbers.max() > 4 * forest.left.size + 1024:
        numbers = np.unique(numbers, return_inverse=True)[1]
    families = np.zeros(forest.left.size, dtype=np.int64)
    families[rows] = numbers
    counts = np.bincount(families[left], minlength=int(numbers.max()) + 1)
    return right[counts[families[right]] > is_left[right]]


def _families(forest: Forest, rows: Ints) -> Ints:
    """Give each row its parent's number: all roots of a trace are siblings."""
    count = forest.left.size
    parents = forest.parents_among(rows, np.arange(count))
    families = np.where(forest.depth[rows] == 0, count + forest.trace[rows], parents)
    lost = np.flatnonzero((families < 0) & (forest.depth[rows] > 0))
    if lost.size:  # the parent was filtered out of the frame, so its id must do
        named = forest.frame[rows[lost]].select(pl.col("trace_id") + " " + pl.col("parent_span_id")).to_series()
        families[lost] = 2 * count + 1 + numbered(named)
    return families

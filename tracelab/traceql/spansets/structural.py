"""Who is whose ancestor, parent or sibling: the nested set, asked for many spans at once.

Everything works on whole columns of the interval that each span spans. Intervals either enclose each other or are
disjoint, so an ancestor is an interval around another, found with a sort and a binary search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

TREE_INPUTS: Final = ("trace_id", "parent_span_id", "depth", "tree_left", "tree_right")
"""The columns that a `Forest` is made of."""

_OPPOSITE: Final = {">>": "<<", "<<": ">>", ">": "<", "<": ">", "~": "~"}


@dataclass
class Forest:
    """The trees of a frame, one item per row; rows may be in any order and some may be missing.

    Attributes
    ----------
    frame
        The columns `TREE_INPUTS`.
    """

    frame: pl.DataFrame

    @cached_property
    def left(self) -> Ints:
        return self._column("tree_left")

    @cached_property
    def right(self) -> Ints:
        return self._column("tree_right")

    @cached_property
    def depth(self) -> Ints:
        return self._column("depth")

    @cached_property
    def in_order(self) -> bool:
        """Tell whether the rows come in tree order."""
        return bool(np.all(self.left[1:] > self.left[:-1]))

    @cached_property
    def trace(self) -> Ints:
        """Number the traces."""
        trace_id = self.frame["trace_id"]
        if self.in_order:  # in tree order the spans of a trace stand together
            return trace_id.rle_id().cast(pl.Int64).to_numpy()
        return codes(trace_id)

    @cached_property
    def rootless(self) -> Flags | None:
        """Mark the spans under a parent that is missing (or where a cycle was cut); None if there are none."""
        tops = self.frame.select((pl.col("depth") == 0) & pl.col("parent_span_id").is_not_null()).to_series()
        orphans = tops.arg_true().cast(pl.Int64).to_numpy()
        if not orphans.size:
            return None
        marks = np.zeros(self.left.size, dtype=bool)
        everybody = np.arange(self.left.size)
        marks[has_ancestor(everybody, orphans, self.left, self.right)] = True
        marks[orphans] = True
        return marks

    @cached_property
    def parents(self) -> Ints:
        """Find everybody's parent; -1 where it is not in the frame."""
        return parents_among(self, np.arange(self.left.size), np.arange(self.left.size))

    def _column(self, name: str) -> Ints:
        return self.frame[name].cast(pl.Int64).to_numpy()


def codes(values: pl.Series) -> Ints:
    """Give every different value of a text column a number, from 0; null is -1."""
    categorical = values.cast(pl.Categorical(pl.Categories.random()))
    return categorical.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()


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


def has_ancestor(rows: Ints, ancestors: Ints, left: Ints, right: Ints) -> Ints:
    """Pick the rows that lie within (and not at) one of the ancestors."""
    if not ancestors.size:
        return ancestors
    starts = left[ancestors]
    if not np.all(starts[1:] > starts[:-1]):
        order = np.argsort(starts)
        ancestors, starts = ancestors[order], starts[order]
    furthest = np.maximum.accumulate(right[ancestors])
    before = np.searchsorted(starts, left[rows], "left")
    inside = (before > 0) & (furthest[before - 1] > right[rows])
    return rows[inside]


def has_descendant(rows: Ints, descendants: Ints, left: Ints, right: Ints) -> Ints:
    """Pick the rows that enclose one of the descendants."""
    starts = np.sort(left[descendants])
    inside = np.searchsorted(starts, right[rows], "left") > np.searchsorted(starts, left[rows], "right")
    return rows[inside]


def parents_among(forest: Forest, rows: Ints, candidates: Ints) -> Ints:
    """Find each row's parent among the candidates; -1 where it is not there.

    The parent is the last span before, in tree order, that lies one level higher, if it encloses the row.
    """
    if not candidates.size:
        return np.full(rows.size, -1)
    span = int(forest.right.max(initial=0)) + 1
    candidates = candidates[_by_depth(forest, candidates)]
    keys = forest.depth[candidates] * span + forest.left[candidates]
    # Looked up in the order of the keys, the search stays within the processor's cache.
    order = _by_depth(forest, rows)
    asked = rows[order]
    place = np.searchsorted(keys, (forest.depth[asked] - 1) * span + forest.left[asked], "left") - 1
    found = candidates[np.maximum(place, 0)]
    fits = (place >= 0) & (forest.depth[found] == forest.depth[asked] - 1) & (forest.right[found] > forest.right[asked])
    parents = np.empty_like(rows)
    parents[order] = np.where(fits, found, -1)
    return parents


def _by_depth(forest: Forest, rows: Ints) -> Ints:
    """Sort rows by depth, then place in the tree; of a frame in tree order a radix sort of the depths is enough."""
    depth = forest.depth[rows]
    if forest.in_order and depth.max(initial=0) < 2**16:
        return np.argsort(depth.astype(np.uint16), kind="stable").astype(np.int64)
    return np.lexsort((forest.left[rows], depth))


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
        found = parents_among(forest, right, left)
        related_rows, parents = right[found >= 0], found[found >= 0]
        return related_rows if groups is None else related_rows[groups[related_rows] == groups[parents]]
    if sign == "<":
        found = parents_among(forest, left, right)
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
    parents = parents_among(forest, rows, np.arange(count))
    families = np.where(forest.depth[rows] == 0, count + forest.trace[rows], parents)
    lost = np.flatnonzero((families < 0) & (forest.depth[rows] > 0))
    if lost.size:  # the parent was filtered out of the frame, so its id must do
        named = forest.frame[rows[lost]].select(pl.col("trace_id") + " " + pl.col("parent_span_id")).to_series()
        families[lost] = 2 * count + 1 + codes(named)
    return families

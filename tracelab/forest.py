"""The trees of a frame's spans as integer arrays: what every answer about structure is computed on.

A span is an interval of the nested set. Intervals either enclose each other or are disjoint, so an ancestor is an
interval around another, found with a sort and a binary search. `Forest.of` takes the rows of a frame as they stand: in
any order, and some may be missing.

`build_forest` puts the spans into *places*: fragment after fragment, and inside a fragment depth first with children by
start, so that the descendants of a span are the places right behind it. Questions about ancestors and descendants
become sums over ranges, and no step needs more than a few passes over whole columns, however deep or wide a trace is.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.schema import TREE_COLUMNS
from tracelab.tree import IDENTITY, build_tree

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints

NOBODY: Final = -1
FOREST_COLUMNS: Final = ("trace_id", "parent_span_id", "depth", "tree_left", "tree_right")
"""The columns that a forest is made of."""

_NESTED_SET: Final = ("tree_left", "tree_right", "depth")
_WORTH_A_THREAD: Final = 20_000
"""So many rows take longer than to start a thread."""


@dataclass(frozen=True)
class Forest:
    """The trees of a frame; every array has one item per row.

    `root`, `size`, `siblings`, `batches` and `between` are only for forests whose spans stand in places.

    Attributes
    ----------
    frame
        The spans, with `trace_id` and `parent_span_id`.
    left, right, depth
        The nested set.
    known_parents
        What `parent` is, if somebody has found out already.
    changes
        Mark the rows of another trace than the row before, if somebody has found out already; for frames in tree order.
    """

    frame: pl.DataFrame
    left: Ints
    right: Ints
    depth: Ints
    known_parents: Ints | None = field(default=None, repr=False)
    changes: Flags | None = field(default=None, repr=False)

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Forest:
        """Read the nested set of a frame as it stands."""
        left, right, depth = (frame[name].to_numpy().astype(np.int64) for name in _NESTED_SET)
        return cls(frame, left, right, depth)

    @cached_property
    def in_order(self) -> bool:
        """Tell whether the rows come in tree order."""
        return bool(np.all(self.left[1:] > self.left[:-1]))

    @cached_property
    def is_whole(self) -> bool:
        """Tell whether the rows come in tree order, and every tree that is there with all its spans."""
        if not self.depth.size:
            return True
        roots = np.flatnonzero(self.depth == 0)
        if not roots.size or roots[0] != 0 or not self.in_order:
            return False
        counts = np.diff(roots, append=self.depth.size)
        within = self.left[roots + counts - 1] <= self.right[roots]
        return bool(np.all(within & ((self.right[roots] - self.left[roots] + 1) // 2 == counts)))

    @cached_property
    def parent(self) -> Ints:
        """Row of the parent; -1 where it is not in the frame."""
        if self.known_parents is not None:
            return self.known_parents
        if self.is_whole:
            return _parents_of_whole(self.depth)
        everybody = np.arange(self.depth.size)
        return self.parents_among(everybody, everybody)

    @property
    def has_parent(self) -> Flags:
        """True but at the roots of fragments."""
        return self.parent >= 0

    @cached_property
    def trace(self) -> Ints:
        """Number the traces."""
        if self.changes is not None:
            return np.cumsum(self.changes)
        trace_id = self.frame["trace_id"]
        if self.in_order:  # in tree order the spans of a trace stand together
            return trace_id.rle_id().cast(pl.Int64).to_numpy()
        return numbered(trace_id)

    @cached_property
    def rootless(self) -> Flags | None:
        """Mark the spans under a parent that was never received (or where a cycle was cut); None if there are none."""
        tops = (self.depth == 0) & self.frame["parent_span_id"].is_not_null().to_numpy()
        return self.below(tops) if tops.any() else None

    @cached_property
    def root(self) -> Ints:
        """Place of the root of the fragment."""
        roots = np.flatnonzero(~self.has_parent)
        return np.repeat(roots, np.diff(roots, append=self.depth.size))

    @cached_property
    def size(self) -> Ints:
        """How many spans the subtree has, the span itself included."""
        return (self.right - self.left + 1) >> 1

    def broken_off(self, kept: Flags) -> Flags:
        """Mark the rows that are kept, and whose parent is there and is not kept."""
        found = kept & self.has_parent
        found[found] = ~kept[self.parent[found]]
        return found

    def below(self, marked: Flags) -> Flags:
        """Mark every span that is marked itself or has a marked ancestor."""
        if not marked.any():
            return marked
        rows = np.flatnonzero(marked)
        if not self.is_whole:
            result = marked.copy()
            result[has_ancestor(np.arange(marked.size), rows, self.left, self.right)] = True
            return result
        steps = np.zeros(marked.size + 1, dtype=np.int64)
        steps[rows] = 1
        steps -= np.bincount(rows + self.size[rows], minlength=steps.size)
        return np.cumsum(steps[:-1]) > 0

    def parents_among(self, rows: Ints, candidates: Ints) -> Ints:
        """Find each row's parent among the candidates; -1 where it is not there.

        The parent is the last span before, in tree order, that lies one level higher, if it encloses the row.
        """
        if not candidates.size:
            return np.full(rows.size, NOBODY)
        span = int(self.right.max(initial=0)) + 1
        candidates = candidates[self._by_depth(candidates)]
        keys = self.depth[candidates] * span + self.left[candidates]
        # Looked up in the order of the keys, the search stays within the processor's cache.
        order = self._by_depth(rows)
        asked = rows[order]
        place = np.searchsorted(keys, (self.depth[asked] - 1) * span + self.left[asked], "left") - 1
        found = candidates[np.maximum(place, 0)]
        fits = (place >= 0) & (self.depth[found] == self.depth[asked] - 1) & (self.right[found] > self.right[asked])
        parents = np.empty_like(rows)
        parents[order] = np.where(fits, found, NOBODY)
        return parents

    def siblings(self) -> Ints:
        """List the spans that have a parent so that siblings stand together, in their order."""
        order = _by_number(self.depth)
        return order[self.parent[order] >= 0]

    def batches(self, size: int) -> list[tuple[int, int]]:
        """Cut the places into ranges of whole fragments, of about `size` places each; at least one."""
        roots = np.flatnonzero(~self.has_parent)
        next_roots = np.unique(np.searchsorted(roots, np.arange(size, self.depth.size, size)))
        cuts = roots[next_roots[next_roots < roots.size]]
        return list(pairwise([0, *cuts.tolist(), self.depth.size]))

    def between(self, low: int, high: int) -> Forest:
        """Give the forest of a range of whole fragments, whose places count from 0."""
        if high - low == self.depth.size:
            return self
        part = slice(low, high)
        parent = self.parent[part]
        parent = np.where(parent >= 0, parent - low, NOBODY)
        return Forest(self.frame[part], self.left[part], self.right[part], self.depth[part], parent)

    def _by_depth(self, rows: Ints) -> Ints:
        """Sort rows by depth, then place in the tree; rows of a frame in tree order must ascend."""
        depth = self.depth[rows]
        return _by_number(depth) if self.in_order else np.lexsort((self.left[rows], depth))


def build_forest(spans: pl.DataFrame | pl.LazyFrame, *columns: str | pl.Expr) -> tuple[pl.DataFrame, Forest]:
    """Put the spans into their places.

    The tree columns of the frame are used where they hold; where they are missing, or two frames were put together
    without computing them anew, the tree is built from the ids. A span whose parent is not in the frame is the root of
    its own fragment.

    Parameters
    ----------
    spans
        The spans.
    columns
        Further columns that the caller needs, or expressions for them.

    Returns
    -------
    The frame with a row per place (the columns that identify a span and those asked for), and its forest.
    """
    frame = _collected(spans, columns)
    if set(_NESTED_SET) <= set(frame.columns):
        if not frame["tree_left"].is_sorted():
            frame = frame.sort("tree_left")
        forest = Forest.of(frame)
        if forest.in_order:
            placed = _whole(forest) if forest.is_whole else _compacted(forest)
            if placed is not None:
                return placed.frame, placed
    tree = build_tree(frame)
    numbers = {"depth": tree.depth, "tree_left": tree.left, "tree_right": tree.right}
    rebuilt = frame.with_columns(pl.Series(name, values, dtype=pl.UInt32) for name, values in numbers.items())
    rebuilt = rebuilt.sort("tree_left")
    return rebuilt, Forest.of(rebuilt)


def cut_cycles(frame: pl.DataFrame, forest: Forest) -> Flags:
    """Mark the places at which a cycle was cut: each names a span below it, or itself, as its parent."""
    found: Flags = ~forest.has_parent & frame["parent_span_id"].is_not_null().to_numpy()
    if not found.any():
        return found
    top = forest.root
    rows = np.flatnonzero(found[top])
    ids, named = frame["span_id"].gather(rows), frame["parent_span_id"].gather(top[rows])
    cut = np.zeros(found.size, dtype=bool)
    cut[top[rows[(ids == named).to_numpy()]]] = True
    return cut


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


def numbered(values: pl.Series) -> Ints:
    """Give every different value of a text column a number, from 0; null is -1."""
    categorical = values.cast(pl.Categorical(pl.Categories.random()))
    return categorical.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()


def _collected(spans: pl.DataFrame | pl.LazyFrame, columns: tuple[str | pl.Expr, ...]) -> pl.DataFrame:
    names = [*IDENTITY, *(column for column in columns if isinstance(column, str))]
    there = spans.columns if isinstance(spans, pl.DataFrame) else spans.collect_schema().names()
    tree = [name for name in TREE_COLUMNS if name in there]
    made = [column for column in columns if isinstance(column, pl.Expr)]
    chosen = spans.select(*dict.fromkeys([*names, *tree]), *made)
    if isinstance(chosen, pl.LazyFrame):
        chosen = chosen.collect(engine="streaming")
    return chosen.rechunk()


def _whole(forest: Forest) -> Forest | None:
    """Take a forest as it is where no span is missing.

    None if a fragment has spans of more than one trace, as it may where frames were put together without care.
    """
    # To compare the ids takes as long as a third of all else, and can be done meanwhile; in a thread of Python's, since
    # polars 2.1 aborts the program where an interruption drops what it collects in the background.
    if forest.frame.height < _WORTH_A_THREAD:
        parent, changes = _parents_of_whole(forest.depth), _changes(forest.frame)
    else:
        with ThreadPoolExecutor(1) as thread:
            comparing = thread.submit(_changes, forest.frame)
            parent = _parents_of_whole(forest.depth)
            changes = comparing.result()
    if np.any(changes & (forest.depth > 0)):
        return None
    return Forest(forest.frame, forest.left, forest.right, forest.depth, parent, changes)


def _compacted(forest: Forest) -> Forest | None:
    """Put fragments together where spans between them are missing; None as for `_whole`."""
    root = _roots(forest.parent)
    order = _by_number(root)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    parent = np.where(forest.parent[order] >= 0, place[forest.parent[order]], NOBODY)
    root = place[root[order]]
    depth = forest.depth[order]
    depth = depth - depth[root]
    # A span is entered when `place` spans have been entered and all of them but its ancestors left again.
    left = 2 * np.arange(order.size) - depth + 1
    right = left + 2 * _sizes(forest.left[order], forest.right[order], root) - 1
    frame = forest.frame[order]
    changes = _changes(frame)
    if np.any(changes & (parent >= 0)):
        return None
    return Forest(frame, left, right, depth, parent, changes)


def _changes(frame: pl.DataFrame) -> Flags:
    """Tell of each row whether it is of another trace than the one before it."""
    ids = pl.col("trace_id")
    return frame.select((ids != ids.shift(1)).fill_null(value=False)).to_series().to_numpy()


def _parents_of_whole(depth: Ints) -> Ints:
    """Find parents from depths in depth-first order.

    A first child directly follows its parent. Among the spans of one depth siblings stand together, so the others have
    the parent of the span before them in that list.
    """
    order = _by_number(depth)
    deeper = np.empty(depth.size, dtype=bool)
    deeper[1:] = depth[1:] > depth[:-1]
    first = deeper[order]
    first[: np.count_nonzero(depth == 0)] = True
    families = np.flatnonzero(first)
    parent = np.empty_like(order)
    parent[order] = np.repeat(order[families] - 1, np.diff(families, append=depth.size))
    parent[depth == 0] = NOBODY
    return parent


def _roots(parent: Ints) -> Ints:
    """Follow parents to the root of the fragment, twice as far in every round."""
    jump = np.where(parent >= 0, parent, np.arange(parent.size))
    while True:
        further = jump[jump]
        if np.array_equal(further, jump):
            return jump
        jump = further


def _sizes(left: Ints, right: Ints, root: Ints) -> Ints:
    """Count the spans of each subtree; a fragment's intervals are moved clear of those of the fragment before."""
    fragment = np.cumsum(np.concatenate(([False], root[1:] != root[:-1]))) if root.size else root
    room = int(right.max(initial=0)) + 1
    return np.searchsorted(fragment * room + left, fragment * room + right, side="right") - np.arange(left.size)


def _by_number(values: Ints) -> Ints:
    """Sort small numbers stably; numpy counts 16-bit numbers instead of comparing them."""
    small = values.astype(np.uint16) if values.size and values.max() < 2**16 else values
    return np.argsort(small, kind="stable").astype(np.int64, copy=False)

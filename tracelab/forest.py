"""The trees of a frame's spans as integer arrays: what every answer about structure is computed on.

Spans stand in *places*: fragment after fragment, and inside a fragment depth first with children by start, so that the
descendants of a span are the places right behind it. Questions about ancestors and descendants become sums over ranges,
and no step needs more than a few passes over whole columns, however deep or wide a trace is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.schema import TREE_COLUMNS
from tracelab.tree import IDENTITY, build_tree

Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

NOBODY: Final = -1
_NESTED_SET: Final = ("depth", "tree_left", "tree_right")


@dataclass(frozen=True)
class Forest:
    """The fragments of a frame; every array has one item per place.

    Attributes
    ----------
    parent
        Place of the parent; -1 at the root of a fragment.
    depth
        Steps from the root of the fragment.
    width
        How far the end of the interval of the nested set is from its start: twice the size, less one.
    """

    parent: Ints
    depth: Ints
    width: Ints

    @cached_property
    def root(self) -> Ints:
        """Place of the root of the fragment."""
        roots = np.flatnonzero(~self.has_parent)
        return np.repeat(roots, np.diff(roots, append=self.parent.size))

    @cached_property
    def size(self) -> Ints:
        """How many spans the subtree has, the span itself included."""
        return (self.width + 1) >> 1

    @property
    def has_parent(self) -> Flags:
        """True but at the roots of fragments."""
        return self.parent >= 0

    def below(self, marked: Flags) -> Flags:
        """Mark every span that is marked itself or has a marked ancestor."""
        if not marked.any():
            return marked
        places = np.flatnonzero(marked)
        steps = np.zeros(marked.size + 1, dtype=np.int64)
        steps[places] = 1
        steps -= np.bincount(places + self.size[places], minlength=steps.size)
        return np.cumsum(steps[:-1]) > 0

    def batches(self, size: int) -> list[tuple[int, int]]:
        """Cut the places into ranges of whole fragments, of about `size` places each; at least one."""
        roots = np.flatnonzero(~self.has_parent)
        next_roots = np.unique(np.searchsorted(roots, np.arange(size, self.parent.size, size)))
        cuts = roots[next_roots[next_roots < roots.size]]
        return list(pairwise([0, *cuts.tolist(), self.parent.size]))

    def between(self, low: int, high: int) -> Forest:
        """Give the forest of a range of whole fragments, whose places count from 0."""
        if high - low == self.parent.size:
            return self
        part = slice(low, high)
        parent = self.parent[part]
        return Forest(np.where(parent >= 0, parent - low, NOBODY), self.depth[part], self.width[part])

    def siblings(self) -> Ints:
        """List the spans that have a parent so that siblings stand together, in their order."""
        order = _by_number(self.depth)
        return order[self.parent[order] >= 0]


def plant(spans: pl.DataFrame | pl.LazyFrame, *columns: str | pl.Expr) -> tuple[pl.DataFrame, Forest]:
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
        left = frame["tree_left"].to_numpy()
        if not np.any(left[1:] == left[:-1]):
            planted = _by_nested_set(frame)
            if planted is not None:
                return planted
    tree = build_tree(frame)
    numbers = {"depth": tree.depth, "tree_left": tree.left, "tree_right": tree.right}
    rebuilt = frame.with_columns(pl.Series(name, values, dtype=pl.UInt32) for name, values in numbers.items())
    rebuilt = rebuilt.sort("tree_left")
    return rebuilt, _whole_forest(*_numbers(rebuilt))


def _collected(spans: pl.DataFrame | pl.LazyFrame, columns: tuple[str | pl.Expr, ...]) -> pl.DataFrame:
    names = [*IDENTITY, *(column for column in columns if isinstance(column, str))]
    there = spans.lazy().collect_schema().names()
    tree = [name for name in TREE_COLUMNS if name in there]
    made = [column for column in columns if isinstance(column, pl.Expr)]
    chosen = spans.select(*dict.fromkeys([*names, *tree]), *made)
    if isinstance(chosen, pl.LazyFrame):
        chosen = chosen.collect(engine="streaming")
    return chosen.rechunk()


def _numbers(frame: pl.DataFrame) -> tuple[Ints, Ints, Ints]:
    """Give the nested set: left, right and depth."""
    left, right, depth = (frame[name].to_numpy().astype(np.int64) for name in ("tree_left", "tree_right", "depth"))
    return left, right, depth


def _by_nested_set(frame: pl.DataFrame) -> tuple[pl.DataFrame, Forest] | None:
    """Read the forest from the tree columns of a frame that is sorted by `tree_left`.

    None if a fragment has spans of more than one trace, as it may where frames were put together without care.
    """
    left, right, depth = _numbers(frame)
    elsewhere = pl.col("trace_id") != pl.col("trace_id").shift(1)
    if _is_whole(left, right, depth):
        # To compare the ids takes as long as a third of all else, and can be done meanwhile.
        mixed = frame.lazy().select((elsewhere & (pl.col("depth") > 0)).any()).collect(background=True)
        forest = _whole_forest(left, right, depth)
        return None if mixed.fetch_blocking().item() else (frame, forest)
    parent = _nearest_parents(right, depth)
    root = _roots(parent)
    order = _by_number(root)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    parent = np.where(parent[order] >= 0, place[parent[order]], NOBODY)
    root = place[root[order]]
    left, right, depth = left[order], right[order], depth[order]
    forest = Forest(parent, depth - depth[root], 2 * _sizes(left, right, root) - 1)
    frame = frame[order]
    if np.any(frame.select(elsewhere.fill_null(value=False)).to_series().to_numpy() & forest.has_parent):
        return None
    return frame, forest


def _whole_forest(left: Ints, right: Ints, depth: Ints) -> Forest:
    """Read the forest where no span is missing."""
    return Forest(_parents_of_whole(depth), depth, right - left)


def _is_whole(left: Ints, right: Ints, depth: Ints) -> bool:
    """Tell whether every tree that is there is there with all its spans."""
    roots = np.flatnonzero(depth == 0)
    if not depth.size:
        return True
    if not roots.size or roots[0] != 0:
        return False
    counts = np.diff(roots, append=depth.size)
    within = left[roots + counts - 1] <= right[roots]
    return bool(np.all(within & ((right[roots] - left[roots] + 1) // 2 == counts)))


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


def _nearest_parents(right: Ints, depth: Ints) -> Ints:
    """Find parents where spans are missing: the last span of the level above, if it encloses this one."""
    order = _by_number(depth)
    keys = depth[order] * depth.size + order
    found = np.searchsorted(keys, (depth - 1) * depth.size + np.arange(depth.size)) - 1
    above = order[np.maximum(found, 0)]
    encloses = (found >= 0) & (depth[above] == depth - 1) & (right[above] > right)
    return np.where(encloses, above, NOBODY)


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

"""Laws of the nested set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import span_frames
from tracelab.conforming import conform, with_tree
from tracelab.tree import build_tree

if TYPE_CHECKING:
    import polars as pl


@given(span_frames())
def test_intervals_enclose_descendants_and_nothing_else(spans: pl.DataFrame) -> None:
    tree = build_tree(spans)
    rows = range(spans.height)
    for inner in rows:
        ancestors, at = set(), int(tree.parent[inner])
        while at >= 0:
            ancestors.add(at)
            at = int(tree.parent[at])
        enclosing = {r for r in rows if tree.left[r] < tree.left[inner] and tree.right[inner] < tree.right[r]}
        assert enclosing == ancestors
        assert tree.depth[inner] == len(ancestors)


@given(span_frames())
def test_the_counter_uses_every_number_once(spans: pl.DataFrame) -> None:
    tree = build_tree(spans)
    assert sorted([*tree.left, *tree.right]) == list(range(1, 2 * spans.height + 1))


@given(span_frames(), st.randoms(use_true_random=False))
def test_shuffling_rows_changes_no_tree(spans: pl.DataFrame, random: object) -> None:
    order = list(range(spans.height))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert with_tree(spans[order]).sort("tree_left").equals(with_tree(spans).sort("tree_left"))


@given(span_frames())
def test_conforming_twice_changes_nothing(spans: pl.DataFrame) -> None:
    assert conform(conform(spans)).equals(conform(spans))

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import span_frames
from tracelab.conforming import conform
from tracelab.forest import Forest, build_forest
from tracelab.synthetic import draw
from tracelab.tree import parent_index

if TYPE_CHECKING:
    import random


@given(span_frames(cycles=False), st.randoms(use_true_random=False), st.floats(0.3, 1))
def test_a_forest_has_the_parents_that_are_there(spans: pl.DataFrame, chance: random.Random, share: float) -> None:
    rows = chance.sample(range(spans.height), max(1, int(spans.height * share)))
    frame, forest = build_forest(spans[rows])
    assert forest.parent.tolist() == parent_index(frame.with_columns(kind=pl.lit("internal"))).tolist()
    for place, parent in enumerate(forest.parent.tolist()):
        assert forest.depth[place] == (0 if parent < 0 else forest.depth[parent] + 1)
        assert forest.root[place] == (place if parent < 0 else forest.root[parent])
        below = range(place, place + int(forest.size[place]))
        inside = [at for at in range(frame.height) if _is_below(forest.parent.tolist(), at, place)]
        assert inside == list(below)


def _is_below(parent: list[int], at: int, above: int) -> bool:
    while at != above and at >= 0:
        at = parent[at]
    return at == above


@given(span_frames(cycles=False), st.randoms(use_true_random=False), st.floats(0.3, 1))
def test_a_forest_of_rows_in_any_order_is_that_of_their_places(
    spans: pl.DataFrame, chance: random.Random, share: float
) -> None:
    rows = chance.sample(range(spans.height), max(1, int(spans.height * share)))
    placed, forest = build_forest(conform(spans)[rows].with_row_index("row"), "row")
    asked = Forest.of(placed.sort("row"))
    parents = [asked.parent[row] for row in placed["row"]]
    assert [placed["row"][at] if at >= 0 else -1 for at in forest.parent.tolist()] == parents
    marked = np.array([chance.random() < 0.3 for _ in rows], dtype=bool)
    if asked.is_whole:
        assert placed["row"].is_sorted()
    # A span whose parent is missing still is below those of its ancestors that are there.
    below, within = asked.below(marked), forest.below(marked[placed["row"].to_numpy()])
    assert not (within & ~below[placed["row"].to_numpy()]).any()


def test_a_forest_knows_who_is_below_whom_where_spans_between_are_missing() -> None:
    spans = draw("""
        a      ====
          b    .==
            c  .=
        e      =
    """)
    forest = Forest.of(spans.filter(pl.col("name") != "b").reverse())
    assert not forest.is_whole
    assert forest.parent.tolist() == [-1, -1, -1]
    assert forest.below(np.array([False, False, True])).tolist() == [False, True, True]


def test_below_marks_all_that_hangs_on_a_mark() -> None:
    frame, forest = build_forest(
        draw("""
        a      ====
          b    .==
            c  .=
          d    ...=
        e      =
    """)
    )
    assert forest.below((frame["name"] == "b").to_numpy()).tolist() == [False, True, True, False, False]
    assert not forest.below(np.zeros(5, dtype=bool)).any()


def test_spans_are_broken_off_where_they_are_kept_and_their_parents_are_not() -> None:
    spans = draw("""
    a  =====
      b  .===
        c  ..=
      d  ...=
    """)
    frame, forest = build_forest(spans, "name")
    kept = frame["name"].is_in(["a", "c", "d"]).to_numpy()
    assert frame.filter(pl.Series(forest.broken_off(kept)))["name"].to_list() == ["c"]
    assert not Forest.of(spans.clear()).broken_off(np.zeros(0, dtype=np.bool_)).size


INTERRUPTED = """
import os, signal, threading, time
from tracelab.forest import build_forest
from tracelab.synthetic import generate

spans = generate(300_000, seed=1)
build_forest(spans)
for number in range(60):
    try:
        try:
            timer = threading.Timer(number / 4_000, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            build_forest(spans)
            timer.join()
            time.sleep(0.02)
        except KeyboardInterrupt:
            time.sleep(0.01)
    except KeyboardInterrupt:  # polars and Python may both speak of one signal
        pass
print(build_forest(spans)[0].height)
"""


def test_an_interruption_ends_it_and_not_the_program() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "300000\n"), done.stderr

"""Spans are put together by trace, however a frame has them."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import span_frames
from tracelab.sampling.tail.groups import Groups, trace_groups

FRAMES = span_frames(max_traces=5, max_spans=6)


def by_trace(groups: Groups) -> dict[str, set[str]]:
    rows = np.arange(groups.places) if groups.rows is None else groups.rows
    ends = groups.starts + groups.sizes
    names = groups.frame["trace_id"].to_list()
    found = {}
    for start, end in zip(groups.starts, ends, strict=True):
        (trace,) = {names[row] for row in rows[start:end]}
        assert trace not in found
        found[trace] = {groups.frame["span_id"][int(row)] for row in rows[start:end]}
    return found


def expected(frame: pl.DataFrame) -> dict[str, set[str]]:
    return {trace: set(spans) for trace, spans in frame.group_by("trace_id").agg("span_id").iter_rows()}


@given(FRAMES, st.randoms(), st.integers(0, 30))
def test_groups_are_the_traces_of_any_part_of_a_frame_in_any_order(
    frame: pl.DataFrame, chance: object, count: int
) -> None:
    rows = list(range(frame.height))
    in_order = frame.sort("tree_left")
    assert by_trace(trace_groups(in_order)) == expected(frame)
    chance.shuffle(rows)  # type: ignore[attr-defined]
    shuffled = frame[rows]
    assert by_trace(trace_groups(shuffled)) == expected(frame)
    some = in_order.filter(
        pl.Series([row % 31 != count and row % 3 != count for row in range(frame.height)], dtype=pl.Boolean)
    )
    assert by_trace(trace_groups(some)) == expected(some)


@given(FRAMES, st.lists(st.booleans(), min_size=30, max_size=30))
def test_what_is_asked_of_groups_is_what_polars_says(frame: pl.DataFrame, flags: list[bool]) -> None:
    spans = frame.with_columns(flag=pl.Series([flags[row % 30] for row in range(frame.height)]))
    groups = trace_groups(spans)
    lengths = spans["duration"].to_physical().to_numpy()
    found = pl.DataFrame(
        {
            "trace_id": spans["trace_id"].gather(pl.Series(groups.first_rows)),
            "any": groups.any(spans["flag"].to_numpy()),
            "least": groups.least(lengths),
            "most": groups.most(lengths),
            "size": groups.sizes,
        }
    )
    told = spans.group_by("trace_id").agg(
        any=pl.col("flag").any(),
        least=pl.col("duration").min().to_physical(),
        most=pl.col("duration").max().to_physical(),
        size=pl.len().cast(pl.Int64),
    )
    assert found.sort("trace_id").equals(told.sort("trace_id"))
    chosen = groups.only(groups.placed(spans["flag"].to_numpy()))
    assert by_trace(chosen) == expected(spans.filter("flag"))

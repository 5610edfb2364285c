from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tracelab.analysis.timeline import (
    active_spans,
    busy_time,
    folded_path,
    parent_place,
    path_marks,
    shown_rows,
    slowest_traces,
    timeline_path,
    timeline_rows,
    trace_length,
    trace_spans,
)
from tracelab.errors import TracelabError
from tracelab.synthetic import draw

SPANS = draw("""
web::GET /pay     ==========
  web::render     .=
  bank::charge    ..======!
    bank::ledger  ...==
  lost
    web::late     .......==
""")
MS = 1_000_000


def the_rows() -> pl.DataFrame:
    return timeline_rows(trace_spans(SPANS, SPANS["trace_id"][0]))


def test_trace_spans_are_in_tree_order_whatever_order_they_came_in() -> None:
    shuffled = SPANS.sample(fraction=1, shuffle=True, seed=3)
    names = ["GET /pay", "render", "charge", "ledger", "late"]
    assert trace_spans(shuffled, SPANS["trace_id"][0])["name"].to_list() == names
    assert trace_spans(shuffled.lazy(), SPANS["trace_id"][0])["name"].to_list() == names


def test_trace_spans_of_frames_put_together_are_one_tree() -> None:
    halves = [SPANS[:2], SPANS[2:]]
    numbered = [half.with_columns(tree_left=pl.lit(1, pl.UInt32), tree_right=pl.lit(2, pl.UInt32)) for half in halves]
    rows = timeline_rows(trace_spans(pl.concat(numbered), SPANS["trace_id"][0]))
    assert rows.select("name", "depth", "below").rows() == [
        ("GET /pay", 0, 3), ("render", 1, 0), ("charge", 1, 1), ("ledger", 2, 0), ("late", 0, 0),
    ]  # fmt: skip


def test_trace_spans_names_near_ids_or_where_to_find_them() -> None:
    with pytest.raises(TracelabError, match=r"Did you mean '0+1'\?"):
        trace_spans(SPANS, SPANS["trace_id"][0][:-1] + "2")
    with pytest.raises(TracelabError, match="holds 1 trace; see trace_summary"):
        trace_spans(SPANS, "zzz")


def test_timeline_rows_say_what_a_row_shows() -> None:
    rows = the_rows()
    assert rows["start"].to_list() == [0, MS, 2 * MS, 3 * MS, 7 * MS]
    assert rows["self_time"].to_list() == [3 * MS, MS, 4 * MS, 2 * MS, 2 * MS]
    assert rows["is_error"].to_list() == [False, False, True, False, False]
    assert rows["fragment"].to_list() == [False, False, False, False, True]
    assert trace_length(rows) == 10 * MS


def test_timeline_rows_of_a_filtered_frame_hang_from_what_is_left() -> None:
    rows = timeline_rows(trace_spans(SPANS.filter(pl.col("name") != "GET /pay"), SPANS["trace_id"][0]))
    assert rows.select("name", "depth", "below").rows()[:3] == [("render", 0, 0), ("charge", 0, 1), ("ledger", 1, 0)]


def test_timeline_path_covers_the_root_to_the_nanosecond() -> None:
    spans = SPANS.with_columns(pl.col("start_time") + pl.duration(nanoseconds=7))
    trace = trace_spans(spans, spans["trace_id"][0])
    sections = timeline_path(trace).filter(pl.col("place") < 4)
    assert sections["start"].min() == 0
    assert sections["length"].sum() == 10 * MS


def test_timeline_path_names_the_row_where_an_id_occurs_twice() -> None:
    spans = draw("""
    web::GET        ==========  kind=client span_id=00000000000000aa
      shop::GET /   .========   kind=server span_id=00000000000000aa
    """)
    sections = timeline_path(trace_spans(spans, spans["trace_id"][0]))
    assert sections.rows() == [(0, 0, MS), (0, 9 * MS, MS), (1, MS, 8 * MS)]


def test_shown_rows_leave_out_what_is_folded_and_count_anew() -> None:
    shown = shown_rows(the_rows(), folded=frozenset({2}))
    assert shown.select("row", "place").rows() == [(0, 0), (1, 1), (2, 2), (3, 4)]
    assert shown_rows(the_rows(), folded=frozenset({0, 2}))["place"].to_list() == [0, 4]
    assert shown_rows(the_rows(), folded=frozenset({4, 99})).height == 5


def test_shown_rows_keep_matches_and_what_leads_to_them() -> None:
    assert shown_rows(the_rows(), text="LEDG")["place"].to_list() == [0, 2, 3]
    assert shown_rows(the_rows(), text="bank")["place"].to_list() == [0, 2, 3]
    assert shown_rows(the_rows(), text="(nothing").is_empty()


def test_path_marks_join_what_an_eye_cannot_tell_apart() -> None:
    sections = pl.DataFrame(
        {"place": [0] * 1000, "start": range(0, 10_000, 10), "length": [5] * 1000},
        schema_overrides={"place": pl.UInt32},
    )
    rows = pl.DataFrame({"place": [0], "row": [3]}, schema={"place": pl.UInt32, "row": pl.UInt32})
    assert path_marks(sections, rows, low=0, high=10_000, steps=100).rows() == [(3, 0, 9_995)]
    near = path_marks(sections, rows, low=1000, high=1100, steps=100)
    assert near["length"].unique().to_list() == [5]
    assert near.height == 11


def test_busy_time_leaves_out_what_runs_all_the_time() -> None:
    assert busy_time(the_rows()) == (MS, 9 * MS)
    assert busy_time(the_rows().head(1)) == (0, 10 * MS)
    assert busy_time(the_rows().head(0)) == (0, 0)


def test_parent_place_finds_the_row_above() -> None:
    assert [parent_place(the_rows(), place) for place in range(5)] == [None, 0, 0, 2, None]


def test_active_spans_count_what_is_open() -> None:
    edges, counts = active_spans(the_rows(), bins=10)
    assert edges == [step * MS for step in range(10)]
    assert counts[0] == 1
    assert max(counts) == 3


def test_slowest_traces_are_in_total_order() -> None:
    spans = draw("""
    a =====

    b =====

    c ==
    """)
    slow = slowest_traces(spans, count=2)
    assert slow["name"].to_list() == ["a", "b"]
    assert slow["spans"].to_list() == [1, 1]


def test_the_slowest_trace_is_meant_where_no_id_is_given() -> None:
    spans = draw("""
    a  ==

    b  =====
    """)
    assert trace_spans(spans)["name"].to_list() == ["b"]
    with pytest.raises(TracelabError, match="no spans to show"):
        trace_spans(spans.clear())


@pytest.mark.parametrize("trace_id", [5, ["x"], b"00"])
def test_an_id_that_is_no_text_is_refused(trace_id: Any) -> None:
    with pytest.raises(TracelabError, match="`trace_id` must be the id of a trace as text"):
        trace_spans(draw("a  =="), trace_id)


def test_rows_say_how_far_a_span_reaches_beyond_its_parent() -> None:
    rows = timeline_rows(
        trace_spans(
            draw("""
            a      ..=====
              b    ..==
                c  .=====
              d    .....======
            """)
        )
    )
    assert rows.select("name", "early", "late").rows() == [
        ("a", 0, 0), ("b", 0, 0), ("c", 1_000_000, 2_000_000), ("d", 0, 4_000_000)
    ]  # fmt: skip


def test_a_fold_keeps_all_of_the_path_and_an_inner_fold_gives_way_to_the_outer() -> None:
    trace = draw("""
    a      ==========
      b    .====
        c  ..==
      d    ......===
        e  ......==
    """)
    rows, sections = timeline_rows(trace), timeline_path(trace)
    length = sections["length"].sum()

    def lengths(*folded: int) -> dict[int, int]:
        path = folded_path(sections, rows, frozenset(folded))
        assert path["length"].sum() == length
        return dict(path.group_by("place").agg(pl.col("length").sum() // 1_000_000).sort("place").rows())

    assert lengths() == {0: 3, 1: 2, 2: 2, 3: 1, 4: 2}
    assert lengths(1) == {0: 3, 1: 4, 3: 1, 4: 2}
    assert lengths(1, 3) == {0: 3, 1: 4, 3: 3}
    assert lengths(0, 1, 3) == {0: 10}


@pytest.mark.parametrize("folded", [(), (0,), (1,), (1, 3), (0, 1, 3), (2, 4)])
def test_rows_that_are_shown_are_those_without_a_folded_ancestor(folded: tuple[int, ...]) -> None:
    rows = timeline_rows(
        draw("""
        a      ==========
          b    .====
            c  ..==
          d    ......===
            e  ......==
        """)
    )
    above = {0: set[int](), 1: {0}, 2: {0, 1}, 3: {0}, 4: {0, 3}}
    expected = [place for place, ancestors in above.items() if not ancestors & set(folded)]
    assert shown_rows(rows, folded=frozenset(folded))["place"].to_list() == expected


@pytest.mark.parametrize("name", ["", " \t\n\u00a0"])
def test_timelines_have_a_placeholder_for_names_that_show_nothing(name: str) -> None:
    spans = SPANS.with_columns(name=pl.lit(name))
    rows = timeline_rows(trace_spans(spans))
    assert rows["name"].unique().to_list() == ["(no name)"]
    assert slowest_traces(spans)["name"].to_list() == ["(no name)"]
    assert shown_rows(rows, text="(no name)").height == rows.height
    rows = timeline_rows(trace_spans(SPANS))
    assert "(no name)" not in rows["name"]

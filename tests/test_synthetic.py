from __future__ import annotations

from datetime import timedelta

import pytest

from tracelab.errors import TracelabError
from tracelab.synthetic import draw, generate


def test_draw_reads_bars_marks_and_attributes() -> None:
    spans = draw("""
    shop::POST /pay   .====!  kind=server n=3 f=1.5 ok=true text="a b" quoted="7"
      wait            ..|
    """)
    first, second = spans.rows(named=True)
    assert (first["service_name"], first["name"], first["kind"], first["status_code"]) == (
        "shop", "POST /pay", "server", "error",
    )  # fmt: skip
    assert first["duration"] == timedelta(milliseconds=4)
    assert second["start_time"] - first["start_time"] == timedelta(milliseconds=1)
    assert second["duration"] == timedelta(0)
    assert (first["span.n"], first["span.f"], first["span.ok"], first["span.text"]) == (3, 1.5, True, "a b")
    assert first["span.quoted"] == "7"


def test_draw_begins_a_trace_at_every_empty_line() -> None:
    spans = draw("""
    a =
    another root =

    b =
    """)
    assert spans["trace_id"].n_unique() == 2
    assert spans["parent_span_id"].null_count() == 3


def test_draw_leaves_out_a_span_without_a_bar_but_not_its_id() -> None:
    spans = draw("""
    lost
      child =
    """)
    assert spans["name"].to_list() == ["child"]
    assert spans["parent_span_id"].item() == "0000000000000001"


@pytest.mark.parametrize("count", [0, 1, 999])
def test_generate_gives_exactly_as_many_spans_as_asked_for(count: int) -> None:
    spans = generate(count)
    assert spans.height == count
    assert spans["tree_left"].is_sorted()


def test_generate_keeps_children_within_their_parents() -> None:
    spans = generate(5000, seed=3)
    pairs = spans.join(
        spans, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], suffix="_parent"
    )
    assert pairs.height == spans["parent_span_id"].len() - spans["parent_span_id"].null_count()
    assert (pairs["start_time"] >= pairs["start_time_parent"]).all()
    assert (pairs["start_time"] + pairs["duration"] <= pairs["start_time_parent"] + pairs["duration_parent"]).all()


def test_generate_has_failures_with_stack_traces() -> None:
    events = generate(20_000).explode("events", empty_as_null=False)["events"].struct.unnest()
    assert events.height > 0
    assert (
        events["attributes"].to_frame().to_series().map.get("exception.stacktrace").str.starts_with("Traceback").all()
    )


def test_draw_refuses_a_line_that_is_no_span() -> None:
    with pytest.raises(TracelabError, match="Line 1"):
        draw("=====")

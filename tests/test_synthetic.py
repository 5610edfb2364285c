from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tracelab.errors import TracelabError
from tracelab.synthetic import draw, generate
from tracelab.workload import shop

if TYPE_CHECKING:
    import numpy as np


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


@pytest.mark.parametrize("picture", [None, 5, b"api =", ["api ="]])
def test_draw_refuses_what_is_no_text(picture: Any) -> None:
    with pytest.raises(TracelabError, match="A drawing is text"):
        draw(picture)


@pytest.mark.parametrize(
    "start", [None, 5, "2026-01-01", datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)]
)
def test_a_start_is_a_datetime_that_spans_can_have(start: Any) -> None:
    with pytest.raises(TracelabError, match="`start` must be"):
        draw("api =", start=start)
    with pytest.raises(TracelabError, match="`start` must be"):
        generate(10, start=start)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": -1}, "`count` must be from 0 to 2147483647, got -1"),
        ({"count": 2.5}, "`count` must be a whole number"),
        ({"count": None}, "`count` must be a whole number"),
        ({"spans_per_trace": 0}, "`spans_per_trace` must be from 1"),
        ({"spans_per_trace": 2.5}, "`spans_per_trace` must be a whole number"),
        ({"seed": -1}, "`seed` must be 0 or more"),
        ({"seed": "x"}, "`seed` must be a whole number"),
        ({"span_of_time": None}, "`span_of_time` must be a length of time"),
        ({"span_of_time": "soon"}, "`span_of_time`: "),
        ({"span_of_time": "1000000h"}, "`span_of_time` must be at most 60 years"),
    ],
)
def test_generate_refuses_what_cannot_be_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TracelabError, match=message):
        generate(**{"count": 10, **options})


def test_generate_grows_no_larger_trees_than_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    grown: list[int] = []
    grow = shop._endpoint

    def counted(rng: np.random.Generator, size: int) -> Any:
        grown.append(size)
        return grow(rng, size)

    monkeypatch.setattr(shop, "_endpoint", counted)
    assert generate(2_000, spans_per_trace=10_000_000)["trace_id"].n_unique() == 1
    assert max(grown) == 2_000

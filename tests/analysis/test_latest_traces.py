from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

import tracelab as tl
from tracelab.analysis.latest_traces import ENOUGH, latest_traces

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def requests(milliseconds: list[int], name: str = "GET /", *, first: int = 0) -> pl.DataFrame:
    """Make a trace of one span for each length, a second apart."""
    numbers = range(first, first + len(milliseconds))
    return tl.conform(
        pl.DataFrame(
            {
                "trace_id": [f"{number + 1:032x}" for number in numbers],
                "span_id": [f"{number + 1:016x}" for number in numbers],
                "name": name,
                "service_name": "web",
                "start_time": [BEGIN + timedelta(seconds=number) for number in numbers],
                "duration": [timedelta(milliseconds=length) for length in milliseconds],
            }
        )
    )


def test_the_latest_come_first_and_no_more_than_asked_for() -> None:
    found = latest_traces(requests([10, 20, 30]), count=2)
    assert [length.total_seconds() for length in found["duration"]] == [0.03, 0.02]


def test_nothing_is_slow_while_few_are_alike() -> None:
    few = latest_traces(requests([*[10] * (ENOUGH - 2), 500]), count=100)
    assert few["alike"].unique().to_list() == [ENOUGH - 1]
    assert not few["slow"].any()
    enough = latest_traces(requests([*[10] * (ENOUGH - 1), 500]), count=100)
    assert enough["slow"].to_list() == [True, *[False] * (ENOUGH - 1)]


def test_a_trace_is_compared_with_those_that_begin_alike() -> None:
    spans = pl.concat([requests([10] * 30), requests([900] * 30, "POST /export", first=30)])
    found = latest_traces(spans, count=60)
    assert not found["slow"].any()
    assert {(row["name"], row["p95"].total_seconds()) for row in found.iter_rows(named=True)} == {
        ("GET /", 0.01),
        ("POST /export", 0.9),
    }


def test_the_p95_is_that_of_all_traces_and_not_of_the_shown_ones() -> None:
    lengths = list(range(1, 101))
    found = latest_traces(requests(lengths), count=1).row(0, named=True)
    assert found["alike"] == 100
    assert found["p95"] == timedelta(milliseconds=95.05)
    assert found["slow"]


def test_no_spans_are_no_traces() -> None:
    assert latest_traces(requests([10]).clear(), count=5).is_empty()

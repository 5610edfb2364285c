"""correct_skew(method="jaeger"): what Jaeger's query service does, held beside its own cases, its output and a walk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracelab as tl
from tests.strategies import span_frames
from tracelab.conforming import conform
from tracelab.schema import DURATION, TIME

if TYPE_CHECKING:
    from pathlib import Path

HOST = "resource.host.name"
CASES = 13


def frame_of(spans: list[dict[str, Any]]) -> pl.DataFrame:
    ids = [f"{span['id']:016x}" for span in spans]
    return conform(
        pl.DataFrame(
            {
                "trace_id": ["1" * 32] * len(spans),
                "span_id": ids,
                "parent_span_id": [f"{span['parent']:016x}" if span["parent"] else None for span in spans],
                "name": "call",
                "start_time": [span["start_ms"] * 1_000_000 for span in spans],
                "duration": [span["duration_ms"] * 1_000_000 for span in spans],
                HOST: [span["host"] for span in spans],
            },
            schema_overrides={"parent_span_id": pl.String(), HOST: pl.String()},
        ).cast({"start_time": TIME, "duration": DURATION})
    )


@pytest.mark.parametrize("number", range(CASES))
def test_the_cases_of_jaeger_itself_come_out_as_there(number: int, shared_cases: Path) -> None:
    cases = json.loads((shared_cases / "clock_skew_cases.json").read_text())
    assert len(cases) == CASES
    case = cases[number]
    spans = frame_of(case["spans"])
    corrected = tl.correct_skew(spans, method="jaeger", max_delta=f"{case['max_adjust_ms']}ms")
    starts = corrected["start_time"].to_physical() // 1_000_000
    assert starts.to_list() == [span["expected_start_ms"] for span in case["spans"]]


def test_a_dump_that_jaeger_has_corrected_comes_out_to_the_microsecond(sample_data: Path) -> None:
    """The API of version 1 told hosts apart by the tag `ip` alone, which nobody sends any more."""
    folder = sample_data / "_slice"
    by_jaeger = tl.read(folder / "shop-slice.jaeger-adjusted.json.gz").select("trace_id", "span_id", his="start_time")
    spans = tl.read(folder / "shop-slice.otlp.jsonl.gz").drop(HOST)
    corrected = tl.correct_skew(spans, method="jaeger")
    both = corrected.join(by_jaeger, on=["trace_id", "span_id"])
    apart = (both["start_time"] - both["his"]).to_physical()
    assert both.height == spans.height == 2_089
    assert apart.is_between(0, 999).all()  # Jaeger keeps microseconds
    assert (corrected["skew_correction"].to_physical() != 0).sum() > 300


def walked(spans: pl.DataFrame, most: int | None) -> list[int]:
    """Correct spans as Jaeger's code does: span by span, down every tree."""
    rows = spans.with_row_index("row").to_dicts()
    of_id: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        of_id.setdefault((row["trace_id"], row["span_id"]), row)
    children: dict[int, list[dict[str, Any]]] = {row["row"]: [] for row in rows}
    roots: list[dict[str, Any]] = []
    for (trace, _), row in of_id.items():
        above = of_id.get((trace, row["parent_span_id"]))
        (roots if above is None else children[above["row"]]).append(row)
    start = spans["start_time"].to_physical().to_list()
    length = spans["duration"].to_physical().to_list()
    todo: list[tuple[dict[str, Any], dict[str, Any] | None, int, str]] = [
        (root, None, 0, root[HOST] or "") for root in roots
    ]
    while todo:
        row, above, delta, key = todo.pop()
        place, host = row["row"], row[HOST] or ""
        if above is not None and (host != key or not host):
            up = above["row"]
            room = length[up] - length[place]
            if room < 0:
                delta = max(start[up] - start[place], 0)
            elif start[place] >= start[up] and start[place] <= start[up] + room:
                delta = 0
            else:
                delta = start[up] + room // 2 - start[place]
        if most is None or abs(delta) <= most:
            start[place] += delta
        todo.extend((child, row, delta, host) for child in children[place])
    return start


@settings(max_examples=120)
@given(data=st.data(), spans=span_frames(max_spans=16), most=st.sampled_from([None, 0, 2, 5]))
def test_a_walk_down_every_tree_gives_the_same(data: st.DataObject, spans: pl.DataFrame, most: int | None) -> None:
    hosts = data.draw(st.lists(st.sampled_from(["a", "b", "", None]), min_size=spans.height, max_size=spans.height))
    placed = spans.with_columns(pl.Series(HOST, hosts, dtype=pl.String))
    limit = None if most is None else f"{most}ns"
    corrected = tl.correct_skew(placed, method="jaeger", max_delta=limit)
    assert corrected["start_time"].to_physical().to_list() == walked(placed, most)


def test_what_it_warns_of_is_noted() -> None:
    spans = frame_of(
        [
            {"id": 1, "parent": 0, "start_ms": 10, "duration_ms": 100, "host": "a"},
            {"id": 2, "parent": 1, "start_ms": 0, "duration_ms": 50, "host": "b"},
            {"id": 3, "parent": 99, "start_ms": 0, "duration_ms": 50, "host": "b"},
            {"id": 4, "parent": 1, "start_ms": 20, "duration_ms": 50, "host": "b"},
            {"id": 4, "parent": 1, "start_ms": 0, "duration_ms": 50, "host": "b"},
            {"id": 5, "parent": 6, "start_ms": 0, "duration_ms": 5, "host": "b"},
            {"id": 6, "parent": 5, "start_ms": 1, "duration_ms": 50, "host": "a"},
        ]
    )
    notes = tl.correct_skew(spans, method="jaeger", max_delta="5ms")["skew_note"]
    assert notes.to_list() == [None, "too_far", "missing_parent", None, "repeated_id", "in_a_cycle", "in_a_cycle"]


@pytest.mark.parametrize(
    ("columns", "apart"),
    [
        ({"resource.host.id": ["x", "x"], HOST: ["a", "b"]}, False),
        ({"resource.host.id": ["", ""], HOST: ["a", "a"]}, True),
        ({"resource.host.id": [7, 7], HOST: ["a", "a"]}, True),
        ({"resource.host.ip": [["10.0.0.1", "::1"], ["10.0.0.1"]], HOST: ["a", "b"]}, False),
        ({"resource.host.ip": [[], []], HOST: ["a", "a"]}, False),
        ({"resource.host.ip": [["10.0.0.1"], ["10.0.0.2"]], HOST: ["a", "a"]}, True),
        ({HOST: [None, None]}, True),
    ],
)
def test_hosts_are_told_apart_as_jaeger_does(columns: dict[str, list[Any]], apart: bool) -> None:
    spans = frame_of(
        [
            {"id": 1, "parent": 0, "start_ms": 10, "duration_ms": 100, "host": None},
            {"id": 2, "parent": 1, "start_ms": 0, "duration_ms": 50, "host": None},
        ]
    ).with_columns(pl.Series(name, values) for name, values in columns.items())
    moved = tl.correct_skew(spans, method="jaeger")["skew_correction"].to_physical() != 0
    assert moved.to_list() == [False, apart]

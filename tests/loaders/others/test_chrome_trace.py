from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import json_reader, load_report, read
from tracelab.loaders.input import cutting

SAMPLES = Path(__file__).parents[1] / "samples"


def event(phase: str, ts: float | None, name: str | None = None, **fields: Any) -> dict[str, Any]:
    content = {"ph": phase, "ts": ts, "name": name, "pid": 1, "tid": 1, **fields}
    return {key: value for key, value in content.items() if value is not None}


def slice_of(name: str, ts: float, dur: float | None, **fields: Any) -> dict[str, Any]:
    return event("X", ts, name, dur=dur, **fields)


def problems_in(content: bytes) -> dict[str, int]:
    found = dict(load_report(content).select("problem", "count").rows())
    return {
        key: count
        for key, count in found.items()
        if key not in ("spans", "times without a date", "processes without a name")
    }


def shape(*events: dict[str, Any]) -> dict[str, str | None]:
    """Read events and tell the parent of each slice, by name."""
    spans = read(compact(list(events)))
    names = dict(spans.select("span_id", "name").rows())
    return {name: names.get(parent) for name, parent in spans.select("name", "parent_span_id").rows()}


def test_slices_become_spans_of_their_process() -> None:
    spans = read(SAMPLES / "chrome-trace.json")
    assert spans.select("name", "service_name", "span.thread.name", "depth", pl.col("links").list.len()).rows() == [
        ("load", "renderer", "main", 0, 0),
        ("dns", "renderer", "main", 1, 0),
        ("task", "renderer", "main", 0, 0),
        ("parse", "renderer", "main", 1, 0),
        ("handle", "renderer", "worker", 0, 1),
        ("decode", "renderer", "worker", 1, 0),
    ]
    assert spans["duration"].dt.total_nanoseconds().to_list() == [600_000, 40_000, 500_000, 100_500, 100_000, 30_000]
    assert spans["start_time"].dt.timestamp("ns")[2] == 1_767_225_600_001_000_125
    row = spans.row(2, named=True)
    assert (row["span.count"], row["span.ratio"], row["span.where"], row["span.cat"]) == (
        3,
        0.5,
        '{"file": "a.js"}',
        "toplevel",
    )
    assert (row["span.thread.id"], row["resource.process.pid"]) == (1, 7)
    assert [each["name"] for each in spans["events"][3]] == ["mark"]
    assert [each["name"] for each in spans["events"][0]] == ["first byte"]
    assert spans["span.bytes"].to_list()[-1] == 64


def test_what_flows_connect_is_one_trace_with_a_link_to_where_the_flow_began() -> None:
    spans = read(SAMPLES / "chrome-trace.json")
    parse, handle = spans.row(3, named=True), spans.row(4, named=True)
    assert [(link["trace_id"], link["span_id"]) for link in handle["links"]] == [(parse["trace_id"], parse["span_id"])]
    assert spans["trace_id"].n_unique() == 2


def test_the_ways_to_write_events_give_one_frame() -> None:
    events = [slice_of("a", 1, 10), slice_of("b", 2, 3), event("B", 4.5, "c", tid=2), event("E", 5.25, tid=2)]
    lines = [json.dumps(each) for each in events]
    spans = read(compact(events))
    assert spans.height == 3
    for content in (
        compact({"traceEvents": events, "displayTimeUnit": "ns"}),
        compact(*events),
        compact([*events, {}]),
        json.dumps({"traceEvents": events}, indent=1).encode(),
        ("[\n" + ",\n".join(lines)).encode(),
        ("[" + ",\n".join(lines) + ",\n").encode(),
        (",\n".join(lines) + ",\n").encode(),
    ):
        assert_frame_equal(read(content), spans)
        assert problems_in(content) == {}


def test_a_large_document_is_cut_and_gives_the_same_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [slice_of(f"s{number}", 10 * number, 5, args={"deep": {"er": number}}) for number in range(200)]
    dump = json.dumps({"otherData": {"profile_start_ts": "1767225600000"}, "traceEvents": events}).encode()
    based = json.dumps({"traceEvents": events, "baseTimeNanoseconds": 1_767_225_600_000_000_000}).encode()
    whole = read(dump)
    assert whole["start_time"].dt.year().unique().to_list() == [2026]
    monkeypatch.setattr(json_reader, "LARGEST", 0)
    monkeypatch.setattr(cutting, "PIECE", 2_000)
    for content in (dump, based):
        assert_frame_equal(read(content), whole)


@pytest.mark.parametrize(
    ("around", "year"),
    [
        ({"baseTimeNanoseconds": 1_767_225_600_000_000_000}, 2026),
        ({"beginningOfTime": 1_767_225_600_000_000}, 2026),
        ({"otherData": {"profile_start_ts": 1_767_225_600_000}}, 2026),
        ({"metadata": {"clock-offset-since-epoch": "1767225600000000"}}, 2026),
        ({"metadata": {"clock-offset-since-epoch": "17"}}, 1970),
        ({}, 1970),
    ],
    ids=["pytorch", "clang", "bazel", "chrome", "nonsense", "none"],
)
def test_times_have_a_date_if_something_says_when_the_clock_began(around: dict[str, Any], year: int) -> None:
    dump = compact({"traceEvents": [slice_of("a", 5, 1)], **around})
    assert read(dump)["start_time"].dt.year().item() == year
    assert ("times without a date" in load_report(dump)["problem"].to_list()) == (year == 1970)


def test_times_that_are_dates_already_are_taken_so_and_counted() -> None:
    dump = compact([slice_of("a", 1_767_225_600_000_000, 1)])
    assert read(dump)["start_time"].dt.year().item() == 2026
    assert problems_in(dump) == {"times taken as since 1970": 1}


def test_microseconds_are_exact_to_the_nanosecond() -> None:
    spans = read(compact([slice_of("a", 123456789012.345, 0.001), slice_of("b", 1767225600000000.2, 3.007, tid=2)]))
    assert spans["start_time"].dt.timestamp("ns").to_list() == [123456789012345, 1767225600000000200]
    assert spans["duration"].dt.total_nanoseconds().to_list() == [1, 3007]
    assert problems_in(compact([slice_of("a", 0.00025, 1)])) == {"times finer than a nanosecond": 1}


def test_complete_slices_nest_by_time_within_their_thread() -> None:
    found = shape(
        slice_of("inner", 2, 3),
        slice_of("outer", 0, 10),
        slice_of("innermost", 3, 1),
        slice_of("after", 10, 5),
        slice_of("zero", 5, 0),
        slice_of("elsewhere", 2, 1, tid=2),
        slice_of("another process", 2, 1, pid=2),
    )
    assert found == {
        "outer": None,
        "inner": "outer",
        "innermost": "inner",
        "zero": "outer",
        "after": None,
        "elsewhere": None,
        "another process": None,
    }


def test_slices_that_overlap_do_not_nest() -> None:
    events = [slice_of("a", 0, 10_000), slice_of("b", 5_000, 10_000), slice_of("c", 6_000, 1_000)]
    assert shape(*events) == {"a": None, "b": None, "c": "b"}
    assert problems_in(compact(events)) == {"slices that overlap but do not nest": 1}


def test_a_microsecond_that_was_cut_off_does_not_part_a_slice_from_its_parent() -> None:
    assert shape(slice_of("a", 100, 9), slice_of("b", 101, 9)) == {"a": None, "b": "a"}
    assert shape(slice_of("a", 100.5, 9), slice_of("b", 101, 9)) == {"a": None, "b": None}


def test_begins_and_ends_nest_as_they_stand_even_in_one_instant() -> None:
    found = shape(
        event("B", 5, "f"), event("E", 5), event("B", 5, "g"), event("B", 5, "h"), event("E", 9), event("E", 9)
    )
    assert found == {"f": None, "g": None, "h": "g"}


def test_begins_without_ends_are_kept_and_ends_without_begins_are_counted() -> None:
    events = [
        event("E", 0, "before"),
        event("B", 1, "a"),
        event("B", 2, "lost"),
        event("B", 3, "b"),
        event("E", 4, "b"),
        event("E", 6, "a"),
        event("B", 7, "open"),
        slice_of("last", 8, 2, tid=1),
    ]
    with pytest.warns(LoadWarning, match="slices that do not end"):
        spans = read(compact(events))
    assert dict(spans.select("name", pl.col("duration").dt.total_microseconds()).rows()) == {
        "a": 5,
        "lost": 4,
        "b": 1,
        "open": 3,
        "last": 2,
    }
    assert problems_in(compact(events)) == {
        "slices that do not end": 2,
        "ends without a begin, events without a time": 1,
    }


def test_asynchronous_slices_are_told_by_category_id_and_scope() -> None:
    def step(phase: str, ts: float, **fields: Any) -> dict[str, Any]:
        return event(phase, ts, "load", **{"cat": "net", "id": 1, **fields})

    spans = read(
        compact(
            [
                step("b", 1),
                step("b", 2, cat="other"),
                step("e", 3, tid=9, pid=5),
                step("e", 5, cat="other"),
                step("b", 6, id=None, id2={"local": 1}),
                step("b", 6, id=None, id2={"local": 1}, pid=2),
                step("e", 7, id=None, id2={"local": 1}, pid=2),
                step("e", 9, id=None, id2={"local": 1}),
            ]
        )
    )
    assert sorted(spans["duration"].dt.total_microseconds().to_list()) == [1, 2, 3, 3]
    assert spans["depth"].to_list() == [0] * 4


def test_asynchronous_events_of_the_old_kind_are_read_with_their_steps() -> None:
    events = [
        event("S", 1, "load", cat="net", id=7),
        event("T", 2, "load", cat="net", id=7, args={"step": "half", "n": 1}),
        event("F", 5, "load", cat="net", id=7, args={"ok": True}),
    ]
    row = read(compact(events)).row(0, named=True)
    assert (row["duration"].microseconds, row["span.ok"]) == (4, True)
    assert [(each["name"], each["attributes"]["n"]) for each in row["events"]] == [("half", "1")]


def test_asynchronous_slices_of_the_old_kind_do_not_nest() -> None:
    events = [event(phase, ts, "load", cat="net", id=7) for ts, phase in enumerate("SSFF")]
    assert read(compact(events))["depth"].to_list() == [0, 0]


def test_an_end_does_not_end_what_has_another_name() -> None:
    events = [event("B", 1, "x"), event("B", 2, "a"), event("E", 3, "a"), event("E", 4, "a"), event("E", 9, "x")]
    with pytest.warns(LoadWarning, match="ends without a begin"):
        spans = read(compact(events))
    assert dict(spans.select("name", pl.col("duration").dt.total_microseconds()).rows()) == {"x": 8, "a": 1}


def linked(*events: dict[str, Any]) -> set[tuple[str, str]]:
    """Read events and tell the links: from which slice to which."""
    spans = read(compact(list(events)))
    names = dict(spans.select("span_id", "name").rows())
    return {(name, names[link["span_id"]]) for name, links in spans.select("name", "links").rows() for link in links}


def test_a_flow_ends_in_the_next_slice_unless_it_says_that_it_is_enclosed() -> None:
    slices = [slice_of("from", 0, 10), slice_of("around", 20, 20, tid=2), slice_of("next", 30, 5, tid=2)]
    start = event("s", 5, "go", id=1, cat="c")
    assert linked(*slices, start, event("f", 25, "go", id=1, cat="c", tid=2)) == {("next", "from")}
    assert linked(*slices, start, event("f", 25, "go", id=1, cat="c", tid=2, bp="e")) == {("around", "from")}
    steps = [event("t", 25, "go", id=1, cat="c", tid=2), event("f", 32, "go", id=1, cat="c", tid=2, bp="e")]
    assert linked(*slices, start, *steps) == {("around", "from"), ("next", "around")}
    assert linked(*slices, start, event("f", 25, "went", id=1, cat="c", tid=2, bp="e")) == {("around", "from")}
    assert linked(*slices, start, event("f", 25, "go", id=2, cat="c", tid=2, bp="e")) == set()


def test_slices_that_are_bound_to_each_other_are_linked() -> None:
    found = linked(
        slice_of("one", 0, 1, bind_id="0x7", flow_out=True),
        slice_of("two", 5, 1, tid=2, bind_id="0x7", flow_in=True, flow_out=True),
        slice_of("three", 9, 1, tid=3, bind_id="0x7", flow_in=True),
    )
    assert found == {("two", "one"), ("three", "two")}
    found = linked(
        slice_of("one", 0, 1, bind_id=7, flow_out=True),
        slice_of("two", 5, 1, tid=2, bind_id=7, flow_in=True),
        slice_of("three", 9, 1, tid=3, bind_id=7, flow_in=True),
    )
    assert found == {("two", "one"), ("three", "one")}


def test_an_instant_outside_of_slices_is_a_span_without_a_duration() -> None:
    events = [slice_of("a", 0, 5), event("i", 3, "within", s="t"), event("I", 9, "lone", s="g", args={"x": 1})]
    spans = read(compact(events))
    assert spans.select("name", pl.col("events").list.len()).rows() == [("a", 1), ("lone", 0)]
    assert problems_in(compact(events)) == {"instants outside of slices": 1}


def test_processes_without_a_name_are_told_apart_by_number() -> None:
    dump = compact([slice_of("a", 1, 1), slice_of("b", 1, 1, pid=2), slice_of("c", 1, 1, pid="gpu", tid="stream 7")])
    spans = read(dump).sort("name")
    assert spans["service_name"].to_list() == ["process 1", "process 2", "gpu"]
    assert spans["span.thread.name"].to_list() == [None, None, "stream 7"]
    assert dict(load_report(dump).select("problem", "count").rows())["processes without a name"] == 2


def test_ids_are_always_the_same_of_the_same_events() -> None:
    dump = compact([slice_of("a", 1, 1), slice_of("b", 2, 1)])
    assert_frame_equal(read(dump), read(dump))
    other = read(compact([slice_of("a", 1, 1), slice_of("b", 2, 2)]))
    assert set(read(dump)["trace_id"]).isdisjoint(other["trace_id"])


def test_a_recording_without_events_is_read() -> None:
    assert read(b'{"traceEvents": [], "displayTimeUnit": "ms"}').is_empty()


def test_one_bad_event_loses_no_other() -> None:
    bad: list[Any] = [
        5,
        {"x": 1},
        {"ph": []},
        slice_of("no dur", 1, None, tid=2),
        {**slice_of("x", 1, 1), "ts": "soon", "name": {"a": 1}, "args": [1], "pid": {}, "tid": [], "cat": [2]},
        {**event("f", 1), "id": {"deep": []}},
        {**event("b", 1, "open"), "id": None},
        event("C", 1, "counter"),
        event("?", 1),
    ]
    dump = compact([slice_of("good", 1, 1), *bad])
    with pytest.warns(LoadWarning):
        spans = read(dump)
    assert set(spans["name"]) == {"good", "no dur", '{"a": 1}', "open"}
    found = problems_in(dump)
    assert (found["objects beside the spans"], found["events that are no slices"]) == (3, 2)


def test_times_beyond_64_bits_are_counted() -> None:
    huge, vast = slice_of("huge", 9e15, 9e15), slice_of("vast", -9_000_000_000_000_000, -9_000_000_000_000_000)
    dump = compact([huge, vast, slice_of("good", 1, 1)])
    with pytest.warns(LoadWarning, match="times that are no times"):
        assert read(dump).height == 3


def test_what_only_resembles_an_event_is_none() -> None:
    with pytest.raises(LoadError, match="without spans"):
        read(b'{"ph": "7", "ts": 5}')


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_hostile_nesting_and_overlaps_take_linear_time() -> None:
    deep = [event("B", number, f"n{number}") for number in range(5_000)]
    wrong = [event("E", 5_000 + number, "other") for number in range(5_000)]
    overlapping = [slice_of("o", number, 10_000, tid=2) for number in range(5_000)]
    assert read(compact([*deep, *wrong, *overlapping])).height == 10_000

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.live.receiver.sending import body, span_id, trace, trace_id
from tests.loaders.dumps import START, attribute, protobuf, request, span
from tracelab.conforming import with_tree
from tracelab.live.receiver.store import Arrived, Store
from tracelab.loaders import read
from tracelab.loaders.pieces import decoded
from tracelab.schema import SPAN_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1 << 20


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store(100_000, 256 * MEGABYTE)
    yield made
    made.close()


def take(store: Store, content: bytes, spans: int = 1) -> None:
    store.take(Arrived(len(content), spans, content))


def same(frame: pl.DataFrame, other: pl.DataFrame) -> None:
    """Assert that two frames hold the same spans, whatever the order of their traces."""
    places = ["tree_left", "tree_right"]
    assert_frame_equal(frame.sort("trace_id", "span_id").drop(places), other.sort("trace_id", "span_id").drop(places))
    anew = with_tree(frame)
    assert_frame_equal(frame.sort("trace_id", "span_id").drop(places), anew.sort("trace_id", "span_id").drop(places))
    assert frame["tree_left"].is_sorted()
    assert frame["tree_left"].n_unique() == frame.height
    sizes = [(each["tree_right"] - each["tree_left"]).to_list() for each in (frame, anew.sort("tree_left"))]
    assert sorted(sizes[0]) == sorted(sizes[1])


def test_an_empty_store_gives_an_empty_span_frame(store: Store) -> None:
    assert store.spans().schema == SPAN_SCHEMA
    assert store.spans().is_empty()


def test_batches_give_the_frame_that_reading_all_at_once_gives(store: Store) -> None:
    bodies = [body(*trace(number, 1 + number % 5), service=f"s{number % 3}") for number in range(40)]
    for content in bodies:
        take(store, content)
        store.spans()
    same(store.spans(), read(b"".join(bodies)))


def test_spans_of_one_trace_in_several_batches_become_one_tree(store: Store) -> None:
    spans = trace(1, 30) + trace(2, 30)
    bodies = [body(*spans[start::7]) for start in range(7)]
    for content in bodies:
        take(store, content)
        store.spans()
    frame = store.spans()
    same(frame, read(b"".join(bodies)))
    assert frame["depth"].max() == 1
    assert frame.filter(depth=0).height == 2
    assert store.counts.traces == 2


def test_values_of_other_types_later_become_text_with_types_as_in_a_single_load(store: Store) -> None:
    values: list[Any] = [
        {"code": 200, "ratio": 1, "tags": ["a"], "sizes": [1, 2], "flag": True, "empty": [], "big": 2**60},
        {"code": 404, "ratio": 0.5, "tags": [1], "sizes": [0.5], "flag": False, "empty": [1], "big": 0.5},
        {"code": "none", "other": "x", "blob": b"\x00\xff", "map": {"a": [1, {"b": 2}]}, "empty": []},
        {"code": 1.5, "tags": [], "flag": "yes", "small": 1e-7},
        {"code": [1], "other": 5, "blob": "text"},
    ]
    bodies = []
    for number, some in enumerate(values):
        attributes = [attribute(key, value) for key, value in some.items()]
        bodies.append(body(*trace(number, 2, attributes=attributes), service=f"s{number}"))
        take(store, bodies[-1])
        store.spans()
    frame = store.spans()
    same(frame, read(b"".join(bodies)))
    assert frame["span.code:type"].unique().sort().to_list() == ["array", "double", "int", "string"]


def test_what_is_sent_twice_is_held_once_whatever_its_attributes_are(store: Store) -> None:
    odd = {"i": 1, "d": 1.5, "s": "x", "b": True, "l": [1, 2], "m": {"k": [1, "a"]}, "y": b"\x01"}
    attributes = [attribute(key, value) for key, value in odd.items()]
    attributes += [{"key": word, "value": {"doubleValue": word}} for word in ("NaN", "Infinity", "-Infinity")]
    events = [{"timeUnixNano": str(START), "name": "e", "attributes": attributes}]
    links = [{"traceId": trace_id(9), "spanId": span_id(9), "attributes": attributes}]
    status = {"code": 2, "message": "m"}
    content = body(*trace(1, 5, attributes=attributes, events=events, links=links, status=status, traceState="a=b"))
    for _ in range(3):
        take(store, content, 5)
        take(store, content, 5)
        assert store.spans().height == 5
    assert store.counts.received == 5
    assert store.counts.duplicates == 25
    # In one batch as in several.
    take(store, body(*trace(2, 4), *trace(2, 4)), 8)
    assert store.spans().height == 9
    assert store.counts.duplicates == 29


def test_spans_that_only_share_their_ids_are_both_held(store: Store) -> None:
    take(store, body(span(name="client", kind=3)))
    take(store, body(span(name="server", kind=2)))
    assert sorted(store.spans()["name"]) == ["client", "server"]


def test_spans_without_ids_are_told_apart_across_batches(store: Store) -> None:
    for number in range(4):
        take(store, body(span(spanId=None, traceId=None, name=f"nameless {number // 2}")))
        store.spans()
    frame = store.spans()
    assert frame.height == 4
    assert frame["span_id"].n_unique() == 4
    assert frame.filter(pl.col("tree_left").is_duplicated()).is_empty()


def test_halves_of_a_trace_id_come_together_across_batches(store: Store) -> None:
    short = "0" * 16 + "8448eb211c80319c"
    take(store, body(span()))
    store.spans()
    take(store, body(span(span_id(5), traceId=short, parentSpanId="b7ad6b7169203331", name="cut")))
    frame = store.spans()
    assert frame["trace_id"].n_unique() == 1
    assert frame["depth"].to_list() == [0, 1]


def test_old_traces_go_first_and_whole_and_are_counted() -> None:
    store = Store(50, 256 * MEGABYTE)
    for number in range(20):
        take(store, body(*trace(number, 10)), 10)
        held = store.spans()
        assert held.height <= 50
        assert held.group_by("trace_id").len()["len"].unique().to_list() == [10]
    assert set(store.spans()["trace_id"]) == {trace_id(number) for number in range(15, 20)}
    counts = store.counts
    assert (counts.received, counts.held, counts.dropped) == (200, 50, 150)
    assert (counts.traces, counts.dropped_traces, counts.traces_received) == (5, 15, 20)
    store.close()


def test_all_at_once_is_bounded_as_well() -> None:
    store = Store(50, 256 * MEGABYTE)
    for number in range(20):
        take(store, body(*trace(number, 10)), 10)
    assert store.spans().height == 50
    assert store.counts.dropped == 150
    store.close()


def test_attributes_that_only_traces_had_that_went_have_no_column() -> None:
    store = Store(10, 256 * MEGABYTE)
    for number in range(3):
        take(store, body(*trace(number, 5, attributes=[attribute(f"key {number}", number)])), 5)
        store.spans()
    assert [name for name in store.spans().columns if name.startswith("span.")] == ["span.key 1", "span.key 2"]
    store.close()


def test_a_trace_that_still_gets_spans_stays() -> None:
    store = Store(50, 256 * MEGABYTE)
    long = trace(1000, 8)
    for number in range(8):
        take(store, body(long[number]))
        take(store, body(*trace(number, 10)), 10)
        store.spans()
    assert store.spans().filter(trace_id=trace_id(1000)).height == 8
    store.close()


def test_among_small_segments_that_became_one_those_that_came_first_go_first() -> None:
    store = Store(100, 256 * MEGABYTE)
    # Times and ids say the contrary of how they come.
    for number in range(30):
        start = str(START - number * 1_000_000_000)
        take(store, body(*trace(500 - number, 5, startTimeUnixNano=start)), 5)
        store.spans()
    assert set(store.spans()["trace_id"]) == {trace_id(500 - number) for number in range(10, 30)}
    store.close()


def test_a_trace_larger_than_what_may_be_held_is_held_from_its_root_on() -> None:
    store = Store(20, 256 * MEGABYTE)
    take(store, body(*trace(1, 500)), 500)
    frame = store.spans()
    assert frame.height == 20
    assert frame["depth"][0] == 0
    assert (store.counts.held, store.counts.dropped) == (20, 480)
    store.close()


def test_few_huge_spans_are_bounded_by_their_bytes() -> None:
    store = Store(1_000_000, 4 * MEGABYTE)
    for number in range(20):
        take(store, body(*trace(number, attributes=[attribute("blob", chr(65 + number) * MEGABYTE)])))
        store.spans()
    assert store.counts.bytes <= 4 * MEGABYTE
    assert 1 <= store.spans().height <= 4
    assert store.counts.dropped == 20 - store.counts.held
    store.close()


def test_a_trace_that_goes_on_for_long_does_not_hold_the_memory_of_those_that_went() -> None:
    store = Store(1_000_000, 8 * MEGABYTE)
    long = trace(1000, 24, attributes=[attribute("blob", "a text too long to stand in its place")])
    for number in range(24):
        blob = [attribute("blob", chr(65 + number) * (MEGABYTE // 2))]
        take(store, body(*trace(number, attributes=blob), long[number]), 2)
        store.spans()
    assert store.spans().filter(trace_id=trace_id(1000)).height == 24
    assert store._segments[-1].bytes < 2 * MEGABYTE
    assert store.counts.bytes == sum(segment.bytes for segment in store._segments) <= 8 * MEGABYTE
    store.close()


def test_keys_without_end_get_no_more_columns_than_a_load_gives(store: Store) -> None:
    for number in range(6):
        some = [attribute(f"key {number} {place}", place) for place in range(400)]
        take(store, body(*trace(number, 2, attributes=some)), 2)
        store.spans()
    frame = store.spans()
    columns = [name for name in frame.columns if name.startswith("span.")]
    assert len(columns) <= 1024
    last = frame.filter(trace_id=trace_id(5))
    found = last.select(pl.col("more_attributes").map.get("span.key 5 399")).to_series()
    assert found.to_list() == ["399", "399"]
    assert not any(name.startswith("span.key 5") for name in columns)


def test_what_cannot_be_decoded_after_all_is_counted_and_the_rest_held(store: Store) -> None:
    take(store, body(*trace(1, 2)), 2)
    take(store, b"\x0a\xff\xff\xff\xff\x0f", 7)
    take(store, body(*trace(2, 2)), 2)
    assert store.spans().height == 4
    assert store.lost == 7


def test_what_cannot_be_held_at_all_leaves_the_store_alive() -> None:
    store = Store(10, 100)
    for number in range(3):
        take(store, body(*trace(number, 3)), 3)
        assert store.spans().is_empty()
    assert store.counts.dropped == 9
    take(store, b"\x0a\x00", 0)
    store.settle()
    assert store._thread.is_alive()
    store.close()


def test_json_beside_what_cannot_be_decoded_is_held(store: Store) -> None:
    content = json.dumps(request(*trace(1, 3, attributes=[attribute("n", 1)]))).encode()
    chunks, found = decoded(content, "request", "otlp-json")
    store.take(Arrived(len(content), 3, chunks=chunks, findings=found.findings))
    # It says that its spans are of a resource that it has not, which shows only where all is put together.
    broken = chunks[0].spans.with_columns(resource=pl.lit(1_000_000, dtype=pl.UInt32))
    store.take(Arrived(1, 5, chunks=[replace(chunks[0], spans=broken)]))
    frame = store.spans()
    assert frame["span.n"].to_list() == [1, 1, 1]
    assert store.lost == 5


def test_there_are_never_many_segments_and_large_ones_stay_as_they_are(store: Store) -> None:
    take(store, body(*trace(1000, 5000)), 5000)
    store.settle()
    first = store._segments[0]
    for number in range(60):
        take(store, body(*trace(number, 3)), 3)
        store.settle()
    assert len(store._segments) < 20
    assert store._segments[0] is first


def test_looking_twice_gives_the_same_frame(store: Store) -> None:
    take(store, body(*trace(1, 3)), 3)
    assert store.spans() is store.spans()


def test_much_that_waits_is_decoded_though_nobody_looks() -> None:
    store = Store(100_000, 256 * MEGABYTE)
    content = protobuf(request(*(one for number in range(200) for one in trace(number, 100))))
    for _ in range(4):
        take(store, content, 20_000)
    end = time.monotonic() + 20
    while store.counts.received < 20_000 and time.monotonic() < end:
        time.sleep(0.05)
    assert store.counts.received == 20_000
    store.close()


def test_there_is_no_room_after_closing(store: Store) -> None:
    store.close()
    assert not store.has_room(0.1)

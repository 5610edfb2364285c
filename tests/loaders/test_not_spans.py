"""Records of other things that mention a trace: orders, events, jobs and logs are not taken for spans of any format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders.reading import load_report, read

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
MILLIS = 1_767_225_600_000

RECORDS: dict[str, dict[str, Any]] = {
    "an order": {"id": "1001", "traceId": TRACE, "name": "order", "timestamp": MILLIS},
    "an order in seconds": {"id": "1001", "traceId": TRACE, "name": "order", "timestamp": MILLIS // 1000},
    "an order with an id like a span's": {"id": SPAN, "traceId": TRACE, "name": "order", "timestamp": MILLIS},
    "an order with tags": {"id": "1001", "traceId": TRACE, "name": "order", "timestamp": MILLIS * 1000, "tags": ["a"]},
    "an order with a map": {
        "id": "1001",
        "traceId": TRACE,
        "name": "o",
        "timestamp": MILLIS * 1000,
        "tags": {"a": "b"},
    },
    "an order with a UUID": {"id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "traceId": TRACE, "name": "order"},
    "an order with a date": {"id": "1001", "traceId": TRACE, "name": "order", "timestamp": "2026-01-01T00:00:00Z"},
    "an order with notes": {"id": "1001", "traceId": TRACE, "name": "o", "timestamp": MILLIS, "annotations": ["paid"]},
    "an event of another kind": {"id": "1001", "traceId": TRACE, "name": "e", "timestamp": MILLIS, "kind": "audit"},
    "an event with a number as its kind": {"id": "12", "traceId": TRACE, "name": "e", "timestamp": MILLIS, "kind": 1},
    "a call of an address": {
        "id": "x",
        "traceId": TRACE,
        "name": "o",
        "timestamp": MILLIS,
        "remoteEndpoint": "http://a",
    },
    "a peer of another sort": {
        "id": "x",
        "traceId": TRACE,
        "name": "o",
        "timestamp": 1,
        "remoteEndpoint": {"host": "a"},
    },
    "ids alone": {"id": "1001", "traceId": TRACE},
    "numbers as ids": {"id": 1001, "trace_id": 77, "name": "order", "timestamp": MILLIS // 1000},
    "a job": {
        "id": "42",
        "name": "import",
        "start_time": "2026-01-01T00:00:00Z",
        "parent_id": "7",
        "metadata": {"a": 1},
    },
    "a deployment": {"id": "a", "name": "pod", "start_time": 1767225600.5, "parent_id": "b", "annotations": {"a": "b"}},
    "segments of customers": {"Id": "1", "Segments": [{"name": "young"}]},
    "a log with a context": {
        "message": "hi",
        "level": "info",
        "name": "a",
        "context": {"trace_id": TRACE, "span_id": SPAN},
    },
    "a context without a span": {"event": "paid", "context": {"trace_id": TRACE, "span_id": SPAN}},
    "a log of an operation": {"traceId": TRACE, "spanId": SPAN, "operationName": "write", "level": "Info", "time": "x"},
    "a log of a process": {"traceID": TRACE, "spanID": SPAN, "process": "nginx", "msg": "x"},
    "a log of a request": {"traceID": TRACE, "spanID": SPAN, "operationName": "get", "duration": 12, "message": "x"},
    "a log in OpenSearch": {
        "traceId": TRACE,
        "spanId": SPAN,
        "severityText": "INFO",
        "body": "hi",
        "time": "2026-01-01T00:00:00Z",
        "resource.attributes.service@name": "shop",
    },
    "a payment": {"transaction": {"id": "t1", "amount": 5}},
    "a bridge": {"span": {"id": "b1", "length": 500}},
    "an error of an API": {"error": {"id": "e1", "message": "not found"}},
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=list(RECORDS))
@pytest.mark.parametrize("as_lines", [False, True])
def test_records_that_mention_a_trace_are_no_spans(record: dict[str, Any], as_lines: bool) -> None:
    listed = [record, {**record, "note": "second"}]
    dump = "\n".join(map(json.dumps, listed)) if as_lines else json.dumps(listed)
    with pytest.raises(LoadError, match=r"no trace dump|no span can be read"):
        read(dump.encode())


def test_records_that_last_are_rows_with_times_in_their_own_unit() -> None:
    dump = [
        {"id": f"{number}", "traceId": TRACE, "name": "job", "timestamp": MILLIS, "duration": 250} for number in (1, 2)
    ]
    with pytest.warns(LoadWarning, match="durations without a unit"):
        spans = read(json.dumps(dump).encode())
    assert spans["start_time"].dt.year().to_list() == [2026, 2026]
    assert load_report(json.dumps(dump).encode())["format"].unique().to_list() == ["rows"]


def test_rows_with_an_object_as_their_resource_are_not_datadogs() -> None:
    row = {"trace_id": TRACE, "span_id": SPAN, "name": "x", "start": "2026-01-01T00:00:00Z", "duration_ms": 5}
    dump = json.dumps([{**row, "resource": {"service.name": "shop"}}]).encode()
    assert load_report(dump)["format"].unique().to_list() == ["rows"]
    assert read(dump)["service_name"].to_list() == ["shop"]


@pytest.mark.parametrize(
    "more",
    [
        {"duration": 7},
        {"kind": "CLIENT"},
        {"kind": "server", "timestamp": None},
        {"tags": {"a": "b"}},
        {"annotations": [{"timestamp": 5, "value": "cs"}]},
        {"localEndpoint": {"serviceName": "shop"}, "extra": 1},
        {"localEndpoint": {}},
        {"shared": True},
        {"annotations": [], "binaryAnnotations": []},
    ],
)
def test_rows_with_one_thing_that_spans_have_are_zipkins(more: dict[str, Any]) -> None:
    row = {"traceId": TRACE, "id": SPAN, "name": "get", "timestamp": MILLIS * 1000, **more}
    report = load_report(json.dumps([row]).encode())
    assert report.filter(problem="spans").select("format", "count").rows() == [("zipkin", 1)]


def test_an_order_among_spans_of_zipkin_is_counted() -> None:
    span = {"traceId": TRACE, "id": SPAN, "name": "get", "timestamp": MILLIS * 1000, "kind": "SERVER", "duration": 7}
    order = RECORDS["an order with a UUID"]
    for record in (order, {**RECORDS["an order"], "total": 5}, RECORDS["an order"]):
        dump = "\n".join(map(json.dumps, [span, record])).encode()
        with pytest.warns(LoadWarning, match="spans that are none"):
            spans = read(dump)
        assert spans["name"].to_list() == ["get"]
        assert load_report(dump).filter(problem="spans that are none").select("count", "lost_spans").rows() == [(1, 1)]


def test_a_span_of_zipkin_with_no_more_than_a_time_is_read_among_others() -> None:
    span = {"traceId": TRACE, "id": SPAN, "name": "get", "timestamp": MILLIS * 1000, "kind": "SERVER", "duration": 7}
    dump = json.dumps([span, {"traceId": TRACE, "id": "1", "name": "late", "timestamp": MILLIS * 1000}]).encode()
    with pytest.warns(LoadWarning, match="spans without an end"):
        assert sorted(read(dump)["name"].to_list()) == ["get", "late"]

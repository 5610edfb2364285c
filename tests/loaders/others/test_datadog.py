from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact
from tracelab.errors import LoadWarning
from tracelab.loaders import json_reader, load_report, read
from tracelab.loaders.input import cutting

SAMPLES = Path(__file__).parents[1] / "samples"
START = 1_767_225_600_125_000_001
LARGE = 2**64 - 5


def dog(span_id: int = LARGE, parent_id: int = 0, **fields: Any) -> dict[str, Any]:
    """Write a span of Datadog; None takes a field away."""
    content = {
        "trace_id": LARGE,
        "span_id": span_id,
        "parent_id": parent_id,
        "start": START,
        "duration": 1_003,
        "name": "work",
        "resource": "work it",
        "service": "shop",
        "type": "custom",
        "error": 0,
        "meta": {},
        "metrics": {},
        **fields,
    }
    return {key: value for key, value in content.items() if value is not None}


def problems_in(content: bytes) -> set[str]:
    return set(load_report(content)["problem"]) - {"spans"}


def test_a_payload_of_a_tracer_is_read() -> None:
    spans = read(SAMPLES / "datadog.json")
    assert spans.select("name", "service_name", "kind", "status_code", "depth").rows() == [
        ("GET /pay/:id", "shop", "server", "error", 0),
        ("SELECT shop", "shop", "client", "unset", 1),
        ("charge", "shop", "unspecified", "unset", 1),
    ]
    assert spans["duration"].dt.total_nanoseconds().to_list() == [490_000_003, 480_000_003, 470_000_003]
    assert spans["start_time"].dt.timestamp("ns")[0] == 1_767_225_600_126_000_001
    row = spans.row(0, named=True)
    expected = {
        "span.operation.name": "web.request",
        "span.dd.span.Resource": "GET /pay/:id",
        "span.span.type": "web",
        "span.http.request.method": "GET",
        "span.http.response.status_code": 502,
        "span.process.pid": 4711,
        "span.basket.price": 9.5,
        "resource.deployment.environment.name": "prod",
        "resource.service.version": "3.1",
        "status_message": "card refused",
    }
    assert {key: row[key] for key in expected} == expected
    assert row["events"][0]["attributes"] == {
        "exception.message": "card refused",
        "exception.type": "PaymentError",
        "exception.stacktrace": "pay.py:17 charge",
    }
    assert spans["span.service.name"].to_list() == [None, "shop-db", None]


def test_links_and_events_stand_in_fields_or_in_tags() -> None:
    row = read(SAMPLES / "datadog.json").row(2, named=True)
    assert (row["links"][0]["trace_id"], row["links"][0]["span_id"]) == ("0" * 15 + "9" + "0" * 15 + "5", "f" * 16)
    assert row["links"][0]["attributes"] == {"why": "retry"}
    [event] = row["events"]
    assert (event["name"], event["attributes"]) == ("retried", {"attempt": "2", "slow": "true"})
    links = [{"trace_id": "ab" * 16, "span_id": "cd" * 8, "tracestate": "a=b"}]
    tags = {
        "_dd.span_links": json.dumps(links),
        "events": json.dumps([{"name": "e", "time_unix_nano": START, "attributes": {"x": 1.5}}]),
    }
    row = read(compact([[dog(meta=tags)]])).row(0, named=True)
    assert (row["links"][0]["trace_id"], row["links"][0]["trace_state"]) == ("ab" * 16, "a=b")
    assert row["events"][0]["attributes"] == {"x": "1.5"}
    assert "span.events" not in row


@pytest.mark.parametrize("write", [int, str, lambda number: number - 2**64])
def test_ids_of_64_bits_lose_no_digit_however_they_are_written(write: Any) -> None:
    spans = read(compact([[dog(write(LARGE), write(2**63 + 1), trace_id=write(LARGE))]]))
    assert spans.select("trace_id", "span_id", "parent_span_id").row(0) == (
        "0" * 16 + "fffffffffffffffb",
        "fffffffffffffffb",
        "8000000000000001",
    )


def test_hex_ids_are_told_from_decimal_ones() -> None:
    debug = dog(trace_id="51cfc3dcab15eefb", span_id="0000000000000012", parent_id="0000000000000000")  # type: ignore[arg-type]
    assert read(compact(debug)).select("trace_id", "span_id", "parent_span_id").row(0) == (
        "0" * 16 + "51cfc3dcab15eefb",
        "0000000000000012",
        None,
    )
    mixed = dog(trace_id="66a1b2c3000000001234567890abcdef", span_id="1234567890987654321")  # type: ignore[arg-type]
    assert read(compact(mixed)).select("trace_id", "span_id").row(0) == (
        "66a1b2c3000000001234567890abcdef",
        "112210f4b16c1cb1",
    )


def test_ids_that_are_floats_are_guesses() -> None:
    dump = b'{"trace_id": 1.2e19, "span_id": 5, "start": 5, "duration": 1, "resource": "r"}'
    with pytest.warns(LoadWarning, match="ids as floating-point numbers"):
        assert read(dump)["trace_id"].item() == f"{int(1.2e19):032x}"


def test_the_upper_half_of_a_trace_id_holds_for_its_chunk() -> None:
    upper = {"_dd.p.tid": "640cfd8d00000000"}
    first = [dog(1, meta=upper), dog(2, 1)]
    with pytest.warns(LoadWarning, match="may have half a trace id"):
        spans = read(compact([first, [dog(3)]]))
    assert dict(spans.select("span_id", "trace_id").rows()) == {
        f"{1:016x}": "640cfd8d00000000fffffffffffffffb",
        f"{2:016x}": "640cfd8d00000000fffffffffffffffb",
        f"{3:016x}": "0000000000000000fffffffffffffffb",
    }
    ambiguous = [*first, dog(4, meta={"_dd.p.tid": "650cfd8d00000000"})]
    with pytest.warns(LoadWarning):
        assert read(compact([ambiguous]))["trace_id"].n_unique() > 1


def test_the_ways_to_write_a_trace_give_one_frame() -> None:
    pair = [dog(1, meta={"_dd.p.tid": "640cfd8d00000000"}), dog(2, 1, error=1)]
    spans = read(compact([pair]))
    assert spans["depth"].to_list() == [0, 1]
    for content in (
        compact({"traces": [pair]}),
        compact(pair),
        compact(*pair),
        compact({"trace": {"root_id": "1", "spans": {"1": pair[0], "2": pair[1]}}}),
        compact({"spans": pair}),
        compact({"chunks": [{"priority": 1, "spans": pair}]}),
        json.dumps([pair], indent=2).encode(),
    ):
        assert_frame_equal(read(content), spans)


def test_a_large_payload_is_cut_and_gives_the_same_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [
        [dog(1, trace_id=number, meta={"_dd.p.tid": "640cfd8d00000000"}), dog(2, 1, trace_id=number)]
        for number in range(1, 50)
    ]
    dumps = [compact(chunks), compact({"traces": chunks})]
    whole = read(dumps[0])
    assert (whole.height, whole["trace_id"].n_unique()) == (98, 49)
    monkeypatch.setattr(json_reader, "LARGEST", 0)
    monkeypatch.setattr(cutting, "PIECE", 2_000)
    for dump in dumps:
        assert_frame_equal(read(dump), whole)


def test_a_payload_of_the_agent_tells_of_its_process() -> None:
    payload = {"chunks": [{"spans": [dog()]}], "env": "prod", "hostname": "h", "languageName": "python"}
    row = read(compact({"tracerPayloads": [payload]})).row(0, named=True)
    assert (row["resource.host.name"], row["resource.telemetry.sdk.language"]) == ("h", "python")


def test_a_payload_as_protobufs_json_has_other_keys_and_numbers_in_texts() -> None:
    keys = {"trace_id": "traceID", "span_id": "spanID", "parent_id": "parentID"}
    children = [dog(), dog(7, LARGE, metrics={"n": 1.5})]
    written = [
        {keys.get(key, key): str(held) if isinstance(held, int) and key != "error" else held for key, held in each}
        for each in (child.items() for child in children)
    ]
    assert_frame_equal(read(compact({"tracerPayloads": [{"chunks": [{"spans": written}]}]})), read(compact([children])))


def test_traces_and_spans_of_the_api_are_read() -> None:
    spans = read(SAMPLES / "datadog.api.json")
    assert spans.select("name", "depth", "kind", "status_code").rows() == [
        ("GET /pay/:id", 0, "server", "error"),
        ("SELECT shop", 1, "client", "unset"),
        ("charge", 1, "unspecified", "unset"),
    ]
    assert spans["trace_id"].to_list() == read(SAMPLES / "datadog.json")["trace_id"].to_list()
    found = {
        "trace_id": "1234567890987654321",
        "span_id": "17",
        "start_timestamp": "2026-01-01T00:00:00.5Z",
        "end_timestamp": "2026-01-01T00:00:00.75Z",
        "resource_name": "GET /",
        "service": "shop",
        "env": "prod",
        "status": "error",
        "custom": {"http": {"status_code": "500"}, "span": {"kind": "client"}},
    }
    row = read(compact({"data": [{"id": "x", "type": "spans", "attributes": found}], "meta": {}})).row(0, named=True)
    assert (row["name"], row["kind"], row["status_code"]) == ("GET /", "client", "error")
    assert (row["duration"].total_seconds(), row["span.http.response.status_code"]) == (0.25, 500)
    cut = {"data": {"type": "trace", "attributes": {"is_truncated": True, "spans": [dog()]}}}
    assert "traces that are not whole" in problems_in(compact(cut))


def test_seconds_of_the_ui_are_guessed_and_counted() -> None:
    dump = compact({"trace": {"root_id": "1", "spans": {"1": dog(start=1767225600.5, duration=0.25)}}})
    with pytest.warns(LoadWarning, match="times taken as seconds"):
        spans = read(dump)
    assert spans.select(pl.col("start_time").dt.timestamp("ms"), pl.col("duration").dt.total_milliseconds()).row(0) == (
        1_767_225_600_500,
        250,
    )


@pytest.mark.parametrize(
    ("operation", "meta", "name"),
    [
        ("web.request", {"http.method": "GET"}, "GET"),
        ("web.request", {}, "web.request"),
        ("spring.handler", {}, "Shop.pay"),
        ("redis.query", {"db.type": "redis"}, "redis"),
        ("grpc.client", {"rpc.grpc.full_method": "/shop.Cart/Add"}, "shop.Cart/Add"),
        ("aws.command", {"aws.service": "S3", "aws.operation": "PutObject"}, "S3/PutObject"),
        ("anything", {"http.method": "GET"}, "anything"),
    ],
)
def test_names_are_those_that_the_collector_gives(operation: str, meta: dict[str, str], name: str) -> None:
    spans = read(compact(dog(name=operation, resource="Shop.pay", meta=meta)))
    assert spans["name"].item() == name
    if name != operation:
        assert spans["span.operation.name"].item() == operation


def test_an_error_is_what_the_span_says() -> None:
    for error, status in ((1, "error"), (True, "error"), ("1", "error"), (0, "unset"), ({}, "unset"), (None, "unset")):
        assert read(compact(dog(error=error, meta={"http.status_code": "500"})))["status_code"].item() == status


def test_one_bad_span_loses_no_other() -> None:
    dump = compact([[dog(1), 5, {"x": 1}, dog(2, 1, meta=[], metrics=7, start="x", type={})]])
    with pytest.warns(LoadWarning, match="spans that are none"):
        assert read(dump).height == 2
    found = load_report(dump)
    assert found.filter(pl.col("problem") == "spans that are none")["count"].item() == 2
    assert {"fields of the wrong type", "times that are no times"} <= set(found["problem"])

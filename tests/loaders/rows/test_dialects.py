"""Exports of others, by their samples and by rows made here after what their tools write."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.rows.made import CHILD, ROOT, TRACE, found, lines, nanoseconds, parquet, quietly, row, table
from tracelab.loaders import read
from tracelab.synthetic import draw

SAMPLES = Path(__file__).parents[1] / "samples"


def first(content: bytes | Path, **options: Any) -> dict[str, Any]:
    return quietly(content.read_bytes() if isinstance(content, Path) else content, **options).row(0, named=True)


def test_the_sample_of_csv_is_read_to_the_last_value() -> None:
    spans = read(SAMPLES / "rows.csv")
    assert spans.select("name", "kind", "service_name", "status_code", "status_message", "depth").rows() == [
        ("POST /orders", "server", "shop", "unset", None, 0),
        ("charge card", "client", "shop", "error", "declined", 1),
        ("reserve, then ship", "internal", "stock", "ok", None, 1),
    ]
    assert nanoseconds(spans) == [
        (1_780_000_000_000_000_000, 42_500_000),
        (1_780_000_000_003_000_000, 30_250_000),
        (1_780_000_000_035_000_000, 5_125_000),
    ]
    assert spans["span.http.response.status_code"].to_list() == [201, 402, None]
    assert spans["span.cache.hit"].to_list() == [None, None, True]
    assert spans["span.ratio"].to_list() == [0.25, None, 1.75]
    assert spans.select("span.user.tier", "span.items").row(0) == ("gold", 3)
    event = spans["events"][1][0]
    assert (event["name"], event["attributes"]) == ("retry", {"attempt": "2"})
    assert event["time"] == datetime(2026, 5, 28, 20, 26, 40, 12_000, tzinfo=UTC)


def test_the_sample_of_json_lines_keeps_what_is_no_field_under_its_own_name() -> None:
    spans = read(SAMPLES / "rows.jsonl")
    assert spans["name"].to_list() == ["GET /search", "lookup", "render"]
    assert spans["status_code"].to_list() == ["unset", "error", "unset"]
    assert spans["span.error"].to_list() == [None, "index is cold", None]
    assert spans["span.retries"].to_list() == ["1", "none", None]
    assert spans["span.retries:type"].to_list() == ["int", "string", None]
    assert spans.select("span.host", "span.query", "span.shard").rows()[:2] == [
        ("web-1", "tea", None), ("index-2", None, 7),
    ]  # fmt: skip
    link = spans["links"][2][0]
    assert (link["trace_id"], link["span_id"], link["attributes"]) == (
        "0" * 28 + "beef",
        "00000000000000ef",
        {"why": "cache"},
    )


def test_honeycombs_rows_of_events_and_links_go_to_their_spans() -> None:
    spans = read(SAMPLES / "rows.honeycomb.jsonl")
    root = spans.row(0, named=True)
    assert spans["trace_id"].unique().to_list() == ["7d0c5a9e12ab4c3d8e9f001122334455"]
    assert (root["name"], root["kind"], root["status_code"], root["scope_name"]) == (
        "send",
        "producer",
        "error",
        "mailer",
    )
    assert [(each["name"], each["attributes"]) for each in root["events"]] == [
        ("exception", {"exception.message": "550"})
    ]
    assert root["events"][0]["time"] == datetime(2026, 6, 1, 10, 0, 0, 510_000, tzinfo=UTC)
    assert [(each["trace_id"], each["attributes"]) for each in root["links"]] == [
        ("000102030405060708090a0b0c0d0e0f", {"reason": "batch"})
    ]
    orphan = {
        "trace.trace_id": TRACE,
        "trace.parent_id": CHILD,
        "meta.annotation_type": "span_event",
        "name": "e",
        "Timestamp": 1,
    }
    assert found((SAMPLES / "rows.honeycomb.jsonl").read_bytes() + lines(orphan))[
        "events of spans that are not there"
    ] == 1  # fmt: skip


def test_application_insights_has_milliseconds_kinds_by_table_and_roots_that_name_their_trace() -> None:
    content = (SAMPLES / "rows.application-insights.csv").read_bytes()
    spans = quietly(content)
    assert spans.select("name", "kind", "service_name", "status_code", "depth").rows() == [
        ("GET /cart", "server", "store", "error", 0),
        ("SELECT cart", "client", "store", "unset", 1),
    ]
    assert spans["duration"].dt.total_milliseconds().to_list() == [81, 40]
    assert spans["start_time"][1] == datetime(2026, 6, 1, 10, 0, 0, 20_000, tzinfo=UTC)
    assert spans.select("span.region", "span.resultCode").row(0) == ("north", 500)
    counted = found(content)
    assert (counted["rows that are no spans"], counted["parents that are the trace"]) == (1, 1)


def test_google_clouds_traces_have_the_id_around_the_spans_and_those_in_decimal() -> None:
    spans = read(SAMPLES / "rows.cloud-trace.json")
    assert spans.select("trace_id", "span_id", "parent_span_id", "kind", "service_name").rows() == [
        ("c0ffee00c0ffee00c0ffee00c0ffee00", f"{11285043109835407123:016x}", None, "server", "kettle"),
        ("c0ffee00c0ffee00c0ffee00c0ffee00", f"{42:016x}", f"{11285043109835407123:016x}", "unspecified", "kettle"),
    ]
    assert spans.select("span.projectId", "span./http/status_code").row(0) == ("tea-house", "200")
    assert nanoseconds(spans)[0][1] == 250_000_000


def test_grafanas_lists_of_keys_and_values_become_attributes_events_and_parents() -> None:
    spans = quietly((SAMPLES / "rows.grafana.csv").read_bytes())
    assert spans.select("name", "resource.host.name", "status_code", "status_message").rows() == [
        ("GET /map", "m1", "unset", None), ("draw", "m1", "error", "no ink"),
    ]  # fmt: skip
    assert spans.select("span.http.status_code", "span.cached").row(0) == (200, False)
    assert [(each["name"], each["attributes"]) for each in spans["events"][0]] == [("miss", {"tile": "9"})]
    assert spans["links"].list.len().to_list() == [0, 0]
    assert nanoseconds(spans)[0] == (1_780_000_000_123_250_000, 18_500_000)


def test_new_relic_says_durations_twice() -> None:
    span = first(
        lines({
            "trace.id": TRACE, "id": ROOT, "parent.id": CHILD, "timestamp": 1_772_366_400_123, "duration.ms": 12.5,
            "duration": 0.0125, "entity.name": "pay", "name": "GET", "otel.status_code": "ERROR", "nr.entryPoint": True,
        })
    )  # fmt: skip
    assert (span["service_name"], span["status_code"], span["parent_span_id"]) == ("pay", "error", CHILD)
    assert (span["duration"].microseconds, span["span.duration"], span["span.nr.entryPoint"]) == (12_500, 0.0125, True)
    bare = {"trace.id": TRACE, "id": ROOT, "timestamp": 1_772_366_400_123, "duration": 2, "entity.name": "pay"}
    assert first(lines({**bare, "name": "x"}))["duration"].seconds == 2


def test_signoz_and_clickhouse_rows_have_nanoseconds_and_maps() -> None:
    span = first(
        lines({
            "traceID": TRACE, "spanID": CHILD, "parentSpanID": "", "durationNano": 1_500, "name": "n",
            "serviceName": "s",
            "timestamp": "2026-03-01T12:00:00.123456789Z", "kind": 3, "hasError": True, "tagMap": {"a": "b"},
            "references": f'[{{"traceId":"{TRACE}","spanId":"{ROOT}","refType":"CHILD_OF"}}]',
            "events": ['{"name":"e","timeUnixNano":1772366400000000005,"attributeMap":{"k":"v"}}'],
        })
    )  # fmt: skip
    assert (span["kind"], span["status_code"], span["parent_span_id"], span["span.a"]) == ("client", "error", ROOT, "b")
    assert (span["events"][0]["name"], span["events"][0]["attributes"], span["links"]) == ("e", {"k": "v"}, [])
    spans = quietly(
        table({
            "Timestamp": "2026-03-01 12:00:00.123456789", "TraceId": TRACE, "SpanId": ROOT, "ParentSpanId": "",
            "SpanName": "GET", "SpanKind": "Server", "ServiceName": "s", "ResourceAttributes": "{'host.name':'h'}",
            "SpanAttributes": r"{'q':'it\'s'}", "Duration": 1_500_000, "StatusCode": "Error", "StatusMessage": "bad",
            "Events.Timestamp": "['2026-03-01 12:00:00.2']", "Events.Name": "['e']", "Events.Attributes": "[{'k':'v'}]",
        })
    )  # fmt: skip
    assert nanoseconds(spans) == [(1_772_366_400_123_456_789, 1_500_000)]
    assert spans.select("resource.host.name", "span.q", "kind", "status_message").row(0) == (
        "h",
        "it's",
        "server",
        "bad",
    )
    assert [(each["name"], each["attributes"]) for each in spans["events"][0]] == [("e", {"k": "v"})]


def test_rows_of_the_collectors_raw_mode_for_elasticsearch_say_how_a_trace_ended() -> None:
    span = first(
        lines(
            {"@timestamp": "2026-03-01T12:00:00.000001Z", "EndTimestamp": "2026-03-01T12:00:00.000101Z"}
            | {"TraceId": TRACE, "SpanId": ROOT, "Name": "pay", "Kind": "SPAN_KIND_CLIENT", "Duration": 100}
            | {"TraceStatus": 2, "TraceStatusDescription": "declined", "Attributes.a": 1, "Resource.b": "c"}
        )
    )
    assert (span["status_code"], span["status_message"]) == ("error", "declined")
    assert (span["kind"], span["span.a"], span["resource.b"]) == ("client", 1, "c")


def test_rows_in_the_fields_of_a_search_are_as_the_rows_themselves() -> None:
    whole = row(**{"attributes.a": 1, "attributes.b": ["x", "y"]})
    fields = {key: held if isinstance(held, list) else [held] for key, held in whole.items()}
    for hit in ({"_index": "i", "fields": fields}, {"_id": "1", "_source": None, "fields": fields}):
        assert_frame_equal(quietly(lines({"hits": {"hits": [hit]}})), quietly(lines(whole)))
    assert_frame_equal(quietly(lines({"_index": "i", "_source": whole, "fields": fields})), quietly(lines(whole)))


def test_flat_rows_of_python_keep_what_the_sdk_does_not_write() -> None:
    span = first(
        lines({
            "trace_id": TRACE, "span_id": CHILD, "parent_span_id": ROOT, "name": "n", "service": "s", "team": "x",
            "start_time": 1_772_366_400_000, "end_time": 1_772_366_400_250, "attributes": {"a": 1},
            "status": {"code": "ERROR", "message": "bad"}, "scope": {"name": "lib", "version": "1"},
            "span_events": [
                {"event_name": "e", "timestamp": 1_772_366_400_100, "attributes": {"k": "v"}, "body": {"b": 1}}
            ],
        })
    )  # fmt: skip
    assert (span["service_name"], span["span.team"], span["span.a"], span["scope_name"]) == ("s", "x", 1, "lib")
    assert (span["status_code"], span["status_message"], span["duration"].microseconds) == ("error", "bad", 250_000)
    assert [(each["name"], each["attributes"]) for each in span["events"]] == [("e", {"k": "v", "body": '{"b": 1}'})]


def test_fields_in_objects_are_found_and_the_rest_of_these_kept() -> None:
    span = first(
        lines({
            "trace": {"id": TRACE}, "span": {"id": ROOT, "name": "x", "kind": "client"}, "parent": {"id": CHILD},
            "service": {"name": "svc", "version": "1"}, "@timestamp": "2026-03-01T12:00:00Z", "duration_us": 5,
            "status": {"code": "ERROR", "message": "bad"}, "resource": {"attributes": {"host.name": "h"}},
            "attributes": {"x": 1, "y": [1, 2], "z": {"a": 1}}, "extra": {"b": [None]},
        })
    )  # fmt: skip
    assert (span["trace_id"], span["span_id"], span["parent_span_id"]) == (TRACE, ROOT, CHILD)
    assert (span["name"], span["kind"], span["service_name"], span["status_message"]) == ("x", "client", "svc", "bad")
    assert (span["resource.host.name"], span["span.service.version"]) == ("h", "1")
    assert (span["span.x"], span["span.y"], span["span.z"], span["span.extra"]) == (
        1,
        [1, 2],
        '{"a": 1}',
        '{"b": [null]}',
    )


def test_a_table_of_phoenix_keeps_the_kinds_that_are_none() -> None:
    frame = pl.DataFrame(
        {
            "context.trace_id": [TRACE] * 2,
            "context.span_id": [ROOT, CHILD],
            "parent_id": [None, ROOT],
            "name": ["ask", "model"],
            "span_kind": ["CHAIN", "LLM"],
            "start_time": [datetime(2026, 3, 1, 12, tzinfo=UTC)] * 2,
            "end_time": [datetime(2026, 3, 1, 12, 0, 3, tzinfo=UTC), datetime(2026, 3, 1, 12, 0, 2, tzinfo=UTC)],
            "status_code": ["OK", "ERROR"],
            "attributes.llm.tokens": [None, 5.0],
        }
    )
    spans = read(parquet(frame))
    assert spans.select("name", "depth", "status_code", "kind", "span.span_kind", "span.llm.tokens").rows() == [
        ("ask", 0, "ok", "unspecified", "CHAIN", None),
        ("model", 1, "error", "unspecified", "LLM", 5.0),
    ]
    assert spans["duration"].dt.total_seconds().to_list() == [3, 2]


SPANS = draw("""
web::GET /pay     ====================      kind=server http.route=/pay n=1 share=0.5
  bank::charge    ..======!                 kind=client n=3 ok=true
  web::render     ...........======         n=4 note=a,b
""")
COLUMNS = [
    name
    for name, dtype in SPANS.schema.items()
    if not dtype.is_nested() and name not in ("depth", "tree_left", "tree_right", "entry")
]


def written(suffix: str) -> bytes:
    flat = SPANS.select(COLUMNS)
    match suffix:
        case "csv":
            return flat.with_columns(pl.col("duration").dt.to_string("iso")).write_csv().encode()
        case "csv in nanoseconds":
            return (
                flat.with_columns(duration_ns=pl.col("duration").dt.total_nanoseconds())
                .drop("duration")
                .write_csv()
                .encode()
            )
        case "pandas":
            text: str = flat.to_pandas().to_csv()
            return text.encode()
        case "json":
            return flat.write_ndjson().encode()
        case _:
            return parquet(flat)


@pytest.mark.parametrize("suffix", ["csv", "csv in nanoseconds", "pandas", "json", "parquet"])
def test_columns_of_a_span_frame_come_back_equal_from_other_files(suffix: str) -> None:
    assert_frame_equal(read(written(suffix)).select(COLUMNS), SPANS.select(COLUMNS))


def test_a_whole_span_frame_comes_back_equal_from_json_lines() -> None:
    spans = read(SAMPLES / "otlp-json.jsonl")
    assert_frame_equal(read(spans.write_ndjson().encode()), spans)


def test_values_of_mixed_types_come_back_with_their_types() -> None:
    mixed = [row(span_id=f"{number:016x}", x=value) for number, value in enumerate([1, "1", True, 1.5, [1]], 1)]
    spans = read(lines(*mixed))
    flat = [name for name, dtype in spans.schema.items() if not dtype.is_nested()]
    text = spans.select(flat).with_columns(pl.col("duration").dt.to_string("iso")).write_csv().encode()
    names = ("span_id", "span.x", "span.x:type")
    assert_frame_equal(read(text).select(names), spans.select(names))

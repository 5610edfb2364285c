from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, ROOT, TRACE_ID, WRONG, compact, damaged
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import load_report, read, read_jaeger

SAMPLES = Path(__file__).parents[1] / "samples"


def b64(identity: str) -> str:
    return base64.b64encode(bytes.fromhex(identity)).decode()


def storage_span(span_id: str = ROOT, **fields: Any) -> dict[str, Any]:
    content = {
        "traceId": b64(TRACE_ID),
        "spanId": b64(span_id),
        "operationName": "op",
        "startTime": "2026-03-01T09:00:00Z",
        "duration": "5s",
        "process": {"serviceName": "shop"},
    }
    return {key: value for key, value in {**content, **fields}.items() if value is not None}


def tags(*held: dict[str, Any]) -> dict[str, Any]:
    return read(compact(storage_span(tags=list(held)))).row(0, named=True)


def test_the_sample_is_read_field_by_field() -> None:
    spans = read(SAMPLES / "jaeger-storage-json.json")
    root, call = spans.rows(named=True)
    assert (root["trace_id"], root["span_id"]) == ("5b8aa5a2d2c872e8321cf37308d69df2", "5fb397be34d26b51")
    assert (root["name"], root["kind"], root["service_name"], root["status_code"], root["flags"]) == (
        "checkout",
        "server",
        "shop",
        "error",
        1,
    )
    assert (root["scope_name"], root["scope_version"], root["resource.host.name"]) == ("shop-web", "1.4", "h1")
    assert (root["span.http.response.status_code"], root["span.retries"], root["span.ratio"]) == (503, 0, 0.75)
    assert (root["span.cached"], root["span.token"]) == (False, "AAH+")
    assert [(event["name"], event["attributes"]) for event in root["events"]] == [
        ("exception", {"exception.type": "Timeout"})
    ]
    assert spans["start_time"].dt.epoch("ns").to_list() == [1772355600000000125, 1772355600010000000]
    assert spans["duration"].dt.total_microseconds().to_list() == [250_000, 200]
    assert (call["parent_span_id"], call["kind"], call["service_name"]) == (root["span_id"], "client", "payments")
    assert [(link["span_id"], link["attributes"]) for link in call["links"]] == [("a1b2c3d4e5f60718", {})]
    assert call["span.jaeger.warnings"] == ["clock skew"]


def test_snake_case_and_enums_as_numbers_are_read_too() -> None:
    spans = read(SAMPLES / "jaeger-storage-json.snake_case.jsonl")
    assert spans.select("name", "kind", "service_name", "depth", "span.items", "span.fresh").rows() == [
        ("checkout", "server", "shop", 0, 3, False),
        ("charge", "unspecified", "payments", 1, None, None),
    ]
    assert spans["start_time"].to_list()[0] == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert spans["duration"].to_list() == [timedelta(milliseconds=250), timedelta(minutes=1, milliseconds=500)]


def test_every_container_of_the_storage_model_gives_the_same_frame() -> None:
    one, two = storage_span(), storage_span(CALL, references=[{"traceId": b64(TRACE_ID), "spanId": b64(ROOT)}])
    bare = [{key: value for key, value in each.items() if key != "process"} for each in (one, two)]
    process = {"serviceName": "shop"}
    spans = read(compact(one, two))
    assert spans.select("depth", "service_name").rows() == [(0, "shop"), (1, "shop")]
    for content in (
        compact({"spans": [one, two]}),
        compact([one, two]),
        json.dumps({"spans": [one, two]}, indent=2).encode(),
        b"\n".join(json.dumps({"spans": [each]}, indent=2).encode() for each in (one, two)),
        compact({"process": process, "spans": bare}),
        compact({"batch": {"process": process, "spans": bare}}),
        compact({"result": {"spans": [one]}}, {"result": {"spans": [two]}}),
        compact({"spans": [{**each, "processId": "p"} for each in bare], "processMap": {"p": process}}),
        compact(
            {
                "spans": [{**each, "process_id": "p"} for each in bare],
                "process_map": [{"process_id": "p", "process": {"service_name": "shop"}}],
            }
        ),
    ):
        assert_frame_equal(read(content), spans)
        assert_frame_equal(read_jaeger(content), spans)
        assert load_report(content)["format"].unique().to_list() == ["jaeger-storage-json"]


@pytest.mark.parametrize(
    ("duration", "nanoseconds"),
    [
        ("5s", 5_000_000_000),
        ("0.000005s", 5_000),
        ("22938000ns", 22_938_000),
        ("1h2m3.5s", 3_723_500_000_000),
        ("1.5\u00b5s", 1_500),
        ("250ms", 250_000_000),
        (7, 7),
        ("70", 70),
        ({"seconds": "2", "nanos": 5}, 2_000_000_005),
        (None, 0),
    ],
)
def test_durations_are_read_as_protobuf_and_go_write_them(duration: Any, nanoseconds: int) -> None:
    spans = read(compact(storage_span(duration=duration)), strict=True)
    assert spans["duration"].dt.total_nanoseconds().item() == nanoseconds


@pytest.mark.parametrize("duration", ["5 s", "-5s", "5sx", "s", "1e3s", 2**70, {"seconds": []}, [], True])
def test_what_is_no_duration_is_counted(duration: Any) -> None:
    found = set(load_report(compact(storage_span(duration=duration)))["problem"])
    assert "times that are no times" in found


def test_instants_may_be_seconds_and_nanoseconds() -> None:
    spans = read(compact(storage_span(startTime={"seconds": "1772355600", "nanos": 9})), strict=True)
    assert spans["start_time"].dt.epoch("ns").item() == 1772355600000000009
    found = load_report(compact(storage_span(startTime={"seconds": "x"})))["problem"].to_list()
    assert "times that are no times" in found


def test_a_tag_without_its_value_has_the_value_that_protobuf_leaves_out() -> None:
    row = tags({"key": "a"}, {"key": "b", "vType": "BOOL"}, {"key": "c", "vType": 2}, {"key": "d", "vType": "FLOAT64"})
    assert (row["span.a"], row["span.b"], row["span.c"], row["span.d"]) == ("", False, 0, 0.0)


def test_a_value_of_another_type_than_the_tag_says_is_read_as_what_it_is() -> None:
    with pytest.warns(LoadWarning, match="do not fit their type"):
        row = tags({"key": "a", "vType": "BOOL", "vInt64": "5"}, {"key": "b", "vType": "INT64", "vInt64": "many"})
    assert (row["span.a"], row["span.b"]) == (5, "many")
    assert tags({"key": "a", "vInt64": "5"})["span.a"] == 5


def test_ids_of_eight_bytes_and_of_hex_are_read() -> None:
    dump = storage_span(traceId=b64(TRACE_ID[16:]), spanId=ROOT.upper())
    row = read(compact(dump)).row(0, named=True)
    assert (row["trace_id"], row["span_id"]) == (TRACE_ID[16:].zfill(32), ROOT)


def test_base64_ids_that_differ_in_case_only_are_two() -> None:
    traces = [base64.b64decode(text).hex() for text in ("aaaaaaaaaaaaaaaaaaaaaA==", "aAaaaaaaaaaaaaaaaaaaaA==")]
    references = [{"traceId": b64(traces[1]), "spanId": b64(ROOT)}]
    row = read(compact(storage_span(CALL, traceId=b64(traces[0]), references=references))).row(0, named=True)
    assert (row["parent_span_id"], row["links"][0]["trace_id"]) == (None, traces[1])


def test_one_bad_span_loses_no_other() -> None:
    report = load_report(compact({"spans": [storage_span(), None, {"x": 1}, storage_span(CALL)]}))
    assert report.filter(pl.col("problem") == "spans")["count"].item() == 4
    assert report.filter(pl.col("problem") == "spans that are none").select("lost_spans", "first_place").row(0) == (
        2,
        "line 1.spans[1]",
    )


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_types_are_survived_everywhere(wrong: Any) -> None:
    document = json.loads((SAMPLES / "jaeger-storage-json.json").read_text())
    changed = list(damaged(document, wrong))
    content = compact(*changed)
    spans, report = read(content), load_report(content)
    assert report.filter(pl.col("problem") == "spans")["count"].item() == spans.height + report["lost_spans"].sum()
    assert spans.height >= len(changed) // 2


def test_spans_of_haystack_are_not_taken_for_jaegers() -> None:
    with pytest.raises(LoadError):
        read(compact({**storage_span(), "serviceName": "shop"}), format="jaeger-storage-json")


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_fixtures_of_jaeger_are_read(shared_data: Path) -> None:
    folder = shared_data / "es-docs" / "jaegertracing__jaeger"
    spans = read(folder / "internal__uimodel__converter__v1__json__fixtures__domain_01.json", format="jaeger")
    assert spans.height == 5
    same = "internal__storage__v2__elasticsearch__tracestore__core__fixtures__{}_01.json"
    columns = ["trace_id", "span_id", "parent_span_id", "name", "start_time", "duration", "service_name", "links"]
    one, other = (read(folder / same.format(name)) for name in ("domain", "es"))
    assert_frame_equal(one.select(columns), other.select(columns))
    assert one["span.blob"].to_list() == other["span.blob"].to_list()

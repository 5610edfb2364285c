from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, ROOT, TRACE_ID, WRONG, compact, damaged
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import load_report, read

SAMPLES = Path(__file__).parents[1] / "samples"
BULK, NESTED = SAMPLES / "data-prepper.bulk.ndjson", SAMPLES / "data-prepper.nested.json"


def document(span_id: str = ROOT, **fields: Any) -> dict[str, Any]:
    content = {
        "traceId": TRACE_ID,
        "spanId": span_id,
        "parentSpanId": "",
        "name": "op",
        "kind": "SPAN_KIND_SERVER",
        "startTime": "2026-03-01T09:00:00Z",
        "endTime": "2026-03-01T09:00:00.000000007Z",
        "durationInNanos": 7,
        "serviceName": "shop",
    }
    return {key: value for key, value in {**content, **fields}.items() if value is not None}


@pytest.mark.parametrize("sample", [BULK, NESTED], ids=lambda sample: sample.name)
def test_the_samples_are_read_field_by_field(sample: Path) -> None:
    spans = read(sample, strict=True)
    root, call = spans.rows(named=True)
    assert (root["name"], root["kind"], root["service_name"], root["trace_state"]) == (
        "POST /order",
        "server",
        "orders",
        "v=1",
    )
    assert (root["status_code"], root["status_message"]) == ("error", "timed out")
    assert (root["scope_name"], root["scope_version"], root["resource.host.name"]) == ("web", "1.2", "h1")
    assert (root["span.http.request.method"], root["span.http.response.status_code"]) == ("POST", 503)
    assert (root["span.ratio"], root["span.cached"], root["span.tags"]) == (0.5, True, ["a", "b"])
    assert (root["span.traceGroup"], root["span.traceGroupFields.statusCode"]) == ("POST /order", 2)
    assert [(event["name"], event["attributes"]) for event in root["events"]] == [
        ("exception", {"exception.type": "Timeout", "exception.escaped": "false"})
    ]
    assert spans["start_time"].dt.epoch("ns").to_list() == [1772355600000000125, 1772355600010000000]
    assert spans["duration"].dt.total_milliseconds().to_list() == [250, 10]
    assert (call["parent_span_id"], call["span.db.system.name"]) == (root["span_id"], "mysql")
    assert [(link["trace_id"], link["attributes"]) for link in call["links"]] == [("ab" * 16, {"why": "retry"})]
    assert "span.durationInNanos" not in spans.columns
    dropped = load_report(sample).filter(pl.col("problem") == "dropped by the producer")
    assert dropped["count"].item() == 2


def test_attributes_of_a_scope_are_kept() -> None:
    assert read(NESTED)["instrumentation.tier"].to_list() == ["front", None]


def test_fields_that_no_span_has_are_attributes_under_their_own_names() -> None:
    more: dict[str, Any] = {"sample.noise": 3, "custom": {"deep": {"er": "x"}}, "@timestamp": "2020-01-01"}
    found = read(compact({**document(), **more})).row(0, named=True)
    assert (found["span.sample.noise"], found["span.custom.deep.er"]) == (3, "x")
    assert found["span.@timestamp"] == "2020-01-01"


def test_a_time_that_repeats_the_start_is_no_attribute() -> None:
    assert "span.@timestamp" not in read(compact({**document(), "@timestamp": "2026-03-01T09:00:00Z"})).columns


def test_a_duration_that_contradicts_the_end_is_kept() -> None:
    row = read(compact(document(durationInNanos=9))).row(0, named=True)
    assert (row["duration"].total_seconds(), row["span.durationInNanos"]) == (0.0, 9)


def test_numbers_are_milliseconds_as_the_store_has_them() -> None:
    spans = read(compact(document(startTime=1772355600123, endTime=1772355600124)))
    assert spans["start_time"].dt.epoch("ns").item() == 1772355600123000000
    assert spans["duration"].dt.total_milliseconds().item() == 1
    exact = read(compact(document(startTime=1772355600123000009, endTime=1772355600123000010)))
    assert exact["start_time"].dt.epoch("ns").item() == 1772355600123000009


@pytest.mark.parametrize(
    ("kind", "expected"), [("SERVER", "server"), ("Client", "client"), (4, "producer"), ("5", "consumer")]
)
def test_kinds_are_read_in_every_spelling(kind: Any, expected: str) -> None:
    assert read(compact(document(kind=kind)), strict=True)["kind"].item() == expected


def test_unknown_kinds_and_statuses_are_counted() -> None:
    with pytest.warns(LoadWarning, match="unknown kinds or statuses"):
        spans = read(compact(document(kind="testKind", status={"code": "bad"})))
    assert spans.select("kind", "status_code").row(0) == ("unspecified", "unset")


def test_documents_of_the_collectors_exporter_are_read() -> None:
    content = {
        "traceId": TRACE_ID, "spanId": CALL, "parentSpanId": "", "name": "op", "kind": "Server",
        "startTime": "2026-03-01T09:00:00Z", "endTime": "2026-03-01T09:00:01Z",
        "attributes": {"a": 1}, "resource": {"service.name": "shop", "host.name": "h"},
        "instrumentationScope": {"name": "lib"}, "status": {"code": "Error", "message": "no"},
        "events": [{"@timestamp": "2026-03-01T09:00:00.5Z", "name": "e"}],
    }  # fmt: skip
    row = read(compact(content), strict=True).row(0, named=True)
    assert (row["service_name"], row["resource.host.name"], row["scope_name"]) == ("shop", "h", "lib")
    assert (row["status_code"], row["span.a"], row["events"][0]["time"].microsecond) == ("error", 1, 500_000)


def test_a_service_map_and_a_mapping_are_no_spans() -> None:
    service_map = {"serviceName": "a", "hashId": "x=", "traceGroupName": "g", "kind": "SPAN_KIND_CLIENT"}
    content = compact(service_map, document())
    assert read(content, strict=True).height == 1
    mapping = {
        "properties": {"traceId": {"type": "keyword"}, "spanId": {"type": "keyword"}, "traceGroup": {"type": "x"}}
    }
    for each in (mapping, {"i": {"mappings": mapping}}, service_map):
        with pytest.raises(LoadError):
            read(json.dumps(each, indent=2).encode())


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_types_are_survived_everywhere(wrong: Any) -> None:
    documents = [json.loads(line) for line in BULK.read_text().splitlines()[1::2]]
    documents += [hit["_source"] for hit in json.loads(NESTED.read_text())["hits"]["hits"]]
    changed = [each for held in documents for each in damaged(held, wrong)]
    changed += [{**document(), name: wrong} for name in ("@timestamp", "time", "resource", "scope", "attributes")]
    content = compact(*changed)
    spans, report = read(content), load_report(content)
    assert report.filter(pl.col("problem") == "spans")["count"].item() == spans.height + report["lost_spans"].sum()
    assert spans.height >= len(changed) // 2


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_deep_nesting_is_survived() -> None:
    deep = json.loads('{"a":' * 400 + "1" + "}" * 400)
    assert read(compact(document(attributes=deep, deep=deep))).height == 1


def test_dumps_of_opensearch_are_read(shared_data: Path) -> None:
    folder = shared_data / "es-docs" / "opensearch-project__dashboards-observability"
    spans = read(folder / ".cypress__utils__otel-v1-apm-span-000001.json", strict=True)
    assert spans.height == 500
    assert spans["events"].list.len().sum() >= 2
    with pytest.raises(LoadError):
        read(folder / ".cypress__utils__otel-v1-apm-span-000001-mappings.json")


def test_the_fields_of_a_search_are_lists_of_what_documents_hold() -> None:
    event = {"name": "e", "time": "2026-03-01T09:00:00.000000003Z", "attributes": {"k": "v"}}
    whole = {**document(events=[event]), "status.code": 2, "span.attributes.list": ["a", "b"]}
    fields = {key: held if isinstance(held, list) else [held] for key, held in whole.items()}
    fields["events"] = [{"name": ["e"], "time": [event["time"]], "attributes": {"k": "v"}}]
    hits = [{"_index": "otel-v1-apm-span-000001", "_id": "1", "fields": fields}]
    spans = read(compact({"hits": {"hits": hits}}), strict=True)
    assert_frame_equal(spans, read(compact(whole), strict=True))
    assert spans["events"].list.len().item() == 1

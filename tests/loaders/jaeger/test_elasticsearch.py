from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import ROOT, TRACE_ID, WRONG, compact, damaged
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read, read_jaeger
from tracelab.loaders.jaeger.elasticsearch import is_span

SAMPLES = Path(__file__).parents[1] / "samples"


def document(span_id: str = ROOT, **fields: Any) -> dict[str, Any]:
    content = {
        "traceID": TRACE_ID,
        "spanID": span_id,
        "operationName": "op",
        "references": [],
        "startTime": 1772355600000001,
        "startTimeMillis": 1772355600000,
        "duration": 7,
        "tags": [],
        "logs": [],
        "process": {"serviceName": "shop", "tags": []},
    }
    return {**content, **fields}


def test_the_samples_are_read_field_by_field() -> None:
    spans = read(SAMPLES / "jaeger-elasticsearch.search.json")
    root, call = spans.rows(named=True)
    assert (root["name"], root["kind"], root["service_name"], root["status_code"]) == (
        "checkout",
        "server",
        "shop",
        "error",
    )
    assert (root["span.http.response.status_code"], root["span.http.request.method"]) == (503, "POST")
    assert (root["span.retries"], root["span.ratio"], root["span.token"]) == (0, 0.75, "AAH+")
    assert (root["resource.host.name"], root["resource.pid"]) == ("h1", 7)
    assert [(event["name"], event["attributes"]) for event in root["events"]] == [
        ("exception", {"exception.type": "Timeout"})
    ]
    assert spans["start_time"].dt.epoch("ns").to_list() == [1772355600000001250, 1772355600010000000]
    assert spans["duration"].dt.total_microseconds().to_list() == [250_000, 200]
    assert (call["parent_span_id"], call["service_name"]) == (root["span_id"], "payments")
    assert call["links"][0]["span_id"] == "a1b2c3d4e5f60718"
    assert_frame_equal(read(SAMPLES / "jaeger-elasticsearch.bulk.ndjson", strict=True), spans)


def test_bare_documents_and_lists_are_read() -> None:
    spans = read(compact(document(), document("11" * 8)))
    assert spans.height == 2
    for content in (compact([document(), document("11" * 8)]), json.dumps([document(), document("11" * 8)]).encode()):
        assert_frame_equal(read_jaeger(content), spans)


@pytest.mark.parametrize("dot", ["@", "_", "#", "::", "-"])
def test_what_stands_for_a_dot_is_told_by_tags_that_are_known(dot: str) -> None:
    tag = {f"span{dot}kind": "client", f"http{dot}url": "u"}
    row = read(compact(document(tag=tag))).row(0, named=True)
    assert (row["kind"], row["span.http.url"]) == ("client", "u")


def test_without_known_tags_an_at_sign_is_a_dot() -> None:
    row = read(compact(document(tag={"a@b_c": 1}, process={"tag": {"d@e": "x"}}))).row(0, named=True)
    assert (row["span.a.b_c"], row["resource.d.e"]) == (1, "x")


def test_nanoseconds_of_a_data_stream_count_only_where_they_are_the_same_microsecond() -> None:
    other = read(compact(document(**{"@timestamp": "1772355600000009250"})))
    assert other["start_time"].dt.epoch("ns").item() == 1772355600000001000


def test_what_has_jaegers_ids_but_a_name_is_of_somebody_else() -> None:
    ids = {"traceID": "1f", "spanID": "2e", "startTime": 1_772_366_400_000_000, "duration": 5}
    assert is_span(ids)
    assert is_span({**ids, "name": "n", "operationName": "op"})
    assert not is_span({**ids, "name": "n"})


def test_a_document_without_a_process_has_an_unknown_service() -> None:
    with pytest.warns(LoadWarning, match="without a process"):
        assert read(compact(document(process=None)))["service_name"].item() == "unknown_service"


def test_documents_about_services_and_dependencies_are_no_loss() -> None:
    others: list[dict[str, Any]] = [
        {"serviceName": "shop", "operationName": "op"},
        {"timestamp": "2026-03-01T00:00:00Z", "dependencies": [{"parent": "a", "child": "b", "callCount": 1}]},
    ]
    content = compact(*({"_index": "i", "_source": each} for each in [*others, document()]))
    assert read(content, strict=True).height == 1
    report = load_report(content).filter(pl.col("problem") == "objects beside the spans")
    assert report.select("count", "lost_spans").rows() == [(2, 0)]


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_types_are_survived_everywhere(wrong: Any) -> None:
    lines = (SAMPLES / "jaeger-elasticsearch.bulk.ndjson").read_text().splitlines()
    changed = [each for line in lines[1::2] for each in damaged(json.loads(line), wrong)]
    content = compact(*changed)
    spans, report = read(content), load_report(content)
    assert report.filter(pl.col("problem") == "spans")["count"].item() == spans.height + report["lost_spans"].sum()
    assert spans.height >= len(changed) // 2

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact, shop_zipkin
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read

TRACE, ONE, TWO, THREE = "5af7183fb1d4cf5f", "6b221d5bc9e6496c", "352bff9a74ca9ad2", "bb51a37ff7f5b9d6"


def row(span_id: str = ONE, parent: str | None = None, service: str | None = "web", **fields: Any) -> dict[str, Any]:
    content = {"traceId": TRACE, "id": span_id, "parentId": parent, "name": "get", "timestamp": 1000, "duration": 50}
    endpoint = {"localEndpoint": {"serviceName": service}} if service else {}
    return {key: value for key, value in {**content, **endpoint, **fields}.items() if value is not None}


def test_every_container_of_zipkin_gives_the_same_frame() -> None:
    rows = shop_zipkin()
    spans = read(compact(rows))
    for content in (compact([rows]), compact(*rows), compact([rows[:1], rows[1:]]), compact(rows[:2], rows[2:])):
        assert_frame_equal(read(content), spans)


def test_a_shared_span_is_split_and_its_children_find_their_half() -> None:
    rows = [
        row(ONE, kind="CLIENT"),
        row(ONE, service="db", kind="SERVER", shared=True, timestamp=1010),
        row(TWO, ONE, service="db", name="in the server", timestamp=1011),
        row(THREE, ONE, name="in the client", timestamp=1005),
    ]
    spans = read(compact(rows))
    assert spans.select("service_name", "name", "kind", "depth").rows() == [
        ("web", "get", "client", 0),
        ("web", "in the client", "internal", 1),
        ("db", "get", "server", 1),
        ("db", "in the server", "internal", 2),
    ]
    assert spans["span_id"].n_unique() == 4


def test_partial_rows_are_put_together() -> None:
    rows = [
        row(kind="CLIENT", duration=None, tags={"a": "1"}),
        row(duration=70, timestamp=None, tags={"a": "2", "b": "3"}),
    ]
    spans = read(compact(rows))
    assert spans.select("kind", "span.a", "span.b").rows() == [("client", "1", "3")]
    assert spans["duration"].dt.total_microseconds().to_list() == [70]
    report = load_report(compact(rows))
    assert report.filter(pl.col("problem") == "spans")["count"].item() == spans.height + report["lost_spans"].sum() == 2


def test_the_whole_trace_id_is_preferred_to_its_half() -> None:
    rows = [row(ONE, traceId="463ac35c9f6413ad" + TRACE), row(TWO, ONE)]
    with pytest.warns(LoadWarning, match="half a trace id"):
        assert read(compact(rows))["trace_id"].unique().to_list() == ["463ac35c9f6413ad" + TRACE]


def test_an_error_tag_means_failure_whatever_it_says() -> None:
    texts = ["", "true", "boom", "false"]
    rows = [row(f"{number:016x}", tags={"error": text}) for number, text in enumerate(texts, start=1)]
    spans = read(compact(rows)).sort("span_id")
    assert spans.select("status_code", "status_message").rows() == [
        ("error", None),
        ("error", None),
        ("error", "boom"),
        ("unset", None),
    ]


def test_endpoints_annotations_and_links_are_kept() -> None:
    fields: dict[str, Any] = {
        "remoteEndpoint": {"serviceName": "db", "ipv4": "10.0.0.1", "port": 5432},
        "annotations": [
            {"timestamp": 1010, "value": "sent"},
            {"timestamp": 1020, "value": 'cached|{"hit":true}|0'},
            {"timestamp": 1030, "value": '"retry": {"n": 2}'},
        ],
        "tags": {"otlp.link.0": f'{"ab" * 16}|{"cd" * 8}|x=y|{{"why":"retry"}}|0'},
    }
    found = read(compact([row(**fields)])).row(0, named=True)
    assert (found["span.peer.service"], found["span.net.peer.ip"], found["span.net.peer.port"]) == (
        "db",
        "10.0.0.1",
        5432,
    )
    assert [(event["name"], event["attributes"]) for event in found["events"]] == [
        ("sent", {}),
        ("cached", {"hit": "true"}),
        ("retry", {"n": "2"}),
    ]
    assert [(link["trace_id"], link["attributes"]) for link in found["links"]] == [("ab" * 16, {"why": "retry"})]


def mark(value: str, timestamp: int, service: str) -> dict[str, Any]:
    return {"value": value, "timestamp": timestamp, "endpoint": {"serviceName": service}}


def test_a_span_of_version_1_with_both_halves_becomes_two() -> None:
    marks = [mark("cs", 1000, "web"), mark("sr", 1010, "db"), mark("ss", 1030, "db"), mark("cr", 1050, "web")]
    content = {
        "traceId": TRACE, "id": ONE, "name": "get", "annotations": marks,
        "binaryAnnotations": [{"key": "sql", "value": "select", "endpoint": {"serviceName": "db"}}],
    }  # fmt: skip
    spans, report = read(compact([content])), load_report(compact([content]))
    assert spans.select("service_name", "kind", pl.col("duration").dt.total_microseconds(), "span.sql").rows() == [
        ("web", "client", 50, None),
        ("db", "server", 20, "select"),
    ]
    assert report.filter(pl.col("problem") == "spans")["count"].item() == 1
    assert report["lost_spans"].sum() == -1

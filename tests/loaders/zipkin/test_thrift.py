from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import WRONG, compact, damaged
from tracelab.errors import LoadWarning
from tracelab.loaders import load_report, read, read_zipkin

SAMPLE = Path(__file__).parents[1] / "samples" / "zipkin.thrift.json"


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def thrift(*binary: dict[str, Any], **fields: Any) -> dict[str, Any]:
    content = {"trace_id": 5, "id": 6, "name": "get", "timestamp": 1772355600000000, "duration": 7}
    return {**content, "annotations": [], "binary_annotations": list(binary), **fields}


def tag(value: Any, kind: Any = "STRING", key: str = "k") -> dict[str, Any]:
    return {"key": key, "value": value, "annotation_type": kind}


def test_the_sample_is_read_field_by_field() -> None:
    spans = read(SAMPLE, strict=True)
    server, client = spans.rows(named=True)
    assert (server["trace_id"], server["span_id"]) == ("000000000000000ca55477263312fbd5", "a55477263312fbd5")
    assert (server["name"], server["kind"], server["service_name"]) == ("get /orders", "server", "web")
    assert (server["status_code"], server["status_message"]) == ("error", "timeout")
    assert (server["span.http.path"], server["span.http.status_code"]) == ("/orders", "504")
    assert (server["span.retry"], server["span.ratio"]) == ("true", "0.5")
    assert (server["span.net.host.ip"], server["span.net.host.port"]) == ("172.31.0.4", 80)
    assert [event["name"] for event in server["events"]] == ["cache miss"]
    assert (client["span_id"], client["parent_span_id"], client["kind"]) == (
        "000000000000004d",
        server["span_id"],
        "client",
    )
    assert (client["span.peer.service"], client["span.net.peer.ip"], client["span.net.peer.port"]) == (
        "db",
        "10.0.0.1",
        65000,
    )
    assert spans["duration"].dt.total_microseconds().to_list() == [5000, 900]


def test_lines_and_lists_are_read() -> None:
    rows = json.loads(SAMPLE.read_text())
    for content in (compact(*rows), compact([rows]), compact(rows)):
        assert_frame_equal(read_zipkin(content), read(SAMPLE))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (b64(struct.pack(">i", -3)), "I32", "-3"),
        (b64(struct.pack(">q", 200) + b"\0\0"), "I64", "200"),
        (b64(struct.pack(">d", 1.5)), 5, "1.5"),
        (b64(b"\0"), 0, "false"),
        (b64(b"\0\xff"), "BYTES", b64(b"\0\xff")),
        ([104, 105], "STRING", "hi"),
        ([-61, -87], "STRING", "\u00e9"),
        (200, "I32", "200"),
        (True, "BOOL", "true"),
        ("hello world", "STRING", "hello world"),
        (b64(b"hello"), None, "hello"),
    ],
)
def test_values_are_read_by_their_type(value: Any, kind: Any, text: str) -> None:
    assert read(compact(thrift(tag(value, kind))), strict=True)["span.k"].item() == text


def test_short_texts_that_look_like_base64_are_texts_where_the_others_are() -> None:
    rows = thrift(tag("SGk5", key="a"), tag("GET /orders", key="b"), tag("not base64", key="c"))
    assert read(compact(rows), strict=True).select("span.a", "span.b", "span.c").row(0) == (
        "SGk5",
        "GET /orders",
        "not base64",
    )


def test_a_value_that_is_not_of_its_type_is_counted() -> None:
    with pytest.warns(LoadWarning, match="do not fit their type"):
        spans = read(compact(thrift(tag(b64(b"abc"), "I64"), tag(b64(b"text"), key="t"))))
    assert spans.select("span.k", "span.t").row(0) == (b64(b"abc"), "text")


def test_ids_are_unsigned_whatever_their_sign() -> None:
    for number in (-1, 2**64 - 1):
        assert read(compact(thrift(id=number)))["span_id"].item() == "f" * 16
    found = load_report(compact(thrift(), thrift(id=2**64)))["problem"].to_list()
    assert "fields of the wrong type" in found


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_types_are_survived_everywhere(wrong: Any) -> None:
    changed = list(damaged(json.loads(SAMPLE.read_text()), wrong))
    spans, report = read(compact(*changed)), load_report(compact(*changed))
    assert report.filter(pl.col("problem") == "spans")["count"].item() == spans.height + report["lost_spans"].sum()


def test_dumps_of_others_are_read(shared_data: Path) -> None:
    (folder,) = (shared_data / "other-spanlike").glob("scalyr*")
    spans = read(folder / "zipkin__zipkinv1__testdata__zipkin_v1_thrift_single_batch.json", strict=True)
    assert spans.select("name", "kind", "depth").rows() == [
        ("checkAvailability", "client", 0),
        ("checkAvailability", "server", 1),
        ("checkStock", "client", 2),
        ("checkStock", "server", 3),
        ("checkStock", "internal", 1),
    ]
    assert spans["span.http.status_code"].drop_nulls().to_list() == ["200"]

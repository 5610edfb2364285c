"""What dumps of others have and hand-made samples seldom do: each habit in a few spans of our own."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, ROOT, START, TRACE_ID, attribute, compact, protobuf, request, shop_jaeger, span
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import load_report, read, write
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path


def problems(content: bytes) -> dict[str, int]:
    report = load_report(content).filter(pl.col("problem") != "spans")
    return dict(report.select("problem", "count").rows())


def test_kinds_and_statuses_by_name_are_understood_however_they_are_written() -> None:
    names = ("INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
    words = ["internal", "server", "client", "producer", "consumer", "unspecified", "unspecified"]
    kinds = [f"SPAN_KIND_{name}" for name in names] + ["SPAN_KIND_UNSPECIFIED", ""]
    kinds[2] = " span_kind_client"
    codes = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "Status_Code_Error", "", "1", "2", "0"]
    rows = [
        span(f"{number:016x}", kind=kind, status={"code": code})
        for number, (kind, code) in enumerate(zip(kinds, codes, strict=True), 1)
    ]
    for content in (compact(request(*rows)), compact(*(request(row) for row in rows))):
        spans = read(content).sort("span_id")
        assert spans["kind"].to_list() == words
        assert spans["status_code"].to_list() == ["unset", "ok", "error", "unset", "ok", "error", "unset"]
        assert problems(content).keys() == {"kinds or statuses by name"}
        assert problems(content)["kinds or statuses by name"] >= len(rows)


def test_a_name_that_is_no_kind_is_dropped_and_counted() -> None:
    rows = [span(f"{number:016x}", kind=kind) for number, kind in enumerate(("SPAN_KIND_SERVER", "SPAN_KIND_ODD"), 1)]
    content = compact(request(*rows))
    with pytest.warns(LoadWarning, match="unknown kinds"):
        assert read(content).sort("span_id")["kind"].to_list() == ["server", "unspecified"]
    assert problems(content)["unknown kinds or statuses"] == 1


@pytest.mark.parametrize("kind", [2, "SPAN_KIND_SERVER"])
@pytest.mark.parametrize("zero", ["0", 0], ids=repr)
def test_a_time_of_zero_is_none(zero: str | int, kind: str | int) -> None:
    rows = [span(f"{number:016x}", kind=kind) for number in range(1, 4)]
    rows[1] |= {"endTimeUnixNano": zero}
    rows[2] |= {"startTimeUnixNano": zero}
    content = compact(request(*rows))
    with pytest.warns(LoadWarning, match="without"):
        spans = read(content).sort("span_id")
    assert spans["start_time"].to_physical().to_list() == [START, START, START + 5_000_000]
    assert spans["duration"].dt.total_nanoseconds().to_list() == [5_000_000, 0, 0]
    found = problems(content)
    assert (found["spans without an end"], found["spans without a start"]) == (1, 1)


@pytest.mark.parametrize("kind", [2, "SPAN_KIND_SERVER"])
@pytest.mark.parametrize("time", ["-5", -5, str(2**63), 2**64, "soon"], ids=repr)
def test_a_time_that_is_none_is_dropped_and_counted(time: str | int, kind: str | int) -> None:
    content = compact(request(span(kind=kind), span(CALL, kind=kind, endTimeUnixNano=time)))
    with pytest.warns(LoadWarning):
        spans = read(content)
    assert spans.filter(span_id=CALL)["start_time"].to_physical().item() == START
    assert spans.filter(span_id=ROOT)["duration"].dt.total_milliseconds().item() == 5
    assert problems(content)["times that are no times"] == 1


def test_hundreds_of_protobuf_spans_are_those_of_their_json() -> None:
    rows = [
        span(
            f"{number:016x}",
            parentSpanId=f"{number // 2:016x}" if number > 1 else None,
            name="n" * (number * 3 % 400),
            kind=number % 6,
            flags=number * 977,
            startTimeUnixNano=str(START + number),
            endTimeUnixNano=str(START + number * 1_000),
            attributes=[
                attribute("text", "x" * (number % 200)), attribute("whole", (-1) ** number * 3 ** (number % 39)),
                attribute("real", number / 7), attribute("yes", number % 2 == 0),
                attribute("list", [number, -number]), attribute("map", {"a": number}),
            ][: number % 7],
            events=[{"timeUnixNano": str(START + number), "name": "e"}] * (number % 3),
        )
        for number in range(1, 300)
    ]  # fmt: skip
    document = request(*rows)
    spans = read(compact(document))
    assert spans.height == 299
    assert spans.filter(pl.col("span.whole") < -(2**40)).height
    assert_frame_equal(read(protobuf(document)), spans)
    assert_frame_equal(read(protobuf(request(*rows[:9]))), read(compact(request(*rows[:9]))))
    many = b"".join(_framed(protobuf(request(row))) for row in rows)
    assert_frame_equal(read(many), spans)


def _framed(message: bytes) -> bytes:
    """Put the length before a message, as the Collector's file exporter does."""
    return len(message).to_bytes(4, "big") + message


def test_jaeger_spans_alone_tell_what_they_are() -> None:
    bare = copy.deepcopy(shop_jaeger()["data"][0])
    del bare["traceID"], bare["processes"]
    with pytest.warns(LoadWarning, match="without a process"):
        assert read(compact(bare)).height == 3
    assert load_report(compact(bare))["format"][0] == "jaeger-json"


def test_traces_in_lists_and_answers_in_lists_are_found() -> None:
    whole = read(compact(shop_jaeger()))
    trace = shop_jaeger()["data"][0]
    for nested in ([trace], [[trace]], [{"data": [trace]}], [shop_jaeger()], {"data": [[trace]]}):
        assert_frame_equal(read(json.dumps(nested, indent=1).encode()), whole)


@pytest.mark.parametrize("indent", [None, 1])
def test_what_stands_beside_the_spans_of_a_list_is_counted(indent: int | None) -> None:
    content = json.dumps([shop_jaeger()["data"][0], {"note": "no trace"}], indent=indent).encode()
    assert read(content).height == 3
    assert problems(content) == {"objects beside the spans": 1}


def test_a_folder_of_parquet_is_the_frame_that_was_written(tmp_path: Path) -> None:
    spans = draw("""
        web::GET /a   =====  shop=toys
          db::select  .==    shop=toys

        web::GET /b   ===    shop=toys
          db::insert  .=     shop=toys
    """)
    folder = write(spans, tmp_path / "kept")
    assert_frame_equal(read(folder), spans)
    first, second = spans.filter(trace_id=spans["trace_id"][0]), spans.filter(trace_id=spans["trace_id"][-1])
    both = [write(second, tmp_path / "2.parquet"), write(first, tmp_path / "1.parquet")]
    assert_frame_equal(read(both), spans)
    with pytest.warns(LoadWarning, match="duplicated"):
        assert_frame_equal(read([*both, both[0]]), spans)


def test_parquet_of_something_else_is_refused_with_its_columns(tmp_path: Path) -> None:
    pl.DataFrame({"colour": ["red"], "weight": [1.0]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(LoadError, match="parquet"):
        read(tmp_path / "x.parquet")


def v1(marks: list[tuple[str, int, str]], **fields: Any) -> dict[str, Any]:
    annotations = [
        {"value": value, "timestamp": time, "endpoint": {"serviceName": service}} for value, time, service in marks
    ]
    return {"traceId": TRACE_ID, "id": ROOT, "name": "get", "annotations": annotations, **fields}


def test_zipkin_v1_prefers_the_times_of_the_span_itself_and_keeps_its_notes() -> None:
    marks = [("cs", 1_000, "web"), ("cr", 1_050, "web"), ("cache miss", 1_020, "web")]
    for own, expected in (({"timestamp": 900, "duration": 200}, (900, 200)), ({}, (1_000, 50))):
        spans = read(compact([v1(marks, **own)]))
        assert spans.select(
            "kind", "service_name", pl.col("start_time").dt.epoch("us"), pl.col("duration").dt.total_microseconds()
        ).rows() == [("client", "web", *expected)]
        (event,) = spans["events"].item()
        assert (event["name"], event["time"].microsecond) == ("cache miss", 1_020)


def test_zipkin_v1_gives_notes_and_tags_to_the_half_that_wrote_them() -> None:
    marks = [("cs", 1_000, "web"), ("sr", 1_010, "db"), ("ss", 1_030, "db"), ("cr", 1_050, "web")]
    notes = [("in web", 1_005, "web"), ("in db", 1_015, "db"), ("elsewhere", 1_016, "cache")]
    tags = [{"key": "k", "value": name, "endpoint": {"serviceName": name}} for name in ("web", "db")]
    own = {"timestamp": 990, "duration": 100}
    spans = read(compact([v1([*marks, *notes], binaryAnnotations=tags, **own)]))
    assert spans.select(
        "service_name",
        "kind",
        pl.col("start_time").dt.epoch("us"),
        pl.col("duration").dt.total_microseconds(),
        "span.k",
    ).rows() == [("web", "client", 990, 100, "web"), ("db", "server", 1_010, 20, "db")]
    assert [[event["name"] for event in events] for events in spans["events"]] == [["in web", "elsewhere"], ["in db"]]
    assert spans["parent_span_id"].to_list() == [None, ROOT]


def test_zipkin_v1_without_marks_is_of_the_service_that_wrote_anything() -> None:
    content = v1(
        [],
        timestamp=5,
        duration=7,
        binaryAnnotations=[{"key": "lc", "value": "work", "endpoint": {"serviceName": "job"}}],
    )
    spans = read(compact([content]))
    assert spans.select("service_name", "kind", "span.lc").rows() == [("job", "internal", "work")]
    assert spans["duration"].dt.total_microseconds().item() == 7

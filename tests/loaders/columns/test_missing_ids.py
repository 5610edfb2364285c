from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, CHILD, ROOT, START, TRACE_ID, compact, protobuf, request, span
from tests.property.load_strategies import requests
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import json_reader, load_report, read, write
from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.formats import BY_NAME
from tracelab.loaders.input import cutting as json_cut
from tracelab.loaders.otlp import fast as otlp_fast
from tracelab.schema import SPAN_SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

NO_TRACE, NO_SPAN, ORPHANS = (
    "spans without a trace id",
    "spans without a span id",
    "spans without a trace id whose parent is missing",
)
NOTHING: dict[str, dict[str, Any]] = {
    "missing": {"traceId": None, "spanId": None},
    "empty": {"traceId": "", "spanId": ""},
    "zero": {"traceId": "0" * 32, "spanId": "0" * 16},
    "short zeros": {"traceId": "0", "spanId": "00"},
    "long zeros": {"traceId": "0" * 40, "spanId": "0" * 32},
    "zeros in base64": {"traceId": "A" * 22 + "==", "spanId": "A" * 11 + "="},
}

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")


def missing(source: Any) -> dict[str, tuple[str, int]]:
    """Give what the load report says of missing ids, in all sources."""
    found = load_report(source).filter(pl.col("problem").is_in([NO_TRACE, NO_SPAN, ORPHANS]))
    report = found.group_by("problem", "action").agg(pl.col("count").sum())
    return {name: (action, count) for name, action, count in report.select("problem", "action", "count").rows()}


def three(**ids: Any) -> dict[str, Any]:
    return request(*(span(name=name, **ids) for name in "abc"))


def assert_ids_are_good(spans: pl.DataFrame) -> None:
    assert spans["trace_id"].str.contains("^[0-9a-f]{32}$").all()
    assert spans["span_id"].str.contains("^[0-9a-f]{16}$").all()
    assert not spans["trace_id"].str.contains("^0+$").any()
    assert not spans["span_id"].str.contains("^0+$").any()


@pytest.mark.parametrize("nothing", NOTHING)
def test_spans_without_ids_are_spans_of_their_own(nothing: str) -> None:
    dump = compact(three(**NOTHING[nothing]))
    spans = read(dump)
    assert sorted(spans["name"]) == ["a", "b", "c"]
    assert (spans["trace_id"].n_unique(), spans["span_id"].n_unique()) == (3, 3)
    assert spans["depth"].to_list() == [0, 0, 0]
    assert_ids_are_good(spans)
    assert missing(dump) == {NO_TRACE: ("guessed", 3), NO_SPAN: ("guessed", 3)}
    report = load_report(dump)
    assert not {"ids without leading zeros", "ids that are too long"} & {*report["problem"]}
    assert report.filter(pl.col("problem") == NO_SPAN)["first_place"].item().endswith("spans[0]")
    assert_frame_equal(read(dump), spans)
    with pytest.warns(LoadWarning, match="without a span id"):
        read(dump)
    with pytest.raises(LoadError, match="without a trace id"):
        read(dump, strict=True)


def test_ids_are_given_alike_in_every_way_of_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [span(CALL), span(spanId=""), span(traceId="", name="alone"), span(spanId="", traceId="", name="nothing")]
    document = {
        "resourceSpans": [group for each in some * 3 for group in request(each, service=each["name"])["resourceSpans"]]
    }
    dump = compact(document)
    spans, counts = read(dump), missing(dump)
    assert_ids_are_good(spans)
    lines = [compact({"resourceSpans": [group]}) for group in document["resourceSpans"]]
    for source in (protobuf(document), json.dumps(document, indent=1).encode(), b"".join(lines), lines):
        assert_frame_equal(read(source), spans)
        assert missing(source) == counts
    monkeypatch.setattr(otlp_fast, "chunk_of", refuse)
    assert_frame_equal(read(dump), spans)
    monkeypatch.setattr(json_reader, "LARGEST", 0)
    monkeypatch.setattr(json_cut, "PIECE", 300)
    assert_frame_equal(read(json.dumps(document).encode()), spans)


def test_a_span_without_a_span_id_keeps_its_trace_and_its_parent() -> None:
    dump = compact(request(span(ROOT, name="root"), *(span("", parentSpanId=ROOT, name=name) for name in "ab")))
    spans = read(dump)
    assert spans["trace_id"].unique().to_list() == [TRACE_ID]
    assert sorted(spans.select("name", "depth").rows()) == [("a", 1), ("b", 1), ("root", 0)]
    assert missing(dump) == {NO_SPAN: ("guessed", 2)}


def test_spans_without_a_trace_id_that_name_each_other_share_one() -> None:
    some = [
        span(ROOT, name="root"),
        span(CALL, parentSpanId=ROOT, name="call"),
        span("", parentSpanId=CALL, name="leaf"),
        span("aa" * 8, name="other root"),
        span("bb" * 8, parentSpanId="aa" * 8, name="other call"),
        span("cc" * 8, parentSpanId="99" * 8, name="orphan"),
    ]
    dump = compact(request(*({**each, "traceId": ""} for each in some)))
    spans = read(dump)
    groups = spans.group_by("trace_id").agg(pl.col("name").sort(), pl.col("depth").max())
    assert sorted(groups.select("name", "depth").rows()) == [
        (["call", "leaf", "root"], 2),
        (["orphan"], 0),
        (["other call", "other root"], 1),
    ]
    assert spans.filter(pl.col("name") == "orphan")["parent_span_id"].item() == "99" * 8
    assert missing(dump) == {NO_TRACE: ("guessed", 6), NO_SPAN: ("guessed", 1), ORPHANS: ("kept", 1)}


def test_a_span_without_a_trace_id_is_no_child_in_another_trace() -> None:
    dump = compact(request(span(ROOT), span(CALL, traceId="", parentSpanId=ROOT)))
    spans = read(dump)
    assert spans["trace_id"].n_unique() == 2
    assert spans.filter(pl.col("span_id") == CALL).select("parent_span_id", "depth").row(0) == (ROOT, 0)
    assert missing(dump) == {NO_TRACE: ("guessed", 1), ORPHANS: ("kept", 1)}


@pytest.mark.parametrize("length", [1, 2, 3, 50])
def test_a_cycle_of_spans_without_a_trace_id_shares_one(length: int) -> None:
    ring = [span(f"{own:016x}", traceId="", parentSpanId=f"{own % length + 1:016x}") for own in range(1, length + 1)]
    below = [span(f"{500 + own:016x}", traceId="", parentSpanId=f"{own:016x}") for own in range(1, length + 1)]
    assert read(compact(request(*below, *ring)))["trace_id"].n_unique() == 1


def test_a_span_without_a_trace_id_that_was_delivered_twice_counts_once() -> None:
    dump = compact(request(span(ROOT, traceId=""), span(CALL, traceId="", parentSpanId=ROOT)))
    assert read(dump * 2).height == 2
    report = load_report(dump * 2).filter(pl.col("problem") == "duplicated spans")
    assert report.select("count", "lost_spans").row(0) == (2, 2)


def test_ids_differ_over_all_sources_of_a_reading_and_over_readings() -> None:
    one, other = (
        compact(three(traceId="", spanId="")),
        compact(three(traceId="", spanId="", endTimeUnixNano=str(START))),
    )
    both = read([one, one, other])
    assert (both["trace_id"].n_unique(), both["span_id"].n_unique(), both.height) == (9, 9, 9)
    apart = pl.concat([read(one), read(other)])
    assert (apart["trace_id"].n_unique(), apart["span_id"].n_unique()) == (6, 6)


@pytest.mark.parametrize("where", ["spanId", "parentSpanId", "links"])
def test_an_id_that_is_given_is_never_one_that_the_dump_has(where: str) -> None:
    lonely = span("", name="lonely")
    first = read(compact(request(lonely)))["span_id"].item()
    held: dict[str, Any] = {"links": [{"traceId": TRACE_ID, "spanId": first}]} if where == "links" else {where: first}
    spans = read(compact(request(lonely, {**span(CHILD), **held})))
    given_id = spans.filter(pl.col("name") == "lonely")["span_id"].item()
    assert given_id != first
    assert spans["depth"].to_list() == [0, 0]
    assert_ids_are_good(spans)


def test_a_trace_id_that_is_given_is_never_one_that_the_dump_has() -> None:
    lonely = span(ROOT, traceId="", name="lonely")
    first = read(compact(request(lonely)))["trace_id"].item()
    for other in (span(CALL, traceId=first), span(CALL, links=[{"traceId": first, "spanId": CALL}])):
        assert read(compact(request(lonely, other))).filter(pl.col("name") == "lonely")["trace_id"].item() != first


@pytest.mark.parametrize("way", ["fast", "tolerant"])
@pytest.mark.parametrize("nothing", ["", "0", "0000000000000000", None])
def test_jaeger_gives_ids_to_spans_without(way: str, nothing: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "tolerant":
        monkeypatch.setitem(BY_NAME, "jaeger-json", replace(BY_NAME["jaeger-json"], fast=refuse))
    row = {"traceID": nothing, "spanID": nothing, "startTime": 100, "duration": 7, "processID": "p1"}
    rows = [{**row, "operationName": name} for name in "abc"]
    dump = compact({"data": [{"traceID": nothing, "spans": rows, "processes": {"p1": {"serviceName": "shop"}}}]})
    spans = read(dump)
    assert (spans["trace_id"].n_unique(), spans["span_id"].n_unique()) == (3, 3)
    assert_ids_are_good(spans)
    assert missing(dump) == {NO_TRACE: ("guessed", 3), NO_SPAN: ("guessed", 3)}


@pytest.mark.parametrize("nothing", ["", "0", "0000000000000000", None])
def test_zipkin_does_not_put_rows_without_ids_together(nothing: str | None) -> None:
    good: dict[str, Any] = {"traceId": TRACE_ID, "id": ROOT, "timestamp": 1000, "name": "root", "kind": "CLIENT"}
    bad: dict[str, Any] = {"traceId": TRACE_ID, "id": nothing, "timestamp": 1001, "parentId": ROOT, "kind": "SERVER"}
    rows = [good, *({**bad, "name": name} for name in "ab"), {**bad, "traceId": nothing, "parentId": "0", "name": "c"}]
    dump = compact([{key: value for key, value in row.items() if value is not None} for row in rows])
    spans = read(dump)
    assert sorted(spans.select("name", "depth").rows()) == [("a", 1), ("b", 1), ("c", 0), ("root", 0)]
    assert (spans["trace_id"].n_unique(), spans["span_id"].n_unique()) == (2, 4)
    assert_ids_are_good(spans)
    assert missing(dump) == {NO_TRACE: ("guessed", 1), NO_SPAN: ("guessed", 3)}
    assert "spans that are their own parents" not in load_report(dump)["problem"].to_list()


def test_zipkin_still_refuses_what_is_no_row() -> None:
    good = {"traceId": TRACE_ID, "id": ROOT, "timestamp": 1000, "duration": 5, "name": "root"}
    dump = compact([good, {"name": "x"}, {**good, "id": 5}])
    assert read(dump).height == 1
    report = load_report(dump).filter(pl.col("problem") == "spans that are none")
    assert report.select("count", "lost_spans").row(0) == (2, 2)


@pytest.mark.parametrize("format_", ["go", "python", "clickhouse"])
def test_other_formats_give_ids_to_spans_without(format_: str) -> None:
    zero, time = "0" * 32, "2026-01-01T00:00:00Z"
    times = {"start_time": time, "end_time": time}
    documents: dict[str, dict[str, Any]] = {
        "go": {"Name": "x", "SpanContext": {"TraceID": zero, "SpanID": zero[:16]}, "StartTime": time, "EndTime": time},
        "python": {"name": "x", "context": {"trace_id": "0x" + zero, "span_id": "0x"}, **times},
        "clickhouse": {"TraceId": "", "SpanId": "", "SpanName": "x", "Timestamp": time, "Duration": 5},
    }  # fmt: skip
    dump = compact(*[documents[format_]] * 3)
    spans = read(dump)
    assert (spans["trace_id"].n_unique(), spans["span_id"].n_unique(), spans.height) == (3, 3, 3)
    assert_ids_are_good(spans)
    assert missing(dump) == {NO_TRACE: ("guessed", 3), NO_SPAN: ("guessed", 3)}


def test_a_frame_with_zeros_for_ids_stays_as_it_was_written_but_gets_ids_among_other_dumps(tmp_path: Path) -> None:
    spans = read(compact(request(span(ROOT), span(CALL)))).with_columns(
        pl.lit("0" * 32).alias("trace_id"), pl.lit("0" * 16).alias("span_id")
    )
    path = write(spans, tmp_path / "old.parquet")
    assert_frame_equal(read(path), spans)
    other = compact(request(span(CHILD)))
    both = read([path, other])
    assert (both["trace_id"].n_unique(), both["span_id"].n_unique(), both.height) == (3, 3, 3)
    assert missing([path, other]) == {NO_TRACE: ("guessed", 2), NO_SPAN: ("guessed", 2)}


def test_ids_that_were_given_survive_writing(tmp_path: Path) -> None:
    spans = read(compact(three(traceId="", spanId="")))
    for suffix in (".parquet", ".jsonl"):
        assert_frame_equal(read(write(spans, tmp_path / f"kept{suffix}")), spans)


@given(requests(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_ids_of_any_kind_are_mended_alike_in_json_and_protobuf(document: dict[str, Any], random: Any) -> None:
    document = copy.deepcopy(document)
    whole = {"traceId": ["", "0" * 32, "00000000000000aa", "ab" * 8 + "00000000000000aa"], "spanId": ["", "0" * 16]}
    spans = [each for group in document["resourceSpans"] for scope in group["scopeSpans"] for each in scope["spans"]]
    for each in spans:
        for key, values in whole.items():
            each[key] = random.choice([each[key], *values])
    found, report = read(compact(document)), load_report(compact(document))
    assert found.height + report["lost_spans"].sum() == len(spans)
    assert_ids_are_good(found)
    assert found.schema["trace_id"] == SPAN_SCHEMA["trace_id"]
    assert_frame_equal(read(protobuf(document)), found)
    assert load_report(protobuf(document)).filter(pl.col("action") == "guessed").select("problem", "count").rows() == (
        report.filter(pl.col("action") == "guessed").select("problem", "count").rows()
    )


def refuse(*_: Any, **__: Any) -> Any:
    raise DoesNotFit("not now")

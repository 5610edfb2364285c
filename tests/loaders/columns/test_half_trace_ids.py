from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.loaders.dumps import CALL, CHILD, ROOT, TRACE_ID, compact, protobuf, request, shop_jaeger, shop_otlp, span
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import json_reader, load_report, read, write
from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.formats import BY_NAME
from tracelab.loaders.input import cutting as json_cut
from tracelab.loaders.otlp import fast as otlp_fast

if TYPE_CHECKING:
    from pathlib import Path

TAIL = TRACE_ID[16:]
OTHER = "ab" * 8 + TAIL
JOINED, LEFT = "spans with half a trace id", "spans that may have half a trace id"
FURTHER = "dd" * 8


def halves(source: Any) -> list[tuple[str, str, int]]:
    """List what the load report says of halves."""
    report = load_report(source).filter(pl.col("problem").is_in([JOINED, LEFT]))
    return report.select("problem", "action", "count").rows()


def cut(*spans: dict[str, Any], trace_id: str = TAIL) -> list[dict[str, Any]]:
    return [{**each, "traceId": trace_id} for each in spans]


def tree() -> dict[str, Any]:
    """Give a trace whose sender of the last two spans cut the trace id."""
    short = cut(span(CHILD, parentSpanId=CALL, name="child"), span(FURTHER, parentSpanId=CHILD, name="further"))
    return request(span(ROOT, name="root"), span(CALL, parentSpanId=ROOT, name="call"), *short)


def test_the_halves_of_a_trace_are_joined_where_a_parent_is_found() -> None:
    with pytest.warns(LoadWarning, match=r"half a trace id \(guessed: 2;"):
        spans = read(compact(tree()))
    assert spans.select("trace_id", "name", "depth").rows() == [
        (TRACE_ID, "root", 0),
        (TRACE_ID, "call", 1),
        (TRACE_ID, "child", 2),
        (TRACE_ID, "further", 3),
    ]
    assert halves(compact(tree())) == [(JOINED, "guessed", 2)]
    row = load_report(compact(tree())).filter(pl.col("problem") == JOINED).row(0, named=True)
    assert (row["first_place"], row["example"]) == (f"trace {TRACE_ID}", "0" * 16 + TAIL)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_the_half_that_holds_the_root_may_be_the_short_one() -> None:
    dump = compact(request(*cut(span(ROOT, name="root")), span(CALL, parentSpanId=ROOT, name="call")))
    assert read(dump).select("trace_id", "depth").rows() == [(TRACE_ID, 0), (TRACE_ID, 1)]
    assert halves(dump) == [(JOINED, "guessed", 1)]


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_halves_are_joined_in_every_way_of_reading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = tree()
    dump = compact(document)
    spans, report = read(dump), halves(dump)
    lines = [compact(request(each)) for each in document["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    apart = [tmp_path / f"{number}.jsonl" for number in range(len(lines))]
    for path, line in zip(apart, lines, strict=True):
        path.write_bytes(line)
    padded = dump.replace(f'"{TAIL}"'.encode(), f'"{"0" * 16}{TAIL}"'.encode())
    upper = dump.replace(TAIL.encode(), TAIL.upper().encode())
    for source in (protobuf(document), b"".join(lines), lines, tmp_path, lines[::-1], padded, upper):
        assert_frame_equal(read(source), spans)
        assert halves(source) == report
    frame = write(read(lines[0]), tmp_path / "root.parquet")
    assert_frame_equal(read([frame, *apart[1:]]), spans)
    monkeypatch.setattr(json_reader, "LARGEST", 0)
    monkeypatch.setattr(json_cut, "PIECE", 100)
    assert_frame_equal(read(json.dumps(document).encode()), spans)
    monkeypatch.setattr(otlp_fast, "chunk_of", refuse)
    assert_frame_equal(read(dump), spans)


UNTIED: dict[str, list[dict[str, Any]]] = {
    "no parent": [span(ROOT), *cut(span(CALL))],
    "a parent that is nowhere": [span(ROOT), *cut(span(CALL, parentSpanId=CHILD))],
    "a parent in a third trace": [
        span(ROOT),
        *cut(span(CALL, parentSpanId=CHILD)),
        *cut(span(CHILD), trace_id="cd" * 16),
    ],
    "several long ones": [
        span(ROOT),
        *cut(span(ROOT), trace_id=OTHER),
        *cut(span(CALL, parentSpanId=ROOT)),
    ],
    "a parent in its own half too": [
        span(ROOT),
        span(CALL, parentSpanId=ROOT),
        *cut(span(ROOT), span(CALL, parentSpanId=ROOT)),
    ],
}


@pytest.mark.parametrize("case", UNTIED)
def test_halves_that_nothing_ties_are_left_and_told(case: str) -> None:
    spans = UNTIED[case]
    short = sum(each["traceId"] == TAIL for each in spans)
    with pytest.warns(LoadWarning, match=LEFT):
        found = read(compact(request(*spans)))
    assert sorted(found["trace_id"]) == sorted(each["traceId"].zfill(32) for each in spans)
    assert halves(compact(request(*spans))) == [(LEFT, "kept", short)]


@pytest.mark.parametrize("trace_id", [TAIL, "a1", "0" * 16 + TAIL])
def test_short_ids_alone_stay_as_they_are(trace_id: str) -> None:
    dump = compact(request(*cut(span(ROOT), span(CALL, parentSpanId=ROOT), trace_id=trace_id), span("ee" * 8)))
    dump = dump.replace(TRACE_ID.encode(), b"ab" * 16)
    assert sorted(read(dump)["trace_id"]) == [*[trace_id.zfill(32)] * 2, "ab" * 16]
    assert halves(dump) == []


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_some_halves_are_joined_while_others_are_left() -> None:
    other = [span("1" * 16, traceId="ef" * 16), span("2" * 16, traceId="ef" * 8)]
    dump = compact(tree(), request(*other))
    assert halves(dump) == [(LEFT, "kept", 1), (JOINED, "guessed", 2)]
    assert read(dump)["trace_id"].n_unique() == 3


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_links_follow_the_trace_ids_that_became_whole() -> None:
    links = [{"traceId": TAIL, "spanId": CHILD}, {"traceId": "cd" * 16, "spanId": ROOT}]
    dump = compact(tree(), request(span("ee" * 8, traceId="ee" * 16, links=links)))
    linking = read(dump).filter(pl.col("span_id") == "ee" * 8)["links"].item()
    assert [(link["trace_id"], link["span_id"]) for link in linking] == [(TRACE_ID, CHILD), ("cd" * 16, ROOT)]
    assert read(dump)["links"].list.len().sum() == 2


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_a_span_that_was_delivered_under_both_ids_counts_once() -> None:
    twice = span(CALL, parentSpanId=ROOT)
    dump = compact(request(span(ROOT), twice, *cut(twice)))
    assert read(dump).select("trace_id", "span_id").rows() == [(TRACE_ID, ROOT), (TRACE_ID, CALL)]
    assert halves(dump) == [(JOINED, "guessed", 1)]
    report = load_report(dump).filter(pl.col("problem") == "duplicated spans")
    assert report.select("count", "lost_spans").row(0) == (1, 1)


def test_a_guess_about_halves_stops_a_strict_reading() -> None:
    with pytest.raises(LoadError, match="half a trace id"):
        read(compact(tree()), strict=True)


def cut_jaeger(*, in_reference: bool) -> dict[str, Any]:
    """Give the shop's trace with a callee that cut the trace id, also where it names its parent or not."""
    document = shop_jaeger()
    trace = document["data"][0]
    callee = trace["spans"].pop()
    callee["traceID"] = TAIL
    if in_reference:
        callee["references"][0]["traceID"] = TAIL
    processes = trace["processes"]
    return {"data": [trace, {"traceID": TAIL, "spans": [callee], "processes": processes}]}


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("way", ["fast", "tolerant"])
@pytest.mark.parametrize("in_reference", [True, False])
def test_jaeger_joins_halves_whichever_id_a_reference_gives(
    way: str, monkeypatch: pytest.MonkeyPatch, *, in_reference: bool
) -> None:
    if way == "tolerant":
        monkeypatch.setitem(BY_NAME, "jaeger-json", replace(BY_NAME["jaeger-json"], fast=refuse))
    dump = compact(cut_jaeger(in_reference=in_reference))
    assert_frame_equal(read(dump), read(compact(shop_otlp())))
    assert halves(dump) == [(JOINED, "guessed", 1)]


def zipkin(span_id: str, trace_id: str, parent: str | None = None, **fields: Any) -> dict[str, Any]:
    content = {"traceId": trace_id, "id": span_id, "parentId": parent, "timestamp": 1000, "duration": 50, "name": "get"}
    return {key: value for key, value in {**content, **fields}.items() if value is not None}


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_halves_of_a_shared_span_are_joined_in_zipkin() -> None:
    rows = [
        zipkin(ROOT, TRACE_ID, kind="CLIENT", localEndpoint={"serviceName": "web"}),
        zipkin(ROOT, TAIL, kind="SERVER", shared=True, localEndpoint={"serviceName": "db"}),
        zipkin("ee" * 8, "ee" * 16, tags={"otlp.link.0": f"{TAIL}|{ROOT}||{{}}|0"}),
    ]
    spans = read(compact(rows))
    assert spans.select("trace_id", "kind", "depth").rows() == [
        (TRACE_ID, "client", 0),
        (TRACE_ID, "server", 1),
        ("ee" * 16, "internal", 0),
    ]
    assert [link["trace_id"] for link in spans["links"][2]] == [TRACE_ID]
    assert halves(compact(rows)) == [(JOINED, "guessed", 1)]


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_zipkin_leaves_halves_that_nothing_ties_and_those_of_several() -> None:
    for rows in (
        [zipkin(ROOT, TRACE_ID), zipkin(CALL, TAIL)],
        [zipkin(ROOT, TRACE_ID), zipkin(ROOT, OTHER), zipkin(CALL, TAIL, ROOT)],
    ):
        assert sorted(read(compact(rows))["trace_id"]) == sorted(row["traceId"].zfill(32) for row in rows)
        assert halves(compact(rows)) == [(LEFT, "kept", 1)]


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_zipkin_puts_rows_of_one_span_together_under_the_whole_id() -> None:
    rows = [zipkin(ROOT, TRACE_ID, duration=None), zipkin(ROOT, TAIL, timestamp=None, kind="SERVER")]
    spans = read(compact(rows))
    assert spans.select("trace_id", "kind", pl.col("duration").dt.total_microseconds()).rows() == [
        (TRACE_ID, "server", 50)
    ]


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
def test_halves_are_joined_over_formats() -> None:
    caller = compact(request(span(ROOT, name="root")))
    callee = compact([zipkin(CALL, TAIL, ROOT)])
    spans = read([callee, caller])
    assert spans.select("trace_id", "name", "depth").rows() == [(TRACE_ID, "root", 0), (TRACE_ID, "get", 1)]
    report = load_report([callee, caller]).filter(pl.col("problem") == JOINED)
    assert report.select("source", "count").rows() == [("(all sources together)", 1)]


def refuse(*_: Any, **__: Any) -> Any:
    raise DoesNotFit("not now")

"""What the SDKs' own exporters to files write: Python's is run, Java's layout is written down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.trace import set_span_in_context as in_context

from tests.loaders.dumps import attribute, compact
from tracelab.loaders import load_report, read

if TYPE_CHECKING:
    from pathlib import Path

VALUES: dict[str, Any] = {
    "text": 'a "quoted" ü 🙂',
    "yes": True,
    "whole": 2**62,
    "negative": -1,
    "real": 0.1,
    "texts": ["a", "b"],
    "numbers": [1, 2**60],
    "reals": [0.5, 1.0],
    "flags": [True, False],
    "nothing": [],
}
OTHER = SpanContext(int("ab" * 16, 16), int("cd" * 8, 16), True, TraceFlags(1), TraceState([("x", "y")]))


@pytest.fixture
def fast_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tolerant reader fail: what is written by the book must not need it."""

    def fail() -> None:
        raise AssertionError("read by the tolerant reader")

    monkeypatch.setattr("tracelab.loaders.json_reader.Builder", fail)


def recorded(path: Path, processor: Any) -> tuple[Any, Any]:
    """Record a trace of two spans with everything that a span can have; gives what the SDK holds of them."""
    limits = SpanLimits(max_span_attributes=len(VALUES))
    resource = Resource({"service.name": "shop", "cores": 8, "zones": ["a", "b"]}, "https://example.org/resource")
    provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(processor(FileSpanExporter(path)))
    tracer = provider.get_tracer("tests", "1.0", "https://example.org/scope", {"lang": "python"})
    root = tracer.start_span("GET /pay", kind=SpanKind.SERVER, links=[Link(OTHER, {"why": "retry", "n": 2})])
    root.set_attribute("dropped", "first")
    for key, value in VALUES.items():
        root.set_attribute(key, value)
    call = tracer.start_span("get price", in_context(root), SpanKind.CLIENT)
    call.record_exception(ValueError("no price"), {"attempt": 2, "last": True})
    call.set_status(Status(StatusCode.ERROR, "too slow"))
    call.end()
    root.set_status(Status(StatusCode.OK))
    root.end()
    provider.shutdown()
    return root, call


@pytest.mark.usefixtures("fast_only")
@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
def test_what_pythons_exporter_writes_is_what_was_recorded(processor: Any, tmp_path: Path) -> None:
    root, call = recorded(tmp_path / "spans.jsonl", processor)
    spans = read(tmp_path / "spans.jsonl", strict=True)
    times = pl.col("start_time").dt.timestamp("ns"), pl.col("duration").dt.total_nanoseconds()
    ids = "trace_id", "span_id", "parent_span_id"
    trace_id, root_id, call_id = (
        f"{root.context.trace_id:032x}",
        *(f"{each.context.span_id:016x}" for each in (root, call)),
    )
    assert spans.select(*ids, "name", *times).rows() == [
        (trace_id, root_id, None, "GET /pay", root.start_time, root.end_time - root.start_time),
        (trace_id, call_id, root_id, "get price", call.start_time, call.end_time - call.start_time),
    ]
    assert spans.select("kind", "status_code", "status_message").rows() == [
        ("server", "ok", None),
        ("client", "error", "too slow"),
    ]
    row = spans.row(0, named=True)
    assert {key: row[f"span.{key}"] for key in VALUES} == VALUES
    assert (row["service_name"], row["resource.cores"], row["resource.zones"]) == ("shop", 8, ["a", "b"])
    scope = ("scope_name", "scope_version", "instrumentation.lang")
    assert tuple(row[name] for name in scope) == ("tests", "1.0", "python")


@pytest.mark.usefixtures("fast_only")
def test_pythons_exporter_keeps_events_links_and_counts_of_what_was_dropped(tmp_path: Path) -> None:
    recorded(tmp_path / "spans.jsonl", BatchSpanProcessor)
    spans = read(tmp_path / "spans.jsonl")
    (link,), (event,) = spans["links"][0], spans["events"][1]
    # The exporter does not write the trace state of links.
    assert link == {
        "trace_id": "ab" * 16,
        "span_id": "cd" * 8,
        "trace_state": None,
        "attributes": {"why": "retry", "n": "2"},
    }
    held = event["attributes"]
    assert event["name"] == "exception"
    assert (held["exception.type"], held["exception.message"], held["attempt"], held["last"]) == (
        "ValueError",
        "no price",
        "2",
        "true",
    )
    report = load_report(tmp_path / "spans.jsonl")
    assert report["format"].unique().to_list() == ["otlp-json"]
    assert report.filter(pl.col("problem") == "dropped by the producer")["count"].item() == 1


def java_line(**more: Any) -> dict[str, Any]:
    """Give a line as Java's exporter to the log or to stdout writes it: one ResourceSpans, with empty lists written."""
    event = {
        "timeUnixNano": "1767225600000000600",
        "name": "happened",
        "attributes": [attribute("important", True)],
        "droppedAttributesCount": 1,
    }
    link = {"traceId": "ab" * 16, "spanId": "cd" * 8, "attributes": [], "droppedAttributesCount": 2, "flags": 257}
    first = {
        "traceId": "12345678876543211234567887654321",
        "spanId": "8765432112345678",
        "name": "first",
        "kind": 1,
        "startTimeUnixNano": "1767225600000000100",
        "endTimeUnixNano": "1767225600000001100",
        "attributes": [
            attribute("animal", "cat"),
            attribute("lives", 9),
            attribute("weight", 4.5),
            attribute("names", ["Tom", "Kat"]),
        ],
        "droppedAttributesCount": 3,
        "events": [event],
        "droppedEventsCount": 4,
        "links": [link],
        "droppedLinksCount": 5,
        "status": {"code": 1},
        "flags": 257,
    }
    second = {
        "traceId": "12345678876543211234567887654321",
        "spanId": "8765000000005678",
        "parentSpanId": "8765432112345678",
        "name": "second",
        "kind": 3,
        "startTimeUnixNano": "1767225600000000500",
        "endTimeUnixNano": "1767225600000001501",
        "attributes": [],
        "events": [],
        "links": [],
        "status": {"code": 2, "message": "no"},
        "flags": 257,
    }
    scope = {
        "name": "instrumentation",
        "version": "1",
        "attributes": [{"key": "lang", "value": {"stringValue": "java"}}],
    }
    other = {"name": "instrumentation2", "attributes": []}
    return {
        "resource": {"attributes": [attribute("service.name", "shop")]},
        "scopeSpans": [
            {"scope": scope, "spans": [first], "schemaUrl": "https://example.org/scope"},
            {"scope": other, "spans": [second]},
        ],
        "schemaUrl": "https://example.org/resource",
        **more,
    }


@pytest.mark.usefixtures("fast_only")
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_javas_exporters_write_is_read_without_a_word(wrapped: bool) -> None:
    line = java_line()
    content = compact({"resourceSpans": [line]} if wrapped else line)
    spans = read(content, strict=True)
    assert spans.select("name", "kind", "status_code", "status_message", "depth", "flags").rows() == [
        ("first", "internal", "ok", None, 0, 257),
        ("second", "client", "error", "no", 1, 257),
    ]
    assert spans.select("span.animal", "span.lives", "span.weight", "span.names").row(0) == (
        "cat",
        9,
        4.5,
        ["Tom", "Kat"],
    )
    assert spans.select("scope_name", "scope_version", "instrumentation.lang").rows() == [
        ("instrumentation", "1", "java"),
        ("instrumentation2", None, None),
    ]
    assert (spans["events"][0][0]["attributes"], spans["links"][0][0]["span_id"]) == ({"important": "true"}, "cd" * 8)
    report = load_report(content)
    assert set(report["problem"]) == {"spans", "dropped by the producer"}
    assert report.filter(pl.col("problem") == "dropped by the producer")["count"].item() >= 12


@pytest.mark.usefixtures("fast_only")
def test_lines_of_javas_exporters_are_read_one_by_one() -> None:
    first = json.loads(compact(java_line()))
    second = json.loads(compact(java_line()).replace(b"12345678876543211234567887654321", b"1234000000004321" * 2))
    assert read(compact(first, second), strict=True)["trace_id"].n_unique() == 2


def test_values_of_every_type_come_out_of_pythons_exporter(tmp_path: Path) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(tmp_path / "spans.jsonl")))
    span = provider.get_tracer("tests").start_span("values")
    values: dict[str, Any] = {
        "bytes": b"\x00\xff",
        "map": {"a": 1, "b": {"c": [True]}},
        "mixed": ["a", 1],
        "nested": [[1], [2]],
        "infinite": float("inf"),
    }
    for key, value in values.items():
        span.set_attribute(key, value)
    span.end()
    provider.shutdown()
    row = read(tmp_path / "spans.jsonl", strict=True).row(0, named=True)
    assert (row["span.bytes"], row["span.bytes:type"]) == ("AP8=", "bytes")
    assert (row["span.map"], row["span.map:type"]) == ('{"a": 1, "b": {"c": [true]}}', "kvlist")
    assert (row["span.mixed"], row["span.nested"]) == ('["a", 1]', "[[1], [2]]")
    assert row["span.infinite"] == float("inf")

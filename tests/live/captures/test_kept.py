"""What a capture holds, and counts of what it does not."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import tracelab as tl
from tests.live.captures.making import make, names
from tracelab.live import capture


def test_spans_that_are_open_at_the_end_are_counted_and_named(tracer: trace.Tracer) -> None:
    spans = capture()

    @spans
    def work() -> list[trace.Span]:
        *waiting, done = (tracer.start_span(name) for name in ("slow", "slow", "job", "done"))
        done.end()
        return waiting

    with pytest.warns(tl.LoadWarning, match=r"spans still open at the end \(slow, job\): 3"):
        waiting = work()
    for span in waiting:
        span.end()
    assert names(spans) == ["done"]
    assert repr(spans) == "Capture(1 span, 3 more not kept)"
    rows = spans.report().select("problem", "action", "count", "lost_spans", "example").rows()
    assert rows == [
        ("spans", "read", 4, 0, ""),
        ("spans still open at the end", "skipped", 3, 3, "slow, job"),
    ]


def test_a_span_that_began_before_the_block_is_not_in_it(tracer: trace.Tracer) -> None:
    with capture() as outer, tracer.start_as_current_span("before"):
        with capture() as inner:
            tracer.start_span("child").end()
        assert names(inner) == ["child"]
        assert inner.frame()["parent_span_id"].null_count() == 0
    assert names(outer) == ["before", "child"]


def test_no_more_spans_than_asked_for_are_held_and_the_others_are_counted(tracer: trace.Tracer) -> None:
    with pytest.warns(tl.LoadWarning, match=r"spans beyond max_spans: 7"), capture(max_spans=3) as spans:
        make(tracer, 10)
    assert names(spans) == ["0", "1", "2"]
    assert spans.report().select("problem", "count", "lost_spans").rows() == [
        ("spans", 10, 0),
        ("spans beyond max_spans", 7, 7),
    ]


@pytest.mark.parametrize("most", [0, -1, 1.5, None, "many", True])
def test_max_spans_is_a_number_of_spans(most: Any) -> None:
    with pytest.raises(tl.TracelabError, match="max_spans"):
        capture(max_spans=most)


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_a_sampler_that_drops_spans_is_told_of(ratio: float) -> None:
    sampler = sampling.ParentBased(sampling.TraceIdRatioBased(ratio))
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    tracer = provider.get_tracer("tests")
    said = r"a sampler that drops spans \(ParentBased\{root:TraceIdRatioBased"
    with pytest.warns(tl.LoadWarning, match=said), capture(tracer_provider=provider) as spans:
        make(tracer, 100)
    assert 0 <= len(spans) < 100
    assert "a sampler that drops spans" in spans.report()["problem"].to_list()


@pytest.mark.parametrize("sampler", [sampling.ALWAYS_ON, sampling.DEFAULT_ON, sampling.TraceIdRatioBased(1.0)])
def test_a_sampler_that_drops_nothing_is_not_mentioned(sampler: sampling.Sampler) -> None:
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    with capture(tracer_provider=provider) as spans:
        provider.get_tracer("tests").start_span("a").end()
    assert spans.report()["problem"].to_list() == ["spans"]


def test_spans_that_are_recorded_but_not_to_be_exported_are_captured() -> None:
    class RecordOnly(sampling.StaticSampler):
        def __init__(self) -> None:
            super().__init__(sampling.Decision.RECORD_ONLY)

        def get_description(self) -> str:
            return "RecordOnly"

    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=RecordOnly(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    with pytest.warns(tl.LoadWarning, match="RecordOnly"), capture(tracer_provider=provider) as spans:
        provider.get_tracer("tests").start_span("a").end()
    provider.shutdown()
    assert (names(spans), exporter.get_finished_spans()) == (["a"], ())


def test_a_disabled_sdk_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    provider = TracerProvider(shutdown_on_exit=False)
    with pytest.warns(tl.LoadWarning, match="the SDK is disabled"), capture(tracer_provider=provider) as spans:
        provider.get_tracer("tests").start_span("a").end()
    assert len(spans) == 0


def test_a_span_that_no_exporter_can_encode_is_counted_and_loses_no_other(tracer: trace.Tracer) -> None:
    with capture() as spans:
        for name in ("a", "bad \ud800", "b", "c"):
            tracer.start_span(name).end()
    with pytest.warns(tl.LoadWarning, match=r"spans that cannot be encoded \(bad \?\): 1"):
        assert spans.frame().height == 3
    assert names(spans) == ["a", "b", "c"]
    assert len(spans) == 3
    report = spans.report().select("problem", "count", "lost_spans", "example").rows()
    assert report == [("spans", 4, 0, ""), ("spans that cannot be encoded", 1, 1, "bad ?")]


def test_attributes_that_no_exporter_can_encode_are_counted_and_warned_of_and_lose_no_span(
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "caf\udce9"}), shutdown_on_exit=False)
    tracer = provider.get_tracer("tests")
    linked = trace.Link(trace.SpanContext(1, 1, is_remote=False), {"far": 2**63})
    with capture(tracer_provider=provider) as spans, tracer.start_as_current_span("a", links=[linked]) as span:
        span.set_attributes({"path": "caf\udce9", "size": 2**64, "fine": 1})
        span.add_event("b", {"path": "caf\udce9"})
    with pytest.warns(tl.LoadWarning, match=r"attributes that cannot be encoded \(path, .*\)"):
        assert spans.frame()["span.fine"].to_list() == [1]
    (found,) = spans.report().filter(pl.col("problem") == "attributes that cannot be encoded").rows(named=True)
    assert (found["count"], found["lost_spans"]) == (5, 0)
    assert "Failed to encode key" in caplog.text
    provider.shutdown()


def test_a_span_that_ends_while_garbage_is_collected_does_no_harm(tracer: trace.Tracer) -> None:
    class Ends:
        def __init__(self, name: str) -> None:
            self.span, self.me = tracer.start_span(name), self

        def __del__(self) -> None:
            self.span.end()

    with capture() as spans:
        for number in range(50):
            Ends(str(number))
            tracer.start_span("between").end()
        gc.collect()
    assert len(spans) == 100


def test_spans_may_come_while_others_are_read(tracer: trace.Tracer) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            with tracer.start_as_current_span("a"):
                tracer.start_span("b").end()
            time.sleep(0.001)

    heights = [0]
    with capture() as spans, ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(work) for _ in range(2)]
        while len(heights) < 6:
            heights.append(spans.frame().height)
        stop.set()
        [each.result() for each in busy]
    heights.append(spans.frame().height)
    assert heights == sorted(heights)
    assert heights[-1] == len(spans) == spans.report()["count"][0]

"""Spans as bytes, and what they are when they are spans again."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from tracelab.live.captures.packing import packed


class Ended(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


@pytest.fixture
def ended() -> Ended:
    return Ended()


@pytest.fixture
def tracer(ended: Ended) -> trace.Tracer:
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(ended)
    return provider.get_tracer("tests", "1.0")


def encoded(spans: list[Any]) -> bytes:
    content: bytes = encode_spans(spans).SerializeToString(deterministic=True)
    return content


def test_what_is_plain_is_packed_and_is_the_same_again(tracer: trace.Tracer, ended: Ended) -> None:
    remote = SpanContext(2**127 + 5, 2**63 + 7, is_remote=True, trace_flags=TraceFlags(1))
    above = trace.set_span_in_context(NonRecordingSpan(remote))
    values: dict[str, Any] = {
        "text": "ä\0",
        "n": -1,
        "b": True,
        "x": float("inf"),
        "many": ["a", "b"],
        "bytes": b"\xff",
    }
    tracer.start_span("server", above, SpanKind.SERVER, attributes=values, start_time=1).end(2)
    with tracer.start_as_current_span("client", kind=SpanKind.CLIENT) as span:
        span.set_status(Status(StatusCode.ERROR, "no"))
        tracer.start_span("below").end()
    batch, others = packed(ended.spans)
    assert batch is not None
    assert (batch.count, others) == (3, [])
    assert encoded(batch.spans()) == encoded(ended.spans)


def test_resources_and_scopes_of_several_providers_stay_with_their_spans(tracer: trace.Tracer, ended: Ended) -> None:
    second = TracerProvider(resource=Resource({"service.name": "bank"}), shutdown_on_exit=False)
    second.add_span_processor(ended)
    for number in range(6):
        (tracer if number % 2 else second.get_tracer("others")).start_span(str(number)).end()
    batch, _ = packed(ended.spans)
    assert batch is not None
    assert encoded(batch.spans()) == encoded(ended.spans)


def test_spans_with_more_to_them_stay_as_they_are(tracer: trace.Tracer, ended: Ended) -> None:
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("a", "b")]))
    state = trace.set_span_in_context(NonRecordingSpan(remote))
    with tracer.start_as_current_span("event") as span:
        span.add_event("hello", {"a": 1})
    tracer.start_span("link", links=[trace.Link(span.get_span_context())]).end()
    tracer.start_span("state", state).end()
    tracer.start_span("dropped", attributes={str(number): number for number in range(200)}).end()
    tracer.start_span("plain").end()
    batch, others = packed(ended.spans)
    assert batch is not None
    assert [span.name for span in batch.spans()] == ["plain"]
    assert [span.name for span in others] == ["event", "link", "state", "dropped"]


def test_what_cannot_be_packed_stays_as_it_is(tracer: trace.Tracer, ended: Ended) -> None:
    class Text(str):
        __slots__ = ()

    tracer.start_span("odd", attributes={"a": Text("b")}).end()
    tracer.start_span(Text("odd name")).end()
    spans = [*ended.spans, ReadableSpan("of nobody")]
    batch, others = packed(spans)
    assert batch is None
    assert others == spans

"""What capturing adds to OpenTelemetry's SDK.

    pytest tests/benchmarks/test_live.py -o addopts=

Ratios to the SDK alone in the same run, in time of the thread's own, so that other programs count for little. The SDK
exports as programs have it do, in batches from a thread of its own, to an exporter that throws them away.
"""

from __future__ import annotations

import gc
import tracemalloc
from statistics import median
from time import thread_time
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from tracelab.live import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer

SPANS: Final = 4_000
ROUNDS: Final = 31


class Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(Nowhere(), max_queue_size=10 * SPANS))
    yield made
    made.shutdown()


def work(tracer: Tracer) -> float:
    """Make traces of a server's span with nine calls below it; gives the seconds they took."""
    start = thread_time()
    for _ in range(SPANS // 10):
        with tracer.start_as_current_span("GET /", attributes={"http.route": "/", "http.response.status_code": 200}):
            for number in range(9):
                with tracer.start_as_current_span("query") as span:
                    span.set_attribute("db.rows", number)
    return thread_time() - start


def test_capturing_adds_a_fifth_at_most_to_the_sdk_s_own_cost(benchmark: Any, provider: TracerProvider) -> None:
    tracer = provider.get_tracer("benchmark")
    work(tracer)
    pairs = []

    def both() -> None:
        gc.collect()
        alone = work(tracer)
        gc.collect()
        with capture(tracer_provider=provider) as spans:
            captured = work(tracer)
        assert len(spans) == SPANS
        pairs.append((alone, captured))

    benchmark.pedantic(both, rounds=ROUNDS)
    ratio = median(captured / alone for alone, captured in pairs)
    alone, captured = (min(each) / SPANS * 1e6 for each in zip(*pairs, strict=True))
    benchmark.extra_info |= {"ratio": ratio, "SDK alone, us per span": alone, "captured, us per span": captured}
    assert ratio <= 1.2


def test_memory_is_bounded_by_max_spans(benchmark: Any, provider: TracerProvider) -> None:
    tracer = provider.get_tracer("benchmark")

    def held(rounds: int) -> int:
        tracemalloc.start()
        spans = capture(max_spans=2 * SPANS, tracer_provider=provider)
        spans.__enter__()
        for _ in range(rounds):
            work(tracer)
        peak = tracemalloc.get_traced_memory()[1]
        spans.__exit__(RuntimeError, RuntimeError(), None)
        tracemalloc.stop()
        assert len(spans) == 2 * SPANS
        return peak

    peaks = [held(2), benchmark.pedantic(held, args=[8], rounds=1)]
    benchmark.extra_info |= {"bytes per span": peaks[0] / SPANS / 2, "ratio": peaks[1] / peaks[0]}
    assert peaks[1] <= 1.2 * peaks[0]

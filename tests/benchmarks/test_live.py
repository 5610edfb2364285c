"""What capturing adds to OpenTelemetry's SDK.

    pytest tests/benchmarks/test_live.py -o addopts=

Ratios to the SDK alone in the same run, in time of the thread's own, so that other programs count for little: once an
SDK that exports as programs have it do, in batches from a thread of its own, to an exporter that throws them away, and
once one that does nothing with its spans.
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
    from opentelemetry.trace import Tracer

SPANS: Final = 4_000
ROUNDS: Final = 31


class Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS


def made(*, exported: bool) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    if exported:
        provider.add_span_processor(BatchSpanProcessor(Nowhere(), max_queue_size=10 * SPANS))
    return provider


def work(tracer: Tracer, spans: int = SPANS) -> float:
    """Make traces of a server's span with nine calls below it; gives the seconds they took."""
    start = thread_time()
    for _ in range(spans // 10):
        with tracer.start_as_current_span("GET /", attributes={"http.route": "/", "http.response.status_code": 200}):
            for number in range(9):
                with tracer.start_as_current_span("query") as span:
                    span.set_attribute("db.rows", number)
    return thread_time() - start


@pytest.mark.parametrize("exported", [True, False], ids=["exported", "not exported"])
@pytest.mark.parametrize("spans", [SPANS, 100_000])
def test_capturing_adds_a_fifth_to_the_sdk_s_own_cost(benchmark: Any, exported: bool, spans: int) -> None:
    provider = made(exported=exported)
    tracer = provider.get_tracer("benchmark")
    work(tracer)
    pairs = []

    def both() -> None:
        gc.collect()
        alone = work(tracer, spans)
        gc.collect()
        with capture(tracer_provider=provider) as captured:
            with_capture = work(tracer, spans)
        assert len(captured) == spans
        pairs.append((alone, with_capture))

    benchmark.pedantic(both, rounds=ROUNDS if spans == SPANS else 5)
    provider.shutdown()
    ratio = median(captured / alone for alone, captured in pairs)
    alone, captured = (min(each) / spans * 1e6 for each in zip(*pairs, strict=True))
    benchmark.extra_info |= {"ratio": ratio, "SDK alone, us per span": alone, "captured, us per span": captured}
    assert ratio <= 1.3


def test_memory_is_bounded_by_max_spans(benchmark: Any) -> None:
    provider = made(exported=True)
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

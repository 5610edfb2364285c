"""Capturing what this process does, with the real SDK: beside a provider, and without one."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator

import tracelab as tl
from tests.test_house import run
from tracelab.live import Capture, capture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(params=["sequential", "concurrent"])
def provider(request: Any) -> Iterator[TracerProvider]:
    """A provider of the program's own, which gives its processors their spans one by one, or all at once."""
    among = ConcurrentMultiSpanProcessor() if request.param == "concurrent" else None
    made = TracerProvider(
        resource=Resource({"service.name": "shop"}), shutdown_on_exit=False, active_span_processor=among
    )
    yield made
    made.shutdown()


@pytest.fixture
def tracer() -> trace.Tracer:
    """A tracer that was asked for before anything was set up, as modules do when they are imported."""
    return trace.get_tracer("tests")


def names(spans: Capture) -> list[str]:
    return sorted(spans.frame()["name"])


def make(tracer: trace.Tracer, count: int) -> None:
    for number in range(count):
        tracer.start_span(str(number)).end()


def processors(provider: Any) -> tuple[Any, ...]:
    found: tuple[Any, ...] = provider._active_span_processor._span_processors
    return found


def no_provider_is_set() -> bool:
    api: Any = trace
    return (
        isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider) and not api._TRACER_PROVIDER_SET_ONCE._done
    )


def in_a_process(code: str) -> str:
    """Run a program of its own: what is global in a process can be set there once."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_block_gives_the_frame_of_its_spans_without_any_set_up(tracer: trace.Tracer) -> None:
    with capture() as spans:
        with tracer.start_as_current_span("buy", attributes={"items": 2}) as buy:
            with tracer.start_as_current_span("pay", kind=trace.SpanKind.CLIENT):
                pass
            buy.set_status(trace.StatusCode.ERROR, "no stock")
        assert names(spans) == ["buy", "pay"]
    frame = spans.frame()
    assert frame.select("name", "depth", "kind", "status_code", "span.items").rows() == [
        ("buy", 0, "internal", "error", 2),
        ("pay", 1, "client", "unset", None),
    ]
    assert tl.conform(frame).equals(frame)
    assert no_provider_is_set()


def test_a_capture_goes_where_a_span_frame_goes(tracer: trace.Tracer) -> None:
    with capture() as spans, tracer.start_as_current_span("buy"):
        tracer.start_span("pay").end()
    assert tl.conform(spans).equals(spans.frame())
    anything: Any = spans
    assert tl.trace_summary(anything)["spans"].to_list() == [2]
    assert tl.query(anything, '{ name = "pay" }').height == 1
    assert pl.DataFrame(spans).height == len(spans) == 2
    assert "buy" in spans._repr_html_()
    assert repr(spans) == "Capture(2 spans)"


def test_a_capture_has_what_its_frame_has(tracer: trace.Tracer) -> None:
    with capture() as spans:
        make(tracer, 3)
        assert spans.height == 3
    assert spans["name"].to_list() == ["0", "1", "2"]
    assert spans[1:, "name"].to_list() == ["1", "2"]
    assert spans.filter(pl.col("name") == "1").height == 1
    assert spans.columns == spans.frame().columns
    assert {"filter", "frame", "report", "group_by"} <= set(dir(spans))
    for name in ("no_such_name", "_df", "__dataframe__"):
        assert not hasattr(spans, name)
    with pytest.raises(AttributeError, match="Neither a capture nor its frame has 'heihgt'"):
        _ = spans.heihgt


def test_a_capture_holds_columns_as_its_frame_does(tracer: trace.Tracer) -> None:
    with capture() as spans:
        make(tracer, 2)
    assert "name" in spans
    assert "price" not in spans
    assert [column.name for column in spans] == spans.columns == spans._ipython_key_completions_()


def test_what_is_done_to_a_frame_leaves_the_capture_as_it_is(tracer: trace.Tracer) -> None:
    with capture() as spans:
        make(tracer, 2)
    spans.drop_in_place("name")
    spans.frame().columns = [f"column {number}" for number in range(spans.width)]
    assert names(spans) == ["0", "1"]


def test_an_empty_block_gives_an_empty_span_frame() -> None:
    with capture() as spans:
        assert spans.frame().is_empty()
    assert spans.frame().schema == tl.SPAN_SCHEMA
    assert spans.report().select("problem", "count").rows() == [("spans", 0)]


def test_nothing_is_captured_outside_of_the_block(tracer: trace.Tracer) -> None:
    tracer.start_span("before").end()
    with capture() as spans:
        tracer.start_span("in it").end()
    tracer.start_span("after").end()
    with capture() as again:
        tracer.start_span("again").end()
    assert (names(spans), names(again)) == (["in it"], ["again"])


def test_an_error_in_the_block_passes_and_its_spans_are_kept(tracer: trace.Tracer) -> None:
    spans = capture()
    with pytest.raises(KeyError, match="stock"), spans, tracer.start_as_current_span("buy"):
        raise KeyError("stock")
    assert spans.frame().select("name", "status_code").rows() == [("buy", "error")]
    assert spans.frame()["events"][0][0]["name"] == "exception"
    assert no_provider_is_set()


def test_it_works_beside_an_exporter_and_leaves_the_provider_as_it_was(provider: TracerProvider) -> None:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before, tracer = processors(provider), provider.get_tracer("tests")
    with capture(tracer_provider=provider) as spans:
        with tracer.start_as_current_span("buy"):
            tracer.start_span("pay").end()
        assert len(processors(provider)) == 2
    tracer.start_span("after").end()
    assert names(spans) == ["buy", "pay"]
    assert spans.frame()["service_name"].unique().to_list() == ["shop"]
    assert sorted(span.name for span in exporter.get_finished_spans()) == ["after", "buy", "pay"]
    assert processors(provider) == before


def test_a_provider_that_keeps_its_processors_elsewhere_keeps_ours_idle() -> None:
    inner = TracerProvider(shutdown_on_exit=False)

    class Own(trace.TracerProvider):
        def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
            return inner.get_tracer(*args, **kwargs)

        def add_span_processor(self, processor: Any) -> None:
            inner.add_span_processor(processor)

    own = Own()
    with capture(tracer_provider=own) as spans:
        own.get_tracer("t").start_span("in it").end()
    own.get_tracer("t").start_span("after").end()
    with capture(tracer_provider=own) as again:
        own.get_tracer("t").start_span("again").end()
    assert (names(spans), names(again)) == (["in it"], ["again"])


def test_a_provider_of_no_sdk_is_refused() -> None:
    with (
        pytest.raises(tl.TracelabError, match=r"NoOpTracerProvider.*opentelemetry-sdk"),
        capture(tracer_provider=trace.NoOpTracerProvider()),
    ):
        pass
    assert no_provider_is_set()


def test_the_program_s_own_provider_is_used_and_stays() -> None:
    assert (
        in_a_process("""
import tracelab as tl
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
early = trace.get_tracer("early")
mine = TracerProvider()
trace.set_tracer_provider(mine)
with tl.capture() as spans:
    early.start_span("a").end()
    trace.get_tracer("late").start_span("b").end()
assert trace.get_tracer_provider() is mine
assert mine._active_span_processor._span_processors == ()
print(sorted(spans.frame()["name"]))
""")
        == "['a', 'b']\n"
    )


def test_a_provider_can_be_set_after_a_capture_and_gets_the_spans_of_every_tracer() -> None:
    assert (
        in_a_process("""
import tracelab as tl
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
early, unused = trace.get_tracer("early"), trace.get_tracer("unused")
with tl.capture() as first:
    inner = trace.get_tracer("inner")
    early.start_span("a").end()
    inner.start_span("b").end()
assert not early.start_span("nobody hears it").is_recording()
assert not inner.start_span("nobody hears it").is_recording()
exporter = InMemorySpanExporter()
mine = TracerProvider()
mine.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(mine)
assert trace.get_tracer_provider() is mine
for number, tracer in enumerate((early, inner, unused)):
    tracer.start_span(str(number)).end()
with tl.capture() as second:
    for tracer in (early, inner, unused):
        tracer.start_span("c").end()
exported = [span.name for span in exporter.get_finished_spans()]
print(exported, sorted(first.frame()["name"]), list(second.frame()["name"]))
""")
        == "['0', '1', '2', 'c', 'c', 'c'] ['a', 'b'] ['c', 'c', 'c']\n"
    )


def test_a_provider_that_is_set_inside_of_the_block_is_heard_too() -> None:
    assert (
        in_a_process("""
import tracelab as tl
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
early = trace.get_tracer("early")
with tl.capture() as spans:
    early.start_span("before").end()
    mine = TracerProvider()
    trace.set_tracer_provider(mine)
    assert trace.get_tracer_provider() is mine
    early.start_span("after").end()
    with tl.capture() as inner:
        trace.get_tracer("late").start_span("late").end()
assert trace.get_tracer_provider() is mine
assert mine._active_span_processor._span_processors == ()
assert type(trace._TRACER_PROVIDER_SET_ONCE).__name__ == "Once" and trace._TRACER_PROVIDER_SET_ONCE._done
print(sorted(spans.frame()["name"]), list(inner.frame()["name"]))
""")
        == "['after', 'before', 'late'] ['late']\n"
    )


def test_tracers_used_as_decorators_look_up_their_provider_at_every_call(tracer: trace.Tracer) -> None:
    with capture() as spans:
        inner = trace.get_tracer("inner")

        @inner.start_as_current_span("work")
        def work() -> None: ...

        @tracer.start_as_current_span("wait")
        async def wait() -> None:
            await asyncio.sleep(0.002)

        work()
        asyncio.run(wait())
    work()
    assert names(spans) == ["wait", "work"]
    assert spans.frame().filter(name="wait")["duration"].dt.total_milliseconds().item() >= 2


def test_tasks_of_asyncio_are_captured_below_their_parent(tracer: trace.Tracer) -> None:
    async def call(number: int) -> None:
        with tracer.start_as_current_span(f"call {number}"):
            await asyncio.sleep(0.001)

    async def main() -> None:
        with tracer.start_as_current_span("main"):
            await call(0)
            await asyncio.gather(*(call(number) for number in (1, 2, 3)))

    with capture() as spans:
        asyncio.run(main())
    frame = spans.frame()
    assert frame.select("name", "depth").sort("name").rows() == [*((f"call {n}", 1) for n in range(4)), ("main", 0)]
    assert frame["trace_id"].n_unique() == 1


def test_threads_are_captured_with_a_context_that_was_carried_by_hand_and_without(tracer: trace.Tracer) -> None:
    def work(context: Any, name: str) -> None:
        token = otel_context.attach(context)
        tracer.start_span(name).end()
        otel_context.detach(token)

    with capture() as spans, ThreadPoolExecutor(2) as pool, tracer.start_as_current_span("main"):
        here = otel_context.get_current()
        list(pool.map(lambda name: work(here, name), ["a", "b"]))
        pool.submit(contextvars.copy_context().run, lambda: tracer.start_span("c").end()).result()
        pool.submit(lambda: tracer.start_span("alone").end()).result()
    assert spans.frame().select("name", "depth").sort("name").rows() == [
        ("a", 1),
        ("alone", 0),
        ("b", 1),
        ("c", 1),
        ("main", 0),
    ]


def test_a_span_whose_context_came_over_the_wire_belongs_to_its_parent_s_capture(tracer: trace.Tracer) -> None:
    def serve(headers: dict[str, str]) -> None:
        tracer.start_span("server", propagate.extract(headers), trace.SpanKind.SERVER).end()

    def client(name: str, meet: threading.Barrier, spans: Capture) -> None:
        with spans:
            meet.wait()
            with tracer.start_as_current_span(name, kind=trace.SpanKind.CLIENT):
                headers: dict[str, str] = {}
                propagate.inject(headers)
                thread = threading.Thread(target=serve, args=[headers])
                thread.start()
                thread.join()
            meet.wait()

    meet, both = threading.Barrier(2), [capture(), capture()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(client, "ab", [meet, meet], both))
    assert [names(spans) for spans in both] == [["a", "server"], ["b", "server"]]
    assert [spans.frame()["trace_id"].n_unique() for spans in both] == [1, 1]


def test_captures_of_several_threads_at_once_get_their_own_spans_only(provider: TracerProvider) -> None:
    tracer, meet = provider.get_tracer("tests"), threading.Barrier(4)

    def work(name: str) -> list[str]:
        with capture(tracer_provider=provider) as spans:
            meet.wait()
            for _ in range(100):
                with tracer.start_as_current_span(name):
                    tracer.start_span(f"{name} child").end()
            meet.wait()
        return names(spans)

    sequential = not isinstance(provider._active_span_processor, ConcurrentMultiSpanProcessor)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, "abcd"))
    for name, found in zip("abcd", results, strict=True):
        # A processor that is called in a pool's thread sees no context, so that roots belong to all.
        own = [each for each in found if each.startswith(name)]
        assert own == [name] * 100 + [f"{name} child"] * 100
        assert not sequential or found == own
    assert processors(provider) == ()


def test_captures_that_begin_and_end_at_any_time_in_many_threads_stay_apart(tracer: trace.Tracer) -> None:
    def work(name: str) -> set[tuple[int, str]]:
        found = set()
        for _ in range(15):
            with capture() as spans:
                for _ in range(5):
                    with tracer.start_as_current_span(name):
                        tracer.start_span(name).end()
            found.add((len(spans), "".join(spans.frame()["name"].unique())))
        return found

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, "abcdef")) == [{(10, name)} for name in "abcdef"]
    assert no_provider_is_set()


def test_captures_of_tasks_side_by_side_get_their_own_spans_only(tracer: trace.Tracer) -> None:
    async def work(name: str) -> list[str]:
        with capture() as spans:
            for _ in range(3):
                with tracer.start_as_current_span(name):
                    await asyncio.sleep(0.001)
        return names(spans)

    async def main() -> tuple[list[str], list[str]]:
        return await asyncio.gather(work("a"), work("b"))

    assert [*asyncio.run(main())] == [["a"] * 3, ["b"] * 3]
    assert no_provider_is_set()


def test_an_inner_capture_s_spans_are_the_outer_one_s_too(tracer: trace.Tracer) -> None:
    with capture() as outer:
        tracer.start_span("1").end()
        with capture() as inner:
            tracer.start_span("2").end()
        tracer.start_span("3").end()
    assert (names(outer), names(inner)) == (["1", "2", "3"], ["2"])
    assert no_provider_is_set()


def test_one_capture_can_be_entered_again_and_again_also_within_itself(tracer: trace.Tracer) -> None:
    spans = capture()
    with spans:
        tracer.start_span("1").end()
        with spans:
            tracer.start_span("2").end()
        tracer.start_span("3").end()
    with spans:
        tracer.start_span("4").end()
    assert names(spans) == ["1", "2", "3", "4"]
    spans.clear()
    assert (len(spans), spans.frame().height) == (0, 0)
    assert no_provider_is_set()


def test_a_background_task_of_an_earlier_block_is_not_the_later_block_s(tracer: trace.Tracer) -> None:
    async def late() -> None:
        await asyncio.sleep(0.005)
        tracer.start_span("late").end()

    async def main() -> tuple[Capture, Capture]:
        with capture() as first:
            task = asyncio.create_task(late())
            tracer.start_span("first").end()
        with capture() as second:
            await task
            tracer.start_span("second").end()
        return first, second

    first, second = asyncio.run(main())
    assert (names(first), names(second)) == (["first"], ["second"])


def test_a_span_that_is_given_a_context_of_an_earlier_or_an_outer_block_is_in_the_block_that_makes_it(
    tracer: trace.Tracer,
) -> None:
    with capture() as earlier, tracer.start_as_current_span("parent"):
        kept = otel_context.get_current()
    with capture() as later:
        tracer.start_span("later", context=kept).end()
    with capture() as outer:
        with tracer.start_as_current_span("parent"):
            kept = otel_context.get_current()
        with capture() as inner:
            tracer.start_span("inner", context=kept).end()
    assert (names(earlier), names(later)) == (["parent"], ["later"])
    assert (names(outer), names(inner)) == (["inner", "parent"], ["inner"])


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


def test_a_provider_that_the_environment_names_is_the_program_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
    assert (
        in_a_process("""
import tracelab as tl
from opentelemetry import trace
early = trace.get_tracer("early")
with tl.capture() as spans:
    early.start_span("a").end()
print(len(spans), type(trace.get_tracer_provider()).__module__)
""")
        == "1 opentelemetry.sdk.trace\n"
    )


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


def test_ids_that_come_again_and_again_lose_no_span() -> None:
    class Same(IdGenerator):
        def generate_span_id(self) -> int:
            return 7

        def generate_trace_id(self) -> int:
            return 9

    provider = TracerProvider(id_generator=Same(), shutdown_on_exit=False)
    tracer = provider.get_tracer("tests")
    with capture(tracer_provider=provider) as spans:
        first, second, third = (tracer.start_span(name) for name in "abc")
        second.end()
        first.end()
        third.end()
    assert len(spans) == 3


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


def test_a_function_is_captured_at_every_call(tracer: trace.Tracer) -> None:
    @capture()
    def work(name: str, *, times: int = 1) -> str:
        """Work."""
        for _ in range(times):
            tracer.start_span(name).end()
        return name

    captured: Capture = work.captured  # type: ignore[attr-defined]
    assert (work("a"), work("b", times=2)) == ("a", "b")
    assert (work.__name__, work.__doc__) == ("work", "Work.")
    assert names(captured) == ["a", "b", "b"]
    assert no_provider_is_set()


def test_a_function_that_calls_itself_counts_every_span_once(tracer: trace.Tracer) -> None:
    spans = capture()

    @spans
    def down(depth: int) -> None:
        with tracer.start_as_current_span(str(depth)):
            if depth:
                down(depth - 1)

    down(3)
    assert spans.frame().select("name", "depth").rows() == [("3", 0), ("2", 1), ("1", 2), ("0", 3)]


def test_a_span_that_ends_after_the_inner_call_but_in_the_outer_is_kept_and_not_counted_as_open(
    tracer: trace.Tracer,
) -> None:
    spans = capture()
    with spans:
        with spans:
            late = tracer.start_span("late")
        late.end()
    assert names(spans) == ["late"]
    assert spans.report()["problem"].to_list() == ["spans"]


def test_a_generator_that_leaves_a_span_open_is_warned_of_where_it_ends(tracer: trace.Tracer) -> None:
    @capture()
    def work() -> Iterator[int]:
        tracer.start_span("open")
        yield 1

    with pytest.warns(tl.LoadWarning, match=r"still open at the end \(open\): 1"):
        assert list(work()) == [1]


def test_a_coroutine_function_is_captured_until_it_is_done(tracer: trace.Tracer) -> None:
    spans = capture()

    @spans
    async def work(name: str) -> str:
        with tracer.start_as_current_span(name):
            await asyncio.sleep(0.001)
        return name

    async def main() -> tuple[str, str]:
        return await asyncio.gather(work("a"), work("b"))

    assert [*asyncio.run(main())] == ["a", "b"]
    assert names(spans) == ["a", "b"]
    assert no_provider_is_set()


def test_functions_that_only_give_a_coroutine_or_a_generator_are_captured_until_it_is_done(
    tracer: trace.Tracer,
) -> None:
    async def wait() -> str:
        await asyncio.sleep(0)
        tracer.start_span("waited").end()
        return "done"

    def work() -> Iterator[int]:
        tracer.start_span("worked").end()
        yield 1

    async def both() -> AsyncIterator[int]:
        tracer.start_span("did both").end()
        yield 2

    async def main() -> list[Any]:
        return [await waits(), *works(), *[one async for one in does_both()]]

    spans = capture()
    looks: list[Any] = [lambda: wait(), lambda: work(), lambda: both()]  # noqa: PLW0108
    waits, works, does_both = (spans(look) for look in looks)
    assert asyncio.run(main()) == ["done", 1, 2]
    assert names(spans) == ["did both", "waited", "worked"]
    assert no_provider_is_set()


def test_methods_of_classes_are_captured_in_either_order_of_decorators(tracer: trace.Tracer) -> None:
    class Shop:
        @capture()
        @classmethod
        def sell(cls) -> type:
            tracer.start_span("sell").end()
            return cls

        @capture()
        @staticmethod
        def buy(what: str) -> str:
            tracer.start_span("buy").end()
            return what

    sell: Any = Shop.sell
    buy: Any = Shop.buy
    assert (sell(), Shop().buy("tea")) == (Shop, "tea")
    assert (names(sell.captured), names(buy.captured)) == (["sell"], ["buy"])


@pytest.mark.parametrize("other", [int, 5, property(repr)])
def test_what_is_no_function_is_refused_as_it_is_decorated(other: Any) -> None:
    with pytest.raises(tl.TracelabError, match="A capture decorates functions, got"):
        capture()(other)


def test_a_generator_is_captured_and_what_its_caller_does_meanwhile_is_not(tracer: trace.Tracer) -> None:
    caught: list[Any] = []
    spans = capture()

    @spans
    def work() -> Iterator[Any]:
        tracer.start_span("first").end()
        try:
            caught.append((yield 1))
        except ValueError as error:
            caught.append(error)
        tracer.start_span("second").end()
        try:
            yield 2
        finally:
            tracer.start_span("last").end()

    one: Any = work()
    assert next(one) == 1
    tracer.start_span("the caller's").end()
    assert one.send("sent") == 2
    with capture() as theirs:
        tracer.start_span("the caller's").end()
    one.close()
    other: Any = work()
    next(other)
    error = ValueError()
    assert other.throw(error) == 2
    with pytest.raises(StopIteration):
        next(other)
    assert caught == ["sent", error]
    assert names(spans) == ["first"] * 2 + ["last"] * 2 + ["second"] * 2
    assert names(theirs) == ["the caller's"]
    assert no_provider_is_set()


def test_a_generator_s_spans_have_the_parents_that_they_have_without_a_capture(tracer: trace.Tracer) -> None:
    def work() -> Iterator[int]:
        with tracer.start_as_current_span("stream"):
            for number in range(2):
                tracer.start_span(f"part {number}").end()
                yield number

    def parents(work: Any) -> list[tuple[Any, ...]]:
        with capture() as spans:
            for number in work():
                tracer.start_span(f"the caller's {number}").end()
            tracer.start_span("after").end()
        assert not trace.get_current_span().get_span_context().is_valid
        frame = spans.frame()
        named = frame.join(frame, left_on="parent_span_id", right_on="span_id", how="left", suffix="_above")
        return sorted(named.select("name", "name_above").rows())

    assert ("part 1", "stream") in parents(work)
    assert parents(capture()(work)) == parents(work)
    assert no_provider_is_set()


def test_an_asynchronous_generator_s_spans_have_the_parents_that_they_have_without_a_capture(
    tracer: trace.Tracer,
) -> None:
    spans = capture()

    @spans
    async def work() -> AsyncIterator[int]:
        with tracer.start_as_current_span("stream"):
            for number in range(2):
                await asyncio.sleep(0)
                tracer.start_span(f"part {number}").end()
                yield number

    async def main() -> None:
        async for _ in work():
            pass

    asyncio.run(main())
    assert spans.frame().sort("name").select("name", "depth").rows() == [("part 0", 1), ("part 1", 1), ("stream", 0)]


def test_a_generator_gives_its_result_and_its_errors() -> None:
    @capture()
    def work() -> Any:
        yield 1
        return "done"

    @capture()
    def fails() -> Any:
        yield 1
        raise KeyError("stock")

    def both() -> Any:
        assert (yield from work()) == "done"
        yield from fails()

    with pytest.raises(KeyError, match="stock"):
        list(both())
    assert no_provider_is_set()


def test_an_asynchronous_generator_is_captured(tracer: trace.Tracer) -> None:
    spans = capture()

    @spans
    async def work() -> AsyncIterator[int]:
        for number in range(2):
            with tracer.start_as_current_span(str(number)):
                await asyncio.sleep(0)
            yield number
            tracer.start_span("after").end()

    async def main() -> list[int]:
        found = []
        async for number in work():
            tracer.start_span("the caller's").end()
            found.append(number)
        return found

    assert asyncio.run(main()) == [0, 1]
    assert names(spans) == ["0", "1", "after", "after"]
    assert no_provider_is_set()


def test_leaving_in_another_context_than_entering_is_no_trouble(tracer: trace.Tracer) -> None:
    spans = capture()
    contextvars.copy_context().run(spans.__enter__)
    tracer.start_span("a").end()
    contextvars.copy_context().run(spans.__exit__, None, None, None)
    tracer.start_span("b").end()
    assert names(spans) == ["a"]
    assert no_provider_is_set()


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_that_is_forked_while_threads_capture_can_go_on() -> None:
    in_a_process("""
import os, signal, threading, warnings
import tracelab as tl
from opentelemetry import trace

warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of forking where there are threads
tracer, over = trace.get_tracer("tests"), threading.Event()

def work():
    while not over.is_set():
        with tl.capture():
            tracer.start_span("thread").end()

threads = [threading.Thread(target=work) for _ in range(3)]
with tl.capture(max_spans=10):
    for thread in threads:
        thread.start()
    codes = []
    for _ in range(20):
        child = os.fork()
        if not child:
            signal.alarm(20)
            with tl.capture() as spans:
                tracer.start_span("child").end()
            os._exit(len(spans))
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if codes[-1] < 0:
            break
    over.set()
    for thread in threads:
        thread.join()
    warnings.simplefilter("ignore", tl.LoadWarning)
assert codes == [1] * 20, codes
""")


def test_a_warning_comes_once_and_points_at_the_caller(tracer: trace.Tracer) -> None:
    spans = capture(max_spans=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            with spans:
                tracer.start_span("a").end()
    assert [(str(one.message).partition(":")[0], one.filename) for one in caught] == [
        ("Not everything was captured", __file__)
    ]


def test_without_the_sdk_an_error_names_what_to_install() -> None:
    run(
        sys.executable,
        "-c",
        "import sys; sys.modules['opentelemetry.sdk'] = None; import tracelab as tl\n"
        "try: tl.capture()\n"
        "except ImportError as error: assert 'tracelab-kit[live]' in str(error)\n"
        "else: raise AssertionError",
    )

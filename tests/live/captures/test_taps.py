"""Where the SDK's spans are heard: beside a provider and without one, in tasks and threads, and whose they are."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator

import tracelab as tl
from tests.live.captures.making import in_a_process, names, no_provider_is_set, processors
from tracelab.live import Capture, capture


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


def test_leaving_in_another_context_than_entering_is_no_trouble(tracer: trace.Tracer) -> None:
    spans = capture()
    contextvars.copy_context().run(spans.__enter__)
    tracer.start_span("a").end()
    contextvars.copy_context().run(spans.__exit__, None, None, None)
    tracer.start_span("b").end()
    assert names(spans) == ["a"]
    assert no_provider_is_set()


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

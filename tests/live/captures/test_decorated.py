"""Functions, coroutines, generators and methods that are captured at every call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

import tracelab as tl
from tests.live.captures.making import names, no_provider_is_set
from tracelab.live import Capture, capture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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

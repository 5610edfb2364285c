"""What the code of this process just did, as a span frame: a block or a function over OpenTelemetry's Python SDK."""

from __future__ import annotations

import functools
import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

import polars as pl

from tracelab.display.tables import show
from tracelab.errors import LoadWarning, TracelabError, warn_caller
from tracelab.live.captures.kept import Kept
from tracelab.loaders import load_report, read
from tracelab.loaders.report.findings import SourceFindings, report_frame
from tracelab.options import shown, whole
from tracelab.schema import SPAN_SCHEMA

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator
    from types import TracebackType

    Function = TypeVar("Function", bound=Callable[..., Any])

_SOURCE: Final = "captured spans"
_FORMAT: Final = "opentelemetry-sdk"


def capture(*, max_spans: int = 100_000, tracer_provider: Any = None) -> Capture:
    """Capture the spans that a block or a function makes with OpenTelemetry's Python SDK.

    It listens beside the exporters that are set up already. Where no tracer provider is set, it lends one for the time
    and gives it back, so nothing has to be set up. Spans of asyncio tasks and of threads are captured too; of captures
    side by side in several threads or tasks, each gets its own spans as far as context or parent tell whose they are,
    and those that neither ties to any, as in a thread that got no context, are in all that run at the time. An inner
    capture's spans are the outer one's too. A span counts where it starts: one that began before the block is not in
    it, and one that has not ended by its end is left out, counted, and warned of.

    As a decorator, of functions, coroutine functions and generators, it captures every call, and the function gets an
    attribute `captured`.

    Parameters
    ----------
    max_spans
        The most spans to hold; those that end later are counted, not kept.
    tracer_provider
        Whose spans to capture, where it is not the global provider's.

    Returns
    -------
    A `Capture`, which stands for the span frame, as `read` gives it, of the spans that have ended so far: every
    function that takes spans takes it, and it has a frame's columns and methods, as in `spans["name"]` and
    `spans.filter(...)`. `.frame()` is that frame itself, `.report()` says in the columns of `load_report` what is not
    in it, and `.clear()` forgets all.

    Raises
    ------
    ImportError
        The SDK is not installed: `pip install 'tracelab-kit[live]'`.
    TracelabError
        `max_spans` is no number of spans; or, when the code starts, the tracer provider is none of the SDK.

    Examples
    --------
    >>> from opentelemetry import trace
    >>> tracer = trace.get_tracer("shop")
    >>> with capture() as spans:
    ...     with tracer.start_as_current_span("buy"), tracer.start_as_current_span("pay"):
    ...         pass
    >>> spans
    Capture(2 spans)
    >>> spans.select("name", "depth").rows()
    [('buy', 0), ('pay', 1)]

    >>> @capture()
    ... def sell():
    ...     tracer.start_span("sell").end()
    >>> sell()
    >>> sell.captured["name"].to_list()
    ['sell']
    """
    most = whole("max_spans", max_spans, least=1, why="It is how many spans are held at most.")
    return Capture(most, tracer_provider)


class Capture:
    """The spans of the code that was captured; made by `capture`."""

    def __init__(self, most: int, provider: Any) -> None:
        self._taps = _sdk()
        self._kept = Kept(most)
        self._provider = provider
        self._entered: list[Any] = []
        self._frame: tuple[int, pl.DataFrame] | None = None
        self._warned: set[str] = set()

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        lost = self._kept.findings().lost_spans()
        return (
            f"Capture({len(self):,} span{'' if len(self) == 1 else 's'}{f', {lost:,} more not kept' if lost else ''})"
        )

    def _repr_html_(self) -> str:
        return show(self.frame())._repr_html_()

    def __getattr__(self, name: str) -> Any:
        """Have what the frame has: polars' methods and attributes, for the spans that have ended so far."""
        if name.startswith("_") or not hasattr(pl.DataFrame, name):
            raise AttributeError(f"Neither a capture nor its frame has {name!r}.", name=name, obj=self)
        return getattr(self.frame(), name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(pl.DataFrame) if not name.startswith("_"))})

    def __getitem__(self, key: Any) -> Any:
        """Give columns, rows or cells of the frame."""
        return self.frame()[key]

    def __iter__(self) -> Iterator[pl.Series]:
        return iter(self.frame())

    def __contains__(self, name: Any) -> bool:
        return name in self.frame()

    def _ipython_key_completions_(self) -> list[str]:
        return self.frame().columns

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Be a frame to whatever reads Arrow, so also to every function of tracelab."""
        return self.frame().__arrow_c_stream__(requested_schema)

    def frame(self) -> pl.DataFrame:
        """Give the span frame of the spans that have ended so far.

        Returns
        -------
        A span frame, as `read` gives it.
        """
        content = self._kept.encoded()
        if self._frame is None or self._frame[0] != len(content):
            self._frame = len(content), read(content) if content else pl.DataFrame(schema=SPAN_SCHEMA)
            self._warn()  # what cannot be encoded is known only now
        # Some of polars' methods change the frame itself.
        return self._frame[1].clone()

    def report(self) -> pl.DataFrame:
        """List what was recorded and is not among the spans, and what was repaired in those that are.

        Returns
        -------
        The columns of `load_report`. The count of `spans` includes the lost ones.
        """
        content = self._kept.encoded()
        ours = report_frame([SourceFindings(_SOURCE, _FORMAT, self._kept.findings())])
        if not content:
            return ours
        decoded = load_report(content).filter(pl.col("problem") != "spans")
        named = decoded.with_columns(source=pl.lit(_SOURCE), format=pl.lit(_FORMAT))
        return pl.concat([ours, named]).sort(pl.col("problem") != "spans", "problem")

    def clear(self) -> None:
        """Forget all spans, and what was counted."""
        self._kept.clear()
        self._frame = None
        self._warned.clear()

    def __enter__(self) -> Self:
        run = self._taps.begin(self._kept, self._provider)
        run.resume()
        self._entered.append(run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Entered by several threads or tasks at once, each leaves its own; a fixture may leave in another context.
        here = self._taps.current_run(self._kept)
        run = self._entered.pop(next((place for place, run in enumerate(self._entered) if run is here), -1))
        run.pause()
        run.end()
        if error is None:
            self._warn()

    def __call__(self, function: Function) -> Function:
        """Capture every call of a function."""
        wrapper: Any
        method: Any = function
        if isinstance(method, classmethod | staticmethod):
            return cast("Function", type(method)(self(method.__func__)))
        if inspect.isclass(function) or not callable(function):
            raise TracelabError(f"A capture decorates functions, got {shown(function)}. Decorate its methods instead.")
        if inspect.iscoroutinefunction(function):
            wrapper = self._of_coroutine(function)
        elif inspect.isasyncgenfunction(function):
            wrapper = self._of_async_generator(function)
        elif inspect.isgeneratorfunction(function):
            wrapper = self._of_generator(function)
        else:
            wrapper = self._of_function(function)
        wrapper = functools.wraps(function)(wrapper)
        wrapper.captured = self
        return cast("Function", wrapper)

    def _of_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self:
                result = function(*args, **kwargs)
            # What other decorators make of such functions, and partial ones, look like plain functions.
            if inspect.iscoroutine(result):
                return self._of_coroutine(lambda: result)()
            if inspect.isgenerator(result):
                return self._of_generator(lambda: result)()
            if inspect.isasyncgen(result):
                return self._of_async_generator(lambda: result)()
            return result

        return call

    def _of_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return call

    def _of_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            generator = function(*args, **kwargs)
            run = self._taps.begin(self._kept, self._provider)
            step, given = generator.send, None
            try:
                while True:
                    # What the caller does between two values is not the generator's.
                    with run.resumed():
                        try:
                            value = step(given)
                        except StopIteration as end:
                            result = end.value
                            break
                    try:
                        step, given = generator.send, (yield value)
                    except GeneratorExit:
                        with run.resumed():
                            generator.close()
                        raise
                    except BaseException as error:  # noqa: BLE001 - the generator is to get it, whatever it is
                        step, given = generator.throw, error
            finally:
                run.end()
            self._warn()
            return result

        return call

    def _of_async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            generator = function(*args, **kwargs)
            run = self._taps.begin(self._kept, self._provider)
            step, given = generator.asend, None
            try:
                while True:
                    with run.resumed():
                        try:
                            value = await step(given)
                        except StopAsyncIteration:
                            break
                    try:
                        step, given = generator.asend, (yield value)
                    except GeneratorExit:
                        with run.resumed():
                            await generator.aclose()
                        raise
                    except BaseException as error:  # noqa: BLE001 - the generator is to get it, whatever it is
                        step, given = generator.athrow, error
            finally:
                run.end()
            self._warn()

        return call

    def _warn(self) -> None:
        """Say what was not captured, once for a capture that is entered many times."""
        new = [one for one in self._kept.findings().found.values() if one.problem.name not in self._warned]
        if new:
            self._warned.update(one.problem.name for one in new)
            texts = [
                f"{one.problem.name}{f' ({one.example})' if one.example else ''}"
                f"{f': {one.lost_spans:,}' if one.lost_spans else ''}"
                for one in new
            ]
            warn_caller(f"Not everything was captured: {'; '.join(texts)}. `.report()` explains it.", LoadWarning)


def _sdk() -> Any:
    """Import what listens to the SDK, which is optional."""
    try:
        import_module("opentelemetry.sdk.trace")
        import_module("opentelemetry.exporter.otlp.proto.common.trace_encoder")
    except ImportError as error:
        raise ImportError(
            "Capturing needs opentelemetry-sdk and opentelemetry-exporter-otlp-proto-common. Install them with: "
            'pip install "tracelab-kit[live]"'
        ) from error
    return import_module("tracelab.live.captures.taps")

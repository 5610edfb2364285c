"""Where the SDK's spans are heard: a processor for each provider gives every span to the captures it belongs to.

A span belongs to the captures that are named by the context of the code that makes it and by the context that it is
given (asyncio hands the context on to tasks, and whoever carries a context to a thread carries them along), and to
those of its parent. A span that none of these ties to any, as those of a thread that nobody gave a context, belongs to
all whose code runs at that time: nothing is lost, and captures that run side by side do not get each other's spans
where these can be told apart.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor

from tracelab.errors import TracelabError
from tracelab.live.captures.lending import Lender

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from tracelab.live.captures.kept import Kept

_KEY: Final = otel_context.create_key("tracelab-captures")
_SPAN_ID: Final = 1
"""Its place in a span's context, which is a tuple: to ask for it by name takes three times as long."""
_MOST_OPEN: Final = 100_000
_DROPS_NOTHING: Final = re.compile(r"(?:ParentBased\{root:)?(?:AlwaysOnSampler|TraceIdRatioBased\{1(?:\.0)?\})")
_Open = tuple[tuple["Run", ...], "Span", Any]
"""Whose span it is, the span, and its context."""
_changing: Final = threading.RLock()
"""Held while a capture begins or ends, and while providers change."""


class Run:
    """One stretch of code that is captured: a block, or a call of a function."""

    def __init__(self, kept: Kept) -> None:
        self.kept: Kept | None = kept
        self.taps: list[Tap] = []
        self._going = False

    def __repr__(self) -> str:
        return f"Run({'over' if self.kept is None else len(self.kept)})"

    def join(self, tap: Tap) -> None:
        """Hear the spans of one more provider."""
        self.taps.append(tap)
        tap.runs.add(self)
        if self._going:
            tap.going += (self,)
        if self.kept is not None:
            tap.describe(self.kept)

    def resume(self) -> None:
        """Say that the code goes on here, in the current context."""
        with _changing:
            self._going = True
            for tap in self.taps:
                tap.going += (self,)
        otel_context.attach(otel_context.set_value(_KEY, (*_current(), self)))

    def pause(self) -> None:
        """Say that the code waits, or is over."""
        here = otel_context.get_current()
        runs: Any = here.get(_KEY)
        if self in (runs or ()):
            # Taken out alone: a span that is current when a generator waits stays so, as if nobody captured it.
            others = tuple(run for run in runs if run is not self)
            rest = {key: value for key, value in here.items() if key != _KEY}
            otel_context.attach(otel_context.Context(rest | {_KEY: others} if others else rest))
        with _changing:
            self._going = False
            for tap in self.taps:
                tap.going = tuple(run for run in tap.going if run is not self)

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Let the code go on for as long as the block is."""
        self.resume()
        try:
            yield
        finally:
            self.pause()

    def end(self) -> None:
        """Hear no more; what has not ended by now is counted."""
        with _changing:
            kept, self.kept = self.kept, None
            for tap in self.taps:
                if kept is not None:
                    kept.leave_out(tap.leave(self, kept))
            self.taps.clear()


class Tap(SpanProcessor):
    """What hears the spans of one provider for all captures."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.runs: set[Run] = set()
        self.going: tuple[Run, ...] = ()
        self._open: dict[int | tuple[int], _Open] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember whose span it is: that is told by where it starts."""
        if not self.runs:
            return
        # This runs for every span of the program, so it asks in the shortest way.
        parent = span.parent
        above = None if parent is None else self._open.get(parent[_SPAN_ID])
        runs: Any
        if above is not None and len(self.runs) == 1:
            runs = above[0]  # there is only one that it can belong to
        else:
            runs = self._runs_of(parent_context, above)
            if runs is None:
                return
        own: Any = span.context
        key: int | tuple[int] = own[_SPAN_ID]
        if key in self._open:  # generators of ids in tests give one again and again
            key = (id(own),)
        if len(self._open) < _MOST_OPEN:
            self._open[key] = runs, span, own
        else:
            self._overflow(runs)

    def _runs_of(self, parent_context: Context | None, above: _Open | None) -> tuple[Run, ...] | None:
        """Say to whom a span belongs that starts here, if to anybody."""
        named: Any = None if parent_context is None else parent_context.get(_KEY)
        runs: Any = otel_context.get_current().get(_KEY)
        if named is not None and named is not runs:  # a context that was kept may name captures that are over
            runs = named if runs is None else (*runs, *named)
        if above is not None and above[0] is not runs:
            runs = above[0] if runs is None else (*runs, *above[0])
        if runs is None:
            runs = self.going
        for run in runs:
            if run.kept is not None and run in self.runs:
                found: tuple[Run, ...] = runs
                return found
        return None

    def on_end(self, span: ReadableSpan) -> None:
        """Give a span to whom it belongs."""
        own: Any = span.context
        found = self._open.pop(own[_SPAN_ID], None)
        if found is None or found[2] is not own:
            if found is not None:
                self._open[own[_SPAN_ID]] = found
            found = self._open.pop((id(own),), None)
            if found is None:
                return
        runs = found[0]
        for kept in (runs[0].kept,) if len(runs) == 1 else self._keepers(runs):
            if kept is not None:
                kept.add(span)

    def _overflow(self, runs: tuple[Run, ...]) -> None:
        for kept in self._keepers(runs):
            if kept is not None:
                kept.overflow()

    def describe(self, kept: Kept) -> None:
        """Note in a capture what keeps this provider from recording everything."""
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            kept.disabled()
        sampler = getattr(self.provider, "sampler", None)
        if sampler is not None and not _DROPS_NOTHING.match(description := str(sampler.get_description())):
            kept.sampled_by(description)

    def leave(self, run: Run, kept: Kept) -> list[str]:
        """Hear for one run less; gives the names of its spans that have not ended and that nobody waits for."""
        self.runs.discard(run)
        self.going = tuple(other for other in self.going if other is not run)
        names = []
        for key, (runs, span, _) in list(self._open.items()):
            if run in runs:
                # One capture may be entered again while it runs; its outer run still waits.
                if not any(other.kept is kept for other in runs if other in self.runs):
                    names.append(span.name)
                if self.runs.isdisjoint(runs):
                    self._open.pop(key, None)
        if not self.runs:
            self._open.clear()
            _close(self)
        return names

    def _keepers(self, runs: tuple[Run, ...]) -> list[Kept | None]:
        """Give the captures of some runs, each once: one that is entered again while it runs has two."""
        found: list[Kept | None] = []
        for run in runs:
            kept = run.kept
            if kept is not None and run in self.runs and kept not in found:
                found.append(kept)
        return found


_taps: Final[list[Tap]] = []
_lender: Lender | None = None


def begin(kept: Kept, provider: Any = None) -> Run:
    """Hear what a provider's tracers record from now on, the global one's if none is named.

    Raises
    ------
    TracelabError
        It is no provider of an SDK.
    """
    with _changing:
        run = Run(kept)
        run.join(_tap_of(_provider() if provider is None else provider))
        return run


def current_run(kept: Kept) -> Run | None:
    """Give the run of a capture that the current context is in."""
    return next((run for run in reversed(_current()) if run.kept is kept), None)


def _current() -> tuple[Run, ...]:
    runs: Any = otel_context.get_value(_KEY)
    return tuple(run for run in runs or () if run.kept is not None)


def _provider() -> Any:
    """Give the global provider, or lend one where nobody has set any."""
    global _lender  # noqa: PLW0603 - tracers that it handed out live as long as the process, so there is only one
    provider = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider | Lender):
        return provider
    if _lender is None:
        _lender = Lender(_provider_was_set)
    _lender.lend()
    return _lender.provider


def _provider_was_set() -> None:
    """Hear the provider that is set while ours was lent, in the middle of a capture."""
    with _changing:
        if _lender is None:
            return
        lent = next((tap for tap in _taps if tap.provider is _lender.provider), None)
        provider = trace.get_tracer_provider()
        if lent is not None and hasattr(provider, "add_span_processor"):
            tap = _tap_of(provider)
            for run in lent.runs:
                run.join(tap)


def _tap_of(provider: Any) -> Tap:
    tap = next((tap for tap in _taps if tap.provider is provider), None)
    if tap is None:
        if not hasattr(provider, "add_span_processor"):
            raise TracelabError(
                f"The tracer provider is a {type(provider).__name__}, to which no span processor can be added, so its "
                "spans cannot be captured. Use a TracerProvider of opentelemetry-sdk."
            )
        tap = Tap(provider)
        provider.add_span_processor(tap)
        _taps.append(tap)
    return tap


def _close(tap: Tap) -> None:
    _taps.remove(tap)
    _remove_processor(tap)
    if _lender is not None and tap.provider is _lender.provider:
        _lender.take_back()


def _remove_processor(tap: Tap) -> None:
    """Take a processor out of its provider, for which the SDK has no function.

    A provider that keeps its processors elsewhere keeps this one, which does nothing where nothing is captured.
    """
    among = getattr(tap.provider, "_active_span_processor", None)
    lock = getattr(among, "_lock", None)
    if among is not None and lock is not None and isinstance(getattr(among, "_span_processors", None), tuple):
        with lock:
            among._span_processors = tuple(each for each in among._span_processors if each is not tap)  # noqa: SLF001


def _begin_in_child() -> None:
    """Open the locks in a process that was forked: the threads that held them are not in it."""
    for tap in _taps:
        for run in tap.runs:
            if run.kept is not None:
                run.kept.renew_locks()
    _changing.release()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_begin_in_child)

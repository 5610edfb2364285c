"""A tracer provider for programs that have none: lent while something is captured, and given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tracelab.errors import TracelabError

if TYPE_CHECKING:
    from collections.abc import Callable


class Lender(trace.TracerProvider):
    """Stands where the global provider is to be, but does not use up the one time that it may be set.

    Tracers that are asked for meanwhile stay with whoever asked, and those that were asked for before (the API's
    proxies) find theirs once and for all. So what they get looks up at every span where it belongs: here while it is
    captured, else to the provider that the program set later, or nowhere.
    """

    def __init__(self, when_set: Callable[[], None]) -> None:
        self.provider = TracerProvider(shutdown_on_exit=False)
        self._when_set = when_set
        self._once: _Once | None = None

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> trace.Tracer:
        """Give a tracer that can outlive the capture."""
        scope = instrumenting_module_name, instrumenting_library_version, schema_url, attributes
        return _LentTracer(self, scope)

    def lend(self) -> None:
        """Be the global provider, if there is none.

        Raises
        ------
        TracelabError
            This version of the API keeps its provider elsewhere.
        """
        if trace.get_tracer_provider() is self:
            return
        api: Any = trace
        self._once = _Once(api._TRACER_PROVIDER_SET_ONCE, self._when_set)  # noqa: SLF001
        api._TRACER_PROVIDER, api._TRACER_PROVIDER_SET_ONCE = self, self._once  # noqa: SLF001
        if trace.get_tracer_provider() is not self:
            self.take_back()
            raise TracelabError(
                "This version of opentelemetry-api takes no provider for a time. Set one before: "
                "opentelemetry.trace.set_tracer_provider(opentelemetry.sdk.trace.TracerProvider())."
            )

    def take_back(self) -> None:
        """Leave the place of the global provider as it was, if nobody has taken it meanwhile."""
        api: Any = trace
        if self._once is not None and api._TRACER_PROVIDER_SET_ONCE is self._once:  # noqa: SLF001
            api._TRACER_PROVIDER_SET_ONCE = self._once.original  # noqa: SLF001
        if api._TRACER_PROVIDER is self:  # noqa: SLF001
            api._TRACER_PROVIDER = None  # noqa: SLF001
        self._once = None


class _Once:
    """The API's own guard, which lets a provider be set once; it tells us when that happens."""

    def __init__(self, original: Any, told: Callable[[], None]) -> None:
        self.original = original
        self._told = told

    def do_once(self, function: Callable[[], None]) -> bool:
        done = bool(self.original.do_once(function))
        if done:
            self._told()
        return done


class _LentTracer(trace.ProxyTracer):
    """A tracer that asks anew for every span who is to record it."""

    def __init__(self, lender: Lender, scope: tuple[Any, ...]) -> None:
        super().__init__(*scope)
        self._lender = lender
        self._scope = scope
        self._own = lender.provider.get_tracer(*scope)
        self._nobody = trace.NoOpTracer()
        self._set: tuple[trace.TracerProvider, trace.Tracer] | None = None

    @property
    def _tracer(self) -> trace.Tracer:
        provider = trace.get_tracer_provider()
        if provider is self._lender:
            return self._own
        if isinstance(provider, trace.ProxyTracerProvider):
            return self._nobody
        if self._set is None or self._set[0] is not provider:
            self._set = provider, provider.get_tracer(*self._scope)
        return self._set[1]

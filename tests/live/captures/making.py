"""What the tests of captures make, and look at."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

if TYPE_CHECKING:
    from tracelab.live import Capture


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

"""The program's own provider, and a tracer that was there before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ConcurrentMultiSpanProcessor, TracerProvider

if TYPE_CHECKING:
    from collections.abc import Iterator


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

"""What pytest finds of tracelab: the fixture `captured_spans`, for tests of one's own services."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def captured_spans() -> Iterator[Any]:
    """Capture the spans that a test makes, as `tracelab.capture` does: `captured_spans.frame()` is their span frame."""
    # Every run of pytest imports this file, whether or not a test asks for spans.
    with import_module("tracelab.live").capture() as spans:
        yield spans

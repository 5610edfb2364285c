"""Asking many answers without passing on what each has to say of the same doubts."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracelab.errors import QueryWarning, SkewWarning

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quietly() -> Iterator[None]:
    """Leave out warnings of few traces, on which nothing is found, and of clocks, which a finding tells of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QueryWarning)
        warnings.simplefilter("ignore", SkewWarning)
        yield

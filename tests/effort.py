"""What an answer costs, counted so that it is the same on every machine, and whatever else that is doing."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def calls_of(ask: Callable[[], object]) -> int:
    """Count the calls, of Python's functions and of built-in ones, that something makes."""
    calls = 0

    def seen(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        ask()
    finally:
        sys.setprofile(before)
    return calls


PATIENCE = 60
"""Seconds after which something that takes less than one is called endless: no measure of speed."""


def ends(ask: Callable[[], object]) -> bool:
    """Tell whether something is done within `PATIENCE`, in time of the processor.

    For what cannot be counted in calls, such as a regular expression that tries everything: a text of this size would
    take it hours.
    """
    begin = time.process_time()
    ask()
    return time.process_time() - begin < PATIENCE

"""The traces of a frame, when Refinery decides on each, and which spans it has by then."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.forest import numbered
from tracelab.schema import end_time

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints

SHORT_ID: Final = r"^0{16}([0-9a-f]{16})$"
_NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Waiting:
    """How long Refinery waits for the spans of a trace, in nanoseconds.

    Attributes
    ----------
    timeout
        After the first span, where no root span comes (`TraceTimeout`).
    delay
        After the root span (`SendDelay`).
    """

    timeout: int
    delay: int


class Traces:
    """The traces of a frame, by their numbers.

    A span arrives when it ends.

    Attributes
    ----------
    spans
        The span frame.
    number
        For every span the number of its trace.
    texts, ids
        The trace ids by these numbers, as the frame and as Honeycomb writes them: without a first half of zeros.
    arrival
        When every span arrives.
    """

    def __init__(self, spans: pl.DataFrame, waiting: Waiting | None = None) -> None:
        self.spans = spans.rechunk()
        self.waiting = waiting
        self.number = numbered(self.spans["trace_id"])
        rows = np.zeros(int(self.number.max(initial=-1)) + 1, dtype=np.int64)
        rows[self.number] = np.arange(self.number.size)
        self.texts = self.spans["trace_id"].gather(pl.Series(rows))
        self.ids = self.texts.str.replace(SHORT_ID, "$1")
        self.arrival = self.spans.select(end_time()).to_series().to_physical().to_numpy()

    @property
    def count(self) -> int:
        """How many traces there are."""
        return self.texts.len()

    @cached_property
    def sizes(self) -> Ints:
        """How many spans each trace has."""
        return np.bincount(self.number, minlength=self.count)

    @cached_property
    def decided(self) -> Ints:
        """When Refinery decides: at the end of the last span, or after it has waited."""
        if self.waiting is None:
            last = np.full(self.count, np.iinfo(np.int64).min)
            np.maximum.at(last, self.number, self.arrival)
            return last
        roots = self.spans["parent_span_id"].is_null().to_numpy()
        first, root = np.full(self.count, _NEVER), np.full(self.count, _NEVER)
        np.minimum.at(first, self.number, self.arrival)
        np.minimum.at(root, self.number[roots], self.arrival[roots])
        timeout = _later(first, self.waiting.timeout)
        return np.where(root <= timeout, _later(root, self.waiting.delay), timeout)

    @cached_property
    def heard(self) -> Flags:
        """Mark the spans that arrive before their trace is decided on."""
        found: Flags = self.arrival <= self.decided[self.number]
        return found

    @cached_property
    def late(self) -> Flags:
        """Mark the traces that have a span which comes too late; what was decided is done with it."""
        found = np.zeros(self.count, dtype=np.bool_)
        found[self.number[~self.heard]] = True
        return found

    def in_order(self, chosen: Ints) -> Ints:
        """Give the places of some traces in the order in which they are decided on; at one time by their ids."""
        times = self.decided[chosen]
        order = np.argsort(times, kind="stable")
        if (np.diff(times[order]) > 0).all():
            return order
        ids = self.texts.gather(pl.Series(chosen)).rank("ordinal").to_numpy()
        return np.lexsort((ids, times))


def _later(times: Ints, wait: int) -> Ints:
    """Add to times what does not pass the last that there is."""
    return np.where(times > _NEVER - wait, _NEVER, times + wait)

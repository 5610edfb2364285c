"""Calls between spans that different clocks may have timed, and what each says of the two clocks.

A call bounds the offset between two clocks from both sides: what answers it cannot begin before the span that called
it, nor end after it, if that one waited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracelab.clocks.agreement import FAR
from tracelab.numbering import renumbered
from tracelab.schema import KIND

if TYPE_CHECKING:
    import numpy.typing as npt

    from tracelab.array_types import Flags, Ints

_SERVER, _PRODUCER, _CONSUMER = (KIND.categories.index_of(kind) for kind in ("server", "producer", "consumer"))


@dataclass(frozen=True)
class Calls:
    """Spans that another process has called.

    Attributes
    ----------
    called, caller
        Places of the spans on both sides.
    low, high
        Nanoseconds that must at least, and may at most be added to the times of the called span so that its caller
        holds it. Where a caller need not have waited, `high` is `FAR`.
    """

    called: Ints
    caller: Ints
    low: Ints
    high: Ints

    @property
    def outside(self) -> Flags:
        """Mark the calls that do not lie within their callers."""
        found: Flags = (self.low > 0) | (self.high < 0)
        return found


@dataclass(frozen=True)
class HostCalls:
    """Calls from host to host, by pair of hosts.

    Attributes
    ----------
    calls
        The calls; their bounds leave room for the digits that clocks are written without.
    pair
        Number of the pair of each call.
    first, second
        The two hosts of each call, the smaller number first.
    forward
        Mark the calls that the first host makes.
    low, high
        How far the clock of the second host is behind that of the first one, at least and at most.
    distinct
        Of each pair, the number of the first host times that of all hosts, plus that of the second one.
    """

    calls: Calls
    pair: Ints
    first: Ints
    second: Ints
    forward: Flags
    low: Ints
    high: Ints
    distinct: Ints


def entering(parent: Ints, kind: npt.NDArray[np.uint8], crossing: Flags) -> Ints:
    """List the spans that another process has called."""
    enters = (kind == _SERVER) | (kind == _CONSUMER)
    return np.flatnonzero(crossing | (enters & (parent >= 0)))


def calls_of(called: Ints, parent: Ints, kind: npt.NDArray[np.uint8], start: Ints, end: Ints) -> Calls:
    """Tell what the called spans and their callers say of their clocks.

    Nobody is thought to wait for messages, and nobody has waited for what took longer than its caller.
    """
    caller = parent[called]
    low = start[caller] - start[called]
    high = end[caller] - end[called]
    waits = (kind[called] != _CONSUMER) & (kind[caller] != _PRODUCER) & (high >= low)
    return Calls(called, caller, low, np.where(waits, high, FAR))


def between_hosts(calls: Calls, host: Ints, grain: Ints) -> HostCalls | None:
    """Put together the calls from host to host; None if there are none. `grain` is that of each host's clock."""
    here, there = host[calls.caller], host[calls.called]
    apart = here != there
    called, caller, low, high, here, there = (
        values[apart] for values in (calls.called, calls.caller, calls.low, calls.high, here, there)
    )
    if not called.size:
        return None
    slack = np.maximum(grain[here], grain[there])
    low, high = low - slack, high + slack
    forward = here < there
    first, second = np.where(forward, here, there), np.where(forward, there, here)
    pair, distinct = renumbered(first * grain.size + second)
    return HostCalls(
        Calls(called, caller, low, high),
        pair,
        first,
        second,
        forward,
        np.where(forward, low, -high),
        np.where(forward, high, -low),
        distinct,
    )

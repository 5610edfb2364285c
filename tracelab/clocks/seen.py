"""What the spans of a frame show of the clocks of their hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracelab.clocks.calls import HostCalls, between_hosts, calls_of
from tracelab.clocks.hosts import grains, host_columns, machines

if TYPE_CHECKING:
    import polars as pl

    from tracelab.array_types import Flags, Ints
    from tracelab.forest import Forest


@dataclass(frozen=True)
class Seen:
    """The hosts of spans in places, and the calls between them.

    Attributes
    ----------
    host
        Number of the host of every span.
    hosts
        Names of hosts by their numbers.
    named
        So many of them are named by an attribute, the others, which come last, by their service.
    calls
        The calls from host to host; None if there are none.
    """

    host: Ints
    hosts: pl.Series
    named: int
    calls: HostCalls | None


def seen_of(frame: pl.DataFrame, forest: Forest, called: Ints | None = None) -> Seen:
    """Look at the spans of a frame, which has its `host_columns`; or only at some that are called, and their callers.

    Then `host` means nothing for the others.
    """
    start = frame["start_time"].to_physical().to_numpy()
    if called is None:
        called = np.flatnonzero(forest.has_parent)
        host, hosts, named = machines(frame)
        grain = grains(start, host, hosts.len())
    else:
        asked = np.concatenate((called, forest.parent[called]))
        host = np.zeros(frame.height, dtype=np.int64)
        host[asked], hosts, named = machines(frame.select("service_name", *host_columns(frame))[asked])
        grain = grains(start[asked], host[asked], hosts.len())
    end = start + frame["duration"].to_physical().to_numpy()
    kind = frame["kind"].to_physical().to_numpy()
    called = called[host[forest.parent[called]] != host[called]]
    called = called[_of_two_hosts(frame, called, forest.parent[called], host, named)]
    calls = calls_of(called, forest.parent, kind, start, end)
    return Seen(host, hosts, named, between_hosts(calls, host, grain))


def _of_two_hosts(frame: pl.DataFrame, called: Ints, caller: Ints, host: Ints, named: int) -> Flags:
    """Tell which calls are from host to host, for spans of one service may name their host or not."""
    certain: Flags = (host[called] < named) == (host[caller] < named)
    if not certain.all():
        services = frame["service_name"]
        certain |= (services.gather(called) != services.gather(caller)).to_numpy()
    return certain

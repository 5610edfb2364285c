"""Hosts whose clocks are wrong, and the calls that say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tracelab.clocks.calls import between_hosts, calls_of, entering
from tracelab.clocks.hosts import CLOCK_KEYS, grains, with_services
from tracelab.clocks.pairs import FEWEST_CALLS, measured
from tracelab.clocks.wrong import wrong_clocks

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence
    from tracelab.clocks.calls import Calls


@dataclass(frozen=True)
class Clocks:
    """Which hosts' clocks are wrong, and the calls that say so.

    Attributes
    ----------
    hosts
        Names of hosts by their numbers; where a span names no host, that of its instance or of its service.
    host
        Number of the host of every span; empty where no clock is wrong.
    wrong
        One row per wrong clock, as `wrong_clocks` gives them.
    calls
        Places of the called spans on or from those hosts; twice where both clocks are wrong.
    blamed
        For each call the row of `wrong` that it speaks of.
    contradicts
        Mark the calls that would be impossible if the clocks agreed.
    """

    hosts: pl.Series
    host: Ints
    wrong: pl.DataFrame
    calls: Ints
    blamed: Ints
    contradicts: Flags

    def correction(self) -> Ints | None:
        """Give the nanoseconds to add to the times of every span; None where all clocks agree."""
        if not self.wrong.height:
            return None
        table = np.zeros(self.hosts.len(), dtype=np.int64)
        table[self.wrong["host"].to_numpy()] = self.wrong["offset"].to_numpy()
        return table[self.host]


def clocks_of(evidence: Evidence) -> Clocks:
    """Find the hosts whose clocks are wrong."""
    return evidence.kept("clocks", lambda: _clocks(evidence))


def machines(evidence: Evidence) -> tuple[Ints, pl.Series]:
    """Give every span the number of its host, its instance or at least its service; and their names."""
    if not evidence.knows(*CLOCK_KEYS):
        return evidence.service, evidence.services
    return with_services(*evidence.numbers(*CLOCK_KEYS), evidence.service, evidence.services)


def _clocks(evidence: Evidence) -> Clocks:
    called = entering(evidence.parent, evidence.kind, evidence.crossing)
    if called.size:
        calls = calls_of(called, evidence.parent, evidence.kind, evidence.start, evidence.end)
        if np.count_nonzero(calls.outside) >= FEWEST_CALLS:
            return _of_calls(evidence, calls)
    return _none()


def _of_calls(evidence: Evidence, calls: Calls) -> Clocks:
    host, hosts = machines(evidence)
    between = between_hosts(calls, host, grains(evidence.start, host, hosts.len()))
    if between is None:
        return _none()
    pairs = measured(between, hosts.len())
    if not pairs.bad.any():
        return _none()
    wrong = wrong_clocks(pairs, hosts.len())
    row_of = np.full(hosts.len(), -1, dtype=np.int64)
    row_of[wrong["host"].to_numpy()] = np.arange(wrong.height)
    # A call between two wrong clocks speaks of both.
    blamed = np.concatenate([row_of[between.first], row_of[between.second]])
    spoken = np.flatnonzero(blamed >= 0)
    call = spoken % between.pair.size
    return Clocks(hosts, host, wrong, between.calls.called[call], blamed[spoken], between.calls.outside[call])


def _none() -> Clocks:
    nothing = np.empty(0, dtype=np.int64)
    wrong = pl.DataFrame(dict.fromkeys(("host", "offset", "lower", "upper", "against"), nothing))
    return Clocks(pl.Series("host", [], dtype=pl.String), nothing, wrong, nothing, nothing, nothing.astype(bool))

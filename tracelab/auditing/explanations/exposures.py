"""Spans beside which a span of another service must stand, whether it is there or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.measures.requests import requests_of

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

_SHORT: Final = 1 << 15


@dataclass(frozen=True)
class Exposures:
    """Spans beside which a span of another service must stand; all arrays have an item for each.

    Attributes
    ----------
    rows
        Their places: children that name a parent, or calls that somebody answers.
    hidden
        The service of the span that must stand there, -1 where it is not known.
    absent
        Whether it is missing.
    partner
        Its place where it is there.
    """

    evidence: Evidence
    rows: Ints
    hidden: Ints
    absent: Flags
    partner: Ints

    @cached_property
    def request(self) -> Ints:
        """Number of the request of each."""
        return requests_of(self.evidence)[self.rows]

    @cached_property
    def time(self) -> Ints:
        """When each ended: spans are sent when they end."""
        return self.evidence.end[self.rows]

    def of(self, chosen: Flags | Ints) -> Exposures:
        """Choose some of them."""
        return Exposures(
            self.evidence, self.rows[chosen], self.hidden[chosen], self.absent[chosen], self.partner[chosen]
        )


@dataclass(frozen=True)
class Window:
    """When the dump begins and ends."""

    first: int
    last: int

    @classmethod
    def of(cls, evidence: Evidence) -> Window:
        """Find the first start and the last end."""
        return cls(int(evidence.start.min()), int(evidence.end.max()))


@dataclass(frozen=True)
class Presence:
    """The spans of services that something is missing of.

    Attributes
    ----------
    rows
        Their places, service by service.
    bounds
        Where the rows of each service begin.
    """

    evidence: Evidence
    rows: Ints
    bounds: Ints

    @classmethod
    def of(cls, evidence: Evidence, services: Ints) -> Presence:
        """Gather the spans of some services."""
        chosen = np.zeros(evidence.services.len(), dtype=bool)
        chosen[services] = True
        rows = np.flatnonzero(chosen[evidence.service])
        order, bounds = gathered_by(evidence.service[rows], evidence.services.len())
        return cls(evidence, rows[order], bounds)

    def spans(self, service: int) -> Ints:
        """List the places of a service's spans, in order."""
        return self.rows[self.bounds[service] : self.bounds[service + 1]]


def gathered_by(numbers: Ints, size: int) -> tuple[Ints, Ints]:
    """Give the places of every number from 0 on, one number after the other, and where those of each begin."""
    # Short numbers are sorted by their digits, ten times as fast.
    order = np.argsort(numbers.astype(np.int16) if size < _SHORT else numbers, kind="stable")
    return order, np.concatenate(([0], np.cumsum(np.bincount(numbers, minlength=size))))


def distinct(numbers: Ints) -> Ints:
    """List the distinct ones of some numbers, in order: they are in order already where places or traces are."""
    changes = np.diff(numbers)
    if (changes < 0).any():
        return np.unique(numbers)
    return numbers[np.concatenate(([True], changes > 0))] if numbers.size else numbers

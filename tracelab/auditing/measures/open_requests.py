"""Which request a process was working on when something began in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.evidence import CONSUMER, SERVER
from tracelab.auditing.measures.chance import NO_MATCH
from tracelab.auditing.measures.pairing import Keys
from tracelab.auditing.measures.some_rows import own_traces, texts_at
from tracelab.numbering import coded, renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

INSTANCE: Final = ("resource.service.instance.id", "resource.k8s.pod.uid", "resource.k8s.pod.name")
HOST: Final = ("resource.host.id", "resource.host.name", "resource.k8s.node.name")
PID: Final = ("resource.process.pid",)
_LOOK_BACK: Final = 24
_NOBODY: Final = -1


def processes(evidence: Evidence, rows: Ints) -> Ints:
    """Give numbers to the processes that some spans were made in: instances of services, as far as they can be told."""
    number = evidence.service[rows]
    instance = coded(texts_at(evidence, rows, *INSTANCE))[0]
    number = renumbered(number * (instance.max(initial=0) + 2) + instance + 1)[0]
    unknown = instance < 0
    for keys in (HOST, PID):
        part = np.where(unknown, coded(texts_at(evidence, rows, *keys))[0], _NOBODY)
        number = renumbered(number * (part.max(initial=0) + 2) + part + 1)[0]
    return number


@dataclass(frozen=True)
class Asked:
    """What is asked about, one item each: in which process something ran, when, and what it must not belong to.

    Attributes
    ----------
    process, start
        Where and when it began.
    until
        Until when what it belongs to must have been open.
    trace, what
        Numbers that what it belongs to must not have: those of its own trace, and of its own kind of work.
    """

    process: Ints
    start: Ints
    until: Ints
    trace: Ints
    what: Ints


@dataclass(frozen=True)
class OpenWork:
    """What processes worked on (requests, messages, jobs), to be looked up by process and time.

    Attributes
    ----------
    keys
        Their order by process and start.
    rows, process, start, end, trace, what
        The spans that began them in that order, and what is known of them.
    """

    keys: Keys
    rows: Ints
    process: Ints
    start: Ints
    end: Ints
    trace: Ints
    what: Ints

    @classmethod
    def of(cls, evidence: Evidence, rows: Ints, process: Ints, what: Ints) -> OpenWork:
        """Sort work by process and start."""
        keys = Keys.of(process, evidence.start[rows])
        rows = rows[keys.order]
        return cls(
            keys, rows, process[keys.order], evidence.start[rows], evidence.end[rows], own_traces(evidence)[rows],
            what[keys.order],
        )  # fmt: skip

    def latest(self, asked: Asked) -> tuple[Ints, Ints]:
        """Find the work of another trace that began last of what was open at a time.

        Gives its row, and how long it had been open; -1 and `NO_MATCH` where there is none among the last two dozen.
        """
        place = self.keys.before(asked.process, asked.start, too=True) - 1
        lowest = self.keys.up_to(asked.process - 1)
        row, slack = np.full(place.size, _NOBODY, dtype=np.int64), np.full(place.size, NO_MATCH, dtype=np.int64)
        left = np.arange(place.size)
        for _ in range(_LOOK_BACK):
            left = left[place[left] >= lowest[left]]
            if not left.size:
                break
            at = place[left]
            fits = (self.end[at] >= asked.until[left]) & (self.trace[at] != asked.trace[left])
            fits &= self.what[at] != asked.what[left]
            found = left[fits]
            row[found], slack[found] = self.rows[at[fits]], asked.start[found] - self.start[at[fits]]
            left = left[~fits]
            place[left] -= 1
        return row, slack

    def count(self, asked: Asked) -> Ints:
        """Count what was open when each of what is asked about began."""
        ends = Keys.of(self.process, self.end)
        return self.keys.before(asked.process, asked.start, too=True) - ends.before(asked.process, asked.start)


def requests_of(evidence: Evidence, services: Ints) -> Ints:
    """List the spans with which some services began to work on a request or on a message."""
    wanted = np.zeros(evidence.services.len(), dtype=bool)
    wanted[services] = True
    enters = (evidence.kind == SERVER) | (evidence.kind == CONSUMER) | evidence.crossing | evidence.orphan
    return np.flatnonzero(enters & wanted[evidence.service])

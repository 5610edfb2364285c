"""Spans that are missing because their service decides for itself which traces it records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.explanations.chance import UNLIKELY, is_cut, same_times
from tracelab.auditing.explanations.exposures import distinct
from tracelab.auditing.measures.enclosing import enclosing
from tracelab.auditing.measures.requests import requests_of
from tracelab.sampling.head.cells import numbers_of
from tracelab.sampling.ids import TraceIds

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.explanations.exposures import Exposures

_FEWEST: Final = 4
_FEWEST_PRESENT: Final = 2
_PARTLY: Final = 0.2
_SELDOM: Final = 0.02
_SIGN: Final = np.uint64(1 << 63)


def sampled_alone(evidence: Evidence, exposures: Exposures, spans: Ints) -> Flags:
    """Mark those missing of one service in traces of which it has no span at all, as if by a throw of dice.

    Parameters
    ----------
    evidence
        The spans.
    exposures
        Spans beside which a span of the service must stand.
    spans
        The spans of the service.

    Returns
    -------
    Which of the exposures miss a span that was not sampled.
    """
    nothing = np.zeros(exposures.rows.size, dtype=bool)
    wholly = exposures.absent & ~_seen(evidence, exposures, spans)
    partly = exposures.absent & ~wholly
    absent = distinct(exposures.request[wholly])
    present = distinct(exposures.request[~exposures.absent])
    torn = distinct(exposures.request[partly])
    if absent.size < _FEWEST or present.size < 1 or torn.size > _PARTLY * (absent.size + present.size):
        return nothing
    # Where ids are used again, requests that overlap are taken for one.
    missed = exposures.absent if torn.size <= _PARTLY * absent.size else wholly
    if _decided_by_id(evidence, *(exposures.rows[_firsts(exposures, among)] for among in (absent, present))):
        return missed
    share = absent.size / (absent.size + present.size)
    if present.size < _FEWEST_PRESENT or share < _SELDOM:
        return nothing
    if not same_times(*(exposures.time[_firsts(exposures, among)] for among in (absent, present))):
        return nothing
    kinds = _Kinds.of(evidence, exposures, share)
    if kinds.never_missing.any():
        return nothing
    broken = missed & kinds.always_missing
    # Somebody calls whose spans are never there, and may as well have made the other calls that a trace begins with.
    rooted = np.isin(exposures.request, requests_of(evidence)[evidence.true_root])
    if 2 * np.count_nonzero(broken & ~rooted) > np.count_nonzero(missed & ~rooted):
        return missed & ~broken & rooted
    return missed & ~broken


def _seen(evidence: Evidence, exposures: Exposures, spans: Ints) -> Flags:
    """Mark those in whose request the service has a span; where requests share an id, in whose time it has one."""
    seen = np.isin(exposures.request, distinct(requests_of(evidence)[spans]))
    shared = np.flatnonzero(seen & exposures.absent & (exposures.request != evidence.trace[exposures.rows]))
    if shared.size:
        ours = np.zeros(evidence.count, dtype=bool)
        ours[spans] = True
        seen[shared] = enclosing(evidence, exposures.rows[shared], among=ours) >= 0
    return seen


def _firsts(exposures: Exposures, requests: Ints) -> Ints:
    """Choose the first of each of some requests."""
    request, first = np.unique(exposures.request, return_index=True)
    return first[np.isin(request, requests)]


def _decided_by_id(evidence: Evidence, absent: Ints, present: Ints) -> bool:
    """Say whether a number in the trace ids parts these spans from those, as where a sampler follows a ratio."""
    first = np.concatenate((absent, present))
    ids = TraceIds.each(evidence.frame["trace_id"].gather(first))
    if not ids.known.all():
        return False
    zeros = np.zeros(first.size, dtype=np.uint64)
    numbers = numbers_of(ids, zeros, zeros > 0)
    # Java and .NET read these as numbers with a sign, and take their absolute value.
    signed = [np.where(half >= _SIGN, -half.view(np.int64), half.view(np.int64)) for half in (ids.high, ids.low)]
    marked = np.arange(first.size) < absent.size
    return any(is_cut(values, marked) for values in (*numbers.values(), *(half.view(np.uint64) for half in signed)))


@dataclass(frozen=True)
class _Kinds:
    """What dice do not do to kinds of spans.

    Attributes
    ----------
    always_missing
        Marks those of a kind that is missing always, more often than the service's share lets expect.
    never_missing
        Marks those of a kind of other services that is never missing, as often.
    """

    always_missing: Flags
    never_missing: Flags

    @classmethod
    def of(cls, evidence: Evidence, exposures: Exposures, share: float) -> _Kinds:
        """Tell kinds by service and name."""
        kind = evidence.service[exposures.rows] * (evidence.names.len() + 1) + evidence.name[exposures.rows] + 1
        kinds, number = np.unique(kind, return_inverse=True)
        every = np.bincount(number)
        absent = np.bincount(number, exposures.absent)
        limit = UNLIKELY + np.log(kinds.size)
        # Neither share is 0 or 1: it is only asked where some are there and some are not.
        always = (absent == every) & (-every * np.log(share) > limit)
        never = (absent == 0) & (-every * np.log(1 - share) > limit)
        # What a service does within itself is not recorded where its own span is not.
        within = evidence.service[exposures.rows] == exposures.hidden
        return cls(always[number], never[number] & ~within)

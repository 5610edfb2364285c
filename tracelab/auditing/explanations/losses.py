"""Spans that were lost on their way for a while: a service is silent, and all that it should have said is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.explanations.chance import UNLIKELY, surprise
from tracelab.auditing.explanations.exposures import distinct
from tracelab.auditing.measures.requests import requests_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.explanations.exposures import Exposures, Window

INSTANCE_KEYS: Final = (
    "resource.service.instance.id",
    "resource.k8s.pod.name",
    "resource.host.name",
    "resource.process.pid",
)
_CANDIDATES: Final = 8
_FEWEST: Final = 2
_HINT: Final = 3.0
_MOST_INSTANCES: Final = 50
_MOST_REQUESTS: Final = 20_000
_LAG: Final = 0.99
_ENOUGH: Final = 5_000
"""How many are looked at for that."""


def lost_for_a_while(evidence: Evidence, exposures: Exposures, spans: Ints, window: Window) -> Flags:
    """Mark those missing of one service while it, or one of its instances, was silent.

    Parameters
    ----------
    evidence
        The spans.
    exposures
        Spans beside which a span of the service must stand.
    spans
        The spans of the service.
    window
        When the dump begins and ends.

    Returns
    -------
    Which of the exposures miss a span that was lost so.
    """
    found = np.zeros(exposures.rows.size, dtype=bool)
    if not spans.size:
        return found
    one_each = _one_of_each_request(exposures)
    one_each = one_each[:: max(1, one_each.size // _MOST_REQUESTS)]
    slack = _slack(evidence, exposures)
    for source, is_part in _sources(evidence, spans):
        open_yet = one_each[~found[one_each]]
        time, absent = exposures.time[open_yet], exposures.absent[open_yet]
        if np.count_nonzero(absent) < _FEWEST:
            break
        ends = np.sort(evidence.end[source])
        requests = distinct(requests_of(evidence)[source]).size if is_part else 0
        for low, high in _silences(time, absent, ends, window, requests):
            found |= exposures.absent & (exposures.time >= low - slack) & (exposures.time <= high + slack)
    return found


def _sources(evidence: Evidence, spans: Ints) -> Iterator[tuple[Ints, bool]]:
    """Give a service's spans, and those of each of its instances, if it has several."""
    yield spans, False
    if not evidence.knows(*INSTANCE_KEYS):
        return
    instance = evidence.numbers(*INSTANCE_KEYS)[0][spans]
    instances = np.unique(instance[instance >= 0])
    if 1 < instances.size <= _MOST_INSTANCES:
        for one in instances.tolist():
            yield spans[instance == one], True


def _silences(time: Ints, absent: Flags, ends: Ints, window: Window, requests: int) -> Iterator[tuple[int, int]]:
    """Find the stretches between two spans of a source in which far more are missing than at other times.

    Others go on while an instance is silent, so that what is missing says less: that it is silent, though it has a part
    in so many requests at other times, says the rest.
    """
    gap = np.searchsorted(ends, time, "right")
    missing = np.bincount(gap[absent], minlength=ends.size + 1)
    every = np.bincount(gap, minlength=ends.size + 1)
    limit = UNLIKELY + np.log(np.count_nonzero(every))
    length = max(window.last - window.first, 1)
    candidates = [one for one in np.argsort(-missing, kind="stable")[:_CANDIDATES].tolist() if missing[one] >= _FEWEST]
    left, left_of = int(missing.sum()), int(every.sum())
    for one in candidates:
        low = int(ends[one - 1]) if one else window.first
        high = int(ends[one]) if one < ends.size else window.last
        rest, rest_of = left - missing[one], left_of - every[one]
        gathered = surprise(int(missing[one]), int(every[one]), (rest + 0.5) / (rest_of + 1))
        silent = requests * (high - low) / max(length - (high - low), 1)
        if requests and min(gathered, silent) < _HINT:
            continue
        if gathered + silent > limit:
            left, left_of = int(rest), int(rest_of)
            yield low, high


def _one_of_each_request(exposures: Exposures) -> Ints:
    """Choose one of each request, one that misses something if any does: those of one request are not independent."""
    chosen = np.full(int(exposures.request.max(initial=-1)) + 1, -1, dtype=np.int64)
    # The last that is written stays: the first one of those that miss something, else the first one.
    for places in (np.arange(exposures.rows.size), np.flatnonzero(exposures.absent)):
        chosen[exposures.request[places[::-1]]] = places[::-1]
    return chosen[chosen >= 0]


def _slack(evidence: Evidence, exposures: Exposures) -> int:
    """Give how far apart the ends of a span and of the one beside it may lie."""
    there = np.flatnonzero(~exposures.absent & (exposures.partner >= 0))
    if not there.size:
        return 0
    there = there[:: max(1, there.size // _ENOUGH)]
    apart = np.abs(evidence.end[exposures.partner[there]] - exposures.time[there])
    return int(np.quantile(apart, _LAG))

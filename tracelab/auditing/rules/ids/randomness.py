"""Trace ids that are not random where samplers read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.findings import Group, Symptom, findings_of, nothing
from tracelab.auditing.measures.trace_ids import bytes_of_trace_ids, first_spans

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

_RANDOM_BYTES: Final = 7
"""What W3C's Trace Context, level 2, says to be random: the last 56 bits."""

_FEWEST: Final = 16
_MOST: Final = 100_000
_SAMPLED_BYTES: Final = 2  # one trace of 65,536 is seldom kept
_LAST: Final = 255
_EDGE: Final = 16  # by chance the outermost of some hundred ids are no nearer in one of e^16 services
_MOST_SERVICES: Final = 256
_BIASED: Final = 8.0  # deviations of one bit
_UNEVEN: Final = 14.0  # deviations of Pearson's statistic, whose tail is heavier


def non_random_trace_id(evidence: Evidence) -> pl.DataFrame:
    """Find services that begin traces with ids that are counters, times or otherwise not random.

    What comes before the last 56 bits may be anything: AWS X-Ray begins ids with a time. Of these bits the first ones
    are not random among traces that were sampled by them.
    """
    number, held = bytes_of_trace_ids(evidence)
    if number.size > _MOST:  # many tell it as well as all
        some = np.arange(0, number.size, number.size // _MOST + 1)
        number, held = number[some], held[some]
    rows = first_spans(evidence)[number]
    service = evidence.service[rows]
    tail = held[:, -_RANDOM_BYTES:]
    place = _suspicious(tail, service, evidence.services.len())
    suspected = np.flatnonzero(place >= 0)
    if not suspected.size:
        return nothing()
    shown = place[service] >= 0
    return findings_of(
        evidence,
        Symptom(
            "non-random-trace-id",
            "warning",
            _says,
            shown=shown,
            rows=rows,
            service=service,
            detail=np.maximum(place[service], 0),
            details=tuple(f"byte {16 - _RANDOM_BYTES + at + 1}" for at in range(_RANDOM_BYTES)),
            unit="traces",
        ),
    )


def _suspicious(tail: npt.NDArray[np.uint8], service: Ints, services: int) -> Ints:
    """Give for each service the byte of its ids that is the least random, -1 where all may be."""
    place = np.full(services, -1, dtype=np.int64)
    traces = np.bincount(service, minlength=services)
    asked = np.argsort(-traces, kind="stable")[:_MOST_SERVICES]
    for one in asked[traces[asked] >= _FEWEST].tolist():
        far = _deviations(tail if traces[one] == service.size else tail[service == one])
        if far.max() > 1:
            place[one] = int(far.argmax())
    return place


def _deviations(tail: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Tell how far each byte is from being random; 1 is more than chance would ever give.

    Pearson's statistic over the halves of a byte finds what is constant or moves slowly, bits by themselves what is
    biased.
    """
    count = tail.shape[0]
    far = np.zeros(tail.shape[1])
    for at in range(_sampled(tail), tail.shape[1]):
        seen = np.bincount(tail[:, at], minlength=256).reshape(16, 16)
        bits = np.unpackbits(tail[:, at]).reshape(-1, 8).sum(axis=0, dtype=np.int64)
        biased = np.abs(2 * bits - count).max() / np.sqrt(count)
        halves = max(_pearson(seen.sum(axis=0), count), _pearson(seen.sum(axis=1), count))
        far[at] = max(biased / _BIASED, halves / _UNEVEN)
    return far


def _sampled(tail: npt.NDArray[np.uint8]) -> int:
    """Count the leading bytes that samplers may have chosen: what is kept lies above a threshold or below a bound."""
    for at in range(tail.shape[1]):
        lowest, highest = int(tail[:, at].min()), int(tail[:, at].max())
        if at < _SAMPLED_BYTES and np.all((tail[:, at] == 0) | (tail[:, at] == _LAST)):
            continue
        edge = _EDGE * (highest - lowest + 1) / tail.shape[0]
        at_edge = lowest <= edge or highest >= _LAST - edge
        return at + (at_edge and at <= _SAMPLED_BYTES)
    return 0


def _pearson(seen: Ints, count: int) -> float:
    """Give the deviations by which counts of 16 equally likely values differ from what is expected."""
    expected = count / seen.size
    freedom = seen.size - 1
    return float((((seen - expected) ** 2).sum() / expected - freedom) / np.sqrt(2 * freedom))


def _says(group: Group) -> str:
    return (
        f"The ids of {group['said_count']} begun by {group['service']} are not random in their last 56 bits "
        f"(least so in {group['detail'].strip(chr(39))} of 16)."
    )

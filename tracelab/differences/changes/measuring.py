"""From what to how much: latency and error rates on either side of a change, for the same mix of operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from scipy import special

from tracelab.differences.significance import rank_sum

if TYPE_CHECKING:
    from tracelab.array_types import Floats
    from tracelab.differences.changes.requests import Group

Bounds: TypeAlias = tuple[float | None, float | None, float | None]

QUANTILES: Final = {"p50": 0.5, "p95": 0.95}


@dataclass(frozen=True)
class Side:
    """What is known of the requests on one side of a change.

    Attributes
    ----------
    traces, requests
        How many there are.
    quantiles
        By name: nanoseconds, with the bounds of the interval; None where there are too few to say.
    error_rate
        With its bounds.
    """

    traces: int
    requests: int
    quantiles: dict[str, Bounds]
    error_rate: Bounds


@dataclass(frozen=True)
class Effect:
    """How large a change is, from -1 to 1, with its interval."""

    value: float
    low: float
    high: float


def sides_of_change(group: Group, begin: int, at: int, end: int, confidence: float) -> tuple[Side, Side]:
    """Measure both sides of a change.

    Notes
    -----
    Each operation weighs as much on one side as on the other, as it does in both together, so that what is asked for
    does not pass for how long it takes (direct standardisation). Operations that one side does not have are left out
    of its figures, unless no operation is on both. The interval of a quantile is that of R. S. Woodruff, "Confidence
    intervals for medians and other position measures", JASA 47 (1952), 635-646: the quantiles at the bounds of
    Wilson's interval for the share below it; that of an error rate is Wilson's. Both count as many requests as the
    weights leave (L. Kish, "Survey Sampling", 1965), and no more than there are traces.
    """
    first, middle, last = np.searchsorted(group.unit, [begin, at, end]).tolist()
    parts = slice(first, middle), slice(middle, last)
    mixes = [np.bincount(group.operation[part], minlength=int(group.operation.max()) + 1) for part in parts]
    both = (mixes[0] > 0) & (mixes[1] > 0)
    if both.any():
        share = np.where(both, mixes[0] + mixes[1], 0)
        weights = [(share / np.maximum(mix, 1))[group.operation[part]] for part, mix in zip(parts, mixes, strict=True)]
    else:
        weights = [np.ones(part.stop - part.start) for part in parts]
    one, other = (_side(group, part, weight, confidence) for part, weight in zip(parts, weights, strict=True))
    return one, other


def latency_effect(group: Group, begin: int, at: int, end: int, confidence: float) -> Effect:
    """Give how much more often a trace after the change is the slower of two than the faster (Cliff's delta)."""
    place = group.above.mean(axis=1)
    found = rank_sum(place[at:end], place[begin:at], confidence)
    return Effect(found.effect, found.low, found.high)


def error_effect(before: Side, after: Side) -> Effect:
    """Give the difference of the error rates, with the interval of R. G. Newcombe (1998) by those of both."""
    (one, low, high), (other, least, most) = (
        tuple(0.0 if each is None else each for each in side.error_rate) for side in (before, after)
    )
    value = other - one
    return Effect(
        value,
        max(value - float(np.hypot(other - least, high - one)), -1.0),
        min(value + float(np.hypot(most - other, one - low)), 1.0),
    )


def _side(group: Group, part: slice, weight: Floats, confidence: float) -> Side:
    units = int(np.unique(group.unit[part]).size)
    total = float(weight.sum())
    size = min(total**2 / float((weight**2).sum()), float(units))
    order = np.argsort(group.duration[part], kind="stable")
    lengths, place = group.duration[part][order], (np.cumsum(weight[order]) - weight[order] / 2) / total
    quantiles: dict[str, Bounds] = {}
    for name, share in QUANTILES.items():
        low, high = wilson(share, size, confidence)
        reach = 1 / (2 * size)
        value = float(np.interp(share, place, lengths))
        quantiles[name] = (
            value,
            min(float(np.interp(low, place, lengths)), value) if low >= reach else None,
            max(float(np.interp(high, place, lengths)), value) if high <= 1 - reach else None,
        )
    rate = float((weight * group.error[part]).sum()) / total
    low, high = wilson(rate, size, confidence)
    return Side(units, part.stop - part.start, quantiles, (rate, min(low, rate), max(high, rate)))


def wilson(rate: float, size: float, confidence: float) -> tuple[float, float]:
    """Give Wilson's interval of a share of so many, which need be no whole number."""
    z = float(special.ndtri(0.5 + confidence / 2))
    middle = (rate + z * z / (2 * size)) / (1 + z * z / size)
    reach = z / (1 + z * z / size) * float(np.sqrt(max(rate * (1 - rate), 0.0) / size + z * z / (4 * size * size)))
    low, high = max(middle - reach, 0.0), min(middle + reach, 1.0)
    return (0.0 if rate <= 0 else low), (1.0 if rate >= 1 else high)

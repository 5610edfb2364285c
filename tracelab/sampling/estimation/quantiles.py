"""Quantiles: below which value a part of what there was lies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from tracelab.sampling.estimation.distributions import exceeded
from tracelab.sampling.estimation.shares import Ratio, ratio

if TYPE_CHECKING:
    from tracelab.sampling.estimation.samples import Flags, Floats, Ints, Sample

_HALF: Final = 0.5
_EVERYTHING: Final = 1e15


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The quantiles of each group: arrays with a row per group and a column per quantile; NaN is not known.

    Attributes
    ----------
    value
        The quantiles.
    lower, upper
        The bounds of their intervals; NaN where there is none.
    nearest
        The place of the item that is nearest to each; -1 where the quantile is not known.
    """

    value: Floats
    lower: Floats
    upper: Floats
    nearest: Ints


def quantiles(sample: Sample, items: Floats, probabilities: Floats, *, confidence: float) -> Quantiles:
    """Estimate quantiles of the items of each group, and their intervals.

    An item with the weight w stands for w of its value, between which quantiles are interpolated as between items that
    are all there. The intervals are R. Woodruff's (JASA 47, 1952): how far the share below the estimate may be off is
    known, and the values at the ends of that range are the bounds. Near 0 and 1 the range is not symmetric: it is that
    of as many independent items as the sample is worth, which is binomial, and where it reaches 0 or 1 there is no
    bound. As few items lie beyond a high quantile, the design effect is also taken where the range begins, the larger
    one counts, and it is no surer than the traces that lie beyond that.
    """
    shape = (sample.groups, probabilities.size)
    value, lower, upper = (np.full(shape, np.nan) for _ in range(3))
    nearest = np.full(shape, -1, dtype=np.int64)
    with ThreadPoolExecutor() as threads:
        by_trace = threads.submit(_by_trace, sample, items)
        curve = _Curve.of(sample, items)
        ordered = by_trace.result()
    some = curve.known
    if not some.any():
        return Quantiles(value, lower, upper, nearest)

    def up_to(limit: Floats) -> Flags:
        below: Flags = ordered <= limit[sample.ordered_group]
        return below

    places = [curve.quantile(p) for p in probabilities.tolist()]
    at = np.stack([found for found, _ in places], axis=1)
    with ThreadPoolExecutor() as threads:
        first = list(threads.map(lambda values: ratio(sample, up_to(values)), at.T))
    low, high = curve.bounds(_ranges(probabilities, first, confidence))
    inner = np.where(probabilities >= _HALF, np.fmin(low, at), np.fmax(high, at))
    with ThreadPoolExecutor() as threads:
        further = threads.map(
            lambda there, p: _further_in(sample, up_to(there), upper=p >= _HALF), inner.T, probabilities.tolist()
        )
        second = [one.no_better_than(*other) for one, other in zip(first, further, strict=True)]
    low, high = curve.bounds(_ranges(probabilities, second, confidence))
    exact = np.stack([np.isinf(one.alone) for one in second], axis=1)
    value[some] = at[some]
    lower[some] = np.where(exact, at, np.minimum(low, at))[some]
    upper[some] = np.where(exact, at, np.maximum(high, at))[some]
    nearest[some] = np.stack([place for _, place in places], axis=1)[some]
    return Quantiles(value, lower, upper, nearest)


def _by_trace(sample: Sample, items: Floats) -> Floats:
    """Put items into the order of the sample, and find its clusters on the way."""
    sample.of_groups(sample.cluster_weight)
    return items[sample.order]


@dataclass(frozen=True, slots=True)
class _Curve:
    """How the weights of each group add up as the items grow."""

    by_value: Ints
    values: Floats
    through: Floats
    before: Floats
    total: Floats
    begins: Ints
    ends: Ints
    known: Flags

    @classmethod
    def of(cls, sample: Sample, items: Floats) -> _Curve:
        by_value = np.argsort(items)
        # Small numbers are sorted by their digits, which is several times faster.
        small = np.min_scalar_type(max(sample.groups - 1, 0))
        by_value = by_value[np.argsort(sample.group[by_value].astype(small), kind="stable")]
        weight = sample.weight[by_value]
        unknown = np.isnan(weight)
        ends = np.cumsum(np.bincount(sample.group, minlength=sample.groups))
        begins = np.concatenate(([0], ends[:-1])).astype(np.int64)
        sums = np.concatenate(([0.0], np.cumsum(np.where(unknown, 0.0, weight))))
        unknowns = np.concatenate(([0], np.cumsum(unknown)))
        return cls(
            by_value=by_value,
            values=items[by_value],
            through=sums[1:],
            before=sums[begins],
            total=sums[ends] - sums[begins],
            begins=begins,
            ends=ends,
            known=(ends > begins) & (unknowns[ends] == unknowns[begins]),
        )

    def quantile(self, p: float) -> tuple[Floats, Ints]:
        """Give the quantile of each group, and the place of the item that is nearest to it.

        It is the mean of the values that stand between a position among all that there was, and one further.
        """
        position = np.maximum(self.total - 1, 0) * p
        low, high = self._reached(position, "right"), self._reached(position + 1, "left")
        part = np.clip(self.through[low] - self.before - position, 0, 1)
        part = np.where(low == high, 1.0, part)
        at = self.values[high] + (self.values[low] - self.values[high]) * part
        return at, self.by_value[np.where(part >= 0.5, low, high)]

    def bounds(self, shares: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """Give the values at two shares of the weight of each group, per quantile; NaN at 0 and at 1."""
        low, high = shares
        first = self.values[self._reached(low * self.total[:, None], "right")]
        last = self.values[self._reached(high * self.total[:, None], "left")]
        return np.where(low > 0, first, np.nan), np.where(high < 1, last, np.nan)

    def _reached(self, weight: Floats, side: Literal["left", "right"]) -> Ints:
        """Find the first item of each group up to which the weights reach a number, or with `right` exceed it."""
        shape = (-1, *[1] * (weight.ndim - 1))
        before, begins, ends = (part.reshape(shape) for part in (self.before, self.begins, self.ends))
        found = np.searchsorted(self.through, before + weight, side=side)
        return np.minimum(np.clip(found, begins, np.maximum(ends - 1, begins)), self.values.size - 1)


def _further_in(sample: Sample, flags: Flags, *, upper: bool) -> tuple[Ratio, Floats]:
    """Give the share of items up to a bound, and how many traces have some that lie on its far side."""
    there = sample.of_clusters(~flags if upper else flags) > 0
    return ratio(sample, flags), sample.of_groups(there.astype(np.float64))


def _ranges(probabilities: Floats, ratios: list[Ratio], confidence: float) -> tuple[Floats, Floats]:
    """Say between which shares of the sample quantiles may lie, given how many independent items each is worth."""
    worth = np.stack([ratio.worth(confidence) for ratio in ratios], axis=1)
    n = np.where(np.isfinite(worth), worth, _EVERYTHING)
    p = np.broadcast_to(probabilities, n.shape)
    tail = (1 - confidence) / 2
    return 1 - exceeded(n, 1 - p, tail), exceeded(n, p, tail)

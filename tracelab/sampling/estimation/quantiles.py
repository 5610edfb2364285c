"""Quantiles: below which value a part of what there was lies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from tracelab.sampling.estimation.distributions import normal_quantile
from tracelab.sampling.estimation.excesses import Excess, Places

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.sampling.estimation.samples import Sample

_HALF: Final = 0.5


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


def quantiles(sample: Sample, items: Floats | Ints, probabilities: Floats, *, confidence: float) -> Quantiles:
    """Estimate quantiles of the items of each group, and their intervals.

    An item with the weight w stands for w of its value, between which quantiles are interpolated as between items that
    are all there; between whole numbers (the items are integers) they are rounded. The bounds are the first and the
    last item of which a test would not tell that it is no bound: whether so many lie below it is tried with the
    uncertainty that there would be if that was so, not with the one that the sample shows, which sees nothing where all
    items that stand for many lie on one side (R. Woodruff's intervals, JASA 47, 1952, rest on that). Where such a test
    cannot exclude that the quantile lies beyond all items there is no bound.
    """
    shape = (sample.groups, probabilities.size)
    value, lower, upper = (np.full(shape, np.nan) for _ in range(3))
    nearest = np.full(shape, -1, dtype=np.int64)
    with ThreadPoolExecutor() as threads:
        by_trace = threads.submit(lambda: sample.cluster_weight)
        curve = _Curve.of(sample, items)
        by_trace.result()
    some = curve.known
    if not some.any():
        return Quantiles(value, lower, upper, nearest)

    found = [curve.quantile(p) for p in probabilities.tolist()]
    at = np.stack([one for one, _ in found], axis=1)
    places, z = Places.ordered(sample, curve.by_value), normal_quantile(confidence)
    with ThreadPoolExecutor() as threads:
        excesses = list(threads.map(lambda p: Excess.of(places, p), probabilities.tolist()))
    low = np.stack([curve.value_at(excess.first(z, upper=False)) for excess in excesses], axis=1)
    high = np.stack([curve.value_at(excess.first(z, upper=True)) for excess in excesses], axis=1)
    exact = (sample.heaviest <= 1)[:, None]
    value[some] = at[some]
    lower[some] = np.where(exact, at, np.minimum(low, at))[some]
    upper[some] = np.where(exact, at, np.maximum(high, at))[some]
    nearest[some] = np.stack([place for _, place in found], axis=1)[some]
    return Quantiles(value, lower, upper, nearest)


@dataclass(frozen=True, slots=True)
class _Curve:
    """How the weights of each group add up as the items grow."""

    by_value: Ints
    values: Floats
    whole: bool
    through: Floats
    before: Floats
    total: Floats
    begins: Ints
    ends: Ints
    known: Flags

    @classmethod
    def of(cls, sample: Sample, items: Floats | Ints) -> _Curve:
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
            values=items[by_value].astype(np.float64),
            whole=np.issubdtype(items.dtype, np.integer),
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
        part = np.clip(position - (self.through[low] - self.before - 1), 0, 1)
        part = np.where(low == high, 0.0, part)
        step = (self.values[high] - self.values[low]) * part
        at = self.values[low] + (np.rint(step) if self.whole else step)
        # Of two that are equally near the one that has the even place, as `rint` says.
        lower = (part < _HALF) | ((part == _HALF) & (np.rint(position) <= position))
        return at, self.by_value[np.where(lower, low, high)]

    def value_at(self, number: Ints) -> Floats:
        """Give the value of so many-th item of each group, counted from 1; NaN where there is none."""
        there = (number > 0) & (number <= self.ends - self.begins)
        return np.where(there, self.values[np.where(there, self.begins + number - 1, 0)], np.nan)

    def _reached(self, weight: Floats, side: Literal["left", "right"]) -> Ints:
        """Find the first item of each group up to which the weights reach a number, or with `right` exceed it."""
        shape = (-1, *[1] * (weight.ndim - 1))
        before, begins, ends = (part.reshape(shape) for part in (self.before, self.begins, self.ends))
        found = np.searchsorted(self.through, before + weight, side=side)
        return np.minimum(np.clip(found, begins, np.maximum(ends - 1, begins)), self.values.size - 1)

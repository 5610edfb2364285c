"""Shares: which part of what there was is of some kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.sampling.estimation.distributions import normal_quantile
from tracelab.sampling.estimation.dropped import Dropped, difference
from tracelab.sampling.estimation.totals import Estimates

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.sampling.estimation.draws import Draws
    from tracelab.sampling.estimation.samples import Sample

_HAIR: Final = 1e-10
_HALVINGS: Final = 40


def shares(sample: Sample, flags: Flags, *, confidence: float) -> Estimates:
    """Estimate the share of the items of each group that have a flag, among all that there were.

    The estimate is J. Hajek's ratio. Its interval has the shares p of which the excess, over all draws the sum of how
    many items with the flag they have less p times how many items, may be 0. The draws that have more than their share
    and those that have less are different ones, so that what was dropped of either is bounded by itself. Where some of
    one side were kept for sure, as errors often are, and none of it by chance, a rule may keep all of it, and none is
    taken to have been dropped; but of a group of which only what is sure was seen, anything may have been.
    """
    draws, z = sample.draws, normal_quantile(confidence)
    flagged = draws.added(flags)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = draws.of_groups(draws.stands_for * flagged) / draws.of_groups(draws.stands_for * draws.size)
    excess, inside = _Excess.of(sample, flagged), np.clip(np.nan_to_num(share), 0, 1)
    lower = _border(lambda p: excess.range(p, z)[0] <= 0, inside, np.zeros(sample.groups))
    upper = _border(lambda p: excess.range(p, z)[1] >= 0, inside, np.ones(sample.groups))
    known = np.where(np.isnan(share), np.nan, inside)
    exact = np.isnan(share) | (draws.unit <= 1)
    return Estimates(known, np.where(exact, known, lower), np.where(exact, known, upper))


@dataclass(frozen=True, slots=True)
class _Excess:
    """How many items with a flag more than a part p of all there were, as a sample knows it.

    Draws of a group that have as many items, and as many with the flag, are put together: for each such
    kind there are the sums of the moments of its draws, and how many of them were sure.
    """

    draws: Draws
    only_sure: Flags
    seen_flagged: Floats
    seen: Floats
    group: Ints
    flagged: Floats
    size: Floats
    moments: tuple[Floats, Floats, Floats]
    sure: Floats

    @classmethod
    def of(cls, sample: Sample, flagged: Floats) -> _Excess:
        """Find the kinds of draws."""
        draws = sample.draws
        mean, variance, third = draws.moments
        kinds = (
            pl.LazyFrame(
                {
                    "group": draws.group,
                    "size": draws.size,
                    "flagged": flagged,
                    "mean": mean,
                    "variance": variance,
                    "third": third,
                    "sure": draws.stands_for <= 1,
                }
            )
            .group_by("group", "size", "flagged", maintain_order=True)
            .agg(pl.col("mean", "variance", "third").sum(), pl.col("sure").sum().cast(pl.Float64))
            .sort("group", "size", "flagged")
            .collect()
        )
        column = {name: kinds[name].to_numpy() for name in kinds.columns}
        return cls(
            draws=draws,
            only_sure=sample.only_sure,
            seen_flagged=draws.of_groups(flagged),
            seen=draws.of_groups(draws.size),
            group=column["group"],
            flagged=column["flagged"],
            size=column["size"],
            moments=(column["mean"], column["variance"], column["third"]),
            sure=column["sure"],
        )

    def range(self, p: Floats, z: float) -> tuple[Floats, Floats]:
        """Bound the excess of each group over its own p."""
        own = self.flagged - p[self.group] * self.size
        more, fewer = self._side(own, 1 - p, z), self._side(-own, p, z)
        low, high = difference(more, fewer)
        seen = self.seen_flagged - p * self.seen
        # What is left of rounding is nothing.
        hair = _HAIR * self.seen
        return seen + self.draws.unit * low - hair, seen + self.draws.unit * high + hair

    def _side(self, own: Floats, unseen: Floats, z: float) -> tuple[Floats, Floats, Floats]:
        """Bound what was dropped of the draws that lie on one side; an item there that was not seen adds `unseen`."""
        own = np.maximum(own, 0)
        powers = (own, own**2, own**3)
        dropped = Dropped(*(self._of_groups(part * power) for part, power in zip(self.moments, powers, strict=True)))
        may_be_unseen = (self._of_groups(self.sure * (own > 0)) == 0) | self.only_sure
        return dropped.limits(unseen * self.draws.usual, self.draws.unseen_chance, z, may_be_unseen)

    def _of_groups(self, kinds: Floats) -> Floats:
        return np.bincount(self.group, weights=kinds, minlength=self.seen.size).astype(np.float64)


def _border(possible: Callable[[Floats], Flags], inside: Floats, outside: Floats) -> Floats:
    """Search, between a number that is possible and one that may not be, for the last that is."""
    inside = np.where(possible(outside), outside, inside)
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        there = possible(middle)
        inside, outside = np.where(there, middle, inside), np.where(there, outside, middle)
    return inside


def parts_of_whole(
    sample: Sample, parts: Floats, wholes: Floats, *, everything: tuple[Floats, Floats], confidence: float
) -> Estimates:
    """Estimate which part of a sum of wholes the parts are, where most traces have no part in most groups.

    Parameters
    ----------
    sample
        One item for each group and trace that has a part in it.
    parts, wholes
        The part of each item, and the whole of its trace.
    everything
        For each group, over all traces, also those without a part: the weighted sum of wholes, and the sum of
        w (w - 1) times the square of the whole.
    confidence
        The confidence of the intervals.
    """
    part, whole, weight = parts[sample.order], wholes[sample.order], sample.ordered_weight
    total, square = everything
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(sample.of_groups(sample.of_clusters(weight * part)) / total, 0, 1)
        expected = share[sample.ordered_group] * whole
        change = weight * (weight - 1) * ((part - expected) ** 2 - expected**2)
        variance = np.maximum(sample.of_groups(sample.of_clusters(change)) + share**2 * square, 0)
        worth = np.where((share > 0) & (share < 1), share * (1 - share) * total**2 / variance, total**2 / square)
    lower, upper = _wilson(share, worth, confidence)
    return Estimates(share, np.where(np.isnan(share), np.nan, lower), np.where(np.isnan(share), np.nan, upper))


def _wilson(share: Floats, worth: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Give Wilson's interval for a share of so many items, which need not be a whole number of them."""
    z = normal_quantile(confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = z * z / worth
        middle = (share + more / 2) / (1 + more)
        reach = np.sqrt(more * share * (1 - share) + more * more / 4) / (1 + more)
    lower = np.where((worth == 0) | (share <= 0), 0.0, middle - reach)
    upper = np.where((worth == 0) | (share >= 1), 1.0, middle + reach)
    return lower, upper

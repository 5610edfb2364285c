"""Shares: which part of what there was is of some kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracelab.sampling.estimation.design import DesignEffect, design_effect
from tracelab.sampling.estimation.distributions import normal_quantile, student_quantile
from tracelab.sampling.estimation.totals import Estimates, may_be_unseen

if TYPE_CHECKING:
    from tracelab.sampling.estimation.samples import Flags, Floats, Sample


@dataclass(frozen=True, slots=True)
class Ratio:
    """The estimated share of each group, and how much is known of it.

    Attributes
    ----------
    share
        The share; NaN where it is not known.
    alone
        How many items would leave the same uncertainty, if each was drawn by itself; infinite where nothing was left
        to chance.
    effect
        How many times fewer it is, because they come trace by trace.
    """

    share: Floats
    alone: Floats
    effect: DesignEffect

    def worth(self, confidence: float) -> Floats:
        """Give the effective number of items, less what is lost because it is itself estimated (Korn and Graubard)."""
        t = student_quantile(confidence, self.effect.freedom)
        with np.errstate(invalid="ignore"):
            return np.where(np.isinf(t), 0.0, self.alone / self.effect.factor * (normal_quantile(confidence) / t) ** 2)


def shares(sample: Sample, flags: Flags, *, confidence: float) -> Estimates:
    """Estimate the share of the items of each group that have a flag, among all that there were.

    The interval is Wilson's for as many items as `ratio` finds the sample to be worth (as E. Korn and B. Graubard do
    with the one of Clopper and Pearson, Survey Methodology 24, 1998).
    """
    found = ratio(sample, flags[sample.order], again=2)
    share, worth = found.share, found.worth(confidence)
    lower, upper = _wilson(share, worth, confidence)
    # Of a group of which only what was sure to be kept was seen, anything may have been dropped.
    lost = np.where(sample.only_sure, may_be_unseen(sample, confidence), 0.0)
    with np.errstate(invalid="ignore"):
        total = sample.of_groups(sample.cluster_weight)
        lower = np.fmin(lower, share * total / (total + lost))
        upper = np.fmax(upper, (share * total + lost) / (total + lost))
    unknown = np.isnan(share)
    return Estimates(share, np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper))


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


def ratio(sample: Sample, flags: Flags, *, again: int = 1) -> Ratio:
    """Estimate a share; the flags come in the order of the sample.

    Both sums are estimated (J. Hajek's ratio), and the variance is that of the residuals, summed up trace by trace
    (C.-E. Sarndal, B. Swensson and J. Wretman, "Model Assisted Survey Sampling", 1992, section 5.6).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        total = sample.of_groups(sample.cluster_weight)
        share = np.clip(sample.of_groups(sample.flagged_weight(flags)) / total, 0, 1)
        together, alone = sample.share_variances(flags, share)
        effect = design_effect(sample, together, alone, again=again)
        effective = share * (1 - share) * total**2 / sample.of_groups(alone)
    alike = (share <= 0) | (share >= 1)
    if alike.any():
        effective = np.where(alike, _where_all_are_alike(sample, total, share), effective)
    return Ratio(
        share=share,
        alone=effective,
        effect=DesignEffect(np.where(alike, 1.0, effect.factor), np.where(alike, np.inf, effect.freedom)),
    )


def _where_all_are_alike(sample: Sample, total: Floats, share: Floats) -> Floats:
    """Say how many independent traces a group is worth in which all items, or none, have the flag.

    The residuals are nothing there, and say nothing of those that were dropped: a trace with the largest weight that
    was seen may have been among them. Where everything that is left is sure to be kept and flagged, as errors often
    are, what is not flagged may have been dropped at the rate that other groups are.
    """
    heaviest = sample.most_of_groups(sample.ordered_weight[sample.begins])
    everywhere = float(np.nanmax(heaviest, initial=1.0))
    heaviest = np.where((share >= 1) & (heaviest <= 1), everywhere, heaviest)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = total / sample.of_groups(sample.cluster_weight / sample.cluster_size)
        variance = sample.of_groups(sample.own_variances)
        return np.minimum(total**2 / variance, total / (size * (heaviest - 1)))

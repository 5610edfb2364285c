"""Totals: how many there were, or how much, of which a part was kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracelab.sampling.estimation.design import design_effect
from tracelab.sampling.estimation.distributions import normal_quantile, student_quantile

if TYPE_CHECKING:
    from tracelab.sampling.estimation.samples import Flags, Floats, Sample


@dataclass(frozen=True, slots=True)
class Estimates:
    """One estimate per group, with the bounds of its interval; NaN where something is not known."""

    value: Floats
    lower: Floats
    upper: Floats


def totals(sample: Sample, items: Floats | Flags, *, confidence: float) -> Estimates:
    """Estimate the sums of some numbers that are not negative, or count flags, over all that there was.

    The estimate is that of D. Horvitz and D. Thompson (JASA 47, 1952). What was sure to be kept is no estimate. The
    rest is bounded as a binomial number with the same mean and variance is: `number` were kept, each with the
    probability `rate`, and how many there were is found by inverting the score test. Where each trace has one item and
    all have one weight, it is that number.
    """
    parts, chanced = _parts(sample, items[sample.order]), sample.chanced
    weighted = parts.weighted
    sure = sample.of_groups(np.where(chanced, 0.0, weighted))
    estimate = sample.of_groups(np.where(chanced, weighted, 0.0))
    kept = sample.of_groups(np.where(chanced, parts.kept, 0.0))
    effect = design_effect(sample, parts.together, parts.alone, again=1)
    z = student_quantile(confidence, effect.freedom)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = kept / estimate
        size = effect.factor * sample.of_groups(parts.alone) * rate / (estimate * (1 - rate))
        number, drop = kept / size, z * z * (1 - rate) / 2
        # Far out the reach is nearly the middle, so that the lower bound is their product over the upper one.
        upper = (number + drop + np.sqrt(2 * number * drop + drop**2)) * size / rate
        lower = np.maximum(kept, (number * size / rate) ** 2 / upper)
        upper = np.where(np.isinf(z), np.inf, upper)
    nothing = estimate == 0
    # Where some were kept for sure and others that were seen are none of these, a rule may keep all of them.
    unseen = np.where((sure > 0) & ~sample.only_sure, 0.0, may_be_unseen(sample, confidence))
    return Estimates(
        value=sure + estimate,
        lower=sure + np.where(nothing, 0.0, lower),
        upper=sure + np.where(nothing, unseen, upper),
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What each cluster adds: to the estimate, to what was kept, and to the variance, as one or item by item."""

    weighted: Floats
    kept: Floats
    together: Floats
    alone: Floats


def _parts(sample: Sample, items: Floats | Flags) -> _Parts:
    """Add up numbers, or count flags, which is quicker where the items of a cluster have one weight."""
    kept = sample.of_clusters(items)
    if items.dtype == np.bool_ and not sample.mixed.size:
        factor = sample.first_weight * (sample.first_weight - 1)
        return _Parts(kept * sample.first_weight, kept, factor * kept**2, factor * kept)
    y = items.astype(np.float64)
    weighted = sample.of_clusters(sample.ordered_weight * y)
    return _Parts(weighted, kept, sample.variances(y), sample.lone_variances(y))


def may_be_unseen(sample: Sample, confidence: float) -> Floats:
    """Say how many items a group may have had, none of which was kept, if they had the largest weight of the group."""
    return normal_quantile(confidence) ** 2 * (sample.heaviest - 1)

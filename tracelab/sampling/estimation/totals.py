"""Totals: how many there were, or how much, of which a part was kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracelab.sampling.estimation.distributions import normal_quantile

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats
    from tracelab.sampling.estimation.samples import Sample


@dataclass(frozen=True, slots=True)
class Estimates:
    """One estimate per group, with the bounds of its interval; NaN where something is not known."""

    value: Floats
    lower: Floats
    upper: Floats


def totals(sample: Sample, items: Floats | Flags, *, confidence: float) -> Estimates:
    """Estimate the sums of some numbers that are not negative, or count flags, over all that there was.

    The estimate is that of D. Horvitz and D. Thompson (JASA 47, 1952). What was kept is no estimate; the rest, which
    was dropped, is bounded. Where some were kept for sure, and others that were seen are none of these, a rule may keep
    all of them, and none are taken to have been dropped.
    """
    draws = sample.draws
    numbers = draws.added(items)
    kept, sure = draws.of_groups(numbers), draws.of_groups(np.where(draws.chance > 0, 0.0, numbers))
    counts = items.dtype == np.bool_
    event = draws.usual if counts else draws.of_groups(numbers**2) / np.where(kept > 0, kept, 1.0)
    unseen = (sure == 0) | sample.only_sure
    lower, mean, upper = draws.dropped(numbers).limits(event, draws.unseen_chance, normal_quantile(confidence), unseen)
    if not counts:
        # How large numbers are that were dropped is not known where all that was seen are 0.
        upper = np.where((kept == 0) & (draws.unit > 1), np.inf, upper)
    unknown = np.isnan(mean)
    return Estimates(
        value=kept + draws.unit * mean,
        lower=np.where(unknown, np.nan, kept + draws.unit * lower),
        upper=np.where(unknown, np.nan, kept + draws.unit * upper),
    )

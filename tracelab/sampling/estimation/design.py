"""The design effect: how much less spans tell because they are kept trace by trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from tracelab.sampling.estimation.samples import Floats, Sample

_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class DesignEffect:
    """By how many times the variance of each group is larger, and how surely that is known.

    Attributes
    ----------
    factor
        The variance over what it would be if each item was drawn by itself.
    freedom
        Degrees of freedom, for Student's distribution: infinite where traces are alike.
    """

    factor: Floats
    freedom: Floats


def design_effect(sample: Sample, together: Floats, alone: Floats, *, again: int) -> DesignEffect:
    """Compare the parts of a variance that clusters add with what they would add if each item was drawn by itself.

    A few traces with many items can be nearly all of a variance, and where none of these was kept the sample looks too
    good. So the cluster that adds the most is counted so many times `again`, on both sides: where each item is a trace
    nothing changes. The degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946), for the quotient, and no
    more than traces allow.
    """
    at = sample.cluster_group
    with np.errstate(divide="ignore", invalid="ignore"):
        all_together, all_alone = sample.of_groups(together), sample.of_groups(alone)
        reaction = together / all_together[at] - alone / all_alone[at]
        reactions = sample.of_groups(np.where(sample.chanced, reaction**2, 0.0))
        most = sample.most_of_groups(together)
        heaviest = np.flatnonzero(together == most[at])
        its_own = np.zeros(sample.groups)
        its_own[at[heaviest]] = alone[heaviest]
        factor = (all_together + again * most) / (all_alone + again * its_own)
        traces = sample.of_groups(sample.chanced.astype(np.float64))
        freedom = np.minimum(2 / reactions, traces - 1)
    # Where all react alike there is nothing to be estimated: items are traces, or traces are equally large.
    alike = (reactions < _ROUNDING) & ((traces > 1) | (np.abs(factor - 1) < _ROUNDING))
    known = all_together > 0
    return DesignEffect(factor=np.where(known, factor, 1.0), freedom=np.where(alike | ~known, np.inf, freedom))

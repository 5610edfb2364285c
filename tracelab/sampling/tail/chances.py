"""How likely a trace was to be sampled, as far as its policies leave it to chance."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.sampling.tail.content import NOT_SAMPLED, SAMPLED
from tracelab.sampling.tail.policies import (
    BytesLimiting,
    Composite,
    Policy,
    Probabilistic,
    RateLimiting,
    TailPolicies,
    with_sub_policies,
)
from tracelab.sampling.tail.walking import Leaves, Walk, verdict

if TYPE_CHECKING:
    import numpy.typing as npt

    from tracelab.forest import Flags, Ints
    from tracelab.sampling.tail.groups import Codes

_MOST_CASES: Final = 512


@dataclass(frozen=True)
class Chances:
    """What is left to chance.

    Attributes
    ----------
    probability
        Of being sampled, for each trace; NaN where nobody knows.
    open
        Whether the decision rests on budgets, of which nobody knows how much others had spent.
    """

    probability: npt.NDArray[np.float64]
    open: Flags


def chances(policies: TailPolicies, leaves: Leaves, verdict_count: int) -> Chances:
    """Go through all cases: where the hashes of each salt may fall, and whether each budget has something left.

    Policies of one salt look at the same hash, so that one of them samples whatever one of a lower ratio does. Hashes
    of different salts are independent.
    """
    every = [each for policy in policies.policies for each in with_sub_policies(policy)]
    cuts: dict[str, set[float]] = {}
    for policy in every:
        if isinstance(policy, Probabilistic):
            cuts.setdefault(policy.hash_salt, {0.0, 1.0}).add(_share(policy))
    budgets = [policy for policy in every if isinstance(policy, RateLimiting | BytesLimiting | Composite)]
    ranges = [[(salt, low, high) for low, high in pairwise(sorted(found))] for salt, found in cuts.items()]
    cases = 2 ** len(budgets)
    for each in ranges:
        cases *= len(each)
    if cases > _MOST_CASES:
        unknown = np.full(verdict_count, np.nan)
        return Chances(unknown, np.full(verdict_count, bool(budgets)))
    totals = []
    for choice in product((True, False), repeat=len(budgets)):
        total = np.zeros(verdict_count)
        granted = {budget.path: grants for budget, grants in zip(budgets, choice, strict=True)}
        for cells in product(*ranges):
            case = _Case(leaves, {salt: high for salt, _, high in cells}, granted)
            share = float(np.prod([high - low for _, low, high in cells]))
            total += share * verdict(Walk(policies, case), verdict_count).sampled
        totals.append(np.minimum(total, 1.0))
    least, most = np.min(totals, axis=0), np.max(totals, axis=0)
    differs = most > least
    return Chances(np.where(differs, np.nan, least), differs)


def _share(policy: Probabilistic) -> float:
    return min(max(policy.sampling_percentage / 100, 0.0), 1.0)


@dataclass(frozen=True)
class _Case:
    """Answers as they are where hashes fall into some ranges, and budgets have something left or not."""

    leaves: Leaves
    below: dict[str, float]
    granted: dict[str, bool]

    def codes(self, policy: Policy) -> Codes:
        codes = self.leaves.codes(policy)
        if not isinstance(policy, Probabilistic):
            return codes
        inside = self.below[policy.hash_salt] <= _share(policy)
        return np.full(codes.size, SAMPLED if inside else NOT_SAMPLED, dtype=np.int8)

    def spend(self, policy: RateLimiting | BytesLimiting | Composite, asked: Flags, takers: Ints | None) -> Flags:
        del takers
        return asked if self.granted[policy.path] else np.zeros_like(asked)

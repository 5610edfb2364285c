"""How likely a trace was to be sampled, as far as its policies leave it to chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Final, Protocol

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
from tracelab.sampling.tail.walking import Leaves, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from tracelab.array_types import Flags, Ints
    from tracelab.sampling.tail.groups import Codes

_MOST_CASES: Final = 512


class Answering(Leaves, Protocol):
    """Answers of policies without sub-policies, some of which nobody knows."""

    @property
    def unknown(self) -> Mapping[Policy, Flags]:
        """Which traces a policy cannot be replayed on."""


@dataclass(frozen=True)
class Chances:
    """What is left to chance.

    Attributes
    ----------
    probability
        Of being sampled, for each trace; NaN where nobody knows.
    open
        Whether the decision rests on budgets, of which nobody knows how much others had spent.
    unknown
        Whether it rests on policies that cannot be replayed on the trace.
    """

    probability: npt.NDArray[np.float64]
    open: Flags
    unknown: Flags


def chances(policies: TailPolicies, answers: Answering, kept: Callable[[Walk], Flags], count: int) -> Chances:
    """Go through all cases: where the hashes of each salt may fall, and whether each budget has something left.

    Policies of one salt look at the same hash, so that one of them samples whatever one of a lower ratio does. Hashes
    of different salts are independent. `kept` says which of so many traces are kept after a walk.
    """
    every = [each for policy in policies.policies for each in with_sub_policies(policy)]
    cuts: dict[str, set[float]] = {}
    for policy in every:
        if isinstance(policy, Probabilistic):
            cuts.setdefault(policy.hash_salt, {0.0, 1.0}).add(_share(policy))
    budgets = [policy.path for policy in every if isinstance(policy, RateLimiting | BytesLimiting | Composite)]
    unknown = [policy.path for policy in every if policy in answers.unknown]
    ranges = [[(salt, low, high) for low, high in pairwise(sorted(found))] for salt, found in cuts.items()]
    if math.prod(map(len, ranges)) * 2 ** (len(budgets) + len(unknown)) > _MOST_CASES:
        return Chances(np.full(count, np.nan), np.full(count, bool(budgets)), np.full(count, bool(unknown)))
    totals = np.empty((2 ** len(budgets), 2 ** len(unknown), count))
    for row, granted in enumerate(product((True, False), repeat=len(budgets))):
        for column, sampled in enumerate(product((True, False), repeat=len(unknown))):
            yes = dict(zip([*budgets, *unknown], [*granted, *sampled], strict=True))
            totals[row, column] = _total(policies, answers, kept, ranges, yes, count)
    least, most = totals.min(axis=(0, 1)), totals.max(axis=(0, 1))
    resting = (totals.max(axis=1) > totals.min(axis=1)).any(axis=0)
    return Chances(
        np.where(most > least, np.nan, least), (totals.max(axis=0) > totals.min(axis=0)).any(axis=0), resting
    )


def _total(
    policies: TailPolicies,
    answers: Answering,
    kept: Callable[[Walk], Flags],
    ranges: list[list[tuple[str, float, float]]],
    yes: dict[str, bool],
    count: int,
) -> npt.NDArray[np.float64]:
    total = np.zeros(count)
    for cells in product(*ranges):
        case = _Case(answers, {salt: high for salt, _, high in cells}, yes)
        total += math.prod(high - low for _, low, high in cells) * kept(Walk(policies, case))
    return np.minimum(total, 1.0)


def _share(policy: Probabilistic) -> float:
    return min(max(policy.sampling_percentage / 100, 0.0), 1.0)


@dataclass(frozen=True)
class _Case:
    """Answers as they are where hashes fall into some ranges, and what nobody knows is one thing or the other."""

    answers: Answering
    below: dict[str, float]
    yes: dict[str, bool]

    def codes(self, policy: Policy) -> Codes:
        codes = self.answers.codes(policy)
        if isinstance(policy, Probabilistic):
            inside = self.below[policy.hash_salt] <= _share(policy)
            return np.full(codes.size, SAMPLED if inside else NOT_SAMPLED, dtype=np.int8)
        if self.yes.get(policy.path):
            return np.where(self.answers.unknown[policy], SAMPLED, codes).astype(np.int8)
        return codes

    def spend(self, policy: RateLimiting | BytesLimiting | Composite, asked: Flags, takers: Ints | None) -> Flags:
        del takers
        return asked if self.yes[policy.path] else np.zeros_like(asked)

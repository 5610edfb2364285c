"""From the answers of policies to a decision: `and`, `not`, `drop` and `composite`, and the rules on top of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from tracelab.sampling.tail.content import (
    DROPPED,
    ERROR,
    INVERT_NOT_SAMPLED,
    INVERT_SAMPLED,
    NOT_SAMPLED,
    SAMPLED,
    SKIPPED,
    plain,
)
from tracelab.sampling.tail.policies import (
    And,
    BytesLimiting,
    Composite,
    Drop,
    Not,
    Policy,
    Probabilistic,
    RateLimiting,
    TailPolicies,
)

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.sampling.tail.groups import Codes

NOBODY: Final = -1
_MOST: Final = 2**56


class Leaves(Protocol):
    """The answers of policies without sub-policies."""

    def codes(self, policy: Policy) -> Codes:
        """Give the decision of one that looks at spans, on each trace."""

    def spend(self, policy: RateLimiting | BytesLimiting | Composite, asked: Flags, takers: Ints | None) -> Flags:
        """Say which of the traces that ask get something of a budget; of a composite's they say whose."""


@dataclass
class Walk:
    """Evaluates policies on all traces at once, each only on those that the Collector would have asked it about.

    Attributes
    ----------
    policies
        The configuration.
    leaves
        Who answers below.
    codes
        What each policy said: decisions by path.
    """

    policies: TailPolicies
    leaves: Leaves
    codes: dict[str, Codes] = field(default_factory=dict)

    def said(self, policy: Policy, asked: Flags) -> Codes:
        """Evaluate a policy on the traces that are asked about; the others are skipped."""
        codes = np.where(asked, self._answer(policy, asked), SKIPPED).astype(np.int8)
        self.codes[policy.path] = codes
        return codes

    def _answer(self, policy: Policy, asked: Flags) -> Codes:
        match policy:
            case And():
                return self._all(policy.policies, asked, SAMPLED)
            case Drop():
                codes = self._all(policy.policies, asked, DROPPED)
                codes[codes == INVERT_NOT_SAMPLED] = NOT_SAMPLED
                return codes
            case Not():
                codes = self.said(policy.policy, asked)
                return np.where(codes == SAMPLED, NOT_SAMPLED, np.where(codes == NOT_SAMPLED, SAMPLED, codes))
            case Composite():
                return self._first(policy, asked)
            case RateLimiting() | BytesLimiting():
                return plain(self.leaves.spend(policy, asked, None))
            case _:
                return self.leaves.codes(policy)

    def _all(self, subs: tuple[Policy, ...], asked: Flags, meaning: int) -> Codes:
        """Say `meaning` where no sub-policy says no; the first that does, or breaks off, ends the evaluation."""
        codes = np.full(asked.size, meaning, dtype=np.int8)
        left = asked.copy()
        follows = self.policies.follows
        passes = follows("and_passes_inversions") and not follows("and_gives_plain")
        for sub in subs:
            said = self.said(sub, left)
            no = (said == NOT_SAMPLED) | (said == INVERT_NOT_SAMPLED)
            codes[no] = said[no] if passes else NOT_SAMPLED
            codes[said == ERROR] = ERROR
            left &= ~(no | (said == ERROR))
        return codes

    def _first(self, policy: Composite, asked: Flags) -> Codes:
        takers = np.full(asked.size, NOBODY, dtype=np.int64)
        codes = np.full(asked.size, NOT_SAMPLED, dtype=np.int8)
        left = asked.copy()
        for place, sub in enumerate(policy.policies):
            said = self.said(sub, left)
            takes = (said == SAMPLED) | (said == INVERT_SAMPLED)
            takers[takes] = place
            codes[said == ERROR] = ERROR
            left &= ~(takes | (said == ERROR))
        codes[self.leaves.spend(policy, takers != NOBODY, takers)] = SAMPLED
        return codes


@dataclass(frozen=True)
class Verdict:
    """What becomes of the traces.

    Attributes
    ----------
    decision
        A code for each: sampled, not sampled or dropped.
    decider
        The place of the policy that decided, among those on top; -1 where none did.
    """

    decision: Codes
    decider: Ints

    @property
    def sampled(self) -> Flags:
        """Say which are kept."""
        return np.equal(self.decision, SAMPLED)


def verdict(walk: Walk, count: int) -> Verdict:
    """Evaluate the policies on so many traces, and decide."""
    policies = walk.policies
    left = np.ones(count, dtype=bool)
    decision = np.full(count, NOT_SAMPLED, dtype=np.int8)
    first = {code: np.full(count, NOBODY, dtype=np.int64) for code in (SAMPLED, INVERT_SAMPLED, DROPPED)}
    least = np.full(count, _MOST, dtype=np.int64)
    refused, inverted = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    places = {policy.path: place for place, policy in enumerate(policies.policies)}
    for policy in policies.in_order:
        said, place = walk.said(policy, left), places[policy.path]
        for code, deciders in first.items():
            deciders[(said == code) & (deciders == NOBODY)] = place
        if policies.follows("least_threshold"):
            better = (said == SAMPLED) & (threshold(policy) < least)
            first[SAMPLED][better] = place
            least[better] = threshold(policy)
        refused |= said == NOT_SAMPLED
        inverted |= said == INVERT_NOT_SAMPLED
        left &= said != DROPPED
        if policies.sample_on_first_match:
            left &= said != SAMPLED
    dropped = first[DROPPED] != NOBODY
    sampled = ~dropped & ~inverted & (first[SAMPLED] != NOBODY)
    by_inversion = ~dropped & ~inverted & ~sampled & (first[INVERT_SAMPLED] != NOBODY) & ~refused
    decision[sampled | by_inversion] = SAMPLED
    decider = np.where(sampled, first[SAMPLED], np.where(by_inversion, first[INVERT_SAMPLED], NOBODY))
    if policies.follows("dropped"):
        decision[dropped] = DROPPED
    return Verdict(decision, np.where(dropped, first[DROPPED], decider))


def threshold(policy: Policy) -> int:
    """Give how many of 2**56 random values a policy says that it rejects: 0 where it leaves nothing to chance."""
    match policy:
        case Probabilistic():
            ratio = policy.sampling_percentage / 100
            return 0 if ratio >= 1 else _MOST if ratio < 1 / _MOST else _MOST - round(ratio * _MOST)
        case And():
            return max((threshold(sub) for sub in policy.policies), default=0)
        case _:
            return 0

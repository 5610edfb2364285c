"""The replay of a configuration on spans: groups, clock, policies and chances put together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tracelab.sampling.ids import TraceIds
from tracelab.sampling.tail.chances import Chances, chances
from tracelab.sampling.tail.clock import Lives, arrivals, forgetful
from tracelab.sampling.tail.content import NOT_SAMPLED, Content
from tracelab.sampling.tail.groups import trace_groups
from tracelab.sampling.tail.limits import shared_seconds, token_bucket, whole_seconds
from tracelab.sampling.tail.policies import (
    BytesLimiting,
    Composite,
    Policy,
    RateLimiting,
    TailPolicies,
    sub_policies,
    with_sub_policies,
)
from tracelab.sampling.tail.sizes import trace_sizes
from tracelab.sampling.tail.walking import NOBODY, Verdict, Walk, verdict

if TYPE_CHECKING:
    import polars as pl

    from tracelab.forest import Flags, Ints
    from tracelab.sampling.tail.groups import Codes, Groups

_BUDGETS: Final = (RateLimiting, BytesLimiting, Composite)


@dataclass
class Answers:
    """Who answers for policies without sub-policies: content as it is, and budgets in the order of decisions."""

    policies: TailPolicies
    content: Content
    lives: Lives
    counted: Flags

    def codes(self, policy: Policy) -> Codes:
        """Give the decision of one that looks at spans, on each trace."""
        return self.content.codes(policy)

    @property
    def unknown(self) -> dict[Policy, Flags]:
        """Which traces a policy cannot be replayed on, as far as it was asked."""
        return self.content.unknown

    def spend(self, policy: RateLimiting | BytesLimiting | Composite, asked: Flags, takers: Ints | None) -> Flags:
        """Spend a budget on the traces that ask, as they are decided; within one tick the one that came first is."""
        places = self._in_turn[(asked & self.counted)[self._in_turn]]
        times = self.lives.decided[places]
        costs = (self.sizes if isinstance(policy, BytesLimiting) else self.content.groups.sizes)[places]
        granted = np.zeros(asked.size, dtype=bool)
        match policy:
            case Composite():
                whose = np.zeros(0, dtype=np.int64) if takers is None else takers[places]
                most = policy.max_total_spans_per_second
                granted[places] = shared_seconds(times, costs, whose, allocated=policy.allocated, most=most)
            case RateLimiting() if not self.policies.follows("token_bucket"):
                granted[places] = whole_seconds(times, costs, limit=policy.spans_per_second)
            case RateLimiting():
                granted[places] = token_bucket(times, costs, rate=policy.spans_per_second, burst=policy.burst_capacity)
            case BytesLimiting():
                granted[places] = token_bucket(times, costs, rate=policy.bytes_per_second, burst=policy.burst_capacity)
        return granted

    @cached_property
    def sizes(self) -> Ints:
        """The bytes of each trace as OTLP's protobuf."""
        return trace_sizes(self.content.groups)

    @cached_property
    def _in_turn(self) -> Ints:
        return np.lexsort((self.lives.first, self.lives.decided))


@dataclass
class Replay:
    """What became of the spans, and why.

    Attributes
    ----------
    policies
        The configuration.
    groups
        The traces.
    lives
        The traces as the Collector held them.
    walk
        What each policy said on each life.
    verdict
        What was decided on each life.
    answers
        Who answered.
    trace_ids
        The ids of the traces.
    known
        Whether a trace has an id that can be decided on.
    strange
        The lives whose end rests on when spans came: some came late, or the trace was forgotten.
    """

    policies: TailPolicies
    groups: Groups
    lives: Lives
    walk: Walk
    verdict: Verdict
    answers: Answers
    trace_ids: pl.Series
    known: Flags
    strange: Flags
    labels: dict[str, str] = field(default_factory=dict)

    @cached_property
    def chances(self) -> Chances:
        """How likely each life was to be sampled; unknown where it was forgotten, or has no id that counts."""
        count = self.lives.trace.size
        found = chances(self.policies, self.answers, lambda walk: verdict(walk, count).sampled, count)
        unknown = ~self.answers.counted | ~self.known[self.lives.trace]
        return replace(found, probability=np.where(unknown, np.nan, found.probability))

    @cached_property
    def sampled(self) -> Flags:
        """Say which lives are kept."""
        return self.verdict.sampled & ~self.undecided

    @cached_property
    def undecided(self) -> Flags:
        """Say on which lives nothing can be said: their id is none, or a condition that matters cannot be replayed."""
        return ~self.known[self.lives.trace] | (self.chances.unknown & self.answers.counted)

    @cached_property
    def simulated(self) -> Flags:
        """Say on which lives a decision rests on simulated arrivals."""
        return self.strange | self.chances.open | self.answers.content.unsure


def replay(frame: pl.DataFrame, policies: TailPolicies, arrival: Any = None) -> Replay:
    """Decide on all traces of a frame."""
    groups = trace_groups(frame)
    ids = TraceIds.of(frame["trace_id"].gather(groups.first_rows))
    id_bytes, known = ids.bytes[ids.number], ids.known[ids.number]
    came = arrivals(frame, arrival)
    # Without arrivals the rows stand for the order in which spans came: all that they decide is marked.
    order = None if arrival is None else np.argsort(np.argsort(came, kind="stable"), kind="stable")
    lives = Lives.of(groups, came, policies)
    judge = _Judge(policies, id_bytes, known, came, order)
    if not lives.may_be_forgotten(came, policies):
        return judge.judged(groups, lives)
    caches = policies.sampled_cache_size > 0 or policies.non_sampled_cache_size > 0
    sampled = judge.judged(groups, lives).sampled if caches else np.zeros(lives.trace.size, dtype=bool)
    return judge.judged(groups, forgetful(lives, came, policies, sampled))


@dataclass(frozen=True)
class _Judge:
    policies: TailPolicies
    id_bytes: Any
    known: Flags
    came: Ints
    order: Ints | None

    def judged(self, groups: Groups, lives: Lives) -> Replay:
        late = lives.late(self.came)
        heard = lives.groups if late is None else lives.groups.only(~late)
        content = Content(heard, self.policies, self.id_bytes[lives.trace], self.order)
        answers = Answers(self.policies, content, lives, ~lives.lost & self.known[lives.trace])
        strange = lives.lost.copy()
        if late is not None:
            strange[lives.groups.group[late]] = True
        if lives.trace.size > groups.starts.size:
            strange |= np.bincount(lives.trace)[lives.trace] > 1
        most = self.policies.maximum_trace_size_bytes
        if most:
            too_large = answers.sizes > most
            answers.counted &= ~too_large
            strange |= too_large
        walk = Walk(self.policies, answers)
        found = verdict(walk, lives.trace.size)
        if not answers.counted.all():
            decision = np.where(answers.counted, found.decision, NOT_SAMPLED).astype(np.int8)
            found = Verdict(decision, np.where(answers.counted, found.decider, NOBODY))
        trace_ids = groups.frame["trace_id"].gather(groups.first_rows)
        return Replay(
            self.policies, groups, lives, walk, found, answers, trace_ids, self.known, strange, labels(self.policies)
        )


def labels(policies: TailPolicies) -> dict[str, str]:
    """Name every policy by its path of names, such as `slow-checkout/latency`: one without a name by its place."""
    found: dict[str, str] = {}

    def name(siblings: tuple[Policy, ...], above: str) -> None:
        counts = Counter(each.name for each in siblings)
        for place, policy in enumerate(siblings):
            own = policy.name if policy.name and counts[policy.name] == 1 else f"{policy.name}[{place}]"
            found[policy.path] = f"{above}/{own}" if above else own
            name(sub_policies(policy), found[policy.path])

    name(policies.policies, "")
    return found


def has_budgets(policies: TailPolicies) -> bool:
    """Say whether some policy lets pass only so much in a time."""
    return any(isinstance(each, _BUDGETS) for policy in policies.policies for each in with_sub_policies(policy))

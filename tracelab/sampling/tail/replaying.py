"""The replay of a configuration on spans: groups, clock, policies and chances put together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from tracelab.sampling.ids import TraceIds
from tracelab.sampling.tail.chances import Chances, chances
from tracelab.sampling.tail.clock import Ending, Lives, arrivals, forgetful
from tracelab.sampling.tail.content import DROPPED, ERROR, NOT_SAMPLED, Content
from tracelab.sampling.tail.groups import Groups, trace_groups
from tracelab.sampling.tail.limits import shared_seconds, token_bucket, whole_seconds
from tracelab.sampling.tail.policies import (
    BytesLimiting,
    Composite,
    Drop,
    Policy,
    RateLimiting,
    TailPolicies,
    sub_policies,
)
from tracelab.sampling.tail.sizes import trace_sizes
from tracelab.sampling.tail.walking import NOBODY, Verdict, Walk, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from tracelab.array_types import Flags, Ints
    from tracelab.sampling.tail.groups import Codes

Decided: TypeAlias = "tuple[dict[str, Codes], Verdict, Content, Ints, Callable[[], Chances]]"

_ROUNDS: Final = 20


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
    trace_ids
        The ids of the traces.
    known
        Whether a trace has an id that can be decided on.
    lives
        The traces as the Collector held them; what follows has an item for each.
    heard
        How many spans were there when it was decided.
    codes
        What each policy said, by path.
    verdict
        What was decided.
    counted
        Whether it came to a decision at all: it was not forgotten, nor too large, and has an id.
    strange
        Whether its end rests on when spans came: some came late, or it was forgotten.
    errors
        What went wrong, for policies that had errors.
    ends
        The row of the span at whose coming it was decided, on ingest; -1 where it was at a tick of the clock.
    """

    policies: TailPolicies
    groups: Groups
    trace_ids: pl.Series
    known: Flags
    lives: Lives
    heard: Ints
    codes: dict[str, Codes]
    verdict: Verdict
    counted: Flags
    strange: Flags
    errors: dict[Policy, str]
    ends: Ints = field(repr=False)
    find_chances: Callable[[], Chances] = field(repr=False)

    @cached_property
    def labels(self) -> dict[str, str]:
        """The names of policies, by path."""
        return labels(self.policies)

    @property
    def endings(self) -> list[list[Ending]]:
        """What was decided on the lives of each trace, and at which row, in the order in which they began."""
        found: list[list[Ending]] = [[] for _ in range(self.groups.starts.size)]
        ends = zip(self.lives.trace.tolist(), self.verdict.sampled.tolist(), self.ends.tolist(), strict=True)
        for trace, sampled, row in ends:
            found[trace].append((sampled, row))
        return found

    @cached_property
    def chances(self) -> Chances:
        """How likely each life was to be sampled; unknown where it was forgotten, or has no id that counts."""
        found = self.find_chances()
        return replace(found, probability=np.where(self.counted, found.probability, np.nan))

    @cached_property
    def sampled(self) -> Flags:
        """Say which lives are kept."""
        return self.verdict.sampled & ~self.undecided

    @cached_property
    def undecided(self) -> Flags:
        """Say on which lives nothing can be said: their id is none, or a condition that matters cannot be replayed."""
        return ~self.known[self.lives.trace] | (self.chances.unknown & self.counted)

    @cached_property
    def simulated(self) -> Flags:
        """Say on which lives a decision rests on simulated arrivals."""
        return self.strange | self.chances.open


def replay(frame: pl.DataFrame, policies: TailPolicies, arrival: Any = None) -> Replay:
    """Decide on all traces of a frame."""
    groups = trace_groups(frame)
    ids = TraceIds.each(frame["trace_id"].gather(groups.first_rows))
    came = arrivals(frame, arrival)
    # Without arrivals the rows stand for the order in which spans came: all that they decide is marked.
    order = None if arrival is None else np.argsort(np.argsort(came, kind="stable"), kind="stable")
    lives = Lives.of(groups, came, policies)
    judge = _Judge(policies, ids.bytes, ids.known, came, order)
    if lives.may_be_forgotten(came, policies):
        return _replay_forgetful(judge, groups, lives)
    if policies.span_ingest:
        return _replay_on_ingest(judge, groups, lives)
    return judge.judged(groups, lives)


def _replay_forgetful(judge: _Judge, groups: Groups, lives: Lives) -> Replay:
    """Replay what the Collector remembers, which depends on what it decides, which depends on what it remembers.

    What is decided first rests on no decision, so that each round gets at least one more right.
    """
    told = judge.judged(groups, lives)
    endings = told.endings
    for _ in range(_ROUNDS):
        told = judge.judged(groups, forgetful(lives, judge.came, judge.policies, endings))
        found = told.endings
        if found == endings or not judge.remembers:
            break
        endings = found
    return told


def _replay_on_ingest(judge: _Judge, groups: Groups, lives: Lives) -> Replay:
    """Let traces begin anew that nothing was decided on in time: the Collector forgets them then."""
    while True:
        told = judge.judged(groups, lives)
        late = lives.late(judge.came)
        open_ones = told.counted & np.equal(told.verdict.decision, NOT_SAMPLED)
        if late is None or not (late & open_ones[lives.groups.group]).any():
            return told
        lives = lives.parted(late & open_ones[lives.groups.group], judge.came, judge.policies)


@dataclass(frozen=True)
class _Judge:
    policies: TailPolicies
    id_bytes: Any
    known: Flags
    came: Ints
    order: Ints | None

    @property
    def remembers(self) -> bool:
        """Say whether what is decided on a trace changes how long it is held."""
        its = self.policies
        return its.span_ingest or its.sampled_cache_size > 0 or its.non_sampled_cache_size > 0

    def judged(self, groups: Groups, lives: Lives) -> Replay:
        """Decide on each life, on the spans that came in time, or on each span when it comes."""
        late = lives.late(self.came)
        heard = lives.groups if late is None else lives.groups.only(~late)
        strange = lives.lost.copy()
        if late is not None:
            strange[lives.groups.group[late]] = True
        if lives.trace.size > groups.starts.size:
            strange |= np.bincount(lives.trace)[lives.trace] > 1
        counted = ~lives.lost & self.known[lives.trace]
        most = self.policies.maximum_trace_size_bytes
        if most and not self.policies.span_ingest:
            too_large = trace_sizes(heard) > most
            counted &= ~too_large
            strange |= too_large
        decide = self._on_ingest if self.policies.span_ingest else self._on_tick
        codes, found, content, ends, find = decide(heard, lives, counted)
        if most and self.policies.span_ingest:
            too_large = trace_sizes(self._until(heard, ends)) > most
            counted &= ~too_large
            strange |= too_large
        if not counted.all():
            decision = np.where(counted, found.decision, NOT_SAMPLED).astype(np.int8)
            found = Verdict(decision, np.where(counted, found.decider, NOBODY))
        unsure = heard.sizes > 1 if self.policies.span_ingest else content.unsure
        return Replay(
            policies=self.policies,
            groups=groups,
            trace_ids=groups.frame["trace_id"].gather(groups.first_rows),
            known=self.known,
            lives=lives,
            heard=heard.sizes,
            codes=codes,
            verdict=found,
            counted=counted,
            strange=strange | unsure,
            errors=content.errors,
            ends=ends,
            find_chances=find,
        )

    def _until(self, heard: Groups, ends: Ints) -> Groups:
        """Take what had come of each life when it was decided."""
        last = np.where(ends < 0, heard.most(self.came), self.came[ends])
        return heard.only(heard.placed(self.came) <= np.repeat(last, heard.sizes))

    def _on_tick(self, heard: Groups, lives: Lives, counted: Flags) -> Decided:
        """Decide on all that came of each life."""
        content = Content(heard, self.policies, self.id_bytes[lives.trace], self.order)
        answers = Answers(self.policies, content, lives, counted)
        walk = Walk(self.policies, answers)
        count = lives.trace.size
        found = verdict(walk, count)

        def find() -> Chances:
            return chances(self.policies, answers, lambda case: verdict(case, count).sampled, count)

        return walk.codes, found, content, np.full(count, -1), find

    def _on_ingest(self, heard: Groups, lives: Lives, counted: Flags) -> Decided:
        """Decide on each span by itself, as if it had come alone; the first that is sampled or dropped decides."""
        rows = np.arange(heard.places) if heard.rows is None else heard.rows
        sequence = np.lexsort((rows, self.came[rows], heard.group))
        singles = Groups(heard.frame, rows[sequence], np.arange(rows.size))
        policies = replace(self.policies, sample_on_first_match=True)
        content = Content(singles, policies, self.id_bytes[lives.trace][heard.group], self.order)
        content.counts = np.arange(rows.size) - np.repeat(heard.starts, heard.sizes) + 1
        answers = Answers(policies, content, lives, counted)
        walk = Walk(policies, answers)
        alone = verdict(walk, rows.size)
        sampled = _forwarded(walk, alone)
        ends = np.flatnonzero(sampled | np.equal(alone.decision, DROPPED))
        first = ends[np.minimum(np.searchsorted(ends, heard.starts), ends.size - 1)] if ends.size else heard.starts - 1
        decides = (first >= heard.starts) & (first < heard.starts + heard.sizes)
        place = np.where(decides, first, heard.starts + heard.sizes - 1)
        found = Verdict(
            np.where(decides, alone.decision[place], NOT_SAMPLED).astype(np.int8),
            np.where(decides, alone.decider[place], NOBODY),
        )

        def kept(case: Walk) -> Flags:
            here = _forwarded(case, verdict(case, rows.size))
            return np.asarray(np.logical_or.reduceat(here, heard.starts)) if here.size else here

        def find() -> Chances:
            return chances(policies, answers, kept, heard.starts.size)

        row = np.where(decides, rows[sequence][place], -1)
        return {path: codes[place] for path, codes in walk.codes.items()}, found, content, row, find


def _forwarded(walk: Walk, alone: Verdict) -> Flags:
    """Say which spans are sent on at once: none while a policy that drops might still do so."""
    waiting = np.zeros(alone.decision.size, dtype=bool)
    for policy in walk.policies.policies:
        if isinstance(policy, Drop):
            waiting |= walk.codes[policy.path] != ERROR
    return alone.sampled & ~waiting


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

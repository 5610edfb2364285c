"""What rules make of the traces of a frame: which rule decides on each, at which rate, and whether it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.sampling.refinery import samplers as s
from tracelab.sampling.refinery.conditions import matched
from tracelab.sampling.refinery.draws import chosen, drawn
from tracelab.sampling.refinery.keys import trace_keys
from tracelab.sampling.refinery.rates import Arrivals, rates

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.sampling.refinery.fields import Events

_NAMES: Final[dict[type, str]] = {
    s.Deterministic: "DeterministicSampler",
    s.Average: "DynamicSampler",
    s.Throughput: "TotalThroughputSampler",
    s.Windowed: "WindowedThroughputSampler",
}


def sampler_name(sampler: s.Deterministic | s.Dynamic) -> str:
    """Give the name that a rules file has for a sampler."""
    if isinstance(sampler, s.MovingAverage):
        return "EMADynamicSampler" if sampler.throughput is None else "EMAThroughputSampler"
    return _NAMES[type(sampler)]


def rule_type(rule: s.Rule) -> str:
    """Say what becomes of the traces that match a rule."""
    if rule.sampler is not None:
        return sampler_name(rule.sampler)
    return "Drop" if rule.drop else "SampleRate"


def rules_of(sampler: s.Sampler) -> tuple[s.Rule, ...]:
    """Give the rules of a sampler; any other than one of rules is one rule that all traces match."""
    if isinstance(sampler, s.RulesBased):
        return sampler.rules
    return (s.Rule(sampler_name(sampler), (), sampler=sampler),)


@dataclass(frozen=True)
class Outcome:
    """What was decided; every array has an item per trace.

    Attributes
    ----------
    decider
        Which of the rules decided; as many as there are where none did.
    rate
        One in so many was kept; 0 for none.
    kept, simulated
        Whether each was kept, and whether that rests on what the spans do not say: arrivals, or a draw.
    """

    decider: Ints
    rate: Ints
    kept: Flags
    simulated: Flags


@dataclass(frozen=True)
class Replay:
    """Rules, and the events of the traces that they are put to.

    Attributes
    ----------
    rules
        The rules in their order.
    events
        The events.
    seed
        What draws are made with.
    """

    rules: tuple[s.Rule, ...]
    events: Events
    seed: int

    @cached_property
    def matched(self) -> list[Flags]:
        """For each rule the traces that it matches, whichever rule comes first."""
        return [matched(self.events, rule) for rule in self.rules]

    def outcome(self, *, without: int | None = None) -> Outcome:
        """Decide by the first rule that matches; a trace that matches none is kept. One rule may be left out."""
        traces = self.events.traces
        count = traces.count
        flags = [*self.matched, np.ones(count, dtype=np.bool_)]
        if without is not None:
            flags[without] = np.zeros(count, dtype=np.bool_)
        decider = np.argmax(np.stack(flags), axis=0)
        outcome = Outcome(
            decider,
            np.ones(count, dtype=np.int64),
            np.ones(count, dtype=np.bool_),
            traces.late.copy(),
        )
        for number, rule in enumerate(self.rules):
            self._decide(outcome, np.flatnonzero(decider == number), rule)
        return outcome

    def _decide(self, outcome: Outcome, traces: Ints, rule: s.Rule) -> None:
        """Let a rule decide on the traces that are its own."""
        if not traces.size:
            return
        ids = self.events.traces.ids.gather(pl.Series(traces))
        match rule.sampler:
            case None:
                rate = 0 if rule.drop else max(rule.rate, 0)
                outcome.rate[traces] = rate
                outcome.kept[traces] = drawn(ids, outcome.rate[traces], self.seed) if rate > 1 else rate == 1
                outcome.simulated[traces] |= rate > 1
            case s.Deterministic(rate):
                outcome.rate[traces] = max(rate, 1)
                outcome.kept[traces] = chosen(ids, rate)
            case dynamic:
                outcome.rate[traces] = self._replayed(traces, dynamic)
                outcome.kept[traces] = drawn(ids, outcome.rate[traces], self.seed)
                outcome.simulated[traces] = True

    def _replayed(self, traces: Ints, sampler: s.Dynamic) -> Ints:
        """Give the rates of a dynamic sampler, for traces in the order in which they are decided on."""
        order = self.events.traces.in_order(traces)
        keys = trace_keys(self.events, sampler.key, traces[order])
        distinct = keys.unique().sort()
        codes = keys.replace_strict(distinct, pl.Series(np.arange(distinct.len())), return_dtype=pl.Int64).to_numpy()
        times = self.events.traces.decided[traces[order]]
        found = np.zeros(traces.size, dtype=np.int64)
        found[order] = rates(sampler, Arrivals(codes, self.events.counts[traces[order]], times, distinct.len()))
        return found

"""How often intervals hold what they should: populations of traces, sampled again and again.

    python -m tests.sampling.estimation.coverage [RUNS]

prints the table for 2,000 runs, which takes some minutes; `test_coverage.py` runs a part of it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.sampling.estimation.quantiles import quantiles
from tracelab.sampling.estimation.samples import Sample
from tracelab.sampling.estimation.shares import shares
from tracelab.sampling.estimation.totals import totals

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints

QUANTILES: Final = np.array([0.5, 0.95, 0.99])
FIGURES: Final = ("total", "share", "p50", "p95", "p99")
RUNS: Final = 2_000
_ITEMS_AT_ONCE: Final = 2e6


@dataclass(frozen=True)
class Population:
    """Spans of traces: durations and failures go together within a trace."""

    trace: Ints = field(repr=False)
    duration: Floats = field(repr=False)
    failed: Flags = field(repr=False)
    traces: int

    @classmethod
    def of(cls, traces: int, *, spans_per_trace: int, seed: int) -> Population:
        """Draw some: a span per trace, or so many on average, spread as a geometric distribution is."""
        random = np.random.default_rng(seed)
        one = spans_per_trace == 1
        size = np.ones(traces, dtype=np.int64) if one else 1 + random.geometric(1 / (spans_per_trace - 1), traces)
        trace = np.repeat(np.arange(traces), size)
        slowness, fragility = random.normal(0, 0.8, traces), random.beta(0.3, 5, traces)
        duration = 1e7 * np.exp(slowness[trace] + random.normal(0, 0.6, trace.size))
        return cls(trace, np.rint(duration), random.random(trace.size) < fragility[trace], traces)

    def truth(self) -> dict[str, float]:
        found = np.quantile(self.duration, QUANTILES)
        return dict(zip(FIGURES, (self.trace.size, self.failed.mean(), *found), strict=True))

    def chances(self, policy: str, rate: float) -> Floats:
        """Say how probably each trace is kept: the same for all, or errors and the slowest twentieth for sure."""
        chances = np.full(self.traces, rate)
        if policy == "tail":
            longest = np.zeros(self.traces)
            np.maximum.at(longest, self.trace, self.duration)
            chances[longest > np.quantile(longest, 0.95)] = 1
            chances[self.trace[self.failed]] = 1
        return chances


@dataclass(frozen=True)
class Misses:
    """How often the truth lay below the lower and above the upper bound, and how often there was no upper one."""

    below: float
    above: float
    unbounded: float

    @property
    def coverage(self) -> float:
        return 1 - self.below - self.above


def coverage(population: Population, policy: str, rate: float, *, runs: int, seed: int = 0) -> dict[str, Misses]:
    """Sample a population so many times; runs are groups of one sample."""
    chances, truth = population.chances(policy, rate), population.truth()
    random = np.random.default_rng([seed, runs])
    at_once = max(1, int(_ITEMS_AT_ONCE / max(1.0, chances[population.trace].sum())))
    misses = {figure: np.zeros(3) for figure in FIGURES}
    for begin in range(0, runs, at_once):
        groups = min(at_once, runs - begin)
        kept = random.random((groups, population.traces)) < chances
        group, item = np.nonzero(kept[:, population.trace])
        trace = population.trace[item]
        sample = Sample(group, trace.astype(np.uint64) << np.uint64(32), 1 / chances[trace], groups)
        total = totals(sample, np.ones(item.size), confidence=0.95)
        share = shares(sample, population.failed[item], confidence=0.95)
        found = quantiles(sample, population.duration[item], QUANTILES, confidence=0.95)
        bounds = [
            (total.lower, total.upper),
            (share.lower, share.upper),
            *zip(found.lower.T, found.upper.T, strict=True),
        ]
        for figure, (lower, upper) in zip(FIGURES, bounds, strict=True):
            hair = 1e-9 * abs(truth[figure])
            below, above = truth[figure] < lower - hair, truth[figure] > upper + hair
            misses[figure] += [below.sum(), above.sum(), (~np.isfinite(upper)).sum()]
    return {figure: Misses(*(counts / runs).tolist()) for figure, counts in misses.items()}


SCENARIOS: Final = [
    (policy, traces, rate, spans)
    for policy in ("head", "tail")
    for traces, rate in ((300, 0.1), (1_000, 0.1), (5_000, 0.1), (10_000, 0.01), (2_000, 0.5))
    for spans in (1, 5, 20)
    if traces * spans <= 100_000
]


def main(runs: int) -> None:
    print("policy traces  rate spans |", " ".join(f"{figure:>26}" for figure in FIGURES))  # noqa: T201
    for policy, traces, rate, spans in SCENARIOS:
        population = Population.of(traces, spans_per_trace=spans, seed=traces)
        cells = [
            f"{100 * one.coverage:.1f} ({100 * one.below:.1f}, {100 * one.above:.1f}"
            + (f"; open {100 * one.unbounded:.0f})" if one.unbounded else ")")
            for one in coverage(population, policy, rate, runs=runs).values()
        ]
        print(f"{policy:6} {traces:6} {rate:5} {spans:5} |", " ".join(f"{cell:>26}" for cell in cells), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)

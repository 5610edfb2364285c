"""A part of what `coverage.py` and `replayed_coverage.py` measure: fewer runs, whose limits leave room for chance."""

from __future__ import annotations

import pytest

import tracelab as tl
from tests.sampling.estimation.coverage import FIGURES, Population, coverage
from tests.sampling.estimation.replayed_coverage import POLICIES, SAMPLES, Requests, replayed_coverage

RUNS = 400


@pytest.mark.parametrize("policy", ["head", "tail"])
@pytest.mark.parametrize(("traces", "spans"), [(1_000, 1), (5_000, 1), (5_000, 5)])
def test_intervals_hold_the_truth_as_often_as_they_say(policy: str, traces: int, spans: int) -> None:
    population = Population.of(traces, spans_per_trace=spans, seed=traces)
    for figure, misses in coverage(population, policy, 0.1, runs=RUNS).items():
        # Three standard deviations of a share of 0.95 are 0.033 here, and 0.015 is what methods may be off.
        assert misses.coverage >= 0.902, (figure, misses)
        assert misses.coverage <= 0.998 or misses.unbounded > 0.1, (figure, misses)


def test_estimates_of_a_few_clustered_traces_do_not_promise_too_much() -> None:
    population = Population.of(1_000, spans_per_trace=20, seed=1_000)
    found = coverage(population, "head", 0.1, runs=RUNS)
    assert all(found[figure].coverage > 0.87 for figure in FIGURES), found


@pytest.mark.parametrize("policy", ["everyday", "production", "head 0.1"])
def test_intervals_hold_the_figures_of_real_spans_in_every_service(policy: str) -> None:
    requests = Requests.of(tl.read(SAMPLES / "shop.otlp.jsonl.gz"))
    for held in replayed_coverage(requests, POLICIES[policy], salts=50):
        # Three standard deviations of a share of 0.95 are 0.092 here. Few traces with much weight tell less of shares.
        assert held.coverage >= (0.858 if held.effective >= 10 else 0.8), held

"""How fast tail sampling is replayed, over a million spans in about ten thousand traces.

    pytest tests/benchmarks/test_tail_sampling.py --benchmark-columns=min,median,rounds

The bar is a ratio to something measured in the same run. Run it on a calm machine.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

from tracelab.sampling import sample_tail, tail_decisions, tail_policies
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.sampling import TailPolicies

MILLION: Final = 1_000_000


@pytest.fixture(scope="module")
def million() -> pl.DataFrame:
    return generate(MILLION, seed=1)


@pytest.fixture(scope="module")
def five() -> TailPolicies:
    return tail_policies(
        """
policies:
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: slow, type: latency, latency: {threshold_ms: 1500}}
  - {name: gold, type: string_attribute, string_attribute: {key: customer.tier, values: [gold]}}
  - name: failed requests
    type: numeric_attribute
    numeric_attribute: {key: http.response.status_code, min_value: 500, max_value: 599}
  - {name: rest, type: probabilistic, probabilistic: {sampling_percentage: 1}}
"""
    )


def fastest(function: Callable[[], Any], rounds: int = 7) -> float:
    times = []
    for _ in range(rounds):
        begun = perf_counter()
        function()
        times.append(perf_counter() - begun)
    return min(times)


def test_what_is_kept_takes_at_most_five_times_as_long_as_to_group_by_trace(
    benchmark: Any, million: pl.DataFrame, five: TailPolicies
) -> None:
    benchmark(sample_tail, million, five)
    grouping = fastest(lambda: million.group_by("trace_id").agg(pl.len()))
    benchmark.extra_info["ratio"] = round(benchmark.stats["min"] / grouping, 2)
    assert benchmark.stats["min"] <= 5 * grouping


def test_decisions_take_at_most_five_times_as_long_as_to_group_by_trace(
    benchmark: Any, million: pl.DataFrame, five: TailPolicies
) -> None:
    benchmark(tail_decisions, million, five)
    grouping = fastest(lambda: million.group_by("trace_id").agg(pl.len()))
    benchmark.extra_info["ratio"] = round(benchmark.stats["min"] / grouping, 2)
    assert benchmark.stats["min"] <= 5 * grouping

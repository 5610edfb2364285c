"""How fast samplers and conditions are replayed, and policies reported on, over a million spans in ten thousand traces.

    pytest tests/benchmarks/test_sampling.py -o addopts=

Limits are ratios to something measured in the same run, in turns, or a time on two cores. Run it on a calm machine.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

from tracelab import analysis
from tracelab.sampling import ParentBased, TraceIdRatioBased, presets, sample_head, sample_tail, tail_policies
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION: Final = 1_000_000
ROUNDS: Final = 7

OTTL: Final = tail_policies(
    """
    tail_sampling:
      policies:
        - name: failing-calls
          type: ottl_condition
          ottl_condition:
            span: ['attributes["http.response.status_code"] >= 500 and IsMatch(name, "^(GET|POST) /")']
    """
)
HEAD: Final = ParentBased(TraceIdRatioBased(0.1))


@pytest.fixture(scope="module")
def million() -> pl.DataFrame:
    return generate(MILLION, seed=1)


def by_trace(spans: pl.DataFrame) -> object:
    """Count the spans of each trace: the yardstick."""
    return spans.group_by("trace_id").agg(pl.len())


def measure(benchmark: Any, run: Callable[[], object], yardstick: Callable[[], object], limit: float) -> None:
    """Time something with pytest-benchmark, taking turns with its yardstick, and compare their shortest times."""
    bar: list[float] = []

    def timed() -> None:
        begin = time.perf_counter()
        yardstick()
        bar.append(time.perf_counter() - begin)

    run(), yardstick()
    benchmark.pedantic(run, setup=timed, rounds=ROUNDS)
    ratio = benchmark.stats.stats.min / min(bar)
    benchmark.extra_info.update(yardstick_ms=round(min(bar) * 1e3, 1), ratio=round(ratio, 2))
    assert ratio <= limit


def test_head_sampling_takes_fifteen_group_bys_at_most(benchmark: Any, million: pl.DataFrame) -> None:
    measure(benchmark, lambda: sample_head(million, HEAD), lambda: by_trace(million), 15)


def test_a_condition_of_ottl_takes_five_group_bys_at_most(benchmark: Any, million: pl.DataFrame) -> None:
    measure(benchmark, lambda: sample_tail(million, OTTL), lambda: by_trace(million), 5)


@pytest.mark.parametrize("policy", [presets.production(), HEAD], ids=["tail", "head"])
def test_a_report_takes_two_seconds_at_most(benchmark: Any, million: pl.DataFrame, policy: Any) -> None:
    benchmark.pedantic(analysis.sampling_report, (million, policy), rounds=5, warmup_rounds=1)
    assert benchmark.stats.stats.min <= 2

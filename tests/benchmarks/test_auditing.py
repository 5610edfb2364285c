"""How fast a million spans are audited, clean ones and ones with many faults.

    pytest tests/benchmarks/test_auditing.py -o addopts=

Limits are ratios to something measured in the same run, in turns. Run it on a calm machine.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

import tracelab as tl
from tracelab.auditing.evidence import Evidence
from tracelab.auditing.rules import RULES
from tracelab.synthetic import generate, generate_system
from tracelab.workload.planting import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION: Final = 1_000_000
TRACES: Final = 40_000
ROUNDS: Final = 7
MOST_SECONDS: Final = 3


@pytest.fixture(scope="module")
def clean() -> pl.DataFrame:
    return generate(MILLION, seed=1)


@pytest.fixture(scope="module")
def faulty() -> pl.DataFrame:
    """Draw a system with a fault of every kind that there is room for."""
    spans, _ = generate_system(5, traces=TRACES, faults=dict.fromkeys(FAULTS, 1))
    return spans


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


def test_the_audit_of_clean_spans_takes_fifteen_group_bys_at_most(benchmark: Any, clean: pl.DataFrame) -> None:
    measure(benchmark, lambda: tl.audit(clean), lambda: by_trace(clean), 15)


def test_the_audit_of_every_kind_of_fault_takes_three_seconds_at_most(benchmark: Any, faulty: pl.DataFrame) -> None:
    benchmark.pedantic(tl.audit, (faulty,), rounds=ROUNDS, warmup_rounds=1)
    assert benchmark.stats.stats.min <= MOST_SECONDS


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_by_itself(benchmark: Any, clean: pl.DataFrame, rule: str) -> None:
    evidence = Evidence(clean)
    benchmark.pedantic(RULES[rule], (evidence,), rounds=ROUNDS, warmup_rounds=1)

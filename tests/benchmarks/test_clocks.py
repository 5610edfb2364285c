"""How fast a million spans tell of their clocks, beside the critical path of all traces.

    pytest tests/benchmarks/test_clocks.py -o addopts=

Limits are ratios to something measured in the same run, in turns. Run it on a calm machine.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

import tracelab as tl
from tracelab.analysis.asynchronous import process_columns
from tracelab.analysis.critical_paths.paths import path_sections
from tracelab.clocks.doubts import timed_forest
from tracelab.forest import build_forest
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION: Final = 1_000_000
ROUNDS: Final = 5
SKEW_LIMIT: Final = 5
CORRECTED_LIMIT: Final = 10
DOUBT_LIMIT: Final = 1.15
SKEWED_DOUBT_LIMIT: Final = 1.4
HOST: Final = "resource.host.name"


@pytest.fixture(scope="module")
def spans() -> pl.DataFrame:
    """Generate 10,000 traces of 100 spans, on 36 hosts."""
    return generate(MILLION, seed=1, spans_per_trace=100)


@pytest.fixture(scope="module")
def skewed(spans: pl.DataFrame) -> pl.DataFrame:
    """Set the clock of one host back by 40 ms."""
    host = spans[HOST].unique().sort()[3]
    earlier = (pl.col("start_time") - pl.duration(milliseconds=40)).cast(pl.Datetime("ns", "UTC"))
    return tl.with_tree(spans.with_columns(pl.when(pl.col(HOST) == host).then(earlier).otherwise("start_time")))


def measure(benchmark: Any, run: Callable[[], object], yardstick: Callable[[], object], limit: float) -> None:
    """Time something with pytest-benchmark, taking turns with its yardstick, and compare their shortest times."""
    bar: list[float] = []

    def timed() -> None:
        begin = time.perf_counter()
        yardstick()
        bar.append(time.perf_counter() - begin)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.SkewWarning)
        run(), yardstick()
        benchmark.pedantic(run, setup=timed, rounds=ROUNDS)
    ratio = benchmark.stats.stats.min / min(bar)
    benchmark.extra_info.update(yardstick_ms=round(min(bar) * 1e3, 1), ratio=round(ratio, 2))
    assert ratio <= limit


def test_clock_skew(benchmark: Any, skewed: pl.DataFrame) -> None:
    measure(benchmark, lambda: tl.clock_skew(skewed), lambda: tl.critical_path(skewed), SKEW_LIMIT)


@pytest.mark.parametrize("method", ["estimate", "jaeger"])
def test_correct_skew(benchmark: Any, skewed: pl.DataFrame, method: Any) -> None:
    run = lambda: tl.correct_skew(skewed, method=method)  # noqa: E731
    measure(benchmark, run, lambda: tl.critical_path(skewed), CORRECTED_LIMIT)


@pytest.mark.parametrize(("kind", "limit"), [("spans", DOUBT_LIMIT), ("skewed", SKEWED_DOUBT_LIMIT)])
def test_a_critical_path_that_looks_at_clocks(benchmark: Any, kind: str, limit: float, request: Any) -> None:
    frame = request.getfixturevalue(kind)

    def path(forest_of: Callable[..., Any]) -> object:
        return path_sections(*forest_of(frame, *process_columns(frame)), method="tracelab")

    measure(benchmark, lambda: path(timed_forest), lambda: path(build_forest), limit)

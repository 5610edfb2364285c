"""How fast two sides of a million spans are compared, beside one group_by, or beside the critical paths of both.

    pytest tests/benchmarks/test_comparing.py -o addopts=

Limits are ratios to something measured in the same run, in turns. Run it on a calm machine.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tracelab.schema import is_attribute, is_type_companion
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION: Final = 1_000_000
ATTRIBUTES: Final = 30
LIMIT: Final = 20
DIFF_LIMIT: Final = 3
ROUNDS: Final = 5
SLOW: Final = "traceDuration > 1s"


@pytest.fixture(scope="module")
def spans() -> pl.DataFrame:
    """Generate 10,000 traces of 100 spans with 30 attributes."""
    frame = generate(MILLION, seed=1, spans_per_trace=100)
    rng = np.random.default_rng(1)
    for number in range(ATTRIBUTES - len(attributes(frame))):
        values = pl.Series([f"value {place}" for place in range(2 + 3 * number)])
        frame = frame.with_columns(values.gather(rng.integers(0, values.len(), MILLION)).alias(f"span.key.{number}"))
    return frame


def attributes(spans: pl.DataFrame) -> list[str]:
    return [name for name in spans.columns if is_attribute(name) and not is_type_companion(name)]


def by_attributes(spans: pl.DataFrame) -> object:
    """Count the spans of each combination of attributes: the yardstick."""
    return spans.group_by(attributes(spans)).agg(pl.len())


def measure(benchmark: Any, run: Callable[[], object], yardstick: Callable[[], object], limit: float = LIMIT) -> None:
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


@pytest.mark.parametrize("unit", ["trace", "span"])
def test_compare(benchmark: Any, spans: pl.DataFrame, unit: Any) -> None:
    where = SLOW if unit == "trace" else "duration > 100ms"
    assert len(attributes(spans)) == ATTRIBUTES
    measure(benchmark, lambda: tl.compare(spans, where=where, unit=unit), lambda: by_attributes(spans))


def test_traceql_compare(benchmark: Any, spans: pl.DataFrame) -> None:
    question = "{} | compare({ duration > 100ms })"
    measure(benchmark, lambda: tl.query_metrics(spans, question, instant=True), lambda: by_attributes(spans))


def test_root_causes(benchmark: Any, spans: pl.DataFrame) -> None:
    measure(benchmark, lambda: tl.root_causes(spans, where=SLOW), lambda: by_attributes(spans))


def test_trace_diff(benchmark: Any, spans: pl.DataFrame) -> None:
    ids = spans["trace_id"].unique(maintain_order=True)
    first = pl.col("trace_id").is_in(ids.head(ids.len() // 2).implode())
    before, after = spans.filter(first), spans.filter(~first)
    paths = lambda: (tl.critical_path(before), tl.critical_path(after))  # noqa: E731
    measure(benchmark, lambda: tl.trace_diff(before, after), paths, DIFF_LIMIT)

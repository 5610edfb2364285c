"""How fast changes of a million spans are found, beside one group_by over their attributes.

    pytest tests/benchmarks/test_change_points.py -o addopts=

The limit is a ratio to something measured in the same run, in turns. Run it on a calm machine.
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
    from datetime import datetime

MILLION: Final = 1_000_000
ATTRIBUTES: Final = 30
LIMIT: Final = 10
ROUNDS: Final = 3


@pytest.fixture(scope="module")
def spans() -> pl.DataFrame:
    """Generate 10,000 traces of 100 spans with 30 attributes; from the middle on payment takes twice as long."""
    frame = generate(MILLION, seed=1, spans_per_trace=100)
    rng = np.random.default_rng(1)
    for number in range(ATTRIBUTES - len(attributes(frame))):
        values = pl.Series([f"value {place}" for place in range(2 + 3 * number)])
        frame = frame.with_columns(values.gather(rng.integers(0, values.len(), MILLION)).alias(f"span.key.{number}"))
    slow = (pl.col("start_time") > middle(frame)) & (pl.col("service_name") == "payment")
    return frame.with_columns(pl.when(slow).then(pl.col("duration") * 2).otherwise("duration").alias("duration"))


def attributes(spans: pl.DataFrame) -> list[str]:
    return [name for name in spans.columns if is_attribute(name) and not is_type_companion(name)]


def middle(spans: pl.DataFrame) -> datetime:
    return spans.select(pl.col("start_time").median()).item()  # type: ignore[no-any-return]


def test_change_points(benchmark: Any, spans: pl.DataFrame) -> None:
    bar: list[float] = []

    def timed() -> None:
        begin = time.perf_counter()
        spans.group_by(attributes(spans)).agg(pl.len())
        bar.append(time.perf_counter() - begin)

    found = tl.change_points(spans, by="service_name")
    near = (found["moment"] - middle(spans)).abs().dt.total_seconds() < 60
    assert "payment" in found.filter(near)["service_name"].to_list()
    timed()
    benchmark.pedantic(lambda: tl.change_points(spans, by="service_name"), setup=timed, rounds=ROUNDS)
    ratio = benchmark.stats.stats.min / min(bar)
    benchmark.extra_info.update(yardstick_ms=round(min(bar) * 1e3, 1), ratio=round(ratio, 2))
    assert ratio <= LIMIT

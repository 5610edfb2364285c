"""How fast a million spans in 10,000 traces are retimed, beside the critical paths of the same spans.

    pytest tests/benchmarks/test_retiming.py -o addopts=

Limits are ratios to something measured in the same run, in turns. Run it on a calm machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

import tracelab as tl
from tests.benchmarks.test_comparing import MILLION, measure
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from tracelab.differences.sides import Where

LIMIT: Final = 3
EACH: Final = 0.5
"""How many critical paths it may take to try one operation."""

CHOSEN: Final[dict[str, Where]] = {
    "one in six": pl.col("name") == "GET",
    "a service": '{ resource.service.name = "catalogue" }',
    "all without children": pl.col("tree_right") - pl.col("tree_left") == 1,
}


@pytest.fixture(scope="module")
def spans() -> pl.DataFrame:
    return generate(MILLION, seed=1, spans_per_trace=100)


@pytest.mark.parametrize("part", ["whole", "self"])
@pytest.mark.parametrize("factor", [0.5, 2])
@pytest.mark.parametrize("chosen", sorted(CHOSEN))
def test_what_if(benchmark: Any, spans: pl.DataFrame, chosen: str, factor: float, part: Any) -> None:
    run = lambda: tl.what_if(spans, CHOSEN[chosen], factor=factor, part=part)  # noqa: E731
    measure(benchmark, run, lambda: tl.critical_path(spans), LIMIT)


def test_slack(benchmark: Any, spans: pl.DataFrame) -> None:
    measure(benchmark, lambda: tl.with_slack(spans), lambda: tl.critical_path(spans), LIMIT)


def test_optimise(benchmark: Any, spans: pl.DataFrame) -> None:
    operations = 10
    limit = LIMIT + EACH * operations
    measure(benchmark, lambda: tl.optimise(spans, limit=operations), lambda: tl.critical_path(spans), limit)

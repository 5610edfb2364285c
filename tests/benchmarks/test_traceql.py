"""TraceQL against polars written by hand, on a million spans: `pytest tests/benchmarks/test_traceql.py`.

Every test times the yardstick and the query in the same run, and asserts their ratio.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tracelab.synthetic import generate
from tracelab.traceql import parse, query, query_metrics, search

if TYPE_CHECKING:
    from collections.abc import Callable

SPANS = 1_000_000
ROUNDS = 15


@pytest.fixture(scope="module")
def spans() -> pl.DataFrame:
    return generate(SPANS)


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def measure(benchmark: Any, run: Callable[[], object], yardstick: Callable[[], object], limit: float) -> None:
    """Time a query with pytest-benchmark, taking turns with its yardstick, and compare their shortest times."""
    by_hand: list[float] = []
    run(), yardstick()
    benchmark.pedantic(run, setup=lambda: by_hand.append(seconds(yardstick)), rounds=ROUNDS)
    ratio = benchmark.stats.stats.min / min(by_hand)
    benchmark.extra_info["yardstick_ms"] = round(min(by_hand) * 1e3, 1)
    benchmark.extra_info["ratio"] = round(ratio, 2)
    assert ratio <= limit


FILTERS = {
    "{ span.http.response.status_code >= 500 }": pl.col("span.http.response.status_code") >= 500,
    "{ .http.response.status_code >= 500 }": pl.col("span.http.response.status_code") >= 500,
    "{ duration > 100ms }": pl.col("duration") > pl.lit(100_000_000, dtype=pl.Duration("ns")),
    "{ status = error }": pl.col("status_code") == "error",
    '{ resource.service.name = "cart" && kind = server }': (pl.col("service_name") == "cart")
    & (pl.col("kind") == "server"),
    '{ span.http.route =~ "/api/.*" }': pl.col("span.http.route").str.contains("^/api/.*$"),
    "service.name = `cart` && duration > 10ms": (pl.col("service_name") == "cart")
    & (pl.col("duration") > pl.lit(10_000_000, dtype=pl.Duration("ns"))),
}


@pytest.mark.parametrize("text", FILTERS)
def test_a_single_filter_takes_at_most_twice_the_polars_filter(benchmark: Any, spans: pl.DataFrame, text: str) -> None:
    measure(benchmark, lambda: query(spans, text), lambda: spans.filter(FILTERS[text]), 2)


STRUCTURAL = [
    "{ kind = server } >> { status = error }",
    "{ status = error } << { kind = server }",
    "{ kind = server } > { status = error }",
    "{ status = error } < { }",
    "{ status = error } !<< { status = error }",
    "{ kind = server } &>> { status = error }",
    "{ status = error } ~ { status = error }",
    "{ kind = server && duration > 100ms } >> { kind = client && duration > 50ms }",
    '{ resource.service.name = "cart" } && { status = error }',
]


@pytest.mark.parametrize("text", STRUCTURAL)
def test_a_structural_query_takes_at_most_ten_times_a_polars_filter(
    benchmark: Any, spans: pl.DataFrame, text: str
) -> None:
    yardstick = pl.col("duration") > pl.lit(100_000_000, dtype=pl.Duration("ns"))
    measure(benchmark, lambda: query(spans, text), lambda: spans.filter(yardstick), 10)


def test_count_by_takes_at_most_five_times_the_group_by(benchmark: Any, spans: pl.DataFrame) -> None:
    measure(
        benchmark,
        lambda: query(spans, "{ } | by(resource.service.name) | count() > 60"),
        lambda: spans.group_by("trace_id", "service_name").len().filter(pl.col("len") > 60),
        5,
    )


def test_a_search_with_count_by_takes_at_most_five_times_the_group_by(benchmark: Any, spans: pl.DataFrame) -> None:
    measure(
        benchmark,
        lambda: search(spans, "{ status = error } | by(resource.service.name) | count() > 1"),
        lambda: spans.group_by("trace_id", "service_name").agg(pl.len(), pl.col("span_id")).filter(pl.col("len") > 1),
        5,
    )


def test_a_metric_by_service_takes_at_most_five_times_the_group_by(benchmark: Any, spans: pl.DataFrame) -> None:
    minute = pl.col("start_time").dt.truncate("1m")
    measure(
        benchmark,
        lambda: query_metrics(spans, "{ } | count_over_time() by (resource.service.name)", step="1m"),
        lambda: spans.group_by("service_name", minute).len(),
        5,
    )


def test_parse_of_a_usual_query_takes_at_most_a_millisecond(benchmark: Any) -> None:
    text = (
        '{ resource.service.name = "shop" && duration > 2s } >> { status = error } | by(span.http.route) | count() > 2'
    )
    benchmark(parse, text)
    assert benchmark.stats.stats.min < 1e-3

"""How fast answers are, over a million spans in about ten thousand traces.

    pytest tests/benchmarks/test_analysis.py --benchmark-columns=min,median,rounds

Every bar is a ratio to something measured in the same run, or a time on two cores. Run it on a calm machine.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pytest

from tests.analysis.critical_paths.plain_walks import jaeger_walk, roots_of, tracelab_walk
from tracelab import analysis
from tracelab.conforming import conform
from tracelab.schema import DURATION, TIME
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION: Final = 1_000_000
CRISP: Final = 82_000
"""Spans per second of CRISP on two such cores."""

QUANTILES = [pl.col("duration").quantile(q, "linear").alias(f"p{q}") for q in (0.5, 0.9, 0.95, 0.99)]


@pytest.fixture(scope="module")
def million() -> pl.DataFrame:
    return generate(MILLION, seed=1)


@pytest.fixture(scope="module")
def four_million(million: pl.DataFrame) -> pl.DataFrame:
    step = million["tree_right"].max()
    copies = [
        million.with_columns(
            pl.concat_str(pl.lit(f"{copy:02x}"), pl.col("trace_id").str.slice(2)).alias("trace_id"),
            pl.col("tree_left", "tree_right") + pl.lit(step).cast(pl.UInt32) * copy,
        )
        for copy in range(4)
    ]
    return pl.concat(copies, rechunk=True)


def best(function: Callable[[], object], *, rounds: int = 5) -> float:
    """Give the shortest of some runs, in seconds."""
    times = []
    for _ in range(rounds):
        begin = perf_counter()
        function()
        times.append(perf_counter() - begin)
    return min(times)


def made(trace: list[str], ids: list[str], parents: list[str | None], starts: Any, lengths: Any) -> pl.DataFrame:
    return conform(
        pl.DataFrame(
            {
                "trace_id": trace,
                "span_id": ids,
                "parent_span_id": pl.Series(parents, dtype=pl.String),
                "name": "span",
                "start_time": pl.Series(np.asarray(starts, dtype=np.int64)).cast(TIME),
                "duration": pl.Series(np.asarray(lengths, dtype=np.int64)).cast(DURATION),
            }
        )
    ).sort("tree_left")


def chains(count: int, *, depth: int) -> pl.DataFrame:
    """Make traces in which every span calls the next."""
    ids = [f"{n + 1:016x}" for n in range(depth)]
    place = np.tile(np.arange(depth), count)
    traces = [f"{n:032x}" for n in range(count) for _ in range(depth)]
    return made(traces, ids * count, [None, *ids[:-1]] * count, place, 2 * (depth - place))


def one_trace(spans: int, *, shape: str) -> pl.DataFrame:
    """Make one trace: a root with children one after the other, all at once, or a tree that chance has grown."""
    rng = np.random.default_rng(3)
    place = np.arange(spans)
    ids = [f"{n + 1:016x}" for n in place]
    parent = np.zeros(spans, dtype=np.int64)
    starts, lengths = place * 10, np.full(spans, 10)
    if shape == "at once":
        starts, lengths = rng.integers(0, spans, spans), rng.integers(1, spans, spans)
    if shape == "by chance":
        parent = (rng.random(spans) * np.maximum(place, 1)).astype(np.int64)
        starts, lengths = rng.integers(0, spans, spans), rng.integers(1, spans, spans)
    starts[0], lengths[0] = 0, 20 * spans
    return made(["t"] * spans, ids, [None, *(ids[at] for at in parent[1:])], starts, lengths)


@pytest.mark.parametrize("method", ["tracelab", "jaeger"])
def test_critical_path_is_20_times_faster_than_a_plain_walk(benchmark: Any, million: pl.DataFrame, method: Any) -> None:
    walk = tracelab_walk if method == "tracelab" else jaeger_walk
    few = million.head(100_000)
    trees = best(lambda: roots_of(few), rounds=3)
    # The walk leaves marks in its trees, so that every round needs new ones.
    whole = best(lambda: [walk(root) for root in roots_of(few)], rounds=3)
    benchmark.pedantic(analysis.critical_path, (million,), {"method": method}, rounds=7, warmup_rounds=1)
    rate = MILLION / benchmark.stats.stats.min
    benchmark.extra_info.update(
        spans_per_second=round(rate),
        times_the_plain_walk=round(rate * whole / few.height, 1),
        times_the_walk_without_building_trees=round(rate * (whole - trees) / few.height, 1),
        times_crisp=round(rate / CRISP, 1),
    )
    assert rate * whole / few.height >= 20
    assert rate >= 10 * CRISP


def test_cost_of_the_critical_path_is_linear(benchmark: Any, million: pl.DataFrame, four_million: pl.DataFrame) -> None:
    rates = {
        frame.height: frame.height / best(lambda frame=frame: analysis.critical_path(frame), rounds=3)  # type: ignore[misc]
        for frame in (million.head(100_000), million)
    }
    benchmark.pedantic(analysis.critical_path, (four_million,), rounds=2, warmup_rounds=1)
    rates[four_million.height] = four_million.height / benchmark.stats.stats.min
    benchmark.extra_info.update({f"spans_per_second_of_{height}": round(rate) for height, rate in rates.items()})
    assert rates[four_million.height] >= 0.6 * rates[million.height]
    assert rates[million.height] >= 0.6 * rates[100_000]


@pytest.mark.parametrize(
    ("shape", "spans"),
    [
        ("100 chains 10,000 deep", lambda: chains(100, depth=10_000)),
        ("one chain 100,000 deep", lambda: chains(1, depth=100_000)),
        ("one trace, one after the other", lambda: one_trace(100_000, shape="in turn")),
        ("one trace, all at once", lambda: one_trace(100_000, shape="at once")),
        ("one trace, grown by chance", lambda: one_trace(100_000, shape="by chance")),
    ],
    ids=["chains", "chain", "in-turn", "at-once", "by-chance"],
)
def test_critical_path_is_no_slower_for_deep_and_wide_traces(
    benchmark: Any, million: pl.DataFrame, shape: str, spans: Callable[[], pl.DataFrame]
) -> None:
    frame = spans()
    usual = million.head(100_000) if frame.height <= 100_000 else million
    rate = usual.height / best(lambda: analysis.critical_path(usual))
    benchmark.pedantic(analysis.critical_path, (frame,), rounds=5, warmup_rounds=1)
    ratio = frame.height / benchmark.stats.stats.min / rate
    benchmark.extra_info.update(shape=shape, rate_to_usual=round(ratio, 2))
    assert ratio >= 0.5


ANSWERS: dict[str, tuple[Callable[[pl.DataFrame], object], Callable[[pl.DataFrame], object]]] = {
    "percentiles": (
        lambda spans: analysis.latency_percentiles(spans, entry_only=False),
        lambda spans: spans.group_by("service_name").agg(pl.len(), *QUANTILES),
    ),
    "percentiles-of-operations": (
        lambda spans: analysis.latency_percentiles(spans, by=["service_name", "name"], entry_only=False),
        lambda spans: spans.group_by("service_name", "name").agg(pl.len(), *QUANTILES),
    ),
    "percentiles-by-minute": (
        lambda spans: analysis.latency_percentiles(spans, every="1m", entry_only=False),
        lambda spans: spans.group_by("service_name", pl.col("start_time").dt.truncate("1m")).agg(pl.len(), *QUANTILES),
    ),
    "error-rates": (
        lambda spans: analysis.error_rates(spans, entry_only=False),
        lambda spans: spans.group_by("service_name").agg(pl.len(), (pl.col("status_code") == "error").sum()),
    ),
    "service-graph": (
        analysis.service_graph,
        lambda spans: spans.group_by("service_name", "name").agg(pl.len(), *QUANTILES),
    ),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_take_three_group_bys_at_most(benchmark: Any, million: pl.DataFrame, name: str) -> None:
    answer, group_by = ANSWERS[name]
    group_by(million)
    bar = best(lambda: group_by(million))
    benchmark.pedantic(answer, (million,), rounds=7, warmup_rounds=1)
    benchmark.extra_info.update(group_bys=round(benchmark.stats.stats.min / bar, 2), group_by_seconds=round(bar, 4))
    assert benchmark.stats.stats.min <= 3 * bar


@pytest.mark.parametrize(
    "name",
    [
        "error_origins",
        "repeated_calls",
        "gaps",
        "with_self_time",
        "trace_summary",
        "critical_path_profile",
        "critical_services",
        "outliers",
        "latency_histogram",
    ],
)
def test_answers_take_two_seconds_at_most(benchmark: Any, million: pl.DataFrame, name: str) -> None:
    benchmark.pedantic(getattr(analysis, name), (million,), rounds=3, warmup_rounds=1)
    assert benchmark.stats.stats.min <= 2


@pytest.mark.parametrize(
    "name",
    [
        "latency_percentiles",
        "latency_histogram",
        "error_rates",
        "trace_latency_percentiles",
        "service_graph",
        "critical_path_profile",
    ],
)
def test_weighted_answers_take_a_second_at_most(benchmark: Any, million: pl.DataFrame, name: str) -> None:
    answer = getattr(analysis, name)
    kept_for_sure = pl.col("trace_id").str.contains("[0-4]$")
    weighted = million.with_columns(sampling_weight=pl.when(kept_for_sure).then(1.0).otherwise(10.0))
    plain = best(lambda: answer(weighted))
    benchmark.pedantic(answer, (weighted,), {"weights": "sampling_weight"}, rounds=5, warmup_rounds=1)
    benchmark.extra_info.update(times_unweighted=round(benchmark.stats.stats.min / plain, 2))
    assert benchmark.stats.stats.min <= max(1, 3 * plain)

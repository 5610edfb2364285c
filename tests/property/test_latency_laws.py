"""Laws of percentiles, intervals and rates."""

from __future__ import annotations

from math import comb, log
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import span_frames
from tracelab.analysis import error_rates, latency_histogram, latency_percentiles
from tracelab.analysis.intervals import order_statistics
from tracelab.conforming import conform
from tracelab.schema import DURATION, TIME

if TYPE_CHECKING:
    import numpy.typing as npt

LEVELS = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


def spans_lasting(lengths: npt.NDArray[np.int64]) -> pl.DataFrame:
    number = pl.int_range(lengths.size, eager=True).cast(pl.String)
    return conform(
        pl.DataFrame({"trace_id": number, "span_id": number, "name": number, "duration": lengths}).with_columns(
            pl.lit(0).cast(TIME).alias("start_time"), pl.col("duration").cast(DURATION)
        )
    )


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60), st.floats(0, 1))
def test_percentiles_are_those_of_numpy(lengths: list[int], quantile: float) -> None:
    answer = latency_percentiles(spans_lasting(np.array(lengths)), by=None, quantiles=[quantile]).row(0, named=True)
    exact = np.quantile(np.array(lengths), quantile)
    assert abs(answer["duration"].total_seconds() * 1e9 - exact) <= 2e3  # a timedelta has microseconds
    assert answer["count"] == len(lengths)


@given(st.integers(1, 60), st.floats(0.01, 0.99), LEVELS)
def test_bounds_are_the_narrowest_that_cut_off_half_of_the_rest_on_each_side(
    count: int, quantile: float, confidence: float
) -> None:
    mass = [comb(count, k) * quantile**k * (1 - quantile) ** (count - k) for k in range(count + 1)]
    tail = (1 - confidence) / 2
    lowers = [place for place in range(1, count + 1) if sum(mass[:place]) <= tail + 1e-12]
    uppers = [place for place in range(1, count + 1) if sum(mass[place:]) <= tail + 1e-12]
    expected = (max(lowers) - 1, min(uppers) - 1) if lowers and uppers else None
    assert order_statistics(count, quantile, confidence) == expected


@pytest.mark.parametrize("count", [1_000, 100_000, 10_000_000])
def test_bounds_of_large_samples_are_those_of_the_normal_approximation(count: int) -> None:
    places = order_statistics(count, 0.9, 0.95)
    assert places is not None
    reach = 1.959964 * (count * 0.9 * 0.1) ** 0.5
    assert places[0] == pytest.approx(count * 0.9 - reach, abs=2)
    assert places[1] == pytest.approx(count * 0.9 + reach, abs=2)


@pytest.mark.parametrize(("count", "quantile", "level"), [(30, 0.5, 0.95), (200, 0.9, 0.95), (400, 0.99, 0.9)])
def test_intervals_cover_at_their_level(count: int, quantile: float, level: float) -> None:
    rng = np.random.default_rng(7)
    rounds = 4000
    samples = np.sort(rng.exponential(size=(rounds, count)), axis=1)
    places = order_statistics(count, quantile, level)
    assert places is not None
    truth = -log(1 - quantile)
    covered = float(np.mean((samples[:, places[0]] <= truth) & (truth <= samples[:, places[1]])))
    assert covered >= level - 3 * (level * (1 - level) / rounds) ** 0.5
    assert covered <= level + (1 - level)


def test_intervals_of_percentiles_cover_at_their_level() -> None:
    rng = np.random.default_rng(11)
    groups, count = 1000, 80
    lengths = (rng.lognormal(mean=14, sigma=1, size=groups * count)).astype(np.int64)
    spans = spans_lasting(lengths).with_columns(
        service_name=pl.Series(np.repeat(np.arange(groups), count)).cast(pl.String)
    )
    answer = latency_percentiles(spans, quantiles=[0.5], confidence=0.9)
    truth = pl.lit(int(np.exp(14))).cast(DURATION)
    covered = answer.select(((pl.col("lower") <= truth) & (truth <= pl.col("upper"))).mean()).item()
    assert 0.9 - 3 * (0.09 / groups) ** 0.5 <= covered <= 0.97


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_wilson_intervals_cover_near_their_level(share: float) -> None:
    rng = np.random.default_rng(5)
    groups, count = 1500, 100
    failed = rng.random(groups * count) < share
    spans = spans_lasting(np.ones(groups * count, dtype=np.int64)).with_columns(
        service_name=pl.Series(np.repeat(np.arange(groups), count)).cast(pl.String),
        status_code=pl.Series(np.where(failed, "error", "unset")).cast(pl.Enum(["unset", "ok", "error"])),
    )
    rates = error_rates(spans)
    covered = rates.select(((pl.col("lower") <= share) & (pl.col("upper") >= share)).mean()).item()
    assert 0.92 <= covered <= 0.99


@given(span_frames())
def test_bounds_stand_around_the_quantile_and_groups_add_up(spans: pl.DataFrame) -> None:
    answer = latency_percentiles(spans, by=["service_name", "name"], entry_only=False, confidence=0.5)
    known = answer.drop_nulls("lower")
    assert known.select(
        (pl.col("lower") <= pl.col("duration")).all() & (pl.col("duration") <= pl.col("upper")).all()
    ).item()
    assert answer.filter(pl.col("quantile") == 0.5)["count"].sum() == spans.height
    assert set(answer["exemplar_trace_id"]) <= set(spans["trace_id"])


@given(span_frames(), st.integers(1, 12))
def test_every_span_is_in_one_bin(spans: pl.DataFrame, bins: int) -> None:
    answer = latency_histogram(spans, bins=bins, every=None, entry_only=False)
    assert answer["count"].sum() == spans.height
    edges = answer.select("lower", "upper").with_columns(pl.all().to_physical()).rows()
    last = edges[-1][1]
    lengths = spans["duration"].to_physical().to_list()
    for (lower, upper), count in zip(edges, answer["count"], strict=True):
        assert sum(lower <= length < upper or length == upper == last for length in lengths) == count

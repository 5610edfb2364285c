"""The rates of dynamic samplers: small cases by hand, and thousands of arrivals against the real module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tracelab.sampling.refinery import samplers as s
from tracelab.sampling.refinery.rates import Arrivals, rates

if TYPE_CHECKING:
    from tests.sampling.refinery.conftest import Ask

SECOND = 1_000_000_000


def arrivals(*each: tuple[float, str, int]) -> Arrivals:
    """Arrivals as (second, key, events)."""
    keys = sorted({key for _, key, _ in each})
    return Arrivals(
        np.array([keys.index(key) for _, key, _ in each]),
        np.array([count for _, _, count in each]),
        np.array([int(second * SECOND) for second, _, _ in each]),
        len(keys),
    )


def moving(**options: Any) -> s.MovingAverage:
    chosen: dict[str, Any] = {
        "key": s.Key(()),
        "interval": SECOND,
        "initial": 10,
        "rate": 10,
        "throughput": None,
        "weight": 0.5,
        "age_out": 0.5,
        "burst_multiple": -1.0,
        "burst_delay": 3,
    }
    return s.MovingAverage(**(chosen | options))


def test_the_goal_is_the_rate_until_there_are_counts() -> None:
    found = rates(s.Average(s.Key(()), 7, SECOND), arrivals((0, "a", 1), (0.9, "b", 1)))
    assert found.tolist() == [7, 7]


def test_an_average_gives_every_key_a_share_by_the_logarithm_of_its_count() -> None:
    # 10 and 1,000 events at a rate of 10: 101 to send, by logarithms 1 and 3, so 25.25 and 75.75. 10 <= 25.25, and
    # what a left over (15.25) goes to b: 1,000 / 91 is 10.99, so 11.
    found = rates(
        s.Average(s.Key(()), 10, SECOND), arrivals((0, "a", 10), (0, "b", 1000), (1, "a", 1), (1, "b", 1), (1, "c", 1))
    )
    assert found.tolist() == [10, 10, 1, 11, 1]


def test_an_average_forgets_after_an_interval_without_traces() -> None:
    found = rates(s.Average(s.Key(()), 10, SECOND), arrivals((0, "b", 1000), (2.5, "b", 1), (3.5, "b", 1)))
    assert found.tolist() == [10, 1, 1]


def test_keys_share_a_throughput_alike() -> None:
    # 10 events a second over 2 keys: 5 each. 20 / 5 is 4; 7 / 5 is cut to 1.
    found = rates(s.Throughput(s.Key(()), 10, SECOND), arrivals((0, "a", 20), (0, "b", 7), (1, "a", 1), (1, "b", 1)))
    assert found.tolist() == [1, 1, 4, 1]


def test_more_keys_than_there_is_room_for_are_not_counted() -> None:
    sampler = s.Throughput(s.Key((), most=1), 10, SECOND)
    found = rates(sampler, arrivals((0, "b", 40), (0, "a", 4000), (0.1, "b", 10), (1, "a", 1), (1, "b", 1)))
    assert found.tolist() == [1, 1, 1, 1, 5]


def test_a_window_looks_back_over_whole_intervals() -> None:
    sampler = s.Windowed(s.Key(()), 10, SECOND, 2 * SECOND)
    found = rates(sampler, arrivals((0, "a", 100), (1, "a", 100), (2, "a", 1), (3, "a", 1), (9, "a", 1)))
    # 20 events for two seconds: 100 / 20, 200 / 20, then the first second has left: 101 / 20.
    assert found.tolist() == [1, 5, 10, 5, 1]


def test_a_moving_average_moves_by_its_weight() -> None:
    # 1,000 events are an average of 500, one key: a rate of 10 gives 50 to send. Then 250: 25 to send, and so on.
    found = rates(moving(), arrivals((0, "a", 1000), (1, "a", 100), (2, "a", 1), (3, "b", 1)))
    assert found.tolist() == [10, 10, 10, 1]


def test_a_moving_average_keeps_what_it_knows_where_there_is_no_traffic() -> None:
    found = rates(moving(), arrivals((0, "a", 1000), (60, "a", 1)))
    assert found.tolist() == [10, 10]


def test_a_throughput_with_moving_averages_begins_with_its_initial_rate() -> None:
    sampler = moving(rate=None, throughput=10, initial=3)
    # An average of 500 against 10 events a second.
    assert rates(sampler, arrivals((0, "a", 1000), (1, "a", 1))).tolist() == [3, 50]


def test_a_burst_brings_the_averages_up_to_date_at_once() -> None:
    sampler = moving(rate=None, throughput=10, initial=1, burst_multiple=2.0, burst_delay=1)
    calm = [(0, "a", 40), (1, "a", 40)]
    # The average of 20 and then 30 makes a burst of 60 events; the trace that fills it up has the old rate still.
    assert rates(sampler, arrivals(*calm, (2.1, "a", 59), (2.2, "a", 1), (2.3, "a", 1))).tolist() == [1, 2, 3, 3, 5]
    assert rates(moving(rate=None, throughput=10, initial=1), arrivals(*calm, (2.1, "a", 60), (2.3, "a", 1)))[-1] == 3


def test_without_traces_there_are_no_rates() -> None:
    assert rates(moving(), arrivals()).size == 0


def random_arrivals(seed: int, size: int = 4_000) -> list[tuple[float, str, int]]:
    random = np.random.default_rng(seed)
    gaps = random.exponential(0.02, size) * (1 + 200 * (random.random(size) < 0.003))
    busy = 1 + 20 * (np.arange(size) // 500 % 3 == 1)
    times = np.cumsum(gaps / busy)
    keys = random.zipf(1.3, size) % 40
    return [
        (float(at), f"k{key}", int(count))
        for at, key, count in zip(times, keys, random.integers(1, 60, size), strict=True)
    ]


CASES: dict[str, tuple[str, dict[str, Any], s.Dynamic]] = {
    "average": ("average", {"GoalSampleRate": 8, "MaxKeys": 500}, s.Average(s.Key(()), 8, SECOND)),
    "average of few keys": ("average", {"GoalSampleRate": 8, "MaxKeys": 5}, s.Average(s.Key((), most=5), 8, SECOND)),
    "throughput": (
        "throughput",
        {"GoalThroughputPerSec": 90, "ClearFrequencyDuration": SECOND, "MaxKeys": 500},
        s.Throughput(s.Key(()), 90, SECOND),
    ),
    "throughput of few keys": (
        "throughput",
        {"GoalThroughputPerSec": 90, "ClearFrequencyDuration": SECOND, "MaxKeys": 7},
        s.Throughput(s.Key((), most=7), 90, SECOND),
    ),
    "windowed": (
        "windowed",
        {
            "GoalThroughputPerSec": 90,
            "UpdateFrequencyDuration": SECOND,
            "LookbackFrequencyDuration": 5 * SECOND,
            "MaxKeys": 500,
        },
        s.Windowed(s.Key(()), 90, SECOND, 5 * SECOND),
    ),
    "windowed of few keys": (
        "windowed",
        {
            "GoalThroughputPerSec": 90,
            "UpdateFrequencyDuration": SECOND,
            "LookbackFrequencyDuration": 5 * SECOND,
            "MaxKeys": 30,
        },
        s.Windowed(s.Key((), most=30), 90, SECOND, 5 * SECOND),
    ),
    "moving average": (
        "ema",
        {"GoalSampleRate": 8, "AdjustmentIntervalDuration": SECOND, "MaxKeys": 500, "BurstMultiple": -1},
        moving(rate=8, initial=8),
    ),
    "moving average with bursts": (
        "ema",
        {"GoalSampleRate": 8, "AdjustmentIntervalDuration": SECOND, "MaxKeys": 6, "Weight": 0.3, "AgeOutValue": 4.0},
        moving(rate=8, initial=8, weight=0.3, age_out=4.0, burst_multiple=2.0, key=s.Key((), most=6)),
    ),
    "moving throughput with bursts": (
        "emaflow",
        {"GoalThroughputPerSec": 70, "AdjustmentInterval": SECOND, "MaxKeys": 500, "BurstMultiple": 1.2},
        moving(rate=None, throughput=70, burst_multiple=1.2),
    ),
    "moving throughput of few keys": (
        "emaflow",
        {"GoalThroughputPerSec": 70, "AdjustmentInterval": SECOND, "MaxKeys": 4, "InitialSampleRate": 3},
        moving(rate=None, throughput=70, initial=3, burst_multiple=2.0, key=s.Key((), most=4)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_rates_are_those_of_the_real_samplers(case: str, ask_dynsampler: Ask) -> None:
    kind, options, sampler = CASES[case]
    if kind == "average":
        options = options | {"ClearFrequencyDuration": SECOND}
    samples = [random_arrivals(seed) for seed in range(4)]
    told = ask_dynsampler(
        [
            {
                "kind": kind,
                "sampler": options,
                "interval": SECOND,
                "arrivals": [{"key": key, "count": count, "time": int(at * SECOND)} for at, key, count in sample],
            }
            for sample in samples
        ]
    )
    for sample, real in zip(samples, told, strict=True):
        ours = rates(sampler, arrivals(*sample)).tolist()
        assert len(set(ours)) > 3
        assert ours == [max(rate, 1) for rate in real]

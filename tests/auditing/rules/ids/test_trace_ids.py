"""Trace ids that are not random, and those that are used again."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw, generate


def found(spans: pl.DataFrame, rule: str) -> pl.DataFrame:
    return tl.audit(spans).filter(rule=rule)


def begun(ids: list[str], *, apart: float = 2.0, name: str = "web") -> pl.DataFrame:
    """Draw a request of 10 ms for every trace id, some seconds apart."""
    spans = draw("\n\n".join([f"{name}::GET ========== kind=server"] * len(ids)))
    later = pl.int_range(pl.len()) * pl.duration(microseconds=int(apart * 1e6) - 1_000_000, time_unit="ns")
    return tl.with_tree(spans.with_columns(trace_id=pl.Series(ids), start_time=pl.col("start_time") + later))


def random_ids(count: int, seed: int = 0) -> list[str]:
    return [np.random.default_rng([seed, at]).bytes(16).hex() for at in range(count)]


@pytest.mark.parametrize(
    "ids",
    [
        [f"{0xABCDEF << 64 | 5_000_000 + at:032x}" for at in range(40)],
        [f"4bf92f3577b34da6{1_700_000_000_000_000_000 + at * 1_234_567_891:016x}" for at in range(40)],
        [f"{word[:24]}deadbeef" for word in random_ids(40)],
        [f"{word[:20]}00{word[22:]}" for word in random_ids(40)],
    ],
    ids=["counted", "of the time", "with a constant tail", "with a constant byte"],
)
def test_ids_that_are_not_random_are_found(ids: list[str]) -> None:
    told = found(begun(ids), "non-random-trace-id")
    assert told.select("severity", "service_name", "count", "out_of").rows() == [("warning", "web", 40, 40)]


def test_one_service_among_others_is_named() -> None:
    counted = begun([f"{at + 1:032x}" for at in range(20)], name="cron")
    told = found(tl.with_tree(pl.concat([begun(random_ids(50)), counted])), "non-random-trace-id")
    assert told["service_name"].to_list() == ["cron"]


def test_a_time_before_the_last_56_bits_is_allowed() -> None:
    ids = [f"6955{at:04x}{word[8:]}" for at, word in enumerate(random_ids(60))]
    assert not found(begun(ids), "non-random-trace-id").height


@pytest.mark.parametrize("kept", [0.5, 0.3, 0.02, 0.003])
@pytest.mark.parametrize("below", [True, False])
def test_ids_that_a_sampler_chose_are_random_all_the_same(kept: float, below: bool) -> None:
    drawn = np.random.default_rng(3).integers(0, int(kept * 2**56), 60)
    first = drawn if below else 2**56 - 1 - drawn
    ids = [f"{word[:18]}{bits:014x}" for word, bits in zip(random_ids(60), first.tolist(), strict=True)]
    assert not found(begun(ids), "non-random-trace-id").height


def test_of_a_few_traces_nothing_is_said() -> None:
    assert not found(begun([f"{at + 1:032x}" for at in range(10)]), "non-random-trace-id").height


def test_random_ids_are_no_finding() -> None:
    for seed in range(20):
        assert not found(begun(random_ids(16 + 9 * seed, seed)), "non-random-trace-id").height
    assert not found(generate(50_000, seed=7), "non-random-trace-id").height


def test_one_id_for_many_requests_is_found() -> None:
    told = found(begun(random_ids(1) * 8 + random_ids(30, seed=1)), "reused-trace-id")
    assert told.select("severity", "service_name", "count", "out_of").rows() == [("error", "web", 8, 38)]
    assert "share 1 trace id with" in told["finding"].item()


def test_several_ids_that_forked_workers_repeat_are_found() -> None:
    told = found(begun(random_ids(4) * 2 + random_ids(30, seed=1)), "reused-trace-id")
    assert told.select("count", "out_of").rows() == [(8, 38)]
    assert "share 4 trace ids with" in told["finding"].item()


def test_several_roots_of_one_request_are_no_reused_id() -> None:
    assert not found(begun(random_ids(1) * 8, apart=0.001), "reused-trace-id").height
    assert not found(begun(random_ids(1) * 2), "reused-trace-id").height


def test_roots_of_different_services_may_belong_together() -> None:
    spans = begun(random_ids(1) * 6).with_columns(service_name=pl.format("step-{}", pl.int_range(pl.len())))
    assert not found(tl.with_tree(spans), "reused-trace-id").height


def test_a_long_request_with_many_roots_is_one_request() -> None:
    spans = begun(random_ids(1) * 8)
    long = spans.with_columns(duration=pl.lit(timedelta(seconds=30), dtype=pl.Duration("ns")))
    assert not found(tl.with_tree(long), "reused-trace-id").height

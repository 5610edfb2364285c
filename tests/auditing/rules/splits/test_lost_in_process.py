"""Work that a request gave away and that begins a trace of its own: found, and told from work that only coincides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.auditing.rules.splits.systems import BEGIN, MS, Group, System

SHOP = Path(__file__).parents[4] / "sample_data" / "shop.otlp.jsonl.gz"
INSTANCE = "resource.service.instance.id"
LANGUAGE = "resource.telemetry.sdk.language"


def found(system: System) -> pl.DataFrame:
    return tl.audit(system.spans()).filter(rule="lost-in-process")


def busy(*, seed: int, requests: int, lost: int, ms: float = 40, seconds: float = 60) -> System:
    """Make a service whose requests now and then give work to a pool that loses the context."""
    system = System(seed)
    served = system.add(
        "shop", "GET /", "server", system.times(requests, seconds=seconds), system.lengths(requests, ms=ms)
    )
    some = served.some(system.rng.choice(requests, lost, replace=False))
    system.add("shop", "rank", "internal", *system.within(some), attributes={LANGUAGE: "python"})
    return system


def test_the_pool_of_the_sample_shop_is_found_and_nothing_else() -> None:
    if not SHOP.exists():
        pytest.skip("The sample is not beside these tests.")
    row = tl.audit(tl.read(SHOP, progress=False)).filter(rule="lost-in-process").row(0, named=True)
    assert (row["service_name"], row["detail"], row["severity"]) == ("recommender", "rank_products", "error")
    assert (row["count"], row["out_of"], row["hop"]) == (373, 373, "in-process")
    assert "'GET /recommendations'" in row["finding"]
    assert "contextvars.copy_context" in row["fix"]


@pytest.mark.parametrize("seed", range(5))
def test_work_that_begins_right_after_a_request_is_found_though_many_requests_are_open(seed: int) -> None:
    system = busy(seed=seed, requests=6000, lost=200)  # four requests are open at any time
    row = found(system).row(0, named=True)
    assert (row["service_name"], row["detail"], row["severity"], row["out_of"]) == ("shop", "rank", "error", 200)
    assert row["count"] >= 180


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("requests", [300, 3000, 20_000])
def test_jobs_that_run_when_they_will_are_not(seed: int, requests: int) -> None:
    system = busy(seed=seed, requests=requests, lost=0)
    jobs = 20 * (1 + seed)
    system.add("shop", "clean up", "internal", system.times(jobs, seconds=60), system.lengths(jobs, ms=5))
    assert found(system).height == 0


def test_a_timer_that_meets_a_probe_every_second_is_not() -> None:
    system = System()
    seconds = np.arange(60) * 1000 * MS
    system.add("shop", "GET /health", "server", seconds + 2 * MS, np.full(60, 30 * MS))
    system.add("shop", "flush", "internal", seconds + 5 * MS, np.full(60, MS))
    assert found(system).height == 0


def test_a_request_of_another_process_of_the_service_is_no_reason() -> None:
    system = System(3)
    requests = system.add(
        "shop", "GET /", "server", system.times(200, seconds=60), system.lengths(200, ms=40), attributes={INSTANCE: "a"}
    )
    system.add("shop", "rank", "internal", *system.within(requests), attributes={INSTANCE: "b"})
    assert found(system).height == 0


def test_roots_that_say_where_they_come_from_by_links_are_right() -> None:
    spans = busy(seed=1, requests=500, lost=200).spans()
    link = spans.select(links=pl.concat_list(pl.struct(
        pl.col("trace_id"), pl.col("span_id"), trace_state=pl.lit(None, pl.String),
        attributes=pl.lit(None, spans["more_attributes"].dtype),
    )))["links"]  # fmt: skip
    assert tl.audit(spans.with_columns(link)).filter(rule="lost-in-process").height == 0


def test_some_that_are_lost_of_a_name_that_is_mostly_in_place_are_a_warning() -> None:
    system = busy(seed=2, requests=1000, lost=100)
    kept = system.add("shop", "GET /", "server", system.times(900, seconds=60), system.lengths(900, ms=40))
    system.add("shop", "rank", "internal", *system.within(kept), below=kept)
    row = found(system).row(0, named=True)
    assert (row["severity"], row["out_of"]) == ("warning", 1000)
    assert 90 <= row["count"] <= 100


def test_names_that_differ_each_time_are_one_finding() -> None:
    system = System(4)
    requests = system.add("shop", "GET /", "server", system.times(300, seconds=60), system.lengths(300, ms=40))
    start, duration = system.within(requests)
    for number in range(100):
        system.add("shop", f"task {number}", "internal", start[number : number + 1], duration[number : number + 1])
    row = found(system).row(0, named=True)
    assert (row["detail"], row["count"], row["out_of"]) == (None, 100, 100)


def test_a_service_without_requests_loses_nothing() -> None:
    system = System(5)
    system.add("batch", "run", "internal", system.times(500, seconds=60), system.lengths(500, ms=40))
    assert found(system).height == 0


def jobs(seed: int, *, seconds: float = 60) -> System:
    """Make a service that runs jobs now and then, which nobody asks for."""
    system = System(seed)
    system.add("batch", "nightly", "internal", system.times(60, seconds=seconds), system.lengths(60, ms=80))
    return system


def group_of(system: System) -> Group:
    """Give the spans that were added first."""
    spans = system.parts[0]
    start = spans["start_time"].dt.timestamp("ns").to_numpy() - BEGIN
    number = np.arange(1, spans.height + 1)
    return Group(number, number, start, start + spans["duration"].dt.total_nanoseconds().to_numpy())


def test_work_that_a_job_gives_away_is_found() -> None:
    system = jobs(1)
    system.add("batch", "pack", "internal", *system.within(group_of(system)))
    row = found(system).row(0, named=True)
    assert (row["service_name"], row["detail"], row["count"], row["out_of"]) == ("batch", "pack", 60, 60)
    assert "a job that" in row["finding"]


def test_jobs_that_begin_together_are_not_below_each_other() -> None:
    system = jobs(2)
    start = group_of(system).start + system.lengths(60, ms=2)
    system.add("batch", "sweep", "internal", start, system.lengths(60, ms=60))
    assert found(system).height == 0


def test_jobs_of_one_name_that_begin_together_are_not_below_each_other() -> None:
    system = jobs(3)
    start = group_of(system).start + system.lengths(60, ms=2)
    system.add("batch", "nightly", "internal", start, system.lengths(60, ms=10))
    assert found(system).height == 0


def test_jobs_that_a_timer_begins_together_are_not_below_each_other() -> None:
    system = System(4)
    ticks = 123_456_789 + np.arange(60) * 1_234 * MS
    system.add("batch", "sweep", "internal", ticks, np.full(60, 300 * MS))
    system.add("batch", "flush", "internal", ticks + system.lengths(60, ms=2), np.full(60, 20 * MS))
    assert found(system).height == 0


def test_where_a_request_is_always_open_the_finding_says_what_tells_nonetheless() -> None:
    system = System(3)
    starts = system.times(1, seconds=1)[0] + np.arange(300) * 20 * MS
    served = system.add("shop", "GET /", "server", starts, np.full(300, 18 * MS))
    system.add("shop", "rank", "internal", *system.within(served), attributes={LANGUAGE: "python"})
    row = found(system).row(0, named=True)
    assert row["count"] == 300
    assert row["finding"].endswith("is nearly always open; but hardly any begins when none is.")

"""How often `change_points` reports what is not there, and how often it finds what is: two tables.

    python -m tests.differences.changes.false_alarms --runs 1000 --power 100

The first counts runs of stationary systems in which anything at all is reported, which no more than `q` of them should
be, and of systems that change slowly, in which no step should be. The second counts runs in which a planted step is
found, how often the interval of its moment holds it, and how often something else is reported.
"""

from __future__ import annotations

import argparse
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

import tracelab as tl
from tests.differences.changes.planted import moment, requests, times
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES: Final = 3
Q: Final = 0.05
LATENCY: Final = (0.8, 0.9, 1.1, 1.2, 1.5, 2.0)
ERRORS: Final = ((0.001, 0.01), (0.01, 0.02), (0.01, 0.05))
SIZES: Final = (200, 1_000, 10_000)


def independent(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Draw services whose requests have nothing to do with each other."""
    return services(rng, lambda name: requests(rng, times(rng, count), service=name))


def in_bursts(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Let a fifth of the requests come in short bursts."""
    return services(rng, lambda name: requests(rng, times(rng, count, bursts=True), service=name))


def another_mix(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Let an operation that takes ten times as long be asked for three times as often from the middle on."""

    def mixed(name: str) -> pl.DataFrame:
        at = times(rng, count)
        long = rng.random(count) < np.where(at < 0.5, 0.2, 0.6)
        names, lengths = np.where(long, "GET /report", "GET /"), np.where(long, 500.0, 50.0)
        return requests(rng, at, service=name, names=names, milliseconds=lengths)

    return services(rng, mixed)


def retried(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Let a tenth of the requests fail, be slow, and be asked for again four times within their trace."""

    def again(name: str) -> pl.DataFrame:
        at = times(rng, count)
        bad = rng.random(count) < 0.1
        one = requests(rng, at, service=name, failing=np.where(bad, 1.0, 0.01), milliseconds=np.where(bad, 300.0, 50.0))
        more = one.filter(pl.Series(bad))
        parts = [
            more.with_columns(
                pl.format("{}{}", pl.lit(str(time)), pl.col("span_id").str.tail(15)).alias("span_id"),
                pl.col("start_time") + pl.duration(milliseconds=400 * time, time_unit="ns"),
            )
            for time in range(1, 5)
        ]
        return tl.with_tree(pl.concat([one, *parts]))

    return services(rng, again)


def with_memory(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Let every request be like the one before: a correlation of 0.5."""
    return services(rng, lambda name: requests(rng, times(rng, count), service=name, memory=0.5))


def generated(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Draw the made-up shop of `tracelab.synthetic.generate`, whose services call each other."""
    return generate(10 * count, seed=int(rng.integers(2**31)), spans_per_trace=10)


def daily(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Let latency rise and fall by a factor of two as load does over a day."""

    def slow(name: str) -> pl.DataFrame:
        at = times(rng, count)
        return requests(rng, at, service=name, milliseconds=50 * 2 ** (0.5 * np.sin(2 * np.pi * at)))

    return services(rng, slow)


def rising(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Let latency double little by little, as a leak makes it."""

    def slow(name: str) -> pl.DataFrame:
        at = times(rng, count)
        return requests(rng, at, service=name, milliseconds=50 * 2**at)

    return services(rng, slow)


STATIONARY: Final[dict[str, Callable[[np.random.Generator, int], pl.DataFrame]]] = {
    "independent requests": independent,
    "a fifth of them in bursts": in_bursts,
    "another mix of operations": another_mix,
    "retries within traces": retried,
    "each like the one before (0.5)": with_memory,
    "the generated shop": generated,
}
SLOW: Final[dict[str, Callable[[np.random.Generator, int], pl.DataFrame]]] = {
    "a daily rise and fall, x 2": daily,
    "a slow rise, x 2": rising,
}


def services(rng: np.random.Generator, draw: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """Draw some services."""
    del rng
    return pl.concat([draw(f"service-{number}") for number in range(SERVICES)], how="diagonal")


def alarms(draw: Callable[[np.random.Generator, int], pl.DataFrame], runs: int, count: int) -> int:
    """Count the runs in which a step is reported."""
    reported = 0
    warnings.simplefilter("ignore", tl.QueryWarning)
    for run in range(runs):
        found = tl.change_points(draw(np.random.default_rng([run, count]), count), by="service_name", q=Q)
        reported += not found.is_empty()
    return reported


def stepped(rng: np.random.Generator, count: int, *, factor: float = 1.0, rates: tuple[float, float]) -> pl.DataFrame:
    """Draw a service whose latency is another after two fifths of the time, or its error rate."""
    at = times(rng, count)
    after = at >= 0.4
    return requests(
        rng, at, milliseconds=50.0 * np.where(after, factor, 1.0), failing=np.where(after, rates[1], rates[0])
    )


def power(count: int, runs: int, *, factor: float = 1.0, rates: tuple[float, float] = (0.01, 0.01)) -> tuple[int, ...]:
    """Count the runs in which the step is found, in which its interval holds it, and in which there is more."""
    found = held = more = 0
    for run in range(runs):
        spans = stepped(np.random.default_rng([run, count, 7]), count, factor=factor, rates=rates)
        answer = tl.change_points(spans, q=Q)
        measure = "latency" if factor != 1 else "error rate"
        true = pl.col("measure") == measure
        true &= (pl.col("effect") > 0) == (factor > 1 or factor == 1)
        near = answer.filter(true).with_columns(off=(pl.col("moment") - moment(0.4)).abs()).sort("off").head(1)
        found += near.height
        held += near.filter(pl.lit(moment(0.4)).is_between("moment_lower", "moment_upper")).height
        more += answer.height > near.height
    return found, held, more


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--power", type=int, default=100)
    parser.add_argument("--count", type=int, default=600)
    options = parser.parse_args()
    print(f"| system, {options.runs:,} runs of {options.count:,} traces | report a step |\n|---|---|")  # noqa: T201
    for name, draw in {**STATIONARY, **SLOW}.items():
        print(f"| {name} | {alarms(draw, options.runs, options.count) / options.runs:.1%} |", flush=True)  # noqa: T201
    print("\n| step | requests | found | interval holds it | something else |\n|---|---|---|---|---|")  # noqa: T201
    for count in SIZES:
        for factor in LATENCY:
            show(f"latency x {factor:g}", count, options.power, power(count, options.power, factor=factor))
        for one, other in ERRORS:
            figures = power(count, options.power, rates=(one, other))
            show(f"errors {one:.1%} to {other:.0%}", count, options.power, figures)


def show(name: str, count: int, runs: int, figures: tuple[int, ...]) -> None:
    """Print a row of the second table."""
    found, held, more = figures
    held_text = f"{held / found:.0%}" if found else "-"
    print(f"| {name} | {count:,} | {found / runs:.0%} | {held_text} | {more / runs:.0%} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

"""Requests whose latency and failures change at moments that are known, or do not change at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tracelab import conform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = 3_600 * 10**9


def moment(share: float) -> datetime:
    """Give the time at a share of the hour that requests come in."""
    return START + timedelta(seconds=3_600 * share)


def times(rng: np.random.Generator, count: int, *, bursts: bool = False) -> Floats:
    """Draw when requests come, as shares of the hour; in bursts a fifth of them within twenty short times."""
    at = rng.random(count)
    if bursts:
        chosen = rng.random(count) < 0.2
        at = np.where(chosen, rng.random(20)[rng.integers(0, 20, count)] + rng.random(count) * 0.002, at)
    return np.sort(np.minimum(at, 0.999_999))


def noise(rng: np.random.Generator, count: int, *, memory: float = 0.0) -> Floats:
    """Draw standard normal numbers, each like the one before by a correlation."""
    fresh = rng.standard_normal(count)
    if not memory:
        return fresh
    found = np.empty(count)
    last = 0.0
    for place, value in enumerate(fresh.tolist()):
        last = memory * last + value * (1 - memory**2) ** 0.5 if place else value
        found[place] = last
    return found


def requests(
    rng: np.random.Generator,
    at: Floats,
    *,
    service: str = "shop",
    names: Sequence[str] | Any = "GET /",
    milliseconds: Floats | float = 50.0,
    spread: float = 0.5,
    memory: float = 0.0,
    failing: Floats | float = 0.01,
    attributes: Mapping[str, Any] | None = None,
) -> pl.DataFrame:
    """Make a trace of one span for each time: lognormal durations around a median, failures at a rate."""
    count = at.size
    duration = milliseconds * np.exp(spread * noise(rng, count, memory=memory)) * 1e6
    base = int(rng.integers(1, 2**40))
    frame = pl.DataFrame(
        {
            "trace_id": [f"{base + place:032x}" for place in range(count)],
            "span_id": [f"{base + place:016x}" for place in range(count)],
            "name": pl.repeat(names, count, eager=True) if isinstance(names, str) else pl.Series(names),
            "kind": pl.repeat("server", count, eager=True),
            "service_name": pl.repeat(service, count, eager=True),
            "start_time": pl.Series((at * HOUR).astype(np.int64)) + int(START.timestamp()) * 10**9,
            "duration": pl.Series(duration.astype(np.int64)),
            "status_code": pl.Series(np.where(rng.random(count) < failing, "error", "unset")),
            **{name: pl.Series(values) for name, values in (attributes or {}).items()},
        }
    )
    return conform(frame.cast({"start_time": pl.Datetime("ns", "UTC"), "duration": pl.Duration("ns")}))

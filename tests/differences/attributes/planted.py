"""Traces whose slow ones are slow for a reason that is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tracelab import conform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    Columns = Mapping[str, npt.NDArray[Any]]

START = datetime(2026, 5, 1, tzinfo=UTC)


def traces(
    seed: int, count: int, *, slow: Callable[[Columns], npt.NDArray[np.bool_]], share: float = 0.0
) -> pl.DataFrame:
    """Draw traces of a front end that asks `shop`, slow (more than 500 ms) where `slow` says so, or `share` at random.

    `shop` has a version (1.8 and 1.9), a host of its own for each version and a zone that is drawn apart; requests have
    a kind of customer, a tenant of twenty, an id that is unique, and a number of items.
    """
    rng = np.random.default_rng(seed)
    columns = {
        "version": rng.choice(["1.8", "1.9"], count),
        "zone": rng.choice(["a", "b", "c"], count),
        "customer": rng.choice(["business", "consumer"], count, p=[0.3, 0.7]),
        "tenant": rng.integers(0, 20, count).astype(str),
        "items": rng.geometric(0.2, count),
    }
    is_slow = slow(columns) | (rng.random(count) < share)
    duration = np.where(is_slow, rng.integers(600, 900, count), rng.integers(50, 300, count))
    ids = [f"{seed:08x}{number:024x}" for number in range(count)]
    begin = [START + timedelta(seconds=number) for number in range(count)]
    front = pl.DataFrame(
        {
            "trace_id": ids,
            "span_id": [f"{number:016x}" for number in range(1, count + 1)],
            "name": "GET /",
            "kind": "server",
            "service_name": "front",
            "start_time": begin,
            "duration": pl.Series(duration).cast(pl.Int64) * 1_000_000,
            "span.customer.kind": columns["customer"],
            "span.request.id": [f"request-{number}" for number in range(count)],
            "span.cart.items": columns["items"],
            "span.tenant": columns["tenant"],
        }
    )
    shop = pl.DataFrame(
        {
            "trace_id": ids,
            "span_id": [f"{number:016x}" for number in range(count + 1, 2 * count + 1)],
            "parent_span_id": front["span_id"],
            "name": "list",
            "kind": "server",
            "service_name": "shop",
            "start_time": begin,
            "duration": pl.Series(duration - 20).cast(pl.Int64) * 1_000_000,
            "resource.service.version": columns["version"],
            "resource.host.name": [f"host-{version}" for version in columns["version"]],
            "resource.cloud.availability_zone": columns["zone"],
        }
    )
    both = pl.concat([front, shop], how="diagonal")
    return conform(both.with_columns(pl.col("duration").cast(pl.Duration("ns"))))


SLOW = pl.col("duration") > pl.duration(milliseconds=500)

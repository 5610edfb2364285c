"""Many traces of one span each."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import polars as pl

from tracelab.conforming import conform

RATIOS = (0.0, 1e-9, 0.001, 0.01, 0.1, 0.2, 0.25, 1 / 3, 0.5, 0.75, 0.9, 0.999, 1.0)


def random_ids(count: int, seed: int = 1) -> list[str]:
    """Draw trace ids as SDKs do, and a few at the ends of what there is."""
    ids = random.Random(seed)
    ends = [1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64, 2**127, 2**128 - 1, 2**128 - 2**64, 2**56 - 1, 2**56]
    return [f"{ids.getrandbits(128):032x}" for _ in range(count - len(ends))] + [f"{end:032x}" for end in ends]


def one_span_each(ids: list[str]) -> pl.DataFrame:
    """Make a frame of one root per trace."""
    return conform(
        pl.DataFrame({"trace_id": ids}).with_columns(
            span_id=pl.lit("00000000000000aa"),
            name=pl.lit("GET /"),
            start_time=pl.lit(datetime(2026, 5, 1, tzinfo=UTC)),
            duration=pl.lit(timedelta(milliseconds=1)),
        )
    )

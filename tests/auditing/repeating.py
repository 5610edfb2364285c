"""Many traces like a drawn one, to try what only shows in many."""

from __future__ import annotations

import numpy as np
import polars as pl

from tracelab.conforming import conform
from tracelab.synthetic import draw
from tracelab.workload.ids import hex_ids


def repeat(picture: str, times: int, *, every_ms: int = 100, seed: int = 0) -> pl.DataFrame:
    """Draw a trace, and repeat it at even distances, each time with ids of its own.

    `number` tells which repetition a span belongs to, from 0.
    """
    rng = np.random.default_rng(seed)
    drawn = draw(picture).drop("depth", "tree_left", "tree_right", "entry")
    ids = pl.DataFrame({"number": np.arange(times), "trace": hex_ids(rng, times, 32), "salt": hex_ids(rng, times, 8)})
    first = drawn["trace_id"][0]
    many = ids.join(drawn, how="cross").with_columns(
        trace_id=pl.col("trace").str.slice(0, 31) + pl.col("trace_id").str.slice(31),
        span_id=pl.col("salt") + pl.col("span_id").str.slice(8),
        parent_span_id=pl.col("salt") + pl.col("parent_span_id").str.slice(8),
        start_time=pl.col("start_time") + pl.duration(milliseconds=pl.col("number") * every_ms, time_unit="ns"),
    )
    assert first is not None
    return conform(many.drop("trace", "salt"))


def without(spans: pl.DataFrame, lost: pl.Expr) -> pl.DataFrame:
    """Lose spans, and forget which repetition the others belong to."""
    return conform(spans.filter(~lost).drop("number", "depth", "tree_left", "tree_right", "entry"))

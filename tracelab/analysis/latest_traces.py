"""The traces that began last, and which of them are slow for what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.traces import trace_summary
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

ENOUGH: Final = 20
"""How many traces of a kind there must be before any of them is called slow: the p95 of fewer is their slowest."""

_KIND: Final = ("service_name", "name")


def latest_traces(spans: Spans, *, count: int) -> pl.DataFrame:
    """Give the traces that began last, the latest first, then by id.

    Returns
    -------
    `trace_id`, `service_name`, `name` (String, of the span that begins the trace), `start_time`, `duration`, `spans`,
    `errors`, `missing_parents` (UInt32), `alike` (UInt32, how many traces begin with that service and name), `p95`
    (Duration, of these), `slow` (Boolean: longer than that, where at least `ENOUGH` are alike).
    """
    length = pl.col("duration").dt.total_nanoseconds()
    return (
        trace_summary(spans)
        .lazy()
        .with_columns(
            alike=pl.len().over(_KIND).cast(pl.UInt32),
            p95=length.quantile(0.95, "linear").over(_KIND).round().cast(pl.Int64).cast(DURATION),
        )
        .with_columns(slow=(pl.col("alike") >= ENOUGH) & (pl.col("duration") > pl.col("p95")))
        .sort("start_time", "trace_id", descending=[True, False])
        .head(count)
        .select(
            "trace_id",
            *_KIND,
            "start_time",
            "duration",
            "spans",
            "errors",
            "missing_parents",
            "alike",
            "p95",
            "slow",
        )
        .collect()
    )

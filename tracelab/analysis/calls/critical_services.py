"""Critical services: those that the traces depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.analysis.asynchronous import process_columns
from tracelab.analysis.calls.edges import FAILED, calls_of, forest_of_calls, per_edge
from tracelab.analysis.critical_paths.paths import path_sections
from tracelab.clocks.doubts import warn_of_skew
from tracelab.clocks.hosts import host_columns
from tracelab.conforming import takes_any_frame
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans


@takes_any_frame
def critical_services(spans: Spans) -> pl.DataFrame:
    """Rank services by how much the traces depend on them.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per service, by time on the path, most first, then by name: `service_name` (String), `path_time` (Duration,
    on the critical paths of all traces), `path_share` (Float64, of the length of all paths), `path_traces` (UInt32,
    traces that it is on the path of), `traces` (UInt32, traces that it takes part in), `trace_share` (Float64, of all
    traces), `callers`, `callees` (UInt32, services, databases and others beside it in the `service_graph`), `errors`
    (UInt32, its spans that failed).

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web   ==========
    ...   pay .=======
    ...   log ..==
    ... ''')
    >>> critical_services(spans).select("service_name", "path_share", "callers", "callees").rows()
    [('pay', 0.7, 1, 0), ('web', 0.3, 0, 2), ('log', 0.0, 1, 0)]
    """
    frame, forest = forest_of_calls(spans, *process_columns(spans), *host_columns(spans))
    warn_of_skew((frame, forest))
    sections = path_sections(frame, forest, method="tracelab")
    frame = frame.with_columns(trace=pl.col("trace_id").hash())
    on_path = (
        frame.lazy()
        .select(pl.col("service_name", "trace").gather(pl.lit(pl.Series(sections.owner))))
        .with_columns(pl.Series("path_time", sections.end - sections.start))
        .group_by("service_name")
        .agg(pl.col("path_time").sum(), path_traces=pl.col("trace").n_unique())
    )
    edges = per_edge(frame, calls_of(frame, forest)).lazy()
    callers = edges.group_by(service_name="callee").agg(callers=pl.len())
    callees = edges.group_by(service_name="caller").agg(callees=pl.len())
    whole = int((sections.end - sections.start).sum()) or 1
    traces = max(frame["trace"].n_unique(), 1)
    counts = (pl.col(name).fill_null(0).cast(pl.UInt32) for name in ("callers", "callees", "errors"))
    return (
        frame.lazy()
        .group_by("service_name")
        .agg(traces=pl.col("trace").n_unique().cast(pl.UInt32), errors=pl.col(FAILED).sum())
        .join(on_path, on="service_name", how="left")
        .join(callers, on="service_name", how="left")
        .join(callees, on="service_name", how="left")
        .select(
            "service_name",
            pl.col("path_time").fill_null(0).cast(DURATION),
            (pl.col("path_time").fill_null(0) / whole).alias("path_share"),
            pl.col("path_traces").fill_null(0).cast(pl.UInt32),
            "traces",
            (pl.col("traces") / traces).alias("trace_share"),
            *counts,
        )
        .sort("path_time", "service_name", descending=[True, False])
        .collect()
    )

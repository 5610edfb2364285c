"""Who calls whom, and who matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.asynchronous import process_columns
from tracelab.analysis.calls.edges import CALLEE_TYPE, FAILED, calls_of, forest_of_calls, per_edge
from tracelab.analysis.critical_paths.paths import path_sections
from tracelab.conforming import takes_any_frame
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_EDGE: Final = (
    "caller", "callee", "callee_type", "instrumented", "calls", "messages", "errors",
    "p50", "p95", "network_p50", "network_p95", "exemplar_trace_id",
)  # fmt: skip


@takes_any_frame
def service_graph(spans: Spans) -> pl.DataFrame:
    """Find who calls whom, how often, how well and how fast.

    A call is a span whose parent is in another service, or a server or consumer span below a client or producer span.
    A client or producer span that nobody answered in the frame is a call to somebody who is not instrumented: the
    callee is then named after `peer.service`, the queue (`messaging.system` and destination), the database
    (`db.system.name` and namespace) or the address; where none of these is known there is no edge.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per edge, most calls first, then by names: `caller`, `callee` (String), `callee_type` (Enum: service,
    database, queue, external), `instrumented` (Boolean, the callee sent spans of its own for some of the calls),
    `calls`, `messages`, `errors` (UInt32: all calls; those through a queue; those that failed on either side), `p50`,
    `p95` (Duration, of the calls as the caller sees them: the client's span, or the callee's where there is none),
    `network_p50`, `network_p95` (Duration, what the client's span lasts longer than the server's: network and queueing;
    null where no call has both), `exemplar_trace_id` (String, the first trace in which a call failed, or the first
    where none did).

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay   ========== kind=server
    ...   web::POST     .========  kind=client
    ...     pay::POST   ..======   kind=server
    ...       pay::save ...===     kind=client db.system.name=redis
    ... ''')
    >>> service_graph(spans).select("caller", "callee", "callee_type", "network_p50").rows()
    [('pay', 'redis', 'database', None), ('web', 'pay', 'service', datetime.timedelta(microseconds=2000))]
    """
    frame, forest = forest_of_calls(spans)
    edges = per_edge(
        frame,
        calls_of(frame, forest).with_columns(failed_place=pl.when("failed").then("place")),
        callee_type=pl.col("callee_type").min().cat.to(CALLEE_TYPE),
        instrumented=pl.col("callee").is_not_null().any(),
        calls=pl.len().cast(pl.UInt32),
        messages=pl.col("message").sum().cast(pl.UInt32),
        errors=pl.col("failed").sum().cast(pl.UInt32),
        p50=_quantile(pl.col("latency"), 0.5),
        p95=_quantile(pl.col("latency"), 0.95),
        network_p50=_quantile(pl.col("network"), 0.5),
        network_p95=_quantile(pl.col("network"), 0.95),
        exemplar=pl.coalesce(pl.col("failed_place").min(), pl.col("place").min()),
    )
    return (
        edges.with_columns(frame["trace_id"].gather(edges["exemplar"]).alias("exemplar_trace_id"))
        .select(_EDGE)
        .sort("calls", "caller", "callee", descending=[True, False, False])
    )


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
    frame, forest = forest_of_calls(spans, *process_columns(spans))
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


def _quantile(durations_of: pl.Expr, quantile: float) -> pl.Expr:
    """Interpolate in nanoseconds and round, as latency_percentiles does."""
    return durations_of.quantile(quantile, interpolation="linear").round().cast(pl.Int64).cast(DURATION)

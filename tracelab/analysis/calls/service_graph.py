"""The service graph: who calls whom, how often, how well and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.calls.edges import CALLEE_TYPE, calls_of, forest_of_calls, per_edge
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


def _quantile(durations_of: pl.Expr, quantile: float) -> pl.Expr:
    """Interpolate in nanoseconds and round, as latency_percentiles does."""
    return durations_of.quantile(quantile, interpolation="linear").round().cast(pl.Int64).cast(DURATION)

"""The service graph: who calls whom, how often, how well and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.calls.edges import CALLEE_TYPE, calls_of, edge_of_each, forest_of_calls, per_edge
from tracelab.conforming import takes_any_frame
from tracelab.sampling.estimation.quantiles import quantiles
from tracelab.sampling.estimation.samples import Sample
from tracelab.sampling.estimation.shares import shares
from tracelab.sampling.estimation.totals import totals
from tracelab.sampling.estimation.weighing import (
    WEIGHT,
    checked_weights,
    counted,
    estimated,
    estimated_names,
    floats,
    quality,
    weight_column,
)
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Floats
    from tracelab.sampling.estimation.weighing import Weights

_EDGE: Final = (
    "caller", "callee", "callee_type", "instrumented", "calls", "messages", "errors",
    "p50", "p95", "network_p50", "network_p95",
)  # fmt: skip

_EXEMPLAR: Final = "exemplar_trace_id"
_BOUNDS: Final = ("p50_lower", "p50_upper", "p95_lower", "p95_upper")
_RATE: Final = ("error_rate", "error_rate_lower", "error_rate_upper")
_SHARES: Final = np.array([0.5, 0.95])
_CONFIDENCE: Final = 0.95


@takes_any_frame
def service_graph(spans: Spans, *, weights: Weights = None) -> pl.DataFrame:
    """Find who calls whom, how often, how well and how fast.

    A call is a span whose parent is in another service, or a server or consumer span below a client or producer span.
    A client or producer span that nobody answered in the frame is a call to somebody who is not instrumented: the
    callee is then named after `peer.service`, the queue (`messaging.system` and destination), the database
    (`db.system.name` and namespace) or the address; where none of these is known there is no edge.

    Parameters
    ----------
    spans
        The spans.
    weights
        How many spans each span stands for, where spans were sampled: a column, such as the `sampling_weight` of
        `with_weights`, or an expression; null is not known. A call has the larger weight of its two spans, as it is
        seen only if both are. Without, every call counts once.

    Returns
    -------
    One row per edge, most calls first, then by names: `caller`, `callee` (String), `callee_type` (Enum: service,
    database, queue, external), `instrumented` (Boolean, the callee sent spans of its own for some of the calls),
    `calls`, `messages`, `errors` (UInt32: all calls; those through a queue; those that failed on either side), `p50`,
    `p95` (Duration, of the calls as the caller sees them: the client's span, or the callee's where there is none),
    `network_p50`, `network_p95` (Duration, what the client's span lasts longer than the server's: network and queueing;
    null where no call has both), `exemplar_trace_id` (String, the first trace in which a call failed, or the first
    where none did).

    With `weights` the quantiles are of all calls that there were, `calls`, `messages`, `errors` those that were seen,
    and before `exemplar_trace_id` stand `p50_lower`, `p50_upper`, `p95_lower`, `p95_upper` (Duration, null where there
    is no bound), `estimated_calls`, `estimated_calls_lower`, `estimated_calls_upper`, `estimated_errors`,
    `estimated_errors_lower`, `estimated_errors_upper`, `error_rate`, `error_rate_lower`, `error_rate_upper` (Float64),
    `effective_sample_size` (Float64, how many traces, each with as many calls and the same weight, would tell as much),
    `unknown_weight` (UInt32, calls whose weight is not known). Where there is such a call, what would rest on it is
    null. Intervals have a confidence of 95 %, and are of what all traces would have shown. Estimated calls come first
    in the order of rows.

    Raises
    ------
    TracelabError
        A weight is none.

    Notes
    -----
    A call whose callee was sampled away is a call that nobody answered: weights do not bring the names of those back
    that were not seen.

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
    weight = weight_column(spans, weights)
    frame, forest = forest_of_calls(spans, *weight)
    calls = calls_of(frame, forest).with_columns(failed_place=pl.when("failed").then("place"))
    edges = per_edge(
        frame,
        calls,
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
    answer = edges.with_columns(frame["trace_id"].gather(edges["exemplar"]).alias(_EXEMPLAR))
    if not weight:
        return answer.select(*_EDGE, _EXEMPLAR).sort("calls", "caller", "callee", descending=[True, False, False])
    return (
        answer.with_columns(_weighted(frame, calls, edges))
        .select(*_EDGE, *_BOUNDS, *estimated_names("calls", "errors")[:6], *_RATE, *estimated_names(), _EXEMPLAR)
        .sort("estimated_calls", "calls", "caller", "callee", descending=[True, True, False, False], nulls_last=True)
    )


def _weighted(frame: pl.DataFrame, calls: pl.LazyFrame, edges: pl.DataFrame) -> list[pl.Series]:
    """Estimate what each edge was before spans were dropped."""
    rows = calls.select("edge", "caller", "callee", "place", "failed", "latency", "network").collect()
    group = edge_of_each(frame, rows.lazy(), edges)
    of_span = checked_weights(frame[WEIGHT])
    caller, callee = rows["caller"].to_numpy(), rows["callee"].fill_null(rows["caller"]).to_numpy()
    weight = np.maximum(of_span[caller], of_span[callee])
    trace_ids = frame["trace_id"].gather(rows["place"])
    sample = Sample.of(trace_ids, group, weight, groups=edges.height)
    failed = rows["failed"].fill_null(value=False).to_numpy()
    rate = shares(sample, failed, confidence=_CONFIDENCE)
    latency = quantiles(sample, rows["latency"].to_numpy().astype(np.float64), _SHARES, confidence=_CONFIDENCE)
    both = rows["network"].is_not_null().to_numpy()
    seen = Sample.of(trace_ids.filter(pl.Series(both)), group[both], weight[both], groups=edges.height)
    network = quantiles(
        seen, rows["network"].drop_nulls().to_numpy().astype(np.float64), _SHARES, confidence=_CONFIDENCE
    )
    return [
        *(_durations(name, latency.value[:, place]) for place, name in enumerate(("p50", "p95"))),
        *(_durations(f"{name}_lower", latency.lower[:, place]) for place, name in enumerate(("p50", "p95"))),
        *(_durations(f"{name}_upper", latency.upper[:, place]) for place, name in enumerate(("p50", "p95"))),
        *(_durations(f"network_{name}", network.value[:, place]) for place, name in enumerate(("p50", "p95"))),
        *counted("calls", sample, confidence=_CONFIDENCE),
        *estimated("errors", totals(sample, failed, confidence=_CONFIDENCE)),
        *(floats(name, values) for name, values in zip(_RATE, (rate.value, rate.lower, rate.upper), strict=True)),
        *quality(sample),
    ]


def _quantile(durations_of: pl.Expr, quantile: float) -> pl.Expr:
    """Interpolate in nanoseconds and round, as latency_percentiles does."""
    return durations_of.quantile(quantile, interpolation="linear").round().cast(pl.Int64).cast(DURATION)


def _durations(name: str, nanoseconds: Floats) -> pl.Series:
    return floats(name, np.rint(nanoseconds)).cast(pl.Int64).cast(DURATION)

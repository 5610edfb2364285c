"""Who calls whom, and who matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.failures import has_failed
from tracelab.analysis.forest import Flags, Forest, Ints, durations, plant
from tracelab.analysis.paths import path_sections
from tracelab.conforming import takes_any_frame
from tracelab.schema import DURATION, attr, attribute_names

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

CALLEE_TYPE: Final = pl.Enum(["service", "database", "queue", "external"])

_EDGE: Final = (
    "caller", "callee", "callee_type", "instrumented", "calls", "messages", "errors",
    "p50", "p95", "network_p50", "network_p95", "exemplar_trace_id",
)  # fmt: skip
_FAILED: Final = "__failed"
_PEERS: Final = ("peer.service", "service.peer.name")
_QUEUES: Final = ("messaging.system",)
_DESTINATIONS: Final = ("messaging.destination.name", "messaging.destination")
_DATABASES: Final = ("db.system.name", "db.system")
_NAMESPACES: Final = ("db.namespace", "db.name")
_ADDRESSES: Final = ("server.address", "net.peer.name", "http.host", "net.peer.ip", "rpc.service")
_ATTRIBUTES: Final = (*_PEERS, *_QUEUES, *_DESTINATIONS, *_DATABASES, *_NAMESPACES, *_ADDRESSES)


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
    frame, forest = _planted(spans)
    # Grouping by a hash of both names takes two thirds of the time of grouping by the names.
    edge = pl.col("caller").hash(1) ^ pl.col("callee").hash(2)
    return (
        pl.concat(_calls(frame, forest))
        .with_columns(edge=edge, failed_place=pl.when("failed").then("place"))
        .group_by("edge")
        .agg(
            pl.col("caller", "callee").first(),
            pl.col("callee_type").min(),
            instrumented=(pl.col("callee_type") == "service").any(),
            calls=pl.len().cast(pl.UInt32),
            messages=pl.col("message").sum().cast(pl.UInt32),
            errors=pl.col("failed").sum().cast(pl.UInt32),
            p50=_quantile(pl.col("latency"), 0.5),
            p95=_quantile(pl.col("latency"), 0.95),
            network_p50=_quantile(pl.col("network"), 0.5),
            network_p95=_quantile(pl.col("network"), 0.95),
            place=pl.coalesce(pl.col("failed_place").min(), pl.col("place").min()),
        )
        .with_columns(exemplar_trace_id=pl.lit(frame["trace_id"]).gather(pl.col("place")))
        .select(_EDGE)
        .sort("calls", "caller", "callee", descending=[True, False, False])
        .collect()
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
    frame, forest = _planted(spans)
    sections = path_sections(frame, forest, method="tracelab")
    frame = frame.with_columns(trace=pl.col("trace_id").hash())
    on_path = (
        frame.lazy()
        .select(pl.col("service_name", "trace").gather(pl.lit(pl.Series(sections.owner))))
        .with_columns(pl.Series("path_time", sections.end - sections.start))
        .group_by("service_name")
        .agg(pl.col("path_time").sum(), path_traces=pl.col("trace").n_unique())
    )
    edges = pl.concat(_calls(frame, forest)).select("caller", "callee").unique()
    callers = edges.group_by(service_name="callee").agg(callers=pl.len())
    callees = edges.group_by(service_name="caller").agg(callees=pl.len())
    whole = int((sections.end - sections.start).sum()) or 1
    traces = max(frame["trace"].n_unique(), 1)
    counts = (pl.col(name).fill_null(0).cast(pl.UInt32) for name in ("callers", "callees", "errors"))
    return (
        frame.lazy()
        .group_by("service_name")
        .agg(traces=pl.col("trace").n_unique().cast(pl.UInt32), errors=pl.col(_FAILED).sum())
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


def _planted(spans: Spans) -> tuple[pl.DataFrame, Forest]:
    """Plant the spans with all that may name somebody who is called."""
    schema = spans.lazy().collect_schema()
    columns = [name for key in _ATTRIBUTES for name in attribute_names(key) if name in schema]
    more = ["more_attributes"] if "more_attributes" in schema else []
    return plant(spans, has_failed(spans).alias(_FAILED), *columns, *more)


def _calls(frame: pl.DataFrame, forest: Forest) -> list[pl.LazyFrame]:
    """List the calls that somebody answered, and those that nobody in the frame did."""
    callees = np.flatnonzero(_answers_a_call(frame, forest))
    open_ended = _calls_out(frame)
    open_ended[forest.parent[callees]] = False
    return [_answered_calls(frame, forest, callees), _unanswered_calls(frame, open_ended)]


def _quantile(durations_of: pl.Expr, quantile: float) -> pl.Expr:
    """Interpolate in nanoseconds and round, as latency_percentiles does."""
    return durations_of.quantile(quantile, interpolation="linear").round().cast(pl.Int64).cast(DURATION)


def _calls_out(frame: pl.DataFrame) -> Flags:
    return ((frame["kind"] == "client") | (frame["kind"] == "producer")).to_numpy()


def _answers_a_call(frame: pl.DataFrame, forest: Forest) -> Flags:
    """Mark the spans that answer a call: the parent is in another service, or is the calling half of the same call."""
    # Comparing 64-bit hashes of the few names of services is several times faster than comparing the names.
    service = frame["service_name"].hash().to_numpy()
    answers = ((frame["kind"] == "server") | (frame["kind"] == "consumer")).to_numpy()
    crossing: Flags = (service != service[forest.parent]) | (answers & _calls_out(frame)[forest.parent])
    return forest.has_parent & crossing


def _answered_calls(frame: pl.DataFrame, forest: Forest, callee: Ints) -> pl.LazyFrame:
    caller = forest.parent[callee]
    length, failed = durations(frame), frame[_FAILED].fill_null(value=False).to_numpy()
    seen = (frame["kind"] == "client").to_numpy()[caller]
    alone = seen & (np.bincount(caller, minlength=frame.height)[caller] == 1)
    return pl.LazyFrame(
        [
            frame["service_name"].gather(caller).alias("caller"),
            frame["service_name"].gather(callee).alias("callee"),
            pl.Series("message", (frame["kind"] == "consumer").to_numpy()[callee]),
            pl.Series("failed", failed[callee] | (seen & failed[caller])),
            pl.Series("latency", np.where(seen, length[caller], length[callee])),
            pl.Series("network", length[caller] - length[callee]),
            pl.Series("alone", alone),
            pl.Series("place", callee),
        ]
    ).select(
        "caller",
        "callee",
        pl.lit("service", dtype=CALLEE_TYPE).alias("callee_type"),
        "message",
        "failed",
        "latency",
        pl.when("alone").then("network").alias("network"),
        "place",
    )


def _unanswered_calls(frame: pl.DataFrame, calls: Flags) -> pl.LazyFrame:
    """Name the callee of each call after what its span says of it."""
    more = "more_attributes" in frame.columns and frame["more_attributes"].null_count() < frame.height
    there = [key for key in _ATTRIBUTES if more or any(name in frame.columns for name in attribute_names(key))]
    said = {key: attr(key) for key in there}
    peer, queue, destination, database, namespace, address = (
        pl.coalesce([*(said[key] for key in keys if key in said), pl.lit(None, dtype=pl.String)])
        for keys in (_PEERS, _QUEUES, _DESTINATIONS, _DATABASES, _NAMESPACES, _ADDRESSES)
    )
    columns = [name for key in there for name in attribute_names(key) if name in frame.columns]
    return (
        frame.lazy()
        .select("service_name", "duration", _FAILED, *columns, *(["more_attributes"] if more else []))
        .with_row_index("place")
        .filter(pl.Series(calls))
        .select(
            caller="service_name",
            callee=pl.coalesce(peer, _at(queue, destination), _at(database, namespace), address),
            callee_type=pl.when(queue.is_not_null())
            .then(pl.lit("queue", dtype=CALLEE_TYPE))
            .when(database.is_not_null())
            .then(pl.lit("database", dtype=CALLEE_TYPE))
            .otherwise(pl.lit("external", dtype=CALLEE_TYPE)),
            message=queue.is_not_null(),
            failed=_FAILED,
            latency=pl.col("duration").to_physical(),
            network=pl.lit(None, dtype=pl.Int64),
            place=pl.col("place").cast(pl.Int64),
        )
        .filter(pl.col("callee").is_not_null())
    )


def _at(system: pl.Expr, place: pl.Expr) -> pl.Expr:
    """Say `system/place`, or only the system where the place is not known."""
    return pl.when(place.is_not_null()).then(pl.format("{}/{}", system, place)).otherwise(system)

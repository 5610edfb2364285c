"""The calls in a frame: which spans make them, which answer them, and who was called where nobody did.

Calls are told apart by numbers that are made of both names. Only the few edges that come out are named with texts,
which are slow to compare and slower to write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.analysis.failures import has_failed
from tracelab.forest import Forest, build_forest
from tracelab.schema import KIND, attribute_names, attribute_value

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.array_types import Flags, Ints

CALLEE_TYPE: Final = pl.Enum(["service", "database", "queue", "external"])
FAILED: Final = "__failed"

_NAMES: Final = {
    "peer": ("peer.service", "service.peer.name"),
    "queue": ("messaging.system",),
    "destination": ("messaging.destination.name", "messaging.destination"),
    "database": ("db.system.name", "db.system"),
    "namespace": ("db.namespace", "db.name"),
    "address": ("server.address", "net.peer.name", "http.host", "net.peer.ip", "rpc.service"),
}
_COLUMNS: Final = tuple(name for keys in _NAMES.values() for key in keys for name in attribute_names(key))
_ODD: Final = 0x9E3779B97F4A7C15
_SERVICE, _DATABASE, _QUEUE, _EXTERNAL = range(4)
_SERVER, _CLIENT, _PRODUCER, _CONSUMER = (
    KIND.categories.index_of(kind) for kind in ("server", "client", "producer", "consumer")
)

Numbers = npt.NDArray[np.uint64]


def forest_of_calls(spans: Spans, *columns: str | pl.Expr) -> tuple[pl.DataFrame, Forest]:
    """Build the forest with all that may name somebody who is called, and with the columns asked for."""
    return build_forest(spans, has_failed(spans).alias(FAILED), *naming_columns(spans), *columns)


def naming_columns(spans: Spans) -> list[str]:
    """List the columns of a frame that may name somebody who is called."""
    schema = spans.lazy().collect_schema()
    return [name for name in (*_COLUMNS, "more_attributes") if name in schema]


def calls_of(frame: pl.DataFrame, forest: Forest) -> pl.LazyFrame:
    """List the calls in a frame that `forest_of_calls` gives.

    Returns
    -------
    One row per call: `edge` (UInt64, a number for both names), `caller` (Int64, the place of a span of the caller),
    `callee` (Int64, the place of the span that answers, null where nobody does), `callee_type` (UInt8, as numbered in
    `CALLEE_TYPE`), `message`, `failed` (Boolean), `latency`, `network` (Int64, nanoseconds), `place` (Int64, of the
    span that the call is told of).
    """
    names = frame["service_name"].hash().to_numpy()
    callers = names * np.uint64(_ODD)
    kind = frame["kind"].to_physical().to_numpy()
    calls_out = (kind == _CLIENT) | (kind == _PRODUCER)
    # Roots of fragments have the last place for a parent here; what that says is not used.
    crossing = (names != names[forest.parent]) | (((kind == _SERVER) | (kind == _CONSUMER)) & calls_out[forest.parent])
    callee = np.flatnonzero(crossing & forest.has_parent)
    caller = forest.parent[callee]
    calls_out[caller] = False

    length, failed = frame["duration"].to_physical().to_numpy(), frame[FAILED].fill_null(value=False).to_numpy()
    seen = kind[caller] == _CLIENT
    alone = seen & (np.bincount(caller, minlength=frame.height)[caller] == 1)
    answered = pl.LazyFrame(
        {
            "edge": callers[caller] ^ names[callee],
            "caller": caller,
            "callee": callee,
            "message": kind[callee] == _CONSUMER,
            "failed": failed[callee] | (seen & failed[caller]),
            "latency": np.where(seen, length[caller], length[callee]),
            "network": length[caller] - length[callee],
            "alone": alone,
        }
    ).select(
        "edge",
        "caller",
        "callee",
        pl.lit(_SERVICE, dtype=pl.UInt8).alias("callee_type"),
        "message",
        "failed",
        "latency",
        pl.when("alone").then("network").alias("network"),
        pl.col("callee").alias("place"),
    )
    return pl.concat([answered, _unanswered(frame, calls_out, callers)])


def per_edge(frame: pl.DataFrame, rows: pl.LazyFrame, **aggregates: pl.Expr) -> pl.DataFrame:
    """Aggregate calls by the names of `caller` and `callee`."""
    edges = _grouped(frame, rows, aggregates)
    if edges.select(pl.struct("caller", "callee").is_duplicated().any()).item():
        # A service may be called what a queue and its destination are called together.
        edge, first = edges.select("edge", first=pl.col("edge").min().over("caller", "callee"))
        edges = _grouped(frame, rows.with_columns(pl.col("edge").replace(edge, first)), aggregates)
    return edges


def edge_of_each(frame: pl.DataFrame, rows: pl.LazyFrame, edges: pl.DataFrame) -> Ints:
    """Say of each call which row of what `per_edge` gives it belongs to."""
    pair = ["caller", "callee"]
    named = _grouped(frame, rows, {}).join(edges.select(pair).with_row_index("row"), on=pair)
    return (
        rows.select("edge")
        .join(named.lazy().select("edge", "row"), on="edge", how="left", maintain_order="left")
        .collect()["row"]
        .to_numpy()
        .astype(np.int64)
    )


def _grouped(frame: pl.DataFrame, rows: pl.LazyFrame, aggregates: dict[str, pl.Expr]) -> pl.DataFrame:
    edges = (
        rows.group_by("edge")
        .agg(pl.col("caller").first(), pl.col("callee").max(), pl.col("place").first().alias("said"), **aggregates)
        .collect()
    )
    services = frame["service_name"]
    answered = services.gather(edges["callee"])
    return edges.with_columns(
        services.gather(edges["caller"]).alias("caller"),
        answered.zip_with(answered.is_not_null(), names_of_callees(frame[edges["said"]])).alias("callee"),
    )


def _unanswered(frame: pl.DataFrame, calls_out: Flags, callers: Numbers) -> pl.LazyFrame:
    """List the calls that nobody in the frame answered, but for those whose spans do not say whom they called."""
    queue, database = (_known(frame, _NAMES[name]) for name in ("queue", "database"))
    return (
        frame.lazy()
        .select("duration", FAILED, *(name for name in (*_COLUMNS, *_more(frame)) if name in frame.columns))
        .with_columns(pl.Series("caller", callers))
        .with_row_index("place")
        .filter(pl.Series(calls_out))
        .select(
            edge=pl.col("caller") ^ _callee_number(frame),
            caller=pl.col("place").cast(pl.Int64),
            callee=pl.lit(None, dtype=pl.Int64),
            callee_type=pl.when(queue)
            .then(pl.lit(_QUEUE, dtype=pl.UInt8))
            .when(database)
            .then(pl.lit(_DATABASE, dtype=pl.UInt8))
            .otherwise(pl.lit(_EXTERNAL, dtype=pl.UInt8)),
            message=queue,
            failed=FAILED,
            latency=pl.col("duration").to_physical(),
            network=pl.lit(None, dtype=pl.Int64),
            place=pl.col("place").cast(pl.Int64),
        )
        .filter(pl.col("edge").is_not_null())
    )


def _callee_number(frame: pl.DataFrame) -> pl.Expr:
    """Give the number of the callee: the same for the same name, unless one is put together and the other is not."""
    numbers = {name: [_number(attribute_value(key)) for key in _there(frame, keys)] for name, keys in _NAMES.items()}

    def at(systems: list[pl.Expr], places: list[pl.Expr]) -> list[pl.Expr]:
        if not systems or not places:
            return systems
        return [pl.coalesce(pl.coalesce(systems) * _ODD ^ pl.coalesce(places), *systems)]

    # Numbers are coalesced, not texts, which would be copied each time.
    return pl.coalesce(
        *numbers["peer"],
        *at(numbers["queue"], numbers["destination"]),
        *at(numbers["database"], numbers["namespace"]),
        *numbers["address"],
        pl.lit(None, dtype=pl.UInt64),
    )


def _number(text: pl.Expr) -> pl.Expr:
    return pl.when(text.is_not_null()).then(text.hash())


def _known(frame: pl.DataFrame, keys: tuple[str, ...]) -> pl.Expr:
    """Tell which spans have one of these attributes."""
    return pl.any_horizontal(pl.lit(value=False), *(attribute_value(key).is_not_null() for key in _there(frame, keys)))


def _more(frame: pl.DataFrame) -> list[str]:
    there = "more_attributes" in frame.columns and frame["more_attributes"].null_count() < frame.height
    return ["more_attributes"] if there else []


def _there(frame: pl.DataFrame, keys: tuple[str, ...]) -> list[str]:
    """List the attributes that a frame may have."""
    columns, more = set(frame.columns), bool(_more(frame))
    return [key for key in keys if more or not columns.isdisjoint(attribute_names(key))]


def names_of_callees(told: pl.DataFrame) -> pl.Series:
    """Name the callees of some calls after what their spans say; null where they say nothing."""

    def at(system: pl.Expr, place: pl.Expr) -> pl.Expr:
        return pl.when(place.is_not_null()).then(pl.format("{}/{}", system, place)).otherwise(system)

    peer, queue, destination, database, namespace, address = (
        pl.coalesce(*(attribute_value(key) for key in _there(told, keys)), pl.lit(None, dtype=pl.String))
        for keys in _NAMES.values()
    )
    name = pl.coalesce(peer, at(queue, destination), at(database, namespace), address)
    return told.with_columns(name.alias("said"))["said"]

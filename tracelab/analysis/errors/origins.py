"""Where failures start, and how far they get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.asynchronous import process_columns
from tracelab.analysis.errors.messages import folded
from tracelab.analysis.errors.propagation import climb
from tracelab.analysis.errors.requests import callers_of
from tracelab.analysis.failures import CODE_KEYS, GRPC_NAMES, grpc_code, has_failed, http_code, refused
from tracelab.conforming import takes_any_frame
from tracelab.failing import GRPC_STATUS, HTTP_STATUS
from tracelab.forest import build_forest
from tracelab.schema import attribute_names, attribute_value

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

FAILED: Final = "__failed"
REFUSED: Final = "__refused"
_TYPES: Final = ("exception.type", "error.type")
_MESSAGES: Final = ("exception.message", "error.message", "otel.status_description")
_ATTRIBUTES: Final = (*_TYPES, *_MESSAGES, *CODE_KEYS)
_GROUP: Final = ("service_name", "name", "exception_type", "message")


@takes_any_frame
def error_origins(spans: Spans) -> pl.DataFrame:
    """Find where failures start: the deepest failing span of each failing branch.

    A failing span that no failing child passed its failure to is an origin. From there the failure climbs as long as
    parents fail too; it has reached the root, or the first ancestor that did not fail has swallowed it (a retry, a
    fallback, a message that nobody waits for). What counts as failing is told at `error_rates`. A span without a status
    that answered 4xx, or with a code of gRPC other than OK, did not fail, but passed on what failed below it: who asked
    has seen it.

    Not every failing parent failed for its child. Attempts at one thing are siblings of one service, name and kind:
    where one failed and another one, started after it had ended, went well, the parent has swallowed the failure. It
    has also swallowed what it did not wait for: a child that was left running (see `critical_path`), and the consumer
    of a message.

    Many libraries leave the status of their internal spans unset whatever happens. Such a span (kind internal or
    unspecified, status unset) has passed a failure on if a span further up failed or answered so, and nothing was
    started below it after the last failing attempt had ended, which is how an exception that gets out looks. The same
    is asked of spans that say by their answer alone that something was wrong.

    One request may fail in several spans: three attempts are three errors. So requests are counted too. A request is a
    root that somebody asked: a server span without a parent, one of kind internal or unspecified that has the code of
    an answer (HTTP, gRPC), or one of another kind in a service that has no server or consumer spans, such as a client
    or a script. Any other root in a service that is otherwise called has lost its caller on the way, or is a job that
    nobody waits for: like the top of a fragment whose parent is missing it is no request, and no root that was reached.
    A consumer span without a parent is a root, but no request, as who sent the message does not wait.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per kind of failure, most errors first, then by the next four columns: `service_name`, `name`,
    `exception_type`, `message` (String, of the origin; the last exception event of the span says what happened, else
    its attributes, codes, such as `HTTP 503` or `gRPC UNAVAILABLE`, and status; null where nothing does; in messages
    numbers are folded to `<n>`, ids to `<id>`), `errors`, `traces` (UInt32, origins and the traces that they are in),
    `requests` (UInt32, the requests that they are in), `reached_root` (UInt32, how many of the errors got to the root
    of the trace), `reached_requests` (UInt32, the requests whose root they got to), `reached_fragment` (UInt32, how
    many of the errors got to the top of a part of the trace whose caller is not known), `swallowed_by` (String,
    `service::name` of who swallowed most of the others; null if nobody did), `climbed` (Float64, levels that they
    climbed on average), `first_seen`, `last_seen` (Datetime), `exemplar_trace_id`, `exemplar_span_id` (String, the
    first one).

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web      ==========!
    ...   pay    .========!
    ...     bank ..=====!  exception.type=Timeout exception.message="no answer in 250 ms"
    ...   mail   .=!
    ... ''')
    >>> error_origins(spans).select("name", "exception_type", "message", "reached_root", "climbed").rows()
    [('bank', 'Timeout', 'no answer in <n> ms', 1, 2.0), ('mail', None, None, 1, 1.0)]
    """
    frame, forest = build_forest(spans, *failure_columns(spans))
    failing, refusing = (frame[name].to_numpy() for name in (FAILED, REFUSED))
    climbs = climb(frame, forest, failing, refusing)
    root, above = forest.root[climbs.origin], forest.parent[climbs.top]
    callers = callers_of(frame, forest)
    swallowers = frame[np.maximum(above, 0)].select(pl.format("{}::{}", "service_name", "name").alias("swallower"))
    reached = above < 0
    return _by_kind(
        told(frame[climbs.origin], pl.Series(climbs.origin)).with_columns(
            swallowers.to_series(),
            pl.Series("request", root),
            pl.Series("asked", callers.asked[root]),
            pl.Series("reached_root", reached & callers.known[root]),
            pl.Series("reached_fragment", reached & ~callers.known[root]),
            pl.Series("climbed", forest.depth[climbs.origin] - forest.depth[climbs.top]),
        )
    )


def failure_columns(spans: Spans) -> list[str | pl.Expr]:
    """List what a forest needs beside its own columns so that failures can be followed and `told`."""
    schema = spans.lazy().collect_schema()
    columns = [name for key in _ATTRIBUTES for name in attribute_names(key) if name in schema]
    extra = [name for name in ("events", "status_message", "more_attributes") if name in schema]
    failed = has_failed(spans).fill_null(value=False)
    refusing = ((pl.col("status_code") == "unset") & refused(spans)).fill_null(value=False)
    own: list[str | pl.Expr] = ["status_code", failed.alias(FAILED), refusing.alias(REFUSED)]
    return [*own, *dict.fromkeys([*columns, *extra, *process_columns(spans)])]


def told(spans: pl.DataFrame, number: pl.Series) -> pl.DataFrame:
    """Say for each origin what happened there: `exception_type` and `message`."""
    there = [key for key in _ATTRIBUTES if "more_attributes" in spans or _has_column(spans, key)]
    said = {key: attribute_value(key) for key in there}
    http, grpc = _first_of(HTTP_STATUS, said), _first_of(GRPC_STATUS, said)
    status = [pl.col("status_message")] if "status_message" in spans else []
    events = _last_exceptions(spans.with_columns(number.alias("number")))
    named = _first_of(_TYPES, said)
    # However a code was written, it has one name here.
    http_number, grpc_number = http_code(spans), grpc_code(spans)
    grpc_name = grpc_number.replace_strict(GRPC_NAMES, default=None, return_dtype=pl.String)
    by_status = pl.coalesce(
        pl.when(http_number >= 400).then(pl.format("HTTP {}", http_number)),
        pl.when(grpc_number != 0).then(pl.format("gRPC {}", grpc_name)),
    )
    # `error.type` is the status code where the conventions for HTTP and RPC have nothing better to say.
    spellings = (http, grpc, http_number.cast(pl.String), grpc_number.cast(pl.String), grpc_name)
    is_code = pl.any_horizontal((named == spelling).fill_null(value=False) for spelling in spellings)
    by_type = pl.when(is_code).then(pl.coalesce(by_status, named)).otherwise(named)
    kind = pl.coalesce("event_type", by_type, by_status)
    message = pl.coalesce("event_message", _first_of(_MESSAGES, said), *status)
    known = (
        spans.with_columns(number.alias("number"))
        .join(events, on="number", how="left", maintain_order="left")
        .with_columns(exception_type=kind, message=message)
    )
    return known.select(
        "trace_id",
        "span_id",
        "service_name",
        "name",
        "start_time",
        pl.when(pl.col("exception_type") != "").then("exception_type").alias("exception_type"),
        folded(known["message"]),
    )


def _last_exceptions(origins: pl.DataFrame) -> pl.DataFrame:
    """Read type and message of the last exception event of each span; it is the one that got out."""
    if "events" not in origins or not origins["events"].list.len().sum():
        # Also because polars 2.1 panics when it explodes no events at all whose maps come from Arrow.
        nothing = pl.lit(None, dtype=pl.String)
        return origins.select("number", event_type=nothing, event_message=nothing).clear()
    said = pl.col("events").struct.field("attributes").map
    return (
        origins.select("number", "events")
        .explode("events", empty_as_null=False)
        .select(
            "number",
            event_name=pl.col("events").struct.field("name"),
            event_type=said.get("exception.type"),
            event_message=said.get("exception.message"),
        )
        .filter((pl.col("event_name") == "exception") | pl.col("event_type").is_not_null())
        .group_by("number", maintain_order=True)
        .agg(pl.col("event_type", "event_message").last())
    )


def _by_kind(origins: pl.DataFrame) -> pl.DataFrame:
    swallowed = (
        origins.lazy()
        .filter(~pl.col("reached_root") & ~pl.col("reached_fragment"))
        .group_by(*_GROUP, "swallower")
        .len()
        .sort("len", "swallower", descending=[True, False])
        .group_by(_GROUP, maintain_order=True)
        .agg(swallowed_by=pl.col("swallower").first())
    )
    return (
        origins.lazy()
        .sort("start_time", "trace_id", "span_id")
        .group_by(_GROUP, maintain_order=True)
        .agg(
            errors=pl.len().cast(pl.UInt32),
            traces=pl.col("trace_id").n_unique().cast(pl.UInt32),
            requests=pl.col("request").filter("asked").n_unique().cast(pl.UInt32),
            reached_root=pl.col("reached_root").sum().cast(pl.UInt32),
            reached_requests=pl.col("request")
            .filter(pl.col("asked") & pl.col("reached_root"))
            .n_unique()
            .cast(pl.UInt32),
            reached_fragment=pl.col("reached_fragment").sum().cast(pl.UInt32),
            climbed=pl.col("climbed").mean(),
            first_seen=pl.col("start_time").first(),
            last_seen=pl.col("start_time").last(),
            exemplar_trace_id=pl.col("trace_id").first(),
            exemplar_span_id=pl.col("span_id").first(),
        )
        .join(swallowed, on=_GROUP, how="left", nulls_equal=True)
        .select(
            *_GROUP,
            "errors",
            "traces",
            "requests",
            "reached_root",
            "reached_requests",
            "reached_fragment",
            "swallowed_by",
            "climbed",
            "first_seen",
            "last_seen",
            "exemplar_trace_id",
            "exemplar_span_id",
        )
        .sort("errors", *_GROUP, descending=[True, *(False for _ in _GROUP)], nulls_last=True)
        .collect()
    )


def _has_column(spans: pl.DataFrame, key: str) -> bool:
    return any(name in spans.columns for name in attribute_names(key))


def _first_of(keys: tuple[str, ...], said: dict[str, pl.Expr]) -> pl.Expr:
    """Take the first of these attributes that has a value; an empty text is none."""
    values = [pl.when(said[key] != "").then(said[key]) for key in keys if key in said]
    return pl.coalesce([*values, pl.lit(None, dtype=pl.String)])

"""Where failures start, and how far they get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.codes import CODE_KEYS, grpc_code, http_code
from tracelab.analysis.failures import has_failed
from tracelab.analysis.forest import durations, plant, starts
from tracelab.analysis.wording import folded
from tracelab.conforming import takes_any_frame
from tracelab.failing import GRPC_STATUS, HTTP_STATUS
from tracelab.schema import attr, attribute_names

if TYPE_CHECKING:
    from tracelab.analysis.forest import Flags, Forest, Ints
    from tracelab.analysis.grouping import Spans

_FAILED: Final = "__failed"
_TYPES: Final = ("exception.type", "error.type")
_MESSAGES: Final = ("exception.message", "error.message", "otel.status_description")
_ATTRIBUTES: Final = (*_TYPES, *_MESSAGES, *CODE_KEYS)
_GROUP: Final = ("service_name", "name", "exception_type", "message")


@takes_any_frame
def error_origins(spans: Spans) -> pl.DataFrame:
    """Find where failures start: the deepest failing span of each failing branch.

    A failing span that has no failing child is an origin. From there the failure climbs as long as parents fail too; it
    has reached the root, or the first ancestor that did not fail has swallowed it (a retry, a fallback, a message that
    nobody waits for). What counts as failing is told at `error_rates`.

    Many libraries leave the status of their internal spans unset whatever happens. Such a span (kind internal or
    unspecified, status unset) has passed a failure on if a span further up failed and nothing was started below it
    after the failing child had ended, which is how an exception that gets out looks.

    Parameters
    ----------
    spans
        The spans.

    Returns
    -------
    One row per kind of failure, most errors first, then by the next four columns: `service_name`, `name`,
    `exception_type`, `message` (String, of the origin; the last exception event of the span says what happened, else
    its attributes and status; null where nothing does; in messages numbers are folded to `<n>`, ids to `<id>`),
    `errors`, `traces` (UInt32, origins and the traces that they are in), `reached_root` (UInt32, how many of the errors
    got to the root of the trace, or of the fragment whose parent is missing), `swallowed_by` (String, `service::name`
    of who swallowed most of the others; null if nobody did), `climbed` (Float64, levels that they climbed on average),
    `first_seen`, `last_seen` (Datetime), `exemplar_trace_id`, `exemplar_span_id` (String, the first one).

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
    schema = spans.lazy().collect_schema()
    columns = [name for key in _ATTRIBUTES for name in attribute_names(key) if name in schema]
    extra = [name for name in ("events", "status_message", "more_attributes") if name in schema]
    frame, forest = plant(spans, "status_code", has_failed(spans).alias(_FAILED), *columns, *extra)
    failing = frame[_FAILED].fill_null(value=False).to_numpy()
    passing = failing | _passed_on(frame, forest, failing)
    first = failing.copy()
    first[forest.parent[np.flatnonzero(passing & forest.has_parent)]] = False
    origins = np.flatnonzero(first)
    top = _highest(forest, passing)[origins]
    above = forest.parent[top]
    told = _told(frame[origins], pl.Series(origins))
    swallowers = frame[np.maximum(above, 0)].select(pl.format("{}::{}", "service_name", "name").alias("swallower"))
    return _by_kind(
        told.with_columns(
            swallowers.to_series(),
            pl.Series("reached_root", above < 0),
            pl.Series("climbed", forest.depth[origins] - forest.depth[top]),
        )
    )


def _passed_on(frame: pl.DataFrame, forest: Forest, failing: Flags) -> Flags:
    """Mark the spans without a status that a failure went through, on its way from one failing span to another."""
    silent = (
        (frame["status_code"] == "unset") & frame["kind"].is_in(["internal", "unspecified"])
    ).to_numpy() & ~failing
    start, end = starts(frame), starts(frame) + durations(frame)
    last_start = np.zeros(failing.size, dtype=np.int64)
    children = forest.siblings()
    last_start[forest.parent[children]] = start[children]  # children stand in order of start, so the last one stays
    sender = at = np.flatnonzero(failing & forest.has_parent)
    seen, arrived = [], []
    while at.size:
        above = forest.parent[at]
        going = silent[above] & forest.has_parent[above] & (last_start[above] < end[at])
        sender, at = sender[going], above[going]
        seen.append((sender, at))
        there = failing[forest.parent[at]]
        arrived.append(sender[there])
        sender, at = sender[~there], at[~there]
    marked = np.zeros(failing.size, dtype=bool)
    got_through = np.concatenate(arrived) if arrived else sender
    for senders, places in seen:
        marked[places[np.isin(senders, got_through)]] = True
    return marked


def _highest(forest: Forest, failing: Flags) -> Ints:
    """Follow every failing span up as long as the parent fails too, twice as far in every round; others stay."""
    places = np.flatnonzero(failing)
    above = forest.parent[places]
    going = (above >= 0) & failing[above]
    number = np.zeros(failing.size, dtype=np.int64)
    number[places] = np.arange(places.size)
    jump = np.where(going, number[above], np.arange(places.size))
    while True:
        further = jump[jump]
        if np.array_equal(further, jump):
            break
        jump = further
    highest = np.arange(failing.size)
    highest[places] = places[jump]
    return highest


def _told(spans: pl.DataFrame, number: pl.Series) -> pl.DataFrame:
    """Say for each origin what happened there: `exception_type` and `message`."""
    there = [key for key in _ATTRIBUTES if "more_attributes" in spans or _has_column(spans, key)]
    said = {key: attr(key) for key in there}
    http, grpc = _first_of(HTTP_STATUS, said), _first_of(GRPC_STATUS, said)
    status = [pl.col("status_message")] if "status_message" in spans else []
    events = _last_exceptions(spans.with_columns(number.alias("number")))
    named = _first_of(_TYPES, said)
    by_status = pl.coalesce(
        pl.when(http_code(spans) >= 400).then(pl.format("HTTP {}", http)),
        pl.when(grpc_code(spans) != 0).then(pl.format("gRPC {}", grpc)),
    )
    # `error.type` is the status code where the conventions for HTTP and RPC have nothing better to say.
    is_code = (named == http).fill_null(value=False) | (named == grpc).fill_null(value=False)
    kind = pl.coalesce("event_type", pl.when(is_code).then(by_status).otherwise(named), by_status)
    message = pl.coalesce("event_message", _first_of(_MESSAGES, said), *status)
    told = (
        spans.with_columns(number.alias("number"))
        .join(events, on="number", how="left", maintain_order="left")
        .with_columns(exception_type=kind, message=message)
    )
    return told.select(
        "trace_id",
        "span_id",
        "service_name",
        "name",
        "start_time",
        pl.when(pl.col("exception_type") != "").then("exception_type").alias("exception_type"),
        folded(told["message"]),
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
        .filter(~pl.col("reached_root"))
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
            reached_root=pl.col("reached_root").sum().cast(pl.UInt32),
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
            "reached_root",
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

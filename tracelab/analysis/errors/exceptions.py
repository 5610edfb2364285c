"""What failing spans say of their failure: exception or code, and a message without what differs each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.asynchronous import process_columns
from tracelab.analysis.failures import CODE_KEYS, GRPC_NAMES, grpc_code, has_failed, http_code, refused
from tracelab.schema import attribute_names, attribute_value
from tracelab.status_codes import GRPC_STATUS, HTTP_STATUS

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

FAILED: Final = "__failed"
REFUSED: Final = "__refused"
_TYPES: Final = ("exception.type", "error.type")
_MESSAGES: Final = ("exception.message", "error.message", "otel.status_description")
_ATTRIBUTES: Final = (*_TYPES, *_MESSAGES, *CODE_KEYS)
_LONGEST: Final = 300
"""Characters of a message."""

TIMEOUT: Final = r"(?i)time[d_ ]?-?out|timeout|deadline|\bno answer\b"
"""What a type or a message says where nobody answered in time."""

_FOLDS: Final = (
    (r"(?i)\b(https?://[^/\s\"'<>]+)/[^\s\"'<>]+", "${1}/<path>"),
    (r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"(?i)\b0x[0-9a-f]+\b", "<id>"),
    (r"\b\d{8,}\b", "<n>"),  # before they could pass for hex
    (r"(?i)\b[0-9a-f]{8,}\b", "<id>"),
    (r"\d+(?:\.\d+)*", "<n>"),
)


def failure_columns(spans: Spans) -> list[str | pl.Expr]:
    """List what a forest needs beside its own columns so that failures can be followed and `exceptions_of` read."""
    schema = spans.lazy().collect_schema()
    columns = [name for key in _ATTRIBUTES for name in attribute_names(key) if name in schema]
    extra = [name for name in ("events", "status_message", "more_attributes") if name in schema]
    failed = has_failed(spans).fill_null(value=False)
    refusing = ((pl.col("status_code") == "unset") & refused(spans)).fill_null(value=False)
    own: list[str | pl.Expr] = ["status_code", failed.alias(FAILED), refusing.alias(REFUSED)]
    return [*own, *dict.fromkeys([*columns, *extra, *process_columns(spans)])]


def exceptions_of(spans: pl.DataFrame, number: pl.Series) -> pl.DataFrame:
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


def folded(texts: pl.Series) -> pl.Series:
    """Fold numbers to `<n>`, ids (UUIDs, hex) to `<id>` and what follows the host of a URL to `<path>`.

    Only the first line is kept; an empty text is null.
    """
    first_line = pl.col("text").str.strip_chars().str.split("\n").list.first().str.slice(0, _LONGEST)
    for pattern, word in _FOLDS:
        first_line = first_line.str.replace_all(pattern, word)
    distinct = texts.drop_nulls().unique(maintain_order=True).alias("text")
    pairs = distinct.to_frame().select("text", folded=pl.when(first_line != "").then(first_line))
    return texts.to_frame("text").join(pairs, on="text", how="left", maintain_order="left")["folded"].alias(texts.name)


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


def _has_column(spans: pl.DataFrame, key: str) -> bool:
    return any(name in spans.columns for name in attribute_names(key))


def _first_of(keys: tuple[str, ...], said: dict[str, pl.Expr]) -> pl.Expr:
    """Take the first of these attributes that has a value; an empty text is none."""
    values = [pl.when(said[key] != "").then(said[key]) for key in keys if key in said]
    return pl.coalesce([*values, pl.lit(None, dtype=pl.String)])

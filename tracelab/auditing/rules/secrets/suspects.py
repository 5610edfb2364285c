"""Texts of spans that may hold secrets or personal data, found by one fast look at every column.

Most columns repeat few values, so that it is the distinct ones that are looked at; where nearly every value differs,
all of them are. What comes out is a short list that can be read closely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.sensitive import HINT, NUMBER_KEYS, SENSITIVE_KEY
from tracelab.schema import is_attribute, is_type_companion

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.auditing.evidence import Evidence

SUSPECTS: Final = pl.Schema({"row": pl.Int64(), "key": pl.String(), "value": pl.String(), "event": pl.Boolean()})
"""A text that may hold something: the row of the span, the key or column, the text, and whether it is an event's."""

EVENT_NAME: Final = "name of an event"

_TEXTS: Final = ("name", "status_message")
_SAMPLE: Final = 5_000
_FEW: Final = 20
_MANY: Final = 0.3
_SMALLEST_CARD: Final = 10**12
_PLAIN_KEYS: Final = (
    "client.port", "code.column", "code.column.number", "code.file.path", "code.filepath", "code.function",
    "code.function.name", "code.line.number", "code.lineno", "code.namespace", "container.id", "db.collection.name",
    "db.operation", "db.operation.name", "db.sql.table", "db.system", "db.system.name", "deployment.environment",
    "deployment.environment.name", "host.arch", "host.id", "host.name", "http.flavor", "http.method",
    "http.request.method", "http.response.status_code", "http.scheme", "http.status_code", "internal.span.format",
    "k8s.namespace.name", "k8s.node.name", "k8s.pod.name", "k8s.pod.uid", "messaging.operation",
    "messaging.operation.name", "messaging.operation.type", "messaging.system", "net.host.port", "net.peer.port",
    "net.transport", "network.peer.port", "network.protocol.name", "network.protocol.version", "network.transport",
    "network.type", "os.type", "otel.status_code", "process.executable.name", "process.parent_pid", "process.pid",
    "process.runtime.name", "process.runtime.version", "rpc.grpc.status_code", "rpc.method", "rpc.service",
    "rpc.system", "rpc.system.name", "server.address", "server.port", "service.instance.id", "service.namespace",
    "service.version", "span.kind", "telemetry.distro.name", "telemetry.distro.version", "telemetry.sdk.language",
    "telemetry.sdk.name", "telemetry.sdk.version", "thread.id", "thread.name", "url.scheme",
)  # fmt: skip
"""Attributes of the conventions whose values name or number programs, machines, places in code and protocols."""

_PLAIN: Final = frozenset(f"{scope}.{key}" for scope in ("span", "resource") for key in _PLAIN_KEYS)


def suspects(evidence: Evidence) -> pl.DataFrame:
    """List the texts that may hold secrets or personal data."""
    return pl.concat(
        [
            pl.DataFrame(schema=SUSPECTS),
            *_in_columns(evidence),
            *_in_more_attributes(evidence),
            *_in_events(evidence),
        ]
    )


def _in_columns(evidence: Evidence) -> list[pl.DataFrame]:
    frame = evidence.spans  # whether anything is there does not depend on places, which others may be looking for
    looked_at = [
        name
        for name in frame.columns
        if (name in _TEXTS or (is_attribute(name) and name not in _PLAIN and not is_type_companion(name)))
        and frame[name].null_count() < frame.height
    ]
    told = [name for name in looked_at if _is_telling(name) or isinstance(frame[name].dtype, pl.List)]
    large = [name for name in looked_at if frame[name].dtype == pl.Int64 and _is_large(frame[name])]
    texts = [name for name in looked_at if frame[name].dtype == pl.String and name not in (*told, "name")]
    # All columns at once, so that they are looked at side by side; and no nulls, which patterns are slow to pass over.
    hints = frame.lazy().select(_distinct(frame[name]).str.contains(HINT).any() for name in texts).collect()
    read = [*told, *large, *(name for name in texts if hints[name].item())]
    if "name" in looked_at and evidence.distinct_names.str.contains(HINT).any():
        read.append("name")
    return [_suspects_of(evidence.frame, name) for name in read]


def _is_large(numbers: pl.Series) -> bool:
    """Tell whether there are numbers as large as those of cards."""
    most = numbers.max()
    return isinstance(most, int) and most >= _SMALLEST_CARD


def _distinct(values: pl.Series) -> pl.Expr:
    """Give the values to look at: each once where they repeat."""
    there = pl.col(values.name).drop_nulls()
    return there if _varies(values) else there.unique()


def _is_telling(name: str) -> bool:
    """Tell whether a key itself makes its values worth a look."""
    return bool(SENSITIVE_KEY.search(name) or any(pattern.search(name) for pattern in NUMBER_KEYS))


def _varies(values: pl.Series) -> bool:
    """Tell from values here and there whether nearly every value of a column is another."""
    sample = values.gather_every(max(1, values.len() // _SAMPLE)).drop_nulls()
    return sample.len() > _FEW and sample.n_unique() > _MANY * sample.len()


def _suspects_of(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    having = pl.Series(np.flatnonzero(frame[name].is_not_null().to_numpy()))
    values = frame[name].drop_nulls()
    if isinstance(values.dtype, pl.List):
        each = pl.DataFrame({"row": having, "value": values}).explode("value").drop_nulls()
        having, values = each["row"], each["value"].cast(pl.String)
    if not _is_telling(name):
        large = values.dtype == pl.Int64
        suspected = values >= _SMALLEST_CARD if large else values.cast(pl.String).str.contains(HINT)
        having, values = having.filter(suspected), values.filter(suspected)
    return _told(having, name, values)


def _told(rows: pl.Series, name: str, values: pl.Series) -> pl.DataFrame:
    told = {"row": rows, "key": pl.repeat(name, rows.len(), eager=True), "value": values.cast(pl.String)}
    return pl.DataFrame(told).with_columns(event=pl.lit(value=False)).cast({"row": pl.Int64, "key": pl.String})


def _in_more_attributes(evidence: Evidence) -> list[pl.DataFrame]:
    more = evidence.frame["more_attributes"]
    rows = np.flatnonzero(more.is_not_null().to_numpy())
    if not rows.size:
        return []
    return [_hinted(_entries(rows, more.gather(rows)).filter(~pl.col("key").is_in(_PLAIN)), event=False)]


def _in_events(evidence: Evidence) -> list[pl.DataFrame]:
    events = evidence.frame["events"]
    rows = np.flatnonzero((events.list.len() > 0).fill_null(value=False).to_numpy())
    if not rows.size:
        # Also because polars 2.1 panics when it explodes no events at all whose maps come from Arrow.
        return []
    each = pl.DataFrame({"row": rows, "events": events.gather(rows)}).explode("events", empty_as_null=False)
    event = each["events"].struct
    names = each.select("row", pl.lit(EVENT_NAME).alias("key"), event.field("name").alias("value")).drop_nulls()
    attributes = event.field("attributes")
    having = np.flatnonzero(attributes.is_not_null().to_numpy())
    found = [_hinted(names, event=True)]
    if having.size:
        found.append(_hinted(_entries(each["row"].to_numpy()[having], attributes.gather(having)), event=True))
    return found


def _entries(rows: Ints, maps: pl.Series) -> pl.DataFrame:
    """List the entries of maps: `row`, `key`, `value`."""
    entries = {"row": rows, "key": maps.map.keys(), "value": maps.map.values()}
    return pl.DataFrame(entries).explode("key", "value", empty_as_null=False).drop_nulls()


def _hinted(table: pl.DataFrame, *, event: bool) -> pl.DataFrame:
    telling = [key for key in table["key"].unique().to_list() if _is_telling(key)]
    hinted = pl.col("value").str.contains(HINT) | pl.col("key").is_in(telling)
    return (
        table.lazy()
        .filter(hinted)
        .select(pl.col("row").cast(pl.Int64), "key", "value", pl.lit(event).alias("event"))
        .collect()
    )

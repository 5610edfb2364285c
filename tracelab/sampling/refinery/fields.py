"""What Refinery sees of spans: Honeycomb's events, and where a frame keeps each of their fields.

A span becomes an event, and so does each of its events and links, in the same trace. `SPAN_FIELDS`, `EVENT_FIELDS` and
`LINK_FIELDS` are the table of the fields that the translation itself gives; over these lie the attributes of the
resource, of the scope and of the span (or event, or link) by their keys, the later over the earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.columns import DEFAULTS
from tracelab.sampling.refinery.traces import SHORT_ID
from tracelab.sampling.refinery.values import (
    BOOL,
    FLOAT,
    INT,
    TEXT,
    Values,
    constant,
    first_of,
    flattened,
    list_texts,
    stacked,
    typed_texts,
)
from tracelab.schema import TYPE_SUFFIX

if TYPE_CHECKING:
    from tracelab.array_types import Ints
    from tracelab.sampling.refinery.traces import Traces

_MILLISECOND: Final = 1e6
_EXCEPTION: Final = "exception"
_COPIED: Final = ("exception.message", "exception.type", "exception.stacktrace", "exception.escaped")
_RATES: Final = ("sampleRate", "SampleRate")
_INSTRUMENTATIONS: Final = (
    "io.opentelemetry",
    "opentelemetry.instrumentation",
    "OpenTelemetry.Instrumentation",
    "OpenTelemetry::Instrumentation",
    "go.opentelemetry.io/contrib/instrumentation",
    "@opentelemetry/instrumentation",
)


def _text(expression: pl.Expr) -> tuple[str, pl.Expr]:
    return TEXT, expression


def _milliseconds(nanoseconds: pl.Expr) -> tuple[str, pl.Expr]:
    """Divide as Go does; polars multiplies by a millionth, which differs in the last bit."""
    divided = nanoseconds.fill_null(0).map_batches(
        lambda column: pl.Series(column.to_numpy() / _MILLISECOND), return_dtype=pl.Float64, is_elementwise=True
    )
    return FLOAT, pl.when(nanoseconds.is_not_null()).then(divided)


_TRACE_ID: Final = _text(pl.col("trace_id").str.replace(SHORT_ID, "$1"))
_IS_ERROR: Final = (BOOL, pl.when(pl.col("status_code") == "error").then(statement=True))
_TRACE_SIGNAL: Final = _text(pl.lit("trace"))
_KIND: Final = _text(pl.col("kind").cast(pl.String))
_FILLED: Final = {name: pl.when(pl.col(name) != "").then(pl.col(name)) for name in ("status_message", "trace_state")}

SPAN_FIELDS: Final[dict[str, tuple[str, pl.Expr]]] = {
    "trace.trace_id": _TRACE_ID,
    "trace.span_id": _text(pl.col("span_id")),
    "trace.parent_id": _text(pl.col("parent_span_id")),
    "trace.trace_state": _text(_FILLED["trace_state"]),
    "name": _text(pl.col("name")),
    "type": _KIND,
    "span.kind": _KIND,
    "duration_ms": _milliseconds(pl.col("duration").cast(pl.Int64)),
    "status_code": (INT, pl.col("status_code").to_physical().cast(pl.Int64)),
    "status_message": _text(_FILLED["status_message"]),
    "error": _IS_ERROR,
    "span.num_events": (INT, pl.col("events").list.len().cast(pl.Int64)),
    "span.num_links": (INT, pl.col("links").list.len().cast(pl.Int64)),
    "meta.signal_type": _TRACE_SIGNAL,
}
"""The fields of a span's event: the type, and the value in columns of the span frame.

Whole numbers are Go's `int64`, as newer translations give them. Older ones gave `status_code` and the counts as `int`,
which Refinery compares with nothing where a condition has no `Datatype`.
"""

_ITEM_FIELDS: Final[dict[str, tuple[str, pl.Expr]]] = {
    "trace.trace_id": _TRACE_ID,
    "trace.parent_id": _text(pl.col("span_id")),
    "parent_name": _text(pl.col("name")),
    "meta.signal_type": _TRACE_SIGNAL,
}
EVENT_FIELDS: Final[dict[str, tuple[str, pl.Expr]]] = {
    **_ITEM_FIELDS,
    "name": _text(pl.col("item").struct.field("name")),
    "meta.annotation_type": _text(pl.lit("span_event")),
    "meta.time_since_span_start_ms": _milliseconds(
        (pl.col("item").struct.field("time") - pl.col("start_time")).cast(pl.Int64).clip(lower_bound=0)
    ),
}
"""The fields of the event that an event of a span becomes; `item` is that event, the rest its span."""

LINK_FIELDS: Final[dict[str, tuple[str, pl.Expr]]] = {
    **_ITEM_FIELDS,
    "trace.link.trace_id": _text(pl.col("item").struct.field("trace_id").str.replace(SHORT_ID, "$1")),
    "trace.link.span_id": _text(pl.col("item").struct.field("span_id")),
    "meta.annotation_type": _text(pl.lit("link")),
}
"""The fields of the event that a link becomes; `item` is the link, the rest its span."""

SCOPE_FIELDS: Final[dict[str, tuple[str, pl.Expr]]] = {
    "library.name": _text(pl.when(pl.col("scope_name") != "").then(pl.col("scope_name"))),
    "library.version": _text(pl.when(pl.col("scope_version") != "").then(pl.col("scope_version"))),
    "telemetry.instrumentation_library": (
        BOOL,
        pl.when(
            pl.any_horizontal(*(pl.col("scope_name").str.starts_with(prefix) for prefix in _INSTRUMENTATIONS))
        ).then(statement=True),
    ),
}
"""The fields that every event has of its instrumentation scope."""

RESOURCE_FIELDS: Final[dict[str, tuple[str, pl.Expr]]] = {
    "service.name": _text(pl.when(pl.col("service_name") != DEFAULTS["service_name"]).then(pl.col("service_name"))),
}
"""The fields that every event has of its resource; a span frame says `unknown_service` where there is no name."""

ROOT_COUNT: Final = "meta.span_count"
"""What Refinery writes on a root span before it decides: how many events the trace has."""


@dataclass(frozen=True)
class _Items:
    """The events (or links) of all spans: whose each is, and all of them with the columns of their span."""

    owner: Ints
    frame: pl.DataFrame


class Events:
    """The events that Refinery has of traces when it decides: spans first, then events of spans, then links.

    Attributes
    ----------
    spans
        The spans that are there by then.
    traces
        All that is known of the traces.
    trace
        For every event the number of its trace.
    """

    def __init__(self, traces: Traces) -> None:
        self.traces = traces
        heard = traces.heard
        self.spans = traces.spans if heard.all() else traces.spans.filter(pl.Series(heard))
        self.items = {name: _exploded(self.spans, name) for name in ("events", "links")}
        self.owner = np.concatenate([np.arange(self.spans.height), *(items.owner for items in self.items.values())])
        self.trace = traces.number[heard][self.owner]
        self.arrival = traces.arrival[heard][self.owner]
        self._fields: dict[str, Values] = {}
        self._attributes: dict[tuple[str, str], Values] = {}

    @property
    def height(self) -> int:
        """How many events there are."""
        return self.owner.size

    @cached_property
    def counts(self) -> Ints:
        """How many events each trace has."""
        return np.bincount(self.trace, minlength=self.traces.count)

    @cached_property
    def root(self) -> Ints:
        """The event of each trace's root span, -1 where it has none: of several the last that arrived."""
        is_root = self.spans["parent_span_id"].is_null().to_numpy()
        rows = np.flatnonzero(is_root)
        rows = rows[np.argsort(self.arrival[rows], kind="stable")]
        root = np.full(self.traces.count, -1, dtype=np.int64)
        root[self.trace[rows]] = rows
        return root

    def field(self, name: str) -> Values:
        """Give the values of a field on every event."""
        if name not in self._fields:
            self._fields[name] = self._read(name)
        return self._fields[name]

    def root_field(self, name: str) -> Values:
        """Give the values of a field on the root span of every event's trace."""
        return self.field(name).take(self.root[self.trace])

    def _read(self, name: str) -> Values:
        if name in _RATES:
            return self._rate_left(name)
        return self._unchanged(name)

    def _rate_left(self, name: str) -> Values:
        """Give what is left of an attribute that says a rate, the first of which the translation takes away."""
        if name == _RATES[0]:
            return Values(self.height, {})
        return self._unchanged(name).where(self._unchanged(_RATES[0]).exists)

    def _unchanged(self, name: str) -> Values:
        spans, events, links = self.spans.height, self.items["events"], self.items["links"]
        shared = first_of(
            spans,
            [
                self._attribute("instrumentation", name),
                _built_in(SCOPE_FIELDS, name, self.spans),
                self._attribute("resource", name),
                _built_in(RESOURCE_FIELDS, name, self.spans),
            ],
        )
        own = [self._attribute("span", name), shared, _built_in(SPAN_FIELDS, name, self.spans)]
        if name in _COPIED:
            own.append(self._of_first_exception(name))
        parts = [first_of(spans, own)]
        if name == ROOT_COUNT:
            parts = [first_of(spans, [self._root_counts(), *parts])]
        for items, fields in ((events, EVENT_FIELDS), (links, LINK_FIELDS)):
            if not items.owner.size:
                continue
            candidates = [_item_attribute(items, name), shared.take(items.owner), _built_in(fields, name, items.frame)]
            if name == "error":
                candidates.insert(0, _built_in({"error": _IS_ERROR}, name, items.frame))
            parts.append(first_of(items.owner.size, candidates))
        return stacked(parts)

    def _root_counts(self) -> Values:
        counts = np.zeros(self.spans.height, dtype=np.int64)
        roots = self.root[self.root >= 0]
        counts[roots] = self.counts[self.trace[roots]]
        is_root = np.zeros(self.spans.height, dtype=np.bool_)
        is_root[roots] = True
        return Values.of(INT, pl.Series(counts)).where(is_root)

    def _of_first_exception(self, name: str) -> Values:
        """Give what the first event named `exception` of a span says, which the translation copies to the span."""
        items = self.items["events"]
        rows = np.full(self.spans.height, -1, dtype=np.int64)
        if items.owner.size:
            named = (
                items.frame.select(pl.col("item").struct.field("name") == _EXCEPTION).to_series().fill_null(value=False)
            )
            found = np.flatnonzero(named.to_numpy())[::-1]
            rows[items.owner[found]] = found
        return _item_attribute(items, name).take(rows)

    def _attribute(self, scope: str, key: str) -> Values:
        """Give an attribute of all spans: of its own column, among the others, or inside of an attribute of maps."""
        candidates = [self._own(scope, key)]
        for end, char in enumerate(key):
            if char == "." and self._may_hold_maps(scope, key[:end]):
                maps = self._maps(scope, key[:end])
                candidates.append(flattened(maps, key[end + 1 :]))
        return first_of(self.spans.height, candidates)

    def _own(self, scope: str, key: str) -> Values:
        if (scope, key) not in self._attributes:
            column, height = f"{scope}.{key}", self.spans.height
            candidates = [_column(self.spans, column)] if column in self.spans.columns else []
            if column in self._other_keys:
                texts, types = self._other(column)
                candidates.append(typed_texts(texts, types))
            self._attributes[scope, key] = first_of(height, candidates)
        return self._attributes[scope, key]

    def _may_hold_maps(self, scope: str, key: str) -> bool:
        name = f"{scope}.{key}{TYPE_SUFFIX}"
        return name in self.spans.columns or name in self._other_keys

    def _maps(self, scope: str, key: str) -> pl.Series:
        """Give the maps of an attribute, as JSON text."""
        name = f"{scope}.{key}"
        found = pl.Series([None], dtype=pl.String).new_from_index(0, self.spans.height)
        if name + TYPE_SUFFIX in self.spans.columns:
            found = _of_type(self.spans[name], self.spans[name + TYPE_SUFFIX], "kvlist")
        if name + TYPE_SUFFIX in self._other_keys:
            others = _of_type(*self._other(name), "kvlist")
            found = found.zip_with(found.is_not_null(), others)
        return found

    @cached_property
    def _other_keys(self) -> frozenset[str]:
        """The keys that `more_attributes` has."""
        others = self.spans["more_attributes"].drop_nulls()
        if not others.len():
            return frozenset()
        entries = others.cast(pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))).explode(
            empty_as_null=False
        )
        return frozenset(entries.struct.field("key").unique().to_list())

    def _other(self, name: str) -> tuple[pl.Series, pl.Series]:
        others = pl.col("more_attributes").map
        pair = self.spans.select(text=others.get(name), type=others.get(name + TYPE_SUFFIX))
        return pair["text"], pair["type"]


def _exploded(spans: pl.DataFrame, name: str) -> _Items:
    lengths = spans[name].list.len().to_numpy().astype(np.int64)
    owner = np.repeat(np.arange(spans.height), lengths)
    picks = pl.Series(owner)
    columns = ("trace_id", "span_id", "name", "start_time", "status_code")
    frame = spans.select(pl.col(columns).gather(picks))
    item = spans[name].filter(pl.Series(lengths > 0)).explode(empty_as_null=False).alias("item")
    return _Items(owner, frame.with_columns(item) if owner.size else frame)


def _built_in(fields: dict[str, tuple[str, pl.Expr]], name: str, frame: pl.DataFrame) -> Values:
    if name not in fields:
        return Values(frame.height, {})
    kind, expression = fields[name]
    column = frame.select(expression.alias("value")).to_series()
    if column.len() != frame.height:
        return constant(kind, column[0], frame.height)
    return Values.of(kind, column)


def _column(spans: pl.DataFrame, name: str) -> Values:
    column = spans[name]
    if name + TYPE_SUFFIX in spans.columns:
        types = spans[name + TYPE_SUFFIX].cast(pl.String)
        return typed_texts(column.cast(pl.String), types)
    match column.dtype:
        case pl.Boolean():
            return Values.of(BOOL, column)
        case pl.Int64():
            return Values.of(INT, column)
        case pl.Float64():
            return Values.of(FLOAT, column)
        case pl.List():
            return Values.of(TEXT, list_texts(column))
        case _:
            return Values.of(TEXT, column.cast(pl.String))


def _item_attribute(items: _Items, key: str) -> Values:
    if not items.owner.size:
        return Values(0, {})
    attributes = pl.col("item").struct.field("attributes").map
    pair = items.frame.select(text=attributes.get(key), type=attributes.get(key + TYPE_SUFFIX))
    return typed_texts(pair["text"], pair["type"])


def _of_type(texts: pl.Series, types: pl.Series, kind: str) -> pl.Series:
    pair = pl.DataFrame({"text": texts.cast(pl.String), "type": types.cast(pl.String)})
    return pair.select(pl.when(pl.col("type") == kind).then(pl.col("text"))).to_series()

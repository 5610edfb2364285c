"""OTLP JSON the fast way: attributes are lifted out of the text, msgspec reads what is left, and columns are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tracelab.loaders.columns.chunk import Chunk
from tracelab.loaders.columns.key_values import DoesNotFit, encoded
from tracelab.loaders.columns.nested import list_of_structs, text_map
from tracelab.loaders.columns.normalise import link_ids, normalise
from tracelab.loaders.documents.fields import KIND_NUMBERS, STATUS_NUMBERS
from tracelab.loaders.documents.values import whole_number
from tracelab.loaders.otlp.attributes import Attributes
from tracelab.loaders.otlp.groups import Groups, Lists, read_groups
from tracelab.loaders.otlp.lifting import Lifted, lift
from tracelab.loaders.otlp.messages import Status
from tracelab.loaders.otlp.scanning import Ints, ranges
from tracelab.loaders.otlp.spans import LiftedSpans, lift_spans
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.schema import EVENTS, LINKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracelab.loaders.input.cutting import Piece

_NO_STATUS: Final = Status()
_UNKNOWN: Final = 255
_NONE: Final[Ints] = np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class _Spans:
    """The spans of a piece: those that were lifted, those that were left, and where each stands.

    `order` tells for each row which of both together it is, `left` in which rows those stand that were left.
    """

    piece: Piece
    bare: bool
    groups: Groups
    lifted: LiftedSpans | None
    order: Ints
    left: Ints
    scope_of_span: Ints

    def place(self, row: int) -> str:
        """Tell where a span stands."""
        groups = self.groups
        scope = int(self.scope_of_span[row])
        group = int(groups.group_of_scope[scope])
        name = "instrumentationLibrarySpans" if groups.old[scope] else "scopeSpans"
        inner = f"{name}[{_nth(groups.group_of_scope, scope)}].spans[{_nth(self.scope_of_span, row)}]"
        where = self.piece.origin(int(groups.lines[group]))
        if self.bare:
            return f"{where}.{inner}"
        return f"{where}, {'batches' if groups.batches else 'resourceSpans'}[{_nth(groups.lines, group)}].{inner}"

    def attributes(self) -> tuple[Ints, Lists]:
        """Give the attributes of all spans."""
        numbers = np.full(self.order.size, -1, dtype=np.int64)
        if self.lifted is not None:
            held = np.append(self.lifted.attributes, np.full(self.left.size, -1))
            numbers = held[self.order]
        spans = zip(self.left.tolist(), self.groups.spans, strict=True)
        return numbers, [(row, span.attributes) for row, span in spans if span.attributes]


def chunk_of(piece: Piece, *, bare: bool) -> tuple[Chunk, Findings]:
    """Decode lines of requests, or of bare ResourceSpans.

    Raises
    ------
    DoesNotFit
        Something in it is spelled in another way than OTLP JSON is by the book, or is no JSON.
    """
    lifted = lift(piece.text)
    spans = _decoded(lifted, piece, bare=bare)
    groups, count = spans.groups, spans.order.size
    events = _Owned([span.events for span in groups.spans], spans.left)
    links = _Owned([span.links for span in groups.spans], spans.left)
    attributes = Attributes(
        lifted,
        [
            spans.attributes(),
            (groups.resources, groups.resource_lists),
            (groups.scopes, groups.scope_lists),
            (_NONE, [(row, event.attributes) for row, event in enumerate(events.items) if event.attributes]),
            (_NONE, [(row, link.attributes) for row, link in enumerate(links.items) if link.attributes]),
        ],
    )
    findings, where = Findings(), piece.origin(0)
    _count(spans, findings, where)
    raw = _columns(spans, findings).with_columns(
        _events(events, attributes, count, findings, where),
        _links(links, attributes, count, findings, where),
        pl.Series("resource", groups.group_of_scope[spans.scope_of_span], dtype=pl.UInt32),
        pl.Series("scope", spans.scope_of_span, dtype=pl.UInt32),
    )
    chunk = Chunk(
        spans=normalise(raw, findings, spans.place),
        attributes=attributes.entries(0, findings, where),
        resources=attributes.entries(1, findings, where),
        resource_count=groups.lines.size,
        scopes=groups.names,
        scope_attributes=attributes.entries(2, findings, where),
    )
    return chunk, findings


def _decoded(attributes: Lifted, piece: Piece, *, bare: bool) -> _Spans:
    """Decode the text from which attributes were lifted."""
    rest = attributes.rest
    places, numbers = rest.numbers, np.arange(rest.numbers.size)
    lifted = lift_spans(rest.text)
    ends = _NONE
    if lifted is not None:
        ends, rest = lifted.ends, lifted.rest
        places, there = rest.moved(places)
        order = np.argsort(np.append(places, rest.numbers), kind="stable")
        places = np.append(places, rest.numbers)[order]
        numbers = np.append(numbers[there], np.arange(ends.size))[order]
    groups = read_groups(rest.text, (places, numbers), bare=bare)
    is_run = groups.runs >= 0
    runs = groups.runs[is_run]
    # Those that were left count as runs of one behind those that were lifted.
    if not np.array_equal(np.sort(runs), np.arange(ends.size)):
        raise DoesNotFit("spans where none should be")
    lengths = np.append(np.diff(ends, prepend=0), np.ones(len(groups.spans), dtype=np.int64))
    items = groups.runs.copy()
    items[~is_run] = ends.size + np.arange(len(groups.spans))
    order = ranges(lengths, items)
    left = np.flatnonzero(order >= (int(ends[-1]) if ends.size else 0))
    return _Spans(piece, bare, groups, lifted, order, left, np.repeat(groups.scope_of_item, lengths[items]))


def _count(spans: _Spans, findings: Findings, where: str) -> None:
    dropped = sum(
        (span.dropped_attributes_count or 0) + (span.dropped_events_count or 0) + (span.dropped_links_count or 0)
        for span in spans.groups.spans
    )
    dropped += spans.lifted.dropped if spans.lifted else 0
    findings.add(problems.DROPPED_BY_PRODUCER, dropped, place=where)
    old = int(spans.groups.old.sum())
    findings.add(problems.DEPRECATED, old, place=where, example="instrumentationLibrarySpans")


def _columns(decoded: _Spans, findings: Findings) -> pl.DataFrame:
    """Make the columns of all spans."""
    spans = decoded.groups.spans
    statuses = [span.status or _NO_STATUS for span in spans]

    def place(span: int) -> str:
        return decoded.place(int(decoded.left[span]))

    left = pl.DataFrame(
        {
            "trace_id": _shared([span.trace_id for span in spans]),
            "span_id": pl.Series([span.span_id for span in spans], dtype=pl.String),
            "parent_span_id": pl.Series([span.parent_span_id for span in spans], dtype=pl.String),
            "name": _shared([span.name for span in spans]),
            "kind": _enum([span.kind for span in spans], KIND_NUMBERS, findings, place),
            "start_time": _times([span.start_time_unix_nano for span in spans]),
            "end_time": _times([span.end_time_unix_nano for span in spans]),
            "status_code": _enum([status.code for status in statuses], STATUS_NUMBERS, findings, place),
            "flags": _flags([span.flags for span in spans]),
            "trace_state": pl.Series([span.trace_state for span in spans], dtype=pl.String),
            "status_message": pl.Series([status.message for status in statuses], dtype=pl.String),
        }
    )
    if decoded.lifted is None:
        return left
    both = pl.concat([decoded.lifted.columns, left], how="diagonal", rechunk=True)
    in_order = np.array_equal(decoded.order, np.arange(decoded.order.size))
    return both if in_order else both[pl.Series(decoded.order)]


def _shared(texts: list[str | None]) -> pl.Series:
    """Make a column of texts that share the bytes of equal ones."""
    column = pl.Series(texts, dtype=pl.String)
    if column.null_count():
        return column
    codes, distinct = encoded(column)
    return distinct.gather(pl.Series(codes.astype(np.uint32)))


def _enum(
    values: list[str | int | None], names: dict[str, int], findings: Findings, place: Callable[[int], str]
) -> pl.Series:
    """Read numbers of an enum, or their names."""
    numbers = {value: _number(value, names) for value in set(values)}
    named = {value for value in numbers if isinstance(value, str) and value.strip().upper() in names}
    if named:
        rows = [row for row, value in enumerate(values) if value in named]
        findings.add(problems.ENUMS_NAMED, len(rows), place=place(rows[0]), example=values[rows[0]])
    return pl.Series(np.frombuffer(bytes(map(numbers.__getitem__, values)), dtype=np.uint8))


def _number(value: str | int | None, names: dict[str, int]) -> int:
    number = 0 if value is None or value == "" else whole_number(value)
    if number is None:
        number = names.get(str(value).strip().upper(), _UNKNOWN)
    return number if 0 <= number <= _UNKNOWN else _UNKNOWN


def _flags(flags: list[int | None]) -> pl.Series:
    try:
        return pl.Series(flags, dtype=pl.UInt32)
    except (OverflowError, TypeError, pl.exceptions.PolarsError) as error:
        raise DoesNotFit("flags that do not fit") from error


def _times(values: list[str | int | None]) -> pl.Series:
    """Read nanoseconds; zero is no time."""
    try:
        texts = pl.Series("t", values, dtype=pl.String)
    except TypeError:
        texts = pl.Series("t", [str(value) if type(value) is int else value for value in values], dtype=pl.String)
    numbers = texts.cast(pl.Int64, strict=False)
    if numbers.null_count() > texts.null_count():
        raise DoesNotFit("a time that is no whole number")
    lowest = numbers.min()
    if lowest is None or lowest > 0:  # type: ignore[operator]
        return numbers
    if lowest < 0:  # type: ignore[operator]
        raise DoesNotFit("a negative time")
    return numbers.to_frame().select(pl.when(pl.col("t") > 0).then("t")).to_series()


class _Owned:
    """Events or links of all spans, and whose each is."""

    def __init__(self, lists: list[Any], rows: Ints) -> None:
        filled = [(row, held) for row, held in zip(rows.tolist(), lists, strict=True) if held]
        self.items: list[Any] = [item for _, held in filled for item in held]
        self.owners = np.repeat([row for row, _ in filled], [len(held) for _, held in filled]).astype(np.int64)


def _events(events: _Owned, attributes: Attributes, count: int, findings: Findings, where: str) -> pl.Series:
    if not events.items:
        return list_of_structs({}, owners=[], count=count, dtype=EVENTS).alias("events")
    starts = _times([event.time_unix_nano for event in events.items]).fill_null(0)
    fields = {
        "time": starts.to_arrow().cast(pa.timestamp("ns", "UTC")),
        "name": pl.Series([event.name or "" for event in events.items], dtype=pl.String).to_arrow(),
        "attributes": text_map(*attributes.texts(3, len(events.items), findings, where)),
    }
    return list_of_structs(fields, owners=events.owners, count=count, dtype=EVENTS).alias("events")


def _links(links: _Owned, attributes: Attributes, count: int, findings: Findings, where: str) -> pl.Series:
    if not links.items:
        return list_of_structs({}, owners=[], count=count, dtype=LINKS).alias("links")
    names = ("trace_id", "span_id", "trace_state")
    columns = [pl.Series(name, [getattr(link, name) for link in links.items], dtype=pl.String) for name in names]
    ids = link_ids(pl.DataFrame(columns), findings)
    fields = {name: ids[name].to_arrow() for name in names}
    fields["attributes"] = text_map(*attributes.texts(4, len(links.items), findings, where))
    return list_of_structs(fields, owners=links.owners, count=count, dtype=LINKS).alias("links")


def _nth(owners: npt.NDArray[np.int64], item: int) -> int:
    """Give the place of an item among those of its owner."""
    return item - int(np.searchsorted(owners, owners[item]))

"""OTLP JSON the fast way: attributes are lifted out of the text, msgspec reads what is left, and columns are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tracelab.loaders.columns.chunk import Chunk
from tracelab.loaders.columns.documents import KIND_NUMBERS, STATUS_NUMBERS
from tracelab.loaders.columns.nested import list_of_structs, text_map
from tracelab.loaders.columns.normalise import link_ids, normalise
from tracelab.loaders.columns.pairs import DoesNotFit, encoded
from tracelab.loaders.columns.values import whole_number
from tracelab.loaders.otlp.attributes import Attributes
from tracelab.loaders.otlp.lifting import Lifted, lift
from tracelab.loaders.otlp.scanning import FIRST, Ints
from tracelab.loaders.otlp.spans import LiftedSpans, lift_spans
from tracelab.loaders.pieces.cutting import BLANK
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.schema import EVENTS, LINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracelab.loaders.pieces.cutting import Piece

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Time = str | int | None
_Enum = str | int | None
_List = list[Any] | None


class _Status(msgspec.Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    code: _Enum = 0
    message: str | None = None


class _Event(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    time_unix_nano: _Time = None
    name: str | None = None
    attributes: _List = None
    dropped_attributes_count: _Count | None = 0


class _Link(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    trace_state: str | None = None
    attributes: _List = None
    flags: _Count | None = None
    dropped_attributes_count: _Count | None = 0


class _Span(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    flags: int | None = None
    name: str | None = None
    kind: _Enum = 0
    start_time_unix_nano: _Time = None
    end_time_unix_nano: _Time = None
    attributes: _List = None
    dropped_attributes_count: _Count | None = 0
    events: list[_Event] | None = None
    dropped_events_count: _Count | None = 0
    links: list[_Link] | None = None
    dropped_links_count: _Count | None = 0
    status: _Status | None = None


class _Attributed(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    name: str | None = None
    version: str | None = None
    attributes: _List = None
    dropped_attributes_count: _Count | None = 0


class _ScopeSpans(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    scope: _Attributed | None = None
    spans: list[_Span | int] | None = None
    schema_url: str | None = None


class _LibrarySpans(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    """What OTLP had before there were scopes."""

    scope: _Attributed | None = msgspec.field(default=None, name="instrumentationLibrary")
    spans: list[_Span | int] | None = None
    schema_url: str | None = None


class _Resource(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    attributes: _List = None
    dropped_attributes_count: _Count | None = 0


class _ResourceSpans(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None
    instrumentation_library_spans: list[_LibrarySpans] | None = None
    schema_url: str | None = None


class _Request(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None
    batches: list[_ResourceSpans] | None = None


_REQUEST: Final = msgspec.json.Decoder(_Request)
_BARE: Final = msgspec.json.Decoder(_ResourceSpans)
_NO_SCOPE: Final = _Attributed()
_NO_STATUS: Final = _Status()
_SHORT: Final = 64
_UNKNOWN: Final = 255
_NONE: Final[Ints] = np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class _Lines:
    """Decoded lines: their groups (ResourceSpans), scopes and spans, and where each stands.

    `lifted` are the spans that were taken out of the text before, `spans` those that were left. `order` tells for each
    row which of both together it is.
    """

    piece: Piece
    bare: bool
    numbers: list[int]
    batches: bool
    groups: list[_ResourceSpans]
    scopes: list[_ScopeSpans | _LibrarySpans]
    lifted: LiftedSpans | None
    spans: list[_Span]
    order: Ints
    line_of_group: Ints
    group_of_scope: Ints
    scope_of_span: Ints

    def place(self, row: int) -> str:
        """Tell where a span stands."""
        scope = int(self.scope_of_span[row])
        group = int(self.group_of_scope[scope])
        line = int(self.line_of_group[group])
        library = isinstance(self.scopes[scope], _LibrarySpans)
        name = "instrumentationLibrarySpans" if library else "scopeSpans"
        inner = f"{name}[{_nth(self.group_of_scope, scope)}].spans[{_nth(self.scope_of_span, row)}]"
        where = self.piece.origin(self.numbers[line])
        if self.bare:
            return f"{where}.{inner}"
        return f"{where}, {'batches' if self.batches else 'resourceSpans'}[{_nth(self.line_of_group, group)}].{inner}"

    def rows(self) -> Ints:
        """Give the row of each span, those that were lifted first."""
        rows = np.empty_like(self.order)
        rows[self.order] = np.arange(self.order.size)
        return rows


def chunk_of(piece: Piece, *, bare: bool) -> tuple[Chunk, Findings]:
    """Decode lines of requests, or of bare ResourceSpans.

    Raises
    ------
    DoesNotFit
        Something in it is spelled in another way than OTLP JSON is by the book, or is no JSON.
    """
    lifted = lift(piece.content)
    lines = _decoded(lifted, piece, bare=bare)
    count, rows = lines.order.size, lines.rows()
    rows_left = rows[count - len(lines.spans) :]
    events = _Owned([span.events for span in lines.spans], rows_left)
    links = _Owned([span.links for span in lines.spans], rows_left)
    scopes = [scope.scope or _NO_SCOPE for scope in lines.scopes]
    attributes = Attributes(
        lifted,
        [
            (lines.lifted.attributes if lines.lifted else _NONE, [span.attributes for span in lines.spans]),
            (_NONE, [group.resource.attributes if group.resource else None for group in lines.groups]),
            (_NONE, [scope.attributes for scope in scopes]),
            (_NONE, [event.attributes for event in events.items]),
            (_NONE, [link.attributes for link in links.items]),
        ],
    )
    findings, where = Findings(), piece.origin(0)
    _count(lines, findings, where)
    raw = _columns(lines, findings, rows_left).with_columns(
        _events(events, attributes, count, findings, where),
        _links(links, attributes, count, findings, where),
        pl.Series("resource", lines.group_of_scope[lines.scope_of_span], dtype=pl.UInt32),
        pl.Series("scope", lines.scope_of_span, dtype=pl.UInt32),
    )
    chunk = Chunk(
        spans=normalise(raw, findings, lines.place),
        attributes=attributes.entries(0, findings, where, rows),
        resources=attributes.entries(1, findings, where),
        resource_count=len(lines.groups),
        scopes=pl.DataFrame(
            {"name": [scope.name or None for scope in scopes], "version": [scope.version or None for scope in scopes]},
            schema={"name": pl.String, "version": pl.String},
        ),
        scope_attributes=attributes.entries(2, findings, where),
    )
    return chunk, findings


def _decoded(attributes: Lifted, piece: Piece, *, bare: bool) -> _Lines:
    """Decode the text from which attributes were lifted."""
    lifted = lift_spans(attributes.rest, attributes.spans)
    lines: list[list[_ResourceSpans]] = []
    numbers = []
    batches = False
    try:
        for number, text in enumerate(bytes(lifted.rest if lifted else attributes.rest).split(b"\n")):
            if not text or (len(text) < _SHORT and not text.strip(BLANK)):
                continue
            numbers.append(number)
            if bare:
                lines.append([_BARE.decode(text)])
                continue
            request = _REQUEST.decode(text)
            batches = batches or request.batches is not None
            if batches and request.resource_spans is not None:
                raise DoesNotFit("groups under two names")
            lines.append(request.resource_spans or request.batches or [])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DoesNotFit(str(error)) from error
    groups = [group for line in lines for group in line]
    held = [_scopes(group) for group in groups]
    scopes = [scope for each in held for scope in each]
    items = [item for scope in scopes for item in scope.spans or ()]
    spans = [item for item in items if type(item) is _Span]
    order, counts = _order(items, lifted, len(spans))
    scope_of_item = np.repeat(np.arange(len(scopes)), [len(scope.spans or ()) for scope in scopes])
    return _Lines(
        piece,
        bare,
        numbers,
        batches,
        groups,
        scopes,
        lifted,
        spans,
        order,
        np.repeat(np.arange(len(lines)), [len(line) for line in lines]),
        np.repeat(np.arange(len(groups)), [len(each) for each in held]),
        np.repeat(scope_of_item, counts),
    )


def _order(items: list[_Span | int], lifted: LiftedSpans | None, left: int) -> tuple[Ints, Ints]:
    """Give the order of spans among those that were lifted and those that were left, and how many each item is."""
    ends = lifted.ends if lifted else _NONE
    is_run = np.array([type(item) is int for item in items], dtype=bool)
    runs = np.array([item for item in items if type(item) is int], dtype=np.int64) - FIRST
    if not np.array_equal(np.sort(runs), np.arange(ends.size)):
        raise DoesNotFit("spans where none should be")
    counts = np.ones(len(items), dtype=np.int64)
    counts[is_run] = np.diff(ends, prepend=0)[runs]
    starts = np.empty(len(items), dtype=np.int64)
    starts[is_run] = ends[runs] - counts[is_run]
    starts[~is_run] = np.arange(left) + (int(ends[-1]) if ends.size else 0)
    return np.arange(int(counts.sum())) + np.repeat(starts - (np.cumsum(counts) - counts), counts), counts


def _scopes(group: _ResourceSpans) -> Sequence[_ScopeSpans | _LibrarySpans]:
    if group.instrumentation_library_spans is None:
        return group.scope_spans or ()
    if group.scope_spans is not None:
        raise DoesNotFit("scopes under two names")
    return group.instrumentation_library_spans


def _count(lines: _Lines, findings: Findings, where: str) -> None:
    dropped = sum(
        (span.dropped_attributes_count or 0) + (span.dropped_events_count or 0) + (span.dropped_links_count or 0)
        for span in lines.spans
    )
    dropped += lines.lifted.dropped if lines.lifted else 0
    findings.add(problems.DROPPED_BY_PRODUCER, dropped, place=where)
    old = sum(type(scope) is _LibrarySpans for scope in lines.scopes)
    findings.add(problems.DEPRECATED, old, place=where, example="instrumentationLibrarySpans")


def _columns(lines: _Lines, findings: Findings, rows: Ints) -> pl.DataFrame:
    """Make the columns of all spans; `rows` says where those stand that were not lifted."""
    spans = lines.spans
    statuses = [span.status or _NO_STATUS for span in spans]

    def place(span: int) -> str:
        return lines.place(int(rows[span]))

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
    if lines.lifted is None:
        return left
    both = pl.concat([lines.lifted.columns, left], how="diagonal", rechunk=True)
    in_order = np.array_equal(lines.order, np.arange(lines.order.size))
    return both if in_order else both[pl.Series(lines.order)]


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

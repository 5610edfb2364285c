"""OTLP JSON the fastest way: msgspec reads the spans, and distinct attributes are decoded once by Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.json as arrow_json

from tracelab.loaders.columns.chunk import BOOL, DOUBLE, INT, STRING, Chunk, Entries, part
from tracelab.loaders.columns.nested import list_of_structs
from tracelab.loaders.columns.normalise import normalise
from tracelab.loaders.columns.pairs import NOTHING, DoesNotFit, cut, encoded, joined_lines, lines_of
from tracelab.loaders.columns.text import full_lines
from tracelab.loaders.otlp.arrow import Reader, series_of, valid
from tracelab.loaders.otlp.shape import Shape, event_type, link_type, value_type
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.schema import EVENTS, LINKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.loaders.pieces.cutting import Piece

Raw = msgspec.Raw
_SCALARS: Final = {"stringValue": STRING, "boolValue": BOOL, "intValue": INT, "doubleValue": DOUBLE}
_SHAPE: Final = Shape()


class _Status(msgspec.Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    code: int = 0
    message: str | None = None


class _Span(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    trace_state: str | None = None
    flags: int | None = None
    name: str | None = None
    kind: int = 0
    start_time_unix_nano: str | None = None
    end_time_unix_nano: str | None = None
    attributes: Raw = NOTHING
    dropped_attributes_count: int = 0
    events: Raw = NOTHING
    dropped_events_count: int = 0
    links: Raw = NOTHING
    dropped_links_count: int = 0
    status: _Status = _Status()


class _Attributed(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    name: str | None = None
    version: str | None = None
    attributes: Raw = NOTHING
    dropped_attributes_count: int = 0


class _ScopeSpans(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    scope: _Attributed | None = None
    spans: list[_Span] = []
    schema_url: str | None = None


class _ResourceSpans(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    resource: _Attributed | None = None
    scope_spans: list[_ScopeSpans] = []
    schema_url: str | None = None


class _Request(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    resource_spans: list[_ResourceSpans] = []


_REQUEST: Final = msgspec.json.Decoder(_Request)
_BARE: Final = msgspec.json.Decoder(_ResourceSpans)
_NO_SCOPE: Final = _Attributed()
_TEXTS: Final = ("trace_id", "name", "trace_state")


def chunk_of(piece: Piece, *, bare: bool) -> tuple[Chunk, Findings]:
    """Decode lines of requests, or of bare ResourceSpans.

    Raises
    ------
    DoesNotFit
        Something in it is spelled in another way than the OpenTelemetry Collector does.
    """
    lines = _decoded(piece.content, bare=bare)
    groups = [group for line in lines for group in line]
    scopes = [scope for group in groups for scope in group.scope_spans]
    spans = [span for scope in scopes for span in scope.spans]
    group_of_scope = np.repeat(np.arange(len(groups)), [len(group.scope_spans) for group in groups])
    scope_of_span = np.repeat(np.arange(len(scopes)), [len(scope.spans) for scope in scopes])
    line_of_group = np.repeat(np.arange(len(lines)), [len(line) for line in lines])

    def place(row: int) -> str:
        scope = int(scope_of_span[row])
        group = int(group_of_scope[scope])
        line = int(line_of_group[group])
        inner = f"scopeSpans[{_nth(group_of_scope, scope)}].spans[{_nth(scope_of_span, row)}]"
        where = piece.origin(line)
        return f"{where}.{inner}" if bare else f"{where}, resourceSpans[{_nth(line_of_group, group)}].{inner}"

    findings = Findings()
    raw = _columns(spans, findings, piece.origin(0)).with_columns(
        pl.Series("resource", group_of_scope[scope_of_span], dtype=pl.UInt32),
        pl.Series("scope", scope_of_span, dtype=pl.UInt32),
    )
    held = [scope.scope or _NO_SCOPE for scope in scopes]
    chunk = Chunk(
        spans=normalise(raw, findings, place),
        attributes=_entries([span.attributes for span in spans], findings, piece.origin(0)),
        resources=_entries(
            [group.resource.attributes if group.resource else NOTHING for group in groups], findings, piece.origin(0)
        ),
        resource_count=len(groups),
        scopes=pl.DataFrame(
            {"name": [scope.name or None for scope in held], "version": [scope.version or None for scope in held]},
            schema={"name": pl.String, "version": pl.String},
        ),
        scope_attributes=_entries([scope.attributes for scope in held], findings, piece.origin(0)),
    )
    return chunk, findings


def _decoded(content: bytes, *, bare: bool) -> list[list[_ResourceSpans]]:
    texts = full_lines(content)
    try:
        if bare:
            return [[_BARE.decode(text)] for text in texts]
        return [_REQUEST.decode(text).resource_spans for text in texts]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DoesNotFit(str(error)) from error


def _columns(spans: list[_Span], findings: Findings, where: str) -> pl.DataFrame:
    dropped = sum(
        span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count for span in spans
    )
    findings.add(problems.DROPPED_BY_PRODUCER, dropped, place=where)
    columns = {
        "trace_id": _texts([span.trace_id for span in spans]),
        "span_id": pl.Series([span.span_id for span in spans], dtype=pl.String),
        "parent_span_id": pl.Series([span.parent_span_id for span in spans], dtype=pl.String),
        "name": _texts([span.name for span in spans]),
        "trace_state": pl.Series([span.trace_state for span in spans], dtype=pl.String),
        "kind": _small([span.kind for span in spans]),
        "start_time": _times([span.start_time_unix_nano for span in spans]),
        "end_time": _times([span.end_time_unix_nano for span in spans]),
        "status_code": _small([span.status.code for span in spans]),
        "status_message": pl.Series([span.status.message for span in spans], dtype=pl.String),
        "flags": _flags([span.flags for span in spans]),
    }
    reader = Reader(findings, where, _SHAPE)
    events = _nested([span.events for span in spans], event_type(_SHAPE), reader.events, EVENTS)
    links = _nested([span.links for span in spans], link_type(_SHAPE), reader.links, LINKS)
    return pl.DataFrame({**columns, "events": events, "links": links})


def _texts(texts: list[str | None]) -> pl.Series:
    """Make a column of texts that share the bytes of equal ones."""
    column = pl.Series(texts, dtype=pl.String)
    if column.null_count():
        return column
    codes, distinct = encoded(column)
    return distinct.gather(pl.Series(codes.astype(np.uint32)))


def _small(numbers: list[int]) -> pl.Series:
    try:
        array = np.array(numbers, dtype=np.int64)
    except OverflowError as error:
        raise DoesNotFit("an enum that is too large") from error
    if array.size and int(array.min()) < 0:
        raise DoesNotFit("a negative enum")
    return pl.Series(np.minimum(array, 255).astype(np.uint8))


def _flags(flags: list[int | None]) -> pl.Series:
    try:
        return pl.Series(flags, dtype=pl.UInt32)
    except (OverflowError, TypeError, pl.exceptions.PolarsError) as error:
        raise DoesNotFit("flags that do not fit") from error


def _times(texts: list[str | None]) -> pl.Series:
    """Read nanoseconds; zero is no time."""
    column = pl.Series("t", texts, dtype=pl.String)
    numbers = column.cast(pl.Int64, strict=False)
    if numbers.null_count() > column.null_count():
        raise DoesNotFit("a time that is no whole number")
    lowest = numbers.min()
    if lowest is None or lowest > 0:  # type: ignore[operator]
        return numbers
    if lowest < 0:  # type: ignore[operator]
        raise DoesNotFit("a negative time")
    return numbers.to_frame().select(pl.when(pl.col("t") > 0).then("t")).to_series()


def _nested(raws: list[Raw], dtype: Any, read: Any, wanted: pl.DataType) -> pl.Series:
    """Read events or links with Arrow, for the spans that have any."""
    rows = [row for row, raw in enumerate(raws) if raw is not NOTHING]
    if not rows:
        return list_of_structs({}, owners=[], count=len(raws), dtype=wanted)
    texts = lines_of([raws[row] for row in rows])
    table = _parsed(joined_lines('{"held":', texts, "}"), pa.schema([("held", pa.list_(dtype))]), len(rows))
    found: pl.Series = read(table.column(0).combine_chunks(), len(raws), np.array(rows, dtype=np.int64))
    return found


def _entries(lists: Sequence[Raw], findings: Findings, where: str) -> Entries:
    """Make long tables of lists of KeyValue."""
    pairs = cut(lists)
    if not pairs.owners.size:
        return Entries()
    table = _parsed(pairs.lines(), _PAIR, pairs.texts.len())
    keys, values = (table.column(name).combine_chunks() for name in ("key", "value"))
    if keys.null_count:
        raise DoesNotFit("an attribute without a key")
    key_codes, names = encoded(series_of(keys))
    kinds = np.full(len(keys), -1, dtype=np.int8)
    filled = 0
    parts: dict[int, Any] = {}
    columns: dict[int, pl.Series] = {}
    for field, kind in _SCALARS.items():
        held = values.field(field)
        if held.null_count < len(held):
            which = valid(held)
            kinds[which] = kind
            filled += int(which.sum())
            columns[kind] = _integers(series_of(held)) if kind == INT else series_of(held)
    if filled > int((kinds >= 0).sum()):
        raise DoesNotFit("values with two types")
    kind_of_entry = kinds[pairs.codes]
    for kind, column in columns.items():
        where_kind = np.flatnonzero(kind_of_entry == kind)
        codes = pairs.codes[where_kind]
        found = column.gather(pl.Series(codes.astype(np.uint32)))
        parts[kind] = part(pairs.owners[where_kind], key_codes[codes], found, keys=names.len())
    findings.add(problems.EMPTY_VALUES, int((kind_of_entry < 0).sum()), place=where)
    return Entries(list(names.to_list()), parts)


_PAIR: Final = pa.schema([("key", pa.string()), ("value", value_type(_SHAPE))])


def _integers(texts: pl.Series) -> pl.Series:
    numbers = texts.cast(pl.Int64, strict=False)
    if numbers.null_count() > texts.null_count():
        raise DoesNotFit("an integer that is none")
    return numbers


def _parsed(content: pa.Buffer, schema: Any, rows: int) -> Any:
    try:
        table = arrow_json.read_json(
            pa.BufferReader(content),
            parse_options=arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=content.size + 1),
        )
    except pa.ArrowException as error:
        raise DoesNotFit(str(error)) from error
    if table.num_rows != rows:
        raise DoesNotFit("more than one object in a line")
    return table


def _nth(owners: npt.NDArray[np.int64], item: int) -> int:
    """Give the place of an item among those of its owner."""
    return item - int(np.searchsorted(owners, owners[item]))

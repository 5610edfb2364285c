"""Jaeger JSON the fast way: msgspec reads the spans, and each distinct tag is decoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.loaders.columns.builder import Builder, EntryLists
from tracelab.loaders.columns.chunk import STRING, STRINGS, VALUE_DTYPES, Chunk, Entries, part
from tracelab.loaders.columns.key_values import NOTHING, DoesNotFit
from tracelab.loaders.columns.normalise import normalise
from tracelab.loaders.columns.text import json_text
from tracelab.loaders.jaeger.spans import NO_SERVICE, WARNINGS_KEY, parent_and_links
from tracelab.loaders.jaeger.tags import decoded_tags, meaning_of
from tracelab.loaders.jaeger.tolerant import MICROSECOND, read_log
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.input.cutting import Piece
    from tracelab.loaders.jaeger.tags import Tags
    from tracelab.loaders.report.findings import Findings

Raw = msgspec.Raw
_LARGEST: Final = 2**63 - 1


class _Reference(msgspec.Struct, gc=False, rename={"ref_type": "refType", "trace_id": "traceID", "span_id": "spanID"}):
    ref_type: str = ""
    trace_id: str | None = None
    span_id: str | None = None


class _Span(
    msgspec.Struct,
    gc=False,
    rename={
        "trace_id": "traceID",
        "span_id": "spanID",
        "parent_span_id": "parentSpanID",
        "name": "operationName",
        "start": "startTime",
        "process_id": "processID",
    },
):
    span_id: str
    name: str
    start: int
    trace_id: str | None = None
    parent_span_id: str | None = None
    duration: int = 0
    flags: int = 0
    references: list[_Reference] | None = None
    tags: Raw = NOTHING
    logs: Raw = NOTHING
    process_id: str | None = None
    process: None = None
    warnings: list[str] | None = None


class _Process(msgspec.Struct, gc=False, rename="camel"):
    service_name: str | None = None
    tags: Raw = NOTHING


class _Trace(msgspec.Struct, gc=False, rename={"trace_id": "traceID"}):
    spans: list[_Span]
    processes: dict[str, _Process] = {}
    trace_id: str | None = None
    warnings: list[str] | None = None


_LOGS: Final = msgspec.json.Decoder(list[Any])
_DECODER: Final = msgspec.json.Decoder(_Trace)


def chunk_of(piece: Piece) -> tuple[list[Chunk], Findings]:
    """Decode traces, one a line.

    Raises
    ------
    DoesNotFit
        Something in it is spelled in another way than Jaeger's own API does.
    """
    texts = [text for text in piece.content.split(b"\n") if text]
    try:
        traces = [_DECODER.decode(text) for text in texts]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DoesNotFit(str(error)) from error
    spans = [span for trace in traces for span in trace.spans]
    trace_of_span = np.repeat(np.arange(len(traces)), [len(trace.spans) for trace in traces])

    def place(row: int) -> str:
        trace = int(trace_of_span[row])
        return f"{piece.origin(trace)}.spans[{row - int(np.searchsorted(trace_of_span, trace))}]"

    builder = Builder()
    for number, trace in enumerate(traces):
        if trace.warnings:
            where = piece.origin(number)
            builder.findings.add(problems.TRACE_WARNINGS, len(trace.warnings), place=where, example=trace.warnings[0])
    resources, count, entries = _resources(traces, builder)
    tags = decoded_tags([span.tags for span in spans], builder)
    meaning, consumed = meaning_of(tags, len(spans), builder, place)
    scope_names = meaning.select("scope_name", "scope_version")
    scopes = scope_names.unique(maintain_order=True).with_row_index("scope")
    scope = scope_names.join(scopes, on=["scope_name", "scope_version"], nulls_equal=True, maintain_order="left")[
        "scope"
    ]
    raw = meaning.drop("scope_name", "scope_version").with_columns(
        *_columns(spans, traces, builder, place), resource=pl.Series(resources, dtype=pl.UInt32), scope=scope
    )
    chunk = Chunk(
        spans=normalise(raw, builder.findings, place),
        attributes=_entries(tags, ~consumed, spans, builder, place),
        resources=entries,
        resource_count=count,
        scopes=scopes.select(name="scope_name", version="scope_version"),
        scope_attributes=Entries(),
    )
    return [chunk], builder.findings


def _columns(spans: list[_Span], traces: list[_Trace], builder: Builder, place: Any) -> list[pl.Series]:
    trace_ids = [span.trace_id or trace.trace_id for trace in traces for span in trace.spans]
    parents: list[str | None] = []
    for row, (span, trace_id) in enumerate(zip(spans, trace_ids, strict=True)):
        references = span.references
        if (
            references
            and len(references) == 1
            and references[0].ref_type == "CHILD_OF"
            and references[0].trace_id == trace_id
        ):
            parents.append(references[0].span_id)
        elif references:
            plain = [(each.ref_type.upper(), each.trace_id, each.span_id) for each in references]
            parent, links = parent_and_links(plain, trace_id, builder, place(row))
            parents.append(parent)
            for link in links:
                builder.links.add(row, **link)
        else:
            if span.parent_span_id:
                builder.findings.add(problems.DEPRECATED, place=place(row), example="parentSpanID")
            parents.append(span.parent_span_id)
        if len(span.logs) > 4:
            for number, log in enumerate(_logs(span.logs)):
                read_log(log, builder, row, f"{place(row)}.logs[{number}]")
    starts = _times([span.start for span in spans])
    ends = starts + _times([span.duration for span in spans])
    if ends.size and int(ends.min()) < 0:
        raise DoesNotFit("times that are too large")
    flags = np.array([span.flags for span in spans], dtype=np.int64)
    if flags.size and (int(flags.min()) < 0 or int(flags.max()) >= 2**32):
        raise DoesNotFit("flags that do not fit")
    return [
        pl.Series("trace_id", trace_ids, dtype=pl.String),
        pl.Series("span_id", [span.span_id for span in spans], dtype=pl.String),
        pl.Series("parent_span_id", parents, dtype=pl.String),
        pl.Series("name", [span.name for span in spans], dtype=pl.String),
        pl.Series("start_time", starts),
        pl.Series("end_time", ends),
        pl.Series("flags", flags, dtype=pl.UInt32),
        builder.event_lists(len(spans)),
        builder.link_lists(len(spans)),
    ]


def _logs(raw: Raw) -> list[Any]:
    try:
        logs: list[Any] = _LOGS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DoesNotFit(str(error)) from error
    return logs


def _times(numbers: list[int]) -> npt.NDArray[np.int64]:
    try:
        array = np.array(numbers, dtype=np.int64)
    except OverflowError as error:
        raise DoesNotFit("a time that is too large") from error
    if array.size and (int(array.min()) < 0 or int(array.max()) > _LARGEST // MICROSECOND // 2):
        raise DoesNotFit("a time that is none")
    return array * MICROSECOND


def _resources(traces: list[_Trace], builder: Builder) -> tuple[list[int], int, Entries]:
    """Give the number of each span's resource, how many there are, and their attributes."""
    held: list[_Process | None] = []
    numbers: list[int] = []
    for trace in traces:
        known: dict[str | None, int] = {}
        for span in trace.spans:
            number = known.get(span.process_id)
            if number is None:
                process = trace.processes.get(span.process_id) if span.process_id is not None else None
                number = known[span.process_id] = len(held)
                held.append(process)
            if held[number] is None:
                builder.findings.add(problems.PROCESS_MISSING, example=span.process_id)
            numbers.append(number)
    tags = decoded_tags([process.tags if process else NOTHING for process in held], builder)
    names = list(tags.names)
    lists = EntryLists()
    for row, code in zip(tags.pairs.owners.tolist(), tags.pairs.codes.tolist(), strict=True):
        value = tags.values[code]
        if value is not None:
            lists.add(row, names[tags.keys[code]], value)
    for row, process in enumerate(held):
        if process and process.service_name and process.service_name != NO_SERVICE:
            lists.add(row, "service.name", (STRING, process.service_name))
    return numbers, len(held), lists.finish()


def _entries(tags: Tags, kept: npt.NDArray[np.bool_], spans: list[_Span], builder: Builder, place: Any) -> Entries:
    names = dict(tags.names)
    parts = {}
    kinds = tags.kinds[tags.pairs.codes]
    builder.findings.add(problems.EMPTY_VALUES, int(((kinds < 0) & kept).sum()))
    warned = [row for row, span in enumerate(spans) if span.warnings]
    code = names.setdefault(WARNINGS_KEY, len(names)) if warned else 0
    for kind in sorted(
        {kind for kind in np.unique(tags.kinds).tolist() if kind >= 0} - ({STRINGS} if warned else set())
    ):
        parts[kind] = _part(tags, kind, np.flatnonzero(kept & (kinds == kind)), len(names))
    if warned:
        for row in warned:
            found = spans[row].warnings or []
            builder.findings.add(problems.WARNINGS_KEPT, len(found), place=place(row), example=found[0])
        texts = [json_text(spans[row].warnings) for row in warned]
        lists = np.flatnonzero(kept & (kinds == STRINGS))
        if lists.size:
            raise DoesNotFit("lists in tags beside warnings")
        rows, codes = np.array(warned, dtype=np.uint32), np.full(len(warned), code, dtype=np.int32)
        parts[STRINGS] = part(rows, codes, pl.Series(texts, dtype=pl.String), keys=len(names))
    return Entries(list(names), parts)


def _part(tags: Tags, kind: int, where: npt.NDArray[np.int64], keys: int) -> Any:
    codes = tags.pairs.codes[where]
    distinct = [value[1] if value is not None and value[0] == kind else None for value in tags.values]
    column = pl.Series(distinct, dtype=VALUE_DTYPES[kind]).gather(pl.Series(codes.astype(np.uint32)))
    return part(tags.pairs.owners[where], tags.keys[codes], column, keys=keys)

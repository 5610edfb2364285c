"""Jaeger JSON the fast way: msgspec reads the spans, and each distinct tag is decoded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.loaders import problems
from tracelab.loaders.builder import Builder, EntryLists, Value
from tracelab.loaders.chunk import BOOL, STRING, STRINGS, VALUE_DTYPES, Chunk, Entries, part
from tracelab.loaders.jaeger import (
    MICROSECOND,
    NO_SERVICE,
    WARNINGS_KEY,
    parent_and_links,
    read_log,
    status_of_http,
    tag_value,
)
from tracelab.loaders.normalise import normalise
from tracelab.loaders.pairs import NOTHING, DoesNotFit, Pairs, cut
from tracelab.loaders.text import json_text, scalar_text
from tracelab.loaders.values import whole_number
from tracelab.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.loaders.findings import Findings
    from tracelab.loaders.json_cut import Piece

Raw = msgspec.Raw
_LARGEST: Final = 2**63 - 1
_ERROR: Final = 2
_NO_CODE: Final = -1
_STATUSES: Final = {"OK": 1, "ERROR": _ERROR}
_TAKEN: Final = (
    "otel.status_code",
    "otel.status_description",
    "w3c.tracestate",
    "otel.library.name",
    "otel.scope.name",
    "otel.library.version",
    "otel.scope.version",
)


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


@dataclass(slots=True)
class _Tags:
    """Pairs with each distinct one decoded: keys by number, kinds, values by kind."""

    pairs: Pairs
    names: dict[str, int]
    keys: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int8]
    values: list[Value | None]

    def last(self, key: str, count: int) -> npt.NDArray[np.int64]:
        """Give for each owner which distinct pair with this key is its last; -1 where it has none."""
        found = np.full(count, _NO_CODE, dtype=np.int64)
        if key in self.names:
            which = self.keys[self.pairs.codes] == self.names[key]
            found[self.pairs.owners[which]] = self.pairs.codes[which]
        return found

    def texts(self, codes: npt.NDArray[np.int64]) -> pl.Series:
        """Give the values of pairs as text, null where there is none."""
        distinct, places = np.unique(codes, return_inverse=True)
        words = [
            None if code < 0 else scalar_text((self.values[code] or (STRING, ""))[1]) for code in distinct.tolist()
        ]
        return pl.Series(words, dtype=pl.String).gather(pl.Series(places))


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
    tags = _decoded_tags([span.tags for span in spans], builder)
    meaning, consumed = _meaning(tags, len(spans), builder, place)
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
    tags = _decoded_tags([process.tags if process else NOTHING for process in held], builder)
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


def _decoded_tags(raws: Sequence[Raw], builder: Builder) -> _Tags:
    pairs = cut(raws)
    names: dict[str, int] = {}
    keys: list[int] = []
    values: list[Value | None] = []
    before = len(builder.findings.found)
    try:
        decoded = [msgspec.json.decode(line) for line in pairs.lines().split(b"\n")] if pairs.texts.len() else []
    except (msgspec.DecodeError, RecursionError) as error:
        raise DoesNotFit(str(error)) from error
    for tag in decoded:
        key = tag.get("key")
        if not isinstance(key, str):
            raise DoesNotFit("a tag without a key")
        keys.append(names.setdefault(key, len(names)))
        values.append(tag_value(tag.get("type"), tag.get("value"), builder, ""))
    if len(builder.findings.found) > before:
        raise DoesNotFit("tags that must be counted one by one")
    kinds = np.array([_NO_CODE if value is None else value[0] for value in values], dtype=np.int8)
    return _Tags(pairs, names, np.array(keys, dtype=np.int32), kinds, values)


def _meaning(tags: _Tags, count: int, builder: Builder, place: Any) -> tuple[pl.DataFrame, npt.NDArray[np.bool_]]:
    """Give what the tags say of fields that spans have, and which pairs these were."""
    consumed = np.zeros(tags.pairs.codes.size, dtype=bool)
    entry_keys = tags.keys[tags.pairs.codes]
    said = {}
    for key in _TAKEN:
        said[key] = tags.last(key, count)
        if key in tags.names:
            consumed |= entry_keys == tags.names[key]
    kinds = _kinds(tags, count, consumed)
    status = _statuses(tags, count, said, consumed)
    named = np.maximum(said["otel.scope.name"], said["otel.library.name"]) >= 0
    codes = tags.last("http.status_code", count)
    for row in np.flatnonzero((status == 0) & (said["otel.status_code"] < 0) & ~named & (codes >= 0)).tolist():
        value = tags.values[int(codes[row])]
        status[row] = status_of_http(whole_number(value[1]) if value else None, int(kinds[row]), builder, place(row))
    frame = pl.DataFrame(
        {
            "kind": kinds,
            "status_code": status,
            "status_message": tags.texts(said["otel.status_description"]),
            "trace_state": tags.texts(said["w3c.tracestate"]),
            "scope_name": tags.texts(_either(said["otel.scope.name"], said["otel.library.name"])),
            "scope_version": tags.texts(_either(said["otel.scope.version"], said["otel.library.version"])),
        }
    )
    return frame, consumed


def _kinds(tags: _Tags, count: int, consumed: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    last = tags.last("span.kind", count)
    words = {
        code: str((tags.values[code] or (STRING, ""))[1]).lower() for code in np.unique(last).tolist() if code >= 0
    }
    numbers = np.zeros(len(tags.values) + 1, dtype=np.uint8)
    for code, word in words.items():
        if word in KINDS:
            numbers[code] = KINDS.index(word)
            consumed |= tags.pairs.codes == code
    return numbers[last]


def _statuses(
    tags: _Tags, count: int, said: dict[str, npt.NDArray[np.int64]], consumed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    status = np.zeros(count, dtype=np.uint8)
    for code in np.unique(said["otel.status_code"]).tolist():
        if code >= 0:
            word = scalar_text((tags.values[code] or (STRING, ""))[1]).upper()
            status[said["otel.status_code"] == code] = _STATUSES.get(word, 0)
    errors = tags.last("error", count)
    for code in np.unique(errors).tolist():
        if code >= 0 and tags.values[code] in ((BOOL, True), (STRING, "true")):
            status[errors == code] = _ERROR
            consumed |= tags.pairs.codes == code
    return status


def _entries(tags: _Tags, kept: npt.NDArray[np.bool_], spans: list[_Span], builder: Builder, place: Any) -> Entries:
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


def _part(tags: _Tags, kind: int, where: npt.NDArray[np.int64], keys: int) -> Any:
    codes = tags.pairs.codes[where]
    distinct = [value[1] if value is not None and value[0] == kind else None for value in tags.values]
    column = pl.Series(distinct, dtype=VALUE_DTYPES[kind]).gather(pl.Series(codes.astype(np.uint32)))
    return part(tags.pairs.owners[where], tags.keys[codes], column, keys=keys)


def _either(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.where(first >= 0, first, second)

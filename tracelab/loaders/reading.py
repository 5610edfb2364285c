"""Reading dumps: any source, any format, one span frame."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import polars as pl

from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import problems
from tracelab.loaders.assemble import assemble
from tracelab.loaders.chunk import Chunk
from tracelab.loaders.findings import Findings, SourceFindings, report_frame, summary
from tracelab.loaders.json_cut import BLANK
from tracelab.loaders.json_reader import read_json
from tracelab.loaders.parquet import MAGIC, chunk_of, clickhouse_chunks, is_own, open_parquet, own_spans, parts_of_one
from tracelab.loaders.proto_reader import FIXED, JsonMessages, framing_of, is_framed_json, read_proto
from tracelab.loaders.sniff import CLICKHOUSE, GO_JSON, JAEGER_JSON, OTLP_JSON, OTLP_PROTO, PARQUET, PYTHON_JSON, ZIPKIN
from tracelab.loaders.sources import Source, Stream, sources_of

_SNIFFED: Final = 1 << 16
FORMATS: Final = ("auto", OTLP_JSON, OTLP_PROTO, JAEGER_JSON, ZIPKIN, GO_JSON, PYTHON_JSON, CLICKHOUSE, PARQUET)


def read(source: Any, *, format: str = "auto", strict: bool = False, progress: bool | None = None) -> pl.DataFrame:
    """Read trace dumps into one span frame.

    Formats are told apart by their content. Whatever had to be repaired, skipped or guessed is counted; one
    `LoadWarning` sums it up, and `load_report` lists it.

    Parameters
    ----------
    source
        A path, a glob pattern, a folder (with its subfolders), bytes, a binary file object, or a list of these.
        gzip, zstd and bzip2 are seen by their first bytes.
    format
        `auto`, or the one format that is expected.
    strict
        Raise at the first problem that would be warned of.
    progress
        Show a progress bar; without it one is shown where reading takes long and somebody watches.

    Returns
    -------
    A span frame in tree order: the columns of `SPAN_SCHEMA`, with `span.*`, `resource.*` and `instrumentation.*`
    before `more_attributes`.

    Raises
    ------
    LoadError
        The source is no trace dump or is damaged beyond use; or `strict`, and there was a problem.
    SourceError
        There is no such source.

    Examples
    --------
    >>> dump = b'''{"resourceSpans": [{"scopeSpans": [{"spans": [
    ...     {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "GET /",
    ...      "kind": 2, "startTimeUnixNano": "1767225600000000000", "endTimeUnixNano": "1767225600250000000"}]}]}]}'''
    >>> read(dump).select("name", "kind", "duration").row(0)
    ('GET /', 'server', datetime.timedelta(microseconds=250000))
    """
    spans, findings = _load(source, format, strict=strict, progress=progress)
    if text := summary(findings):
        warnings.warn(text, LoadWarning, stacklevel=2)
    return spans


def read_otlp(source: Any, *, strict: bool = False, progress: bool | None = None) -> pl.DataFrame:
    """Read OTLP JSON; see `read`.

    Returns
    -------
    A span frame, as `read` gives it.

    Examples
    --------
    >>> read_otlp(b'{"resourceSpans": []}').height
    0
    """
    return read(source, format=OTLP_JSON, strict=strict, progress=progress)


def read_jaeger(source: Any, *, strict: bool = False, progress: bool | None = None) -> pl.DataFrame:
    """Read Jaeger JSON; see `read`.

    Returns
    -------
    A span frame, as `read` gives it.

    Examples
    --------
    >>> read_jaeger(b'''{"data": [{"traceID": "1", "processes": {"p1": {"serviceName": "shop"}}, "spans": [
    ...     {"traceID": "1", "spanID": "2", "operationName": "buy", "startTime": 5, "duration": 7, "processID": "p1"}
    ... ]}]}''').select("service_name", "name").row(0)
    ('shop', 'buy')
    """
    return read(source, format=JAEGER_JSON, strict=strict, progress=progress)


def load_report(source: Any, *, format: str = "auto") -> pl.DataFrame:
    """List what reading a source repaired, skipped or guessed.

    Returns
    -------
    `source` (String), `format` (String), `problem` (String; `spans` is no problem: its count is the number of spans
    in the source), `action` (Enum: read, repaired, guessed, kept, dropped, skipped), `count` (Int64), `lost_spans`
    (Int64; spans in the source that are not in the frame because of it), `first_place` (String; line or document, and
    path in it), `example` (String), `explanation` (String). One row per source and problem; sources as they were
    read, `spans` first, then problems by name.

    Examples
    --------
    >>> load_report(b'{"resourceSpans": []}').select("problem", "action", "count").rows()
    [('spans', 'read', 0)]
    """
    return report_frame(_load(source, format, strict=False, progress=False)[1])


def _load(
    source: Any, format: str, *, strict: bool, progress: bool | None
) -> tuple[pl.DataFrame, list[SourceFindings]]:
    if format not in FORMATS:
        raise LoadError(f"There is no format {format!r}. Known: {', '.join(FORMATS)}.")
    sources = sources_of(source)
    found = [SourceFindings(each.name, "unknown" if format == "auto" else format) for each in sources]
    chunks: list[tuple[int, Chunk | pl.DataFrame]] = []
    failures: list[LoadError] = []
    with _without_garbage_collection():
        for number, each in enumerate(sources):
            try:
                for chunk in _chunks(each, format, found[number]):
                    chunks.append((number, chunk))
                    if strict:
                        found[number].findings.raise_first(each.name)
            except LoadError as error:
                if strict or len(sources) == 1:
                    raise
                failures.append(error)
                found[number].findings.add(problems.BAD_SOURCE, example=str(error).removeprefix(f"{each.name}: "))
        if len(failures) == len(sources):
            raise LoadError(f"None of the {len(sources)} sources is a trace dump. The first: {failures[0]}")
        overall = found[0].findings if len(sources) == 1 else Findings()
        spans = _together(chunks, [each.findings for each in found], overall)
    if len(sources) > 1 and overall.found:
        found.append(SourceFindings("(all sources together)", "", overall))
    if strict:
        for each in found:
            each.findings.raise_first(each.source)
    return spans, found


def _together(
    chunks: list[tuple[int, Chunk | pl.DataFrame]], findings: list[Findings], overall: Findings
) -> pl.DataFrame:
    """Put chunks together; frames that tracelab wrote stay as they are where nothing else is read with them."""
    kept = [chunk for _, chunk in chunks if isinstance(chunk, pl.DataFrame)]
    if kept and len(kept) == len(chunks):
        if len(kept) == 1:
            return kept[0]
        if (whole := parts_of_one(kept)) is not None:
            return whole
    split = [(number, chunk_of(chunk) if isinstance(chunk, pl.DataFrame) else chunk) for number, chunk in chunks]
    chunks.clear()
    return assemble(split, findings, overall)


def _chunks(source: Source, format: str, found: SourceFindings) -> Iterator[Chunk | pl.DataFrame]:
    def named(name: str) -> None:
        found.format = name

    stream = Stream(source, lambda _: None)
    try:
        if stream.peek(4) == MAGIC:
            yield from _parquet_chunks(source, stream, found)
        else:
            yield from _decoded(stream, None if format == "auto" else format, found.findings, named)
    finally:
        stream.close()


def _parquet_chunks(source: Source, stream: Stream, found: SourceFindings) -> Iterator[Chunk | pl.DataFrame]:
    path = None if stream.compressed else source.path
    frame = open_parquet(path, b"" if path else stream.read_all(), source.name)
    if is_own(frame):
        found.format = PARQUET
        spans = own_spans(frame, source.name)
        found.findings.spans += spans.height
        yield spans
    else:
        found.format = CLICKHOUSE
        yield from clickhouse_chunks(frame, found.findings)


def _decoded(stream: Stream, wanted: str | None, findings: Findings, named: Callable[[str], None]) -> Iterator[Chunk]:
    """Decode a stream as what its first bytes say."""
    head = stream.peek(_SNIFFED)
    text = head.lstrip(BLANK)[:1]
    framing = None if text in (b"{", b"[") else framing_of(head)
    if framing is None:
        yield from read_json(stream, wanted, findings, named)
    elif framing == FIXED and is_framed_json(head):
        yield from read_json(JsonMessages(stream, findings), wanted, findings, named)
    else:
        named(OTLP_PROTO)
        yield from read_proto(stream, framing, findings)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Decoding makes millions of objects and no cycles: looking for cycles costs more than decoding."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


__all__ = ["load_report", "read", "read_jaeger", "read_otlp"]

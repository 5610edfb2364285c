"""Reading dumps: any source, any format, one span frame."""

from __future__ import annotations

import gc
import sys
from contextlib import closing, contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from tqdm.auto import tqdm

from tracelab.errors import LoadError, LoadWarning, TracelabError, warn_caller
from tracelab.loaders.columns.assemble import assemble
from tracelab.loaders.columns.chunk import Chunk
from tracelab.loaders.columns.missing_ids import count_missing_ids
from tracelab.loaders.formats import FAMILIES, NAMES, OTAP, OTLP_PROTO, ROWS, ZIPKIN
from tracelab.loaders.input.archives import BrokenArchive, leaves
from tracelab.loaders.input.columnar import is_columnar, open_columnar
from tracelab.loaders.input.cutting import BLANK
from tracelab.loaders.input.sources import Source, Stream, sources_of
from tracelab.loaders.json_reader import as_utf8, read_json
from tracelab.loaders.log_reader import is_log, is_text, read_log
from tracelab.loaders.log_services import WITHOUT_SPANS, answers_of
from tracelab.loaders.others.parquet import chunk_of, parts_of_one
from tracelab.loaders.otlp.framing import FIXED, JsonMessages, framing_of, is_framed_json, read_proto
from tracelab.loaders.otlp.otap_messages import read_records, records_framing_of
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings, Problem, SourceFindings, report_frame, summary
from tracelab.loaders.rows import objects as rows
from tracelab.loaders.rows import parquet as rows_parquet
from tracelab.loaders.rows import separated
from tracelab.loaders.rows.names import asked_of
from tracelab.loaders.sniff import parquet_format_of
from tracelab.options import flag, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracelab.loaders.input.sources import Readable
    from tracelab.loaders.rows.names import Asked

_SNIFFED: Final = 1 << 16
_MARK: Final = 8
_LARGE: Final = 64 << 20
FORMATS: Final[dict[str, tuple[str, ...]]] = {"auto": (), **{name: (name,) for name in NAMES}, **FAMILIES}
"""What `format` may say, and the formats that are meant by it; `auto` means all."""


Loaded = Chunk | pl.DataFrame
"""What a source gives: decoded chunks, or a frame that tracelab wrote."""


def read(
    source: Any,
    *,
    format: str = "auto",  # noqa: A002 - the word that fits
    columns: dict[str, str | tuple[str, str]] | None = None,
    strict: bool = False,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Read trace dumps into one span frame.

    Formats are told apart by their content, and one trace gives one frame whatever format it comes in, but for what
    a format cannot carry: Jaeger and Zipkin have microseconds, and no attributes of links and scopes; Zipkin has text
    only as attributes. Parts of one trace in several places come together, also where a sender cut the trace id to its
    last 16 characters: a short id becomes the one long id that ends like it, if a span of the one has its parent in
    the other. A span that was delivered twice counts once; one without ids gets ids of its own. Whatever had to be
    repaired, skipped or guessed is counted; one `LoadWarning` sums it up, and `load_report` lists it.

    Parameters
    ----------
    source
        A path, a glob pattern, a folder (with its subfolders, without hidden files, code and package lists), bytes, a
        binary file object, an address (`https://`, `s3://` and what else fsspec knows; `pip install
        'tracelab-kit[remote]'`), or a list of these. gzip, zstd, bzip2, xz, zip and tar are seen by their first bytes;
        a member of an archive is a source of its own, named `archive.zip!/path/in/it`.
    format
        `auto`, or the one format that is expected, by its word in the table of formats in the README (`otlp-json`,
        `zipkin`, `clickhouse`, ...) or by a family: `otlp`, `jaeger`, `tempo`, `clickhouse`.
    columns
        Which column is which, where rows (JSON lines, a JSON list, CSV, parquet) have other names than those that are
        known: `{"trace_id": "tid", "start_time": "t0", "duration": ("took", "ms")}`. With it everything is read as
        rows. Keys are `trace_id`, `span_id`, `parent_span_id`, `name`, `kind`, `service_name`, `start_time`,
        `end_time`, `duration`, `status_code`, `status_message`, `error`, `success`, `trace_state`, `flags`,
        `scope_name`, `scope_version`, `events`, `links`, `attributes`, `resource_attributes` and `scope_attributes`;
        values are columns of the file, for times and durations with a unit (`ns`, `us`, `ms`, `s`) where it cannot be
        guessed. Columns that are not named are recognised as usual, and every other one is an attribute. One of them
        must be a start or an end.
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
    TracelabError
        `strict` or `progress` is neither True nor False, or `columns` names what no span has.

    Examples
    --------
    >>> dump = b'''{"resourceSpans": [{"scopeSpans": [{"spans": [
    ...     {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "GET /",
    ...      "kind": 2, "startTimeUnixNano": "1767225600000000000", "endTimeUnixNano": "1767225600250000000"}]}]}]}'''
    >>> read(dump).select("name", "kind", "duration").row(0)
    ('GET /', 'server', datetime.timedelta(microseconds=250000))

    >>> table = b'''tid,sid,what,t0,took
    ... 1a,2b,GET /,2026-01-01T00:00:00Z,250'''
    >>> asked = {"trace_id": "tid", "span_id": "sid", "name": "what", "start_time": "t0", "duration": ("took", "ms")}
    >>> read(table, columns=asked).select("name", "duration").row(0)
    ('GET /', datetime.timedelta(microseconds=250000))
    """
    return _read(source, format, columns, strict=strict, progress=progress)


def read_otlp(source: Any, *, strict: bool = False, progress: bool | None = None) -> pl.DataFrame:
    """Read OTLP, JSON or protobuf, as the OpenTelemetry Collector writes it; see `read`.

    Returns
    -------
    A span frame, as `read` gives it.

    Examples
    --------
    >>> read_otlp(b'{"resourceSpans": []}').height
    0
    """
    return _read(source, "otlp", None, strict=strict, progress=progress)


def read_jaeger(source: Any, *, strict: bool = False, progress: bool | None = None) -> pl.DataFrame:
    """Read Jaeger's traces, of its API, its storage model or Elasticsearch; see `read`.

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
    return _read(source, "jaeger", None, strict=strict, progress=progress)


def read_zipkin(source: Any, *, strict: bool = False, progress: bool | None = None) -> pl.DataFrame:
    """Read Zipkin JSON of version 2 or 1; see `read`.

    A server that shares the client's span id gets an id of its own below the client, partial rows of one span are put
    together, and spans without a kind are `internal`.

    Returns
    -------
    A span frame, as `read` gives it.

    Examples
    --------
    >>> read_zipkin(b'[{"traceId": "1", "id": "2", "name": "get", "timestamp": 5, "duration": 7}]')["name"].item()
    'get'
    """
    return _read(source, ZIPKIN, None, strict=strict, progress=progress)


def read_tempo(source: Any, *, strict: bool = False, progress: bool | None = None) -> pl.DataFrame:
    """Read traces of Tempo: from its API (`/api/traces/<id>`, `/api/v2/traces/<id>`), or its blocks; see `read`.

    Returns
    -------
    A span frame, as `read` gives it.

    Examples
    --------
    >>> read_tempo(b'{"batches": []}').height
    0
    """
    return _read(source, "tempo", None, strict=strict, progress=progress)


def load_report(
    source: Any,
    *,
    format: str = "auto",  # noqa: A002 - the word that fits
    columns: dict[str, str | tuple[str, str]] | None = None,
) -> pl.DataFrame:
    """List what reading a source repaired, skipped or guessed; the options are those of `read`.

    Returns
    -------
    `source` (String), `format` (String), `problem` (String; `spans` is no problem: its count is the number of spans
    in the source), `action` (Enum: read, repaired, guessed, kept, dropped, skipped), `count` (Int64), `lost_spans`
    (Int64; spans in the source that are not in the frame because of it, negative where one span became two),
    `first_place` (String; line, list item or byte, and path in it), `example` (String), `explanation` (String). One
    row per source and problem; sources as they were read, `spans` first, then problems by name. Spans in the source
    are the frame's rows and the lost spans together.

    Examples
    --------
    >>> load_report(b'{"resourceSpans": []}').select("problem", "action", "count").rows()
    [('spans', 'read', 0)]
    """
    return report_frame(_load(source, format, columns, strict=False, progress=False)[1])


def _read(source: Any, format: str, columns: Any, *, strict: bool, progress: bool | None) -> pl.DataFrame:  # noqa: A002 - the word that fits
    spans, findings = _load(source, format, columns, strict=strict, progress=progress)
    if text := summary(findings):
        warn_caller(text, LoadWarning)
    return spans


def _load(
    source: Any,
    format: Any,  # noqa: A002
    columns: Any,
    *,
    strict: bool,
    progress: bool | None,
) -> tuple[pl.DataFrame, list[SourceFindings]]:
    if not (isinstance(format, str) and format in FORMATS):
        near = get_close_matches(format, FORMATS, n=1) if isinstance(format, str) else []
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise LoadError(f"There is no format {shown(format)}.{hint} Known: {', '.join(FORMATS)}.")
    asked = asked_of(columns)
    if asked and format not in ("auto", ROWS):
        raise TracelabError(f"`columns` is for rows, and format={format!r} has names of its own. Leave one out.")
    flag("strict", strict)
    if progress is not None:
        flag("progress", progress)
    sources = sources_of(source)
    found: list[SourceFindings] = []
    chunks: list[tuple[int, Loaded]] = []
    failures: list[LoadError] = []
    with without_garbage_collection():
        # Closed here, and not when it is forgotten, since what Ctrl-C raises then is printed and gone.
        with _bar(sources, progress) as bar, closing(leaves(sources, bar.update)) as dumps:
            for number, leaf in enumerate(dumps):
                one = SourceFindings(leaf.name, "unknown")
                found.append(one)
                try:
                    for chunk in chunks_in(leaf.stream(), format, one, asked):
                        chunks.append((number, chunk))
                        if strict:
                            one.findings.raise_first(leaf.name)
                except LoadError as error:
                    if strict:
                        raise
                    failures.append(error)
                    partly = bool(chunks) and chunks[-1][0] == number
                    one.findings.add(_failure(error, partly), example=str(error).removeprefix(f"{leaf.name}: "))
        if len(failures) == len(found) and not (chunks and len(found) > 1):
            raise (
                failures[0]
                if len(found) == 1
                else LoadError(f"None of the {len(found)} sources is a trace dump. The first: {failures[0]}")
            )
        if len(found) == 1 and not any(_height(chunk) for _, chunk in chunks) and (text := summary(found)):
            raise LoadError(f"{found[0].source}: no span can be read: {text}")
        overall = found[0].findings if len(found) == 1 else Findings()
        spans = _together(chunks, [each.findings for each in found], overall)
    if len(found) > 1 and overall.found:
        found.append(SourceFindings("(all sources together)", "", overall))
    if strict:
        for one in found:
            one.findings.raise_first(one.source)
    return spans, found


def _failure(error: LoadError, partly: bool) -> Problem:
    if isinstance(error, BrokenArchive):
        return problems.BROKEN_ARCHIVE
    return problems.BROKEN_SOURCE if partly else problems.BAD_SOURCE


def _height(chunk: Loaded) -> int:
    return chunk.height


def _together(chunks: list[tuple[int, Loaded]], findings: list[Findings], overall: Findings) -> pl.DataFrame:
    """Put chunks together; frames that tracelab wrote stay as they are where nothing else is read with them."""
    kept = [chunk for _, chunk in chunks if isinstance(chunk, pl.DataFrame)]
    if kept and len(kept) == len(chunks):
        if len(kept) == 1:
            return kept[0]
        if (whole := parts_of_one(kept)) is not None:
            return whole
    split = []
    for number, chunk in chunks:
        if isinstance(chunk, pl.DataFrame):
            count_missing_ids(chunk, findings[number])
        split.append((number, chunk_of(chunk) if isinstance(chunk, pl.DataFrame) else chunk))
    chunks.clear()
    return assemble(split, findings, overall)


def chunks_in(stream: Stream, format: str, found: SourceFindings, asked: Asked | None) -> Iterator[Loaded]:  # noqa: A002 - the word that fits
    """Decode one stream, as what it is or as the one format that is meant."""
    accepted = FORMATS[format]

    def named(name: str) -> None:
        found.format = name
        if accepted and name not in accepted:
            raise LoadError(f"{stream.name}: it is {name}, not {format}. Read it with format={name!r}, or with 'auto'.")

    if asked or format == ROWS:
        named(ROWS)
        yield from _rows(stream, found.findings, named, asked)
    elif is_columnar(stream.peek(_MARK)):
        yield from _columnar_chunks(stream, found, named)
    else:
        yield from _decoded(stream, found.findings, named)


def _columnar_chunks(stream: Stream, found: SourceFindings, named: Callable[[str], None]) -> Iterator[Loaded]:
    file = open_columnar(stream.path, b"" if stream.path else stream.read_all(), stream.name)
    format = parquet_format_of(file)  # noqa: A001 - the word that fits
    named(format.name)
    yield from format.chunks(file, found.findings)


def _decoded(stream: Stream, findings: Findings, named: Callable[[str], None]) -> Iterator[Chunk]:
    """Decode a stream as what its first bytes say."""
    head = stream.peek(_SNIFFED)
    if (records := records_framing_of(head)) is not None:
        named(OTAP)
        yield from read_records(stream, records, findings)
        return
    text = head.lstrip(BLANK)[:1]
    framing = None if text in (b"{", b"[") or is_text(head) else framing_of(head)
    if framing is None:
        yield from _of_text(as_utf8(stream, findings), findings, named)
    elif framing == FIXED and is_framed_json(head):
        yield from read_json(JsonMessages(stream, findings), findings, named)
    else:
        named(OTLP_PROTO)
        yield from read_proto(stream, framing, findings)


def _of_text(stream: Readable, findings: Findings, named: Callable[[str], None]) -> Iterator[Chunk]:
    """Decode text: a table, JSON, or a log with spans in it."""
    head = stream.peek(separated.SNIFFED)
    table = head.lstrip(BLANK)[:1] not in (b"{", b"[")
    header = separated.header_of(head) if table else None
    if header is not None:
        named(ROWS)
        yield from separated.read_separated(stream, header, None, findings)
        return
    try:
        answers = answers_of(stream, findings)
        if answers is not None:
            yield from read_log(answers, findings, named, WITHOUT_SPANS)
        else:
            yield from (read_log if is_log(stream) else read_json)(stream, findings, named)
    except LoadError as error:
        reason = separated.refusal(head) if table else rows.refusal(head)
        if reason is None:
            raise
        raise LoadError(f"{stream.name}: no trace dump: {reason}.") from error


def _rows(stream: Stream, findings: Findings, named: Callable[[str], None], asked: Asked | None) -> Iterator[Chunk]:
    """Decode a stream as rows, whatever it looks like."""
    if is_columnar(stream.peek(_MARK)):
        file = open_columnar(stream.path, b"" if stream.path else stream.read_all(), stream.name)
        yield from rows_parquet.chunks(file, findings, asked)
        return
    text = as_utf8(stream, findings)
    head = text.peek(separated.SNIFFED)
    header = separated.header_of(head, asked, forced=True) if head.lstrip(BLANK)[:1] not in (b"{", b"[") else None
    if header is None:
        yield from read_json(text, findings, named, asked, as_rows=True)
    else:
        yield from separated.read_separated(text, header, asked, findings)


def _bar(sources: list[Source], progress: bool | None) -> Any:
    """Make the progress bar, which counts the bytes that were read (of compressed files: compressed)."""
    sizes = [source.size for source in sources]
    total = sum(size or 0 for size in sizes)
    watched = "ipykernel" in sys.modules or sys.stderr.isatty()
    shown = total >= _LARGE and watched if progress is None else progress
    known = total if None not in sizes else None
    return tqdm(total=known, unit="B", unit_scale=True, unit_divisor=1024, desc="Reading spans", disable=not shown)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Do not look for cycles: decoding makes millions of objects and none, and the search costs more than decoding."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


__all__ = ["load_report", "read", "read_jaeger", "read_otlp"]

"""JSON dumps piece by piece: which format, which pieces go the fast way, which the tolerant one."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tracelab.errors import LoadError
from tracelab.loaders.columns.builder import Builder
from tracelab.loaders.columns.chunk import Chunk
from tracelab.loaders.columns.key_values import DoesNotFit
from tracelab.loaders.documents.envelopes import opened
from tracelab.loaders.documents.fields import at, walked
from tracelab.loaders.formats import BY_NAME, OTLP_JSON, ROWS, WRAPPERS, JsonFormat
from tracelab.loaders.input.cutting import BLANK, Piece, Rest, closed, lines, objects
from tracelab.loaders.input.lenient_json import NotJson, decode
from tracelab.loaders.input.log_templates import LogTemplates
from tracelab.loaders.input.parallel import in_order
from tracelab.loaders.input.sources import Readable, Recoded
from tracelab.loaders.input.whole import LARGEST, one_line, pieces_of
from tracelab.loaders.otlp import fast as otlp_fast
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.loaders.rows.objects import chunk_of_documents, level_of_rows
from tracelab.loaders.sniff import (
    OTHER,
    SUPPORTED,
    beside,
    format_of,
    is_marked,
    is_told_by_values,
    level_of,
    probed,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracelab.loaders.rows.names import Asked

_SNIFFED: Final = 1 << 20
_LONGEST_FIRST_LINE: Final = 16 << 20
_SMALL: Final = 256 << 10
_PARTS: Final = 8
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OPEN_LIST: Final = re.compile(r"\[[0,\s]*")
_BETWEEN: Final = re.compile(r"[ \t\r\n,\x00\x1e]*")
_OTHER_SIGNALS: Final = (b'{"resourceLogs"', b'{"resourceMetrics"', b'{"resourceProfiles"')

Decoded = tuple[list[Chunk], Findings]


@dataclass(slots=True)
class State:
    """What is known about a file so far.

    `as_rows` says that it is read as rows, whatever it looks like, with the columns that were `asked` for. Documents of
    rows that were met one by one are `held`, for rows are read by whole columns. Lines like those `without_spans` are
    not asked for again.
    """

    format: str | None = None
    bare: bool = False
    seen: bool = False
    refused: str = ""
    name: str = ""
    as_rows: bool = False
    asked: Asked | None = None
    held: list[tuple[Any, str]] = field(default_factory=list)
    without_spans: LogTemplates = field(default_factory=lambda: LogTemplates([], is_told_by_values))


@dataclass(slots=True)
class Gathered:
    """Pieces that cannot be decoded one by one, such as rows of Zipkin, which belong together across a whole file."""

    pieces: list[Piece] = field(default_factory=list)
    around: list[dict[str, Any]] = field(default_factory=list)


def read_json(
    stream: Readable,
    findings: Findings,
    named: Callable[[str], None],
    asked: Asked | None = None,
    *,
    as_rows: bool = False,
) -> Iterator[Chunk]:
    """Read a JSON dump, chunk by chunk; `named` is told the format. With `as_rows` everything is rows."""
    state = State(format=ROWS if as_rows else None, name=stream.name, as_rows=as_rows, asked=asked)
    rest = Rest()
    stream = as_utf8(stream, findings)
    by_lines = _is_lines(stream, state)
    whole = None if by_lines else _whole(stream, state)
    level = level_of_rows(asked) if as_rows else level_of
    pieces = lines(stream, findings) if by_lines else whole or objects(stream, rest, level)
    state.bare = not by_lines or state.bare
    yield from read_pieces(pieces, state, findings, named, None if by_lines or whole is not None else rest)
    if not state.seen:
        raise LoadError(f"{stream.name}: no trace dump: {state.refused or 'it is empty'}. Supported: {SUPPORTED}.")


def read_pieces(
    pieces: Iterator[Piece],
    state: State,
    findings: Findings,
    named: Callable[[str], None],
    rest: Rest | None = None,
) -> Iterator[Chunk]:
    """Read pieces of JSON texts, chunk by chunk, then what is left around them; `named` is told the format."""
    gathered = Gathered()
    for chunks, found in in_order(lambda piece: _decode(piece, state, gathered), pieces):
        findings.merge(found)
        if state.format:
            named(state.format)
        yield from chunks
    if rest is not None:
        yield from _read_rest(rest, state, findings, gathered)
    if gathered.pieces:
        yield _gathered_chunk(gathered, state, findings)
    if state.held:
        yield _chunk_of_rows(iter(()), state, findings)


def as_utf8(stream: Readable, findings: Findings) -> Readable:
    """Give a stream of text in UTF-8, without a byte order mark."""
    head = stream.peek(4)
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if encoding is None and len(head) == 4 and (head[1::2] == b"\0\0") != (head[::2] == b"\0\0"):
        encoding = "utf-16-le" if head[1] == 0 else "utf-16-be"
    if encoding is None:
        if head.startswith(codecs.BOM_UTF8):
            stream.read(len(codecs.BOM_UTF8))
        return stream
    findings.add(problems.UTF16, example=encoding)
    return Recoded(stream, encoding)


def _is_lines(stream: Readable, state: State) -> bool:
    """Say whether every line is a document that the fast way or the tolerant one can take as it is."""
    size = _SNIFFED
    head = stream.peek(size)
    while b"\n" not in head.lstrip(BLANK) and len(head) == size and size < _LONGEST_FIRST_LINE:
        size *= 4
        head = stream.peek(size)
    line, newline, following = head.lstrip(BLANK).partition(b"\n")
    if not newline or line[:1] not in (b"{", b"["):
        return False
    probe = probed(line)
    if probe is not None and probe.is_otlp() and not state.as_rows:
        state.bare = probe.is_bare()
        state.format = OTLP_JSON
        return True
    try:
        document = decode(line, Findings(), "")
    except NotJson:
        return _goes_on(stream, line, state)
    following = following.lstrip(BLANK)
    if following and (following[:1] not in (b"{", b"[") or following.split(b"\n", 1)[0].strip(BLANK) in (b"{", b"[")):
        return False
    if not state.as_rows and (format_of(document) == OTLP_JSON or (isinstance(document, dict) and "data" in document)):
        return False
    return bool(following) or isinstance(document, list)


def _goes_on(stream: Readable, first: bytes, state: State) -> bool:
    """Say whether lines with documents follow one that is damaged, or whether they are the rest of what it begins.

    Behind what is no bracket, comma or colon no object can be a part of anything, nor behind another object.
    """
    wanted = 2 if first.rstrip(BLANK).endswith((b"[", b"{", b",", b":")) else 1
    size, content = _SNIFFED, stream.peek(_SNIFFED)
    while content.lstrip(BLANK).count(b"\n") <= wanted and len(content) == size and size < _LONGEST_FIRST_LINE:
        size *= 4
        content = stream.peek(size)
    texts = [text.strip(BLANK) for text in content.lstrip(BLANK).split(b"\n", wanted + 1)[1 : wanted + 1]]
    if len(texts) < wanted or not all(text.startswith(b"{") for text in texts):
        return False
    probes = [probed(text) for text in texts]
    if not state.as_rows and all(probe is not None and probe.is_otlp() for probe in probes):
        state.bare = any(probe is not None and probe.is_bare() for probe in probes)
        state.format = OTLP_JSON
        return True
    try:
        documents = [decode(text, Findings(), "") for text in texts]
    except NotJson:
        return False
    return state.as_rows or all(format_of(each) is not None and "data" not in each for each in documents)


def _whole(stream: Readable, state: State) -> Iterator[Piece] | None:
    """Cut a document that is not too large as a whole, if it is built like one that is known."""
    content = stream.peek(LARGEST + 1)
    if len(content) > LARGEST:
        return None
    return pieces_of(content) or _one_piece(content, state)


def _one_piece(content: bytes, state: State) -> Iterator[Piece] | None:
    """Take a document as it is, if it is of a format that the names of its keys do not tell."""
    if not state.as_rows and is_marked(content):
        return None
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    known = BY_NAME.get(ROWS if state.as_rows else format_of(document) or "")
    return iter([one_line(content)]) if known is not None and not known.marked else None


def _decode(piece: Piece, state: State, gathered: Gathered) -> Decoded:
    """Decode a piece, the fast way if it fits."""
    if state.format is None:
        state.format = _first_format(piece)
    if state.format == OTLP_JSON:
        return _decode_otlp(piece, state)
    known = BY_NAME.get(state.format or "")
    if known is not None and (known.gathered or known.columnar):
        gathered.pieces.append(piece)
        return [], Findings()
    if known is not None and known.fast:
        try:
            found = known.fast(piece)
        except DoesNotFit:
            return _decode_tolerantly(piece, state)
        state.seen = True
        return found
    return _decode_tolerantly(piece, state)


def _first_format(piece: Piece) -> str | None:
    """Name the format of the first document in a piece that has one."""
    for line in piece.content.split(b"\n", 100)[:100]:
        if line.strip(BLANK):
            probe = probed(line)
            if probe is not None and probe.is_otlp():
                return OTLP_JSON
            try:
                found = format_of(decode(line, Findings(), ""))
            except NotJson:
                continue
            if found is not None and found != OTHER:
                return found
    return None


def _decode_otlp(piece: Piece, state: State) -> Decoded:
    try:
        chunk, findings = otlp_fast.chunk_of(piece, bare=state.bare)
    except DoesNotFit:
        pass
    else:
        state.seen = True
        return [chunk], findings
    if any(name in piece.content for name in _OTHER_SIGNALS):
        return _decode_mixed(piece, state)
    if len(piece.content) > _SMALL and b"\n" in piece.content:
        return _merged([_decode_otlp(part, state) for part in _parts(piece)])
    return _decode_tolerantly(piece, state)


def _decode_mixed(piece: Piece, state: State) -> Decoded:
    """Put lines of logs and metrics aside, and decode the others."""
    texts = piece.content.split(b"\n")
    aside = [number for number, text in enumerate(texts) if text.startswith(_OTHER_SIGNALS)]
    kept = [number for number, text in enumerate(texts) if not text.startswith(_OTHER_SIGNALS) and text.strip(BLANK)]
    if not aside:
        return _decode_tolerantly(piece, state)
    findings = Findings()
    findings.add(problems.OTHER_SIGNALS, len(aside), place=piece.origin(aside[0]))
    places = [piece.origin(number) for number in kept]
    traces = _Lines(b"\n".join(texts[number] for number in kept), places=places)
    if not kept:
        return [], findings
    chunks, found = _decode_otlp(traces, state)
    findings.merge(found)
    return chunks, findings


@dataclass(slots=True)
class _Lines(Piece):
    """Lines of a piece that do not stand one after another."""

    places: list[str] | None = None

    def origin(self, line: int) -> str:
        return (self.places or [])[line]


def _parts(piece: Piece) -> Iterator[Piece]:
    """Cut a piece into smaller ones."""
    texts = piece.content.split(b"\n")
    step = -(-len(texts) // _PARTS)
    for start in range(0, len(texts), step):
        some = texts[start : start + step]
        yield _Lines(b"\n".join(some), places=[piece.origin(start + number) for number in range(len(some))])


def _merged(decoded: list[Decoded]) -> Decoded:
    findings = Findings()
    for _, found in decoded:
        findings.merge(found)
    return [chunk for chunks, _ in decoded for chunk in chunks], findings


def _decode_tolerantly(piece: Piece, state: State) -> Decoded:
    """Decode document by document into Python objects; those without spans are asked for once if many are alike."""
    builder, templates, without = Builder(), state.without_spans, 0
    for number, text in enumerate(piece.content.split(b"\n")):
        stripped = text.strip(BLANK)
        if not stripped:
            continue
        if not state.as_rows and templates.has(stripped):
            without += 1
            continue
        before = _without_spans(builder.findings)
        read_document(stripped, piece.origin(number), builder, state)
        if _without_spans(builder.findings) > before:
            templates.learn(stripped.decode("utf-8", "replace"))
    builder.findings.add(problems.NO_SPANS_IN_JSON, without)
    # To finish a builder takes as long as many lines, and nothing is in it where no line had spans.
    chunks = [builder.finish()] if len(builder) or not without else []
    return chunks, builder.findings


def _without_spans(findings: Findings) -> int:
    found = findings.found.get(problems.NO_SPANS_IN_JSON.name)
    return found.count if found else 0


def _gathered_chunk(gathered: Gathered, state: State, findings: Findings) -> Chunk:
    """Decode all documents of a file together, in the order of the file."""
    builder = Builder()
    known = BY_NAME[state.format or ""]

    def rows() -> Iterator[tuple[Any, str]]:
        for piece in sorted(gathered.pieces, key=lambda piece: piece.offsets[0] if piece.offsets else piece.first):
            for number, text in enumerate(piece.content.split(b"\n")):
                stripped = text.strip(BLANK)
                document = _decoded(stripped, builder, piece.origin(number), state) if stripped else None
                if known.columnar and (state.as_rows or (isinstance(document, dict) and known.holds(document))):
                    yield document, piece.origin(number)
                elif document is not None:
                    yield from _wanted(document, known, builder, piece.origin(number))
            piece.text = b""
        for document in gathered.around:
            yield document, "around the objects"

    if known.columnar:
        chunk = _chunk_of_rows(rows(), state, findings)
        findings.merge(builder.findings)
        return chunk
    if known.gathered:
        known.gathered(rows(), builder)
    state.seen = True
    chunk = builder.finish()
    findings.merge(builder.findings)
    return chunk


def _chunk_of_rows(documents: Iterator[tuple[Any, str]], state: State, findings: Findings) -> Chunk:
    """Read documents of rows, and those that were held back before."""
    held, state.held = state.held, []
    state.seen = True
    every = chain(documents, held)
    return chunk_of_documents(every, findings, state.asked, state.name, forced=state.as_rows)


def _decoded(text: bytes, builder: Builder, place: str, state: State, unread: object = None) -> Any:
    """Decode a document; `unread`, counted, if it is no JSON."""
    try:
        return decode(text, builder.findings, place)
    except NotJson as error:
        builder.findings.add(problems.BAD_JSON, place=place, example=str(error))
        state.refused = state.refused or f"{place} is no JSON: {error}"
        return unread


def read_document(text: bytes, place: str, builder: Builder, state: State) -> None:
    """Decode one document and add its spans; what cannot be used is counted."""
    unread = object()
    document = _decoded(text, builder, place, state, unread)
    if document is unread:
        return
    found = ROWS if state.as_rows else format_of(document)
    if found == OTHER:
        builder.findings.add(problems.OTHER_SIGNALS, place=place)
        state.refused = state.refused or "it holds logs, metrics or profiles, but no spans"
    elif found is None:
        reason = refusal(document)
        problem = problems.NO_SPANS_IN_JSON if place.startswith("line ") else problems.OTHER_OBJECTS
        none_lost = beside(document)
        builder.findings.add(none_lost or problem, place=place, example=None if none_lost else reason)
        state.refused = state.refused or reason
    else:
        state.format = state.format or found
        state.seen = True
        if BY_NAME[found].columnar:
            state.held.append((document, place))
        else:
            _read_known(document, BY_NAME[found], builder, place)


def _read_known(document: Any, known: JsonFormat, builder: Builder, place: str) -> None:
    """Add the spans of every object of a format in a document; what else stands there is counted."""
    if known.gathered:
        known.gathered(_wanted(document, known, builder, place), builder)
        return
    for held, where in _fitting(document, known, builder, place):
        if known.read:
            known.read(held, builder, where)


def _wanted(document: Any, known: JsonFormat, builder: Builder, place: str) -> Iterator[tuple[Any, str]]:
    """Give what a format that gathers asks for: the objects in a document, or all of it without its envelopes."""
    if not known.around:
        yield from _fitting(document, known, builder, place)
    elif isinstance(document, dict) and (problem := beside(document)) is not None:
        builder.findings.add(problem, place=place)
    else:
        for held in opened(document):
            yield held, place


def _fitting(document: Any, known: JsonFormat, builder: Builder, place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Give the objects of a format in a document; those of other formats are read at once, the rest is counted."""

    def told(held: dict[str, Any]) -> bool:
        return known.holds(held) or beside(held, 0) is not None

    for held, path, stops in walked(document, told, WRAPPERS):
        where = at(place, path)
        if (stops and known.holds(held)) or (known.is_part and isinstance(held, dict) and known.is_part(held)):
            yield held, where
        elif (problem := beside(held)) is not None:
            builder.findings.add(problem, place=where)
        elif (other := BY_NAME.get(format_of(held) or "")) is not None and other.read:
            other.read(held, builder, where)
        elif known.of_spans or place.startswith("byte "):
            builder.findings.add(problems.OTHER_OBJECTS, place=where, example=held)
        else:
            builder.findings.spans += 1
            builder.findings.add(problems.BAD_SPAN, place=where, example=held, lost_spans=1)


def _read_rest(rest: Rest, state: State, findings: Findings, gathered: Gathered) -> Iterator[Chunk]:
    """Look at what stands around the objects, and save what can be saved of one that breaks off."""
    known = BY_NAME.get(state.format or "")
    for document in _skeleton(rest, findings, state):
        if format_of(document) == OTLP_JSON or document == 0:
            state.seen = state.seen or isinstance(document, dict)
        elif not state.seen:
            state.refused = _better(refusal(document), state.refused)
        if known is not None and known.loose and isinstance(document, dict):
            gathered.around.append({key: held for key, held in document.items() if not _is_cut_out(held)})
        status = document.get("status") if isinstance(document, dict) else None
        if status in ("PARTIAL", 1):
            findings.add(problems.PARTIAL, example=str(document.get("message", "")))
    if rest.unclosed:
        builder = Builder()
        builder.findings.add(problems.TRUNCATED, place=f"byte {rest.offset}")
        text = closed(rest.unclosed)
        if text:
            read_document(text, f"byte {rest.offset}", builder, state)
        findings.merge(builder.findings)
        if len(builder):
            yield builder.finish()
            findings.merge(Findings(spans=len(builder)))
        elif not state.seen:
            state.refused = "it ends in the middle of the first object. Copy or export it again"


def _skeleton(rest: Rest, findings: Findings, state: State) -> Iterator[Any]:
    """Decode what is left of the documents without their objects."""
    text = rest.skeleton.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    position = 0
    while (position := _next(text, position)) < len(text):
        try:
            document, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            known = BY_NAME.get(state.format or "")
            if not rest.unclosed and not (known is not None and known.loose and _OPEN_LIST.fullmatch(text, position)):
                findings.add(problems.BAD_JSON, place="between the objects", example=text[position : position + 80])
                state.refused = state.refused or f"it is no JSON: {error!s:.200}"
            return
        yield document


def _is_cut_out(content: Any) -> bool:
    """Say whether nothing is left of a value, because the objects in it were cut out."""
    return all(item == 0 for item in content) if isinstance(content, list) else content == 0


def _next(text: str, position: int) -> int:
    """Skip what may stand between documents."""
    found = _BETWEEN.match(text, position)
    return found.end() if found else position


def _better(reason: str, before: str) -> str:
    """Prefer the reason that names what the dump looks like."""
    return reason if "looks like" in reason or not before else before

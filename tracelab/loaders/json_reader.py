"""JSON dumps, document by document: lines, one document, or several after one another."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tracelab.errors import LoadError
from tracelab.loaders import jaeger, otlp_tolerant, problems
from tracelab.loaders.builder import Builder
from tracelab.loaders.chunk import Chunk
from tracelab.loaders.findings import Findings
from tracelab.loaders.json_input import NotJson, decode
from tracelab.loaders.sniff import JAEGER_JSON, OTHER, OTLP_JSON, format_of, refusal
from tracelab.loaders.sources import Stream

_SNIFFED: Final = 1 << 20
_BLOCK: Final = 8 << 20
_SPANS_IN_CHUNK: Final = 50_000
_BLANK: Final = b" \t\r\n\x00"
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SPACE: Final = re.compile(r"[\s,\x00\x1e]*")


@dataclass(slots=True)
class Text:
    """A JSON text and where it stands."""

    content: bytes
    place: str


def read_json(stream: Stream, wanted: str | None, findings: Findings, named: Callable[[str], None]) -> Iterator[Chunk]:
    """Read a JSON dump, chunk by chunk; `named` is told the format."""
    builder = Builder()
    known = wanted
    refused = ""
    seen = False
    for text in _texts(stream, findings):
        try:
            document = decode(text.content, builder.findings, text.place)
        except NotJson as error:
            builder.findings.add(problems.BAD_JSON, place=text.place, example=str(error))
            refused = refused or f"{text.place} is no JSON: {error}"
            continue
        found = format_of(document)
        if found == OTHER:
            builder.findings.add(problems.OTHER_SIGNALS, place=text.place)
            refused = refused or "it holds logs or metrics, but no spans"
            continue
        if found is None:
            reason = refusal(document)
            builder.findings.add(problems.NO_SPANS_IN_JSON, place=text.place, example=reason)
            refused = refused or reason
            continue
        known = known or found
        seen = True
        named(known)
        _READERS[found](document, builder, text.place)
        if len(builder) >= _SPANS_IN_CHUNK:
            yield _finish(builder, findings)
            builder = Builder()
    yield _finish(builder, findings)
    if not seen:
        raise LoadError(f"{stream.name}: no trace dump: {refused or 'it is empty'}. Supported: {SUPPORTED}.")


SUPPORTED: Final = "OTLP JSON and protobuf, Jaeger JSON, Zipkin, Tempo, SDK console output, ClickHouse rows, parquet by tracelab"


def _finish(builder: Builder, findings: Findings) -> Chunk:
    chunk = builder.finish()
    findings.merge(builder.findings)
    return chunk


def _read_otlp(document: Any, builder: Builder, place: str) -> None:
    for held, path in otlp_tolerant.resource_spans(document):
        otlp_tolerant.read_resource_spans(held, builder, f"{place}, {path}" if path else place)


def _read_jaeger(document: Any, builder: Builder, place: str) -> None:
    for trace, path in jaeger.traces(document):
        jaeger.read_trace(trace, builder, f"{place}, {path}" if path else place)


_READERS: Final = {OTLP_JSON: _read_otlp, JAEGER_JSON: _read_jaeger}


def _texts(stream: Stream, findings: Findings) -> Iterator[Text]:
    """Cut the input into JSON texts."""
    head = stream.peek(_SNIFFED)
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if encoding is not None:
        findings.add(problems.UTF16, example=encoding)
        content = _all(stream).decode(encoding, "replace").encode("utf-8")
        yield from _documents(content, findings)
    elif _is_lines(head):
        yield from _lines(stream)
    else:
        yield from _documents(_all(stream), findings)


def _is_lines(head: bytes) -> bool:
    """Say whether every line is a JSON text of its own, judging by the first."""
    line, newline, rest = head.removeprefix(codecs.BOM_UTF8).lstrip(_BLANK).partition(b"\n")
    if not newline or line[:1] not in b"{[":
        return False
    try:
        decode(line, Findings(), "")
    except NotJson:
        return False
    following = rest.lstrip(_BLANK)
    return not following or following[:1] in b"{["


def _lines(stream: Stream) -> Iterator[Text]:
    number, rest = 0, b""
    while block := stream.read(_BLOCK):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        for line in lines:
            number += 1
            stripped = line.removeprefix(codecs.BOM_UTF8).strip(_BLANK)
            if stripped:
                yield Text(stripped, f"line {number}")
    if rest.strip(_BLANK):
        yield Text(rest.strip(_BLANK), f"line {number + 1}")


def _all(stream: Stream) -> bytes:
    parts = []
    while block := stream.read(_BLOCK):
        parts.append(block)
    return b"".join(parts)


def _documents(content: bytes, findings: Findings) -> Iterator[Text]:
    """Cut text into the JSON documents that stand in it one after another."""
    content = content.removeprefix(codecs.BOM_UTF8).strip(_BLANK)
    if not content:
        return
    try:
        decode(content, Findings(), "")
    except NotJson:
        pass
    else:
        yield Text(content, "document 1")
        return
    text = content.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    position, number = 0, 0
    while (position := _SPACE.match(text, position).end()) < len(text):  # type: ignore[union-attr]
        number += 1
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield Text(text[position:].encode("utf-8", "replace"), f"document {number}, character {position}: {error!s:.100}")
            return
        yield Text(text[position:end].encode("utf-8"), f"document {number}")
        position = end

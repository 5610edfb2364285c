"""Answers of log services as logs: every entry becomes a line of a log, wrapped as loggers wrap a text."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from tracelab.loaders.documents.log_answers import Entry, entries_of, is_answer, text_of_object
from tracelab.loaders.input.cutting import BLANK, LONGEST, closed
from tracelab.loaders.input.lenient_json import NotJson, decode
from tracelab.loaders.input.sources import Derived
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.loaders.sniff import format_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracelab.loaders.input.sources import Readable

_SNIFFED: Final = 1 << 16
_BLOCK: Final = 1 << 20
WITHOUT_SPANS: Final = "it looks like the answer of a log service, but no spans that tracelab knows are in its entries"
_SIZES: Final = (_SNIFFED, 1 << 20)
_MARKS: Final = re.compile(rb'"(?:textPayload|jsonPayload|streams|events|logEvents|results)"')


class Answers(Derived):
    """The entries of answers, one a line, each an object with its text."""

    def __init__(self, stream: Readable, entries: Iterator[list[Entry]]) -> None:
        super().__init__(stream.name)
        self._lines = map(_line, chain.from_iterable(entries))

    def _more(self, size: int) -> bytes | None:  # noqa: ARG002  (a line is as long as it is)
        return next(self._lines, None)


def answers_of(stream: Readable, findings: Findings) -> Readable | None:
    """Give the entries of answers as a log; None where a stream begins with anything else.

    It is one answer, or one a line. An answer is held as a whole; one that is too large for that is none.
    """
    head = stream.peek(_SNIFFED)
    if head.lstrip(BLANK)[:1] not in (b"{", b"[") or not _MARKS.search(head):
        return None
    if is_of_service(_document(head.lstrip(BLANK).partition(b"\n")[0])):
        return Answers(stream, _by_lines(stream, findings))
    if not _begins_answer(stream):
        return None
    content = stream.peek(LONGEST + 1)
    if len(content) > LONGEST:
        return None
    mended = Findings()
    document = _document(content, mended)
    if document is None:
        document = _document(closed(content), mended)
        mended.add(problems.TRUNCATED, place=f"byte {len(content)}")
    if not is_of_service(document):
        return None
    findings.merge(mended)
    stream.read(len(content))
    return Answers(stream, iter([entries_of(document)]))


def _begins_answer(stream: Readable) -> bool:
    """Say whether a document is an answer, as far as its beginning tells; the first entry may be a long one."""
    for size in _SIZES:
        document = _document(closed(stream.peek(size)))
        if is_of_service(document) or format_of(document) is not None:
            return format_of(document) is None
    return False


def is_of_service(document: Any) -> bool:
    """Say whether a document is the answer of a log service, and not of a format itself."""
    return is_answer(document) and format_of(document) is None


def _document(text: bytes, findings: Findings | None = None, place: str = "") -> Any:
    try:
        return decode(text.strip(BLANK), findings or Findings(), place)
    except NotJson:
        return None


def _by_lines(stream: Readable, findings: Findings) -> Iterator[list[Entry]]:
    """Give the entries of answers one a line; a line that is none of them is an entry itself."""
    rest, number = b"", 0
    while block := stream.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        if len(rest) > LONGEST:
            findings.add(problems.TOO_LONG, example=rest[:200])
            rest = b""
        for number, line in enumerate(whole, number + 1):  # noqa: B020 - the numbers go on from block to block
            yield _of_line(line, findings, f"line {number}")
    yield _of_line(rest, findings, f"line {number + 1}")


def _of_line(line: bytes, findings: Findings, place: str) -> list[Entry]:
    if not line.strip(BLANK):
        return []
    mended = Findings()
    document = _document(line, mended, place)
    if is_of_service(document):
        findings.merge(mended)
        return entries_of(document)
    return [Entry("", None, line.decode("utf-8", "replace"))]


def _line(entry: Entry) -> bytes:
    """Write an entry as a logger in JSON would: its text, and who wrote it."""
    content = entry.content
    if isinstance(content, dict):
        text = text_of_object(content) if format_of(content) is None else None
        content = _written(content) if text is None else text
    return json.dumps({"time": None, "labels": entry.source, "message": content}).encode() + b"\n"


def _written(content: dict[str, Any]) -> str:
    try:
        return json.dumps(content)
    except RecursionError:
        return "an object that is nested too deep"

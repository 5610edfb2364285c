"""Logs with spans in them: every line goes to the reader that knows it, whoever printed it, and the rest is counted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from tracelab.errors import LoadError
from tracelab.loaders.columns.builder import Builder
from tracelab.loaders.console.printed import indent_of
from tracelab.loaders.formats import TEXT_BY_NAME, TEXT_FORMATS
from tracelab.loaders.input.cutting import LONGEST, PIECE, closed
from tracelab.loaders.input.lenient_json import NotJson, decode
from tracelab.loaders.input.log_templates import LogTemplates
from tracelab.loaders.input.logs import BLANK, Line, LogPiece, Wrappers, layers_of, lines_of
from tracelab.loaders.json_reader import State, read_pieces
from tracelab.loaders.report import problems
from tracelab.loaders.report.findings import Findings
from tracelab.loaders.sniff import SUPPORTED, format_of, is_marked, is_told_by_values, probed, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracelab.loaders.columns.chunk import Chunk
    from tracelab.loaders.console.printed import Printed
    from tracelab.loaders.input.cutting import Piece
    from tracelab.loaders.input.sources import Readable

_SNIFFED: Final = 1 << 16
_LONGEST_FIRST_LINE: Final = 16 << 20
_SAMPLE: Final = 200
_MOST_SPANS: Final = 20_000
_MOST_STARTS: Final = 4
_FAR: Final = 4096
"""How far into a line what a logger writes before a span may reach."""
_BRACKETS: Final = ("{", "[")
_PLAIN: Final = re.compile(rb'\{\s*"(?:resourceSpans|scopeSpans|batches|data)"')
_CONTROLS: Final = bytes(range(0x09)) + bytes(range(0x0E, 0x1B)) + bytes(range(0x1C, 0x20)) + b"\x7f"
_JSON_LINE: Final = re.compile(
    r'(?>(?:[\s{}\[\]:,]++|"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"|-?\d[\d.eE+-]*+|true|false|null|NaN|-?Infinity)*)'
)
_STRING: Final = re.compile(r'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"')
_VALUE: Final = re.compile(r'[\[{](?=\s*["\[{\]}])')
_NO_JSON: Final = re.compile(r"[\[{]\s*[^\s\"\[\]{}]")
_LAST_BRACKETS: Final = re.compile(r"[\[{][\[{\s]*$")
_SPAN_KEYS: Final = re.compile(r'"(?:resourceSpans|scopeSpans|[tT]race_?[iI][dD]|[sS]pan_?[iI][dD]|SpanContext)"')
_OF_SPANS: Final = re.compile(r'"(?:resourceSpans|scopeSpans|SpanContext)"')
_UNTIMED: Final = re.compile(
    r"(?P<java>' : [0-9a-f]{32} [0-9a-f]{16} (?:INTERNAL|SERVER|CLIENT|PRODUCER|CONSUMER) \[tracer: )"
    r"|(?P<normal>ResourceTraces #\d+)|(?P<basic>(?:^|\s)Traces(?:Exporter)?(?:\s+\{.*|$))"
)
_NORMAL_SPAN: Final = re.compile(r".* [0-9a-f]{32} [0-9a-f]{16}(?: .*)?")
_ADVICE_JAVA: Final = (
    "it looks like the output of Java's LoggingSpanExporter, which prints no times; let the agent print JSON instead "
    "(OTEL_TRACES_EXPORTER=experimental-otlp/stdout, in older versions logging-otlp)"
)
_ADVICE_COLLECTOR: Final = (
    "it looks like the output of the Collector's debug exporter, which prints times only with `verbosity: detailed`; "
    "set that, or use its file exporter"
)
_JSON: Final = "JSON"


def is_text(head: bytes) -> bool:
    """Say whether the beginning of a file is text: protobuf and other binary formats have control characters."""
    content = head.rstrip(b"\0")
    return bool(content.strip()) and len(content.translate(None, _CONTROLS)) == len(content)


def is_log(stream: Readable) -> bool:
    """Say whether a stream is text but not JSON alone: a log, perhaps with JSON in it. One look at its head."""
    head = stream.peek(_SNIFFED)
    if not is_text(head) or _PLAIN.match(head.lstrip()):
        return False
    size = len(head)
    while b"\n" not in head.strip() and len(head) == size < _LONGEST_FIRST_LINE:
        size *= 4
        head = stream.peek(size)
    if b"\n" not in head.strip() and is_marked(head):
        return False
    return any(map(_is_of_log, _sample(head, size)))


def read_log(
    stream: Readable, findings: Findings, named: Callable[[str], None], without_spans: str = ""
) -> Iterator[Chunk]:
    """Read the spans in a log, chunk by chunk; `named` is told the format of the first."""
    log = _Log(findings, named)
    sample = [text for text in _sample(stream.peek(_SNIFFED), _SNIFFED) if not _is_document(text)]
    wrappers = Wrappers(layers_of(sample))
    content = lines_of(stream, findings, _Watcher(log, wrappers))
    state = State()
    for chunk in read_pieces(log.pieces(wrappers.unwrapped(content, findings)), state, findings, log.name):
        yield from log.finished()
        yield chunk
    yield from log.finished()
    if not state.seen and not log.spans:
        reason = log.advice or without_spans or _refusal(sample)
        raise LoadError(f"{stream.name}: no trace dump: {reason}. Supported: {SUPPORTED}.")


def _refusal(sample: list[str]) -> str:
    """Say what a log without spans looks like; its first object in JSON may tell more than that it is a log."""
    for text in sample:
        try:
            content = decode(text.strip(BLANK).encode("utf-8", "replace"), Findings(), "")
        except NotJson:
            continue
        if isinstance(content, dict):
            return f"it is a log without spans that tracelab can read; its first JSON: {refusal(content)}"
    return "it is no JSON, and a log without spans that tracelab can read"


def _sample(head: bytes, size: int) -> list[str]:
    """Give the first lines of a log; not the last one, which may be cut."""
    found = head.decode("utf-8", "replace").split("\n")
    whole = found if len(head) < size or len(found) == 1 else found[:-1]
    return [line for line in whole if line.strip(BLANK)][:_SAMPLE]


def _is_of_log(text: str) -> bool:
    """Say whether a line is of a log: it is no JSON nor a part of it, or it is JSON that is an entry of a log."""
    text = text.strip(BLANK)
    if text[0] not in "{[":
        return _JSON_LINE.fullmatch(text) is None
    try:
        content = decode(text.encode("utf-8", "replace"), Findings(), "")
    except NotJson:
        return _NO_JSON.match(text) is not None
    return format_of(content) is None and bool(layers_of([text]))


def _is_document(text: str) -> bool:
    """Say whether a line is a document of a format that is known, whatever else it may look like."""
    return text.lstrip(BLANK)[:1] in ("{", "[") and _known(text) is True


def _known(text: str) -> bool | None:
    """Say whether a text is a document of a format that is known; None if it is no JSON."""
    content = text.encode("utf-8", "replace")
    if "Spans" in text or "batches" in text:
        probe = probed(content)
        if probe is not None and probe.is_otlp():
            return True
    try:
        return format_of(decode(content, Findings(), "")) is not None
    except NotJson:
        return None


@dataclass(slots=True)
class _Log:
    """What was found in a log: JSON texts, and spans that were read from other texts."""

    findings: Findings
    named: Callable[[str], None]
    builder: Builder = field(default_factory=Builder)
    chunks: list[Chunk] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    size: int = 0
    spans: int = 0
    format: str = ""
    advice: str = ""
    untimed: bool = False
    skipped: int = 0
    busy: set[str] = field(default_factory=set)

    def pieces(self, content: Iterator[Line]) -> Iterator[Piece]:
        """Give all lines to who reads them; JSON comes out in pieces."""
        sources: dict[str, _Source] = {}
        for line in content:
            source = sources.get(line.source)
            if source is None:
                source = sources[line.source] = _Source(self)
            source.take(line)
            if not source.is_idle():
                self.busy.add(line.source)
            elif self.busy:
                self.busy.discard(line.source)
            if self.size >= PIECE:
                yield self._piece()
            if len(self.builder) >= _MOST_SPANS:
                self._flush()
        for source in sources.values():
            source.finish()
        if self.texts:
            yield self._piece()

    def finished(self) -> list[Chunk]:
        """Give the spans that were read from other texts than JSON."""
        self._flush()
        found, self.chunks = self.chunks, []
        return found

    def name(self, name: str) -> None:
        """Tell the format of the first span."""
        if not self.format:
            self.format = name
            self.named(name)

    def add(self, text: str, number: int) -> None:
        """Take a JSON text."""
        self.texts.append(text.replace("\n", " "))
        self.numbers.append(number)
        self.size += len(text)

    def add_broken(self, text: str, line: Line) -> None:
        """Take a JSON text that is damaged: the objects in it that are whole, if there are any."""
        saved = closed(text.encode("utf-8", "replace")).decode("utf-8", "replace")
        place = f"line {line.number}"
        if saved and _known(saved):
            self.findings.add(problems.BROKEN_OFF, place=place, example=line.text)
            self.add(saved, line.number)
        else:
            self.findings.add(problems.BAD_JSON, place=place, example=line.text)

    def skip(self, line: Line, count: int = 1) -> None:
        """Count lines that hold no span."""
        if not line.text.strip(BLANK):
            return
        place, untimed = f"line {line.number}", None
        if any(word in line.text for word in ("[tracer: ", "Traces")):
            untimed = _UNTIMED.search(line.text, 0, _FAR)
        if untimed is not None:
            self.advice = self.advice or (_ADVICE_JAVA if untimed["java"] else _ADVICE_COLLECTOR)
            self.untimed = bool(untimed["normal"])
        if (untimed is not None and untimed["java"]) or (self.untimed and _NORMAL_SPAN.fullmatch(line.text)):
            self.findings.spans += 1
            self.findings.add(problems.NO_TIMES_PRINTED, place=place, example=line.text, lost_spans=1)
        else:
            self.skipped += count
            self.findings.add(problems.LOG_LINES, count, place=place, example=line.text)

    def skip_more(self, count: int) -> None:
        """Count further lines that hold no span."""
        self.skipped += count
        self.findings.add(problems.LOG_LINES, count)

    def is_idle(self) -> bool:
        """Say whether nothing is begun to which a further line could belong."""
        return not self.busy and not self.untimed

    def _piece(self) -> Piece:
        piece = LogPiece(self.texts, self.numbers)
        self.texts, self.numbers, self.size = [], [], 0
        return piece

    def _flush(self) -> None:
        builder, self.builder = self.builder, Builder()
        if len(builder):
            self.spans += len(builder)
            self.chunks.append(builder.finish())
        self.findings.merge(builder.findings)


class _Watcher:
    """Passes over lines that are like others that were skipped, while nothing is begun that they could belong to."""

    def __init__(self, log: _Log, wrappers: Wrappers) -> None:
        self.log = log
        self.wrappers = wrappers
        self.templates = LogTemplates(wrappers.layers, is_told_by_values)
        self.skipped, self.was_idle = 0, True

    def passed(self, text: str, start: int) -> int:
        """Pass over lines, and count them as those before them were."""
        self.was_idle = self.log.is_idle() and self.wrappers.are_idle()
        end = self.templates.end_of_run(text, start) if self.was_idle else start
        if end == start:
            self.skipped = self.log.skipped
            return start
        last = end == len(text) and not text.endswith("\n")
        count = text.count("\n", start, end) + last
        self.templates.passed += count
        self.log.skip_more(count)
        self.wrappers.add_all(count)
        return end + last

    def was_read(self, text: str) -> None:
        """Learn from a line that was skipped, if nothing else came of it."""
        if self.log.skipped == self.skipped + 1 and self.was_idle and self.log.is_idle() and self.wrappers.are_idle():
            self.templates.learn(text)


class _Source:
    """One of those who printed into a log, whose lines follow each other whatever stands between them."""

    def __init__(self, log: _Log) -> None:
        self.log = log
        self.readers: dict[str, Printed] = {}
        self.reading = ""
        self.opening: list[Line] = []

    def is_idle(self) -> bool:
        """Say whether nothing is begun to which a further line could belong."""
        return not self.opening and (not self.reading or self.readers[self.reading].is_idle())

    def take(self, line: Line) -> None:
        """Give a line to who reads it."""
        if self._fed(line):
            return
        opening, self.opening = self.opening, []
        if opening and self._opened(opening, line):
            return
        for each in opening:
            self.log.skip(each)
        name = _name_of(line.text)
        if (name and self._begun(name, line)) or self._json(line):
            return
        if _ends_open(line.text):
            self.opening = [line]
        else:
            self.log.skip(line)

    def finish(self) -> None:
        """Add what is not added yet."""
        for each in self.opening:
            self.log.skip(each)
        for name, reader in self.readers.items():
            reader.finish()
            self._note(name)

    def _opened(self, opening: list[Line], line: Line) -> bool:
        """Read what lines that end with a bracket begin: what it is, its first key says, which stands on the next."""
        if line.text.lstrip(BLANK)[:1] in _BRACKETS and self._json(line):
            for each in opening:
                self.log.skip(each)
            return True
        inner = indent_of(line.text) > indent_of(opening[-1].text)
        if inner and len(opening) == 1 and _ends_open(line.text) and opening[0].text.rstrip(BLANK)[-1:] == "[":
            self.opening = [*opening, line]
            return True
        name = _name_of("\n".join(each.text for each in (*opening, line)))
        if not name or not self._begun(name, opening[0]):
            return False
        for each in (*opening[1:], line):
            if not self._fed(each):
                self.log.skip(each)
        return True

    def _fed(self, line: Line) -> bool:
        if not self.reading:
            return False
        taken = self.readers[self.reading].feed(line)
        self._note(self.reading)
        return taken

    def _begun(self, name: str, line: Line) -> bool:
        """Begin to read what a reader knows, which ends what was read before."""
        if self.reading and self.reading != name:
            self.readers[self.reading].finish()
            self._note(self.reading)
        if name not in self.readers:
            self.readers[name] = _JsonText(self.log) if name == _JSON else TEXT_BY_NAME[name].reader(self.log)
        self.reading = name
        taken = self.readers[name].begin(line)
        self._note(name)
        return taken

    def _note(self, name: str) -> None:
        if not self.log.format and len(self.log.builder):
            self.log.name(name)

    def _json(self, line: Line) -> bool:
        """Take the JSON on one line, behind whatever a logger wrote before it."""
        text, tried = line.text, ""
        for start in islice(_VALUE.finditer(text, 0, _FAR), _MOST_STARTS):
            rest = text[start.start() :].strip(BLANK)
            known = _known(rest)
            if known is None and not rest.endswith(("}", "]")):
                rest = rest[: max(rest.rfind("}"), rest.rfind("]")) + 1]
                known = _known(rest) if rest else None
            if known:
                self.log.add(rest, line.number)
                return True
            if known is None:
                tried = tried or text[start.start() :]
        if not tried or _ends_open(text) or not (text.startswith(tried) or _OF_SPANS.search(tried)):
            return False
        self.log.add_broken(tried, line)
        return True


def _name_of(head: str) -> str:
    """Name who reads what a line, or two, are the beginning of."""
    for each in TEXT_FORMATS:
        if each.word in head and each.starts.search(head, 0, _FAR):
            return each.name
    return _JSON if _starts_json(head) else ""


def _starts_json(head: str) -> bool:
    """Say whether a JSON text of several lines begins: a bracket before a line with a key, or a line of a part."""
    first, _, second = head.rpartition("\n")
    if first:
        return _ends_open(first) and second.lstrip()[:1] == '"'
    text = head.strip(BLANK)
    return text[:1] in _BRACKETS and text[-1:] in (",", *_BRACKETS) and text[1:].lstrip(BLANK)[:1] == '"'


def _ends_open(text: str) -> bool:
    """Say whether a line ends with a bracket that opens something."""
    return text.rstrip(BLANK)[-1:] in _BRACKETS


class _JsonText:
    """Collects the lines of a JSON text; lines of others among them are left out."""

    def __init__(self, log: _Log) -> None:
        self.log = log
        self.lines: list[str] = []
        self.first = Line(0, "", "")
        self.indent = self.depth = self.size = 0
        self.deeper = self.broken = False

    def is_idle(self) -> bool:
        """Say whether no text is begun."""
        return not self.lines

    def begin(self, line: Line) -> bool:
        """Begin a text, which may stand behind the beginning of a log line."""
        self.finish()
        text = line.text.strip(BLANK)
        alone = text[:1] in _BRACKETS
        last = None if alone else _LAST_BRACKETS.search(text, max(len(text) - _FAR, 0))
        if not alone and last is None:
            return False
        self.first, self.size, self.depth, self.deeper, self.broken = line, 0, 0, False, False
        self.indent = indent_of(line.text) if alone else 0
        self._add(text if last is None else last[0])
        return True

    def feed(self, line: Line) -> bool:
        """Take a line of the text."""
        text = line.text.strip(BLANK)
        if not self.lines:
            return False
        if not text:
            return True
        indent = indent_of(line.text)
        if self.deeper and indent <= self.indent and text[0] in "{[":
            # The next one begins where this one began, so this one breaks off.
            self.finish()
            return False
        if _JSON_LINE.fullmatch(text) is None:
            self.broken = self.broken or (text[0] == '"' and indent > self.indent)
            return False
        self.deeper = self.deeper or indent > self.indent
        self._add(text)
        return True

    def finish(self) -> None:
        """Hand over what was collected; what holds no spans is a part of the log."""
        lines, self.lines = self.lines, []
        if not lines:
            return
        text = "\n".join(lines)
        known = _known(text)
        if known and not self.broken:
            self.log.add(text, self.first.number)
        elif known or (known is None and _SPAN_KEYS.search(text)):
            self.log.add_broken(text, self.first)
        else:
            self.log.skip(self.first, len(lines))

    def _add(self, text: str) -> None:
        self.lines.append(text)
        bare = _STRING.sub("", text) if '"' in text else text
        self.depth += bare.count("{") + bare.count("[") - bare.count("}") - bare.count("]")
        self.size += len(text)
        if self.size > LONGEST:
            self.log.findings.add(problems.TOO_LONG, place=f"line {self.first.number}", example=self.first.text)
            self.lines = []
        elif self.depth <= 0:
            self.finish()

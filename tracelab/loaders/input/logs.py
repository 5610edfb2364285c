"""Lines of logs: what a runtime, a service or a job wrapped around them is taken away before anything reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from tracelab.loaders.input.cutting import LONGEST, Piece, lines
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracelab.loaders.input.sources import Readable
    from tracelab.loaders.report.findings import Findings

BLANK: Final = " \t\r\x00\ufeff"
_SAMPLE: Final = 200
_MOST_LAYERS: Final = 4
_COLOUR: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_ISO: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|[+-]\d\d:?\d\d))"
_SHORT: Final = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?"
_FULL: Final = r"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]{1,5}"


class Line(NamedTuple):
    """A line that a program printed: where it stands in the log, who printed it, and its text."""

    number: int
    source: str
    text: str


class Unwrapped(NamedTuple):
    """What was inside of a wrapper: who printed it, the text, and whether the next entry goes on with it."""

    source: str
    text: str
    goes_on: bool = False


Layer = Callable[[str], Unwrapped | None]
"""Takes one wrapper from a line; None where the line has none."""


class LogPiece(Piece):
    """JSON texts out of a log, one a line, each with the line of the log on which it begins."""

    def __init__(self, texts: list[str], numbers: list[int]) -> None:
        super().__init__("\n".join(texts).encode("utf-8", "replace"), numbers[0] if numbers else 1)
        self.numbers = numbers

    def origin(self, line: int) -> str:
        """Say where a text stands in the log."""
        return f"line {self.numbers[line]}"


class Watcher(Protocol):
    """Sees the lines of a log before anything reads them, and knows of some that nothing is in them."""

    def passed(self, text: str, start: int) -> int:
        """Pass over, and count, lines that nothing is in; give where the first one begins that must be read."""

    def was_read(self, text: str) -> None:
        """Learn from a line: it was read, and all that follows from it is done."""


def lines_of(stream: Readable, findings: Findings, watcher: Watcher) -> Iterator[Line]:
    """Give the lines of a stream, without codes for colours; what is no UTF-8 is mended and counted."""
    coloured, example = 0, ""
    for piece in lines(stream, findings):
        content, position, number = _decoded(piece, findings), 0, piece.first
        while position <= len(content):
            start, position = position, watcher.passed(content, position)
            if position != start:
                number += content.count("\n", start, position) + (position > len(content))
                continue
            end = content.find("\n", start)
            position = (len(content) if end < 0 else end) + 1
            text = plain = content[start : position - 1]
            if "\x1b" in text:
                plain = _COLOUR.sub("", text)
                coloured += plain != text
                example = example or text
            yield Line(number, "", plain.rstrip("\r"))
            watcher.was_read(text)
            number += 1
    findings.add(problems.COLOURS, coloured, example=example)


def layers_of(texts: Iterable[str]) -> list[Layer]:
    """Find out what most lines are wrapped in, from the outside inwards."""
    sample = [plain for text in texts if (plain := _COLOUR.sub("", text).rstrip(BLANK))][:_SAMPLE]
    found: list[Layer] = []
    while len(found) < _MOST_LAYERS and sample:
        # What wraps the most lines is the wrapper: a narrower one may fit by chance those that begin alike.
        layer = max(_LAYERS, key=lambda each: _wrapped(each, sample))
        if 2 * _wrapped(layer, sample) <= len(sample):
            break
        found.append(layer)
        sample = [line.text for line in _unwrapped((Line(0, "", text) for text in sample), layer, Wrappers([]))]
        sample = [text for text in sample if text.strip()]
    return found


@dataclass(slots=True)
class Wrappers:
    """The wrappers of a log: how many lines had each of them taken away, and what is held of lines that go on."""

    layers: list[Layer]
    found: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    held: list[dict[str, _Held]] = field(default_factory=list)
    first: int = 0
    example: str = ""

    def unwrapped(self, content: Iterator[Line], findings: Findings) -> Iterator[Line]:
        """Take the wrappers away; what a runtime cut into several entries is one line again."""
        for layer in self.layers:
            content = _unwrapped(content, layer, self)
        yield from content
        findings.add(problems.LOG_WRAPPERS, self.lines(), place=f"line {self.first}", example=self.example)

    def are_idle(self) -> bool:
        """Say whether no line is held that may go on."""
        return not any(self.held)

    def add_all(self, count: int) -> None:
        """Count lines that have every wrapper, of which none is the first."""
        for layer in set(self.layers):
            self.found[id(layer)] = self.found.get(id(layer), 0) + count

    def add(self, layer: Layer, line: Line) -> None:
        if not self.found:
            self.first, self.example = line.number, line.text
        if self.last.get(id(layer)) != line.number:
            self.last[id(layer)] = line.number
            self.found[id(layer)] = self.found.get(id(layer), 0) + 1

    def lines(self) -> int:
        return max(self.found.values(), default=0)


@dataclass(slots=True)
class _Held:
    """The beginning of a line that goes on in another entry."""

    number: int
    texts: list[str] = field(default_factory=list)
    size: int = 0


def _unwrapped(content: Iterator[Line], layer: Layer, count: Wrappers) -> Iterator[Line]:
    held: dict[str, _Held] = {}
    count.held.append(held)
    for line in content:
        found = layer(line.text)
        if found is None:
            yield line
            continue
        count.add(layer, line)
        source = f"{line.source}\x1f{found.source}" if found.source else line.source
        before = held.pop(source, None)
        if found.goes_on and (before is None or before.size < LONGEST):
            before = before or _Held(line.number)
            before.texts.append(found.text)
            before.size += len(found.text)
            held[source] = before
            continue
        text = "".join((*before.texts, found.text)) if before else found.text
        yield from _each(before.number if before else line.number, source, text)
    for source, before in held.items():
        yield from _each(before.number, source, "".join(before.texts))


def _each(number: int, source: str, text: str) -> Iterator[Line]:
    """Give the lines of an entry, which all stand on one line of the log."""
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    for each in text.removesuffix("\n").split("\n"):
        yield Line(number, source, each.rstrip("\r"))


def _wrapped(layer: Layer, sample: list[str]) -> int:
    """Count the lines that a layer wraps."""
    return sum(layer(text) is not None for text in sample)


def _decoded(piece: Piece, findings: Findings) -> str:
    try:
        return piece.content.decode("utf-8")
    except UnicodeDecodeError as wrong:
        number = piece.first + piece.content.count(b"\n", 0, wrong.start)
        findings.add(problems.BAD_UTF8, place=f"line {number}", example=piece.content[wrong.start : wrong.end])
        return piece.content.decode("utf-8", "replace")


TEXTS: Final = ("log", "MESSAGE", "msg", "message", "line", "textPayload", "@m")
_BESIDE: Final = frozenset(
    (
        *("stream", "time", "ts", "timestamp", "@timestamp", "@t", "date", "receiveTimestamp", "__REALTIME_TIMESTAMP"),
        *("level", "severity", "lvl", "levelname", "log.level", "PRIORITY", "@l"),
        *("logtag", "labels", "kubernetes", "logger", "logger_name", "hostname", "pid"),
        *("container_id", "container_name", "partial_message"),
    )
)
"""One of them stands beside the text in an entry of a log, if anything does."""
_WHO: Final = (
    *("stream", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "_PID", "CONTAINER_NAME", "container_name", "container_id"),
    *("container", "pod", "kubernetes", "labels", "resource"),
)
OF_PARTS: Final = frozenset(("logtag", "_LINE_BREAK", "partial_last"))
"""Fields whose values say whether an entry goes on in the next one."""
_DOCKER: Final = frozenset(("log", "stream", "time", "attrs"))
_NO: Final = msgspec.Raw(b"null")
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def json_entry(text: str) -> Unwrapped | None:
    """Take the text out of an entry of Docker's JSON driver, of journald, or of a logger that writes JSON."""
    if not text.lstrip(BLANK).startswith("{"):
        return None
    try:
        fields = _FIELDS.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    if fields.keys().isdisjoint(_BESIDE) and len(fields) > 1:
        return None
    inner = next((content for key in TEXTS if key in fields and (content := _text(fields[key])) is not None), None)
    if inner is None:
        return None
    source = "".join(bytes(fields[key]).decode("utf-8", "replace") for key in _WHO if key in fields)
    return Unwrapped(source, inner, _goes_on(fields, inner))


def _goes_on(fields: dict[str, msgspec.Raw], text: str) -> bool:
    """Say whether an entry is only a part of a line: Docker cuts at 16 KB, journald at 48 KB, containerd at 16 KB."""
    if "logtag" in fields:
        return _text(fields["logtag"]) == "P"
    if "partial_message" in fields:
        return _text(fields.get("partial_last", _NO)) != "true"
    if "_LINE_BREAK" in fields:
        return _text(fields["_LINE_BREAK"]) == "line-max"
    return {"log", "stream", "time"} <= fields.keys() <= _DOCKER and not text.endswith("\n")


def _text(raw: msgspec.Raw) -> str | None:
    """Read a text; journald writes one that is not plain as a list of bytes."""
    try:
        content: Any = msgspec.json.decode(raw)
        return bytes(content).decode("utf-8", "replace") if isinstance(content, list) else _as_text(content)
    except (msgspec.DecodeError, RecursionError, ValueError, TypeError):
        return None


def _as_text(content: Any) -> str | None:
    return content if isinstance(content, str) else None


class PrefixLayer:
    """A layer of a pattern for the beginning of a line, whose groups tell who printed it and what goes on."""

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)
        self.has_source, self.has_part = (name in self.pattern.groupindex for name in ("source", "part"))

    def __call__(self, text: str) -> Unwrapped | None:
        """Take the beginning from a line."""
        found = self.pattern.match(text)
        if found is None:
            return None
        source = found["source"] if self.has_source else ""
        return Unwrapped(source or "", text[found.end() :], self.has_part and found["part"] == "P")

    def of_whole_lines(self) -> str:
        """Give the pattern for lines that do not go on, without names, so that it may stand in another one."""
        pattern = self.pattern.pattern.replace("(?P<part>[FP])", "F").replace("(?P<source>", "(?:")
        return f"(?>{pattern})"


_LAYERS: Final[tuple[Layer, ...]] = (
    json_entry,
    # Container runtimes (CRI), in files of Kubernetes' nodes.
    PrefixLayer(rf"{_ISO} (?P<source>stdout|stderr) (?P<part>[FP])(?::[^ ]*)?(?: |$)"),
    # kubectl logs --prefix, and stern.
    PrefixLayer(r"\[(?P<source>[a-z]+/[^\]\s]+)\](?: |$)"),
    PrefixLayer(r"(?P<source>[a-z0-9][a-z0-9.-]*-[a-z0-9]{5,10}-[a-z0-9]{5} [a-z0-9-]+)(?: |$)"),
    # docker compose, docker service, foreman, pm2.
    PrefixLayer(r"(?:\d\d:\d\d:\d\d )?(?P<source>(?:\d+\|)?[\w.@/-]+) *\|(?: |$)"),
    # gh run view --log: job, step, and a timestamp.
    PrefixLayer(r"(?P<source>[^\t]{1,200}\t[^\t]{1,200})\t(?=\ufeff?\d{4}-\d\d-\d\dT)"),
    # syslog, RFC 5424.
    PrefixLayer(rf"<\d+>1 (?:-|{_ISO}) (?P<source>\S+ \S+ \S+ \S+) (?:-|(?:\[[^\]]*\])+)(?: \ufeff?|$)"),
    # journald and syslog, in their short forms; Heroku has no host, but a number or name of the process in brackets:
    # a level and a colon behind a time are a line's own.
    PrefixLayer(
        rf"(?:<\d+>)?(?:{_SHORT}|{_FULL}|{_ISO}|\[ *\d+\.\d+\])"
        r"(?P<source> [\w.-]+ [\w.@/()-]+(?:\[[\w.-]+\])?| [\w.@/()-]+\[[\w.-]+\]):(?: |$)"
    ),
    # kubectl logs --timestamps, GitHub Actions, GitLab CI (which also numbers its streams).
    PrefixLayer(rf"\ufeff?{_ISO}(?: \d\d[OE](?:[ +]|$)| |$)"),
)

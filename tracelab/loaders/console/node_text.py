"""What the Node SDK's console exporter prints: one object text after another, over many lines each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracelab.loaders.console.node_sdk import is_span, read_span
from tracelab.loaders.console.object_text import ObjectText
from tracelab.loaders.console.printed import indent_of
from tracelab.loaders.documents.fields import objects_of
from tracelab.loaders.report import problems

if TYPE_CHECKING:
    from tracelab.loaders.console.printed import Sink
    from tracelab.loaders.input.logs import Line

STARTS: Final = re.compile(
    r"(?:^|[\s:|>=-])(?:[\w$.]{1,99} )?(?:\[\s+(?:[\w$.]{1,99} )?)?\{\s+(?:[A-Za-z_$][\w$]*|'[^'\n]*'):\s"
)
"""An object, or a list of objects, whose first key is no text in double quotes."""
_OBJECT: Final = re.compile(r"(?:[\w$.]{1,99} )?[\[{](?:\s.*)?$")
_QUOTED: Final = re.compile("|".join(rf"{quote}[^{quote}\\]*+(?>(?:\\.[^{quote}\\]*+)*){quote}" for quote in "'\"`"))
_LARGEST: Final = 64 << 20


class NodeConsole:
    """Collects the lines of an object, up to the bracket that stands as far left as the first line."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.lines: list[str] = []
        self.first = 0
        self.indent = 0
        self.size = 0

    def is_idle(self) -> bool:
        """Say whether nothing is begun."""
        return not self.lines

    def begin(self, line: Line) -> bool:
        """Begin an object, which may stand behind the beginning of a log line."""
        self.finish()
        start = _OBJECT.search(line.text)
        if start is None:
            return False
        alone = not line.text[: start.start()].strip()
        self.indent = indent_of(line.text) if alone else 0
        self.first = line.number
        self._add(start[0])
        if _depth(start[0]) <= 0:
            self.finish()
        return True

    def feed(self, line: Line) -> bool:
        """Take a line of the object."""
        text = line.text
        if not self.lines:
            return False
        if not text.strip():
            return True
        if indent_of(text) > self.indent:
            self._add(text)
            return True
        if text.lstrip().startswith(("}", "]")):
            self._add(text)
            self.finish()
            return True
        if text.lstrip().startswith(("{", "[")):
            self.finish()
        return False

    def finish(self) -> None:
        """Read what was collected; what is no span is a part of the log."""
        if not self.lines:
            return
        count = len(self.lines)
        printed = ObjectText("\n".join(self.lines))
        self.lines, self.size = [], 0
        findings, place = self.sink.builder.findings, f"line {self.first}"
        held = printed.value if isinstance(printed.value, list) else [printed.value]
        spans = [each for each in objects_of(held) if is_span(each) or (printed.broken and "traceId" in each)]
        if not spans:
            findings.add(problems.LOG_LINES, count, place=place)
            return
        for span in spans:
            read_span(span, self.sink.builder, place)
        if printed.cut:
            findings.add(problems.CUT_BY_PRINTING, place=place, example=printed.cut)
        if printed.broken:
            findings.add(problems.BROKEN_OFF, place=place, example=printed.broken)
        findings.add(problems.SURROGATES, printed.surrogates, place=place)

    def _add(self, text: str) -> None:
        self.lines.append(text)
        self.size += len(text)
        if self.size > _LARGEST:
            self.finish()


def _depth(text: str) -> int:
    """Count the brackets that a line leaves open."""
    bare = _QUOTED.sub("", text)
    return sum(map(bare.count, "{[")) - sum(map(bare.count, "}]"))

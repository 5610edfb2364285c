"""What every reader of printed spans has: it is fed line by line, and says which lines are its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from tracelab.loaders.columns.builder import Builder
    from tracelab.loaders.input.logs import Line

OTHER_LOG: Final = re.compile(
    r"\W{0,3}(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d[ .,]"
    r"|(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\b"
    r"|(?:trce|dbug|info|warn|fail|crit): |[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\{[\"\s])"
)
"""How lines begin that loggers write: they belong to no value of a span, wherever they stand."""


class Sink(Protocol):
    """Where readers put spans, and count what they found."""

    @property
    def builder(self) -> Builder:
        """The builder of now; it is another one after some thousand spans."""


class Printed(Protocol):
    """Reads what one program printed."""

    def is_idle(self) -> bool:
        """Say whether nothing is begun to which lines could belong that do not begin something themselves."""

    def begin(self, line: Line) -> bool:
        """Take the line that tells what is printed; False where it is none of the reader's."""

    def feed(self, line: Line) -> bool:
        """Take a further line; False where it is none of the reader's."""

    def finish(self) -> None:
        """Add what is not added yet: nothing more follows."""


def indent_of(text: str) -> int:
    """Count the blanks at the beginning of a line."""
    return len(text) - len(text.lstrip(" \t"))

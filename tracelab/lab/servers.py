"""A server that a user names: what a notebook about it is called, and how it fetches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracelab.errors import LoadError, SourceError
from tracelab.lab.cells import Source

if TYPE_CHECKING:
    from tracelab.live import Call

_NO_FILE_NAME: Final = re.compile(r"[^\w.-]+")
_LONGEST_NAME: Final = 50


@dataclass(frozen=True, slots=True)
class Served:
    """The traces that a call fetches."""

    call: Call

    @property
    def title(self) -> str:
        """What to call it."""
        return self.call.name

    @property
    def file_name(self) -> str:
        """What to call a file about it: the server's name without what would be special in a file's name."""
        host = self.call.name.partition("://")[2]
        return _NO_FILE_NAME.sub("-", host)[:_LONGEST_NAME].strip(" .-") or "traces"

    @property
    def folder(self) -> Path:
        """Where a notebook goes: a server has no folder to be beside of."""
        return Path.cwd()

    def literal(self, folder: Path) -> str:  # noqa: ARG002 - a dump's depends on it
        """Write the call as Python."""
        return str(self.call)

    def source(self, literal: str) -> Source:
        """Say how its spans are fetched."""
        return Source.of_server(literal)

    def changed(self) -> float:
        """Say when it was last written to: nobody knows, and every run fetches anew."""
        return 0.0


def served(call: Call) -> Served:
    """Take a server for what a notebook is about.

    Raises
    ------
    SourceError
        The notebook would hold what opens the server, or the server cannot be asked.
    LoadError
        There are no spans.
    """
    if call.holds_secrets:
        raise SourceError(
            f"{call.name}: a notebook would keep these credentials. Put them into a variable of the environment, and "
            "write --auth '$NAME' or --header 'Authorization: Bearer $NAME', in single quotes."
        )
    if call.first.run().is_empty():
        raise LoadError(f"{call.name} has no traces of this time. Look further back, with --lookback or --start.")
    return Served(call)

"""Arguments and options that several commands take."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from tracelab.cli.terminal import USAGE, stop, usage
from tracelab.files import expanded

ROWS: Final = 20


def _named(path: str) -> str:
    """Refuse what names no dump, whatever there is to read."""
    if not path:
        stop("An empty name was given. Name a dump, a folder of them, or a glob.", USAGE)
    with usage():
        expanded(path)
    return path


Dump = Annotated[
    str,
    typer.Argument(
        help="A trace dump, a folder of them, a glob, an address, or that of a Jaeger or Tempo.",
        show_default=False,
        callback=_named,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there; never a folder.")]

"""convert: a dump as parquet or as OTLP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tracelab as tl
from tracelab.cli.arguments import Dump, Force
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.targets import checked_target, size_told
from tracelab.cli.terminal import say


@takes_servers
def convert(
    source: Dump,
    target: Annotated[Path, typer.Argument(help="A .parquet or .jsonl file, or a folder for partitioned parquet.")],
    *,
    force: Force = False,
    server: Server,
) -> None:
    """Write a dump anew: as parquet, or as OTLP JSON lines that other tools read."""
    written = checked_target(source, target, force=force)
    spans = server.spans(source)
    tl.write(spans, written)
    say(f"Wrote {spans.height:,} spans to {written}{size_told(written)}.", style="bold")

"""convert: a dump as parquet, as OTLP, or as trace events, and fit to leave the house."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tracelab as tl
from tracelab.cli.arguments import Dump, Force
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.targets import checked_target, size_told
from tracelab.cli.terminal import USAGE, say, stop


@takes_servers
def convert(
    source: Dump,
    target: Annotated[
        Path,
        typer.Argument(help="A .parquet, .jsonl or .perfetto.json file, or a folder for partitioned parquet."),
    ],
    *,
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace names, ids and values, so that the dump may leave the house.")
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="With --redact: what stays, such as service_name, http.route or 'span.http.*'. Repeatable."),
    ] = None,
    force: Force = False,
    server: Server,
) -> None:
    """Write a dump anew: as parquet, as OTLP JSON lines, or as trace events that Perfetto and Chrome open."""
    if keep and not redact:
        stop("--keep says what --redact leaves as it is. Pass --redact, too.", USAGE)
    written = checked_target(source, target, force=force)
    spans = server.spans(source)
    if redact:
        spans = tl.redact(spans, keep=keep or ())
    tl.write(spans, written)
    told = ", redacted" if redact else ""
    say(f"Wrote {spans.height:,} spans to {written}{size_told(written)}{told}.", style="bold")

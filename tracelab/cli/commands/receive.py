"""receive: take what SDKs and Collectors send."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it when it runs
from typing import Annotated

import polars as pl
import typer

import tracelab as tl
from tracelab.cli.arguments import ROWS
from tracelab.cli.targets import refuse_stream, size_told
from tracelab.cli.terminal import follow, say, stop, table, told_to_stop, usage
from tracelab.display.words import counted
from tracelab.errors import TracelabError
from tracelab.overview import failing_services, longest_traces, received


def receive(
    *,
    http_port: Annotated[
        str, typer.Option(metavar="PORT", help="Where to listen for OTLP over HTTP; 0 takes a free port, off none.")
    ] = "4318",
    grpc_port: Annotated[str, typer.Option(metavar="PORT", help="The same for gRPC.")] = "4317",
    host: Annotated[
        str, typer.Option(help="The address to listen on; any but this machine's own lets the whole network send.")
    ] = "127.0.0.1",
    max_spans: Annotated[
        int, typer.Option(min=1, help="How many spans are held; the oldest traces go first.")
    ] = 1_000_000,
    path: Annotated[
        Path | None,
        typer.Option(help="A file that all that comes is appended to, as OTLP JSON lines.", show_default=False),
    ] = None,
) -> None:
    """Receive what SDKs and Collectors send (OTLP over HTTP and gRPC), until Ctrl-C, and sum it up."""
    with usage():
        ports = {"http_port": _port("--http-port", http_port), "grpc_port": _port("--grpc-port", grpc_port)}
        if path is not None:
            refuse_stream(path)
    try:
        live = tl.receive(**ports, host=host, max_spans=max_spans, path=path)
    except ImportError as error:
        stop(str(error))
    with told_to_stop() as stopping, live:
        for protocol, url in (("HTTP", live.http_url), ("gRPC", live.grpc_url)):
            if url is not None:
                say(f"OTLP over {protocol}: {url}", style="bold")
        for note in live.notes:
            say(note)
        say(f"All that comes is appended to {path}." if path else "Pass --path FILE to keep what comes.")
        say("Ctrl-C stops it.")
        follow(lambda: received(live.stats()), stopping)
    spans, stats = live.spans(), live.stats()
    say(received(stats), style="bold")
    if path is not None:
        say(f"Wrote {counted(_count(stats, 'lines written'), 'line')} to {path}{size_told(path)}.")
    if spans.height:
        table("Services", failing_services(spans, entry_only=False), rows=ROWS, note="all spans of each service")
        table("Slowest traces", longest_traces(spans), rows=10)
    if unwritten := _count(stats, "lines not written"):
        stop(f"{unwritten:,} times {path} could not be written; the senders were told to send again.")


def _port(option: str, text: str) -> int | None:
    if text.lower() in ("off", "none"):
        return None
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535:
        return int(text)
    raise TracelabError(f"{option} must be a number from 0 to 65535, or off, got {text!r:.50}.")


def _count(stats: pl.DataFrame, what: str) -> int:
    return int(stats.filter(pl.col("what") == what)["count"].sum())

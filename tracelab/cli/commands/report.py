"""report: one offline HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tracelab as tl
from tracelab.cli.arguments import ROWS, Dump, Force
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.targets import is_page, keep_sources, refuse_stream, size_told
from tracelab.cli.terminal import USAGE, say, stop, table, usage
from tracelab.files import check_target, expanded
from tracelab.overview import failing_services, slowest_services


@takes_servers
def report(
    path: Dump,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Where to write the report. An HTML page that is there is replaced, no other file."
        ),
    ] = Path("tracelab-report.html"),
    *,
    force: Force = False,
    server: Server,
) -> None:
    """Write one offline HTML file with timelines, and print percentiles, error rates and the critical path."""
    with usage():
        target = expanded(output)
        refuse_stream(target)
        check_target(target)
    keep_sources(path, target)
    if not force and target.is_file() and not is_page(target):
        stop(f"{target} is there and is no HTML page. Choose another name, or pass --force to replace it.", USAGE)
    spans = server.spans(path)
    tl.write_report(spans, target)
    say(f"Wrote {target}{size_told(target)}.", style="bold")
    hint = "the report has all"
    table("Latency percentiles by service", slowest_services(spans), rows=ROWS, note="entry spans", hint=hint)
    table("Error rates by service", failing_services(spans), rows=ROWS, note="entry spans", hint=hint)
    table("Where the time goes: critical path", tl.critical_path_profile(spans), rows=ROWS, hint=hint)

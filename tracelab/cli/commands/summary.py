"""summary: what is in a dump."""

from __future__ import annotations

from tracelab.cli.arguments import ROWS, Dump
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.terminal import say, table
from tracelab.overview import contents, failing_services, longest_traces


@takes_servers
def summary(path: Dump, *, server: Server) -> None:
    """Say what is in a dump: traces, services, time range, and what had to be repaired."""
    spans = server.spans(path)
    say(contents(spans), style="bold")
    if spans.is_empty():
        return
    table("Services", failing_services(spans, entry_only=False), rows=ROWS, note="all spans of each service")
    table("Slowest traces", longest_traces(spans), rows=10)

"""query: what TraceQL answers."""

from __future__ import annotations

from typing import Annotated

import typer

import tracelab as tl
from tracelab.cli.arguments import ROWS, Dump
from tracelab.cli.server_options import Server, instant_of, takes_servers
from tracelab.cli.terminal import USAGE, stop, table, write
from tracelab.display.records import as_csv, as_json
from tracelab.traceql.syntax.nodes import Pipeline


@takes_servers
def query(
    path: Dump,
    text: Annotated[str, typer.Argument(metavar="QUERY", help="TraceQL, such as '{ status = error }'.")],
    *,
    as_json_lines: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, every text exactly as it is.")
    ] = False,
    as_csv_table: Annotated[
        bool,
        typer.Option(
            "--csv",
            help="Print CSV for a spreadsheet: a text that begins like a formula (= + - @) gets an apostrophe before "
            "it, control characters other than line breaks and tabs are written as escapes.",
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many rows a table shows.")] = ROWS,
    step: Annotated[
        str | None, typer.Option(help="Metrics: the width of an interval, such as 30s.", show_default=False)
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Metrics: where the range begins: ISO time or nanoseconds since 1970. Of a server: traces from then.",
            show_default=False,
        ),
    ] = None,
    end: Annotated[str | None, typer.Option(help="Where that ends, written like --start.", show_default=False)] = None,
    server: Server,
) -> None:
    """Ask TraceQL: matching traces for a search, series for a metrics query."""
    if as_json_lines and as_csv_table:
        stop("--json and --csv exclude each other; pass one of them.", USAGE)
    searches = isinstance(tl.traceql.parse(text).body, Pipeline)
    call = server.call(path, query=text if searches and text.lstrip().startswith("{") else None)
    if searches and (step or (call is None and (start or end))):
        stop("--step, --start and --end are for metrics queries, such as '{ } | rate()'; this one searches.", USAGE)
    spans = tl.read(path) if call is None else server.fetched(call)
    if searches:
        answer = tl.search(spans, text)
    else:
        answer = tl.query_metrics(spans, text, step=step, start=instant_of(start), end=instant_of(end))
    if as_json_lines:
        write(as_json(answer))
    elif as_csv_table:
        write(as_csv(answer))
    else:
        table(text, answer, rows=limit, hint="--json has all")

"""diff: what changed between two dumps, and whether that fails a build."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

import tracelab as tl
from tracelab.cli.arguments import ROWS, Dump
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.terminal import FOUND, note, say, stop, table, usage, write
from tracelab.diff_overview import parse_share, verdict_of
from tracelab.display.records import as_json


@takes_servers
def diff(
    before: Dump,
    after: Dump,
    *,
    only: Annotated[
        str | None,
        typer.Option(
            "--query",
            metavar="QUERY",
            help="TraceQL: only traces with a span that it matches, such as '{ name = \"POST /orders\" }'.",
            show_default=False,
        ),
    ] = None,
    fail_if_slower: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="End with exit code 3 where traces take longer by more than this share on average, such as 10%, and "
            "the interval of the difference leaves out that they do not take longer at all.",
            show_default=False,
        ),
    ] = None,
    as_json_lines: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, one a call path, with exact numbers.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many call paths are shown.")] = ROWS,
    server: Server,
) -> None:
    """Say how the traces of two dumps differ, call path by call path: two versions, two days."""
    with usage():
        share = None if fail_if_slower is None else parse_share(fail_if_slower)
    sides = [server.spans(path) for path in (before, after)]
    if only is not None:
        with usage():
            sides = [_traces_with(spans, only) for spans in sides]
    verdict = verdict_of(*sides)
    if as_json_lines:
        write(as_json(verdict.rows))
    else:
        for line in verdict.sentences():
            say(line)
        if verdict.rows.height:
            say("")
            on_path = "time on the critical path of a trace, on average"
            table("Call paths", verdict.overview(), rows=limit, note=on_path, hint="--json has all")
    if share is not None and verdict.is_empty:
        stop("--fail-if-slower cannot be judged: one side has no traces. Check the dumps and --query.")
    if share is not None and verdict.is_slower_by(share):
        (note if as_json_lines else say)(f"Failed: traces take longer by more than {fail_if_slower}.")
        raise typer.Exit(FOUND)


def _traces_with(spans: pl.DataFrame, query: str) -> pl.DataFrame:
    """Keep the traces with a span that a query matches, whole."""
    found = tl.query(spans, query)["trace_id"].unique()
    return spans.filter(pl.col("trace_id").is_in(found.implode()))

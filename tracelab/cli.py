"""The command line: a dump in, tables, a report, a query's answer or a notebook out."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import polars as pl
import typer

import tracelab as tl
from tracelab import lab as notebooks
from tracelab.display.records import as_csv, as_json
from tracelab.display.words import counted, format_bytes
from tracelab.errors import TracelabError
from tracelab.files import check_target, expanded, holds_files
from tracelab.loaders.input.sources import sources_of
from tracelab.loaders.writing import check_writing
from tracelab.overview import contents, failing_services, longest_traces, received, slowest_services
from tracelab.server_options import Server, instant_of, takes_servers
from tracelab.terminal import (
    USAGE,
    Commands,
    follow,
    is_output,
    say,
    stop,
    table,
    told_to_stop,
    usage,
    write,
)
from tracelab.traceql.syntax.nodes import Pipeline

app = typer.Typer(
    cls=Commands,
    help="Explore distributed traces: any dump in, answers out.",
    epilog="Exit codes: 0 all went well, 1 something could not be read or written, 2 the command or the query is "
    "wrong, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ROWS: Final = 20
_HTML: Final = b"<!doctype html"


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


@app.command()
@takes_servers
def summary(path: Dump, *, server: Server) -> None:
    """Say what is in a dump: traces, services, time range, and what had to be repaired."""
    spans = server.spans(path)
    say(contents(spans), style="bold")
    if spans.is_empty():
        return
    table("Services", failing_services(spans, entry_only=False), rows=ROWS, note="all spans of each service")
    table("Slowest traces", longest_traces(spans), rows=10)


@app.command()
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
        _no_stream(target)
        check_target(target)
    _keep_sources(path, target)
    if not force and target.is_file() and not _is_page(target):
        stop(f"{target} is there and is no HTML page. Choose another name, or pass --force to replace it.", USAGE)
    spans = server.spans(path)
    tl.write_report(spans, target)
    say(f"Wrote {target}{_size(target)}.", style="bold")
    hint = "the report has all"
    table("Latency percentiles by service", slowest_services(spans), rows=ROWS, note="entry spans", hint=hint)
    table("Error rates by service", failing_services(spans), rows=ROWS, note="entry spans", hint=hint)
    table("Where the time goes: critical path", tl.critical_path_profile(spans), rows=ROWS, hint=hint)


@app.command()
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


@app.command()
@takes_servers
def convert(
    source: Dump,
    target: Annotated[Path, typer.Argument(help="A .parquet or .jsonl file, or a folder for partitioned parquet.")],
    *,
    force: Force = False,
    server: Server,
) -> None:
    """Write a dump anew: as parquet, or as OTLP JSON lines that other tools read."""
    with usage():
        _no_stream(target)
        if force and holds_files(expanded(target)):
            stop(f"--force replaces files only, and {target} is a folder that holds some. Choose another name.", USAGE)
        written = check_writing(target)
    _keep_sources(source, written)
    if not force and written.is_file():
        stop(f"{written} is there. Choose another name, or pass --force to replace it.", USAGE)
    spans = server.spans(source)
    tl.write(spans, written)
    say(f"Wrote {spans.height:,} spans to {written}{_size(written)}.", style="bold")


@app.command()
@takes_servers
def lab(
    dumps: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DUMP]...",
            help="Your own dump, a folder of them, a glob, or several; or the address of a Jaeger or Tempo. Without "
            "it the sample notebooks.",
            show_default=False,
        ),
    ] = None,
    *,
    notebook_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where the notebook goes: by default beside the dump; the samples to ./tracelab-notebooks.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where JupyterLab listens, on this machine only.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    server: Server,
) -> None:
    """Open JupyterLab on a notebook about a dump, or on copies of the sample notebooks."""
    if find_spec("jupyterlab") is None:
        stop('JupyterLab is not installed. Install it with: pip install "tracelab-kit[lab]"')
    call = server.call(dumps[0]) if dumps and len(dumps) == 1 else None
    if call is None:
        server.refuse_for_dumps(dumps or [])
    with usage():
        dump = notebooks.dump_named(dumps) if dumps and call is None else None
        if notebook_dir is not None:
            notebook_dir = expanded(notebook_dir)
    if call is not None:
        opened = notebooks.notebook_about(notebooks.served(call), folder=notebook_dir)
    elif dump is None:
        opened = notebooks.sample_notebooks(notebook_dir)
    else:
        notebooks.check(dump)
        opened = notebooks.notebook_about(dump, folder=notebook_dir)

    def listening(address: str, came_to: int) -> None:
        if port not in (came_to, 0):
            say(f"Port {port} is taken, so JupyterLab listens on {came_to}.")
        say(f"JupyterLab: {address}")
        say("Ctrl-C stops it.")

    for note in opened.notes:
        say(note)
    notebooks.serve(opened.notebook, root=opened.root, port=port, browser=browser, listening=listening)


@app.command()
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
            _no_stream(path)
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
        say(f"Wrote {counted(_count(stats, 'lines written'), 'line')} to {path}{_size(path)}.")
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


def _keep_sources(path: str, target: Path) -> None:
    """Refuse to write over a file that is read; what is on the web is none."""
    if path.lower().startswith(("http://", "https://")):
        return
    for source in sources_of(path):
        if source.path is not None and target.exists() and target.samefile(source.path):
            stop(f"{target} is what is read; it would be written over. Choose another name.", USAGE)


def _no_stream(target: Path) -> None:
    """Refuse to write a file into the output, where what is said about it stands."""
    if str(target) == "-" or is_output(target):
        stop(f"{target}: the output holds what is said here, and no file. Name a file.", USAGE)


def _is_page(path: Path) -> bool:
    """Say whether a file is an HTML page, such as an earlier report, or empty."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_HTML))
    except OSError:  # one may write to it, but not look
        return False
    return head.lower() == _HTML or not head


def _size(path: Path) -> str:
    return f", {format_bytes(path.stat().st_size)}" if path.is_file() else ""

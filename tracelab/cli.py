"""The command line: a dump in, tables, a report, a query's answer or a notebook out."""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import polars as pl
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import tracelab as tl
from tracelab import lab as notebooks
from tracelab.lab.markdown import visible
from tracelab.traceql.nodes import Pipeline
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(
    help="Explore distributed traces: any dump in, answers out.", no_args_is_help=True, pretty_exceptions_enable=False
)
out = Console()
err = Console(stderr=True)

ROWS: Final = 20

Dump = Annotated[str, typer.Argument(help="A trace dump, a folder of them, or a glob.", show_default=False)]


@app.command()
def summary(path: Dump) -> None:
    """Say what is in a dump: traces, services, time range, and what had to be repaired."""
    spans = _read(path)
    traces = tl.trace_summary(spans)
    start, end = spans.select(pl.col("start_time").min(), end=(pl.col("start_time") + pl.col("duration")).max()).row(0)
    out.print(
        f"[bold]{spans.height:,}[/] spans in [bold]{traces.height:,}[/] traces of "
        f"[bold]{spans['service_name'].n_unique():,}[/] services, {start} to {end}",
        highlight=False,
    )
    _show("Services", tl.error_rates(spans, entry_only=False), note="all spans of each service")
    _show("Slowest traces", traces.sort("duration", "trace_id", descending=[True, False]).head(10))


@app.command()
def report(
    path: Dump,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the report.")] = Path(
        "tracelab-report.html"
    ),
) -> None:
    """Print percentiles, error rates and the critical path, and write one offline HTML file with timelines."""
    spans = _read(path)
    _show("Latency percentiles by service", tl.latency_percentiles(spans), note="entry spans")
    _show("Error rates by service", tl.error_rates(spans), note="entry spans")
    _show("Where the time goes: critical path", tl.critical_path_profile(spans))
    tl.write_report(spans, output)
    out.print(f"Wrote [bold]{escape(str(output))}[/], {output.stat().st_size / 1e6:.1f} MB.", highlight=False)


@app.command()
def query(
    path: Dump,
    text: Annotated[str, typer.Argument(metavar="QUERY", help="TraceQL, such as '{ status = error }'.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    limit: Annotated[int, typer.Option(help="How many rows a table shows.")] = ROWS,
) -> None:
    """Ask TraceQL: matching traces for a search, series for a metrics query."""
    spans = _read(path)
    with _errors_in_words():
        searches = isinstance(tl.traceql.parse(text).body, Pipeline)
        answer = tl.search(spans, text) if searches else tl.query_metrics(spans, text)
    if as_json:
        sys.stdout.write(_flat(answer).write_ndjson())
    elif as_csv:
        sys.stdout.write(_flat(answer, nested=False).write_csv())
    else:
        _show(text, answer, rows=limit)


@app.command()
def convert(
    source: Dump,
    target: Annotated[Path, typer.Argument(help="A .parquet or .jsonl file, or a folder for partitioned parquet.")],
) -> None:
    """Write a dump anew: as parquet, or as OTLP JSON lines that other tools read."""
    spans = _read(source)
    with _errors_in_words():
        tl.write(spans, target)
    out.print(f"Wrote {spans.height:,} spans to [bold]{escape(str(target))}[/].", highlight=False)


@app.command()
def lab(
    dumps: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DUMP]...",
            help="Your own dump, a folder of them, a glob, or several; without it the sample notebooks.",
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
) -> None:
    """Open JupyterLab on a notebook about a dump, or on copies of the sample notebooks."""
    if find_spec("jupyterlab") is None:
        _stop('JupyterLab is not installed. Install it with: pip install "tracelab-kit[lab]"')
    try:
        dump = notebooks.dump_named(dumps) if dumps else None
    except tl.SourceError as error:
        raise typer.BadParameter(visible(str(error)), param_hint="DUMP") from error
    with _errors_in_words():
        if dump is None:
            opened = notebooks.sample_notebooks(notebook_dir)
        else:
            notebooks.check(dump)
            opened = notebooks.notebook_about(dump, folder=notebook_dir)

    def say(text: str) -> None:
        # Not wrapped, so that paths and addresses can be copied and clicked.
        out.print(escape(visible(text)), highlight=False, soft_wrap=True)

    def listening(address: str, came_to: int) -> None:
        if port not in (came_to, 0):
            say(f"Port {port} is taken, so JupyterLab listens on {came_to}.")
        say(f"JupyterLab: {address}")
        say("Ctrl-C stops it.")

    for note in opened.notes:
        say(note)
    notebooks.serve(opened.notebook, root=opened.root, port=port, browser=browser, listening=listening)


def _read(path: str) -> pl.DataFrame:
    """Read with a progress bar; say what was repaired on the error stream."""
    with _errors_in_words(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", tl.LoadWarning)
        spans = tl.read(path)
    for warning in caught:
        err.print(f"[yellow]{escape(str(warning.message))}[/]", highlight=False)
    return spans


@contextmanager
def _errors_in_words() -> Iterator[None]:
    """Turn our own errors into a sentence and exit code 1; anything else is a bug and stays a traceback."""
    try:
        yield
    except tl.TracelabError as error:
        _stop(str(error))


def _stop(message: str) -> NoReturn:
    err.print(f"[red]{escape(message)}[/]", highlight=False)
    raise typer.Exit(1)


def _show(title: str, frame: pl.DataFrame, *, rows: int = ROWS, note: str = "") -> None:
    table = Table(title=escape(title), caption=escape(note) or None, title_justify="left", caption_justify="left")
    for name, dtype in frame.schema.items():
        table.add_column(escape(name), justify="right" if dtype.is_numeric() or dtype == pl.Duration else "left")
    for row in frame.head(rows).with_columns(pl.col(pl.Duration).cast(pl.Int64)).iter_rows():
        table.add_row(*(_cell(value, dtype) for value, dtype in zip(row, frame.dtypes, strict=True)))
    out.print(table)
    if frame.height > rows:
        out.print(f"... and {frame.height - rows:,} rows more")


def _cell(value: object, dtype: pl.DataType) -> str:
    if value is None:
        return "-"
    if dtype == pl.Duration and isinstance(value, int):
        return format_duration(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return escape(", ".join(map(str, value[:3])) + (" ..." if len(value) > 3 else ""))
    return escape(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))


def _flat(frame: pl.DataFrame, *, nested: bool = True) -> pl.DataFrame:
    """Make durations seconds and times text, which is what JSON and CSV readers expect; for CSV nested values too."""
    flat = frame.with_columns(
        pl.col(pl.Duration).dt.total_nanoseconds() / 1e9,
        pl.col(pl.Datetime).dt.to_string("iso:strict"),
    )
    if nested:
        return flat
    return flat.with_columns(
        pl.Series(name, [json.dumps(value) for value in flat[name].to_list()], dtype=pl.String)
        for name, dtype in flat.schema.items()
        if dtype.is_nested()
    )

"""report: one offline HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tracelab.cli.arguments import ROWS, Dump, Force
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.targets import checked_file, keep_sources, size_told
from tracelab.cli.terminal import overheard, paragraph, say, table, usage
from tracelab.display.words import counted
from tracelab.files import expanded
from tracelab.report_overview import BY, keys_of
from tracelab.reporting.page.links import checked_url
from tracelab.reporting.writing import written

if TYPE_CHECKING:
    import polars as pl

_FIRST: Final = 5


@takes_servers
def report(
    path: Dump,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the report.")] = Path(
        "tracelab-report.html"
    ),
    *,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Another dump to hold this one beside, such as that of the version before: what changed, and whether "
            "that may be chance.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="What requests are told apart by: a column or an attribute; may be given several times. Else "
            "route and service_name.",
            show_default=False,
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The heading. Else the services' names.", show_default=False)
    ] = None,
    trace_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where your tracing UI shows a trace: 'http://jaeger:16686/trace/{trace_id}'. Then ids lead there.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    server: Server,
) -> None:
    """Write one offline HTML file: findings, tables and timelines; and print the first findings and the requests."""
    target = checked_file(output, path, force=force)
    with usage():
        checked_url(trace_url)
        if baseline is not None:
            expanded(baseline)
            keep_sources(baseline, target)
    with overheard() as notes:
        spans = server.spans(path)
        before = None if baseline is None else server.spans(baseline)
    keys = by or BY
    with usage():
        keys_of(spans, keys)
    shown = written(spans, target, baseline=before, by=keys, title=title, trace_url=trace_url, notes=notes)
    say(f"Wrote {target}{size_told(target)}.", style="bold")
    say("")
    _tell_findings(shown.findings)
    table("Requests", shown.requests, rows=ROWS, note="the worst first", hint="the report has all")


def _tell_findings(findings: pl.DataFrame) -> None:
    """Print the first findings in sentences."""
    say("Findings", style="bold")
    for number, finding in enumerate(findings["finding"].head(_FIRST), start=1):
        paragraph(finding, mark=f"{number}. ")
    if findings.is_empty():
        say("Nothing was found that is more than chance.")
    if more := max(findings.height - _FIRST, 0):
        paragraph(f"The report has {counted(more, 'finding')} more.", style="dim")
    say("")

"""audit: where context breaks and what is wrong with the instrumentation."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import tracelab as tl
from tracelab.audit_overview import BLIND, NOBODY, at_least, chosen, overview, refuse_unknown, rule_list, topics, totals
from tracelab.auditing.descriptions import DESCRIPTIONS
from tracelab.auditing.sarif import artifact_uri, as_sarif
from tracelab.cli.arguments import ROWS, Dump, Force
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.targets import checked_file, size_told
from tracelab.cli.terminal import FOUND, USAGE, note, paragraph, say, stop, table, usage, write
from tracelab.display.records import as_json
from tracelab.display.words import counted
from tracelab.files import replacing
from tracelab.loaders.input.addresses import without_secrets
from tracelab.overview import contents

if TYPE_CHECKING:
    import polars as pl


class _Level(StrEnum):
    """From which severity on."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class _FailOn(StrEnum):
    """From which severity on an audit fails."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NONE = NOBODY


def _list_rules(*, wanted: bool) -> None:
    if wanted:
        table("Rules", rule_list(), rows=len(DESCRIPTIONS))
        raise typer.Exit


@takes_servers
def audit(
    path: Dump,
    *,
    fail_on: Annotated[
        _FailOn, typer.Option(help="End with exit code 3 where there is a finding of this severity or a worse one.")
    ] = _FailOn.NONE,
    severity: Annotated[_Level, typer.Option(help="Show findings of this severity and of worse ones.")] = _Level.INFO,
    rule: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Findings of this rule only; may be given several times.", show_default=False),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Findings about this service only, also as one end of an edge; may be given several times. Of a "
            "server: traces of it.",
            show_default=False,
        ),
    ] = None,
    as_json_lines: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, one a finding, with exact numbers.")
    ] = False,
    sarif: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|-",
            help="Write SARIF 2.1.0 for code hosts: into a file, or with - to the output. A file that is there is "
            "replaced only by --force.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many findings are shown.")] = ROWS,
    force: Force = False,
    list_rules: Annotated[  # noqa: ARG001 - it has done its work when the command begins
        bool,
        typer.Option("--list-rules", help="List the rules and end.", is_eager=True, callback=_list_rules),
    ] = False,
    server: Server,
) -> None:
    """Find where context breaks and what is wrong with the instrumentation, and say how to mend it."""
    with usage():
        refuse_unknown("rule", rule or [], DESCRIPTIONS)
        streams = str(sarif) == "-"
        if streams and as_json_lines:
            stop("--json and --sarif - both go to the output; name a file for --sarif.", USAGE)
        target = None if sarif is None or streams else checked_file(sarif, path, force=force)
    spans = server.spans(path)
    with usage():
        refuse_unknown("service", service or [], spans["service_name"].drop_nulls().unique().to_list())
    findings = chosen(tl.audit(spans), rules=rule or [], services=service or [])
    shown = chosen(findings, severity=severity)
    written = as_sarif(shown, uri=artifact_uri(without_secrets(path) if "://" in path else path)) if sarif else ""
    if target is not None:
        with replacing(target) as part:
            part.write_text(written, encoding="utf-8")
    if as_json_lines or streams:
        write(written if streams else as_json(shown))
    else:
        _tell_findings(spans, findings, shown, limit=limit)
    tell = note if as_json_lines or streams else say
    if target is not None:
        tell(f"Wrote {counted(shown.height, 'finding')} to {target}{size_told(target)}.")
    if bad := at_least(findings, fail_on):
        tell(f"Failed: {counted(bad, 'finding')} of severity {fail_on}{'' if fail_on == 'error' else ' or worse'}.")
        raise typer.Exit(FOUND)


def _tell_findings(spans: pl.DataFrame, findings: pl.DataFrame, shown: pl.DataFrame, *, limit: int) -> None:
    """Print the totals, the findings as a table, and rule by rule what to do."""
    say(contents(spans), style="bold")
    if spans.is_empty():
        say("Nothing could be judged.")
        return
    say(totals(findings))
    if hidden := findings.height - shown.height:
        say(f"Not shown: {counted(hidden, 'finding')} of lower severity.")
    say("")
    if shown.height:
        first = shown.head(limit)
        table("Findings", overview(shown), rows=limit, note="the worst first", hint="--json has all")
        for topic in topics(first):
            paragraph(topic.title, style="bold")
            paragraph(topic.why, style="dim", indent=2)
            for mend in topic.mends:
                for finding, evidence in mend.findings:
                    paragraph(finding, indent=2, mark="- ")
                    paragraph(evidence, indent=4, style="dim")
                paragraph(f"{mend.explanation or ''} What to do: {mend.fix}".lstrip(), indent=2)
                say("")
    paragraph(BLIND, style="dim")

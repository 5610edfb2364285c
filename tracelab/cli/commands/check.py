"""check: rules over a dump, and whether they fail a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import polars as pl
import typer

import tracelab as tl
from tracelab.checking.judging import refuse_without_baseline, rules_given
from tracelab.checking.junit import as_junit
from tracelab.checking.markdown import as_markdown
from tracelab.checking.verdicts import badness
from tracelab.checking.wording import linking, totals
from tracelab.cli.arguments import Dump, Force
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.targets import checked_file
from tracelab.cli.terminal import FOUND, UNREADABLE, USAGE, note, paragraph, say, stop, usage, write
from tracelab.display.records import as_json
from tracelab.files import expanded, replacing
from tracelab.loaders.input.addresses import without_secrets
from tracelab.overview import contents

if TYPE_CHECKING:
    from collections.abc import Callable

_STYLES: Final = {"fails": "red", "not tested": "red", "cannot tell": "yellow", "holds": "green"}


@takes_servers
def check(
    path: Dump,
    *,
    rules: Annotated[Path, typer.Option(metavar="FILE", help="The rules, a TOML file.")] = Path("tracelab.toml"),
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="The dump that rules compare with: of the version before, say.", show_default=False
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Let a rule fail, too, that the data are too few to tell.")
    ] = False,
    confidence: Annotated[
        float, typer.Option(help="The confidence of the interval that each figure is judged by.")
    ] = 0.95,
    junit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write JUnit XML for build servers. A file that is there is replaced only by --force.",
            show_default=False,
        ),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|-",
            help="Write Markdown for a pull request: into a file, or with - to the output. A file that is there is "
            "replaced only by --force.",
            show_default=False,
        ),
    ] = None,
    trace_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where traces are shown, for links: http://jaeger:16686/trace/{trace_id}.",
            show_default=False,
        ),
    ] = None,
    as_json_lines: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, one a rule, with exact numbers.")
    ] = False,
    force: Force = False,
    server: Server,
) -> None:
    """Judge a dump by rules, such as p95("POST /orders") < "800ms", and fail a build where it breaks one."""
    streams = str(markdown) == "-"
    with usage():
        if streams and as_json_lines:
            stop("--json and --markdown - both go to the output; name a file for --markdown.", USAGE)
        asked = rules_given(expanded(rules))
        refuse_without_baseline(asked, there=baseline is not None)
        link = linking(trace_url)
        sources = [path, str(expanded(rules)), *([baseline] if baseline is not None else [])]
        targets = [
            None if file is None else checked_file(file, *sources, force=force)
            for file in (junit, None if streams else markdown)
        ]
        if None not in targets and targets[0] == targets[1]:
            stop("--junit and --markdown name one file. Name two.", USAGE)
    spans = server.spans(path)
    before = None if baseline is None else server.spans(baseline)
    with usage():
        checked = tl.check(spans, expanded(rules), baseline=before, confidence=confidence)
    name = without_secrets(path)
    written = (
        as_junit(checked, name=name, rules=str(rules), strict=strict, link=link),
        as_markdown(checked, name=name, link=link),
    )
    for target, text in zip(targets, written, strict=True):
        if target is not None:
            with replacing(target) as part:
                part.write_text(text, encoding="utf-8")
    if as_json_lines or streams:
        write(written[1] if streams else as_json(checked))
    else:
        _tell(spans, checked, link)
    tell = note if as_json_lines or streams else say
    for target in targets:
        if target is not None:
            tell(f"Wrote {target}.")
    outcome = _outcome(spans, before, checked, strict=strict)
    if outcome.code:
        tell(outcome.why)
        raise typer.Exit(outcome.code)


@dataclass(frozen=True)
class _Outcome:
    """How a run ends, and why."""

    code: int
    why: str = ""


def _outcome(spans: pl.DataFrame, before: pl.DataFrame | None, checked: pl.DataFrame, *, strict: bool) -> _Outcome:
    """Say how a run ends: a rule that fails comes first, then what could not be asked."""
    bad = checked.filter(severity="error")
    # What is optional and was not there is nothing that more data would tell.
    unsure = (pl.col("verdict") == "cannot tell") & pl.col("value").is_not_null()
    broken = bad.filter((pl.col("verdict") == "fails") | (unsure if strict else pl.lit(value=False)))
    if broken.height:
        return _Outcome(FOUND, f"Failed: {totals(broken)}.")
    untested = bad.filter(verdict="not tested")
    if untested.is_empty():
        return _Outcome(0)
    if spans.is_empty() or (before is not None and before.is_empty()):
        return _Outcome(UNREADABLE, "Nothing could be judged: one side has no spans.")
    return _Outcome(USAGE, f"Not tested: {totals(untested)}. Mend their names, or make them optional.")


def _tell(spans: pl.DataFrame, checked: pl.DataFrame, link: Callable[[str], str | None]) -> None:
    """Print the totals, and of each rule what was seen, the worst first."""
    say(contents(spans), style="bold")
    say(f"{totals(checked)}.".capitalize())
    say("")
    for row in sorted(checked.to_dicts(), key=badness):
        warning = " (warning)" if row["severity"] == "warning" and row["verdict"] != "holds" else ""
        paragraph(row["rule"], style=_STYLES[row["verdict"]], mark=f"{row['verdict'].upper()}{warning}  ")
        if row["rule"] != row["check"]:
            paragraph(row["check"], indent=4, style="dim")
        paragraph(row["message"], indent=4)
        if row["verdict"] != "holds" and row["exemplar_trace_ids"]:
            trace = row["exemplar_trace_ids"][0]
            paragraph(link(trace) or f"trace {trace}", indent=4, style="dim")
    say("")

"""The command line: a dump in, tables, a report, a query's answer or a notebook out."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import polars as pl
import typer

import tracelab as tl
from tracelab import lab as notebooks
from tracelab.analysis.policies.budgets import parse_budget
from tracelab.audit_overview import (
    BLIND,
    NOBODY,
    at_least,
    chosen,
    overview,
    refuse_unknown,
    rule_list,
    topics,
    totals,
)
from tracelab.auditing.descriptions import DESCRIPTIONS
from tracelab.auditing.sarif import artifact_uri, as_sarif
from tracelab.diff_overview import parse_share, verdict_of
from tracelab.display.records import as_csv, as_json
from tracelab.display.words import counted, format_bytes
from tracelab.errors import SourceError, TracelabError
from tracelab.files import check_target, expanded, holds_files, replacing
from tracelab.loaders.input.addresses import without_secrets
from tracelab.loaders.input.sources import sources_of
from tracelab.loaders.writing import check_writing
from tracelab.overview import contents, failing_services, longest_traces, received, slowest_services
from tracelab.policy_option import PolicyOption
from tracelab.sampling.deciding import is_head
from tracelab.sampling_overview import Kept
from tracelab.server_options import Server, instant_of, takes_servers
from tracelab.terminal import (
    FOUND,
    USAGE,
    Commands,
    follow,
    is_output,
    note,
    paragraph,
    say,
    stop,
    table,
    told_to_stop,
    usage,
    write,
)
from tracelab.traceql.syntax.nodes import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    cls=Commands,
    help="Explore distributed traces: any dump in, answers out.",
    epilog="Exit codes: 0 all went well, 1 something could not be read or written, 2 the command or the query is "
    "wrong, 3 `audit --fail-on` or `diff --fail-if-slower` found something, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ROWS: Final = 20
_HTML: Final = b"<!doctype html"
_SARIF: Final = b"sarif"


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
    written = _writable(source, target, force=force)
    spans = server.spans(source)
    tl.write(spans, written)
    say(f"Wrote {spans.height:,} spans to {written}{_size(written)}.", style="bold")


@app.command()
@takes_servers
def sample(
    path: Dump,
    *,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="A Collector's YAML with tail_sampling, or Refinery's rules; or a preset: development, production or "
            "everyday, also with a share, production:0.05; or a sampler of an SDK: ratio:0.1 below which spans follow "
            "their parents (parentbased_traceidratio), traceidratio:0.1, always_on and so on, also with an SDK: "
            "ratio:0.1:js.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Instead of a policy: plan one that keeps the most of what matters within '2000 spans/s', "
            "'5 GB/day' or, with a price, '300/month'.",
            show_default=False,
        ),
    ] = None,
    cost_per_million: Annotated[
        float | None, typer.Option(metavar="PRICE", help="What a million spans cost.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the kept spans: a .parquet or .jsonl file, or a folder for parquet."
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="What to tell apart: a column or an attribute; may be given several times. Else services.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="DURATION", help="In windows of time, such as 1m.", show_default=False)
    ] = None,
    environment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Refinery's rules: of which environment.", show_default=False)
    ] = None,
    collector_version: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="By the rules of which Collector: 0.100 to 0.165.", show_default=False),
    ] = None,
    processor: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which one, where a Collector has several.", show_default=False),
    ] = None,
    missing_parents: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="Samplers of SDKs: what became of parents that are not in the dump: root (decide on their children as "
            "on roots), sampled or not_sampled.",
            show_default=False,
        ),
    ] = None,
    as_json_object: Annotated[bool, typer.Option("--json", help="Print one JSON object with exact numbers.")] = False,
    force: Force = False,
    server: Server,
) -> None:
    """Say what a sampling policy would keep of a dump, and how far its figures could be trusted; or write that."""
    option = PolicyOption(policy or "", environment, collector_version, processor, missing_parents)
    with usage():
        made = None if budget is not None else _policy(option)
        if budget is not None:
            _no_policy_beside(option)
            parse_budget(budget, cost_per_million)
        elif cost_per_million is not None:
            stop("--cost-per-million is the price of a --budget.", USAGE)
    target = None if output is None else _writable(path, output, force=force)
    spans, missing = server.spans(path), missing_parents or "root"
    if made is None:
        chosen: Any = tl.plan_sampling(spans, budget=str(budget), cost_per_million=cost_per_million)
    else:
        chosen = made(spans)
    yaml = str(chosen) if made is None else None
    if target is not None:
        head = is_head(chosen)
        kept = tl.sample_head(spans, chosen, missing_parents=missing) if head else tl.sample_tail(spans, chosen)
        tl.write(kept, target)
        tell = note if as_json_object else say
        tell(f"Wrote {kept.height:,} of {counted(spans.height, 'span')} to {target}{_size(target)}.")
        if target.suffix not in ("", ".parquet"):
            tell("OTLP has no place for weights: a .parquet file keeps sampling_weight.")
    if target is None or as_json_object:
        with usage():
            keys = list(dict.fromkeys(by or ["service_name"]))
            told = Kept(spans, chosen, by=keys, every=every, missing_parents=missing)
        _tell_kept(told, yaml, as_object=as_json_object)
    elif yaml is not None:
        write(yaml)


def _policy(option: PolicyOption) -> Callable[[pl.DataFrame], Any]:
    """Read the policy before anything else, so that a mistake in it costs no time."""
    if not option.text:
        stop(
            "Say which policy: --policy FILE, the name of a preset or a sampler; or what it may cost: --budget.", USAGE
        )
    expanded(option.text)
    try:
        return option.read()
    except SourceError as error:
        stop(str(error))


def _no_policy_beside(option: PolicyOption) -> None:
    said = [
        f"--{field.name.replace('_', '-').replace('text', 'policy')}"
        for field in fields(option)
        if getattr(option, field.name)
    ]
    if said:
        stop(f"{', '.join(said)}: a --budget plans the policy itself.", USAGE)


def _tell_kept(told: Kept, yaml: str | None, *, as_object: bool) -> None:
    """Print what a policy keeps, as tables or as JSON."""
    if as_object:
        write(told.as_json(yaml=yaml))
        return
    if yaml is not None:
        write(yaml + "\n")
    for line in told.sentences():
        say(line)
    say("")
    entries = "entry spans; weighted is what the kept spans let one estimate"
    table("Error rates", told.error_rates(), rows=ROWS, note=entries, hint="--json has all")
    table("95th percentiles", told.percentiles(), rows=ROWS, note="the same", hint="--json has all")
    if told.matches is not None:
        shown = told.matches.select("policy", "type", "matched", "decided", "kept_alone")
        table("Policies", shown, rows=ROWS, note="traces", hint="--json has all")
    if told.losses.height:
        worst = told.losses.select("kind", "service_name", "value", "traces", "spans")
        table("Lost altogether", worst, rows=10, note="those with the most traces first", hint="--json has all")


def _writable(source: str, target: Path, *, force: bool) -> Path:
    """Check before any work whether spans can be written there, and give the place."""
    with usage():
        _no_stream(target)
        if force and holds_files(expanded(target)):
            stop(f"--force replaces files only, and {target} is a folder that holds some. Choose another name.", USAGE)
        written = check_writing(target)
    _keep_sources(source, written)
    if not force and written.is_file():
        stop(f"{written} is there. Choose another name, or pass --force to replace it.", USAGE)
    return written


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


@app.command(
    epilog="Exit codes: 0 nothing from --fail-on on was found, 1 the spans could not be read or the file not written, "
    "2 the command is wrong, 3 something from --fail-on on was found."
)
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
            help="Write SARIF 2.1.0 for code hosts: into a file, or with - to the output. An earlier SARIF file is "
            "replaced, no other one.",
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
        target = None if sarif is None or streams else _sarif_file(path, sarif, force=force)
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
        tell(f"Wrote {counted(shown.height, 'finding')} to {target}{_size(target)}.")
    if bad := at_least(findings, fail_on):
        tell(f"Failed: {counted(bad, 'finding')} of severity {fail_on}{'' if fail_on == 'error' else ' or worse'}.")
        raise typer.Exit(FOUND)


def _sarif_file(source: str, target: Path, *, force: bool) -> Path:
    target = expanded(target)
    _no_stream(target)
    check_target(target)
    _keep_sources(source, target)
    if not force and target.is_file() and not _is_sarif(target):
        stop(f"{target} is there and is no SARIF file. Choose another name, or pass --force to replace it.", USAGE)
    return target


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


@app.command(
    epilog="Exit codes: 0 traces do not take longer by more than --fail-if-slower, 1 the spans could not be read or a "
    "side has none to judge by, 2 the command or the query is wrong, 3 they do, and that is no chance."
)
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

    for line in opened.notes:
        say(line)
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
    head = _head(path, len(_HTML))
    return head is not None and (head.lower() == _HTML or not head)


def _is_sarif(path: Path) -> bool:
    """Say whether a file is SARIF, such as that of an earlier audit, or empty."""
    head = _head(path, 200)
    return head is not None and (_SARIF in head or not head)


def _head(path: Path, size: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:  # one may write to it, but not look
        return None


def _size(path: Path) -> str:
    return f", {format_bytes(path.stat().st_size)}" if path.is_file() else ""

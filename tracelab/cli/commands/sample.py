"""sample: what a sampling policy keeps, hides and costs."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import tracelab as tl
from tracelab.analysis.policies.budgets import parse_budget
from tracelab.cli.arguments import ROWS, Dump, Force
from tracelab.cli.policy_option import PolicyOption
from tracelab.cli.server_options import Server, takes_servers
from tracelab.cli.targets import checked_target, size_told
from tracelab.cli.terminal import USAGE, note, say, stop, table, usage, write
from tracelab.display.words import counted
from tracelab.errors import SourceError
from tracelab.files import expanded
from tracelab.sampling.deciding import is_head
from tracelab.sampling_overview import Kept

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl


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
    target = None if output is None else checked_target(path, output, force=force)
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
        tell(f"Wrote {kept.height:,} of {counted(spans.height, 'span')} to {target}{size_told(target)}.")
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

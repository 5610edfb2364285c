"""What the command line shows of an audit: totals, a table of findings, and of each rule what to do."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.auditing.descriptions import DESCRIPTIONS, EXPLANATIONS
from tracelab.auditing.findings import SEVERITIES
from tracelab.display.words import counted
from tracelab.errors import TracelabError
from tracelab.markup import NO_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOBODY: Final = "none"
BLIND: Final = (
    "The audit sees the spans that came, and nothing else: no metrics, no logs, and no service that sends no spans."
)


@dataclass(frozen=True)
class Mend:
    """Findings of a rule that are mended in one way.

    Attributes
    ----------
    findings
        A sentence each, and a span that shows it.
    explanation, fix
        What explains these findings, where that is known, and what to do about them.
    """

    findings: list[tuple[str, str]]
    explanation: str | None
    fix: str


@dataclass(frozen=True)
class Topic:
    """The findings of a rule: what it finds, why that matters, and what to do."""

    title: str
    why: str
    mends: list[Mend]


def chosen(
    findings: pl.DataFrame, *, rules: Sequence[str] = (), services: Sequence[str] = (), severity: str = "info"
) -> pl.DataFrame:
    """Keep the findings of some rules, about some services, from a severity on; all where none are named."""
    kept = findings.filter(pl.col("severity") >= severity)
    if rules:
        kept = kept.filter(pl.col("rule").is_in(list(rules)))
    if services:
        about = [pl.col(name).is_in(list(services)) for name in ("service_name", "caller", "callee")]
        kept = kept.filter(pl.any_horizontal(*about))
    return kept


def at_least(findings: pl.DataFrame, severity: str) -> int:
    """Count the findings from a severity on; of `none` on there are none."""
    return 0 if severity == NOBODY else findings.filter(pl.col("severity") >= severity).height


def refuse_unknown(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that there are not, so that a slip does not look like a clean result."""
    there = sorted(known)
    for name in names:
        if name not in there:
            near = get_close_matches(name, there, n=3)
            hint = f"Did you mean {', '.join(near)}?" if near else f"There are {', '.join(there[:10]) or 'none'}."
            raise TracelabError(f"There is no {what} {name!r:.100}. {hint}")


def totals(findings: pl.DataFrame) -> str:
    """Say how many findings there are of each severity, and what explains some."""
    if findings.is_empty():
        return "Nothing was found."
    numbers = {name: findings.filter(pl.col("severity") == name).height for name in reversed(SEVERITIES)}
    told = [
        f"{count:,} for information" if name == "info" else counted(count, name)
        for name, count in numbers.items()
        if count
    ]
    explained = findings.drop_nulls("explanation").group_by("explanation").len().sort("explanation").rows()
    because = ", ".join(f"{count:,} by {reason.replace('-', ' ')}" for reason, count in explained)
    return f"Found: {', '.join(told)}.{f' Explained: {because}.' if because else ''}"


def overview(findings: pl.DataFrame) -> pl.DataFrame:
    """Put findings into a table: how bad, what, where, how often; the worst first."""
    edge = pl.format("{} -> {}", "caller", "callee")
    table = findings.select(
        "severity",
        "rule",
        pl.coalesce(edge, "service_name", pl.lit(NO_NAME)).alias("where"),
        "detail",
        "count",
        "share",
    )
    return table.drop("detail") if findings["detail"].null_count() == findings.height else table


def topics(findings: pl.DataFrame) -> list[Topic]:
    """Put findings together by rule, and by how they are mended, in the order in which they come."""
    return [
        Topic(
            title=f"{rule}: {DESCRIPTIONS[rule].title}",
            why=DESCRIPTIONS[rule].why,
            mends=[_mend(alike) for alike in of_rule.partition_by("explanation", "fix", maintain_order=True)],
        )
        for (rule,), of_rule in findings.group_by("rule", maintain_order=True)
    ]


def _mend(findings: pl.DataFrame) -> Mend:
    explanation = findings["explanation"][0]
    exemplars = findings.select(
        "finding", pl.col("exemplar_trace_ids").list.first(), pl.col("exemplar_span_ids").list.first()
    )
    return Mend(
        [(said, f"trace {trace}, span {span}" if trace else "") for said, trace, span in exemplars.rows()],
        EXPLANATIONS.get(explanation, explanation),
        findings["fix"][0],
    )


def rule_list() -> pl.DataFrame:
    """List every rule with what it finds, and how much that matters at its worst."""
    return pl.DataFrame(
        [(rule, about.severity, about.title) for rule, about in DESCRIPTIONS.items()],
        schema={"rule": pl.String, "severity": pl.String, "finds": pl.String},
        orient="row",
    )

"""How far the traces can be trusted: where context is lost, and which clocks are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.display.words import counted
from tracelab.reporting.page.section import Section, quiet
from tracelab.reporting.page.tables import table

if TYPE_CHECKING:
    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.links import Links

FINDINGS: Final = 40


def context_section(evidence: Evidence, links: Links) -> Section:
    """Give what is wrong with the instrumentation."""
    text = "What is wrong with how the services are traced, the worst first, and what to do about it."
    audited = audited_rows(evidence.audited)
    content = table(audited, links, rows=FINDINGS) if audited.height else quiet("Nothing was found.")
    return Section("context", "Context", "Lost context and other faults of tracing", text, content)


def audited_rows(audited: pl.DataFrame) -> pl.DataFrame:
    """Put the findings of an audit into the columns that a person reads."""
    where = pl.coalesce(pl.format("{} → {}", "caller", "callee"), "service_name")
    exemplar = pl.col("exemplar_trace_ids").list.first().alias("exemplar_trace_id")
    return audited.select("severity", where.alias("where"), "finding", "fix", "count", "share", exemplar)


def clocks_section(evidence: Evidence, links: Links) -> Section:
    """Give the clocks that are wrong."""
    wrong = evidence.clocks.filter("skewed")
    text = (
        "Hosts whose clock cannot agree with that of another, since answers would arrive before they were asked for. "
        "Offset: how far the clock of the host is ahead, or behind where it is below 0."
    )
    if wrong.is_empty():
        told = quiet(f"None of {counted(evidence.clocks.height, 'pair')} of hosts with calls between them disagree.")
        return Section("clocks", "", "Clocks", "", told)
    columns = ("host", "reference", "offset", "lower", "upper", "calls", "outside", "exemplar_trace_id")
    return Section("clocks", "", "Clocks", text, table(wrong.select(columns), links, rows=FINDINGS))

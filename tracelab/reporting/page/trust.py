"""How far the traces can be trusted: where context is lost, and which clocks are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.clocks.correcting import CORRECTION
from tracelab.display.words import counted
from tracelab.markup import plain
from tracelab.reporting.page.section import Section, attribute, link, quiet
from tracelab.reporting.page.tables import table

if TYPE_CHECKING:
    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.links import Links

FINDINGS: Final = 40
_INFO: Final = "info"
_LONGEST: Final = 1_000


def context_section(evidence: Evidence, links: Links) -> Section:
    """Give what is wrong with the instrumentation: what misleads, then what is for information, which is folded."""
    text = "What is wrong with how the services are traced, the worst first, and what to do about it."
    heading = "Lost context and other faults of tracing"
    audited = audited_rows(evidence.audited)
    if audited.is_empty():
        return Section("context", "Context", heading, "", quiet("Nothing was found."))
    left = "" if evidence.audited.height <= FINDINGS else f" The first {FINDINGS} of {evidence.audited.height:,}."
    misleading, informing = (
        "".join(_item(row, links) for row in rows.iter_rows(named=True))
        for rows in (audited.filter(pl.col("severity") != _INFO), audited.filter(pl.col("severity") == _INFO))
    )
    content = f'<ul class="findings">{misleading}</ul>' if misleading else ""
    if informing:
        count = counted(audited.filter(pl.col("severity") == _INFO).height, "finding")
        folded = f'<ul class="findings">{informing}</ul>'
        content += f'<details class="more"><summary>{count} for information</summary>{folded}</details>'
    return Section("context", "Context", heading, text + left, content)


def audited_rows(audited: pl.DataFrame) -> pl.DataFrame:
    """Give the findings of an audit that are shown, each with the first trace that shows it."""
    exemplar = pl.col("exemplar_trace_ids").list.first().alias("exemplar_trace_id")
    return audited.head(FINDINGS).select("severity", "finding", "fix", exemplar)


def _item(row: dict[str, Any], links: Links) -> str:
    """Give a finding with what to do about it, folded, and a trace that shows it."""
    severity, trace_id = str(row["severity"]), row["exemplar_trace_id"]
    ways = [f'<span class="subject">{plain(severity)}</span>']
    if trace_id is not None:
        href = links.trace(trace_id)
        ways.append(link(href, "A trace") if href else f"<span>trace {plain(trace_id)}</span>")
    fix = f"<details><summary>What to do</summary><p>{plain(row['fix'], longest=_LONGEST)}</p></details>"
    return (
        f'<li class="{attribute(severity)}"><p>{plain(row["finding"], longest=_LONGEST)}</p>'
        f'<p class="ways">{"".join(ways)}</p>{fix}</li>'
    )


def wrong_clocks(clocks: pl.DataFrame) -> pl.DataFrame:
    """Give the pairs of hosts whose clocks disagree."""
    return clocks.filter("skewed")


def clocks_section(evidence: Evidence, links: Links) -> Section:
    """Give the clocks that are wrong, as they were recorded."""
    wrong = wrong_clocks(evidence.clocks)
    if wrong.is_empty():
        pairs = f"Of {counted(evidence.clocks.height, 'pair')} of hosts with calls between them none disagrees."
        told = pairs if evidence.clocks.height else "No calls between hosts tell of their clocks."
        return Section("clocks", "", "Clocks", "", quiet(told))
    text = (
        "Hosts whose clock cannot agree with that of another, since answers would arrive before they were asked for. "
        "Offset: how far the clock of the host is ahead, or behind where it is below 0. "
    )
    done = CORRECTION in evidence.spans.columns
    text += "The times of this report are corrected." if done else "The times of this report are not corrected."
    columns = ("host", "reference", "offset", "lower", "upper", "calls", "outside", "exemplar_trace_id")
    return Section("clocks", "", "Clocks", text, table(wrong.select(columns), links, rows=FINDINGS))

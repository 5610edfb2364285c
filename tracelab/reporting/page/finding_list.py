"""What is wrong, in sentences: the most harmful first, each with a way to its evidence and to a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.display.words import counted
from tracelab.markup import plain
from tracelab.reporting.page.section import Section, attribute, link, quiet

if TYPE_CHECKING:
    import polars as pl

    from tracelab.reporting.page.links import Links

ANCHOR: Final = "findings"
MOST: Final = 60
_OPEN: Final = 12
_LONGEST: Final = 1_000
# Where the page shows what a finding rests on, and what that part of it is called.
_EVIDENCE: Final = {
    "outcomes": ("answers", "what callers saw"),
    "error_rates": ("requests", "requests"),
    "latency_percentiles": ("requests", "requests"),
    "trace_latency_percentiles": ("requests", "requests"),
    "change_points": ("changes", "changes over time"),
    "compare": ("changes", "changes over time"),
    "root_causes": ("baseline", "beside the baseline"),
    "error_origins": ("origins", "where errors start"),
    "critical_path_profile": ("time", "where the time goes"),
    "repeated_calls": ("repetition", "repeated calls"),
    "gaps": ("gaps", "gaps"),
    "audit": ("context", "lost context"),
    "clock_skew": ("clocks", "clocks"),
    "trace_diff": ("baseline", "beside the baseline"),
    "service_graph": ("map", "map of the services"),
    "request_kinds": ("timelines", "timelines"),
}
_SUBJECTS: Final = {
    "change": "changed",
    "failure": "fails",
    "slowness": "slow",
    "loss": "lost",
    "repetition": "repeated",
    "gap": "gap",
    "context": "context",
    "clock": "clock",
}


def findings_section(findings: pl.DataFrame, links: Links) -> Section:
    """Give the findings as a list."""
    rows = findings.head(MOST).rows(named=True)
    if not rows:
        told = quiet("Nothing was found that is more than chance. That is what these spans show, and no more.")
        return Section(ANCHOR, "Findings", "Findings", "", told)
    first = _list(rows[:_OPEN], links, start=1)
    rest = ""
    if len(rows) > _OPEN:
        more = _list(rows[_OPEN:], links, start=_OPEN + 1)
        rest = f'<details class="more"><summary>{counted(len(rows) - _OPEN, "finding")} more</summary>{more}</details>'
    left = f" The first {MOST} of {findings.height:,}." if findings.height > MOST else ""
    text = f"The most harmful first. In brackets: where the true value lies, with 95 % confidence.{left}"
    return Section(ANCHOR, "Findings", "Findings", text, first + rest)


def _list(rows: list[dict[str, Any]], links: Links, *, start: int) -> str:
    return f'<ol class="findings" start="{start}">{"".join(_item(row, links) for row in rows)}</ol>'


def _item(row: dict[str, Any], links: Links) -> str:
    subject = str(row["subject"])
    below = [f'<span class="subject">{plain(_SUBJECTS.get(subject, subject))}</span>', *_ways(row, links)]
    return (
        f'<li class="{attribute(subject)}"><p>{plain(row["finding"], longest=_LONGEST)}</p>'
        f'<p class="ways">{"".join(below)}</p></li>'
    )


def _ways(row: dict[str, Any], links: Links) -> list[str]:
    """Give the links below a finding: to its evidence, and to a trace."""
    ways = []
    if row["evidence"] in _EVIDENCE:
        anchor, name = _EVIDENCE[row["evidence"]]
        ways.append(link(f"#{anchor}", f"Evidence: {name}"))
    trace_id = row["exemplar_trace_id"]
    if trace_id is not None:
        timeline, server = links.timeline(trace_id), links.server(trace_id)
        ways += [link(timeline, "A trace")] if timeline else []
        ways += [link(server, "In the tracing UI")] if server else []
        if not ways[1:]:
            ways.append(f"<span>trace {plain(trace_id)}</span>")
    return ways

"""Beside the baseline: what is slower, what fails more, and whether that may be chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.figures.charts.trace_diff import plot_trace_diff
from tracelab.markup import plain
from tracelab.reporting.page.figures import figure
from tracelab.reporting.page.section import Section
from tracelab.reporting.page.tables import table

if TYPE_CHECKING:
    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.links import Links

ROWS: Final = 60
_PATHS: Final = 25


def comparison_section(evidence: Evidence, links: Links) -> list[Section]:
    """Give what changed against the baseline; nothing where there is none."""
    if evidence.baseline is None or evidence.beside is None or evidence.verdict is None:
        return []
    verdict = evidence.verdict
    said = "".join(f"<li>{plain(each, longest=400)}</li>" for each in verdict.sentences())
    counts = ("before_requests", "after_requests")
    routes = table(evidence.beside.select(pl.exclude(counts), *counts), links, rows=ROWS)
    paths = ""
    if not verdict.is_empty:
        drawn = figure(plot_trace_diff(evidence.baseline, evidence.spans))
        paths = f"<h3>Time on the critical path of a trace, on average</h3>{drawn}"
        paths += table(verdict.overview(), links, rows=_PATHS)
    text = (
        "Before is the baseline, after are the spans of this report. A change of a route is told where the intervals "
        "of both sides do not touch; else what differs may be chance."
    )
    return [Section("baseline", "Baseline", "Beside the baseline", text, f"<ul>{said}</ul>{routes}{paths}")]

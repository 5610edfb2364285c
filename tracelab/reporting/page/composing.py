"""The page put together: its sections in their order, and which traces are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelab.reporting.page import finding_list
from tracelab.reporting.page.changes import changed_rows, changes_section
from tracelab.reporting.page.comparison import comparison_section
from tracelab.reporting.page.document import document
from tracelab.reporting.page.finding_list import findings_section
from tracelab.reporting.page.links import Links
from tracelab.reporting.page.opening import heading_of, opening
from tracelab.reporting.page.service_map import map_section
from tracelab.reporting.page.timelines import KINDS, OTHERS, kinds_section, others_section
from tracelab.reporting.page.traffic import answers_section, origins_section, requests_section
from tracelab.reporting.page.trust import audited_rows, clocks_section, context_section
from tracelab.reporting.page.work import gaps_section, repetition_section, time_section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.steps import Steps

STEPS = 13
"""How many steps `page_of` takes."""

_EXEMPLAR = "exemplar_trace_id"
_ROWS = 8
"""The traces of how many rows of a table are drawn."""


def page_of(evidence: Evidence, *, title: str | None, trace_url: str | None, notes: Sequence[str], steps: Steps) -> str:
    """Give the whole page as HTML."""
    typical = list(dict.fromkeys(evidence.kinds[_EXEMPLAR].drop_nulls().head(KINDS)))
    others = [each for each in _named(evidence, all_tables=trace_url is None) if each not in typical][:OTHERS]
    links = Links([*typical, *others], trace_url)
    heading = heading_of(evidence.spans, title)
    sections = [
        steps.run(lambda: [findings_section(evidence.findings, links)]),
        steps.run(lambda: comparison_section(evidence, links)),
        steps.run(lambda: [changes_section(evidence, links)]),
        steps.run(lambda: [requests_section(evidence, links)]),
        steps.run(lambda: [answers_section(evidence, links)]),
        steps.run(lambda: [origins_section(evidence, links)]),
        steps.run(lambda: [time_section(evidence, links)]),
        steps.run(lambda: [repetition_section(evidence, links)]),
        steps.run(lambda: [gaps_section(evidence, links)]),
        steps.run(lambda: [context_section(evidence, links), clocks_section(evidence, links)]),
        steps.run(lambda: [map_section(evidence)]),
        steps.run(lambda: [kinds_section(evidence, links)]),
        steps.run(lambda: others_section(evidence, links, others)),
    ]
    return document(heading, opening(evidence, heading, notes), [one for some in sections for one in some])


def _named(evidence: Evidence, *, all_tables: bool) -> list[str]:
    """List the traces that findings name, and tables in their first rows; those that matter most first."""
    named = [evidence.findings.head(finding_list.MOST)]
    if all_tables:
        named += [
            table.head(_ROWS)
            for table in (
                changed_rows(evidence.changes),
                *(evidence.answers.filter("failed"), evidence.origins, evidence.requests, evidence.repeated),
                *(audited_rows(evidence.audited), evidence.waited, evidence.profile),
            )
        ]
    return list(dict.fromkeys(each for frame in named for each in frame[_EXEMPLAR].drop_nulls()))

"""The page put together: its sections in their order, and which traces are drawn."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from tracelab.reporting.page import changes, finding_list, traffic, trust, work
from tracelab.reporting.page.changes import changed_rows, changes_section
from tracelab.reporting.page.comparison import comparison_section
from tracelab.reporting.page.document import document
from tracelab.reporting.page.finding_list import findings_section
from tracelab.reporting.page.links import Links
from tracelab.reporting.page.opening import heading_of, opening
from tracelab.reporting.page.service_map import map_section
from tracelab.reporting.page.timelines import drawn_timelines, kinds_section, others_section, shown_kinds
from tracelab.reporting.page.traffic import answers_section, origins_section, requests_section
from tracelab.reporting.page.trust import audited_rows, clocks_section, context_section, wrong_clocks
from tracelab.reporting.page.work import gaps_section, repetition_section, time_section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.steps import Steps

STEPS = 14
"""How many steps `page_of` takes."""

_EXEMPLAR = "exemplar_trace_id"


def page_of(evidence: Evidence, *, title: str | None, trace_url: str | None, notes: Sequence[str], steps: Steps) -> str:
    """Give the whole page as HTML."""
    typical = shown_kinds(evidence.kinds)[_EXEMPLAR].to_list()
    named = list(dict.fromkeys([*typical, *_named(evidence, all_tables=trace_url is None)]))
    drawn = steps.run(lambda: drawn_timelines(evidence.spans, named))
    others = {trace_id: timeline for trace_id, timeline in drawn.items() if trace_id not in typical}
    links = Links(list(drawn), trace_url)
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
        steps.run(lambda: [kinds_section(evidence, links, drawn)]),
        steps.run(lambda: others_section(links, others, left=len(named) - len(drawn))),
    ]
    return document(heading, opening(evidence, heading, notes), [one for some in sections for one in some])


def _named(evidence: Evidence, *, all_tables: bool) -> list[str]:
    """List the traces that findings name, then those of the rows that tables show: all first rows, all second ones."""
    found = evidence.findings.head(finding_list.MOST)[_EXEMPLAR].drop_nulls().to_list()
    if not all_tables:
        return found
    tables = (
        changed_rows(evidence.changes).head(changes.ROWS),
        evidence.requests.head(traffic.REQUESTS),
        evidence.answers.head(traffic.ANSWERS),
        evidence.origins.head(traffic.ORIGINS),
        evidence.profile.head(work.ROWS),
        evidence.repeated.head(work.ROWS),
        evidence.waited.head(work.ROWS),
        audited_rows(evidence.audited),
        wrong_clocks(evidence.clocks).head(trust.FINDINGS),
    )
    by_row = zip_longest(*(table[_EXEMPLAR].to_list() for table in tables))
    return [*found, *(each for row in by_row for each in row if each is not None)]

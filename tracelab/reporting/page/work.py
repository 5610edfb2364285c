"""Where the time goes: the critical path, calls that are repeated, and time that no span tells about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.figures.charts.critical_path_profile import plot_critical_path_profile
from tracelab.reporting.page.figures import figure
from tracelab.reporting.page.section import Section, quiet
from tracelab.reporting.page.tables import table

if TYPE_CHECKING:
    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.links import Links

ROWS: Final = 15
_BARS: Final = 15


def time_section(evidence: Evidence, links: Links) -> Section:
    """Give what answers had to wait for."""
    text = (
        "What the answers had to wait for: the time of each operation on the critical path, over all traces. "
        "Work that goes on beside it costs no time."
    )
    drawn = figure(plot_critical_path_profile(evidence.spans, first=_BARS))
    content = drawn + table(evidence.profile, links, rows=ROWS)
    return Section("time", "Time", "Where the time goes", text, content)


def repetition_section(evidence: Evidence, links: Links) -> Section:
    """Give calls that one operation makes again and again."""
    text = (
        "Operations that make the same call many times for one request, as where each item of a list is fetched by "
        "itself. Calls: the median; sequential: one waits for the other."
    )
    repeated = evidence.repeated
    content = table(repeated, links, rows=ROWS) if repeated.height else quiet("No call is repeated five times or more.")
    return Section("repetition", "Repetition", "Repeated calls", text, content)


def gaps_section(evidence: Evidence, links: Links) -> Section:
    """Give time inside of operations that no call covers."""
    text = (
        "Time inside of operations that no call covers, where it is long: work that is not traced, or waiting. After "
        "and before: between which calls it lies; a dash stands for the beginning and the end."
    )
    waited = evidence.waited
    content = table(waited, links, rows=ROWS) if waited.height else quiet("There are no long gaps.")
    return Section("gaps", "Gaps", "Gaps", text, content)

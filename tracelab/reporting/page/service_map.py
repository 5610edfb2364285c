"""The map of services: who calls whom, how often, and what of that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.figures.charts.service_graph import plot_service_graph
from tracelab.reporting.page.figures import figure
from tracelab.reporting.page.section import Section

if TYPE_CHECKING:
    from tracelab.reporting.page.evidence import Evidence

_EDGES: Final = 60


def map_section(evidence: Evidence) -> Section:
    """Give the map of services."""
    drawn = figure(plot_service_graph(evidence.spans, first=_EDGES))
    return Section("map", "Map", "Map of the services", "", drawn)

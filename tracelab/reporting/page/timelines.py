"""Timelines: one of each kind of failing and of slow request, then those that findings and tables name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracelab.display.words import counted, format_share
from tracelab.figures.charts.gantt import plot_gantt
from tracelab.markup import plain
from tracelab.reporting.page.figures import figure
from tracelab.reporting.page.section import Section, attribute, link, quiet
from tracelab.units import format_duration

if TYPE_CHECKING:
    import polars as pl

    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.links import Links

KINDS: Final = 24
OTHERS: Final = 40
_ROWS: Final = 40
"""How many spans a timeline draws: so many fit a sheet of paper."""


def kinds_section(evidence: Evidence, links: Links) -> Section:
    """Give a timeline of each kind of request that fails or is slow."""
    text = (
        "A typical request of each kind that fails, then of each kind that is slow. The dark line is the critical "
        "path: what the answer had to wait for. A cross marks an operation that failed."
    )
    kinds = evidence.kinds.drop_nulls("exemplar_trace_id").head(KINDS)
    seen: set[str] = set()
    parts = []
    for kind in kinds.iter_rows(named=True):
        trace_id = kind["exemplar_trace_id"]
        anchored = "" if trace_id in seen else f' id="{attribute(links.anchor(trace_id))}"'
        drawn = "" if trace_id in seen else figure(_timeline(evidence.spans, trace_id))
        seen.add(trace_id)
        parts.append(f'<div class="kind"{anchored}><h3>{plain(_heading(kind))}</h3>{_about(kind, links)}{drawn}</div>')
    left = f" The first {KINDS} of {evidence.kinds.height:,} kinds." if evidence.kinds.height > KINDS else ""
    content = "".join(parts) or quiet("No kind of request fails or is slow.")
    return Section("timelines", "Timelines", "Kinds of failing and of slow requests", text + left, content)


def others_section(evidence: Evidence, links: Links, others: list[str]) -> list[Section]:
    """Give the timelines that tables and findings lead to, folded until one asks for them."""
    if not others:
        return []
    folded = "".join(
        f'<details class="other" id="{attribute(links.anchor(trace_id))}"><summary>Trace {plain(trace_id)}</summary>'
        f"{_ways(trace_id, links)}{figure(_timeline(evidence.spans, trace_id))}</details>"
        for trace_id in others
    )
    text = f"{counted(len(others), 'trace')} that the findings and tables above name."
    return [Section("traces", "Traces", "Other traces", text, folded)]


def _timeline(spans: pl.DataFrame, trace_id: str) -> Any:
    return plot_gantt(spans, trace_id, first=_ROWS, keep="telling")


def _heading(kind: dict[str, Any]) -> str:
    of = "" if kind["service_name"] is None else f" of {kind['service_name']}"
    what = f"answered {kind['outcome']}" if kind["kind"] == "failing" else "slow"
    return f"{kind['route']}{of}: {what}"


def _about(kind: dict[str, Any], links: Links) -> str:
    """Say how many requests are of a kind, and why."""
    told = f"{kind['requests']:,} of {kind['of']:,} requests"
    if kind["share"] is not None:
        bounds = [format_share(kind[end]) for end in ("lower", "upper") if kind[end] is not None]
        told += f", {format_share(kind['share'])}" + (f" ({' to '.join(bounds)})" if len(bounds) > 1 else "")
    if kind["p50"] is not None:
        told += f"; half of them took {format_duration(int(kind['p50'].total_seconds() * 1e9))} or longer"
    if kind["cause"]:
        told += f". {'It fails in' if kind['kind'] == 'failing' else 'The time goes to'} {_place(kind['cause'])}"
    return f"<p>{plain(told, longest=600)}.</p>{_ways(kind['exemplar_trace_id'], links)}"


def _place(cause: str) -> str:
    """Say of which service an operation is."""
    service, _, name = cause.partition("::")
    return f"{name} of {service}" if name else cause


def _ways(trace_id: str, links: Links) -> str:
    server = links.server(trace_id)
    where = link(server, "In the tracing UI") if server else ""
    return f'<p class="ways"><span>trace {plain(trace_id)}</span>{where}</p>'

"""Timelines: one of each kind of failing and of slow request, then those that findings and tables name."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tracelab.display.words import counted, format_share
from tracelab.figures.charts.gantt import plot_gantt
from tracelab.markup import plain
from tracelab.reporting.page.figures import figure
from tracelab.reporting.page.section import Section, attribute, link, quiet
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.links import Links

KINDS: Final = 24
OTHERS: Final = 250
_ROOM: Final = 1_500_000
"""How many characters all timelines may take, so that a page with plotly's own script stays below 8 MB."""

_ROWS: Final = 40
"""How many spans a timeline draws: so many fit a sheet of paper."""


def drawn_timelines(spans: pl.DataFrame, trace_ids: Iterable[str]) -> dict[str, str]:
    """Draw these traces as long as there is room, and give the HTML of each."""
    drawn: dict[str, str] = {}
    left = _ROOM
    for trace_id in islice(trace_ids, KINDS + OTHERS):
        html = figure(plot_gantt(spans, trace_id, first=_ROWS, keep="telling"))
        left -= len(html)
        if left < 0:
            break
        drawn[trace_id] = html
    return drawn


def kinds_section(evidence: Evidence, links: Links, drawn: Mapping[str, str]) -> Section:
    """Give a timeline of each kind of request that fails or is slow."""
    text = (
        "A typical request of each kind that fails, then of each kind that is slow. The dark line is the critical "
        "path: what the answer had to wait for. A cross marks an operation that failed."
    )
    kinds = shown_kinds(evidence.kinds)
    seen: set[str] = set()
    parts = []
    for kind in kinds.iter_rows(named=True):
        trace_id = kind["exemplar_trace_id"]
        first = trace_id in drawn and trace_id not in seen
        anchored = f' id="{attribute(links.anchor(trace_id))}"' if first else ""
        timeline = drawn[trace_id] if first else ""
        seen.add(trace_id)
        about = f"<h3>{plain(_heading(kind))}</h3>{_about(kind, links)}"
        parts.append(f'<div class="kind"{anchored}>{about}{timeline}</div>')
    left = f" The first {KINDS} of {evidence.kinds.height:,} kinds." if evidence.kinds.height > KINDS else ""
    content = "".join(parts) or quiet("No kind of request fails or is slow.")
    return Section("timelines", "Timelines", "Kinds of failing and of slow requests", text + left, content)


def shown_kinds(kinds: pl.DataFrame) -> pl.DataFrame:
    """Give the kinds of requests that the page shows."""
    return kinds.drop_nulls("exemplar_trace_id").head(KINDS)


def others_section(links: Links, others: Mapping[str, str], *, left: int) -> list[Section]:
    """Give the timelines that tables and findings lead to, folded until one asks for them; `left` found no room."""
    if not others:
        return []
    folded = "".join(
        f'<details class="other" id="{attribute(links.anchor(trace_id))}"><summary>Trace {plain(trace_id)}</summary>'
        f"{_ways(trace_id, links)}{timeline}</details>"
        for trace_id, timeline in others.items()
    )
    text = f"{counted(len(others), 'trace')} that the findings and tables above name."
    if left:
        text += f" For {left:,} more there is no room; they stand further down in long tables."
    return [Section("traces", "Traces", "Other traces", text, folded)]


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

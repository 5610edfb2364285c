"""The service graph as the audit sees it: where context breaks, and which services have findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.calls.service_graph import service_graph
from tracelab.auditing.descriptions import DESCRIPTIONS
from tracelab.auditing.findings import SEVERITIES
from tracelab.auditing.given import known_findings
from tracelab.colors import ERROR, service_colors
from tracelab.conforming import takes_any_frame
from tracelab.display.words import counted, format_share
from tracelab.figures.graph_layout.painting import (
    Arrow,
    Stroke,
    box_text,
    calls_text,
    draw_arrows,
    draw_boxes,
    edge_title,
    explain_arrows,
    framed_graph,
    kinds_of,
    line_width,
    rows_by_edge,
    share_text,
    short_count,
)
from tracelab.figures.graph_layout.routing import LOWEST, Picture
from tracelab.figures.parts.style import ERROR_TEXT, NARROWEST, in_legend
from tracelab.figures.parts.text import wrapped
from tracelab.markup import plain
from tracelab.options import whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracelab.analysis.grouping import Spans
    from tracelab.figures.graph_layout.routing import Edge

Finding = dict[str, Any]

_OTHER: Final = "#c77700"
_QUIET: Final = "#808080"
_SOUND: Final = "rgba(121, 121, 121, 0.5)"
_BADGES: Final = {
    "error": (ERROR, "errors of a service"),
    "warning": (_OTHER, "warnings"),
    "info": (_QUIET, "for information"),
}
_CONTEXT: Final = frozenset({"structure", "splits"})
_HARMLESS: Final = frozenset({"double-instrumentation"})
"""Rules about the structure of traces that lose nothing."""

_THINNEST: Final = 2.0
_MOST_NUMBERS: Final = 40
_ROOM, _LETTERS = 470.0, 12.0
_ON_EDGE, _ON_BOX, _WITH_FIX = 3, 5, 2
_LONGEST: Final = 600
_ON_BADGE: Final = "#fafafa"  # on a badge, which is dark on any page
_BADGE: Final = 17
_COUNTED: Final = " · "
_LOWEST: Final = 220.0
"""Plotly cuts what it says where one points at something at the edges of the figure."""

_MOST: Final = 99


@dataclass(frozen=True, slots=True)
class _Edge:
    """An edge of the picture: its row of `service_graph`, where there is one, and what was found at it."""

    calls: int
    seen: bool
    row: Mapping[str, Any] | None
    findings: Sequence[Finding]

    @property
    def alarms(self) -> list[Finding]:
        """The findings that nothing explains, those of lost context first."""
        found = [finding for finding in self.findings if finding["severity"] != "info"]
        return sorted(found, key=lambda finding: not _loses_context(finding))


@takes_any_frame
def plot_audit(spans: Spans, *, findings: Any = None, first: int = 100) -> go.Figure:
    """Draw where the context of traces breaks: the service graph with broken edges in red.

    Parameters
    ----------
    spans
        A span frame.
    findings
        What `audit(spans)` gave, or rows of it; without, the spans are audited.
    first
        How many edges to draw at most, those with findings first, then those with the most calls; and how many services
        that call nobody and are called by nobody.

    Returns
    -------
    A plotly Figure: a box per service with badges that count its findings by severity, an arrow per caller and callee.
    Arrows are red where context is lost, dashed where no trace holds both sides, orange where something else was found,
    dotted and grey where what was found is explained or only worth to know. Before the head of an arrow stand its calls
    and, in red, how many spans its first finding counts and their share. Where one points at an arrow or a box stand
    its findings, their shares with intervals, and what to do.

    Raises
    ------
    TracelabError
        `first` is no number of edges, or `findings` are none.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay  =========== kind=server
    ...   gone::GET
    ...     bank::pay  ..======    kind=server
    ... ''')
    >>> print(plot_audit(spans).layout.title.text.partition("<br>")[0])
    Where context breaks: 1 for information
    """
    most = whole("first", first, least=1, why="It is the number of edges to draw.")
    found = known_findings(spans, findings)
    services = spans.lazy().select(pl.col("service_name").unique().sort()).collect()["service_name"].to_list()
    answer = service_graph(spans)
    everything = _edges(answer, found, set(services))
    edges = dict(list(everything.items())[:most])
    flagged = found["service_name"].drop_nulls().unique(maintain_order=True).to_list()
    busy = {*flagged, *(end for edge in everything for end in edge)}
    alone = [name for name in services if name not in busy]
    names = sorted({*(end for edge in edges for end in edge), *flagged[:most], *alone[:most]})
    kinds = kinds_of(answer, services) | {
        name: "external" for name in names if name not in {*services, *answer["callee"]}
    }
    by_service = _by_service(found.filter(pl.col("service_name").is_in(names)))
    picture = _picture(names, edges)
    figure = go.Figure()
    arrows = {edge: Arrow(_stroke(each), _edge_text(edge, each), _tint(each)) for edge, each in edges.items()}
    draw_arrows(figure, picture, arrows)
    seen = [each.calls for each in edges.values() if each.calls]
    explain_arrows(figure, seen, (arrow.stroke for arrow in arrows.values()))
    said = {
        name: "<br><br>".join([
            box_text(name, kinds.get(name, "service"), answer), *_said(by_service.get(name, []), most=_ON_BOX),
        ])
        for name in names
    }  # fmt: skip
    draw_boxes(figure, picture, kinds=kinds, colors=service_colors(names, among=services), said=said)
    _draw_badges(figure, picture, by_service, said)
    count, unseen = spans.lazy().select(pl.len()).collect().item(), len(set(flagged) - set(names))
    said_of_all = [
        "" if found.height else f"Nothing was found in {counted(count, 'span')} of {counted(len(services), 'service')}",
        _reading(picture, edges),
        f"the first {most:,} of {len(everything):,} edges" if len(everything) > most else "",
        f"{len(alone) - most:,} services without calls are left out" if len(alone) > most else "",
        f"{counted(unseen, 'service')} with findings {'is' if unseen == 1 else 'are'} left out" if unseen else "",
    ]
    return framed_graph(
        figure,
        picture,
        title=f"Where context breaks: {_totals(found)}" if names else "Where context breaks",
        subtitle="; ".join(filter(None, said_of_all)) if names else "",
        nothing="" if names else "No spans",
        least=_LOWEST if found.height else LOWEST,
    )


def _edges(answer: pl.DataFrame, found: pl.DataFrame, services: set[str]) -> dict[Edge, _Edge]:
    """Join calls and findings by caller and callee: what is broken first, then what has most calls."""
    findings: dict[Edge, list[Finding]] = {}
    # What is lost between threads of a service is lost on the way from the service to itself.
    inside = pl.col("caller").is_null() & pl.col("callee").is_null() & (pl.col("hop") == "in-process")
    ends = [pl.when(inside).then("service_name").otherwise(end).alias(end) for end in ("caller", "callee")]
    for finding in found.with_columns(ends).drop_nulls(["caller", "callee"]).iter_rows(named=True):
        findings.setdefault((finding["caller"], finding["callee"]), []).append(finding)
    rows = rows_by_edge(answer)
    edges = {}
    for edge in {**rows, **findings}:
        row = rows.get(edge)
        # Calls that nobody answered, of a service that sent spans in other traces, are not seen from both sides.
        seen = row is not None and (row["instrumented"] or edge[1] not in services)
        edges[edge] = _Edge(row["calls"] if row else 0, seen, row, findings.get(edge, ()))
    return dict(sorted(edges.items(), key=lambda item: (-_stroke(item[1]).rank, -item[1].calls, item[0])))


def _by_service(found: pl.DataFrame) -> dict[str, list[Finding]]:
    findings: dict[str, list[Finding]] = {}
    for finding in found.iter_rows(named=True):
        findings.setdefault(finding["service_name"], []).append(finding)
    return findings


def _picture(names: Sequence[str], edges: Mapping[Edge, _Edge]) -> Picture:
    """Lay the graph out. Where there is no room for all numbers, those of what is broken are shown."""
    weights = {
        edge: max(each.calls, sum(finding["count"] for finding in each.alarms), 1) for edge, each in edges.items()
    }
    needed = set([edge for edge, each in edges.items() if each.alarms][:_MOST_NUMBERS])
    pictures = [
        Picture.of(names, weights, {edge: _numbers(each, brief=brief) for edge, each in edges.items()}, needed=needed)
        for brief in (False, True)
    ]
    return max(pictures, key=lambda picture: (picture.width + 24 <= NARROWEST, len(picture.numbers)))


def _loses_context(finding: Finding) -> bool:
    described = DESCRIPTIONS.get(finding["rule"])
    return described is not None and described.subject in _CONTEXT and finding["rule"] not in _HARMLESS


def _stroke(edge: _Edge) -> Stroke:
    width = max(line_width(edge.calls), _THINNEST)
    if edge.alarms and _loses_context(edge.alarms[0]):
        if edge.seen:
            return Stroke(5, width, ERROR, "context is lost")
        return Stroke(4, width, ERROR, "no trace holds both sides", "dash")
    if edge.alarms:
        return Stroke(3, width, _OTHER, "another finding")
    if edge.findings:
        return Stroke(2, width, _QUIET, "explained, or good to know", "dot")
    return Stroke(1, line_width(edge.calls), _SOUND, "no finding")


def _tint(edge: _Edge) -> str:
    return ERROR_TEXT if edge.alarms and _loses_context(edge.alarms[0]) else _OTHER


def _numbers(edge: _Edge, *, brief: bool = False) -> tuple[str, str]:
    """Write the calls short, and what the first alarm counts, with its share; in brief that alone."""
    calls = short_count(edge.calls) if edge.calls else ""
    if not edge.alarms:
        return calls, ""
    first, *others = edge.alarms
    more = f" +{len(others)}" if others and not brief else ""
    count = "" if brief else f"{short_count(first['count'])}{_COUNTED}"
    return calls, f"{count}{share_text(first['share'] or 0.0)}{more}"


def _edge_text(edge: Edge, each: _Edge) -> str:
    calls = calls_text(each.row) if each.row else "no trace holds such a call"
    return "<br><br>".join(
        [f"{edge_title(*edge)}<br>{calls}", *_said([*each.alarms, *_explained(each)], most=_ON_EDGE)]
    )


def _explained(edge: _Edge) -> list[Finding]:
    return [finding for finding in edge.findings if finding["severity"] == "info"]


def _said(findings: Sequence[Finding], *, most: int) -> list[str]:
    """Put findings into words, the first ones with what to do about them."""
    texts = [_finding_text(finding, whole=place < _WITH_FIX) for place, finding in enumerate(findings[:most])]
    more = len(findings) - most
    return [*texts, f"and {counted(more, 'more finding')}"] if more > 0 else texts


def _finding_text(finding: Finding, *, whole: bool) -> str:
    lower, upper = (format_share(finding[bound] or 0.0) for bound in ("share_lower", "share_upper"))
    sentences = [finding["finding"]]
    if finding["explanation"]:
        sentences.append(f"Explained by: {finding['explanation']}.")
    if whole and finding["fix"]:
        sentences.append(f"What to do: {finding['fix']}")
    heading = f"<b>{finding['severity']}: {plain(finding['rule'])}</b>, share {lower} to {upper}"
    return "<br>".join([heading, *(line for sentence in sentences for line in _lines(sentence))])


def _lines(sentence: str | None) -> list[str]:
    return wrapped(plain(" ".join((sentence or "").split()), longest=_LONGEST), _ROOM, _LETTERS)


def _draw_badges(
    figure: go.Figure, picture: Picture, by_service: Mapping[str, Sequence[Finding]], said: Mapping[str, str]
) -> None:
    """Count the findings of each service in badges on the upper edge of its box, the worst on the right."""
    for severity, (tint, means) in _BADGES.items():
        marks = []
        for item in picture.laid.items:
            severities = [finding["severity"] for finding in by_service.get(item.name, ())]
            if severity in severities:
                worse = [other for other in _BADGES if other in severities].index(severity)
                x = picture.rights[item.layer] - (_BADGE + 2) * (worse + 0.5) - 2
                marks.append((x, item.y - item.height / 2, severities.count(severity), item.name))
        if not marks:
            continue
        figure.add_scatter(
            x=[x for x, *_ in marks], y=[y for _, y, *_ in marks], mode="markers+text", showlegend=False,
            marker={"size": _BADGE, "color": tint, "opacity": 1}, textposition="middle center",
            text=[f"{count}" if count <= _MOST else f"{_MOST}+" for _, _, count, _ in marks],
            textfont={"size": 10, "color": _ON_BADGE, "weight": "bold"}, hoverinfo="text",
            hovertext=[said[name] for *_, name in marks], legendgroup=means, cliponaxis=False,
        )  # fmt: skip
        in_legend(figure, means, go.Scatter, mode="markers", marker={"size": 12, "color": tint})


def _totals(found: pl.DataFrame) -> str:
    """Count findings by severity, the worst first."""
    counts = {severity: int((found["severity"] == severity).sum()) for severity in reversed(SEVERITIES)}
    said = {"error": counted(counts["error"], "error"), "warning": counted(counts["warning"], "warning")}
    words = [said.get(severity, f"{count:,} for information") for severity, count in counts.items() if count]
    return ", ".join(words) or "no findings"


def _reading(picture: Picture, edges: Mapping[Edge, _Edge]) -> str:
    """Say what the numbers are, or that there is nothing to read."""
    if not edges:
        return "No calls between services"
    if not picture.numbers:
        return "Point at an arrow for its numbers"
    alarms = any(each.alarms for each in edges.values())
    if not alarms:
        return "Numbers: calls"
    brief = not any(_COUNTED in below for _, below in picture.numbers.values())
    some = " at what is broken" if len(picture.numbers) < len(edges) else ""
    return f"Numbers{some}: calls, and below {'the share' if brief else 'what a finding counts and its share'}"

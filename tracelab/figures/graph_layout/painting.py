"""What a graph of services is drawn with: arrows that say how many calls they are, and boxes with marks and names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.display.words import counted
from tracelab.figures.graph_layout.routing import (
    LOWEST,
    NAME_SIZE,
    NUMBER_SIZE,
    along,
    end_width,
    path_of,
    ports_of,
    reach_of,
)
from tracelab.figures.parts.style import ERROR_TEXT, LINE, NARROWEST, TEXT, faint, framed
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import plotly.graph_objects as go

    from tracelab.figures.graph_layout.routing import Edge, Numbers, Picture

KIND_NAMES: Final = {"service": "service", "database": "database", "queue": "queue", "external": "not instrumented"}
WIDTHS: Final = (1.2, 2.0, 3.0, 4.2, 5.6, 7.0, 8.5)
"""How wide lines are: by how many digits their calls have."""

_SYMBOLS: Final = {"service": "circle", "database": "square", "queue": "diamond", "external": "circle-open"}
_HEAD: Final = (1.4, 3.2)


@dataclass(frozen=True, slots=True, order=True)
class Stroke:
    """How a line looks, and what that means; lines are drawn in the order of their strokes."""

    rank: int
    width: float
    color: str
    means: str
    dash: str = "solid"


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge: how it looks, what it says where one points at it, and the colour of the number below it."""

    stroke: Stroke
    said: str
    tint: str = ERROR_TEXT


def draw_arrows(figure: go.Figure, picture: Picture, arrows: Mapping[Edge, Arrow]) -> None:
    """Draw lines, one trace for all that look alike, then arrow heads, then the numbers before them."""
    ports = ports_of(picture, arrows)
    lines: dict[Stroke, tuple[list[float | None], list[float | None], list[str]]] = {}
    labels: list[tuple[float, float, float, Numbers, str]] = []
    heads: list[dict[str, Any]] = []
    for edge, arrow in arrows.items():
        xs, ys = path_of(picture, edge, ports)
        stroke = arrow.stroke
        line = lines.setdefault(stroke, ([], [], []))
        line[0].extend([*xs, None])
        line[1].extend([*ys, None])
        line[2].extend([arrow.said] * (len(xs) + 1))
        back = -1 if edge in picture.laid.bows | picture.laid.turned else 1
        heads.append({
            "x": xs[-1], "y": ys[-1], "ax": xs[-1] - 9 * back, "ay": ys[-1], "xref": "x", "yref": "y",
            "axref": "x", "ayref": "y", "text": "",
            "showarrow": True, "arrowhead": 2, "arrowsize": 0.9,
            "arrowwidth": max(_HEAD[0], min(stroke.width, _HEAD[1])), "arrowcolor": stroke.color,
        })  # fmt: skip
        if edge in picture.numbers:
            bow = reach_of(picture.laid, *edge) if edge in picture.laid.bows else 0.0
            middle = xs[-1] - back * (bow + end_width(picture.numbers[edge]) / 2 + 6)
            labels.append((middle, ys[-1], stroke.width / 2 + 1, picture.numbers[edge], arrow.tint))
    # One by one, each would be checked again with every other that is added.
    figure.update_layout(annotations=heads)
    for stroke, (xs_, ys_, texts) in sorted(lines.items()):
        figure.add_scatter(
            x=xs_, y=ys_, mode="lines", showlegend=False, hoverinfo="text", hovertext=texts,
            line={"width": stroke.width, "color": stroke.color, "dash": stroke.dash}, legendgroup=stroke.means,
        )  # fmt: skip
    if labels:
        tints = [tint for *_, tint in labels]
        for place, side, position, color in ((0, -1, "top center", TEXT), (1, 1, "bottom center", tints)):
            figure.add_scatter(
                x=[x for x, *_ in labels], y=[y + side * away for _, y, away, *_ in labels], mode="text",
                text=[numbers[place] for *_, numbers, _ in labels], textposition=position,
                textfont={"size": NUMBER_SIZE, "color": color}, hoverinfo="skip", showlegend=False,
            )  # fmt: skip


def explain_arrows(figure: go.Figure, calls: Iterable[int], strokes: Iterable[Stroke]) -> None:
    """Say in the legend how many calls widths stand for, and what looks mean."""
    for size in sorted({_decade(count) for count in calls}):
        _legend_line(figure, _decade_name(size), {"color": LINE, "width": WIDTHS[size]})
    for _, means, color, dash in sorted({(each.rank, each.means, each.color, each.dash) for each in strokes}):
        _legend_line(figure, means, {"color": color, "width": 2.5, "dash": dash})


def draw_boxes(
    figure: go.Figure, picture: Picture, *, kinds: Mapping[str, str], colors: Mapping[str, str], said: Mapping[str, str]
) -> None:
    """Draw a box per service, with a mark and a name in it."""
    boxes = [item for item in picture.laid.items if item.name]
    known = {item.name: kinds.get(item.name, "service") for item in boxes}
    figure.update_layout(
        shapes=[
            {
                "type": "rect",
                "layer": "below",
                "x0": picture.lefts[item.layer],
                "x1": picture.rights[item.layer],
                "y0": item.y - item.height / 2,
                "y1": item.y + item.height / 2,
                "line": {"color": colors[item.name], "width": 1.5},
                "fillcolor": faint(colors[item.name], 0.1),
            }
            for item in boxes
        ]
    )
    there = set(known.values()) if set(known.values()) != {"service"} else set()
    for kind in (kind for kind in _SYMBOLS if kind in there):
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=KIND_NAMES[kind], showlegend=True, hoverinfo="skip",
            marker={"symbol": _SYMBOLS[kind], "size": 10, "color": LINE, "line": {"color": LINE, "width": 2}},
        )  # fmt: skip
    grid = [(x, item) for item in boxes for x in along(picture, item.layer)]
    figure.add_scatter(
        x=[x for x, _ in grid], y=[item.y for _, item in grid], mode="markers", showlegend=False,
        marker={"size": 22, "opacity": 0, "color": LINE}, hoverinfo="text",
        hovertext=[said[item.name] for _, item in grid],
    )  # fmt: skip
    tints = [colors[item.name] for item in boxes]
    figure.add_scatter(
        x=[picture.lefts[item.layer] + 13 for item in boxes],
        y=[item.y for item in boxes],
        mode="markers+text",
        text=[plain(picture.texts[item.name]) for item in boxes],
        textposition="middle right",
        textfont={"size": NAME_SIZE, "color": TEXT},
        marker={
            "size": 10,
            "color": tints,
            "symbol": [_SYMBOLS.get(known[item.name], "circle") for item in boxes],
            "line": {"width": 2, "color": tints},
        },
        hoverinfo="text",
        hovertext=[said[item.name] for item in boxes],
        showlegend=False,
    )


def framed_graph(
    figure: go.Figure, picture: Picture, *, title: str, subtitle: str, nothing: str, least: float = LOWEST
) -> go.Figure:
    """Give the figure its title, axes on which a unit is a pixel, and the size that it needs, `least` high or more."""
    height = max(picture.laid.height, least)
    figure.update_xaxes(visible=False, range=[-2, picture.width + 2])
    low = min((item.y - item.height / 2 for item in picture.laid.items), default=0.0)
    figure.update_yaxes(visible=False, range=[low + height + 6, low - 6], automargin=False)
    framed(
        figure,
        title=title,
        subtitle=subtitle,
        nothing=nothing,
        inner=round(height) + 12,
        bottom=12,
        hovermode="closest",
    )
    wide = picture.width + 24 > NARROWEST
    return figure.update_layout(margin={"l": 12, "r": 12}, **({"width": picture.width + 24} if wide else {}))


def calls_text(edge: Mapping[str, Any]) -> str:
    """Say of a row of `service_graph` what there is to know, for where one points at it."""
    calls, errors, messages = edge["calls"], edge["errors"], edge["messages"]
    return (
        f"{calls:,} {'calls' if calls != 1 else 'call'}{f', {messages:,} of them messages' if messages else ''}<br>"
        f"{errors:,} failed ({share_text(errors / calls) if errors else '0 %'})<br>"
        f"p50 {format_duration(edge['p50'])}, p95 {format_duration(edge['p95'])}<br>"
        f"for instance in trace {plain(edge['exemplar_trace_id'])}"
    )


def box_text(name: str, kind: str, edges: pl.DataFrame) -> str:
    """Say of a service whom it calls and who calls it, for where one points at it."""
    inward, outward = edges.filter(callee=name), edges.filter(caller=name)
    failed = f", {inward['errors'].sum():,} failed" if inward.height else ""
    return (
        f"<b>{plain(name, longest=160)}</b><br>{KIND_NAMES[kind]}<br>"
        f"{counted(int(inward['calls'].sum()), 'call')} from {counted(inward.height, 'caller')}{failed}<br>"
        f"{counted(int(outward['calls'].sum()), 'call')} to {counted(outward.height, 'other')}"
    )


def edge_title(caller: str, callee: str) -> str:
    """Name an edge."""
    return f"<b>{plain(caller, longest=80)} → {plain(callee, longest=80)}</b>"


def rows_by_edge(edges: pl.DataFrame) -> dict[Edge, dict[str, Any]]:
    """Give the rows of `service_graph` by caller and callee, their times in nanoseconds."""
    rows = edges.with_columns(pl.col("p50", "p95").dt.total_nanoseconds()).iter_rows(named=True)
    return {(row["caller"], row["callee"]): row for row in rows}


def kinds_of(edges: pl.DataFrame, services: list[str]) -> dict[str, str]:
    """Say what everything is that calls or is called: what sent no spans is what its callers take it for."""
    others = edges.filter(~pl.col("callee").is_in(services))
    return dict.fromkeys(services, "service") | dict(
        others.select("callee", pl.col("callee_type").cast(pl.String)).rows()
    )


def short_count(count: int) -> str:
    """Write a count short: 1,234 but 12.3 k."""
    unit, scale = next(((unit, scale) for unit, scale in (("M", 1e6), ("k", 1e3)) if count >= 10 * scale), ("", 1))
    return f"{count / scale:.3g} {unit}" if unit else f"{count:,}"


def share_text(part: float) -> str:
    """Write a share short."""
    if part < 0.001:
        return "<0.1 %".replace("<", "&lt;")
    return f"{part * 100:.1f} %" if part < 0.0995 else f"{part * 100:.0f} %"


def line_width(calls: int) -> float:
    """Say how wide the line is that stands for so many calls."""
    return WIDTHS[_decade(calls)]


def _decade(calls: int) -> int:
    return min(len(str(max(int(calls), 1))) - 1, len(WIDTHS) - 1)


def _decade_name(decade: int) -> str:
    if decade == len(WIDTHS) - 1:
        return f"{10**decade:,} calls and more"
    return f"{10**decade:,} to {10 ** (decade + 1) - 1:,} calls"


def _legend_line(figure: go.Figure, name: str, line: dict[str, Any]) -> None:
    figure.add_scatter(x=[None], y=[None], mode="lines", name=name, showlegend=True, line=line, hoverinfo="skip")

"""The service graph: who calls whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.calls.service_graph import service_graph
from tracelab.colors import ERROR, service_colors
from tracelab.conforming import takes_any_frame
from tracelab.figures.graph_layout.routing import (
    LOWEST,
    NAME_SIZE,
    NUMBER_SIZE,
    Picture,
    along,
    end_width,
    numbers_of,
    path_of,
    ports_of,
    reach_of,
    rows_by_edge,
    share_text,
)
from tracelab.figures.parts.style import ERROR_TEXT, LINE, NARROWEST, TEXT, faint, first_rows, framed, of_all
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_SYMBOLS: Final = {"service": "circle", "database": "square", "queue": "diamond", "external": "circle-open"}
_FAILING: Final = 0.01
_WIDTHS: Final = (1.2, 2.0, 3.0, 4.2, 5.6, 7.0, 8.5)
_KIND_NAMES: Final = {"service": "service", "database": "database", "queue": "queue", "external": "not instrumented"}


@takes_any_frame
def plot_service_graph(spans: Spans, *, first: int = 100) -> go.Figure:
    """Draw the services and their calls, callers on the left.

    Parameters
    ----------
    spans
        A span frame.
    first
        How many edges to draw at most, those with the most calls first, and how many services that call nobody and
        are called by nobody.

    Returns
    -------
    A plotly Figure: a box per service, whose mark says what it is (squares are databases, diamonds queues, open circles
    what is not instrumented), an arrow per caller and callee, wider the more calls, red where more than one in a
    hundred failed. Before an arrow's head stand its calls and the share of them that failed, where there is room.

    Raises
    ------
    TracelabError
        `first` is no number of edges.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /       =====  kind=server
    ...   web::GET       .===   kind=client
    ...     api::GET /   .==    kind=server
    ... ''')
    >>> [note.axref for note in plot_service_graph(spans).layout.annotations]
    ['x']
    """
    answer = service_graph(spans)
    edges = first_rows(answer, first)
    services = spans.lazy().select(pl.col("service_name").unique().sort()).collect()["service_name"].to_list()
    busy = set(answer["caller"]) | set(answer["callee"])
    drawn = set(edges["caller"]) | set(edges["callee"])
    alone = [name for name in services if name not in busy]
    names = sorted(drawn | set(alone[:first]))
    kinds = dict.fromkeys(services, "service") | dict(
        edges.filter(~pl.col("callee").is_in(services)).select("callee", pl.col("callee_type").cast(pl.String)).rows()
    )
    picture = Picture.of(names, edges)
    figure = go.Figure()
    _draw_edges(figure, picture, edges)
    _draw_boxes(figure, picture, edges, kinds, service_colors(names, among=services))
    figure.update_xaxes(visible=False, range=[-2, picture.width + 2])
    low = min((item.y - item.height / 2 for item in picture.laid.items), default=0.0)
    figure.update_yaxes(visible=False, range=[low + picture.laid.height + 6, low - 6], automargin=False)
    left_out = f"; {len(alone) - first:,} services without calls are left out" if len(alone) > first else ""
    numbers = "Numbers: calls, and the share that failed" if picture.labelled else "Point at an arrow for its numbers"
    framed(
        figure,
        title=f"Who calls whom{of_all(first, answer.height)}",
        subtitle=f"{numbers if edges.height else 'No calls between services'}{left_out}",
        nothing="" if names else "No spans",
        inner=round(max(picture.laid.height, LOWEST)) + 12,
        bottom=12,
        hovermode="closest",
    )
    wide = picture.width + 24 > NARROWEST
    return figure.update_layout(margin={"l": 12, "r": 12}, **({"width": picture.width + 24} if wide else {}))


def _draw_edges(figure: go.Figure, picture: Picture, edges: pl.DataFrame) -> None:
    """Draw lines, one trace for all of a width and colour, then arrow heads, then the numbers before them."""
    ports = ports_of(picture, edges)
    lines: dict[tuple[int, bool], tuple[list[float | None], list[float | None], list[str]]] = {}
    labels: list[tuple[float, float, float, str, str]] = []
    heads: list[dict[str, Any]] = []
    for caller, callee, edge in rows_by_edge(edges):
        xs, ys = path_of(picture, (caller, callee), ports)
        failing, size = _failing(edge), _decade(edge["calls"])
        line = lines.setdefault((size, failing), ([], [], []))
        line[0].extend([*xs, None])
        line[1].extend([*ys, None])
        line[2].extend([_edge_text(edge)] * (len(xs) + 1))
        back = -1 if (caller, callee) in picture.laid.bows | picture.laid.turned else 1
        heads.append({
            "x": xs[-1], "y": ys[-1], "ax": xs[-1] - 9 * back, "ay": ys[-1], "xref": "x", "yref": "y",
            "axref": "x", "ayref": "y", "text": "",
            "showarrow": True, "arrowhead": 2, "arrowsize": 0.9, "arrowwidth": max(1.4, min(_WIDTHS[size], 3.2)),
            "arrowcolor": ERROR if failing else LINE,
        })  # fmt: skip
        bow = reach_of(picture.laid, caller, callee) if (caller, callee) in picture.laid.bows else 0.0
        middle = xs[-1] - back * (bow + end_width(edge, labelled=True) / 2 + 6)
        labels.append((middle, ys[-1], _WIDTHS[size] / 2 + 1, *numbers_of(edge)))
    # One by one, each would be checked again with every other that is added.
    figure.update_layout(annotations=heads)
    for (size, failing), (xs_, ys_, texts) in sorted(lines.items()):
        figure.add_scatter(
            x=xs_, y=ys_, mode="lines", showlegend=False, hoverinfo="text", hovertext=texts,
            line={"width": _WIDTHS[size], "color": ERROR if failing else LINE},
            legendgroup=_failing_name(failing=failing),
        )  # fmt: skip
    for size in sorted({size for size, _ in lines}):
        _legend_line(figure, _decade_name(size), LINE, _WIDTHS[size])
    for failing in sorted({failing for _, failing in lines}):
        _legend_line(figure, _failing_name(failing=failing), ERROR if failing else LINE, 2.5)
    if picture.labelled:
        for place, side, position, color in ((3, -1, "top center", TEXT), (4, 1, "bottom center", ERROR_TEXT)):
            figure.add_scatter(
                x=[label[0] for label in labels], y=[label[1] + side * label[2] for label in labels], mode="text",
                text=[label[place] for label in labels], textposition=position,
                textfont={"size": NUMBER_SIZE, "color": color}, hoverinfo="skip", showlegend=False,
            )  # fmt: skip


def _draw_boxes(
    figure: go.Figure, picture: Picture, edges: pl.DataFrame, kinds: dict[str, str], colors: dict[str, str]
) -> None:
    """Draw a box per service, with a mark and a name in it."""
    boxes = [item for item in picture.laid.items if item.name]
    known = {item.name: kinds.get(item.name, "service") for item in boxes}
    figure.update_layout(
        shapes=[
            {
                "type": "rect",
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
            x=[None], y=[None], mode="markers", name=_KIND_NAMES[kind], showlegend=True, hoverinfo="skip",
            marker={"symbol": _SYMBOLS[kind], "size": 10, "color": LINE, "line": {"color": LINE, "width": 2}},
        )  # fmt: skip
    said = {item.name: _box_text(item.name, known[item.name], edges) for item in boxes}
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


def _failing(edge: dict[str, Any]) -> bool:
    return bool(edge["errors"] > _FAILING * edge["calls"])


def _decade(calls: int) -> int:
    return min(len(str(max(int(calls), 1))) - 1, len(_WIDTHS) - 1)


def _decade_name(decade: int) -> str:
    if decade == len(_WIDTHS) - 1:
        return f"{10**decade:,} calls and more"
    return f"{10**decade:,} to {10 ** (decade + 1) - 1:,} calls"


def _failing_name(*, failing: bool) -> str:
    return f"{'more' if failing else 'no more'} than {_FAILING:.0%} failed".replace("%", " %")


def _legend_line(figure: go.Figure, name: str, color: str, width: float) -> None:
    figure.add_scatter(
        x=[None], y=[None], mode="lines", name=name, showlegend=True, line={"color": color, "width": width},
        hoverinfo="skip",
    )  # fmt: skip


def _edge_text(edge: dict[str, Any]) -> str:
    calls, errors, messages = edge["calls"], edge["errors"], edge["messages"]
    return (
        f"<b>{plain(edge['caller'], longest=80)} → {plain(edge['callee'], longest=80)}</b><br>"
        f"{calls:,} {'calls' if calls != 1 else 'call'}{f', {messages:,} of them messages' if messages else ''}<br>"
        f"{errors:,} failed ({share_text(errors / calls) if errors else '0 %'})<br>"
        f"p50 {format_duration(edge['p50'])}, p95 {format_duration(edge['p95'])}<br>"
        f"for instance in trace {plain(edge['exemplar_trace_id'])}"
    )


def _box_text(name: str, kind: str, edges: pl.DataFrame) -> str:
    inward, outward = edges.filter(callee=name), edges.filter(caller=name)
    failed = f", {inward['errors'].sum():,} failed" if inward.height else ""
    return (
        f"<b>{plain(name, longest=160)}</b><br>{_KIND_NAMES[kind]}<br>"
        f"{inward['calls'].sum():,} calls from {inward.height:,} callers{failed}<br>"
        f"{outward['calls'].sum():,} calls to {outward.height:,} others"
    )

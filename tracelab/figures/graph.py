"""Who calls whom, drawn."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.services import service_graph
from tracelab.colors import ERROR, service_colors
from tracelab.conforming import takes_any_frame
from tracelab.figures.bars import of_all
from tracelab.figures.layers import Layers, layered
from tracelab.figures.style import ERROR_TEXT, LINE, NARROWEST, TEXT, faint, first_rows, framed
from tracelab.figures.text import fitting, text_width
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracelab.analysis.grouping import Spans

_SYMBOLS: Final = {"service": "circle", "database": "square", "queue": "diamond", "external": "circle-open"}
_FAILING: Final = 0.01
_WIDTHS: Final = (1.2, 2.0, 3.0, 4.2, 5.6, 7.0, 8.5)
_FONT, _SMALL = 12, 10
_ROOM: Final = NARROWEST - 24
_BENDING, _BARE_END, _LOOP = 26.0, 16.0, 26.0
_LABELLED_PORT, _BARE_PORT, _LOWEST = 28.0, 7.0, 28.0
_MOST_LABELS: Final = 60
_NAME_WIDTHS: Final = (170.0, 150.0, 130.0, 115.0, 100.0, 84.0)
_STEPS: Final = 16


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
    picture = _Picture.of(names, edges)
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
        inner=round(max(picture.laid.height, _LOWEST)) + 12,
        bottom=12,
        hovermode="closest",
    )
    wide = picture.width + 24 > NARROWEST
    return figure.update_layout(margin={"l": 12, "r": 12}, **({"width": picture.width + 24} if wide else {}))


@dataclass(frozen=True, slots=True)
class _Picture:
    """Where everything is, in pixels of the narrowest figure.

    `before` and `behind` say how far from the boxes of each layer numbers stand, on either side.
    """

    laid: Layers
    labelled: bool
    lefts: list[float]
    rights: list[float]
    before: list[float]
    behind: list[float]
    width: float
    texts: dict[str, str]

    @classmethod
    def of(cls, names: Sequence[str], edges: pl.DataFrame) -> _Picture:
        """Choose the fullest picture that is narrow enough: shorter names first, then none of the numbers."""
        calls = {(caller, callee): count for caller, callee, count in edges.select("caller", "callee", "calls").rows()}
        labels = (True, False) if edges.height <= _MOST_LABELS else (False,)
        plans = [(longest, labelled) for labelled in labels for longest in _NAME_WIDTHS]
        pictures = (cls._planned(names, edges, calls, longest, labelled=labelled) for longest, labelled in plans)
        picture = next((picture for picture in pictures if picture.width <= _ROOM), None)
        return picture or cls._planned(names, edges, calls, _NAME_WIDTHS[2], labelled=labels[0])

    @classmethod
    def _planned(
        cls,
        names: Sequence[str],
        edges: pl.DataFrame,
        calls: dict[tuple[str, str], int],
        longest: float,
        *,
        labelled: bool,
    ) -> _Picture:
        texts = {name: fitting(name, longest, _FONT) for name in names}
        port = _LABELLED_PORT if labelled else _BARE_PORT
        inward, outward = (dict(edges.group_by(end).len().rows()) for end in ("callee", "caller"))
        heights = {
            name: max(_LOWEST, port * inward.get(name, 0) + 4, (_BARE_PORT + 5) * outward.get(name, 0) + 4)
            for name in names
        }
        laid = layered(names, calls, heights)
        ends = {(caller, callee): _end_width(edge, labelled) for caller, callee, edge in _rows_by_edge(edges)}
        depth = {item.name: item.layer for item in laid.items if item.name}
        count = len(laid.layers)
        before, behind, widths = [0.0] * count, [0.0] * count, [0.0] * count
        for (caller, callee), width in ends.items():
            bow = (caller, callee) in laid.bows
            side = behind if bow or (caller, callee) in laid.turned else before
            side[depth[callee]] = max(side[depth[callee]], width + _reach(laid, caller, callee) * bow)
        for name in names:
            widths[depth[name]] = max(widths[depth[name]], text_width(texts[name], _FONT) + 29)
        gaps = [behind[layer] + _BENDING + before[layer + 1] for layer in range(count - 1)]
        least = sum(widths) + sum(gaps) + (behind[-1] if behind else 0.0)
        spare = max(_ROOM - least, 0.0)
        wider = spare / len(gaps) if gaps else 0.0
        lefts, rights, x = [], [], 0.0
        for layer, width in enumerate(widths):
            lefts.append(x)
            rights.append(x + width)
            x += width + (gaps[layer] + wider if layer < count - 1 else behind[-1])
        return cls(laid, labelled and bool(calls), lefts, rights, before, behind, max(x, _ROOM), texts)


def _draw_edges(figure: go.Figure, picture: _Picture, edges: pl.DataFrame) -> None:
    """Draw lines, one trace for all of a width and colour, then arrow heads, then the numbers before them."""
    ports = _ports(picture, edges)
    lines: dict[tuple[int, bool], tuple[list[float | None], list[float | None], list[str]]] = {}
    labels: list[tuple[float, float, float, str, str]] = []
    for caller, callee, edge in _rows_by_edge(edges):
        xs, ys = _path(picture, (caller, callee), ports)
        failing, size = _failing(edge), _decade(edge["calls"])
        line = lines.setdefault((size, failing), ([], [], []))
        line[0].extend([*xs, None])
        line[1].extend([*ys, None])
        line[2].extend([_edge_text(edge)] * (len(xs) + 1))
        back = -1 if (caller, callee) in picture.laid.bows | picture.laid.turned else 1
        figure.add_annotation(
            x=xs[-1], y=ys[-1], ax=xs[-1] - 9 * back, ay=ys[-1], xref="x", yref="y", axref="x", ayref="y", text="",
            showarrow=True, arrowhead=2, arrowsize=0.9, arrowwidth=max(1.4, min(_WIDTHS[size], 3.2)),
            arrowcolor=ERROR if failing else LINE,
        )  # fmt: skip
        bow = _reach(picture.laid, caller, callee) if (caller, callee) in picture.laid.bows else 0.0
        middle = xs[-1] - back * (bow + _end_width(edge, labelled=True) / 2 + 6)
        labels.append((middle, ys[-1], _WIDTHS[size] / 2 + 1, *_numbers(edge)))
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
                textfont={"size": _SMALL, "color": color}, hoverinfo="skip", showlegend=False,
            )  # fmt: skip


def _draw_boxes(
    figure: go.Figure, picture: _Picture, edges: pl.DataFrame, kinds: dict[str, str], colors: dict[str, str]
) -> None:
    """Draw a box per service, with a mark and a name in it."""
    boxes = [item for item in picture.laid.items if item.name]
    known = {item.name: kinds.get(item.name, "service") for item in boxes}
    for item in boxes:
        color = colors[item.name]
        figure.add_shape(
            type="rect", x0=picture.lefts[item.layer], x1=picture.rights[item.layer], y0=item.y - item.height / 2,
            y1=item.y + item.height / 2, line={"color": color, "width": 1.5}, fillcolor=faint(color, 0.1),
        )  # fmt: skip
    there = set(known.values()) if set(known.values()) != {"service"} else set()
    for kind in (kind for kind in _SYMBOLS if kind in there):
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=_KIND_NAMES[kind], showlegend=True, hoverinfo="skip",
            marker={"symbol": _SYMBOLS[kind], "size": 10, "color": LINE, "line": {"color": LINE, "width": 2}},
        )  # fmt: skip
    said = {item.name: _box_text(item.name, known[item.name], edges) for item in boxes}
    grid = [(x, item) for item in boxes for x in _along(picture, item.layer)]
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
        textfont={"size": _FONT, "color": TEXT},
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


_KIND_NAMES: Final = {"service": "service", "database": "database", "queue": "queue", "external": "not instrumented"}

_Ports = dict[tuple[str, str], tuple[float, float]]


def _ports(picture: _Picture, edges: pl.DataFrame) -> _Ports:
    """Say at which height each edge leaves its caller and reaches its callee, so that none meet at a box."""
    laid = picture.laid
    place = {item.name: number for number, item in enumerate(laid.items) if item.name}
    # Each end: the box and side, the height of what is next on the way, the edge, and which end it is.
    ends: dict[tuple[int, str], list[tuple[float, tuple[str, str], int]]] = {}
    for caller, callee in edges.select("caller", "callee").iter_rows():
        edge = (caller, callee)
        if edge in laid.bows:
            # A loop is below all else at its box; other bows begin and end towards each other.
            heights_ = [laid.items[place[name]].y if caller != callee else float("inf") for name in (callee, caller)]
            for which, name in enumerate(edge):
                ends.setdefault((place[name], "right"), []).append((heights_[which], edge, which))
            continue
        route = laid.routes[edge]
        turned = edge in laid.turned
        ends.setdefault((route[0], "right"), []).append((laid.items[route[1]].y, edge, 1 if turned else 0))
        ends.setdefault((route[-1], "left"), []).append((laid.items[route[-2]].y, edge, 0 if turned else 1))
    heights: dict[tuple[tuple[str, str], int], float] = {}
    for (number, _), side in ends.items():
        item = laid.items[number]
        step = (item.height - 4) / max(len(side), 1)
        for at, (_, edge, which) in enumerate(sorted(side)):
            heights[edge, which] = item.y + (at - (len(side) - 1) / 2) * step
    return {edge: (heights[edge, 0], heights[edge, 1]) for edge, _ in heights}


def _path(picture: _Picture, edge: tuple[str, str], ports: _Ports) -> tuple[list[float], list[float]]:
    """Give the points of an edge from its caller to its callee, its head at the last."""
    laid = picture.laid
    start, end = ports[edge]
    if edge in laid.bows:
        layer = next(item.layer for item in laid.items if item.name == edge[0])
        turn = np.linspace(-np.pi / 2, np.pi / 2, _STEPS)
        right, middle, reach = picture.rights[layer], (start + end) / 2, (end - start) / 2
        bow = right + _reach(laid, *edge) * np.cos(turn)
        return [right, *bow.tolist(), right], [start, *(middle + reach * np.sin(turn)).tolist(), end]
    route, turned = laid.routes[edge], edge in laid.turned
    heights = [laid.items[number].y for number in route]
    heights[0], heights[-1] = (end, start) if turned else (start, end)
    xs: list[float] = [picture.rights[laid.items[route[0]].layer]]
    ys: list[float] = [heights[0]]
    bent = np.linspace(0, 1, _STEPS)
    for number, (low, high) in enumerate(pairwise(heights)):
        layer = laid.items[route[number]].layer
        right, left = picture.rights[layer], picture.lefts[layer + 1]
        # All edges are straight where numbers stand, those that pass too, so that none runs through a number.
        first, last = right + picture.behind[layer], left - picture.before[layer + 1]
        xs.extend((first + (last - first) * bent).tolist())
        ys.extend((low + (high - low) * (3 * bent**2 - 2 * bent**3)).tolist())
        xs.append(left)
        ys.append(high)
        if number < len(route) - 2:
            xs.append(picture.rights[layer + 1])
            ys.append(high)
    return (xs[::-1], ys[::-1]) if turned else (xs, ys)


def _reach(laid: Layers, start: str, end: str) -> float:
    """Say how far a bow swings out: the farther, the farther its ends are apart."""
    first, last = (item.y for name in (start, end) for item in laid.items if item.name == name)
    return _LOOP * (1 + 2 * abs(first - last) / max(laid.height, 1.0))


def _along(picture: _Picture, layer: int) -> Iterable[float]:
    left, right = picture.lefts[layer], picture.rights[layer]
    return map(float, np.linspace(left + 10, right - 10, max(int((right - left) // 20), 2)))


def _rows_by_edge(edges: pl.DataFrame) -> Iterable[tuple[str, str, dict[str, Any]]]:
    for edge in edges.with_columns(pl.col("p50", "p95").dt.total_nanoseconds()).iter_rows(named=True):
        yield edge["caller"], edge["callee"], edge


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


def _numbers(edge: dict[str, Any]) -> tuple[str, str]:
    """Write the calls short, and the share of them that failed where some did."""
    calls, errors = edge["calls"], edge["errors"]
    unit, scale = next(((unit, scale) for unit, scale in (("M", 1e6), ("k", 1e3)) if calls >= 10 * scale), ("", 1))
    short = f"{calls / scale:.3g} {unit}" if unit else f"{calls:,}"
    return short, _share(errors / calls) if errors else ""


def _share(part: float) -> str:
    if part < 0.001:
        return "<0.1 %".replace("<", "&lt;")
    return f"{part * 100:.1f} %" if part < 0.0995 else f"{part * 100:.0f} %"


def _end_width(edge: dict[str, Any], labelled: bool) -> float:
    """Say how long the straight end of an edge is, on which its numbers stand."""
    return max(text_width(text, _SMALL) for text in _numbers(edge)) + 14 if labelled else _BARE_END


def _edge_text(edge: dict[str, Any]) -> str:
    calls, errors, messages = edge["calls"], edge["errors"], edge["messages"]
    return (
        f"<b>{plain(edge['caller'], longest=80)} → {plain(edge['callee'], longest=80)}</b><br>"
        f"{calls:,} {'calls' if calls != 1 else 'call'}{f', {messages:,} of them messages' if messages else ''}<br>"
        f"{errors:,} failed ({_share(errors / calls) if errors else '0 %'})<br>"
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

"""Who calls whom, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import networkx as nx
import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.services import service_graph
from tracelab.colors import ERROR, service_colors
from tracelab.conforming import takes_any_frame
from tracelab.figures.style import styled
from tracelab.markup import plain
from tracelab.units import format_duration

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_SYMBOLS: Final = {"service": "circle", "database": "square", "queue": "diamond", "external": "circle-open"}


@takes_any_frame
def plot_service_graph(spans: Spans) -> go.Figure:
    """Draw the services and their calls, callers on the left.

    Parameters
    ----------
    spans
        A span frame.

    Returns
    -------
    A plotly Figure: a mark per service (squares are databases, diamonds queues, open circles what is not
    instrumented), an arrow per caller and callee, wider the more calls, red where more than one in a hundred failed.

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
    edges = service_graph(spans)
    alone = spans.lazy().select(pl.col("service_name").unique()).collect()["service_name"].to_list()
    places = _places(edges, alone)
    kinds = dict.fromkeys(alone, "service") | dict(edges.select("callee", pl.col("callee_type").cast(pl.String)).rows())
    colors = service_colors(places, among=alone)
    figure = go.Figure()
    busiest = max(edges["calls"].max() or 1, 1)
    for edge in edges.to_dicts():
        _arrow(figure, edge, places, width=1 + 4 * edge["calls"] / busiest)
    figure.add_scatter(
        x=[place[0] for place in places.values()],
        y=[place[1] for place in places.values()],
        mode="markers+text",
        text=[plain(name, longest=28) for name in places],
        textposition="bottom center",
        marker={
            "size": 26,
            "color": list(map(colors.__getitem__, places)),
            "symbol": [_SYMBOLS.get(kinds.get(name, "service"), "circle") for name in places],
            "line": {"width": 2, "color": "white"},
        },
        hoverinfo="text",
        hovertext=[f"{plain(name)} ({kinds.get(name, 'service')})" for name in places],
        showlegend=False,
    )
    figure.update_xaxes(visible=False, range=[-0.15, 1.15])
    figure.update_yaxes(visible=False, range=[-0.2, 1.15])
    return styled(figure, title="Who calls whom", height=460, hovermode="closest")


def _places(edges: pl.DataFrame, alone: list[str]) -> dict[str, tuple[float, float]]:
    """Put every service to the right of those that call it; cycles are drawn as if they were one."""
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(alone))
    graph.add_edges_from(edges.filter(pl.col("caller") != pl.col("callee")).select("caller", "callee").rows())
    whole = nx.condensation(graph)
    layers: dict[int, list[str]] = {}
    for number, generation in enumerate(nx.topological_generations(whole)):
        names = sorted(name for node in generation for name in whole.nodes[node]["members"])
        layers[number] = names
    last = max(len(layers) - 1, 1)
    return {
        name: (column / last, (place + 1) / (len(names) + 1))
        for column, names in layers.items()
        for place, name in enumerate(reversed(names))
    }


def _arrow(figure: go.Figure, edge: dict[str, object], places: dict[str, tuple[float, float]], *, width: float) -> None:
    (x0, y0), (x1, y1) = places[str(edge["caller"])], places[str(edge["callee"])]
    calls, errors = int(str(edge["calls"])), int(str(edge["errors"]))
    failing = errors > calls / 100
    figure.add_annotation(
        x=x1, y=y1, ax=x0, ay=y0, xref="x", yref="y", axref="x", ayref="y",
        showarrow=True, arrowhead=2, arrowsize=0.8, arrowwidth=width, standoff=16, startstandoff=16,
        arrowcolor=ERROR if failing else "rgba(120, 120, 120, 0.65)",
    )  # fmt: skip
    p95 = edge["p95"]
    latency = f", p95 {format_duration(p95.total_seconds() * 1e9)}" if hasattr(p95, "total_seconds") else ""
    figure.add_scatter(
        x=[(x0 + x1) / 2],
        y=[(y0 + y1) / 2],
        mode="markers",
        marker={"size": 14, "opacity": 0},
        hoverinfo="text",
        hovertext=[f"{plain(edge['caller'])} → {plain(edge['callee'])}<br>{calls:,} calls, {errors:,} errors{latency}"],
        showlegend=False,
    )

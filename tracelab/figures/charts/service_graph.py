"""The service graph: who calls whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl

from tracelab.analysis.calls.service_graph import service_graph
from tracelab.colors import ERROR, service_colors
from tracelab.conforming import takes_any_frame
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
from tracelab.figures.graph_layout.routing import Picture
from tracelab.figures.parts.style import LINE, first_rows, of_all

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

_FAILING: Final = 0.01


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
    alone = [name for name in services if name not in busy]
    names = sorted({*edges["caller"], *edges["callee"], *alone[:first]})
    rows, kinds = rows_by_edge(edges), kinds_of(edges, services)
    picture = Picture.of(
        names, {edge: row["calls"] for edge, row in rows.items()}, {edge: _numbers(row) for edge, row in rows.items()}
    )
    figure = go.Figure()
    arrows = {edge: Arrow(_stroke(row), f"{edge_title(*edge)}<br>{calls_text(row)}") for edge, row in rows.items()}
    draw_arrows(figure, picture, arrows)
    explain_arrows(figure, edges["calls"], (arrow.stroke for arrow in arrows.values()))
    said = {name: box_text(name, kinds.get(name, "service"), edges) for name in names}
    draw_boxes(figure, picture, kinds=kinds, colors=service_colors(names, among=services), said=said)
    left_out = f"; {len(alone) - first:,} services without calls are left out" if len(alone) > first else ""
    numbers = "Numbers: calls, and the share that failed" if picture.numbers else "Point at an arrow for its numbers"
    return framed_graph(
        figure,
        picture,
        title=f"Who calls whom{of_all(first, answer.height)}",
        subtitle=f"{numbers if edges.height else 'No calls between services'}{left_out}",
        nothing="" if names else "No spans",
    )


def _stroke(edge: dict[str, Any]) -> Stroke:
    failing = bool(edge["errors"] > _FAILING * edge["calls"])
    means = f"{'more' if failing else 'no more'} than {_FAILING:.0%} failed".replace("%", " %")
    return Stroke(int(failing), line_width(edge["calls"]), ERROR if failing else LINE, means)


def _numbers(edge: dict[str, Any]) -> tuple[str, str]:
    """Write the calls short, and the share of them that failed where some did."""
    calls, errors = edge["calls"], edge["errors"]
    return short_count(calls), share_text(errors / calls) if errors else ""

"""The service graph for networkx."""

from __future__ import annotations

from typing import Any

import networkx as nx
import polars as pl

from tracelab.errors import SchemaError
from tracelab.frames import as_polars


def to_networkx(edges: pl.DataFrame) -> nx.DiGraph:
    """Make a directed graph of what `service_graph` gives.

    Parameters
    ----------
    edges
        The answer of `service_graph`, whole or filtered.

    Returns
    -------
    A `networkx.DiGraph`. Nodes are named after services and carry `type` (service, database, queue, external) and
    `instrumented`; edges carry the other columns, such as `calls`, `errors`, `p50`, `p95`.

    Raises
    ------
    SchemaError
        The frame is no service graph.

    Examples
    --------
    >>> from tracelab.analysis import service_graph
    >>> from tracelab.synthetic import draw
    >>> edges = service_graph(draw('''
    ... web   ====
    ...   pay .==
    ... '''))
    >>> list(to_networkx(edges).edges(data="calls"))
    [('web', 'pay', 1)]
    """
    frame = _checked(edges)
    graph = nx.DiGraph()
    for caller in sorted(set(frame["caller"])):
        graph.add_node(caller, type="service", instrumented=True)
    for edge in frame.iter_rows(named=True):
        caller, callee = edge.pop("caller"), edge.pop("callee")
        kind, instrumented = edge.pop("callee_type"), edge.pop("instrumented")
        if callee not in graph:
            graph.add_node(callee, type=kind, instrumented=instrumented)
        elif instrumented:
            graph.nodes[callee].update(type="service", instrumented=True)
        graph.add_edge(caller, callee, **edge)
    return graph


def _checked(edges: Any) -> pl.DataFrame:
    """Take frames of pandas and Arrow too; refuse what is no service graph."""
    frame = as_polars(
        edges.collect() if isinstance(edges, pl.LazyFrame) else edges,
        what="service graph",
        remedy="Pass what service_graph(spans) gives.",
    )
    for name in ("caller", "callee", "callee_type", "instrumented"):
        if name not in frame.columns:
            raise SchemaError(f"The edges have no column {name!r}. Pass what service_graph(spans) gives.")
    return frame

"""The service graph for networkx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx

from tracelab.analysis.grouping import required

if TYPE_CHECKING:
    import polars as pl


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
    required(edges, "caller", "callee", "callee_type", "instrumented")
    graph = nx.DiGraph()
    for caller in sorted(set(edges["caller"])):
        graph.add_node(caller, type="service", instrumented=True)
    for edge in edges.iter_rows(named=True):
        caller, callee = edge.pop("caller"), edge.pop("callee")
        kind, instrumented = edge.pop("callee_type"), edge.pop("instrumented")
        if callee not in graph:
            graph.add_node(callee, type=kind, instrumented=instrumented)
        elif instrumented:
            graph.nodes[callee].update(type="service", instrumented=True)
        graph.add_edge(caller, callee, **edge)
    return graph

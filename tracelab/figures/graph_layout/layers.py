"""A graph laid out in layers from left to right, as Sugiyama, Tagawa and Toda drew hierarchies (1981).

Edges of cycles are turned round until none is left; every node stands right of those that point at it; an edge that
spans several layers keeps a place of its own in each layer between, so that no edge runs through a node. Where that
would take more layers than anybody can look at, a node stands one layer right of the nearest that points at it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import networkx as nx
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SWEEPS: Final = 12
_MOST: Final = 8
_BESIDE, _PASSING = 14.0, 12.0
_STRAIGHT: Final = 3.0
"""How much more an edge that passes a layer insists on its height than a node does."""


@dataclass(slots=True)
class Item:
    """What has a place in a layer: a node, or an edge that passes."""

    name: str
    layer: int
    height: float
    y: float = 0.0
    before: list[int] = field(default_factory=list)
    behind: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of a graph, each from the top down.

    `routes` are the items along each edge from left to right; in `turned` are the edges whose arrow points left, and in
    `bows` those that stay in one layer, from a node to itself or to another.
    """

    items: list[Item]
    layers: list[list[int]]
    routes: dict[tuple[str, str], list[int]]
    turned: frozenset[tuple[str, str]]
    bows: frozenset[tuple[str, str]]

    @property
    def height(self) -> float:
        """How many pixels the highest layer takes."""
        ends = [(item.y - item.height / 2, item.y + item.height / 2) for item in self.items]
        return max((end for _, end in ends), default=0.0) - min((start for start, _ in ends), default=0.0)


def layered(nodes: Sequence[str], edges: Mapping[tuple[str, str], int], heights: Mapping[str, float]) -> Layers:
    """Lay out a graph.

    Parameters
    ----------
    nodes
        All nodes, those without edges too.
    edges
        How much each edge, from one node to another, weighs.
    heights
        How many pixels high each node is.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(nodes))
    graph.add_weighted_edges_from(
        sorted((start, end, weight) for (start, end), weight in edges.items() if start != end)
    )
    _turn_cycles(graph)
    depth = _depths(graph)
    bows = {(start, end) for start, end in edges if depth[start] == depth[end]}
    turned = {(start, end) for start, end in edges if depth[start] > depth[end]}
    joined = {(end, start) if (start, end) in turned else (start, end) for start, end in edges.keys() - bows}
    items = [Item(name, layer, heights[name]) for name, layer in depth.items()]
    places = {item.name: place for place, item in enumerate(items)}
    routes: dict[tuple[str, str], list[int]] = {}
    for start, end in sorted(joined):
        route = [places[start]]
        for layer in range(depth[start] + 1, depth[end]):
            items.append(Item("", layer, _PASSING))
            route.append(len(items) - 1)
        route.append(places[end])
        # Two that call each other are one edge here, and two on the picture.
        for edge in ((start, end), (end, start)):
            if edge in edges:
                routes[edge] = route
        for left, right in pairwise(route):
            items[left].behind.append(right)
            items[right].before.append(left)
    layers: list[list[int]] = [[] for _ in range(max((item.layer for item in items), default=-1) + 1)]
    for place, item in enumerate(items):
        layers[item.layer].append(place)
    laid = Layers(items, _without_crossings(items, layers), routes, frozenset(turned), frozenset(bows))
    _settle(items, laid.layers)
    return laid


def _turn_cycles(graph: nx.DiGraph) -> None:
    """Turn edges of the graph round until it has no cycle."""
    while cycles := [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]:
        for part in cycles:
            inside = graph.subgraph(part)
            # It begins with who is called from outside, or else with who calls more than it is called.
            head = max(
                reversed(part),
                key=lambda name: (
                    graph.in_degree(name) - inside.in_degree(name) > 0,
                    inside.out_degree(name, weight="weight") - inside.in_degree(name, weight="weight"),
                ),
            )
            back = [(start, head) for start in sorted(inside.predecessors(head))]
            weights = [graph.edges[edge]["weight"] for edge in back]
            graph.remove_edges_from(back)
            for (start, _), weight in zip(back, weights, strict=True):
                if not graph.has_edge(head, start):
                    graph.add_edge(head, start, weight=weight)


def _depths(graph: nx.DiGraph) -> dict[str, int]:
    """Give each node a layer right of all that point at it, as near to what it points at as may be."""
    depth = {name: layer for layer, names in enumerate(nx.topological_generations(graph)) for name in names}
    if max(depth.values(), default=0) >= _MOST:
        roots = [name for name in graph if not graph.in_degree(name)]
        depth = {name: layer for layer, names in enumerate(nx.bfs_layers(graph, roots)) for name in names}
    for name in depth:
        if graph.out_degree(name) and not graph.in_degree(name):
            depth[name] = min(depth[other] for other in graph.successors(name)) - 1
    # What has no edges fills the layers that have the least.
    alone = [name for name in sorted(depth) if not graph.degree(name)]
    for name in alone:
        depth[name] = -1
    used = max(depth.values(), default=-1) + 1
    layers = max(used, min(4, round(len(alone) ** 0.5)), 1)
    sizes = [sum(layer == place for layer in depth.values()) for place in range(layers)]
    for name in alone:
        depth[name] = int(np.argmin(sizes))
        sizes[depth[name]] += 1
    return depth


def _without_crossings(items: list[Item], layers: list[list[int]]) -> list[list[int]]:
    """Order layers by the mean places of what they are joined to, to and fro, and keep the best order."""
    best, fewest = [list(layer) for layer in layers], _crossings(items, layers)
    order = [list(layer) for layer in layers]
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        for number in range(1, len(order)) if forth else range(len(order) - 2, -1, -1):
            other = {place: at for at, place in enumerate(order[number - 1 if forth else number + 1])}
            wish = {}
            for at, place in enumerate(order[number]):
                joined = items[place].before if forth else items[place].behind
                wish[place] = float(np.mean([other[end] for end in joined])) if joined else float(at)
            order[number].sort(key=wish.__getitem__)
        crossings = _crossings(items, order)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in order], crossings
    return best


def _crossings(items: list[Item], layers: list[list[int]]) -> int:
    """Count the pairs of edges that cross between layers."""
    count = 0
    for left, right in pairwise(layers):
        at = {place: number for number, place in enumerate(right)}
        ends = [at[end] for place in left for end in sorted(items[place].behind, key=at.__getitem__)]
        heights = np.array(ends)
        count += int(sum((heights[:number] > end).sum() for number, end in enumerate(ends)))
    return count


def _settle(items: list[Item], layers: list[list[int]]) -> None:
    """Give items heights near those of what they are joined to, in the order of their layer and without overlap."""
    for layer in layers:
        offsets = _offsets(items, layer)
        for place, offset in zip(layer, offsets - (offsets.mean() if offsets.size else 0), strict=True):
            items[place].y = float(offset)
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            joined = [items[place].before + items[place].behind for place in layer]
            wish = [
                float(np.mean([items[end].y for end in ends])) if ends else items[place].y
                for place, ends in zip(layer, joined, strict=True)
            ]
            weights = [_STRAIGHT if not items[place].name else 1.0 for place in layer]
            offsets = _offsets(items, layer)
            for place, y in zip(layer, _ascending(np.array(wish) - offsets, weights) + offsets, strict=True):
                items[place].y = float(y)


def _offsets(items: list[Item], layer: list[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Say how far each item of a layer is at least below its first."""
    heights = np.array([items[place].height for place in layer])
    steps = (heights[1:] + heights[:-1]) / 2 + _BESIDE
    return np.concatenate([np.zeros(min(len(layer), 1)), np.cumsum(steps)])


def _ascending(
    wish: np.ndarray[tuple[int], np.dtype[np.float64]], weights: list[float]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Give the ascending numbers that are nearest to those wished for: pool adjacent violators."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(wish.tolist(), weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (first, heavy, many), (second, light, few) = pools[-2], pools[-1]
            pools[-2:] = [((first * heavy + second * light) / (heavy + light), heavy + light, many + few)]
    return np.repeat([value for value, _, _ in pools], [many for _, _, many in pools])

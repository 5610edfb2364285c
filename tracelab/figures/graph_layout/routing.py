"""Where the boxes and arrows of a graph of services are, and the numbers before the arrows' heads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from tracelab.figures.graph_layout.layers import Layers, layered
from tracelab.figures.parts.style import NARROWEST
from tracelab.figures.parts.text import fitting, text_width

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

NAME_SIZE, NUMBER_SIZE = 12, 10
_ROOM: Final = NARROWEST - 24
_BENDING, _BARE_END, _LOOP = 26.0, 16.0, 26.0
_LABELLED_PORT, _BARE_PORT, LOWEST = 28.0, 7.0, 28.0
_MOST_LABELS: Final = 60
_NAME_WIDTHS: Final = (170.0, 150.0, 130.0, 115.0, 100.0, 84.0)
_STEPS: Final = 16

Edge: TypeAlias = tuple[str, str]
Numbers: TypeAlias = tuple[str, str]
"""What stands above and below an edge before its head, as markup."""

Ports: TypeAlias = dict[Edge, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Picture:
    """Where everything is, in pixels of the narrowest figure.

    `numbers` are those for which there is room. `before` and `behind` say how far from the boxes of each layer they
    stand, on either side.
    """

    laid: Layers
    numbers: Mapping[Edge, Numbers]
    lefts: list[float]
    rights: list[float]
    before: list[float]
    behind: list[float]
    width: float
    texts: dict[str, str]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        weights: Mapping[Edge, int],
        numbers: Mapping[Edge, Numbers],
        *,
        needed: Collection[Edge] = (),
    ) -> Picture:
        """Choose the fullest picture that is narrow enough: shorter names first, then none but the needed numbers."""
        least = {edge: numbers[edge] for edge in numbers if edge in needed}
        labels = (numbers, least) if len(weights) <= _MOST_LABELS else (least,)
        laid = [_laid_out(names, weights, shown) for shown in labels]
        plans = [(number, longest) for number in range(len(labels)) for longest in _NAME_WIDTHS]
        pictures = (cls._planned(laid[number], weights, labels[number], longest) for number, longest in plans)
        picture = next((picture for picture in pictures if picture.width <= _ROOM), None)
        return picture or cls._planned(laid[0], weights, labels[0], _NAME_WIDTHS[2])

    @classmethod
    def _planned(
        cls, laid: Layers, edges: Collection[Edge], numbers: Mapping[Edge, Numbers], longest: float
    ) -> Picture:
        texts = {item.name: fitting(item.name, longest, NAME_SIZE) for item in laid.items if item.name}
        depth = {item.name: item.layer for item in laid.items if item.name}
        count = len(laid.layers)
        before, behind, widths = [0.0] * count, [0.0] * count, [0.0] * count
        for caller, callee in edges:
            bow = (caller, callee) in laid.bows
            side = behind if bow or (caller, callee) in laid.turned else before
            width = end_width(numbers.get((caller, callee))) + reach_of(laid, caller, callee) * bow
            side[depth[callee]] = max(side[depth[callee]], width)
        for name, text in texts.items():
            widths[depth[name]] = max(widths[depth[name]], text_width(text, NAME_SIZE) + 29)
        gaps = [behind[layer] + _BENDING + before[layer + 1] for layer in range(count - 1)]
        least = sum(widths) + sum(gaps) + (behind[-1] if behind else 0.0)
        spare = max(_ROOM - least, 0.0)
        wider = spare / len(gaps) if gaps else 0.0
        lefts, rights, x = [], [], 0.0
        for layer, width in enumerate(widths):
            lefts.append(x)
            rights.append(x + width)
            x += width + (gaps[layer] + wider if layer < count - 1 else behind[-1])
        return cls(laid, numbers, lefts, rights, before, behind, max(x, _ROOM), texts)


def _laid_out(names: Sequence[str], weights: Mapping[Edge, int], numbers: Mapping[Edge, Numbers]) -> Layers:
    """Lay boxes out that are high enough for the arrows at them, and for the numbers before their heads."""
    inward, outward = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
    for caller, callee in weights:
        inward[callee] += _LABELLED_PORT if (caller, callee) in numbers else _BARE_PORT
        outward[caller] += 1
    heights = {name: max(LOWEST, inward[name] + 4, (_BARE_PORT + 5) * outward[name] + 4) for name in names}
    return layered(names, weights, heights)


def ports_of(picture: Picture, edges: Iterable[Edge]) -> Ports:
    """Say at which height each edge leaves its caller and reaches its callee, so that none meet at a box."""
    laid = picture.laid
    place = {item.name: number for number, item in enumerate(laid.items) if item.name}
    # Each end: the box and side, the height of what is next on the way, the edge, and which end it is.
    ends: dict[tuple[int, str], list[tuple[float, Edge, int]]] = {}
    for edge in edges:
        if edge in laid.bows:
            # A loop is below all else at its box; other bows begin and end towards each other.
            caller, callee = edge
            heights_ = [laid.items[place[name]].y if caller != callee else float("inf") for name in (callee, caller)]
            for which, name in enumerate(edge):
                ends.setdefault((place[name], "right"), []).append((heights_[which], edge, which))
            continue
        route = laid.routes[edge]
        turned = edge in laid.turned
        ends.setdefault((route[0], "right"), []).append((laid.items[route[1]].y, edge, 1 if turned else 0))
        ends.setdefault((route[-1], "left"), []).append((laid.items[route[-2]].y, edge, 0 if turned else 1))
    heights: dict[tuple[Edge, int], float] = {}
    for (number, _), side in ends.items():
        item = laid.items[number]
        needs = [_LABELLED_PORT if which and edge in picture.numbers else _BARE_PORT for _, edge, which in sorted(side)]
        pixel = (item.height - 4) / sum(needs)
        middles = np.cumsum(needs) - np.array(needs) / 2
        for (_, edge, which), middle in zip(sorted(side), middles.tolist(), strict=True):
            heights[edge, which] = item.y + (middle - sum(needs) / 2) * pixel
    return {edge: (heights[edge, 0], heights[edge, 1]) for edge, _ in heights}


def path_of(picture: Picture, edge: Edge, ports: Ports) -> tuple[list[float], list[float]]:
    """Give the points of an edge from its caller to its callee, its head at the last."""
    laid = picture.laid
    start, end = ports[edge]
    if edge in laid.bows:
        layer = next(item.layer for item in laid.items if item.name == edge[0])
        turn = np.linspace(-np.pi / 2, np.pi / 2, _STEPS)
        right, middle, reach = picture.rights[layer], (start + end) / 2, (end - start) / 2
        bow = right + reach_of(laid, *edge) * np.cos(turn)
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


def reach_of(laid: Layers, start: str, end: str) -> float:
    """Say how far a bow swings out: the farther, the farther its ends are apart."""
    first, last = (item.y for name in (start, end) for item in laid.items if item.name == name)
    return _LOOP * (1 + 2 * abs(first - last) / max(laid.height, 1.0))


def along(picture: Picture, layer: int) -> Iterable[float]:
    left, right = picture.lefts[layer], picture.rights[layer]
    return map(float, np.linspace(left + 10, right - 10, max(int((right - left) // 20), 2)))


def end_width(numbers: Numbers | None) -> float:
    """Say how long the straight end of an edge is, on which its numbers stand."""
    return max(text_width(text, NUMBER_SIZE) for text in numbers) + 14 if numbers else _BARE_END

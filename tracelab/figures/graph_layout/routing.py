"""Where the boxes and arrows of a service graph are, and the numbers before the arrows' heads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import polars as pl

from tracelab.figures.graph_layout.layers import Layers, layered
from tracelab.figures.parts.style import NARROWEST
from tracelab.figures.parts.text import fitting, text_width

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME_SIZE, NUMBER_SIZE = 12, 10
_ROOM: Final = NARROWEST - 24
_BENDING, _BARE_END, _LOOP = 26.0, 16.0, 26.0
_LABELLED_PORT, _BARE_PORT, LOWEST = 28.0, 7.0, 28.0
_MOST_LABELS: Final = 60
_NAME_WIDTHS: Final = (170.0, 150.0, 130.0, 115.0, 100.0, 84.0)
_STEPS: Final = 16

Ports: TypeAlias = dict[tuple[str, str], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Picture:
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
    def of(cls, names: Sequence[str], edges: pl.DataFrame) -> Picture:
        """Choose the fullest picture that is narrow enough: shorter names first, then none of the numbers."""
        calls = {(caller, callee): count for caller, callee, count in edges.select("caller", "callee", "calls").rows()}
        labels = (True, False) if edges.height <= _MOST_LABELS else (False,)
        plans = [(longest, labelled) for labelled in labels for longest in _NAME_WIDTHS]
        laid = {labelled: _laid_out(names, edges, calls, labelled=labelled) for labelled in labels}
        pictures = (cls._planned(laid[labelled], edges, longest, labelled=labelled) for longest, labelled in plans)
        picture = next((picture for picture in pictures if picture.width <= _ROOM), None)
        return picture or cls._planned(laid[labels[0]], edges, _NAME_WIDTHS[2], labelled=labels[0])

    @classmethod
    def _planned(cls, laid: Layers, edges: pl.DataFrame, longest: float, *, labelled: bool) -> Picture:
        texts = {item.name: fitting(item.name, longest, NAME_SIZE) for item in laid.items if item.name}
        ends = {(caller, callee): end_width(edge, labelled) for caller, callee, edge in rows_by_edge(edges)}
        depth = {item.name: item.layer for item in laid.items if item.name}
        count = len(laid.layers)
        before, behind, widths = [0.0] * count, [0.0] * count, [0.0] * count
        for (caller, callee), width in ends.items():
            bow = (caller, callee) in laid.bows
            side = behind if bow or (caller, callee) in laid.turned else before
            side[depth[callee]] = max(side[depth[callee]], width + reach_of(laid, caller, callee) * bow)
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
        return cls(laid, labelled and not edges.is_empty(), lefts, rights, before, behind, max(x, _ROOM), texts)


def _laid_out(
    names: Sequence[str], edges: pl.DataFrame, calls: dict[tuple[str, str], int], *, labelled: bool
) -> Layers:
    """Lay boxes out that are high enough for the arrows at them, and for the numbers before their heads."""
    port = _LABELLED_PORT if labelled else _BARE_PORT
    inward, outward = (dict(edges.group_by(end).len().rows()) for end in ("callee", "caller"))
    heights = {
        name: max(LOWEST, port * inward.get(name, 0) + 4, (_BARE_PORT + 5) * outward.get(name, 0) + 4) for name in names
    }
    return layered(names, calls, heights)


def ports_of(picture: Picture, edges: pl.DataFrame) -> Ports:
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


def path_of(picture: Picture, edge: tuple[str, str], ports: Ports) -> tuple[list[float], list[float]]:
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


def rows_by_edge(edges: pl.DataFrame) -> Iterable[tuple[str, str, dict[str, Any]]]:
    for edge in edges.with_columns(pl.col("p50", "p95").dt.total_nanoseconds()).iter_rows(named=True):
        yield edge["caller"], edge["callee"], edge


def numbers_of(edge: dict[str, Any]) -> tuple[str, str]:
    """Write the calls short, and the share of them that failed where some did."""
    calls, errors = edge["calls"], edge["errors"]
    unit, scale = next(((unit, scale) for unit, scale in (("M", 1e6), ("k", 1e3)) if calls >= 10 * scale), ("", 1))
    short = f"{calls / scale:.3g} {unit}" if unit else f"{calls:,}"
    return short, share_text(errors / calls) if errors else ""


def share_text(part: float) -> str:
    if part < 0.001:
        return "<0.1 %".replace("<", "&lt;")
    return f"{part * 100:.1f} %" if part < 0.0995 else f"{part * 100:.0f} %"


def end_width(edge: dict[str, Any], labelled: bool) -> float:
    """Say how long the straight end of an edge is, on which its numbers stand."""
    return max(text_width(text, NUMBER_SIZE) for text in numbers_of(edge)) + 14 if labelled else _BARE_END

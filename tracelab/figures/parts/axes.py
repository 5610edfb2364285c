"""Axes of time that say their unit at every tick."""

from __future__ import annotations

from itertools import pairwise
from math import log10
from typing import TYPE_CHECKING, Any, Final

from tracelab.figures.parts.text import text_width
from tracelab.units import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DECIMAL: Final = (("ns", 1), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000))
_LONGER: Final = (("m", NANOSECONDS["m"]), ("h", NANOSECONDS["h"]), ("d", NANOSECONDS["d"]))
_STEPS: Final = (
    # Of each decade up to a second, then of minutes, hours, days: from the densest scale to the sparsest.
    ((1, 2, 3, 5, 7), (1, 2, 5, 10, 20, 30), (1, 2, 4, 8, 12), (1, 2, 3, 5, 7)),
    ((1, 2, 5), (1, 2, 5, 10, 20, 30), (1, 2, 4, 8, 12), (1, 2, 5)),
    ((1, 3), (1, 3, 10, 30), (1, 3, 10), (1, 3)),
    ((1,), (1, 10), (1, 10), (1,)),
)
_FONT, _LINE, _SPACE = 12, 20.0, 10.0
_LONGEST_TICK: Final = 100_000 * NANOSECONDS["d"]


def log_duration_axis(
    values: Iterable[float | None], *, scale: float, room: float, upright: bool = False
) -> dict[str, Any]:
    """Give a logarithmic axis for durations in nanoseconds that are drawn in units of `scale`, `room` pixels long.

    Its ticks are written out, each with its unit, since the digits that plotly writes between powers of ten (500 ms as
    "5") can be read as anything. A duration of 0 has no place on such an axis: `log_place` says where it is drawn.
    """
    known = [value for value in values if value is not None]
    positive = [value for value in known if value > 0]
    low, high = (min(positive), max(positive)) if positive else (1.0, 1.0)
    zero = log_zero(known)
    widen = max(2.0 / (high / low) ** 0.5, 1.12)
    lowest, highest = (zero / 1.3 if zero else low / widen), high * widen
    inner = room * log10(highest / (low / 1.5 if zero else lowest)) / log10(highest / lowest)
    ticks = log_ticks(low / 1.5 if zero else lowest, highest, room=inner, upright=upright)
    places = [tick for tick, _ in ticks]
    texts = [text for _, text in ticks]
    if zero:
        places, texts = [zero, *places], ["0", *texts]
    return {
        "type": "log",
        "tickmode": "array",
        "tickvals": [place / scale for place in places],
        "ticktext": texts,
        "range": [log10(lowest / scale), log10(highest / scale)],
        "tickangle": 0,
    }


def log_zero(values: Sequence[float]) -> float | None:
    """Say where 0 is drawn on a logarithmic axis: left of everything else, with a tick that says "0"."""
    if all(values):
        return None
    return min((value for value in values if value > 0), default=3.0) / 3


def log_ticks(low: float, high: float, *, room: float, upright: bool = False) -> list[tuple[float, str]]:
    """Choose round durations between two, in nanoseconds: as many as have room, side by side or one above the other."""
    pixels = room / log10(high / low)
    chosen: list[tuple[float, str]] = []
    for steps in _STEPS:
        chosen = [tick for tick in _round_durations(*steps) if low <= tick[0] <= high]
        if all(_apart(*pair, pixels=pixels, upright=upright) for pair in pairwise(chosen)):
            return chosen
    spread: list[tuple[float, str]] = []
    for tick in chosen:
        if not spread or _apart(spread[-1], tick, pixels=pixels, upright=upright):
            spread.append(tick)
    return spread


def _apart(left: tuple[float, str], right: tuple[float, str], *, pixels: float, upright: bool) -> bool:
    """Say whether the texts of two ticks keep off each other, where a decade takes so many pixels."""
    needed = _LINE if upright else (text_width(left[1], _FONT) + text_width(right[1], _FONT)) / 2 + _SPACE
    return log10(right[0] / left[0]) * pixels >= needed


def linear_duration_axis(longest: float, *, scale: int, unit: str) -> dict[str, Any]:
    """Give a linear axis for durations that are drawn in units of `scale`, up to `longest` nanoseconds.

    Up to two minutes every tick has the unit behind it. Beyond, round minutes, hours and days are written out.
    """
    if longest < 2 * NANOSECONDS["m"]:
        return {
            "tickangle": 0,
            "ticksuffix": f" {unit}",
            "exponentformat": "none",
            "separatethousands": True,
            "showticksuffix": "all",
        }
    # Steps of 50 s or 7 s would have ticks that are not round.
    rounds = [tick for tick, _ in _round_durations(*_STEPS[1]) if tick >= 10 * NANOSECONDS["s"]]
    step = next((tick for tick in rounds if longest / tick <= 6), longest)
    places = [step * count for count in range(int(longest / step) + 2)]
    return {
        "tickmode": "array",
        "tickvals": [place / scale for place in places],
        "ticktext": [duration_text(place) for place in places],
    }


def count_axis(counts: Iterable[int]) -> dict[str, Any]:
    """Give a linear axis for counts, which has no ticks between whole numbers."""
    few = max(counts, default=0) <= 5
    return {"tickformat": ",d", "exponentformat": "none", **({"dtick": 1} if few else {})}


def duration_text(nanoseconds: float) -> str:
    """Write a round duration as short as may be: `0`, `20 ms`, `1 m`, `1 h 30 m`."""
    if nanoseconds == 0:
        return "0"
    if nanoseconds < NANOSECONDS["m"]:
        unit, scale = next(unit for unit in reversed(_DECIMAL) if nanoseconds >= unit[1] or unit[1] == 1)
        return f"{nanoseconds / scale:.6g} {unit}"
    left, parts = round(nanoseconds), []
    for unit, scale in (*reversed(_LONGER), ("s", NANOSECONDS["s"])):
        count, left = divmod(left, scale)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2])


def _round_durations(
    decade: Sequence[int], minutes: Sequence[int], hours: Sequence[int], days: Sequence[int]
) -> list[tuple[float, str]]:
    """Give round durations from a nanosecond to thousands of days, the shortest first."""
    short = [step * 10**power for power in range(11) for step in decade]
    places = [float(place) for place in short if 2 * place <= NANOSECONDS["m"]]
    places += [float(step * NANOSECONDS["m"]) for step in minutes]
    places += [float(step * NANOSECONDS["h"]) for step in hours]
    places += [float(step * 10**power * NANOSECONDS["d"]) for power in range(6) for step in days]
    return [(place, duration_text(place)) for place in places if place <= _LONGEST_TICK]

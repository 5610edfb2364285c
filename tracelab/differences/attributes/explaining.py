"""Which differences stand on their own, and which only follow from others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

from tracelab.differences.significance import cochran_mantel_haenszel, rank_chi

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.differences.attributes.traits import Numbers


_MOST: Final = 8
"""So many differences are held constant at once; with more, strata would be too small to say anything."""

_ALIKE: Final = 0.8
_ENOUGH: Final = 50_000
_SEED: Final = 20_260_501


@dataclass(frozen=True)
class Difference:
    """One difference that was found.

    Attributes
    ----------
    units
        The units that have it; None for a number.
    numbers
        The values that are compared; None for anything else.
    strength
        Its statistic, chi-squared by chance.
    structure
        Whether it is something that happened in a unit, such as an operation, and not what the unit was like.
    """

    units: Ints | None
    numbers: Numbers | None
    strength: float
    structure: bool = False


def explained(found: list[Difference], selected: Flags, q: float) -> tuple[list[int], dict[int, int]]:
    """Order differences, those first that stand on their own.

    The strongest comes first. What no longer sets the sides apart where it is held constant (Cochran-Mantel-Haenszel
    within strata, van Elteren for numbers) is explained by it. The strongest of the rest comes next, and so on.

    Returns
    -------
    The numbers of the differences that stand on their own, strongest first; and for each of the others, the one that
    explains it.

    Of very many units a sample of either side tells it as well.
    """
    found, selected = _fewer(found, selected)
    rest = sorted(range(len(found)), key=lambda number: -found[number].strength)
    standing: list[int] = []
    by: dict[int, int] = {}
    stratum = np.zeros(selected.size, dtype=np.int64)
    while rest:
        best = _cause(found, rest)
        rest.remove(best)
        standing.append(best)
        if not rest:
            break
        if len(standing) > _MOST:
            continue
        stratum = _split(stratum, found[best], selected.size)
        p = _within(found, rest, stratum, selected)
        gone = p > q / len(rest)
        by |= {number: best for number, lost in zip(rest, gone.tolist(), strict=True) if lost}
        order = np.argsort(p[~gone], kind="stable")
        left = [number for number, lost in zip(rest, gone.tolist(), strict=True) if not lost]
        rest = [left[place] for place in order.tolist()]
    return standing, by


def _fewer(found: list[Difference], selected: Flags) -> tuple[list[Difference], Flags]:
    """Take a sample of the units of either side where there are very many."""
    rng = np.random.default_rng(_SEED)
    parts = [
        rng.choice(side, _ENOUGH, replace=False) if side.size > _ENOUGH else side
        for side in (np.flatnonzero(selected), np.flatnonzero(~selected))
    ]
    kept = np.sort(np.concatenate(parts))
    if kept.size == selected.size:
        return found, selected
    place = np.full(selected.size, -1, dtype=np.int64)
    place[kept] = np.arange(kept.size)
    return [_placed(each, place) for each in found], selected[kept]


def _placed(difference: Difference, place: Ints) -> Difference:
    """Give the units of a difference their new numbers, and leave out those that have none."""
    if difference.units is not None:
        units = place[difference.units]
        return replace(difference, units=units[units >= 0])
    if difference.numbers is not None:
        units = place[difference.numbers.units]
        there = units >= 0
        return replace(
            difference, numbers=replace(difference.numbers, units=units[there], means=difference.numbers.means[there])
        )
    return difference


def _cause(found: list[Difference], rest: list[int]) -> int:
    """Take the first; or, if it is something that happened, what nearly the same units were like before."""
    first = found[rest[0]]
    if not first.structure or first.units is None:
        return rest[0]
    for number in rest[1:]:
        other = found[number]
        if other.structure or other.units is None or other.strength < _ALIKE * first.strength:
            continue
        common = np.intersect1d(first.units, other.units, assume_unique=True).size
        if common >= _ALIKE * (first.units.size + other.units.size - common):
            return number
    return rest[0]


def _split(stratum: Ints, difference: Difference, count: int) -> Ints:
    """Split strata by whether units have it; by the middle of a number."""
    has = np.zeros(count, dtype=np.int64)
    if difference.units is not None:
        has[difference.units] = 1
    elif difference.numbers is not None:
        edges = np.quantile(difference.numbers.means, [0.2, 0.4, 0.6, 0.8])
        has[difference.numbers.units] = 1 + np.searchsorted(edges, difference.numbers.means)
    _, number = np.unique(stratum * (int(has.max(initial=0)) + 1) + has, return_inverse=True)
    return np.asarray(number)


def _within(found: list[Difference], rest: list[int], stratum: Ints, selected: Flags) -> Floats:
    """Give the p-values of what is left of the differences within strata."""
    count = int(stratum.max(initial=0)) + 1
    size = np.bincount(stratum, minlength=count)
    chosen = np.bincount(stratum[selected], minlength=count)
    p = np.ones(len(rest))
    for place, number in enumerate(rest):
        units, numbers = found[number].units, found[number].numbers
        if units is not None:
            have = np.bincount(stratum[units], minlength=count)
            both = np.bincount(stratum[units][selected[units]], minlength=count)
            p[place] = cochran_mantel_haenszel(have, chosen, both, size)
        elif numbers is not None:
            of, side = stratum[numbers.units], selected[numbers.units]
            strata = [(numbers.means[(of == one) & side], numbers.means[(of == one) & ~side]) for one in np.unique(of)]
            p[place] = special.chdtrc(1, rank_chi(strata))
    return p

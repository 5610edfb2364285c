"""Pairs of traits that say more together than each alone: a version for one kind of customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy import special

from tracelab.differences.attributes.traits import OPERATION, PRESENCE, SERVICE, VALUE
from tracelab.differences.significance import Tables, fisher, tables

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.differences.attributes.traits import Traits


_MOST: Final = 200
_CELLS: Final = 100_000_000
_WORD: Final = 64
_FEWEST: Final = 3
_KINDS: Final = {SERVICE, VALUE, OPERATION, PRESENCE}


@dataclass(frozen=True)
class Pairs:
    """Pairs that were found.

    Attributes
    ----------
    one, other
        The numbers of both traits.
    both
        How many units of either side have both.
    p_value
        How likely it is by chance that both together say so much more than each alone.
    asked
        How many pairs there are among which these were looked for.
    """

    one: Ints
    other: Ints
    both: Tables
    p_value: Floats
    asked: int


def pairs_of(traits: Traits, selected: Flags, alone: Tables, strength: Floats) -> Pairs:
    """Look for pairs among the strongest traits.

    A pair is one whose units are selected more often than those that have only the one, and than those that have only
    the other, and by more than the two alone add up to; its p-value is the largest of those of the three. All pairs
    count as asked, those of weaker traits too, so that the choice of the strongest makes no pair more likely.
    """
    eligible = np.array([number for number, label in enumerate(traits.labels) if label.kind in _KINDS], dtype=np.int64)
    asked = eligible.size * (eligible.size - 1) // 2
    most = int(min(_MOST, max(_CELLS / max(selected.size, 1), 2)))
    chosen = np.sort(eligible[np.argsort(-strength[eligible], kind="stable")[:most]])
    inside, outside = _together(traits, chosen, selected)
    first, second = np.triu_indices(chosen.size, 1)
    one, other = chosen[first], chosen[second]
    sizes = (int(alone.of_selection[0]), int(alone.of_baseline[0])) if alone.selection.size else (0, 0)
    both = tables(inside[first, second], outside[first, second], sizes)
    only_one, only_other = _rest(alone.at(one), both), _rest(alone.at(other), both)
    neither = Tables(
        sizes[0] - both.selection - only_one.selection - only_other.selection,
        sizes[1] - both.baseline - only_one.baseline - only_other.baseline,
        both.of_selection,
        both.of_baseline,
    )
    total = both.selection + both.baseline
    # Where one never comes without the other, it says all that both say.
    real = (total >= _FEWEST) & (_size(only_one) > 0) & (_size(only_other) > 0)
    z = np.minimum(
        _more(both, only_one, only_other, neither), np.minimum(_above(both, only_one), _above(both, only_other))
    )
    # With so many questions only what is far off can be told from chance.
    kept = np.flatnonzero(real & (z > 2))
    found = both.at(kept)
    p = special.ndtr(-_more(found, only_one.at(kept), only_other.at(kept), neither.at(kept)))
    for rest in (only_one.at(kept), only_other.at(kept)):
        among = Tables(
            found.selection, rest.selection, found.selection + found.baseline, rest.selection + rest.baseline
        )
        p = np.maximum(p, fisher(among, over_only=True))
    return Pairs(one[kept], other[kept], found, np.minimum(2 * p, 1.0), asked)


def members(traits: Traits, one: int, other: int) -> npt.NDArray[np.int32]:
    """Give the units that have both."""
    return np.intersect1d(traits.of(one), traits.of(other), assume_unique=True)


def _together(traits: Traits, chosen: Ints, selected: Flags) -> tuple[Ints, Ints]:
    """Count the units that have two traits, among the selected and among the others."""
    marks = np.stack(
        [_bits(_flags(traits.of(number), selected.size)) for number in chosen.tolist()] or [_bits(selected)]
    )
    inside = np.zeros((chosen.size, chosen.size), dtype=np.int64)
    everywhere = np.zeros_like(inside)
    own = _bits(selected)
    for number in range(chosen.size):
        both = marks[number] & marks[number:]
        everywhere[number, number:] = np.bitwise_count(both).sum(axis=1, dtype=np.int64)
        inside[number, number:] = np.bitwise_count(both & own).sum(axis=1, dtype=np.int64)
    return inside, everywhere - inside


def _flags(units: npt.NDArray[np.int32], count: int) -> Flags:
    flags = np.zeros(count, dtype=bool)
    flags[units] = True
    return flags


def _bits(flags: Flags) -> npt.NDArray[np.uint64]:
    """Write a mark per unit as bits, 64 in a number."""
    padded = np.zeros(-(-flags.size // _WORD) * _WORD, dtype=bool)
    padded[: flags.size] = flags
    return np.packbits(padded).view(np.uint64)


def _rest(alone: Tables, both: Tables) -> Tables:
    return Tables(
        alone.selection - both.selection, alone.baseline - both.baseline, alone.of_selection, alone.of_baseline
    )


def _size(found: Tables) -> Ints:
    return found.selection + found.baseline


def _rate(found: Tables) -> tuple[Floats, Floats]:
    """Give the share of units that are selected, drawn a little to the middle, and its variance."""
    size = _size(found) + 1
    rate = (found.selection + 0.5) / size
    return rate, rate * (1 - rate) / size


def _above(both: Tables, rest: Tables) -> Floats:
    (rate, spread), (other, more) = _rate(both), _rate(rest)
    return np.asarray((rate - other) / np.sqrt(spread + more))


def _more(both: Tables, one: Tables, other: Tables, neither: Tables) -> Floats:
    """Tell how far both together are above what each of them adds to what neither has, in standard errors."""
    rates = [_rate(found) for found in (both, one, other, neither)]
    excess = rates[0][0] - rates[1][0] - rates[2][0] + rates[3][0]
    return np.asarray(excess / np.sqrt(sum(spread for _, spread in rates)))

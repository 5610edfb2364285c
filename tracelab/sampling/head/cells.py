"""All trace ids, cut into cells: the samplers of a fleet treat the ids of one cell alike.

A decision depends on which ranges a few numbers of the id lie in. Cut at every end of a range, the ids make so few
cells that whatever depends on the id is a short array with an item per cell. What a sampler does is computed once per
cell instead of once per span, and how likely it is comes out exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.sampling.head.ratios import FOLDED, HIGH, LAST, LOW, RANDOM, SIZES, SWAPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from tracelab.array_types import Flags, Ints
    from tracelab.sampling.head.ratios import Kept
    from tracelab.sampling.ids import Numbers, TraceIds

_MOST: Final = 2**14
_FAMILIES: Final = {LOW: LOW, LAST: LOW, RANDOM: LOW, HIGH: HIGH, SWAPPED: HIGH, FOLDED: FOLDED}
"""Numbers of two families are independent of each other in random ids; those of one family are not."""


def numbers_of(ids: TraceIds, explicit: Numbers, given: Flags) -> dict[str, Numbers]:
    """Give the numbers that samplers read in every id; explicit random values where they are given."""
    words = [half >> np.uint64(shift) & np.uint64(2**32 - 1) for half in (ids.high, ids.low) for shift in (32, 0)]
    return {
        LOW: ids.low,
        HIGH: ids.high,
        SWAPPED: ids.high.byteswap(),
        FOLDED: words[0] ^ words[1] ^ words[2] ^ words[3],
        LAST: ids.randomness,
        RANDOM: np.where(given, explicit, ids.randomness),
    }


@dataclass(frozen=True)
class Cells:
    """The cells, and which of them every trace id lies in.

    Attributes
    ----------
    starts
        For each number that somebody reads, where its ranges begin; the first begins at 0.
    places
        For each of these numbers, which of its ranges each cell lies in.
    cell
        The cell of every trace id.
    whole
        Whether all cells there could be are there, in the order of a table, and not only those that ids lie in.
    """

    starts: dict[str, list[int]]
    places: dict[str, Ints] = field(repr=False)
    cell: Ints = field(repr=False)
    whole: bool

    @classmethod
    def cut(cls, kept: Iterable[Kept], numbers: Mapping[str, Numbers]) -> Cells:
        """Cut at the ends of all ranges."""
        ends: dict[str, set[int]] = {}
        for each in kept:
            ends.setdefault(each.number, {0}).update(end for pair in each.ranges for end in pair)
        starts = {name: sorted(values - {SIZES[name]}) for name, values in sorted(ends.items())}
        count = numbers[LOW].size
        found = {
            name: np.searchsorted(np.array(values, dtype=np.uint64), numbers[name], "right").astype(np.int64) - 1
            for name, values in starts.items()
        }
        shape = tuple(len(values) for values in starts.values())
        if not starts:
            return cls({}, {}, np.zeros(count, dtype=np.int64), whole=True)
        if np.prod(shape, dtype=float) <= _MOST:
            grid = np.indices(shape).reshape(len(shape), -1).astype(np.int64)
            cell = np.ravel_multi_index(tuple(found.values()), shape).astype(np.int64, copy=False)
            return cls(starts, dict(zip(starts, grid, strict=True)), cell, whole=True)
        occurring, cell = np.unique(np.stack(list(found.values())), axis=1, return_inverse=True)
        return cls(starts, dict(zip(starts, occurring, strict=True)), cell.ravel(), whole=False)

    @cached_property
    def count(self) -> int:
        """How many cells there are."""
        return next((place.size for place in self.places.values()), 1)

    def within(self, kept: Kept) -> Flags:
        """Mark the cells whose ids are kept."""
        values = np.array([start in kept for start in self.starts[kept.number]])
        return values[self.places[kept.number]]

    def reaching(self, thresholds: npt.NDArray[np.int64]) -> Flags:
        """Mark the cells whose random values reach the threshold that each cell has."""
        if RANDOM not in self.starts:
            return np.zeros(self.count, dtype=bool)
        marked: Flags = np.array(self.starts[RANDOM], dtype=np.int64)[self.places[RANDOM]] >= thresholds
        return marked

    def read(self, marked: Flags) -> tuple[str, ...]:
        """Name the numbers that a set of cells depends on; all, where not all cells are there to tell."""
        if not self.whole:
            return tuple(self.starts) if marked.any() and not marked.all() else ()
        table = marked.reshape([len(values) for values in self.starts.values()])
        return tuple(name for axis, name in enumerate(self.starts) if bool((table != table.take([0], axis=axis)).any()))

    def share(self, marked: Flags) -> float:
        """Give the share of all ids that a set of cells holds; NaN where that cannot be told.

        It cannot where the numbers that it depends on depend on each other.
        """
        names = self.read(marked)
        if not names:
            return float(marked.any())
        families = {_FAMILIES[name] for name in names}
        if not self.whole or len(families) < len(names) or len(names) > 2:
            return float("nan")
        table = marked.reshape([len(values) for values in self.starts.values()])
        for axis, name in enumerate(self.starts):
            if name not in names:
                table = table.take([0], axis=axis)
        counts = table.squeeze().astype(object)
        total = 1
        for name in names:
            counts = np.array(self._widths(name), dtype=object) @ counts
            total *= SIZES[name]
        return int(counts) / total

    def _widths(self, name: str) -> list[int]:
        starts = self.starts[name]
        return [stop - start for start, stop in zip(starts, [*starts[1:], SIZES[name]], strict=True)]

"""What is known of each step, however steps are put together to suspects: ranks, middles, how many traces have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tracelab.array_types import Floats, Ints
    from tracelab.differences.causes.measuring import Cells, Steps


@dataclass(frozen=True)
class Stepwise:
    """What is known of each step, which does not depend on how steps are put together to suspects.

    Attributes
    ----------
    having
        How many traces of either side have it.
    values
        The time that a span takes, by name of the time and side: an item per cell.
    ranks
        What ranks are off by, and their variance.
    middle
        Means of middle halves with their variances.
    """

    having: tuple[Ints, Ints]
    values: dict[str, list[Floats]]
    ranks: dict[str, tuple[Floats, Floats]]
    middle: dict[str, list[tuple[Floats, Floats]]]


def stepwise(steps: Steps, cells: tuple[Cells, Cells]) -> Stepwise:
    """Sort what each step takes, which is what takes long."""
    many = steps.suspect.size
    one, other = (np.bincount(each.step, minlength=many) for each in cells)
    values = {name: [getattr(each, name) / each.count for each in cells] for name in ("own", "critical")}
    return Stepwise(
        (one, other),
        values,
        {name: _ranked(cells, value, (one, other)) for name, value in values.items()},
        {
            name: [_middle(each, part, many) for each, part in zip(cells, value, strict=True)]
            for name, value in values.items()
        },
    )


def _ranked(cells: tuple[Cells, Cells], values: list[Floats], having: tuple[Ints, Ints]) -> tuple[Floats, Floats]:
    """Say how far the ranks of the first side are off within each step, weighted, and their variance."""
    step = np.concatenate([each.step for each in cells])
    value = np.concatenate(values)
    order = np.lexsort((value, step))
    step, value, first = step[order], value[order], order < cells[0].step.size
    starts = np.flatnonzero(np.diff(step, prepend=-1))
    within = np.arange(step.size) - np.repeat(starts, np.diff(starts, append=step.size))
    tied = np.flatnonzero((np.diff(step, prepend=-1) != 0) | (np.diff(value, prepend=np.nan) != 0))
    sizes = np.diff(tied, append=step.size)
    rank = np.repeat(within[tied] + (sizes + 1) / 2, sizes)
    n, m = (each.astype(np.float64) for each in having)
    ties = np.bincount(step[tied], weights=sizes.astype(np.float64) ** 3 - sizes, minlength=n.size)
    total = n + m
    off = np.bincount(step[first], weights=rank[first], minlength=n.size) - n * (total + 1) / 2
    weight = np.where((n > 0) & (m > 0), 1 / (total + 1), 0.0)
    spread = n * m / 12 * (total + 1 - ties / np.maximum(total * (total - 1), 1))
    return weight * off, weight**2 * spread


def _middle(cells: Cells, value: Floats, many: int) -> tuple[Floats, Floats]:
    """Give the mean of the middle half of each step's values, and its variance.

    J. W. Tukey and D. H. McLaughlin, Sankhya A 25 (1963), 331-352: that of the winsorised values.
    """
    order = np.lexsort((value, cells.step))
    step, ordered = cells.step[order], value[order]
    sizes = np.bincount(step, minlength=many)
    first = np.cumsum(sizes) - sizes
    place = np.arange(step.size) - first[step]
    low, high = sizes[step] * 0.25, sizes[step] * 0.75
    weight = np.clip(np.minimum(place + 1, high) - np.maximum(place, low), 0.0, 1.0)
    total = np.bincount(step, weights=weight, minlength=many)
    mean = np.bincount(step, weights=weight * ordered, minlength=many) / np.where(total > 0, total, 1.0)
    last = np.maximum(first + sizes - 1, 0)
    cut = sizes // 4
    lower, upper = (ordered[np.clip(at, 0, max(step.size - 1, 0))] for at in (first + cut, last - cut))
    kept = np.clip(ordered, lower[step], upper[step])
    size = np.maximum(sizes, 1)
    around = np.bincount(step, weights=kept, minlength=many) / size
    squares = np.bincount(step, weights=(kept - around[step]) ** 2, minlength=many)
    return mean, squares / np.maximum(size - 1, 1) / (0.25 * size)

"""Whether a stretch of time differs from what is around it, and how sure that is.

A stretch is told from the rest by a likelihood-ratio statistic of shares: that of failures, or those above each of
several quantiles of latency, added up. The latter is how C. Zou et al., "Nonparametric maximum likelihood approach to
multiple change-point problems", Ann. Statist. 42 (2014), 970-1002, and K. Haynes et al., "A computationally efficient
nonparametric approach for changepoint detection", Stat. Comput. 27 (2017), 1293-1305, compare distributions. That
stretches may lie in the middle is circular binary segmentation: A. B. Olshen et al., Biostatistics 5 (2004), 557-572.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints

FEWEST: Final = 8
"""No stretch has fewer units, since of fewer nothing can be said."""

_MOST_BLOCKS: Final = 1_024
_FEWEST_BLOCKS: Final = 16
_BATCH: Final = 10
_PERMUTATIONS: Final = 600
_ENOUGH: Final = 12
_CLEARLY: Final = 1.645
_EULER: Final = 0.577_215_664_901_532_9


@dataclass(frozen=True)
class Blocks:
    """Units that follow each other, taken together.

    Attributes
    ----------
    edges
        Where each begins among the units, and where the last ends.
    sums
        By block: the sums of the shares of its units, and in the last column how many units there are.
    """

    edges: Ints
    sums: Floats

    @property
    def count(self) -> int:
        """How many there are."""
        return self.edges.size - 1


@dataclass(frozen=True)
class Stretch:
    """The stretch that differs most.

    Attributes
    ----------
    begin, end
        Its first unit, and the first behind it.
    slack
        How many units it may begin or end earlier or later, since blocks are not looked into.
    statistic, p_value
        How much it differs, and how likely so much is by chance somewhere.
    """

    begin: int
    end: int
    slack: int
    statistic: float
    p_value: float


def blocks_of(shares: Floats, borders: Flags) -> Blocks:
    """Take units together, in blocks that are long enough to be nearly independent.

    Parameters
    ----------
    shares
        By unit and question.
    borders
        Before which units a block may begin.

    Notes
    -----
    Blocks hold the cube root of the number of units, or less where there would be so few that no order of them is
    unlikely, or more where units have a memory: while a block is like the next one, pairs of them are taken together,
    until there are few.
    """
    count = shares.shape[0]
    length = max(min(round(count ** (1 / 3)), count // _FEWEST_BLOCKS), -(-count // _MOST_BLOCKS), 1)
    blocks = _cut(shares, borders, length)
    while blocks.count >= 2 * _FEWEST_BLOCKS and _has_memory(blocks):
        length *= 2
        blocks = _cut(shares, borders, length)
    return blocks


def strongest(blocks: Blocks, *, seed: int, inside: bool = True) -> Stretch | None:
    """Find the stretch that differs most, and its p-value by permutations of the blocks; None if there is no stretch.

    Without `inside` only stretches that last to the end.

    Where no permutation differs as much, the p-value is the tail of the Gumbel distribution that has the mean and the
    spread of theirs (T. A. Knijnenburg et al., "Fewer permutations, more accurate P-values", Bioinformatics 25 (2009),
    i161-i168, fit a tail so too). Where many do, no more are drawn than tell so (J. Besag and P. Clifford, Biometrika
    78 (1991), 301-304).
    """
    begins, ends = _arcs(blocks, inside=inside)
    if not begins.size:
        return None
    observed = _statistics(blocks.sums[None], begins, ends)[0]
    best = int(observed.argmax())
    top = float(observed[best])
    rng = np.random.default_rng(seed)
    maxima: list[float] = []
    beyond = 0
    while len(maxima) < _PERMUTATIONS and beyond < _ENOUGH:
        order = rng.permuted(np.tile(np.arange(blocks.count), (_BATCH, 1)), axis=1)
        found = _statistics(blocks.sums[order], begins, ends).max(axis=1)
        beyond += int((found >= top * (1 - 1e-9)).sum())
        maxima += found.tolist()
    p = (beyond + 1) / (len(maxima) + 1) if beyond else _gumbel_tail(np.array(maxima), top)
    edges = blocks.edges
    slack = int(np.diff(edges).max())
    return Stretch(int(edges[begins[best]]), int(edges[ends[best]]), slack, top, min(p, 1.0))


def likelihood_ratio(inside: Floats, outside: Floats) -> Floats:
    """Give the statistic of sums of shares, whose last item is the number of units: over all but the last axis."""
    whole = inside + outside
    parts = _binomial(inside) + _binomial(outside) - _binomial(whole)
    return np.asarray(2 * parts.sum(axis=-1))


def _cut(shares: Floats, borders: Flags, length: int) -> Blocks:
    count = shares.shape[0]
    wanted = np.arange(length, count - length // 2, length)
    allowed = np.flatnonzero(borders)
    at = np.searchsorted(allowed, wanted)
    starts = np.unique(allowed[at[at < allowed.size]])
    edges = np.concatenate(([0], starts[starts > 0], [count]))
    columns = np.column_stack((shares, np.ones(count)))
    return Blocks(edges, np.add.reduceat(columns, edges[:-1], axis=0))


def _has_memory(blocks: Blocks) -> bool:
    """Tell whether blocks are like the next one, by how seldom their values turn from rising to falling or back.

    The test is that of I. J. Bienaymé, "Sur une question de probabilités", Bull. Soc. Math. France 2 (1874), 153-154:
    of values without a memory two of three are turning points. A few steps, however high, turn it very little.
    """
    values = blocks.sums[:, :-1].sum(axis=1) / blocks.sums[:, -1]
    rising = np.diff(values)
    rising = np.sign(rising[rising != 0])
    count = rising.size + 1
    if count < _FEWEST_BLOCKS:
        return False
    turns = int((rising[1:] != rising[:-1]).sum())
    return bool(turns < 2 * (count - 2) / 3 - _CLEARLY * float(np.sqrt((16 * count - 29) / 90)))


def _arcs(blocks: Blocks, *, inside: bool) -> tuple[Ints, Ints]:
    """List the stretches: all that begin or end with the blocks, and within them those of some lengths.

    The lengths grow by a factor, so that there are few (S. Kovács et al., "Seeded binary segmentation", Biometrika 110
    (2023), 249-256).
    """
    count = blocks.count
    lengths = np.unique(np.round(2 ** np.arange(0, np.log2(max(count, 2)), 0.5)).astype(np.int64))
    lengths = lengths[lengths <= count // 2]
    begins = [np.arange(1, count)]
    ends = [np.full(max(count - 1, 0), count)]
    for length in lengths.tolist() if inside else []:
        first = np.arange(1, count - length)
        begins.append(first)
        ends.append(first + length)
    begin, end = np.concatenate(begins), np.concatenate(ends)
    total = np.append(0, np.cumsum(blocks.sums[:, -1]))
    size = total[end] - total[begin]
    # Which blocks come where differs by permutation, so that no stretch may be short of units in any.
    enough = (size >= FEWEST) & (total[-1] - size >= FEWEST)
    return begin[enough], end[enough]


def _statistics(sums: Floats, begins: Ints, ends: Ints) -> Floats:
    """Give the statistic of every stretch, by permutation and stretch."""
    total = np.concatenate((np.zeros_like(sums[:, :1]), np.cumsum(sums, axis=1)), axis=1)
    inside = total[:, ends] - total[:, begins]
    whole = total[:, -1:]
    found = _binomial(inside) + _binomial(whole - inside) - _binomial(whole)
    return np.asarray(2 * found.sum(axis=-1))


def _binomial(sums: Floats) -> Floats:
    """Give the largest log-likelihood of each share."""
    hits, size = np.maximum(sums[..., :-1], 0.0), sums[..., -1:]
    return _n_log_n(hits) + _n_log_n(np.maximum(size - hits, 0.0)) - _n_log_n(size)


def _n_log_n(values: Floats) -> Floats:
    return np.asarray(values * np.log(np.maximum(values, 1e-12)))


def _gumbel_tail(maxima: Floats, top: float) -> float:
    """Give the chance of a maximum as large, as far as the others tell, and no less than they can tell of at all."""
    scale = float(maxima.std()) * np.sqrt(6) / np.pi
    least = 1 / (maxima.size + 1)
    if scale <= 0:
        return least
    centre = float(maxima.mean()) - _EULER * scale
    return float(min(-np.expm1(-np.exp(-(top - centre) / scale)), least))

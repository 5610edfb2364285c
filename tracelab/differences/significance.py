"""Whether a difference is more than chance, and how large it is: tests and intervals over whole columns.

All functions take arrays of counts, one item per question, and give arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints

_CLEARLY_NOTHING: Final = 0.3
_MOST_EXACT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables of two by two: how many units of either side have something.

    Attributes
    ----------
    selection, baseline
        How many units of the side have it.
    of_selection, of_baseline
        How many units the side has.
    """

    selection: Ints
    baseline: Ints
    of_selection: Ints
    of_baseline: Ints

    @property
    def shares(self) -> tuple[Floats, Floats]:
        """The share of either side that has it; 0 of nothing."""
        return _share(self.selection, self.of_selection), _share(self.baseline, self.of_baseline)

    def at(self, rows: Ints | Flags) -> Tables:
        """Take some of the tables."""
        return Tables(self.selection[rows], self.baseline[rows], self.of_selection[rows], self.of_baseline[rows])


def tables(selection: Ints, baseline: Ints, sizes: tuple[int, int]) -> Tables:
    """Make tables of sides that have the same size in all of them."""
    return Tables(selection, baseline, np.full(selection.size, sizes[0]), np.full(selection.size, sizes[1]))


def fisher(found: Tables, *, over_only: bool = False) -> Floats:
    """Give Fisher's exact p-value, twice that of the smaller tail; with `over_only`, that of a larger share alone.

    R. A. Fisher, "Statistical Methods for Research Workers", section 21.02. Where a p-value is far from small, or the
    sides are so large that an exact one takes long, it is that of the chi-squared test with Yates' correction.
    """
    p = _yates(found, over_only=over_only)
    size = found.of_selection + found.of_baseline
    exact = np.flatnonzero((p < _CLEARLY_NOTHING) & (size <= _MOST_EXACT))
    if exact.size:
        some = found.at(exact)
        columns = np.stack([some.selection, some.baseline, some.of_selection, some.of_baseline])
        distinct, number = np.unique(columns, axis=1, return_inverse=True)
        p[exact] = _exact(Tables(*distinct), over_only=over_only)[number.ravel()]
    return p


def least_fisher(total: Ints, sizes: tuple[int, int]) -> Floats:
    """Give the smallest p-value that something which so many units have could reach, however they are split."""
    selected, others = sizes
    over = np.where(total <= selected, _log_choose(selected, total), _log_choose(others, total - selected))
    under = np.where(total <= others, _log_choose(others, total), _log_choose(selected, total - others))
    logs: Floats = np.minimum(over, under) - _log_choose(selected + others, total)
    return np.asarray(np.minimum(1.0, 2 * np.exp(np.minimum(logs, 0.0))))


def log_likelihood_ratio(found: Tables) -> Floats:
    """Give the statistic G of each table, which is 0 where shares are the same, and is chi-squared by chance."""
    rows = (found.selection, found.baseline)
    sizes = (found.of_selection, found.of_baseline)
    total, having = sizes[0] + sizes[1], rows[0] + rows[1]
    g = np.zeros(having.size)
    for have, size in zip(rows, sizes, strict=True):
        g += _term(have, size * having, total) + _term(size - have, size * (total - having), total)
    return np.maximum(2 * g, 0.0)


def difference_interval(found: Tables, confidence: float) -> tuple[Floats, Floats]:
    """Give the bounds of the difference of two shares, selection less baseline.

    R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
    methods", Statistics in Medicine 17 (1998), 873-890, method 10.
    """
    (a, b), z = found.shares, float(special.ndtri(0.5 + confidence / 2))
    low_a, high_a = _wilson(a, found.of_selection, z)
    low_b, high_b = _wilson(b, found.of_baseline, z)
    low = a - b - np.sqrt((a - low_a) ** 2 + (high_b - b) ** 2)
    high = a - b + np.sqrt((high_a - a) ** 2 + (b - low_b) ** 2)
    return low, high


def benjamini_hochberg(p: Floats, *, among: int | None = None) -> Floats:
    """Give the smallest false-discovery rate at which each p-value counts as a discovery.

    Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995), 289-300.

    Parameters
    ----------
    p
        P-values.
    among
        How many questions were asked in all, where those that are not in `p` have a p-value of 1.
    """
    asked = max(p.size, among or 0)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * asked / np.arange(1, p.size + 1)
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def cochran_mantel_haenszel(have: Ints, selected: Ints, both: Ints, size: Ints) -> Floats:
    """Give the p-values of an association that remains within strata.

    N. Mantel and W. Haenszel, "Statistical aspects of the analysis of data from retrospective studies of disease",
    JNCI 22 (1959), 719-748.

    Parameters
    ----------
    have
        How many units have it, by question and stratum.
    selected, size
        How many units are selected, and how many there are, by stratum.
    both
        How many are selected and have it, by question and stratum.
    """
    # As floats, since products of four counts may be larger than whole numbers of 64 bits.
    some, chosen, total = have.astype(float), selected.astype(float), size.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = some * chosen / total
        variance = chosen * (total - chosen) * some * (total - some) / (total**2 * (total - 1))
    off = np.where(size > 1, both - expected, 0.0).sum(axis=-1)
    spread = np.where(size > 1, variance, 0.0).sum(axis=-1)
    return _of_chi(off, spread)


@dataclass(frozen=True, slots=True)
class RankSum:
    """What ranks say of two sides.

    Attributes
    ----------
    p_value
        Of the Wilcoxon-Mann-Whitney test.
    chi
        Its statistic, squared: chi-squared by chance.
    effect, low, high
        How much more often a value of the selection is the larger of two than the smaller, with an interval: from -1
        to 1.
    """

    p_value: float
    chi: float
    effect: float
    low: float
    high: float


def rank_sum(selection: Floats, baseline: Floats, confidence: float) -> RankSum:
    """Compare two sides by ranks, which no outlier moves.

    H. B. Mann and D. R. Whitney, Ann. Math. Stat. 18 (1947), 50-60, with the correction for ties; the effect is
    Cliff's delta (N. Cliff, Psychological Bulletin 114 (1993), 494-509), the interval from its components (E. R.
    DeLong et al., Biometrics 44 (1988), 837-845).
    """
    n, m = selection.size, baseline.size
    if not n or not m:
        return RankSum(1.0, 0.0, 0.0, -1.0, 1.0)
    ranks = stats.rankdata(np.concatenate((selection, baseline)))
    above = (ranks[:n] - stats.rankdata(selection)) / m
    below = 1 - (ranks[n:] - stats.rankdata(baseline)) / n
    delta = 2 * float(above.mean()) - 1
    chi = rank_chi([(selection, baseline)])
    spread = (above.var(ddof=1) / n if n > 1 else 0.25) + (below.var(ddof=1) / m if m > 1 else 0.25)
    reach = 2 * float(special.ndtri(0.5 + confidence / 2)) * float(np.sqrt(spread))
    return RankSum(float(special.chdtrc(1, chi)), chi, delta, max(delta - reach, -1.0), min(delta + reach, 1.0))


def rank_chi(strata: list[tuple[Floats, Floats]]) -> float:
    """Give the squared statistic of the rank-sum test, over strata if there are several (van Elteren's test)."""
    off = spread = 0.0
    for selection, baseline in strata:
        n, m = selection.size, baseline.size
        total = n + m
        if not n or not m:
            continue
        both = np.concatenate((selection, baseline))
        ranks = stats.rankdata(both)
        _, ties = np.unique(both, return_counts=True)
        lost = float((ties.astype(np.float64) ** 3 - ties).sum()) / (total * (total - 1)) if total > 1 else 0.0
        weight = 1 / (total + 1)
        off += weight * (float(ranks[:n].sum()) - n * (total + 1) / 2)
        spread += weight**2 * n * m / 12 * (total + 1 - lost)
    return off * off / spread if spread > 0 else 0.0


def median_difference(selection: Floats, baseline: Floats, confidence: float) -> tuple[float, float, float, float]:
    """Give both medians and the bounds of their difference.

    R. M. Price and D. G. Bonett, "Distribution-free confidence intervals for difference and ratio of medians", J. Stat.
    Comput. Simul. 72 (2002), 119-124.
    """
    z = float(special.ndtri(0.5 + confidence / 2))
    (one, spread), (other, more) = _median(selection), _median(baseline)
    reach = z * float(np.sqrt(spread + more))
    return one, other, one - other - reach, one - other + reach


def _median(values: Floats) -> tuple[float, float]:
    """Give the median and its variance."""
    if not values.size:
        return float("nan"), float("nan")
    ordered = np.sort(values)
    count = values.size
    place = max(round((count + 1) / 2 - np.sqrt(count)), 1)
    tail = float(stats.binom.cdf(place - 1, count, 0.5))
    z = float(special.ndtri(1 - tail)) if 0 < tail < 1 else 1.0
    spread = ((ordered[count - place] - ordered[place - 1]) / (2 * z)) ** 2 if z > 0 else float("nan")
    return float(np.median(ordered)), float(spread)


def _yates(found: Tables, *, over_only: bool) -> Floats:
    a, n, m = found.selection.astype(float), found.of_selection.astype(float), found.of_baseline.astype(float)
    have, total = a + found.baseline, n + m
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(total > 0, n * have / total, 0.0)
        variance = np.where(total > 0, n * m * have * (total - have) / total**3, 0.0)
    off = a - expected
    corrected = np.sign(off) * np.maximum(np.abs(off) - 0.5, 0.0)
    if not over_only:
        return _of_chi(corrected, variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, corrected / np.sqrt(variance), 0.0)
    return np.where(variance > 0, special.ndtr(-z), 1.0)


def _exact(found: Tables, *, over_only: bool) -> Floats:
    have = found.selection + found.baseline
    total = found.of_selection + found.of_baseline
    over = stats.hypergeom.sf(found.selection - 1, total, have, found.of_selection)
    if over_only:
        return np.asarray(np.clip(over, 0.0, 1.0))
    under = stats.hypergeom.cdf(found.selection, total, have, found.of_selection)
    return np.asarray(np.clip(2 * np.minimum(over, under), 0.0, 1.0))


def _of_chi(off: Floats, variance: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        chi = np.where(variance > 0, off**2 / variance, 0.0)
    return np.asarray(special.chdtrc(1, chi))


def _wilson(rate: Floats, count: Ints, z: float) -> tuple[Floats, Floats]:
    size = np.maximum(count, 1)
    middle = (rate + z * z / (2 * size)) / (1 + z * z / size)
    reach = z / (1 + z * z / size) * np.sqrt(rate * (1 - rate) / size + z * z / (4 * size * size))
    nothing = count == 0
    low = np.where(nothing | (rate == 0), 0.0, middle - reach)
    return low, np.where(nothing | (rate == 1), 1.0, middle + reach)


def _share(part: Ints, whole: Ints) -> Floats:
    return np.asarray(part / np.maximum(whole, 1))


def _term(seen: Ints, expected: Ints, total: Ints) -> Floats:
    """Give `seen * log(seen / (expected / total))`, 0 where nothing was seen."""
    there = seen > 0
    ratio = np.ones(seen.size)
    ratio[there] = seen[there].astype(float) * total[there] / expected[there]
    return np.asarray(seen * np.log(ratio))


def _log_choose(count: int, part: Ints) -> Floats:
    some = np.clip(part, 0, count)
    return np.asarray(special.gammaln(count + 1) - special.gammaln(some + 1) - special.gammaln(count - some + 1))

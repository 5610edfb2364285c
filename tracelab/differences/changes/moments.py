"""At which unit a change is, between which it may be, and whether it is a step or slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints

_PRIOR: Final = 0.5
_CLEAR: Final = 9.0
_TWO_MORE: Final = 4.0
_LEAST_KEPT: Final = 0.2


@dataclass(frozen=True)
class Moment:
    """Where a change is.

    Attributes
    ----------
    at
        The first unit after it.
    low, high
        The first unit after the earliest and after the latest change that are likely as well.
    """

    at: int
    low: int
    high: int


def most_likely(shares: Floats, borders: Flags, before: slice, after: slice, least: int) -> int | None:
    """Find the unit before which a change is most likely, between two stretches that are known to differ.

    Parameters
    ----------
    shares
        By unit and question; of quantiles in ascending order of these.
    borders
        Before which units a change may be.
    before, after
        Stretches that lie on either side. The change is looked for from the begin of the first to the end of the other.
    least
        How many units are to be left on either side.
    """
    scores = _scores(shares, before, after, slice(before.start, after.stop))
    allowed = _allowed(borders, before.start, after.stop, least)
    if not allowed.size:
        return None
    # The likelihood of a change before each unit is what lies before it under `before`, and the rest under `after`.
    gain = np.append(0.0, np.cumsum(scores))
    return int(allowed[gain[allowed - before.start].argmin()])


def moment_of(
    shares: Floats, borders: Flags, begin: int, at: int, end: int, *, confidence: float, least: int
) -> Moment:
    """Say how sure a change is to be where it is, between the changes before and after it.

    Notes
    -----
    Those places are likely as well at which the likelihood is lower by less than a limit. B. E. Hansen, "Sample
    splitting and threshold estimation", Econometrica 68 (2000), 575-603, gives the limit: the loss at the true place is
    the maximum of two walks, whose distribution is (1 - exp(-x / 2)) ** 2. Where units have a memory, it grows with the
    variance of their sums; and as far as the scores, which are fitted to the change, make it seem larger than it is.
    """
    scores = _scores(shares, slice(begin, at), slice(at, end), slice(begin, end))
    allowed = _allowed(borders, begin, end, least)
    allowed = np.union1d(allowed, [at])
    gain = np.append(0.0, np.cumsum(scores))
    loss = 2 * (gain[allowed - begin] - gain[at - begin])
    rest = scores - np.where(np.arange(begin, end) < at, scores[: at - begin].mean(), scores[at - begin :].mean())
    limit = -2 * np.log1p(-np.sqrt(confidence)) * _inflation(rest)
    limit /= _kept(scores, at - begin, shares.shape[1])
    likely = allowed[loss <= limit]
    return Moment(at, int(likely.min()), int(likely.max()))


def _scores(shares: Floats, before: slice, after: slice, whole: slice) -> Floats:
    """Give by unit how much more likely it is after a change than before it: the logarithm of the ratio.

    Quantiles cut values into bins, of which each unit is in one, or in several in part if it has several requests.
    """
    edges = np.column_stack((np.ones(shares.shape[0]), shares, np.zeros(shares.shape[0])))
    bins = np.maximum(edges[:, :-1] - edges[:, 1:], 0.0)
    usual = (bins[before].sum(axis=0) + bins[after].sum(axis=0) + _PRIOR) / (
        before.stop - before.start + after.stop - after.start + _PRIOR * bins.shape[1]
    )
    one, other = (
        np.log((bins[part].sum(axis=0) + usual * bins.shape[1]) / (part.stop - part.start + bins.shape[1]))
        for part in (before, after)
    )
    return np.asarray(bins[whole] @ (other - one))


def _allowed(borders: Flags, begin: int, end: int, least: int) -> Ints:
    inside = np.arange(begin + least, end - least + 1)
    return inside[borders[inside]] if inside.size else inside


def _kept(scores: Floats, at: int, fitted: int) -> float:
    """Give the part of a change that is left without what fitting so many shares adds to any."""
    before, after = scores[:at], scores[at:]
    spread = (float(before.var()) * before.size + float(after.var()) * after.size) / scores.size
    if spread <= 0:
        return 1.0
    strength = before.size * after.size / scores.size * (float(after.mean()) - float(before.mean())) ** 2 / spread
    return min(max(1 - fitted / max(strength, 1e-300), _LEAST_KEPT), 1.0)


def _inflation(rest: Floats) -> float:
    """Give how much more sums vary than they would without a memory: by sums of some units beside single ones."""
    length = max(round(float(rest.size) ** (1 / 3)), 1)
    count = rest.size // length
    spread = float(rest.var())
    if count < 4 or spread <= 0:
        return 1.0
    sums = rest[: count * length].reshape(count, length).sum(axis=1)
    return float(max(float(sums.var()) / (length * spread), 1.0))


def lead_of_step(shares: Floats, time: Ints, begin: int, at: int, end: int, knots: list[int]) -> float:
    """Tell how much better a step fits than a slow change, in squared standard deviations; below 0 it fits worse.

    What is slow are slopes that meet: at the place itself and at others that are known to be slow, or also half way to
    either end, which costs two parameters more (as H. Akaike counts them, 1974). A step is two levels that fit better
    than both; or a jump between such slopes that is beyond three standard errors.
    """
    scores = _clearest(shares[begin:end], at - begin)
    after = (np.arange(begin, end) >= at)[:, None]
    since = (time[begin:end] - time[at]).astype(np.float64)
    scale = float(np.abs(since).max())
    if scale <= 0:
        return 0.0
    since /= scale
    bends = [0.0, *((time[knot] - time[at]) / scale for knot in knots if begin < knot < end)]
    line = _slopes(since, bends)
    curve = _slopes(since, [*bends, since[0] / 2, since[-1] / 2])
    straight, curved, levels, jump = (
        _left(design, scores) for design in (line, curve, np.hstack((~after, after)), np.hstack((curve, after)))
    )
    spread = max(min(levels, jump) / max(scores.size - curve.shape[1] - 1, 1), 1e-300)
    as_levels = min((straight - levels) / spread, (curved - levels) / spread + _TWO_MORE)
    return float(max(as_levels, (curved - jump) / spread - _CLEAR))


def _clearest(shares: Floats, at: int) -> Floats:
    """Give the mean of the shares, or that of the upper levels, whichever changes more clearly.

    Scores that are fitted to a step would speak for one.
    """
    found = []
    for values in (shares.mean(axis=1), shares[:, shares.shape[1] // 2 :].mean(axis=1)):
        before, after = values[:at], values[at:]
        spread = float(before.var() / before.size + after.var() / after.size)
        found.append(((float(after.mean()) - float(before.mean())) ** 2 / max(spread, 1e-300), values))
    return np.asarray(max(found, key=lambda item: item[0])[1])


def _slopes(since: Floats, bends: list[float]) -> Floats:
    return np.column_stack([np.ones(since.size), since, *(np.maximum(since - bend, 0.0) for bend in bends)])


def _left(design: npt.NDArray[Any], values: Floats) -> float:
    """Give the sum of squares that the best fit leaves."""
    fitted, *_ = np.linalg.lstsq(design.astype(np.float64), values, rcond=None)
    return float(((values - design @ fitted) ** 2).sum())

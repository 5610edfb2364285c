"""At which unit a change is, between which it may be, and whether it is a step or slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

_PRIOR: Final = 0.5


@dataclass(frozen=True)
class Moment:
    """Where a change is.

    Attributes
    ----------
    at
        The first unit after it.
    low, high
        The first unit after the earliest and after the latest change that are likely as well.
    is_step
        Whether a step fits better than a slope that begins or ends there.
    """

    at: int
    low: int
    high: int
    is_step: bool


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
    shares: Floats, borders: Flags, time: Ints, begin: int, at: int, end: int, *, confidence: float, least: int
) -> Moment:
    """Say how sure a change is to be where it is, between the changes before and after it.

    Notes
    -----
    Those places are likely as well at which the likelihood is lower by less than a limit. B. E. Hansen, "Sample
    splitting and threshold estimation", Econometrica 68 (2000), 575-603, gives the limit: the loss at the true place is
    the maximum of two walks, whose distribution is (1 - exp(-x / 2)) ** 2. Where units have a memory, it grows with the
    variance of their sums.
    """
    scores = _scores(shares, slice(begin, at), slice(at, end), slice(begin, end))
    allowed = _allowed(borders, begin, end, least)
    allowed = np.union1d(allowed, [at])
    gain = np.append(0.0, np.cumsum(scores))
    loss = 2 * (gain[allowed - begin] - gain[at - begin])
    rest = scores - np.where(np.arange(begin, end) < at, scores[: at - begin].mean(), scores[at - begin :].mean())
    limit = -2 * np.log1p(-np.sqrt(confidence)) * _inflation(rest)
    likely = allowed[loss <= limit]
    return Moment(at, int(likely.min()), int(likely.max()), _steps(scores, time[begin:end], at - begin))


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


def _inflation(rest: Floats) -> float:
    """Give how much more sums vary than they would without a memory: by sums of some units beside single ones."""
    length = max(round(float(rest.size) ** (1 / 3)), 1)
    count = rest.size // length
    spread = float(rest.var())
    if count < 4 or spread <= 0:
        return 1.0
    sums = rest[: count * length].reshape(count, length).sum(axis=1)
    return float(max(float(sums.var()) / (length * spread), 1.0))


def _steps(scores: Floats, time: Ints, at: int) -> bool:
    """Tell whether a step fits better than two slopes that meet there: what is slow has no moment."""
    before, after = scores[:at], scores[at:]
    left = float(((before - before.mean()) ** 2).sum() + ((after - after.mean()) ** 2).sum())
    since = (time - time[at]).astype(np.float64)
    scale = float(np.abs(since).max())
    if scale <= 0:
        return True
    since /= scale
    slopes = np.column_stack((np.ones(scores.size), np.minimum(since, 0.0), np.maximum(since, 0.0)))
    fitted, *_ = np.linalg.lstsq(slopes, scores, rcond=None)
    return left <= float(((scores - slopes @ fitted) ** 2).sum())

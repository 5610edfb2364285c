"""What coincidence would give: matches in time are judged against the same look at times that are shifted.

Where much goes on, some span always lies within another one. A match is a fault's trace only if there are more of them,
or closer ones, than there are when one side is moved by some seconds, where nothing can belong together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints


NO_MATCH: Final = np.iinfo(np.int64).max
"""The slack of what matches nothing."""

LIMITS: Final = 10_000 * 2 ** np.arange(27, dtype=np.int64)
"""How close a match must be to count, in nanoseconds: each twice the one before, up to eleven minutes."""

_GOLDEN: Final = 0.6180339887
_FEW: Final = 0.1
_USUAL: Final = 0.6
_LOOKS: Final = 50_000
_MOST_TRIALS: Final = 512
_LEAST_TRIALS: Final = 8
_SHORTEST: Final = 100_000_000
_SMALL: Final = 2**16


@dataclass(frozen=True)
class Chance:
    """How matches compare with coincidence, one item per group.

    Attributes
    ----------
    doubt
        Natural logarithm of (a bound of) the probability that coincidence gives as many matches as there are up to the
        slack at which that is least likely; all slacks and groups that were looked at are paid for.
    matched, expected
        How many there are up to that slack, and how many coincidence would give.
    limit, by_chance
        Up to which slack matches are to be taken: as far as few of them are coincidences; and how many coincidence
        would give up to there.
    """

    doubt: Floats
    matched: Ints
    expected: Floats
    limit: Ints
    by_chance: Floats


def trials(looks: int, lengths: Ints, window: int) -> Ints:
    """Choose by how much to shift the times: further than spans last, near enough that the load is the same.

    Parameters
    ----------
    looks
        How many times are looked up for one shift.
    lengths
        How long the spans last in which something could lie.
    window
        How long the frame is.
    """
    count = int(np.clip(_LOOKS // max(looks, 1), _LEAST_TRIALS, _MOST_TRIALS))
    longest = int(np.quantile(lengths, 0.9)) if lengths.size else 0
    step = max(_SHORTEST, 2 * longest)
    # Multiples of the golden ratio fall in with no rhythm that the load may have.
    multiples = 1 + _GOLDEN * np.arange(count // 2)
    furthest = float(multiples[-1]) * step
    step = int(step * min(1.0, window / 2 / furthest))
    away = (multiples * max(step, 1)).astype(np.int64)
    return np.concatenate((away, -away))


def shifted(times: Ints, shifts: Ints, first: int, last: int) -> Ints:
    """Move times by each shift; those that leave the window come in on its other side. A row per shift."""
    return first + (times - first + shifts[:, None]) % max(last - first, 1)


def compared(group: Ints, slack: Ints, shifted_slack: Ints, *, closed: Flags | None = None) -> Chance:
    """Compare matches with those of shifted times.

    Parameters
    ----------
    group
        Number of the group of each subject, from 0 without gaps.
    slack
        How far each subject is from what it matches best; `NO_MATCH` where it matches nothing.
    shifted_slack
        The same for each shift, a row per shift.
    closed
        Of which groups there are hardly more to match with than subjects, so that hardly anything is left for
        coincidence where nearly all are matched.
    """
    groups = int(group.max(initial=-1)) + 1
    sizes = np.bincount(group, minlength=groups)
    matched = _counts(group, slack, groups)
    shifts = shifted_slack.shape[0]
    by_shift = _counts(
        (np.arange(shifts)[:, None] * groups + group).ravel(), shifted_slack.ravel(), shifts * groups
    ).reshape(shifts, groups, LIMITS.size)
    by_chance = by_shift.sum(axis=0) / shifts
    # One match more than was seen, since no number of shifts can tell that there is never one.
    doubt = _doubt(matched, by_chance + 1 / shifts)
    doubt[matched <= by_shift.max(axis=0)] = 0.0
    rows, best = np.arange(groups), doubt.argmin(axis=1)
    limit = _loosest(sizes, matched, by_chance, best, closed)
    paid = np.log(LIMITS.size * max(groups, 1))
    return Chance(
        np.minimum(doubt[rows, best] + paid, 0.0), matched[rows, best], by_chance[rows, best],
        LIMITS[limit], by_chance[rows, limit],
    )  # fmt: skip


def sampled(group: Ints, most: int) -> Flags:
    """Pick subjects evenly, so that no group has more than so many of them."""
    sizes = np.bincount(group)
    # numpy counts small numbers instead of comparing them.
    order = np.argsort(group.astype(np.uint16) if sizes.size < _SMALL else group, kind="stable")
    number = np.arange(group.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    size = np.repeat(sizes, sizes)
    # Of more than `most`, those are picked at which the number of the sample goes up.
    picked = (size <= most) | (number * most // size != (number - 1) * most // size)
    chosen = np.zeros(group.size, dtype=bool)
    chosen[order[picked]] = True
    return chosen


def _loosest(sizes: Ints, matched: Ints, by_chance: Floats, best: Ints, closed: Flags | None) -> Ints:
    """Choose the last limit up to which what is matched beyond the best one is seldom a coincidence."""
    unmatched = sizes - matched[np.arange(sizes.size), best]
    size = np.maximum(sizes, 1)[:, None]
    further = by_chance * unmatched[:, None] / size
    few = further <= _FEW * matched
    if closed is not None:
        rate = np.minimum(by_chance / size, _USUAL)
        others = np.maximum(size - matched, 0) / (1 - rate) * rate
        few |= closed[:, None] & (rate < _USUAL) & (others <= _FEW * matched)
    allowed = few & (np.arange(LIMITS.size) >= best[:, None])
    last = LIMITS.size - 1 - allowed[:, ::-1].argmax(axis=1)
    return np.where(allowed.any(axis=1), last, best)


def _counts(group: Ints, slack: Ints, groups: int) -> Ints:
    """Count each group's matches up to every limit."""
    close = slack <= LIMITS[-1]
    bucket = np.searchsorted(LIMITS, slack[close])
    counts = np.bincount(group[close] * LIMITS.size + bucket, minlength=groups * LIMITS.size)
    return counts.reshape(groups, LIMITS.size).cumsum(axis=1)


def _doubt(matched: Ints, expected: Floats) -> Floats:
    """Bound (the logarithm of) the probability of so many matches where so many are expected, after Chernoff."""
    more = matched > expected
    ratio = np.where(more, matched, 1.0) / np.where(more, expected, 1.0)
    found: Floats = np.where(more, matched - expected - matched * np.log(ratio), 0.0)
    return found

"""The evidence against each suspect: time gained, errors that start there, calls made more often, answers lost.

Everything is compared step by step, a step of the abnormal side with the same one of the normal side, and only then
added up. So it does not matter if people asked for other things, or more of them: what is called more often because
its caller was has no part in it. The trace is the unit: spans of one trace count as one observation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from tracelab.numbering import renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.differences.causes.measuring import Cells, Measured, Steps
    from tracelab.differences.causes.stepwise import Stepwise


_ENOUGH: Final = 5
"""From fewer suspects nothing can be said of what is typical of them."""
_LEAST_DRIFT: Final = 0.05
_MOST_DRIFT: Final = 0.5
"""Between these it is estimated: a twentieth more than before is never a cause by itself."""
_MANY: Final = 1e9
_FEW_TRACES: Final = 10
_FEW: Final = 5.0
"""Where fewer are expected, a share is not normal by chance."""
_FEWEST: Final = 2
"""With fewer observations on a side nothing can be said of how much they spread."""


@dataclass(frozen=True)
class Estimate:
    """A figure for each suspect, per trace of the abnormal side, with its standard error and p-value.

    The p-value is that of no increase; nan where there was nothing to compare.
    """

    value: Floats
    error: Floats
    p_value: Floats

    def bounds(self, confidence: float) -> tuple[Floats, Floats]:
        """Give the interval of each figure."""
        reach = float(special.ndtri(0.5 + confidence / 2)) * self.error
        return self.value - reach, self.value + reach


@dataclass(frozen=True)
class Time:
    """Time gained by each suspect, in nanoseconds per trace of the abnormal side.

    Attributes
    ----------
    gained, error
        By means, with the standard error.
    usual, usual_error
        By means of the middle half, which no outlier moves.
    base, usual_base
        What the same spans would have taken on the normal side.
    by_ranks
        The statistic of ranks, normal by chance; nan where there was nothing to compare.
    known
        Whether the normal side has any.
    freedom
        Degrees of freedom of `error`; 0 where a single observation leaves the spread unknown.
    """

    gained: Floats
    error: Floats
    usual: Floats
    usual_error: Floats
    base: Floats
    usual_base: Floats
    by_ranks: Floats
    known: Flags
    freedom: Floats

    def bounds(self, confidence: float) -> tuple[Floats, Floats]:
        """Give the interval of what is gained; nan where the spread is unknown."""
        freedom = np.where(self.freedom > 0, self.freedom, np.nan)
        reach = special.stdtrit(freedom, 0.5 + confidence / 2) * self.error
        return self.gained - reach, self.gained + reach

    def drift(self) -> float:
        """Give how much times differ between the sides, as a ratio, where nothing happened.

        No two windows of time are quite alike: hosts are busier, caches warmer. What is typical of all suspects is no
        news of one of them (B. Efron, "Large-scale simultaneous hypothesis testing: the choice of a null hypothesis",
        JASA 99 (2004), 96-104). It is the spread that explains, beside chance, the median of all squared changes.
        """
        told = self.known & (self.usual_base > 0) & (self.usual_error > 0)
        if int(told.sum()) < _ENOUGH:
            return _LEAST_DRIFT
        change, error = (values[told] / self.usual_base[told] for values in (self.usual, self.usual_error))

        def excess(spread: float) -> float:
            return float(np.median(change**2 / (error**2 + spread**2)) - special.gammaincinv(0.5, 0.5) * 2)

        if excess(_LEAST_DRIFT) <= 0:
            return _LEAST_DRIFT
        return float(optimize.brentq(excess, _LEAST_DRIFT, _MOST_DRIFT)) if excess(_MOST_DRIFT) < 0 else _MOST_DRIFT

    def p_values(self, drift: float, new: Floats) -> Floats:
        """Give the p-value of no more time than before but for chance and drift; `new` is that of what is new."""
        error = np.hypot(self.error, drift * self.base)
        told = self.known & (error > 0) & (self.freedom > 0)
        # Drift is no estimate from these traces, so that what it adds has all degrees of freedom (Satterthwaite).
        part = np.where(told, self.error / np.where(error > 0, error, 1.0), 1.0)
        freedom = np.minimum(np.maximum(self.freedom, 1.0) / np.maximum(part, 1e-3) ** 4, _MANY)
        p = np.where(told, special.stdtr(freedom, -self.gained / np.where(error > 0, error, 1.0)), np.nan)
        ranked = self.known & ~np.isnan(self.by_ranks)
        z = self.by_ranks[ranked]
        # Where all traces of a side are alike, ranks still tell how sure a difference is.
        implied = np.where(z > 0, np.maximum(self.usual[ranked], 0.0) / np.where(z > 0, z, 1.0), 0.0)
        own = np.where(self.usual_error[ranked] > 0, self.usual_error[ranked], implied)
        wide = np.hypot(own, drift * self.usual_base[ranked])
        by_ranks = special.ndtr(-z * np.where(wide > 0, own / np.where(wide > 0, wide, 1.0), 1.0))
        p[ranked] = np.minimum(2 * np.fmin(p[ranked], by_ranks), 1.0)
        # What nobody did before is as sure as it is that it was not done before.
        p[~self.known] = new[~self.known]
        return p


@dataclass(frozen=True)
class Evidence:
    """All evidence, an item per suspect.

    Attributes
    ----------
    own, critical
        Self time gained, and time on the critical path, in nanoseconds per trace.
    origins
        Traces more in which an error starts there, as a share of all.
    calls
        Calls more per trace than the same callers made before, but for those that follow failed ones.
    called_time
        Time on the critical path that these take, in nanoseconds per trace.
    lost
        Calls per trace that got no answer any more.
    spans, traces
        How many spans and traces have it, on the abnormal side and on the normal one.
    error_traces
        In how many traces of the abnormal side an error starts there.
    new
        Whether the normal side has none.
    """

    own: Time
    critical: Time
    new_p: Floats
    origins: Estimate
    calls: Estimate
    called_time: Floats
    lost: Estimate
    spans: tuple[Ints, Ints]
    traces: tuple[Ints, Ints]
    error_traces: Ints
    new: Flags


def evidence_of(
    steps: Steps, known: Stepwise, cells: tuple[Cells, Cells], sides: tuple[Measured, Measured]
) -> Evidence:
    """Gather the evidence; the abnormal side comes first, and neither is empty."""
    return _Gathering(steps, known, cells, (sides[0].traces, sides[1].traces)).evidence()


class _Gathering:
    """Sums by step and side, and what follows from them."""

    def __init__(self, steps: Steps, known: Stepwise, cells: tuple[Cells, Cells], traces: tuple[int, int]) -> None:
        self.steps, self.known, self.cells, self.traces = steps, known, cells, traces
        self.suspect, self.many, self.having = steps.suspect, steps.suspects.height, known.having
        self.count = self._sums("count")

    def evidence(self) -> Evidence:
        own, critical = self._time("own"), self._time("critical")
        traces = [self._traces(each, None) for each in self.cells]
        spans = tuple(self._up(count).astype(np.int64) for count in self.count)
        calls, called = self._calls()
        return Evidence(
            own,
            critical,
            self._new(),
            self._origins(),
            calls,
            called,
            self._lost(),
            (spans[0], spans[1]),
            (traces[0], traces[1]),
            self._traces(self.cells[0], self.cells[0].origins > 0),
            spans[1] == 0,
        )

    def _time(self, name: str) -> Time:
        """Compare the time that a span takes, trace by trace; what is new has all its time for a gain."""
        values = self.known.values[name]
        (one, spread), (other, more) = (
            self._moments(each, value, having)
            for each, value, having in zip(self.cells, values, self.having, strict=True)
        )
        fallback, wide, known = self._of_suspect(self.cells[1], values[1])
        alone = self.having[1] == 0
        other, more = np.where(alone, fallback[self.suspect], other), np.where(alone, wide[self.suspect], more)
        (middle, loose), (usual, wobbly) = self.known.middle[name]
        # So few observations may be alike by chance: then the spread of the other side is theirs, if that is larger.
        n, m = (np.maximum(size, 1) for size in self.having)
        lent = np.where(n >= _FEWEST, spread * n, 0.0) / m, np.where(m >= _FEWEST, more * m, 0.0) / n
        more = np.where((m < _FEW_TRACES) & ~alone, np.maximum(more, lent[0]), more)
        spread = np.where((n < _FEW_TRACES) & ~alone, np.maximum(spread, lent[1]), spread)
        here, squared = self.count[0] / self.traces[0], (self.count[0] / self.traces[0]) ** 2
        free = self._freedom([squared * spread, squared * more])
        return Time(
            gained=self._up(here * (one - other)),
            error=np.sqrt(self._up(squared * (spread + more))),
            usual=self._up(np.where(alone, 0.0, here * (middle - usual))),
            usual_error=np.sqrt(self._up(np.where(alone, 0.0, squared * (loose + wobbly)))),
            base=self._up(here * other),
            usual_base=self._up(np.where(alone, 0.0, here * usual)),
            by_ranks=self._ranks(name),
            known=known,
            freedom=free,
        )

    def _freedom(self, variances: list[Floats]) -> Floats:
        """Give the degrees of freedom of sums of variances (F. E. Satterthwaite, Biometrics Bulletin 2 (1946))."""
        squares, unknown = np.zeros(self.many), np.zeros(self.many, dtype=bool)
        here = self.count[0] > 0
        for cells, having, variance in zip(self.cells, self.having, variances, strict=True):
            others = np.bincount(self.suspect[cells.step], minlength=self.many)[self.suspect]
            free = np.where(having >= _FEWEST, having, others) - 1.0
            unknown |= self._up((here & (free < 1)).astype(np.float64)) > 0
            squares += self._up(np.where(here, variance**2 / np.maximum(free, 1.0), 0.0))
        total = self._up(np.where(here, variances[0] + variances[1], 0.0))
        free = np.where(squares > 0, np.minimum(total**2 / np.where(squares > 0, squares, 1.0), _MANY), _MANY)
        return np.where(unknown, 0.0, free)

    def _new(self) -> Floats:
        """Give the p-values of something being on the abnormal side alone."""
        had = np.bincount(self.suspect, weights=self.having[0], minlength=self.many)
        had = np.minimum(had, self.traces[0]).astype(np.int64)
        return np.asarray(stats.hypergeom.sf(had - 1, sum(self.traces), had, self.traces[0]))

    def _ranks(self, name: str) -> Floats:
        """Give the statistic of ranks within steps (P. van Elteren, 1960); nan where no step is on both sides."""
        off, spread = (self._up(values) for values in self.known.ranks[name])
        z = np.full(self.many, np.nan)
        asked = spread > 0
        z[asked] = off[asked] / np.sqrt(spread[asked])
        return z

    def _origins(self) -> Estimate:
        """Compare the share of traces in which errors start at a step."""
        having = [self._by_step(each, (each.origins > 0).astype(np.float64)) for each in self.cells]
        return self._shares(having, list(self.having), anew=True)

    def _lost(self) -> Estimate:
        """Compare the share of calls that get no answer, of calls that usually get one."""
        counts = self.count
        lost = self._sums("unanswered")
        answered = self.steps.calls & (2 * lost[1] < counts[1])
        return self._shares([np.where(answered, each, 0) for each in lost], [np.where(answered, n, 0) for n in counts])

    def _elsewhere(self, having: list[Floats], of: list[Floats]) -> tuple[list[Floats], list[Floats]]:
        """Give what steps of the abnormal side alone have, by suspect, beside all that the suspect has on the other.

        What is all new is compared with the traces of the other side, none of which has it.
        """
        alone = (of[0] > 0) & (of[1] == 0)
        some = [self._up(np.where(alone, values[0], 0.0)) for values in (having, of)]
        other = [self._up(values[1]) for values in (having, of)]
        new = (some[1] > 0) & (other[1] == 0)
        sizes = [np.where(new, float(self.traces[0]), some[1]), np.where(new, float(self.traces[1]), other[1])]
        # Spans of one trace at several places are one observation.
        return [np.minimum(some[0], sizes[0]), other[0]], sizes

    def _shares(self, having: list[Floats], of: list[Ints], *, anew: bool = False) -> Estimate:
        """Give how many more have something than the same shares as on the normal side would give.

        The test is that of Mantel and Haenszel within steps, with a correction for continuity; standard errors are
        those of shares to which two of each kind are added, so that none is 0.
        """
        suspect = self.suspect
        a, b = having
        n, m = (sizes.astype(np.float64) for sizes in of)
        if anew:
            (more_a, more_b), (more_n, more_m) = self._elsewhere([a, b], [n, m])
            suspect = np.concatenate((suspect, np.arange(self.many)))
            a, b, n, m = (np.concatenate(pair) for pair in ((a, more_a), (b, more_b), (n, more_n), (m, more_m)))

        def up(values: Floats) -> Floats:
            return np.bincount(suspect, weights=values, minlength=self.many).astype(np.float64)

        both = (n > 0) & (m > 0)
        total, all_having = n + m, a + b
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = np.where(both, n * all_having / total, 0.0)
            variance = np.where(
                both & (total > 1), n * m * all_having * (total - all_having) / (total**2 * (total - 1)), 0.0
            )
            gained = np.where(both, a - n * b / m, 0.0)
        off, spread = up(np.where(both, a, 0.0) - expected), up(variance)
        shares = [(one + 1) / (size + 2) for one, size in ((a, n), (b, m))]
        errors = [share * (1 - share) / (size + 2) for share, size in zip(shares, (n, m), strict=True)]
        error = np.sqrt(up(np.where(both, n**2 * (errors[0] + errors[1]), 0.0)))
        p = np.full(self.many, np.nan)
        asked = spread > 0
        p[asked] = special.ndtr(-(off[asked] - 0.5) / np.sqrt(spread[asked]))
        mean = up(expected)
        rare = np.flatnonzero(asked & (mean < _FEW))
        p[rare] = np.maximum(p[rare], _of_few(np.rint(off[rare] + mean[rare]), mean[rare], spread[rare]))
        return Estimate(up(gained) / self.traces[0], error / self.traces[0], p)

    def _calls(self) -> tuple[Estimate, Floats]:
        """Compare how often callers call, each with how often it did before; less what follows failed attempts."""
        parent = self.steps.parent
        callers = [np.where(parent >= 0, count[parent], 0) for count in self.count]
        known = (callers[0] > 0) & (callers[1] > 0) & (self.count[1] > 0)
        ratio = np.where(known, callers[0] / np.maximum(callers[1], 1), 0.0)
        failed = self._sums("failed")
        with np.errstate(divide="ignore", invalid="ignore"):
            usual = np.where(known, self.count[0] * failed[1] / np.maximum(self.count[1], 1), 0.0)
        gained = np.where(known, self.count[0] - ratio * self.count[1] - np.maximum(failed[0] - usual, 0.0), 0.0)
        squares = [self._by_step(each, each.count.astype(np.float64) ** 2) for each in self.cells]
        error = np.sqrt(self._up(np.where(known, squares[0] + ratio**2 * squares[1], 0.0)))
        total = self._up(gained)
        p = np.full(self.many, np.nan)
        asked = error > 0
        p[asked] = special.ndtr(-total[asked] / error[asked])
        each_takes = self._sums("below")[1] / np.maximum(self.count[1], 1)
        time = self._up(gained * each_takes)
        return Estimate(total / self.traces[0], error / self.traces[0], p), np.maximum(time, 0.0) / self.traces[0]

    def _traces(self, cells: Cells, shown: Flags | None) -> Ints:
        """Count the traces that have each suspect, in the cells shown."""
        rows = slice(None) if shown is None else np.flatnonzero(shown)
        traces = int(cells.trace.max(initial=0)) + 1
        _, pairs = renumbered(self.suspect[cells.step[rows]] * traces + cells.trace[rows])
        return np.bincount(pairs // traces, minlength=self.many)

    def _moments(self, cells: Cells, value: Floats, having: Ints) -> tuple[Floats, Floats]:
        """Give the mean of each step, and the variance of that mean."""
        size = np.maximum(having, 1)
        mean = self._by_step(cells, value) / size
        squares = self._by_step(cells, (value - mean[cells.step]) ** 2)
        # A single observation tells nothing of the spread: that of the suspect's others stands in for it.
        single = having < _FEWEST
        return mean, np.where(
            single, self._of_suspect(cells, value)[1][self.suspect], squares / np.maximum(size - 1, 1) / size
        )

    def _of_suspect(self, cells: Cells, value: Floats) -> tuple[Floats, Floats, Flags]:
        """Give the mean over all steps of each suspect, the variance of one observation, and whether there is any."""
        suspect = self.suspect[cells.step]
        size = np.bincount(suspect, minlength=self.many)
        mean = np.bincount(suspect, weights=value, minlength=self.many) / np.maximum(size, 1)
        squares = np.bincount(suspect, weights=(value - mean[suspect]) ** 2, minlength=self.many)
        return mean, squares / np.maximum(size - 1, 1), size > 0

    def _sums(self, name: str) -> tuple[Floats, Floats]:
        one, other = (self._by_step(each, getattr(each, name).astype(np.float64)) for each in self.cells)
        return one, other

    def _by_step(self, cells: Cells, weights: Floats | None) -> npt.NDArray[np.float64]:
        return np.bincount(cells.step, weights=weights, minlength=self.suspect.size).astype(np.float64)

    def _up(self, values: npt.NDArray[np.float64]) -> Floats:
        """Add up what steps have by suspect."""
        return np.bincount(self.suspect, weights=values, minlength=self.many).astype(np.float64)


def _of_few(seen: Floats, mean: Floats, variance: Floats) -> Floats:
    """Give how likely so many or more are, of a sum of hypergeometric numbers whose mean is small.

    Such a sum is one of independent trials; a binomial number of the same mean and variance is close to it.
    """
    chance = np.clip(1 - variance / mean, 1e-9, 1 - 1e-9)
    left = np.maximum(mean / chance - seen + 1, 1e-3)
    return np.where(seen > 0, special.betainc(np.maximum(seen, 1.0), left, chance), 1.0)

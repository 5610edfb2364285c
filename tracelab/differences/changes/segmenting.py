"""All changes of all groups: stretch after stretch, as long as there are some that cannot be chance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.differences.changes.moments import lead_of_step, moment_of, most_likely
from tracelab.differences.changes.scanning import FEWEST, blocks_of, strongest
from tracelab.differences.significance import benjamini_hochberg

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.differences.changes.moments import Moment
    from tracelab.differences.changes.requests import Group
    from tracelab.differences.changes.scanning import Stretch


LATENCY, ERROR_RATE = 0, 1
_SEED: Final = 20_260_501
_ROUNDS: Final = 30


@dataclass(frozen=True)
class Series:
    """What is looked at: latency, or failures, of one group.

    Attributes
    ----------
    group
        Its place among the groups.
    measure
        `LATENCY` or `ERROR_RATE`.
    shares, borders, time
        By unit: the shares, whether a change may be before it, when it began.
    """

    group: int
    measure: int
    shares: Floats
    borders: Flags
    time: Ints


@dataclass(frozen=True)
class Change:
    """A change of one series.

    Attributes
    ----------
    series
        Its place among the series.
    begin, end
        The unit after the change before it, and that after the next one: what the change is between.
    moment
        Where it is.
    is_step
        Whether it is a step, or slow.
    p_value, q_value
        Of the test that found it.
    """

    series: int
    begin: int
    end: int
    moment: Moment
    is_step: bool
    p_value: float
    q_value: float


@dataclass(frozen=True)
class _Test:
    """A part of a series that was asked whether it has a change.

    Attributes
    ----------
    series, begin, end
        Which part of which series.
    above
        The place of the test that found where this part begins or ends; None for the whole series.
    parts
        Into how many parts that one was split.
    found
        What differs most in it.
    """

    series: int
    begin: int
    end: int
    above: int | None
    parts: int
    found: Stretch | None

    @property
    def p_value(self) -> float:
        return 1.0 if self.found is None else min(self.found.p_value * self.parts, 1.0)


def series_of(groups: list[Group]) -> list[Series]:
    """List what is asked of the groups; what is alike in all requests, such as that none failed, is not asked."""
    found = []
    for number, group in enumerate(groups):
        for measure, shares in ((LATENCY, group.above), (ERROR_RATE, group.failed[:, None])):
            if group.borders.any() and float(np.ptp(shares, axis=0).max()) > 0:
                found.append(Series(number, measure, shares, group.borders, group.time))
    return found


def changes_of(series: list[Series], *, q: float, confidence: float) -> list[Change]:
    """Find the changes of every series, in the order of series and time.

    Notes
    -----
    Each series is asked for the stretch that differs most; where that is no chance, what lies before, in and after it
    is asked in turn, each at a part of the rate. What was found has to be a change
    between its neighbours too. The rate of false discoveries is controlled as Y. Benjamini and Y. Hochberg have it
    (1995), over all that was asked; a part is asked only if the whole has a change (D. Yekutieli, "Hierarchical false
    discovery rate-controlling methodology", JASA 103 (2008), 309-316).
    """
    tests: list[_Test] = [_asked(series, number, 0, each.time.size) for number, each in enumerate(series)]
    split: set[int] = set()
    cuts: dict[int, dict[int, int]] = {number: {} for number in range(len(series))}
    for _ in range(_ROUNDS):
        adjusted = _adjusted(tests)
        new = [place for place in np.flatnonzero(adjusted <= q).tolist() if place not in split]
        if not new:
            break
        for place in new:
            split.add(place)
            test = tests[place]
            edges = _edges(series[test.series], test)
            for edge in edges:
                cuts[test.series].setdefault(edge, place)
            if edges:
                parts = [test.begin, *edges, test.end]
                for begin, end in pairwise(parts):
                    if end - begin >= 2 * FEWEST:
                        tests.append(_asked(series, test.series, begin, end, place, len(edges) + 1))
    adjusted = _adjusted(tests)
    found = []
    for number, each in enumerate(series):
        kept = {at: place for at, place in cuts[number].items() if adjusted[place] <= q}
        found += _between(each, number, kept, tests, adjusted, q, confidence)
    return found


def _asked(series: list[Series], number: int, begin: int, end: int, above: int | None = None, parts: int = 1) -> _Test:
    each = series[number]
    part = slice(begin, end)
    shares = each.shares[part]
    if end - begin < 2 * FEWEST or float(np.ptp(shares, axis=0).max()) <= 0:
        return _Test(number, begin, end, above, parts, None)
    # Seeds depend on what is asked, and not on what was asked before.
    found = strongest(blocks_of(shares, each.borders[part]), seed=_SEED + begin)
    if found is not None:
        found = replace(found, begin=found.begin + begin, end=found.end + begin)
    return _Test(number, begin, end, above, parts, found)


def _adjusted(tests: list[_Test]) -> Floats:
    """Give the rate of false discoveries at which each test says something: no lower than that of the test above it.

    Whole series are one family, and all parts another, so that parts do not take back what they are parts of.
    """
    adjusted = np.empty(len(tests))
    whole = np.array([test.above is None for test in tests], dtype=bool)
    p_values = np.array([test.p_value for test in tests])
    for family in (whole, ~whole):
        if family.any():
            adjusted[family] = benjamini_hochberg(p_values[family])
    for place, test in enumerate(tests):
        if test.above is not None:
            adjusted[place] = max(adjusted[place], adjusted[test.above])
    return adjusted


def _edges(series: Series, test: _Test) -> list[int]:
    """Find where exactly the stretch begins and ends, which may be one place or two."""
    stretch = test.found
    if stretch is None:
        return []
    found: list[int] = []
    begin, end = stretch.begin, stretch.end
    for _ in range(2):
        found = []
        if begin - test.begin >= FEWEST:
            before, inside = slice(test.begin, begin), slice(begin, end)
            at = most_likely(series.shares, series.borders, before, inside, FEWEST)
            found += [] if at is None else [at]
            begin = begin if at is None else at
        if test.end - end >= FEWEST:
            inside, after = slice(begin, end), slice(end, test.end)
            at = most_likely(series.shares, series.borders, inside, after, FEWEST)
            found += [] if at is None else [at]
            end = end if at is None else at
    return sorted(set(found))


def _between(
    series: Series, number: int, cuts: dict[int, int], tests: list[_Test], adjusted: Floats, q: float, confidence: float
) -> list[Change]:
    """Place every change anew between its neighbours, now that these are known."""
    places, reasons = sorted(cuts), [cuts[at] for at in sorted(cuts)]
    places = _placed(series, places)
    while places:
        edges = [0, *places, series.time.size]
        doubts = [_doubt(series, edges[at], edges[at + 2]) for at in range(len(places))]
        worst = int(np.argmax(doubts))
        if doubts[worst] <= q:
            break
        del places[worst], reasons[worst]
        places = _placed(series, places)
    edges = [0, *places, series.time.size]
    steps = _steps(series, edges)
    found = []
    for at, reason in enumerate(reasons):
        begin, middle, end = edges[at : at + 3]
        moment = moment_of(series.shares, series.borders, begin, middle, end, confidence=confidence, least=1)
        p_value, q_value = tests[reason].p_value, float(adjusted[reason])
        found.append(Change(number, begin, end, moment, middle in steps, p_value, q_value))
    return found


def _placed(series: Series, places: list[int]) -> list[int]:
    """Move changes to where they are most likely between their neighbours."""
    edges = [0, *places, series.time.size]
    for _ in range(2):
        for at in range(len(places)):
            before, after = slice(edges[at], edges[at + 1]), slice(edges[at + 1], edges[at + 2])
            least = min(FEWEST, before.stop - before.start, after.stop - after.start)
            moved = most_likely(series.shares, series.borders, before, after, least)
            if moved is not None:
                edges[at + 1] = moved
    return edges[1:-1]


def _doubt(series: Series, begin: int, end: int) -> float:
    """Give the p-value of a single change between two others: of a stretch one end may be no more than an end."""
    part = slice(begin, end)
    found = strongest(blocks_of(series.shares[part], series.borders[part]), seed=_SEED + begin, inside=False)
    return 0.0 if found is None else found.p_value


def _steps(series: Series, edges: list[int]) -> set[int]:
    """Tell which changes are steps: what is slow is taken away, the clearest first, until all others are."""
    kept = edges[1:-1]
    slow: list[int] = []
    while kept:
        bounds = [edges[0], *kept, edges[-1]]
        leads = [
            lead_of_step(series.shares, series.time, bounds[at], bounds[at + 1], bounds[at + 2], slow)
            for at in range(len(kept))
        ]
        worst = int(np.argmin(leads))
        if leads[worst] >= 0:
            break
        slow.append(kept.pop(worst))
    return set(kept)

"""Roots that belong below a request which their own process was working on: the context was lost between threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CONSUMER, INTERNAL, SERVER, UNSPECIFIED
from tracelab.auditing.measures.chance import compared, sampled, shifted, trials
from tracelab.auditing.measures.open_requests import Asked, OpenWork, processes, requests_of
from tracelab.auditing.measures.some_rows import has_links, own_traces
from tracelab.numbering import coded, renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.measures.chance import Chance

_SAMPLE: Final = 1_000
_SURE: Final = float(np.log(1e-3))
_VERY_SURE: Final = float(np.log(1e-6))
_MOST_CHANCE: Final = 0.5
_OFTEN: Final = 0.3
_NEARLY_ALL: Final = 0.85
_LEAST: Final = 2
_OTHER: Final = -1
_EVEN: Final = 0.1
_DOUBTFUL: Final = 0.02
_FEW: Final = 5
_SECOND: Final = 1_000_000_000
_AT_ONCE: Final = 50_000_000


@dataclass(frozen=True)
class LostRoots:
    """Roots that belong below a request of their process.

    Attributes
    ----------
    rows, above
        The roots, and the span with which the request began that each belongs below.
    sure
        Mark those that began while their process worked on nothing else, of groups that are nearly all lost.
    group
        Number of what the root is: a name of a service.
    service, name
        Of each group; the name is None for those that are too rare to be looked at one by one.
    expected
        How many of each group coincidence would give.
    jobs
        Whether they belong below jobs, which are roots themselves, and not below requests.
    """

    rows: Ints
    above: Ints
    sure: Flags
    group: Ints
    service: Ints
    name: pl.Series
    expected: Floats
    jobs: Flags


def lost_roots(evidence: Evidence) -> LostRoots | None:
    """Find the roots of traces that began while their process worked on something of another trace, and because of it.

    None if there are none, which is most often.
    """
    return evidence.kept("lost roots", lambda: _lost_roots(evidence))


def _lost_roots(evidence: Evidence) -> LostRoots | None:
    kind = evidence.kind
    roots = np.flatnonzero(evidence.true_root & (kind != SERVER) & (kind != CONSUMER))
    if roots.size < _LEAST:
        return None
    requests = requests_of(evidence, np.unique(evidence.service[roots]))
    roots = roots[~has_links(evidence, roots)]
    if not roots.size:
        return None
    group, service, name = _groups(evidence, roots)
    process = processes(evidence, np.concatenate((roots, requests)))
    subjects = _Subjects(roots, group, process[: roots.size])
    found = _among(evidence, subjects, OpenWork.of(
        evidence, requests, process[roots.size :], np.full(requests.size, _OTHER)
    ))  # fmt: skip
    # What is not lost by a request may be by a job, which is a root like itself.
    rest = ~np.isin(group, group[np.isin(roots, found.rows)])
    jobs = np.flatnonzero((kind[roots] == INTERNAL) | (kind[roots] == UNSPECIFIED))
    by_jobs = _among(
        evidence, subjects.at(rest), OpenWork.of(evidence, roots[jobs], subjects.process[jobs], group[jobs]), jobs=True
    )
    rows = np.concatenate((found.rows, by_jobs.rows))
    if not rows.size:
        return None
    number, kept = renumbered(np.concatenate((found.group, by_jobs.group)))
    expected = np.zeros(service.size)
    for one in (found, by_jobs):
        expected[one.group] = one.expected
    above, sure = np.concatenate((found.above, by_jobs.above)), np.concatenate((found.sure, by_jobs.sure))
    by_job = np.isin(kept, by_jobs.group)
    return LostRoots(rows, above, sure, number, service[kept], name.gather(kept), expected[kept], by_job)


@dataclass(frozen=True)
class _Subjects:
    """Roots, the number of what each one is, and that of its process."""

    rows: Ints
    group: Ints
    process: Ints

    def at(self, some: Flags) -> _Subjects:
        """Pick some."""
        return _Subjects(self.rows[some], self.group[some], self.process[some])


@dataclass(frozen=True)
class _Found:
    """Roots that are lost, what each belongs below, what it is, and how many of these coincidence would give."""

    rows: Ints
    above: Ints
    sure: Flags
    group: Ints
    expected: Floats


def _among(evidence: Evidence, subjects: _Subjects, work: OpenWork, *, jobs: bool = False) -> _Found:
    """Find the roots that began because of some work; jobs must hold them from their start to their end."""
    if not (work.rows.size and subjects.rows.size):
        none = np.empty(0, dtype=np.int64)
        return _Found(none, none, none.astype(bool), none, np.empty(0))
    number = renumbered(subjects.group)[0]
    picked = sampled(number, _SAMPLE)
    chance = _chance(work, _asked(evidence, subjects.at(picked), jobs=jobs), number[picked])
    sizes = np.bincount(number)
    looked_at = np.minimum(sizes, _SAMPLE)
    # Where something is always open, all but a few of them are matched by coincidence; what tells is that none is left.
    explained = (chance.matched - chance.expected) / np.maximum(looked_at - chance.expected, 1)
    crowded = (explained >= _NEARLY_ALL) & (chance.doubt < _VERY_SURE)
    believed = (
        (chance.doubt < _SURE)
        & ((chance.expected <= _MOST_CHANCE * chance.matched) | crowded)
        & (chance.matched >= (_NEARLY_ALL if jobs else _OFTEN) * looked_at)
    )
    if believed.any():
        believed &= ~_timed(evidence.start[subjects.rows], number, subjects.process, sizes)
    some = believed[number]
    subjects, number = subjects.at(some), number[some]
    asked = _asked(evidence, subjects, jobs=jobs)
    above, slack = work.latest(asked)
    lost = slack <= chance.limit[number]
    rate = chance.by_chance / looked_at
    doubtful = rate * (1 - np.bincount(number[lost], minlength=sizes.size) / sizes)
    sure = (work.count(asked) == 1) & (doubtful <= _DOUBTFUL)[number] & (not jobs)
    return _Found(subjects.rows[lost], above[lost], sure[lost], subjects.group[lost], (rate * sizes)[number[lost]])


def _asked(evidence: Evidence, subjects: _Subjects, *, jobs: bool) -> Asked:
    start = evidence.start[subjects.rows]
    until = evidence.end[subjects.rows] if jobs else start
    return Asked(subjects.process, start, until, own_traces(evidence)[subjects.rows], subjects.group)


def _chance(work: OpenWork, asked: Asked, number: Ints) -> Chance:
    """Compare what is asked about with coincidence: with the same at shifted times."""
    times = np.concatenate((asked.start, work.start))
    first, last = int(times.min()), int(times.max())
    shifts = trials(asked.start.size, work.end - work.start, last - first)
    moved = shifted(asked.start, shifts, first, last)
    process, trace, what = (np.tile(values, shifts.size) for values in (asked.process, asked.trace, asked.what))
    until = (moved + (asked.until - asked.start)).ravel()
    around = work.latest(Asked(process, moved.ravel(), until, trace, what))[1]
    return compared(number, work.latest(asked)[1], around.reshape(moved.shape))


def _groups(evidence: Evidence, roots: Ints) -> tuple[Ints, Ints, pl.Series]:
    """Group roots by service and name; names that are rare are one group for each service, which has none."""
    code, names = coded(evidence.frame["name"].gather(roots))
    of_names = names.len() + 1
    pair = evidence.service[roots] * of_names + code + 1
    number, distinct = renumbered(pair)
    rare = np.bincount(number)[number] < _FEW
    group, distinct = renumbered(np.where(rare, pair - (code + 1), pair))
    codes = pl.Series(distinct % of_names) - 1
    return group, distinct // of_names, names.gather(codes.set(codes < 0, None))


def _timed(start: Ints, group: Ints, process: Ints, sizes: Ints) -> Flags:
    """Mark groups that a timer seems to start: within the same part of a second, or always as long after each other."""
    angle = 2 * np.pi * (start % _SECOND) / _SECOND
    along, across = (np.bincount(group, weights=part(angle), minlength=sizes.size) for part in (np.cos, np.sin))
    # Starts that lie within a part of a second make a vector that is nearly as long as there are starts.
    on_the_second = np.hypot(along, across) > np.cos(np.pi * _AT_ONCE / _SECOND) * sizes
    order = np.lexsort((start, process, group))
    gap = np.diff(start[order])
    inside = (np.diff(group[order]) == 0) & (np.diff(process[order]) == 0)
    gaps = (
        pl.DataFrame({"group": group[order][1:][inside], "gap": gap[inside]})
        .group_by("group")
        .agg(middle=pl.col("gap").median(), spread=pl.col("gap").quantile(0.9) - pl.col("gap").quantile(0.1))
    )
    even = gaps.filter(pl.col("spread") <= _EVEN * pl.col("middle"))["group"].to_numpy()
    timed: Flags = (sizes >= _FEW) & (on_the_second | np.isin(np.arange(sizes.size), even))
    return timed

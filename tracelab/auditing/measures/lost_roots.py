"""Roots that belong below a request which their own process was working on: the context was lost between threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CONSUMER, SERVER, coded, renumbered
from tracelab.auditing.measures.chance import compared, sampled, shifted, trials
from tracelab.auditing.measures.open_requests import OpenRequests, processes, requests_of
from tracelab.auditing.measures.some_rows import has_links, own_traces

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence
    from tracelab.auditing.measures.chance import Chance, Floats
    from tracelab.forest import Flags, Ints

_SAMPLE: Final = 1_000
_SURE: Final = float(np.log(1e-3))
_MOST_CHANCE: Final = 0.5
_OFTEN: Final = 0.3
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
    group
        Number of what the root is: a name of a service.
    service, name
        Of each group; the name is None for those that are too rare to be looked at one by one.
    expected
        How many of each group coincidence would give.
    """

    rows: Ints
    above: Ints
    group: Ints
    service: Ints
    name: pl.Series
    expected: Floats


def lost_roots(evidence: Evidence) -> LostRoots | None:
    """Find the roots of traces that began while their process worked on a request of another trace, and because of it.

    None if there are none, which is most often.
    """
    kind = evidence.kind
    roots = np.flatnonzero(evidence.true_root & (kind != SERVER) & (kind != CONSUMER))
    if not roots.size:
        return None
    requests = requests_of(evidence, np.unique(evidence.service[roots]))
    if not requests.size:
        return None
    roots = roots[np.isin(evidence.service[roots], np.unique(evidence.service[requests]))]
    roots = roots[~has_links(evidence, roots)]
    if not roots.size:
        return None
    group, service, name = _groups(evidence, roots)
    process = processes(evidence, np.concatenate((roots, requests)))
    open_then = OpenRequests.of(evidence, requests, process[roots.size :])
    process = process[: roots.size]
    above, slack = open_then.latest(process, evidence.start[roots], own_traces(evidence)[roots])
    chance = _chance(evidence, open_then, roots, process, group, slack)
    sizes = np.bincount(group, minlength=service.size)
    looked_at = np.minimum(sizes, _SAMPLE)
    believed = (
        (chance.doubt < _SURE)
        & (chance.expected <= _MOST_CHANCE * chance.matched)
        & (chance.matched >= _OFTEN * looked_at)
        & ~_on_the_second(evidence.start[roots], group, sizes)
    )
    lost = believed[group] & (slack <= chance.limit[group])
    if not lost.any():
        return None
    number, kept = renumbered(group[lost])
    return LostRoots(
        roots[lost], above[lost], number, service[kept], name.gather(kept),
        (chance.by_chance * sizes / np.maximum(looked_at, 1))[kept],
    )  # fmt: skip


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


def _chance(
    evidence: Evidence, open_then: OpenRequests, roots: Ints, process: Ints, group: Ints, slack: Ints
) -> Chance:
    picked = sampled(group, _SAMPLE)
    start, trace, where = evidence.start[roots[picked]], own_traces(evidence)[roots[picked]], process[picked]
    times = np.concatenate((start, open_then.start))
    first, last = int(times.min()), int(times.max())
    shifts = trials(start.size, evidence.duration[open_then.rows], last - first)
    moved = shifted(start, shifts, first, last)
    around = open_then.latest(np.tile(where, shifts.size), moved.ravel(), np.tile(trace, shifts.size))[1]
    return compared(group[picked], slack[picked], around.reshape(moved.shape))


def _on_the_second(start: Ints, group: Ints, sizes: Ints) -> Flags:
    """Mark groups that a timer seems to start: nearly all of them within the same part of a second."""
    angle = 2 * np.pi * (start % _SECOND) / _SECOND
    along, across = (np.bincount(group, weights=part(angle), minlength=sizes.size) for part in (np.cos, np.sin))
    # Starts that lie within a part of a second make a vector that is nearly as long as there are starts.
    spread = np.cos(np.pi * _AT_ONCE / _SECOND)
    timed: Flags = (sizes >= _FEW) & (np.hypot(along, across) > spread * sizes)
    return timed

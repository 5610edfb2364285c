"""How far failures climb: from where they start, over whoever passed them on, to who dealt with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracelab.analysis.forest import durations, starts

if TYPE_CHECKING:
    import polars as pl

    from tracelab.analysis.forest import Flags, Forest, Ints


@dataclass(frozen=True, slots=True)
class Climbs:
    """Failures by the place where each starts.

    Attributes
    ----------
    origin
        Places of the deepest failing spans.
    top
        Place of the last span up the tree that each of them reached.
    """

    origin: Ints
    top: Ints


def climb(frame: pl.DataFrame, forest: Forest, failing: Flags, refusing: Flags) -> Climbs:
    """Follow every failure from its origin up.

    It climbs over spans that fail, over spans that refuse (whose code tells their caller of a failure though their
    status does not), and over silent spans between two of these.
    """
    passing = failing | _passed_on(frame, forest, failing, refusing)
    first = failing.copy()
    first[forest.parent[np.flatnonzero(passing & forest.has_parent)]] = False
    origin = np.flatnonzero(first)
    return Climbs(origin, _highest(forest, passing)[origin])


def _passed_on(frame: pl.DataFrame, forest: Forest, failing: Flags, refusing: Flags) -> Flags:
    """Mark the refusing spans that a failure below got to, and the silent spans that it went through on its way.

    Silent are internal spans without a status and without a code; one has passed a failure on if it got to a failing or
    refusing span further up, and nothing was started below the silent one after the failing child had ended.
    """
    refusing = refusing & ~failing
    silent = ((frame["status_code"] == "unset") & frame["kind"].is_in(["internal", "unspecified"])).to_numpy()
    silent &= ~failing & ~refusing
    start, end = starts(frame), starts(frame) + durations(frame)
    last_start = np.zeros(failing.size, dtype=np.int64)
    children = forest.siblings()
    last_start[forest.parent[children]] = start[children]  # children stand in order of start, so the last one stays
    marked = np.zeros(failing.size, dtype=bool)
    sender = at = np.flatnonzero(failing & forest.has_parent)
    seen, arrived = [], []
    while at.size:
        above = forest.parent[at]
        # A refusing span ends the way of a failure, and sends it on as its own.
        told = refusing[above]
        arrived.append(sender[told])
        senders = np.unique(above[told])
        senders = senders[~marked[senders]]
        marked[senders] = True
        senders = senders[forest.has_parent[senders]]
        going = silent[above] & forest.has_parent[above] & (last_start[above] < end[at])
        sender, at = sender[going], above[going]
        seen.append((sender, at))
        there = failing[forest.parent[at]]
        arrived.append(sender[there])
        sender, at = np.concatenate((sender[~there], senders)), np.concatenate((at[~there], senders))
    got_through = np.concatenate(arrived) if arrived else sender
    for senders, places in seen:
        marked[places[np.isin(senders, got_through)]] = True
    return marked


def _highest(forest: Forest, failing: Flags) -> Ints:
    """Follow every failing span up as long as the parent fails too, twice as far in every round; others stay."""
    places = np.flatnonzero(failing)
    above = forest.parent[places]
    going = (above >= 0) & failing[above]
    number = np.zeros(failing.size, dtype=np.int64)
    number[places] = np.arange(places.size)
    jump = np.where(going, number[above], np.arange(places.size))
    while True:
        further = jump[jump]
        if np.array_equal(further, jump):
            break
        jump = further
    highest = np.arange(failing.size)
    highest[places] = places[jump]
    return highest

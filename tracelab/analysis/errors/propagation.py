"""How failures propagate: from where they start, over whoever passed them on, to who dealt with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.arrays import durations, starts
from tracelab.analysis.asynchronous import consumers, left_running

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.forest import Forest

_ODD: Final = 0x9E3779B97F4A7C15
_NEVER: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Propagation:
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


def propagated(
    frame: pl.DataFrame, forest: Forest, failing: Flags, refusing: Flags, *, refusals_start: bool = False
) -> Propagation:
    """Follow every failure from its origin up.

    It propagates over spans that fail, over spans that refuse (whose code tells their caller of a failure though their
    status does not), and over silent spans between two of these.

    Parameters
    ----------
    frame, forest
        The spans in their places, with their status and the columns that tell processes apart.
    failing, refusing
        The spans that fail, and those that only refuse.
    refusals_start
        Whether a refusal that comes from nowhere below is an origin too.
    """
    refusing = refusing & ~failing
    silent = ((frame["status_code"] == "unset") & frame["kind"].is_in(["internal", "unspecified"])).to_numpy()
    silent &= ~failing & ~refusing
    passes = _handed_up(frame, forest, failing, refusing, silent)
    source = failing | refusing if refusals_start else failing
    passing = source | _passed_on(forest, source, refusing, silent, passes)
    linked = passes & passing & passing[forest.parent]
    first = source.copy()
    first[forest.parent[np.flatnonzero(linked)]] = False
    origin = np.flatnonzero(first)
    return Propagation(origin, _highest(forest, linked)[origin])


def _handed_up(frame: pl.DataFrame, forest: Forest, failing: Flags, refusing: Flags, silent: Flags) -> Flags:
    """Mark the spans whose parents would pass on what failed in them.

    A failure stays where a later attempt at the same thing went well, and where nobody waited for the span. Parents
    that say nothing of it, or only by their answer, have passed it on if they started nothing after the last attempt
    had ended.
    """
    start = starts(frame)
    end = start + durations(frame)
    last_start = np.full(failing.size, _NEVER)
    children = forest.siblings()
    last_start[forest.parent[children]] = start[children]  # children stand in order of start, so the last one stays
    troubled = _troubled(forest, failing | refusing, silent, last_start, end)
    handed = np.zeros(failing.size, dtype=bool)
    places = np.flatnonzero(troubled & forest.has_parent)
    above = forest.parent[places]
    passable = failing[above] | refusing[above] | silent[above]
    places, above = places[passable], above[passable]
    if not places.size:
        return handed
    gave_up, went_well = _attempts(frame, forest, troubled, places, start, end)
    last = (last_start[above] < gave_up) | (last_start[above] == start[places])
    unheard = left_running(frame, forest, start, end) | consumers(frame, forest)
    handed[places] = (went_well < end[places]) & (failing[above] | last) & ~unheard[places]
    return handed


def _troubled(forest: Forest, failing: Flags, silent: Flags, last_start: Ints, end: Ints) -> Flags:
    """Mark what fails or refuses, and the silent spans above whose last child did."""
    troubled = failing.copy()
    at = np.flatnonzero(failing & forest.has_parent)
    while at.size:
        above = forest.parent[at]
        above = np.unique(above[silent[above] & (last_start[above] < end[at])])
        above = above[~troubled[above]]
        troubled[above] = True
        at = above[forest.has_parent[above]]
    return troubled


def _attempts(
    frame: pl.DataFrame, forest: Forest, troubled: Flags, places: Ints, start: Ints, end: Ints
) -> tuple[Ints, Ints]:
    """Find the last attempts at the same thing: when one that failed had ended, and when one that went well started.

    Attempts are siblings of one service, name and kind, and told apart from others by a 64-bit number made of these.
    """
    concerned = np.zeros(troubled.size, dtype=bool)
    concerned[forest.parent[places]] = True
    family = np.flatnonzero(forest.has_parent & concerned[forest.parent])
    asked = np.zeros(troubled.size, dtype=bool)
    asked[places] = True
    thing = frame.select("service_name", "name", "kind")[family].select(pl.struct(pl.all()).hash()).to_series()
    key = thing.to_numpy() ^ (forest.parent[family].astype(np.uint64) * np.uint64(_ODD))
    bad = troubled[family]
    gave_up, went_well = np.where(bad, end[family], _NEVER), np.where(bad, _NEVER, start[family])
    attempts = (
        pl.LazyFrame({"key": key, "gave_up": gave_up, "went_well": went_well, "asked": asked[family]})
        .with_columns(pl.col("gave_up", "went_well").max().over("key"))
        .filter("asked")
        .collect()
    )
    return attempts["gave_up"].to_numpy(), attempts["went_well"].to_numpy()


def _passed_on(forest: Forest, source: Flags, refusing: Flags, silent: Flags, passes: Flags) -> Flags:
    """Mark the refusing spans that a failure below got to, and the silent spans that it went through on its way.

    Silent are internal spans without a status and without a code; one has passed a failure on if it got to a failing or
    refusing span further up.
    """
    marked = np.zeros(source.size, dtype=bool)
    sender = at = np.flatnonzero(source & passes)
    seen, arrived = [], []
    while at.size:
        above = forest.parent[at]
        # A refusing span ends the way of a failure, and sends it on as its own.
        told = refusing[above]
        senders = np.unique(above[told & ~source[above]])
        senders = senders[~marked[senders]]
        marked[senders] = True
        senders = senders[passes[senders]]
        arrived.append(sender[told | source[above]])
        going = silent[above] & passes[above]
        sender, at = sender[going], above[going]
        seen.append((sender, at))
        sender, at = np.concatenate((sender, senders)), np.concatenate((at, senders))
    got_through = np.concatenate(arrived) if arrived else sender
    for senders, places in seen:
        marked[places[np.isin(senders, got_through)]] = True
    return marked


def _highest(forest: Forest, linked: Flags) -> Ints:
    """Follow every span up as long as it is linked to its parent, twice as far in every round; others stay."""
    highest = np.arange(linked.size)
    places = np.flatnonzero(linked)
    highest[places] = forest.parent[places]
    while places.size:
        further = highest[highest[places]]
        places, further = places[further != highest[places]], further[further != highest[places]]
        highest[places] = further
    return highest

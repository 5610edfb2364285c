"""Whose spans are missing above an orphan: told by where such spans hang in traces that are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT, CONSUMER, PRODUCER, SERVER, renumbered
from tracelab.auditing.measures.enclosing import NOT_ASKED, enclosing
from tracelab.auditing.measures.requests import requests_of

if TYPE_CHECKING:
    from tracelab.auditing.evidence import Evidence
    from tracelab.forest import Flags, Ints

UNKNOWN: Final = -1
HAS_REMOTE: Final = 0x100
IS_REMOTE: Final = 0x200
_MANY_NAMES: Final = 0.05
_TOP: Final = -1


def hidden_callers(evidence: Evidence, orphans: Ints) -> Ints:
    """Tell the service of the missing parent of each orphan.

    Spans of the same name, kind and library of that service, in traces of the same kind that are whole, tell it best.
    Where there are none, a parent in the same process, as the flags say or else the kind, is of the orphan's own
    service; else the spans tell it inside of which such orphans ran in most traces, or spans like them in other traces.

    Parameters
    ----------
    evidence
        The spans.
    orphans
        Places of the orphans.

    Returns
    -------
    The number of the service of the missing parent of each orphan, -1 where nothing tells.
    """
    likes = _likes(evidence)
    sought = np.zeros(int(likes.max(initial=0)) + 1, dtype=bool)
    sought[likes[orphans]] = True
    whole = np.flatnonzero((evidence.parent >= 0) & sought[likes])
    context = _contexts(evidence)
    # Above a child of the root's own service nothing is left of a trace when that service is missing.
    topmost = _root_services(evidence)[requests_of(evidence)[whole]] == evidence.parent_service[whole]
    whole_context = np.where(topmost, _TOP, context[whole])
    size = int(context.max(initial=0)) + 2

    def keys(rows: Ints, contexts: Ints) -> Ints:
        return likes[rows] * size + contexts + 1

    asked = keys(orphans, context[orphans])
    told = _most_frequent(keys(whole, whole_context), evidence.parent_service[whole], asked)
    if not (told == UNKNOWN).any():
        return told
    told = np.where((told == UNKNOWN) & is_local(evidence, orphans), evidence.service[orphans], told)
    if not (told == UNKNOWN).any():
        return told
    around, is_call = _by_time(evidence, orphans, asked, told)
    usual = _usual_callers(evidence, orphans)
    # A call around it was answered by somebody in between: by whom such spans hang below, if that is missing as well.
    between = (is_call | (around == UNKNOWN)) & _mostly_absent(evidence, orphans, asked, usual)
    told = np.where(told == UNKNOWN, np.where(between, usual, around), told)
    return np.where(told == UNKNOWN, usual, told)


def is_local(evidence: Evidence, rows: Ints) -> Flags:
    """Mark the spans whose parent is in the same process: as their flags say, else by their kind."""
    flags = evidence.frame["flags"].gather(rows).fill_null(0).to_numpy().astype(np.int64)
    enters = np.isin(evidence.kind[rows], (SERVER, CONSUMER))
    found: Flags = np.where(flags & HAS_REMOTE, (flags & IS_REMOTE) == 0, ~enters)
    return found


def _likes(evidence: Evidence) -> Ints:
    """Give one number to spans of one service, kind, library and name; without the name where names are unbounded."""
    number = _coarse_likes(evidence)
    if evidence.names.len() <= max(_MANY_NAMES * evidence.count, 100):
        number = renumbered(number * (evidence.names.len() + 1) + evidence.name + 1)[0]
    return number


def _coarse_likes(evidence: Evidence) -> Ints:
    """Give one number to spans of one service, kind and library."""
    return renumbered((evidence.service * 8 + evidence.kind) * evidence.libraries.height + evidence.library)[0]


def _roots(evidence: Evidence) -> Ints:
    """Give the place of the first root of every request, -1 where it has none."""
    roots = np.flatnonzero(evidence.true_root)[::-1]
    request = requests_of(evidence)
    first = np.full(int(request.max(initial=-1)) + 1, -1, dtype=np.int64)
    first[request[roots]] = roots
    return first


def _contexts(evidence: Evidence) -> Ints:
    """Give numbers to kinds of traces, by service and name of the root; -1 where the root is missing."""
    roots = _roots(evidence)
    number = evidence.service[roots] * (evidence.names.len() + 1) + evidence.name[roots] + 1
    number = np.where(roots >= 0, number + 1, 0)
    return renumbered(number)[0][requests_of(evidence)] - (1 if (roots < 0).any() else 0)


def _root_services(evidence: Evidence) -> Ints:
    roots = _roots(evidence)
    return np.where(roots >= 0, evidence.service[roots], UNKNOWN)


def _most_frequent(keys: Ints, services: Ints, asked: Ints) -> Ints:
    """Give the most frequent service of each key that is asked about, -1 where there is none."""
    if not keys.size:
        return np.full(asked.size, UNKNOWN, dtype=np.int64)
    counts = (
        pl.DataFrame({"key": keys, "service": services})
        .group_by("key", "service")
        .len()
        .sort("len", "service", descending=[True, False])
        .unique("key", keep="first", maintain_order=True)
        .sort("key")
    )
    known, service = counts["key"].to_numpy(), counts["service"].to_numpy()
    place = np.minimum(np.searchsorted(known, asked), known.size - 1)
    return np.where(known[place] == asked, service[place], UNKNOWN)


def _usual_callers(evidence: Evidence, orphans: Ints) -> Ints:
    """Tell the service that such spans hang below in any trace; their names are left out where no other has them."""
    told = np.full(orphans.size, UNKNOWN, dtype=np.int64)
    for likes in (_likes(evidence), _coarse_likes(evidence)):
        sought = np.zeros(int(likes.max(initial=0)) + 1, dtype=bool)
        sought[likes[orphans[told == UNKNOWN]]] = True
        whole = np.flatnonzero((evidence.parent >= 0) & sought[likes])
        more = _most_frequent(likes[whole], evidence.parent_service[whole], likes[orphans])
        told = np.where(told == UNKNOWN, more, told)
    return told


def _mostly_absent(evidence: Evidence, orphans: Ints, asked: Ints, usual: Ints) -> Flags:
    """Mark the orphans of those kinds whose usual caller has no span in most of their requests."""
    request, services = requests_of(evidence), evidence.services.len()
    sought = np.zeros(services, dtype=bool)
    sought[usual[usual >= 0]] = True
    spans = np.flatnonzero(sought[evidence.service])
    there = np.unique(request[spans] * services + evidence.service[spans])
    absent = (usual >= 0) & ~np.isin(request[orphans] * services + usual, there)
    number = renumbered(asked)[0]
    mostly: Flags = (np.bincount(number, absent) > np.bincount(number) / 2)[number]
    return mostly


def _by_time(evidence: Evidence, orphans: Ints, asked: Ints, told: Ints) -> tuple[Ints, Flags]:
    """Tell the service inside of whose spans most orphans of a kind ran, and whether these are calls."""
    untold = np.flatnonzero(told == UNKNOWN)
    inside = enclosing(evidence, orphans[untold])
    service = np.where(inside >= 0, evidence.service[inside], UNKNOWN)
    # A server does not call itself: what encloses a call that comes in is rather another request that is served.
    service[service == evidence.service[orphans[untold]]] = UNKNOWN
    is_call = (service != UNKNOWN) & np.isin(evidence.kind[inside], (CLIENT, PRODUCER))
    heard = inside > NOT_ASKED
    most = _most_frequent(asked[untold][heard], (2 * service + is_call)[heard], asked[untold])
    result, calls = np.full(orphans.size, UNKNOWN, dtype=np.int64), np.zeros(orphans.size, dtype=bool)
    result[untold] = np.where(most >= 0, most // 2, UNKNOWN)
    calls[untold] = (most >= 0) & (most % 2 == 1)
    return result, calls

"""Whose spans are missing above an orphan: told by where such spans hang in traces that are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CONSUMER, SERVER, renumbered
from tracelab.auditing.measures.enclosing import NOT_ASKED, enclosing

if TYPE_CHECKING:
    from collections.abc import Callable

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
    topmost = _root_services(evidence)[evidence.trace[whole]] == evidence.parent_service[whole]
    whole_context = np.where(topmost, _TOP, context[whole])
    size = int(context.max(initial=0)) + 2

    def keys(rows: Ints, contexts: Ints) -> Ints:
        return likes[rows] * size + contexts + 1

    asked = keys(orphans, context[orphans])
    told = _most_frequent(keys(whole, whole_context), evidence.parent_service[whole], asked)
    told = np.where((told == UNKNOWN) & is_local(evidence, orphans), evidence.service[orphans], told)
    told = _where_untold(told, lambda: _by_time(evidence, orphans, asked, told))
    return _where_untold(told, lambda: _most_frequent(likes[whole], evidence.parent_service[whole], likes[orphans]))


def is_local(evidence: Evidence, rows: Ints) -> Flags:
    """Mark the spans whose parent is in the same process: as their flags say, else by their kind."""
    flags = evidence.frame["flags"].gather(rows).fill_null(0).to_numpy().astype(np.int64)
    enters = np.isin(evidence.kind[rows], (SERVER, CONSUMER))
    found: Flags = np.where(flags & HAS_REMOTE, (flags & IS_REMOTE) == 0, ~enters)
    return found


def _likes(evidence: Evidence) -> Ints:
    """Give one number to spans of one service, kind, library and name; without the name where names are unbounded."""
    libraries = evidence.libraries.height
    number = (evidence.service * 8 + evidence.kind) * libraries + evidence.library
    if evidence.names.len() <= max(_MANY_NAMES * evidence.count, 100):
        number, distinct = renumbered(number)
        if distinct.size * evidence.names.len() < 1 << 62:
            number = number * (evidence.names.len() + 1) + evidence.name + 1
    return renumbered(number)[0]


def _roots(evidence: Evidence) -> Ints:
    """Give the place of the first root of every trace, -1 where it has none."""
    roots = np.flatnonzero(evidence.true_root)[::-1]
    first = np.full(int(evidence.trace.max(initial=-1)) + 1, -1, dtype=np.int64)
    first[evidence.trace[roots]] = roots
    return first


def _contexts(evidence: Evidence) -> Ints:
    """Give numbers to kinds of traces, by service and name of the root; -1 where the root is missing."""
    roots = _roots(evidence)
    number = evidence.service[roots] * (evidence.names.len() + 1) + evidence.name[roots] + 1
    number = np.where(roots >= 0, number + 1, 0)
    return renumbered(number)[0][evidence.trace] - (1 if (roots < 0).any() else 0)


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


def _where_untold(told: Ints, more: Callable[[], Ints]) -> Ints:
    return np.where(told == UNKNOWN, more(), told) if (told == UNKNOWN).any() else told


def _by_time(evidence: Evidence, orphans: Ints, asked: Ints, told: Ints) -> Ints:
    """Tell the service inside of whose spans most orphans of a kind ran."""
    untold = np.flatnonzero(told == UNKNOWN)
    inside = enclosing(evidence, orphans[untold])
    service = np.where(inside >= 0, evidence.service[inside], UNKNOWN)
    # A server does not call itself: what encloses a call that comes in is rather another request that is served.
    service[service == evidence.service[orphans[untold]]] = UNKNOWN
    heard = inside > NOT_ASKED
    result = np.full(orphans.size, UNKNOWN, dtype=np.int64)
    result[untold] = _most_frequent(asked[untold][heard], service[heard], asked[untold])
    return result

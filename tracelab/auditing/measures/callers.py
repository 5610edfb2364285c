"""Whose spans are missing above an orphan: told by where such spans hang in traces that are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tracelab.auditing.evidence import CLIENT, CONSUMER, PRODUCER, SERVER
from tracelab.auditing.measures.enclosing import NOT_ASKED, enclosing
from tracelab.auditing.measures.requests import requests_of
from tracelab.numbering import renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.auditing.evidence import Evidence

UNKNOWN: Final = -1
HAS_REMOTE: Final = 0x100
IS_REMOTE: Final = 0x200
_MANY_NAMES: Final = 0.05
_FEW_NAMES: Final = 20
_TOP: Final = -1
_DENSE: Final = 1 << 24
_TOLD: Final = 3
_SELDOM: Final = 0.25
"""How often a caller should be there before it says something that it is not, and what is seldom then."""


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
    told = _told_by_likes(evidence, likes, whole, keys(whole, whole_context), orphans, asked)
    if not (told == UNKNOWN).any():
        return told
    told = np.where((told == UNKNOWN) & is_local(evidence, orphans), evidence.service[orphans], told)
    if not (told == UNKNOWN).any():
        return told
    untold = np.flatnonzero(told == UNKNOWN)
    told[untold] = _told_by_time(evidence, likes, orphans[untold], asked[untold])
    return told


def _told_by_time(evidence: Evidence, likes: Ints, orphans: Ints, asked: Ints) -> Ints:
    """Tell the service inside of which orphans ran, or that such spans hang below in other traces."""
    around, is_call = _by_time(evidence, orphans, asked)
    usual = _usual_callers(evidence, likes, orphans)
    # A call around it was answered by somebody in between: by whom such spans hang below, if that is missing as well.
    absent = _mostly_absent(evidence, orphans, asked, usual)
    between = (is_call | (around == UNKNOWN)) & absent
    by_time = np.where(between | (around == UNKNOWN), usual, around)
    # What ran inside of a call is not below it, or it would be its child: somebody is in between.
    by_time[is_call & (usual == UNKNOWN)] = UNKNOWN
    # Either may have called where other work was going on, of which the caller may be one of many.
    by_time[~between & absent & (around != UNKNOWN) & (around != usual)] = UNKNOWN
    return by_time


def is_local(evidence: Evidence, rows: Ints) -> Flags:
    """Mark the spans whose parent is in the same process: as their flags say, else by their kind."""
    flags = evidence.frame["flags"].gather(rows).fill_null(0).to_numpy().astype(np.int64)
    enters = evidence.of_kinds(rows, SERVER, CONSUMER)
    found: Flags = np.where(flags & HAS_REMOTE, (flags & IS_REMOTE) == 0, ~enters)
    return found


def _likes(evidence: Evidence) -> Ints:
    """Give one number to spans of one service, kind, library and name; without the name where names are unbounded."""
    coarse = _coarse_likes(evidence)
    number, distinct = renumbered(coarse * (evidence.names.len() + 1) + evidence.name + 1)
    names = np.bincount(distinct // (evidence.names.len() + 1))
    unbounded = names > np.maximum(_MANY_NAMES * np.bincount(coarse), _FEW_NAMES)
    return np.where(unbounded[coarse], distinct.size + coarse, number) if unbounded.any() else number


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


def _told_by_likes(evidence: Evidence, likes: Ints, whole: Ints, keys: Ints, orphans: Ints, asked: Ints) -> Ints:
    """Tell the service that most whole spans of an orphan's kind hang below, or the second where that is missing.

    Where the first has spans in the request of an orphan and the second, which is there else, never has, the orphans
    hang below the second.
    """
    first, second = _two_most_frequent(keys, evidence.parent_service[whole], asked)
    unsure = np.flatnonzero(second != UNKNOWN)
    if not unsure.size:
        return first
    number, distinct = renumbered(asked[unsure])
    seconds = np.full(distinct.size, UNKNOWN, dtype=np.int64)
    seconds[number] = second[unsure]
    place = np.minimum(np.searchsorted(distinct, keys), distinct.size - 1)
    others = (distinct[place] == keys) & (evidence.parent_service[whole] != seconds[place])
    place, others = place[others], whole[others]
    # In every kind of trace together: what calls whom is the same, and one alone may be too seldom to tell.
    group, groups = renumbered(likes[orphans[unsure]] * evidence.services.len() + second[unsure])
    group_of = np.zeros(distinct.size, dtype=np.int64)
    group_of[number] = group
    size = groups.size
    usual = np.bincount(group_of[place], are_there(evidence, others, seconds[place]), size)
    share = usual / np.maximum(np.bincount(group_of[place], minlength=size), 1)
    has_first = are_there(evidence, orphans[unsure], first[unsure])
    has_second = are_there(evidence, orphans[unsure], second[unsure])
    expected = np.bincount(group[has_first], minlength=size) * share
    both = np.bincount(group[has_first & has_second], minlength=size)
    missing = (expected >= _TOLD) & (both <= _SELDOM * expected)
    first[unsure] = np.where(missing[group] & has_first & ~has_second, second[unsure], first[unsure])
    return first


def are_there(evidence: Evidence, rows: Ints, services: Ints) -> Flags:
    """Mark the rows in whose request a service has a span."""
    request, size = requests_of(evidence), evidence.services.len()
    there = request * size + evidence.service
    asked = request[rows] * size + services
    found: Flags
    if int(there.max()) >= _DENSE:
        found = np.isin(asked, there)
        return found
    table = np.zeros(int(there.max()) + size, dtype=bool)
    table[there] = True
    found = table[asked]
    return found


def _two_most_frequent(keys: Ints, services: Ints, asked: Ints) -> tuple[Ints, Ints]:
    """Give the two most frequent services of each key that is asked about, -1 where there is none."""
    nobody = np.full(asked.size, UNKNOWN, dtype=np.int64)
    if not keys.size:
        return nobody, nobody.copy()
    lowest = int(services.min())
    size = int(services.max()) - lowest + 1
    pair, pairs = renumbered(keys * size + services - lowest)
    key, service, counts = pairs // size, pairs % size + lowest, np.bincount(pair)
    order = np.lexsort((service, -counts, key))
    key, service = key[order], service[order]
    begins = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    known = key[begins]
    has_second = np.diff(np.append(begins, key.size)) > 1
    seconds = np.where(has_second, service[np.minimum(begins + 1, key.size - 1)], UNKNOWN)
    place = np.minimum(np.searchsorted(known, asked), known.size - 1)
    hit = known[place] == asked
    return np.where(hit, service[begins][place], UNKNOWN), np.where(hit, seconds[place], UNKNOWN)


def _most_frequent(keys: Ints, services: Ints, asked: Ints) -> Ints:
    """Give the most frequent service of each key that is asked about, -1 where there is none."""
    return _two_most_frequent(keys, services, asked)[0]


def _usual_callers(evidence: Evidence, likes: Ints, orphans: Ints) -> Ints:
    """Tell the service that such spans hang below in any trace; their names are left out where no other has them."""
    told = np.full(orphans.size, UNKNOWN, dtype=np.int64)
    for number in (likes, _coarse_likes(evidence)):
        untold = np.flatnonzero(told == UNKNOWN)
        if untold.size:
            sought = np.zeros(int(number.max(initial=0)) + 1, dtype=bool)
            sought[number[orphans[untold]]] = True
            whole = np.flatnonzero((evidence.parent >= 0) & sought[number])
            told[untold] = _most_frequent(number[whole], evidence.parent_service[whole], number[orphans[untold]])
    return told


def _mostly_absent(evidence: Evidence, orphans: Ints, asked: Ints, usual: Ints) -> Flags:
    """Mark the orphans of those kinds whose usual caller has no span in most of their requests."""
    absent = (usual >= 0) & ~are_there(evidence, orphans, usual)
    number = renumbered(asked)[0]
    mostly: Flags = (np.bincount(number, absent) > np.bincount(number) / 2)[number]
    return mostly


def _by_time(evidence: Evidence, orphans: Ints, asked: Ints) -> tuple[Ints, Flags]:
    """Tell the service inside of whose spans most orphans of a kind ran, and whether these are calls."""
    inside = enclosing(evidence, orphans)
    service = np.where(inside >= 0, evidence.service[inside], UNKNOWN)
    # A server does not call itself: what encloses a call that comes in is rather another request that is served.
    service[service == evidence.service[orphans]] = UNKNOWN
    is_call = (service != UNKNOWN) & evidence.of_kinds(inside, CLIENT, PRODUCER)
    heard = inside > NOT_ASKED
    most = _most_frequent(asked[heard], (2 * service + is_call)[heard], asked)
    return np.where(most >= 0, most // 2, UNKNOWN), (most >= 0) & (most % 2 == 1)

"""Calls whose callee went on in another trace: client spans that nothing answers, and roots that fit into them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.auditing.evidence import CLIENT, CONSUMER, DATABASE_KEYS, LANGUAGE, PRODUCER, SERVER
from tracelab.auditing.measures.chance import NO_MATCH, compared, shifted, trials
from tracelab.auditing.measures.offsets import clocks_of
from tracelab.auditing.measures.pairing import ANY, TOLERANCE, Roots, Times, matched, nearest
from tracelab.auditing.measures.peers import LOOPBACK, NUMERIC, addresses, are_public, meant
from tracelab.auditing.measures.some_rows import has_links, own_traces, texts_at
from tracelab.numbering import coded, renumbered

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.auditing.evidence import Evidence

DESTINATION: Final = (
    "span.messaging.destination.name",
    "span.messaging.destination",
    "span.messaging.destination.template",
    "span.messaging.source.name",
)
_METHOD: Final = ("span.http.request.method", "span.http.method")
_STATUS: Final = ("span.http.response.status_code", "span.http.status_code")
_PATH: Final = ("span.url.path", "span.http.target", "span.url.full", "span.http.url")
_RPC_METHOD: Final = ("span.rpc.method",)
_RPC_SERVICE: Final = ("span.rpc.service",)
_MESSAGE: Final = ("span.messaging.message.id", "span.messaging.message_id")
_AGENT: Final = ("span.user_agent.original", "span.http.user_agent")
_BROWSER: Final = "Mozilla/"
_SAMPLE: Final = 400
_PERIODS: Final = 16
_ASKS: Final = 60_000
_FEW: Final = 5
_KNOWN_DOUBT: Final = float(np.log(1e-3))
_UNKNOWN_DOUBT: Final = float(np.log(1e-5))
_MOST_CHANCE: Final = 0.5
_KNOWN_SHARE: Final = 0.05
_UNKNOWN_SHARE: Final = 0.3
_KEPT: Final = 0.5
_SURE: Final = 0.02
_STRANGERS: Final = 1.2
_USUAL: Final = 0.99


@dataclass(frozen=True)
class SplitCalls:
    """Calls that went on in another trace, by edge.

    Attributes
    ----------
    call, root, edge
        The client (or producer) span, the root that belongs below it, and the number of the edge: one item per match.
    sure
        Mark the matches of which nothing else fits on either side, on edges where coincidence gives hardly any.
    caller, callee
        Services of each edge.
    expected
        How many matches coincidence alone would give on each edge that are as close as most of them.
    asked, asked_edge
        All spans of each edge that call and are not answered in their trace.
    waits
        Whether each edge is one of calls that wait, not of messages.
    """

    call: Ints
    root: Ints
    edge: Ints
    sure: Flags
    caller: Ints
    callee: Ints
    expected: Floats
    asked: Ints
    asked_edge: Ints
    waits: Flags


@dataclass(frozen=True)
class _Sides:
    """Calls that nobody answers and roots that nobody calls, and which of them could belong together.

    Attributes
    ----------
    calls, roots
        Rows of the spans.
    place
        What each root is reached by: its service, or a destination.
    group
        Number of the caller and the address of each call.
    ask_group, ask_place, known
        Which groups could mean which places, and whether that is known or only not excluded.
    call_times, root_times
        When they ran, and what must agree.
    waits
        Whether calls wait.
    """

    calls: Ints
    roots: Ints
    place: Ints
    group: Ints
    ask_group: Ints
    ask_place: Ints
    known: Flags
    call_times: Times
    root_times: Times
    waits: bool

    def without_paths(self) -> _Sides:
        """Ask no more that paths agree, which are the last of the traits."""
        calls, roots = (replace(times, traits=times.traits[:-1]) for times in (self.call_times, self.root_times))
        return replace(self, call_times=calls, root_times=roots)


def split_calls(evidence: Evidence) -> SplitCalls | None:
    """Find calls that went on in another trace; None if there are none."""
    return evidence.kept("split calls", lambda: _split_calls(evidence))


def _split_calls(evidence: Evidence) -> SplitCalls | None:
    found = [_matches(evidence, sides) for sides in (_requests(evidence), _messages(evidence)) if sides is not None]
    return _together([splits for splits in found if splits is not None])


def unanswered(evidence: Evidence, kind: int) -> Ints:
    """List the spans of a kind that nothing in another service or at the entry of one hangs below."""
    found = evidence.kind == kind
    enters = (evidence.parent >= 0) & (evidence.crossing | (evidence.kind == SERVER) | (evidence.kind == CONSUMER))
    found[evidence.parent[enters]] = False
    return np.flatnonzero(found)


def parentless(evidence: Evidence, kind: int) -> Ints:
    """List the roots of a kind that do not say by a link where they come from."""
    roots = np.flatnonzero(evidence.true_root & (evidence.kind == kind))
    return roots[~has_links(evidence, roots)] if roots.size else roots


def _requests(evidence: Evidence) -> _Sides | None:
    """Set calls over HTTP, gRPC and the like against the server roots that they could have begun."""
    roots = parentless(evidence, SERVER)
    if not roots.size:
        return None
    callees = np.unique(evidence.service[roots])
    calls = unanswered(evidence, CLIENT)
    if callees.size == 1:
        calls = calls[evidence.service[calls] != callees[0]]
    # Where no root begins during a call none belongs to it: a look at times spares many a look at addresses.
    could = _of_services(evidence, calls[_could_hold(evidence, calls, roots)])
    if could.size < calls.size // 2 and _asked_services(evidence, could, callees) is None:
        return None
    calls = _of_services(evidence, calls)
    asked = _asked_services(evidence, calls, callees)
    if asked is None:
        return None
    group, ask_group, ask_place, known = asked
    wanted = np.zeros(int(group.max()) + 1, dtype=bool)
    wanted[ask_group] = True
    calls, group = calls[wanted[group]], group[wanted[group]]
    places = np.zeros(evidence.services.len(), dtype=bool)
    places[ask_place] = True
    roots = roots[places[evidence.service[roots]]]
    call_times, root_times = _times(evidence, calls, roots, _traits_of_requests(evidence, calls, roots))
    return _Sides(
        calls, roots, evidence.service[roots], group, ask_group, ask_place, known, call_times, root_times, waits=True
    )


def _of_services(evidence: Evidence, calls: Ints) -> Ints:
    """Leave out calls of databases."""
    others: Ints = calls[texts_at(evidence, calls, *DATABASE_KEYS).is_null().to_numpy()]
    return others


def _could_hold(evidence: Evidence, calls: Ints, roots: Ints) -> Flags:
    """Mark the calls during which any root begins, on whatever clock; and a few more, as time is cut into periods."""
    starts = evidence.start[roots]
    off = TOLERANCE
    correction = clocks_of(evidence).correction()
    if correction is not None:
        off += 2 * int(np.abs(correction).max())
    first, last = int(starts.min()), int(starts.max())
    length = max(0, (last - first).bit_length() - _PERIODS)  # of each period, as a power of two
    begun = np.bincount((starts >> length) - (first >> length))
    before = np.concatenate(([0], np.cumsum(begun)))
    begin, end = (evidence.start[calls] - off) >> length, (evidence.end[calls] + off) >> length
    from_, to = (np.clip(time - (first >> length), 0, begun.size) for time in (begin, end + 1))
    could: Flags = before[to] > before[from_]
    return could


def _asked_services(evidence: Evidence, calls: Ints, callees: Ints) -> tuple[Ints, Ints, Ints, Flags] | None:
    """Group calls by caller and address, and list which services each group could mean.

    Gives the group of each call, and pairs of a group and a service, with whether the address is known to mean it. Of
    groups at unknown addresses any service that has roots could be meant. None if there are no pairs.
    """
    if not calls.size:
        return None
    address, texts = addresses(evidence, calls)
    of_address, meant_service = meant(evidence, texts)
    known = np.zeros(texts.len() + 1, dtype=bool)
    known[of_address] = True
    # `api.stripe.com` is somebody else's, where nothing else is known of it.
    foreign = np.append(are_public(texts), False)[address] & ~known[address]
    address, known, of_address = _without_instances(address, texts, known, of_address)
    number, distinct = renumbered(evidence.service[calls] * known.size + address + 1)
    caller, written = distinct // known.size, distinct % known.size - 1
    # Addresses that are rare tell nothing alone: together they may.
    vague = ~known[written] & (np.bincount(number) < _FEW)
    group, distinct = renumbered(np.where(vague, caller * known.size, distinct))
    caller, written = distinct // known.size, distinct % known.size - 1
    group = group[number]
    asks, which = joined(written, of_address)
    ask_group, ask_place = asks, meant_service[which]
    elsewhere = np.bincount(group, foreign) == np.bincount(group)
    unknown = np.flatnonzero(~known[written] & ~elsewhere)[: _ASKS // max(callees.size, 1)]
    is_known = np.arange(ask_group.size + unknown.size * callees.size) < ask_group.size
    ask_group = np.concatenate((ask_group, np.repeat(unknown, callees.size)))
    ask_place = np.concatenate((ask_place, np.tile(callees, unknown.size)))
    others = (caller[ask_group] != ask_place) & np.isin(ask_place, callees)
    if not others.any():
        return None
    return group, ask_group[others], ask_place[others], is_known[others]


def _without_instances(address: Ints, texts: pl.Series, known: Flags, of_address: Ints) -> tuple[Ints, Flags, Ints]:
    """Take numeric addresses that nothing is known of for one, by port: instances come and go.

    Gives the address of each call anew, which of them are known (the last item is for none), and the known ones.
    """
    if not texts.len():
        return address, known, of_address
    host = texts.str.contains(NUMERIC) & ~texts.str.contains(LOOPBACK) & ~pl.Series(known[:-1])
    port = pl.lit("*") + texts.str.extract(r"(:\d+)$", 1).fill_null("")
    code, distinct = coded(pl.select(pl.when(host).then(port).otherwise(texts)).to_series())
    now_known = np.zeros(distinct.len() + 1, dtype=bool)
    now_known[code[of_address]] = True
    return np.where(address >= 0, code[address], -1), now_known, code[of_address]


def _messages(evidence: Evidence) -> _Sides | None:
    """Set spans that send messages against the consumers that name the same destination."""
    roots = parentless(evidence, CONSUMER)
    calls = unanswered(evidence, PRODUCER) if roots.size else roots
    if not calls.size:
        return None
    both = np.concatenate((calls, roots))
    code, names = coded(texts_at(evidence, both, *DESTINATION))
    sent, heard = code[: calls.size], code[calls.size :]
    wanted = np.zeros(names.len() + 1, dtype=bool)
    wanted[np.intersect1d(sent[sent >= 0], heard)] = True
    calls, sent = (part[wanted[sent]] for part in (calls, sent))
    roots, heard = (part[wanted[heard]] for part in (roots, heard))
    if not calls.size:
        return None
    # A service that consumes from two destinations, and two that consume from one, are places of their own.
    services = evidence.services.len()
    place, places = renumbered(heard * services + evidence.service[roots])
    group, groups = renumbered(sent * services + evidence.service[calls])
    ask_group, ask_place = joined(groups // services, places // services)
    ids = _hashed(texts_at(evidence, np.concatenate((calls, roots)), *_MESSAGE))
    call_times, root_times = _times(evidence, calls, roots, (ids,))
    known = np.ones(ask_group.size, dtype=bool)
    return _Sides(calls, roots, place, group, ask_group, ask_place, known, call_times, root_times, waits=False)


def joined(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """List the pairs of places at which two arrays have the same number."""
    order = np.argsort(right, kind="stable")
    first, end = (np.searchsorted(right[order], left, side) for side in ("left", "right"))
    sizes = end - first
    one = np.repeat(np.arange(left.size), sizes)
    return one, order[np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(one.size)]


def _hashed(texts: pl.Series) -> Ints:
    """Give numbers to texts that are as good as different for different texts; `ANY` for none."""
    numbers = (texts.hash().to_numpy() >> 1).astype(np.int64)
    numbers[texts.is_null().to_numpy()] = ANY
    return numbers


def _traits_of_requests(evidence: Evidence, calls: Ints, roots: Ints) -> tuple[Ints, ...]:
    """Tell what must agree: method, status, RPC, whether a browser asked, and (last) the path."""
    both = np.concatenate((calls, roots))
    method = texts_at(evidence, both, *_METHOD)
    status = texts_at(evidence, both, *_STATUS)
    rpc = texts_at(evidence, both, *_RPC_METHOD)
    if rpc.null_count() < rpc.len():
        service = texts_at(evidence, both, *_RPC_SERVICE)
        whole = rpc.str.contains("/", literal=True) | service.is_null()
        rpc = pl.select(pl.when(whole).then(rpc.str.strip_chars_start("/")).otherwise(service + "/" + rpc)).to_series()
    path = texts_at(evidence, both, *_PATH)
    if path.str.contains(r"[?#]|://").any():
        path = path.str.replace(r"^[\w+.-]+://[^/?#]*", "").str.replace(r"[?#].*$", "")
    traits = [text for text in (method, status, rpc) if text.null_count() < text.len()]
    return (*map(_hashed, traits), _browsers(evidence, calls, roots), _hashed(path))


def _browsers(evidence: Evidence, calls: Ints, roots: Ints) -> Ints:
    """Mark calls that a browser made, and roots that one asked for: these belong below no other call."""
    both = np.concatenate((calls, roots))
    browser = texts_at(evidence, both, *_AGENT).str.starts_with(_BROWSER).fill_null(value=False).to_numpy()
    browser |= texts_at(evidence, both, LANGUAGE).eq_missing("webjs").to_numpy()
    return np.where(browser, 1, np.where(np.arange(both.size) < calls.size, 0, ANY))


def _times(evidence: Evidence, calls: Ints, roots: Ints, traits: tuple[Ints, ...]) -> tuple[Times, Times]:
    correction = clocks_of(evidence).correction()

    def of(rows: Ints, part: slice) -> Times:
        start = evidence.start[rows]
        if correction is not None:
            start = start + correction[rows]
        return Times(
            start, start + evidence.duration[rows], own_traces(evidence)[rows], tuple(trait[part] for trait in traits)
        )

    return of(calls, slice(calls.size)), of(roots, slice(calls.size, None))


@dataclass(frozen=True)
class _Believed:
    """Asks of which more are matched than coincidence gives: their numbers, and for each what was found of a sample."""

    asks: Ints
    share: Floats
    rate: Floats
    close_rate: Floats
    limit: Ints


@dataclass(frozen=True)
class _Candidates:
    """Pairs of calls and roots that may belong together, and the asks that they come from, numbered from 0.

    Attributes
    ----------
    call, root, slack, ask
        One item per pair.
    asks
        Numbers of the asks among those of the sides.
    share, rate
        For each ask which share of its calls is matched, and which would be by coincidence.
    close_rate
        Which would be by coincidence as close as tells the ask from coincidence best, where `rate` goes further.
    """

    call: Ints
    root: Ints
    slack: Ints
    ask: Ints
    asks: Ints
    share: Floats
    rate: Floats
    close_rate: Floats

    def at(self, pairs: Ints) -> _Candidates:
        """Pick some pairs."""
        return replace(self, call=self.call[pairs], root=self.root[pairs], slack=self.slack[pairs], ask=self.ask[pairs])


def _matches(evidence: Evidence, sides: _Sides) -> SplitCalls | None:
    """Match the calls and the roots of those edges on which more of them fit than coincidence gives."""
    found = [_candidates(sides)]
    if sides.waits:  # a proxy may have written another path
        found.append(_candidates(sides.without_paths(), but=found[0].asks))
    candidates = _Candidates(
        *(
            np.concatenate(
                [
                    getattr(one, name) + (found[0].asks.size if name == "ask" and one is not found[0] else 0)
                    for one in found
                ]
            )
            for name in _Candidates.__dataclass_fields__
        )
    )
    if not candidates.call.size:
        return None
    chosen = _chosen(evidence, sides, candidates)
    if not chosen.size:
        return None
    return _by_edge(evidence, sides, candidates.at(chosen), _sure(sides, candidates, chosen))


def _sure(sides: _Sides, candidates: _Candidates, chosen: Ints) -> Flags:
    """Mark the chosen pairs that have no rival on either side, and whose ask leaves little to coincidence."""
    once = _alone(candidates)
    # Rivals that are further apart than nearly all pairs without rivals are none.
    plain = chosen[once[chosen]]
    slack = pl.DataFrame({"ask": candidates.ask[plain], "slack": candidates.slack[plain]})
    usual = slack.group_by("ask").agg(pl.col("slack").quantile(_USUAL), pl.len()).filter(pl.col("len") >= _FEW)
    furthest = np.full(candidates.asks.size, NO_MATCH)
    furthest[usual["ask"].to_numpy()] = usual["slack"].cast(pl.Int64).to_numpy()
    near = np.flatnonzero(candidates.slack <= furthest[candidates.ask])
    alone = np.zeros(candidates.call.size, dtype=bool)
    alone[near] = _alone(candidates.at(near))
    sizes = _sizes(sides, candidates)
    matches = np.bincount(candidates.ask[chosen], minlength=sizes.size)
    # Of the calls that went nowhere, coincidence matches some all the same: hardly one in fifty matches.
    sure: Flags = alone & (candidates.rate * (sizes - matches) <= _SURE * matches)[candidates.ask]
    return sure[chosen]


def _alone(candidates: _Candidates) -> Flags:
    """Mark the pairs of which each side is in no other pair."""
    calls, roots = np.bincount(candidates.call), np.bincount(candidates.root)
    alone: Flags = (calls[candidates.call] == 1) & (roots[candidates.root] == 1)
    return alone


def _sizes(sides: _Sides, candidates: _Candidates) -> Ints:
    """Count the calls of each ask."""
    return np.bincount(sides.group, minlength=int(sides.ask_group.max()) + 1)[sides.ask_group[candidates.asks]]


def _chosen(evidence: Evidence, sides: _Sides, candidates: _Candidates) -> Ints:
    """Choose pairs so that each span is in one at most, of asks that keep most of what they are believed to have.

    A root may lie in a call to another service that in turn called it: then it is closer to that other's call.
    """
    chosen = matched(candidates.call, candidates.root, candidates.slack)
    chosen = chosen[~_are_one(evidence, sides.calls[candidates.call[chosen]], sides.roots[candidates.root[chosen]])]
    sizes = _sizes(sides, candidates)
    left = np.bincount(candidates.ask[chosen], minlength=candidates.asks.size)
    kept = left >= _KEPT * candidates.share * sizes
    return chosen[kept[candidates.ask[chosen]]]


def _are_one(evidence: Evidence, calls: Ints, roots: Ints) -> Flags:
    """Mark the pairs of which both sides have the same ids, as where the two sides of a call share one span."""
    ids = evidence.frame["span_id"]
    one: Flags = (ids.gather(calls) == ids.gather(roots)).to_numpy() & (evidence.trace[calls] == evidence.trace[roots])
    return one


def _candidates(sides: _Sides, *, but: Ints | None = None) -> _Candidates:
    """List the pairs of those asks that are believed, among all or all but some."""
    asks = np.arange(sides.ask_group.size)
    if but is not None:
        asks = np.setdiff1d(asks, but)
    roots = Roots.of(sides.place, sides.root_times, waits=sides.waits)
    believed = _believed(sides, roots, asks)
    call, ask = _calls_of(sides, believed.asks, sides.calls.size)
    pair, root, slack = roots.pairs(sides.ask_place[believed.asks][ask], sides.call_times.at(call))
    near = slack <= believed.limit[ask[pair]]
    pair, root, slack = pair[near], root[near], slack[near]
    return _Candidates(
        call[pair], root, slack, ask[pair], believed.asks, believed.share, believed.rate, believed.close_rate
    )


def _believed(sides: _Sides, roots: Roots, asks: Ints) -> _Believed:
    """Find out on a sample of each ask's calls whether it is more than coincidence that roots fit into them."""
    most = int(np.clip(_ASKS // max(asks.size, 1), _FEW, _SAMPLE))
    call, ask = _calls_of(sides, asks, most)
    pair, _, slack = roots.pairs(sides.ask_place[asks][ask], sides.call_times.at(call))
    # Most asks have no match at all: only the others are worth a look at shifted times.
    hit = np.unique(ask[np.unique(pair)])
    number = np.full(asks.size, -1, dtype=np.int64)
    number[hit] = np.arange(hit.size)
    there = number[ask] >= 0
    close = nearest(pair, slack, call.size)[there]
    call, ask, asks = call[there], number[ask[there]], asks[hit]
    shifted_slack = _shifted_slack(roots, sides.ask_place[asks][ask], sides.call_times.at(call), close)
    chance = compared(ask, close, shifted_slack, closed=_closed(sides, asks))
    looked = np.bincount(ask, minlength=asks.size)
    known = sides.known[asks]
    good = np.flatnonzero(
        (chance.doubt < np.where(known, _KNOWN_DOUBT, _UNKNOWN_DOUBT))
        & (chance.expected <= _MOST_CHANCE * chance.matched)
        & (chance.matched >= np.where(known, _KNOWN_SHARE, _UNKNOWN_SHARE) * looked)
    )
    share, rate, close_rate = ((count / looked)[good] for count in (chance.matched, chance.by_chance, chance.expected))
    return _Believed(asks[good], share, rate, close_rate, chance.limit[good])


def _closed(sides: _Sides, asks: Ints) -> Flags:
    """Mark the asks whose calls could have begun nearly all roots there are: no stranger could take their place."""
    calls = np.bincount(sides.group, minlength=int(sides.ask_group.max(initial=0)) + 1)[sides.ask_group[asks]]
    places = np.bincount(sides.place, minlength=int(sides.ask_place.max(initial=0)) + 1)[sides.ask_place[asks]]
    closed: Flags = places <= _STRANGERS * calls
    return closed


def _shifted_slack(roots: Roots, place: Ints, calls: Times, close: Ints) -> Ints:
    """Look the calls up at shifted times: how close roots come to each, a row per shift."""
    if not place.size:
        return np.empty((1, 0), dtype=np.int64)
    starts = np.concatenate((roots.times.start, calls.start))
    first, last = int(starts.min()), int(starts.max())
    length = calls.end - calls.start
    shifts = trials(place.size, length if roots.waits else close[close != NO_MATCH], last - first)
    start = shifted(calls.start, shifts, first, last)
    repeated = [np.tile(values, shifts.size) for values in (place, length, calls.trace, *calls.traits)]
    times = Times(start.ravel(), start.ravel() + repeated[1], repeated[2], tuple(repeated[3:]))
    pair, _, slack = roots.pairs(repeated[0], times)
    return nearest(pair, slack, start.size).reshape(start.shape)


def _calls_of(sides: _Sides, asks: Ints, most: int) -> tuple[Ints, Ints]:
    """List the calls of asks, at most so many of each, spread evenly; and the ask of each."""
    order = np.argsort(sides.group, kind="stable")
    sizes = np.bincount(sides.group, minlength=int(sides.ask_group.max(initial=0)) + 1)
    starts, sizes = (np.cumsum(sizes) - sizes)[sides.ask_group[asks]], sizes[sides.ask_group[asks]]
    counts = np.minimum(sizes, most)
    ask = np.repeat(np.arange(asks.size), counts)
    within = np.arange(ask.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[starts[ask] + within * sizes[ask] // counts[ask]], ask


def _by_edge(evidence: Evidence, sides: _Sides, pairs: _Candidates, sure: Flags) -> SplitCalls:
    """Put matches together by caller and callee."""
    call, root = sides.calls[pairs.call], sides.roots[pairs.root]
    services = evidence.services.len()
    edge, distinct = renumbered(evidence.service[call] * services + evidence.service[root])
    asks = np.unique(pairs.ask)
    of_ask = np.empty(pairs.asks.size, dtype=np.int64)
    of_ask[pairs.ask] = edge
    asked, ask = _calls_of(sides, pairs.asks[asks], sides.calls.size)
    expected = np.zeros(distinct.size)
    expected += np.bincount(of_ask[asks], weights=pairs.close_rate[asks] * np.bincount(ask), minlength=distinct.size)
    # What else is called at an address that nothing is known of may be meant for others.
    meant_for = np.isin(sides.calls[asked], call) | sides.known[pairs.asks[asks]][ask]
    packed = np.unique(of_ask[asks][ask][meant_for] * evidence.count + sides.calls[asked][meant_for])
    return SplitCalls(
        call, root, edge, sure, distinct // services, distinct % services, expected,
        packed % evidence.count, packed // evidence.count, np.full(distinct.size, sides.waits),
    )  # fmt: skip


def _together(found: list[SplitCalls]) -> SplitCalls | None:
    """Put the edges of calls and those of messages together."""
    if len(found) < 2:
        return found[0] if found else None
    one, other = found
    other = replace(other, edge=other.edge + one.caller.size, asked_edge=other.asked_edge + one.caller.size)
    return SplitCalls(
        *(np.concatenate((getattr(one, name), getattr(other, name))) for name in SplitCalls.__dataclass_fields__)
    )

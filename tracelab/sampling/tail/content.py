"""Policies that look at what spans say: for each, which traces it would sample, all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.sampling.hashes import fnv1a_64
from tracelab.sampling.ottl import Conditions
from tracelab.sampling.tail.attributes import has_boolean, has_text, has_whole_number
from tracelab.sampling.tail.policies import (
    AlwaysSample,
    BooleanAttribute,
    Latency,
    NumericAttribute,
    OttlCondition,
    Policy,
    Probabilistic,
    SpanCount,
    StatusCode,
    StringAttribute,
    TailPolicies,
    TraceFlags,
    TraceState,
)
from tracelab.schema import STATUS_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracelab.array_types import Flags, Ints
    from tracelab.sampling.tail.groups import Codes, Groups

SKIPPED: Final = 0
SAMPLED: Final = 1
NOT_SAMPLED: Final = 2
DROPPED: Final = 3
ERROR: Final = 4
INVERT_SAMPLED: Final = 5
INVERT_NOT_SAMPLED: Final = 6

DECISIONS: Final = (
    "skipped",
    "sampled",
    "not_sampled",
    "dropped",
    "error",
    "invert_sampled",
    "invert_not_sampled",
)
"""What the codes mean, in their order."""

_UNKNOWN: Final = 7
_ALL: Final = 2**64 - 1
_INT64: Final = 2**63
_MILLISECOND: Final = 1_000_000
_MOST_TRACE_STATE: Final = 256
_STATE_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_STATE_KEY: Final = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_MOST_MEMBERS: Final = 32


class Content:
    """The answers of policies that look at spans, each computed once.

    Attributes
    ----------
    groups
        The traces.
    order
        The rank of each row's arrival, for what depends on which span came first; None is the order of the frame.
    id_bytes
        The 16 bytes of each group's trace id.
    counts
        How many spans of each group's trace had come, where that is not how many it has.
    unsure
        Which groups have an answer that rests on the order of arrival.
    unknown
        Which groups a policy cannot be replayed on, for policies with such conditions; they count as not sampled.
    errors
        What went wrong, for policies that had errors.
    """

    def __init__(self, groups: Groups, policies: TailPolicies, id_bytes: Any, order: Ints | None) -> None:
        self.groups = groups
        self.policies = policies
        self.id_bytes = id_bytes
        self.order = order
        self.counts: Ints | None = None
        self.unsure = np.zeros(groups.starts.size, dtype=bool)
        self.unknown: dict[Policy, Flags] = {}
        self.errors: dict[Policy, str] = {}
        self._known: dict[Policy, Codes] = {}

    def codes(self, policy: Policy) -> Codes:
        """Give the decision of a policy without sub-policies on each group."""
        if policy not in self._known:
            self._known[policy] = self._codes(policy)
        return self._known[policy]

    def _codes(self, policy: Policy) -> Codes:
        groups, frame = self.groups, self.groups.frame
        match policy:
            case AlwaysSample():
                return np.full(groups.starts.size, SAMPLED, dtype=np.int8)
            case Latency():
                return plain(self._latency(policy))
            case StatusCode():
                names = [code.lower() for code in policy.status_codes]
                numbers = [STATUS_CODES.index(name) for name in set(names)]
                held = frame["status_code"].to_physical().to_numpy()
                return plain(groups.any(np.logical_or.reduce([held == number for number in numbers])))
            case NumericAttribute():
                return self._numeric(policy)
            case BooleanAttribute():
                return self._inverted(
                    self._anywhere(lambda name: has_boolean(frame, name, wanted=policy.value), policy.key),
                    invert=policy.invert_match,
                )
            case StringAttribute():
                matches: Callable[[str], Flags] = lambda name: has_text(  # noqa: E731  (one of three of its kind)
                    frame, name, policy.values, regex=policy.regex, empty_counts=name.startswith("resource.")
                )
                return self._inverted(self._anywhere(matches, policy.key), invert=policy.invert_match)
            case TraceState():
                return plain(groups.any(_has_state(frame["trace_state"], policy.key, policy.values)))
            case TraceFlags():
                return plain(groups.any((frame["flags"].fill_null(0).to_numpy() & 1) != 0))
            case SpanCount():
                sizes = groups.sizes if self.counts is None else self.counts
                within = (policy.max_spans == 0) | (sizes <= policy.max_spans)
                return plain((sizes >= policy.min_spans) & within)
            case Probabilistic():
                hashes = fnv1a_64(policy.hash_salt.encode(), self.id_bytes)
                return plain(hashes <= np.uint64(hash_threshold(policy.sampling_percentage)))
            case OttlCondition():
                return self._conditions(policy)
            case _:
                raise TypeError(f"{type(policy).__name__} does not look at spans alone")

    def _anywhere(self, matches: Callable[[str], Flags], key: str) -> Flags:
        return self.groups.any(matches(f"resource.{key}") | matches(f"span.{key}"))

    def _inverted(self, found: Flags, *, invert: bool) -> Codes:
        """Say what `invert_match` makes of an answer."""
        if not invert:
            return plain(found)
        if self.policies.follows("plain_inversions"):
            return plain(~found)
        return np.where(found, INVERT_NOT_SAMPLED, INVERT_SAMPLED).astype(np.int8)

    def _numeric(self, policy: NumericAttribute) -> Codes:
        least = -_INT64 if policy.min_value is None else policy.min_value
        most = _INT64 - 1 if policy.max_value is None else policy.max_value
        frame = self.groups.frame
        if self.policies.follows("resource_numbers"):
            found = self._anywhere(lambda name: has_whole_number(frame, name, least, most), policy.key)
            return self._inverted(found, invert=policy.invert_match)
        # Then one span is enough that is not within the bounds.
        within = has_whole_number(frame, f"span.{policy.key}", least, most)
        return plain(self.groups.any(within != policy.invert_match))

    def _latency(self, policy: Latency) -> Flags:
        groups = self.groups
        begin = groups.frame["start_time"].to_physical().to_numpy()
        end = begin + groups.frame["duration"].to_physical().to_numpy()
        length = (groups.most(end) - groups.least(begin)) // _MILLISECOND
        low, high = policy.threshold_ms, policy.upper_threshold_ms
        if high == 0:
            exclusive = self.policies.follows("exclusive_latency")
            return length > low if exclusive else length >= low
        found = (low < length) & (length <= high)
        # The Collector looks after each span, so that a longer trace is sampled if it was within the bounds once.
        longer = length > high
        if longer.any() and low < high:
            some = groups.only(longer[groups.group])
            found[longer], unsure = self._was_between(some, begin, end, low, high)
            self.unsure[np.flatnonzero(longer)[unsure]] = True
        return found

    def _was_between(self, some: Groups, begin: Ints, end: Ints, low: int, high: int) -> tuple[Flags, Flags]:
        """Say which traces were of a length within the bounds when some spans had come, and which may have been.

        In another order they would have been, unless even every span alone is longer.
        """
        rows = np.arange(some.places) if some.rows is None else some.rows
        rank = rows if self.order is None else self.order[rows]
        sequence = rows[np.lexsort((rank, some.group))]
        spans = pl.DataFrame({"group": some.group, "begin": begin[sequence], "end": end[sequence]})
        reach = (pl.col("end").cum_max() - pl.col("begin").cum_min()).over("group") // _MILLISECOND
        alone = (pl.col("end") - pl.col("begin")) // _MILLISECOND
        told = (
            spans.lazy()
            .select("group", reach=reach, alone=alone)
            .group_by("group", maintain_order=True)
            .agg(
                found=pl.col("reach").is_between(low, high, closed="right").any(),
                shortest=pl.col("alone").min(),
            )
            .collect()
        )
        return told["found"].to_numpy(), (told["shortest"] <= high).to_numpy()

    def _conditions(self, policy: OttlCondition) -> Codes:
        """Give the decision of conditions: the first span that says something decides."""
        groups = self.groups
        state = np.zeros(groups.frame.height, dtype=np.int8)
        for texts, context in ((policy.span, "span"), (policy.spanevent, "spanevent")):
            if texts:
                here = self._said(policy, Conditions(texts, context, policy.error_mode or "ignore"))
                state = np.where((state == SKIPPED) | ((state == _UNKNOWN) & (here == SAMPLED)), here, state)
        found = {code: groups.any(state == code) for code in (SAMPLED, ERROR, _UNKNOWN)}
        codes = plain(found[SAMPLED])
        unknown = found[_UNKNOWN] & ~found[SAMPLED]
        failed = found[ERROR]
        if failed.any():
            first = self._first(state, failed)
            codes[failed] = first
            self.unsure |= failed & (found[SAMPLED] | found[_UNKNOWN])
            unknown[failed] = first == _UNKNOWN
        codes[unknown] = NOT_SAMPLED
        if unknown.any():
            self.unknown[policy] = unknown
        return codes

    def _said(self, policy: OttlCondition, conditions: Conditions) -> Codes:
        """Say of every span whether a condition holds, fails, or is not to be told."""
        told = conditions.evaluate(self.groups.frame)
        holds, wrong = told["matches"], told["error"]
        if wrong.null_count() < wrong.len():
            self.errors.setdefault(policy, str(wrong.drop_nulls()[0]))
        silent = (holds.is_null() & wrong.is_null()).to_numpy()
        state = np.where(holds.fill_null(value=False).to_numpy(), SAMPLED, np.where(silent, _UNKNOWN, SKIPPED))
        return np.where(wrong.is_not_null().to_numpy(), ERROR, state).astype(np.int8)

    def _first(self, state: Codes, chosen: Flags) -> Codes:
        """Give what the first row says that says something, in each of the groups that are chosen."""
        groups = self.groups
        says = groups.placed(state) != SKIPPED
        some = groups.only(says & chosen[groups.group])
        rows = np.arange(some.places) if some.rows is None else some.rows
        rank = rows if self.order is None else self.order[rows]
        return state[rows[np.lexsort((rank, some.group))][some.starts]]


def plain(found: Flags) -> Codes:
    """Say sampled where something was found, else not sampled."""
    return np.where(found, SAMPLED, NOT_SAMPLED).astype(np.int8)


def hash_threshold(percentage: float) -> int:
    """Give the largest hash that is sampled, as the Collector computes it: with 64 bits, rounded to even, and cut."""
    ratio = percentage / 100
    if ratio <= 0:
        return 0
    if ratio >= 1:
        return _ALL
    top, bottom = ratio.as_integer_ratio()
    product = top * _ALL
    # What is lost of the product is what 64 bits do not hold, before the division by a power of two.
    excess = max(product.bit_length() - 64, 0)
    kept, rest = product >> excess, product & ((1 << excess) - 1)
    half = 1 << (excess - 1) if excess else 0
    if excess and (rest > half or (rest == half and kept & 1)):
        kept += 1
    return min((kept << excess) // bottom, _ALL)


def _has_state(states: pl.Series, key: str, values: Sequence[str]) -> Flags:
    """Mark the rows whose trace state has one of some values under a key; one that W3C does not allow has none."""
    taken = [value for value in values if value and len(key.encode()) + len(value.encode()) < _MOST_TRACE_STATE]
    if not taken or states.null_count() == states.len():
        return np.zeros(states.len(), dtype=bool)
    different = states.unique().drop_nulls()
    members = different.to_frame("state").with_columns(member=pl.col("state").str.split(",")).explode("member")
    pieces = members.filter(pl.col("member") != "").with_columns(
        pl.col("member").str.strip_chars_start(" \t").str.strip_chars_end(" \t")
    )
    told = pieces.select(
        "state",
        key=pl.col("member").str.extract(r"^([^=]*)=", 1),
        value=pl.col("member").str.extract(r"^[^=]*=(.*)$", 1),
        good=pl.col("member").str.contains(rf"^{_STATE_KEY}={_STATE_VALUE}$"),
    )
    parsed = told.group_by("state").agg(
        good=pl.col("good").all() & (pl.len() <= _MOST_MEMBERS) & (pl.col("key").n_unique() == pl.len()),
        found=((pl.col("key") == key) & pl.col("value").is_in(taken)).any(),
    )
    matching = parsed.filter(pl.col("good") & pl.col("found"))["state"]
    return states.is_in(matching.implode()).fill_null(value=False).to_numpy()

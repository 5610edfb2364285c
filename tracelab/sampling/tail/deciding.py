"""What users ask of a tail-sampling configuration: what it keeps, what it decides on each trace, what matched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from tracelab.conforming import takes_any_frame
from tracelab.errors import PolicyError, SamplingWarning, warn_caller
from tracelab.sampling.decided import DECISION, EVALUATIONS, MATCHES, SAMPLING_POLICY, SAMPLING_WEIGHT
from tracelab.sampling.decided import DECISIONS as ALL_DECISIONS
from tracelab.sampling.dialects import Dialect
from tracelab.sampling.tail.clock import arrival_column
from tracelab.sampling.tail.configuration import as_policies
from tracelab.sampling.tail.content import DECISIONS, DROPPED, ERROR, INVERT_SAMPLED, NOT_SAMPLED, SAMPLED
from tracelab.sampling.tail.policies import (
    TYPE_NAMES,
    BytesLimiting,
    Policy,
    RateLimiting,
    TailPolicies,
    with_sub_policies,
)
from tracelab.sampling.tail.replaying import Replay, replay

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Floats, Ints

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)

_ADDED: Final = (SAMPLING_POLICY, SAMPLING_WEIGHT)
_SAMPLED, _NOT_SAMPLED, _PARTIAL, _DROPPED, _UNKNOWN = map(DECISION.categories.to_list().index, ALL_DECISIONS)


@takes_any_frame
def sample_tail(spans: FrameT, policies: Any, *, arrival: Any = None) -> FrameT:
    """Keep the spans that the Collector's tail sampling would have kept.

    Parameters
    ----------
    spans
        The spans, taken for all that there was: a `sampling_weight` that they have is replaced.
    policies
        What `tail_policies` or `refinery_rules` made, or what `tail_policies` takes.
    arrival
        A column or an expression with the time at which each span came to the Collector. Without one, spans are taken
        to come when they end; for what depends only on which came first within a trace, in the order of the rows.

    Returns
    -------
    The spans that are kept, in their order, with `sampling_policy` (String: the policy that decided) and
    `sampling_weight` (Float64: how many spans each stands for, null where the probability is not known, as after a
    rate limit) at the end. A LazyFrame gives a LazyFrame. Spans on which nothing can be said are not kept.

    Raises
    ------
    PolicyError
        The policies are refused.
    SourceError
        They are a path, and the file cannot be read.
    SchemaError
        The spans cannot be conformed, or `arrival` gives no times.

    Warns
    -----
    SamplingWarning
        On some spans nothing can be said: these are not kept.
    QueryWarning
        An attribute holds numbers of which it is not known how the Collector would have read them.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api  ==========
    ...   db ..=====!
    ... ''')
    >>> rules = [{"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}]
    >>> sample_tail(spans, rules).select("name", "sampling_policy", "sampling_weight").rows()
    [('api', 'errors', 1.0), ('db', 'errors', 1.0)]
    """
    known = _taken(spans, policies, arrival)
    if isinstance(spans, pl.LazyFrame):
        schema = spans.drop(_ADDED, strict=False).collect_schema()
        schema.update({SAMPLING_POLICY: pl.String(), SAMPLING_WEIGHT: pl.Float64()})
        return spans.map_batches(
            lambda frame: _sampled(frame, known, arrival),
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            schema=schema,
        )
    return _sampled(spans, known, arrival)


@takes_any_frame
def tail_decisions(spans: pl.DataFrame | pl.LazyFrame, policies: Any, *, arrival: Any = None) -> pl.DataFrame:
    """Say what the Collector's tail sampling would have decided on each trace, and why.

    Parameters
    ----------
    spans, policies, arrival
        As `sample_tail` takes them.

    Returns
    -------
    One row per trace, sorted by id: `trace_id` (String), `decision` (Enum: sampled, not_sampled, dropped, partial where
    some spans are kept, unknown where the id has no 16 bytes or a condition looks at what a span frame does not have),
    `policy` (String: the one that decided), `spans`, `spans_kept` (UInt32), `sampling_probability` (Float64, null where
    it is not known), `simulated` (Boolean: the decision rests on simulated arrivals), `evaluations` (List of policy,
    type, decision and reason: what each policy and sub-policy that was asked said).

    Raises
    ------
    PolicyError
        The policies are refused.
    SourceError
        They are a path, and the file cannot be read.
    SchemaError
        The spans cannot be conformed, or `arrival` gives no times.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> rules = [{"name": "slow", "type": "latency", "latency": {"threshold_ms": 5}}]
    >>> tail_decisions(draw("api =========="), rules).select("decision", "policy", "sampling_probability").row(0)
    ('sampled', 'slow', 1.0)
    """
    known = _taken(spans, policies, arrival)
    if not isinstance(known, TailPolicies):
        return known.decisions(spans)
    told = replay(spans.lazy().collect(), known, arrival)
    traces = _by_trace(told)
    return traces.with_columns(_evaluations(told)).sort("trace_id")


@takes_any_frame
def policy_matches(spans: pl.DataFrame | pl.LazyFrame, policies: Any, *, arrival: Any = None) -> pl.DataFrame:
    """Count what each policy and sub-policy matched, and find those that never did.

    Parameters
    ----------
    spans, policies, arrival
        As `sample_tail` takes them.

    Returns
    -------
    One row per policy and sub-policy, in the order of the configuration: `policy` (String, such as
    `slow-checkout/latency`), `type` (String), `traces` (UInt32, that it was asked about), `matched`, `matched_spans`
    (UInt32, that it says to sample or drop, and their spans), `decided` (UInt32, traces that it decided),
    `kept_alone` (UInt32, traces that no other policy would have kept), `errors` (UInt32), `never_matched` (Boolean).
    `decided` and `kept_alone` are null for sub-policies.

    Raises
    ------
    PolicyError
        The policies are refused.
    SourceError
        They are a path, and the file cannot be read.
    SchemaError
        The spans cannot be conformed, or `arrival` gives no times.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> rules = [{"name": "slow", "type": "latency", "latency": {"threshold_ms": 500}}]
    >>> policy_matches(draw("api =========="), rules).select("policy", "traces", "matched", "never_matched").row(0)
    ('slow', 1, 0, True)
    """
    known = _taken(spans, policies, arrival)
    if not isinstance(known, TailPolicies):
        return known.matches(spans)
    told = replay(spans.lazy().collect(), known, arrival)
    sizes = told.heard
    top = {policy.path: place for place, policy in enumerate(told.policies.policies)}
    votes = np.zeros(told.lives.trace.size, dtype=np.int64)
    for path in top:
        votes += told.codes[path] == SAMPLED
    rows = []
    for policy in (each for top_one in told.policies.policies for each in with_sub_policies(top_one)):
        codes = told.codes[policy.path]
        matched = (codes == SAMPLED) | (codes == DROPPED) | (codes == INVERT_SAMPLED)
        place = top.get(policy.path)
        alone = told.sampled & matched & (votes == 1)
        rows.append(
            {
                "policy": told.labels[policy.path],
                "type": TYPE_NAMES[type(policy)],
                "traces": _count(told, codes != 0),
                "matched": _count(told, matched),
                "matched_spans": int(sizes[matched].sum()),
                "decided": None if place is None else _count(told, told.verdict.decider == place),
                "kept_alone": None if place is None else _count(told, alone),
                "errors": _count(told, codes == ERROR),
                "never_matched": not matched.any(),
            }
        )
    return pl.DataFrame(rows, schema=MATCHES)


def _count(told: Replay, chosen: Flags) -> int:
    """Count the traces of the lives that are chosen."""
    return int(np.unique(told.lives.trace[chosen]).size)


def _taken(spans: pl.DataFrame | pl.LazyFrame, policies: Any, arrival: Any) -> TailPolicies | Dialect:
    """Take policies of the Collector, or of another dialect, which has its own idea of when spans come."""
    if isinstance(policies, TailPolicies) or not isinstance(policies, Dialect):
        known = as_policies(policies)
        arrival_column(spans, arrival)
        return known
    if arrival is not None:
        raise PolicyError(f"`arrival` is for policies of the Collector, and these are {type(policies).__name__}.")
    return policies


def _sampled(frame: pl.DataFrame, policies: TailPolicies | Dialect, arrival: Any) -> pl.DataFrame:
    if not isinstance(policies, TailPolicies):
        return policies.sampled(frame)
    told = replay(frame, policies, arrival)
    groups = told.lives.groups
    if told.undecided.any():
        lost = int(groups.sizes[told.undecided].sum())
        warn_caller(
            f"On {lost:,} spans nothing can be said, so that they are not kept: their trace ids have no 16 bytes, or "
            "conditions look at what a span frame does not have. sampling_decisions tells which.",
            SamplingWarning,
        )
    kept = np.repeat(told.sampled, groups.sizes)
    chosen = np.flatnonzero(told.sampled)
    lives = np.repeat(chosen, groups.sizes[chosen])
    if groups.rows is not None:
        rows = groups.rows[kept]
        lives, kept = lives[np.argsort(rows)], np.zeros(frame.height, dtype=bool)
        kept[rows] = True
    names = pl.Series(SAMPLING_POLICY, [policy.name for policy in told.policies.policies], dtype=pl.String)
    with np.errstate(divide="ignore", over="ignore"):
        weights = 1.0 / told.chances.probability
    left = frame.filter(pl.Series(kept)).drop(_ADDED, strict=False)
    return left.with_columns(
        names.gather(pl.Series(told.verdict.decider[lives])).alias(SAMPLING_POLICY),
        pl.Series(SAMPLING_WEIGHT, weights[lives]).fill_nan(None),
    )


def tail_chances(frame: pl.DataFrame, policies: Any, *, arrival: Any = None) -> Floats:
    """Give the probability with which each span would be kept, whether it is or not; NaN where it is not known."""
    known = _taken(frame, policies, arrival)
    if not isinstance(known, TailPolicies):
        decisions = known.decisions(frame).select("trace_id", "sampling_probability")
        found = frame.select("trace_id").join(decisions, on="trace_id", how="left", maintain_order="left")
        return found["sampling_probability"].to_numpy().astype(np.float64)
    told = replay(frame, known, arrival)
    groups = told.lives.groups
    chances = np.repeat(np.where(told.undecided, np.nan, told.chances.probability), groups.sizes)
    if groups.rows is None:
        return chances
    by_row = np.empty(chances.size)
    by_row[groups.rows] = chances
    return by_row


def _by_trace(told: Replay) -> pl.DataFrame:
    """Put lives together: one row per trace, in the order of the groups."""
    lives, sampled = told.lives, told.sampled
    count = told.groups.starts.size
    spans = told.groups.sizes
    kept = _sums(lives.trace, np.where(sampled, lives.groups.sizes, 0), count)
    each_dropped = np.equal(told.verdict.decision, DROPPED)
    dropped = _sums(lives.trace, (~each_dropped).astype(np.int64), count) == 0
    decision = np.where(
        kept == spans, _SAMPLED, np.where(kept > 0, _PARTIAL, np.where(dropped, _DROPPED, _NOT_SAMPLED))
    )
    decision[_sums(lives.trace, told.undecided.astype(np.int64), count) > 0] = _UNKNOWN
    # The life that kept the spans is the one whose policy is named; else the last.
    chosen = np.zeros(count, dtype=np.int64)
    order = np.lexsort((np.arange(sampled.size), sampled))
    chosen[lives.trace[order]] = order
    probability = told.chances.probability[chosen]
    probability[np.bincount(lives.trace, minlength=count) > 1] = np.nan
    simulated = _sums(lives.trace, told.simulated.astype(np.int64), count) > 0
    # The last name is that of no policy, which is what -1 takes.
    names = pl.Series([*(policy.name for policy in told.policies.policies), None], dtype=pl.String)
    return pl.DataFrame(
        {
            "trace_id": told.trace_ids,
            "decision": pl.Series(DECISION.categories, dtype=DECISION).gather(pl.Series(decision)),
            "policy": names.gather(pl.Series(told.verdict.decider[chosen] % names.len())),
            "spans": pl.Series(spans, dtype=pl.UInt32),
            "spans_kept": pl.Series(kept, dtype=pl.UInt32),
            "sampling_probability": pl.Series(probability).fill_nan(None),
            "simulated": simulated,
        }
    )


def _sums(trace: Ints, values: Ints, count: int) -> Ints:
    return np.bincount(trace, weights=values, minlength=count).astype(np.int64)


def _evaluations(told: Replay) -> pl.Series:
    """List what each policy said on each trace, those that were asked only."""
    every = [each for policy in told.policies.in_order for each in with_sub_policies(policy)]
    order = np.argsort(told.lives.trace, kind="stable")
    codes = np.array([told.codes[policy.path] for policy in every], dtype=np.int8).reshape(len(every), order.size)
    life, policy = np.nonzero(codes.T[order])
    said = codes[policy, order[life]]
    wrong = pl.Series([told.errors.get(each) for each in every], dtype=pl.String).gather(pl.Series(policy))
    spent = pl.Series([_budget(each) for each in every], dtype=pl.String).gather(pl.Series(policy))
    texts = {
        "policy": pl.Series([told.labels[each.path] for each in every], dtype=pl.String).gather(pl.Series(policy)),
        "type": pl.Series([TYPE_NAMES[type(each)] for each in every], dtype=pl.String).gather(pl.Series(policy)),
        "decision": pl.Series(DECISIONS).gather(pl.Series(said)),
        "reason": wrong.zip_with(pl.Series(said == ERROR), spent.set(pl.Series(said != NOT_SAMPLED), None)),
    }
    counts = np.bincount(told.lives.trace[order[life]], minlength=told.groups.starts.size)
    # As one array with offsets, since hundreds of thousands of lists are slow to put together otherwise.
    items = pl.DataFrame(texts).to_struct().to_arrow()
    lists = pa.LargeListArray.from_arrays(np.concatenate([[0], np.cumsum(counts)]), items)
    return pl.Series("evaluations", lists).cast(EVALUATIONS)


def _budget(policy: Policy) -> str | None:
    """Say why a budget does not sample what asks for it."""
    match policy:
        case RateLimiting():
            return f"too little is left of {policy.spans_per_second:,} spans per second"
        case BytesLimiting():
            return f"too little is left of {policy.bytes_per_second:,} bytes per second"
        case _:
            return None

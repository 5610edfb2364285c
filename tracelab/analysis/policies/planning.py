"""The policy that keeps the most of what matters within a budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.analysis.policies.budgets import parse_budget
from tracelab.analysis.policies.comparing import seconds_of
from tracelab.analysis.policies.losses import KINDS, things
from tracelab.analysis.policies.replayed import described, numbered
from tracelab.conforming import takes_any_frame
from tracelab.display.words import counted, format_bytes, format_number, format_share
from tracelab.errors import TracelabError
from tracelab.options import share
from tracelab.sampling.deciding import marked
from tracelab.sampling.presets import (
    DECISION_WAIT,
    ERRORS,
    EVERYTHING,
    NUM_TRACES,
    policies_of,
    share_of_the_rest,
    slower_than,
    trace_lengths,
)
from tracelab.sampling.tail.deciding import tail_decisions
from tracelab.sampling.tail.sizes import span_sizes
from tracelab.schema import attribute_value

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans
    from tracelab.analysis.policies.budgets import Budget
    from tracelab.array_types import Flags, Floats
    from tracelab.sampling.tail.policies import TailPolicies


_MILLISECOND: Final = 1_000_000
_ROUTE: Final = "http.route"
_MOST_ROUTES: Final = 100
_LEAST_SHARE: Final = 1e-6
_ERRORS_SALT: Final = "errors"
_DAY: Final = 86_400
_SECOND: Final = 1_000_000_000
_WHOLE: Final = 0.999
"""The share of the traces whose spans should all have come before the decision."""

_LONGEST_WAIT: Final = 600


@takes_any_frame
def plan_sampling(
    spans: Spans,
    *,
    budget: str,
    cost_per_million: float | None = None,
    slow: float = 0.95,
    rare: float = 0.001,
    rest: float = 0.1,
) -> TailPolicies:
    """Find the tail policies that keep the most of what matters within a budget, if traces go on as these do.

    What matters most comes first: traces with an error, then the slowest ones, then those of rare routes, each as far
    as the budget goes; what is left of it, and at least a part that is set aside, goes to a share of all traces,
    without which nothing could be said of the usual ones.

    Parameters
    ----------
    spans
        The spans, taken for all that there was: whole traces, over a time that is like others.
    budget
        How much may be kept: `2000 spans/s`, `100 traces/min`, `5 GB/day`, or money, as `300/month`. Bytes are those of
        spans as protobuf of OTLP, before compression and without resources; a month has 30 days.
    cost_per_million
        What a million spans cost, where the budget is money.
    slow
        Traces that are longer than this quantile of all are slow.
    rare
        Values of `http.route` that at most this share of the traces have are rare.
    rest
        Which part of the budget is set aside for the share of all traces.

    Returns
    -------
    Policies as `tail_policies` gives them. `print` shows them as YAML for a Collector, with comments that say what they
    keep and what they lose altogether of these spans (`sampling_losses` lists it): an estimate for others.

    Raises
    ------
    TracelabError
        The budget cannot be read, or another option is not what it should be, or the spans take no time, so that
        nothing is known of their pace.
    SchemaError
        The spans cannot be conformed.

    Examples
    --------
    >>> from tracelab.synthetic import generate
    >>> policies = plan_sampling(generate(2_000), budget="1,000 spans/h")
    >>> policies.policies[-1].name
    'share-of-the-rest'
    """
    asked = parse_budget(budget, cost_per_million)
    limits = {name: share(name, value, ends=True) for name, value in (("slow", slow), ("rare", rare), ("rest", rest))}
    frame = spans.lazy().collect()
    seconds = seconds_of(frame)
    if not seconds:
        raise TracelabError("These spans take no time, so nothing is known of their pace: give those of some minutes.")
    traces = _Traces.of(frame, asked)
    allowed = asked.amount * seconds
    fits = traces.cost.sum() <= allowed
    chosen = [EVERYTHING] if fits else _chosen(traces, allowed, **limits)
    held = _Held.of(frame)
    made = policies_of(*chosen, wait=held.wait, traces=held.traces)
    lines = [*_words(made, frame, traces, asked, seconds), *held.words()]
    return replace(made, yaml="".join(f"# {line}\n" for line in lines) + made.yaml)


@dataclass(frozen=True)
class _Held:
    """How long traces are waited for, and how many are held meanwhile.

    A trace is decided on what has come of it by then, and one that is pushed out of memory is lost.

    Attributes
    ----------
    wait
        Seconds.
    apart
        How many seconds the first and the last span of a trace come apart, but for the longest few traces.
    traces
        How many, at least twice as many as came within that time.
    """

    wait: int
    apart: float
    traces: int

    @classmethod
    def of(cls, frame: pl.DataFrame) -> _Held:
        end = (pl.col("start_time").to_physical() + pl.col("duration").to_physical()).alias("end")
        came = frame.lazy().group_by("trace_id").agg(first=end.min(), last=end.max()).sort("first").collect()
        first = came["first"].to_numpy()
        apart = float(np.quantile(came["last"].to_numpy() - first, _WHOLE, method="higher")) / _SECOND
        wait = min(max(_round(apart + 1), DECISION_WAIT), _LONGEST_WAIT)
        # The Collector's clock ticks once a second, so that a trace stays up to two longer.
        within = np.searchsorted(first, first + (wait + 2) * _SECOND, side="right") - np.arange(first.size)
        return cls(wait, apart, max(_round(2.0 * float(within.max())), NUM_TRACES))

    def words(self) -> list[str]:
        """Say why there is more than the Collector has by itself."""
        lines = []
        if self.wait > DECISION_WAIT:
            lines.append(
                f"decision_wait: of {format_share(_WHOLE)} of the traces all has come after {self.apart:,.0f} s."
            )
        if self.traces > NUM_TRACES:
            lines.append("num_traces: twice as many as came within that time at most.")
        return lines


def _round(number: float) -> int:
    """Round up to two digits."""
    step: int = 10 ** max(0, int(np.floor(np.log10(max(number, 1)))) - 1)
    return int(np.ceil(number / step)) * step


@dataclass(frozen=True)
class _Traces:
    """What is known of each trace, in the order of their ids.

    Attributes
    ----------
    cost
        What it takes of the budget, if it is kept.
    failed
        Whether a span has the status error, which is what the Collector looks at.
    length
        Nanoseconds.
    routes
        The values of `http.route` in it: a row for each, with the place of the trace.
    """

    cost: Floats
    failed: Flags
    length: Floats
    routes: pl.DataFrame

    @classmethod
    def of(cls, frame: pl.DataFrame, budget: Budget) -> _Traces:
        costs = {"spans": pl.len(), "traces": pl.lit(1), "bytes": pl.col("bytes").sum()}
        rows = frame.lazy().select(
            "trace_id",
            "status_code",
            pl.lit(pl.Series(span_sizes(frame))).alias("bytes"),
            attribute_value(f"span.{_ROUTE}").alias("route"),
        )
        by_trace = rows.group_by("trace_id").agg(
            cost=costs[budget.unit].cast(pl.Float64), failed=(pl.col("status_code") == "error").any()
        )
        traces = by_trace.join(trace_lengths(frame.lazy()), on="trace_id").sort("trace_id").with_row_index("place")
        routes = rows.filter(pl.col("route") != "").select("trace_id", "route").unique().join(traces, on="trace_id")
        found = traces.collect()
        return cls(
            found["cost"].to_numpy(),
            found["failed"].to_numpy(),
            found["length"].to_numpy().astype(np.float64),
            routes.select("route", "place").collect(),
        )


def _chosen(traces: _Traces, allowed: float, *, slow: float, rare: float, rest: float) -> list[dict[str, Any]]:
    """Choose policies until the budget is spent."""
    left = allowed * (1 - rest)
    errors = float(traces.cost[traces.failed].sum())
    if errors > left:
        chance = left / errors
        made = [_some_errors(chance)] if chance >= _LEAST_SHARE else []
        # Failed traces that are kept by chance may be kept by the share of all as well; both are counted, to be safe.
        return [*made, *_share_for(traces.cost.sum(), allowed - chance * errors)]
    made, sure = [ERRORS] if errors else [], traces.failed.copy()
    left -= errors
    threshold = _slow_threshold(traces, sure, left, slow)
    if threshold is not None:
        made.append(slower_than(threshold * _MILLISECOND))
        left -= _added(traces, sure, traces.length // _MILLISECOND > threshold)
    routes, chosen = _rare_routes(traces, sure, left, rare)
    if routes:
        made.append(_with_routes(routes))
        _added(traces, sure, chosen)
    return [*made, *_share_for(traces.cost[~sure].sum(), allowed - traces.cost[sure].sum())]


def _added(traces: _Traces, sure: Flags, chosen: Flags) -> float:
    """Add traces to those that are kept for sure, and say what they cost."""
    cost = float(traces.cost[chosen & ~sure].sum())
    sure |= chosen
    return cost


def _share_for(cost: float, left: float) -> list[dict[str, Any]]:
    """Make the policy that keeps such a share of the traces that it costs what is left."""
    ratio = min(1.0, left / cost) if cost else 0.0
    return [share_of_the_rest(_rounded_down(ratio))] if ratio >= _LEAST_SHARE else []


def _slow_threshold(traces: _Traces, sure: Flags, left: float, quantile: float) -> int | None:
    """Find the smallest threshold, in milliseconds, above which what is slow fits; None where nothing does."""
    lowest = max(1, int(np.quantile(traces.length, quantile)) // _MILLISECOND)
    lengths = (traces.length // _MILLISECOND).astype(np.int64)
    new = ~sure & (lengths > lowest)
    # From the longest down, all traces of one length together, since a threshold cannot tell them apart.
    steps, which = np.unique(-lengths[new], return_inverse=True)
    costs = np.cumsum(np.bincount(which, weights=traces.cost[new], minlength=steps.size))
    fitting = int(np.searchsorted(costs, left, side="right"))
    if not fitting:
        return None
    return lowest if fitting == steps.size else int(-steps[fitting])


def _rare_routes(traces: _Traces, sure: Flags, left: float, rare: float) -> tuple[list[str], Flags]:
    """Take the rarest routes, as many as fit."""
    counts = traces.routes.group_by("route").len().filter(pl.col("len") <= rare * traces.cost.size)
    taken, chosen, spent = [], np.zeros_like(sure), 0.0
    for route in counts.sort("len", "route")["route"].head(_MOST_ROUTES):
        places = traces.routes.filter(pl.col("route") == route)["place"].to_numpy()
        spent += float(traces.cost[places[~(sure | chosen)[places]]].sum())
        if spent > left:
            break
        taken.append(route)
        chosen[places] = True
    return taken, chosen


def _some_errors(chance: float) -> dict[str, Any]:
    """Make the policy that keeps a share of the traces with an error."""
    some = share_of_the_rest(_rounded_down(chance), name="share-of-errors")
    some["probabilistic"]["hash_salt"] = _ERRORS_SALT
    return {"name": "errors", "type": "and", "and": {"and_sub_policy": [{**ERRORS, "name": "has-error"}, some]}}


def _with_routes(routes: list[str]) -> dict[str, Any]:
    # A dollar sign in a configuration begins a reference, and two of them stand for one.
    values = [route.replace("$", "$$") for route in routes]
    return {"name": "rare-routes", "type": "string_attribute", "string_attribute": {"key": _ROUTE, "values": values}}


def _rounded_down(ratio: float) -> float:
    """Round down to three digits, so that the budget still holds."""
    digits = 2 - int(np.floor(np.log10(ratio)))
    return float(np.floor(ratio * 10.0**digits + 1e-9) / 10.0**digits)


def _words(policies: TailPolicies, frame: pl.DataFrame, traces: _Traces, budget: Budget, seconds: float) -> list[str]:
    """Say what the policies keep."""
    told = tail_decisions(frame, policies).sort("trace_id")
    chance = told["sampling_probability"].fill_null(0.0).to_numpy()
    expected = float((chance * traces.cost).sum()) / seconds
    whole = float(traces.cost.sum()) / seconds
    length = format_number(seconds if seconds < 1 else round(seconds))
    lines = [
        f"Budget: {budget.text}{budget.price}.",
        f"Expected: {_pace(expected, budget)} of {_pace(whole, budget)} ({format_share(expected / whole)}), if traffic",
        f"stays as in {counted(told.height, 'trace')} of {length} s.",
    ]
    for what, which in (("with an error", traces.failed), ("without one", ~traces.failed)):
        if which.any():
            lines.append(
                f"Traces {what}: {format_share(float(chance[which].mean()))} of {format_number(int(which.sum()))}."
            )
    lines.append(_losses(frame, policies))
    return lines


def _losses(frame: pl.DataFrame, policies: TailPolicies) -> str:
    """Say of what no trace would be left."""
    told = marked(described(numbered(frame), None), policies, arrival=None, missing_parents="root")
    counts = things(told).group_by("kind").agg(there=pl.len(), lost=(pl.col("spans_kept") == 0).sum()).sort("kind")
    lost = [
        f"{format_number(row['lost'])} of {format_number(row['there'])} {KINDS[row['kind']]}s"
        for row in counts.iter_rows(named=True)
        if row["lost"]
    ]
    nothing = f"none of the {', '.join(f'{KINDS[kind]}s' for kind in counts['kind'])}"
    return f"Lost altogether: {', '.join(lost) or nothing}."


def _pace(amount: float, budget: Budget) -> str:
    if budget.unit == "bytes":
        return f"{format_bytes(round(amount * _DAY))}/day"
    return f"{format_number(amount)} {budget.unit}/s"

"""Policies that most teams start from, as the configuration of a Collector that they are.

Each gives what `tail_policies` gives: `print` shows the YAML, ready to paste, and whatever replays policies takes it.

Examples
--------
>>> from tracelab.sampling import presets
>>> print(presets.production())
processors:
  tail_sampling:
    decision_wait: 30s
    num_traces: 50000
    policies:
    - name: errors
      type: status_code
      status_code:
        status_codes: [ERROR]
    - name: share-of-the-rest
      type: probabilistic
      probabilistic: {sampling_percentage: 10.0}
<BLANKLINE>
"""

from __future__ import annotations

from datetime import timedelta
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.conforming import span_frame
from tracelab.errors import TracelabError
from tracelab.options import nanoseconds, share
from tracelab.sampling.tail.configuration import tail_policies

if TYPE_CHECKING:
    from tracelab.sampling.tail.policies import TailPolicies

ERRORS: Final = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
"""Keeps every trace with a failed span."""

EVERYTHING: Final = {"name": "everything", "type": "always_sample"}

DECISION_WAIT: Final = 30
"""Seconds from the first span of a trace to the decision, as the Collector has them by itself."""

NUM_TRACES: Final = 50_000
"""How many traces are held, as the Collector has it by itself."""

_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000


def development() -> TailPolicies:
    """Keep everything, as one does where one develops."""
    return policies_of(EVERYTHING)


def production(*, ratio: float = 0.1) -> TailPolicies:
    """Keep all traces with an error, and a share of the others.

    Parameters
    ----------
    ratio
        The share of the others.

    Raises
    ------
    TracelabError
        The ratio does not lie between 0 and 1.
    """
    return policies_of(ERRORS, share_of_the_rest(ratio))


def everyday(slow: Any, *, quantile: float = 0.95, ratio: float = 0.01) -> TailPolicies:
    """Keep all traces with an error, all slow ones, and a small share of the others.

    The Collector waits twice as long as a slow trace takes at least, if that is more than its 30 s: it knows of a trace
    only what has come before it decides.

    Parameters
    ----------
    slow
        From which length a trace is slow, such as `800ms` or a timedelta; or spans, which say it: longer than
        `quantile` of their traces.
    quantile
        Which quantile of the lengths of traces, from the first start to the last end, where spans are given.
    ratio
        The share of the others.

    Raises
    ------
    TracelabError
        A share does not lie between 0 and 1, or there are no spans, or it is no length of time.
    SchemaError
        What is given is no span frame.

    Examples
    --------
    >>> [policy.name for policy in everyday("800ms").policies]
    ['errors', 'slow', 'share-of-the-rest']
    """
    length = slow_from(slow, quantile=quantile)
    wait = max(DECISION_WAIT, -(-2 * length // _SECOND))
    return policies_of(ERRORS, slower_than(length), share_of_the_rest(ratio), wait=wait)


def policies_of(*policies: dict[str, Any], wait: int = DECISION_WAIT, traces: int = NUM_TRACES) -> TailPolicies:
    """Put policies into a block that says how many seconds it waits and how many traces it holds."""
    return tail_policies(
        {"tail_sampling": {"decision_wait": f"{wait}s", "num_traces": traces, "policies": list(policies)}}
    )


def share_of_the_rest(ratio: float, *, name: str = "share-of-the-rest") -> dict[str, Any]:
    """Make the policy that keeps a share of all traces, in per cent as people write them."""
    percentage = float(f"{100 * share('ratio', ratio, ends=True):.6g}")
    return {"name": name, "type": "probabilistic", "probabilistic": {"sampling_percentage": percentage}}


def slower_than(length: int) -> dict[str, Any]:
    """Make the policy that keeps traces that take longer than so many nanoseconds, in whole milliseconds."""
    return {"name": "slow", "type": "latency", "latency": {"threshold_ms": max(1, length // _MILLISECOND)}}


def slow_from(slow: Any, *, quantile: float) -> int:
    """Say from which length in nanoseconds a trace is slow."""
    which = share("quantile", quantile, ends=False)
    if slow is None or isinstance(slow, str | timedelta | Real):
        return nanoseconds("slow", slow)
    lengths = trace_lengths(span_frame(slow).lazy())
    found = lengths.select(pl.col("length").quantile(which)).collect().item()
    if found is None:
        raise TracelabError("There are no spans to tell from what is slow. Give a length instead, such as '800ms'.")
    return int(found)


def trace_lengths(spans: pl.LazyFrame) -> pl.LazyFrame:
    """Give each trace its length in nanoseconds, from the first start to the last end, as the Collector measures it."""
    start, length = pl.col("start_time").to_physical(), pl.col("duration").to_physical()
    return spans.group_by("trace_id").agg(length=(start + length).max() - start.min())

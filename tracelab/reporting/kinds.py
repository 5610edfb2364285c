"""Kinds of failing and of slow requests: so few that a person may look at one of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.intervals import wilson
from tracelab.conforming import takes_any_frame
from tracelab.reporting.asking import OPERATION, ROUTE, Asked
from tracelab.reporting.quiet import quietly
from tracelab.reporting.slow_requests import slow_requests
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.analysis.grouping import Spans

KIND: Final = pl.Enum(["failing", "slow"])
_KIND: Final = [*ROUTE, "outcome", "cause"]
_CAUSES: Final = 3
"""How many causes of one outcome, or of slowness on one route, are told apart."""

_FEWEST: Final = 2
"""Fewer slow requests of one cause are no kind."""

_MOST: Final = 25
_CONFIDENCE: Final = 0.95


@takes_any_frame
def request_kinds(spans: Spans) -> pl.DataFrame:
    """Sort failing and slow requests into kinds, with a typical trace of each.

    Failing requests are of one kind if they have the same route, outcome and place where the failure started (see
    `outcomes`); slow ones if they have the same route and the same step took the time. Kinds are few: of each outcome
    of a route, and of what is slow on it, the three most frequent causes are told apart and the others go together.

    Parameters
    ----------
    spans
        The spans. Pass whole traces: what was filtered away can be no cause.

    Returns
    -------
    One row per kind, failing ones first, with the most requests first, then slow ones, those first that lost the most
    time; then by names; at most 25 of either: `kind` (Enum: failing, slow), `service_name`, `route` (String, as
    `outcomes` has them), `outcome` (String, of failing requests as `outcomes` has it, of slow ones `slow`), `cause`
    (String, `service::operation` where the failure started that got to the root last, or that took the time; null for
    what goes together), `requests` (UInt32), `of` (UInt32, all requests of the route), `share`, `lower`, `upper`
    (Float64, with Wilson's interval of 95 %), `p50` (Duration, the median of the kind), `exemplar_trace_id` (String,
    the trace of the request whose duration is in the middle).

    Notes
    -----
    Slow is a request that did not fail, and that `outliers` tells from the others of its route: a robust score on a log
    scale above 3.5, which takes at least 20 requests that went well, and a duration of at least 1.5 times the median.
    The step that took the time is the operation whose time on the critical path exceeds what it takes on average in
    the other requests of the route by the most. One slow request is no kind.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... web::GET /pay   ======== kind=server http.response.status_code=502
    ...   web::POST     .===!    kind=client
    ...     bank::pay   ..=!     kind=server http.response.status_code=503
    ...
    ... web::GET /pay   ====     kind=server http.response.status_code=200
    ... ''')
    >>> request_kinds(spans).select("kind", "route", "outcome", "cause", "requests", "of").rows()
    [('failing', 'GET /pay', '502', 'bank::pay', 1, 2)]
    """
    with quietly():
        return kinds_of(Asked.of(spans.lazy().collect()))


def kinds_of(asked: Asked) -> pl.DataFrame:
    """Do so for requests that are known already."""
    both = pl.concat([_failing(asked), _slow(asked)])
    lower, upper = wilson(pl.col("requests"), pl.col("of"), confidence=_CONFIDENCE)
    return (
        both.join(asked.requests.group_by(ROUTE).len("of"), on=ROUTE, how="left")
        .with_columns(share=pl.col("requests") / pl.col("of"), lower=lower, upper=upper)
        .sort("kind", "order", *_KIND, descending=[False, True, *(False for _ in _KIND)], nulls_last=True)
        .group_by("kind", maintain_order=True)
        .head(_MOST)
        .select(
            "kind",
            *_KIND,
            "requests",
            pl.col("of").cast(pl.UInt32),
            "share",
            "lower",
            "upper",
            "p50",
            "exemplar_trace_id",
        )
    )


def main_causes(failures: pl.DataFrame) -> pl.DataFrame:
    """Choose for each request the failure that got to its root last: one row per place."""
    return (
        failures.filter("asked", "reached")
        .sort("start_time", "span_id", descending=[True, False])
        .unique("place", keep="first", maintain_order=True)
    )


def _failing(asked: Asked) -> pl.DataFrame:
    causes = main_causes(asked.failures).select("place", cause=pl.format(OPERATION, "service_name", "name"))
    failed = asked.requests.filter("failed").join(causes, on="place", how="left")
    return _told(failed, "failing").with_columns(order=pl.col("requests").cast(pl.Float64))


def _slow(asked: Asked) -> pl.DataFrame:
    slow = slow_requests(asked).with_columns(outcome=pl.lit("slow"), cause=pl.col("step"))
    lost = (pl.col("duration") - pl.col("typical")).dt.total_nanoseconds().cast(pl.Float64)
    return _told(slow.with_columns(order=lost), "slow").filter(pl.col("requests") >= _FEWEST)


def _told(requests: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Give a row per kind, with the request in the middle of each."""
    if "order" not in requests.columns:
        requests = requests.with_columns(order=pl.lit(0.0))
    counts = requests.group_by(_KIND).agg(pl.len(), pl.col("order").sum())
    by_weight = counts.sort("order", "len", "cause", descending=[True, True, False], nulls_last=True)
    main = by_weight.group_by(*_KIND[:3], maintain_order=True).head(_CAUSES).with_columns(kept=pl.col("cause"))
    folded = requests.join(main.select(*_KIND, "kept"), on=_KIND, how="left", nulls_equal=True)
    return (
        folded.with_columns(cause=pl.col("kept"))
        .sort("duration", "trace_id", "span_id")
        .group_by(_KIND, maintain_order=True)
        .agg(
            requests=pl.len().cast(pl.UInt32),
            p50=pl.col("duration").median().cast(DURATION),
            exemplar_trace_id=pl.col("trace_id").get((pl.len() - 1) // 2),
            order=pl.col("order").sum(),
        )
        .with_columns(kind=pl.lit(kind, dtype=KIND))
    )

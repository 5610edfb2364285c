"""Which requests are slow for their route, and which step of them took the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.critical_paths.paths import critical_path
from tracelab.analysis.latency.outliers import outliers
from tracelab.reporting.asking import OPERATION, ROUTE

if TYPE_CHECKING:
    from tracelab.reporting.asking import Asked

LEAST_REQUESTS: Final = 20
"""How many requests that went well a route must have to tell what is usual there."""

LEAST_TIMES: Final = 1.5
"""How many times the usual duration a slow request takes at least."""


def slow_requests(asked: Asked) -> pl.DataFrame:
    """Find the requests that went well and took far longer than their like, and where they spent what they took more.

    Slow is what `outliers` finds among the requests of a route that did not fail (a robust score on a log scale above
    3.5, in routes with at least 20 of them), and that took at least half as long again as the median. The step is the
    operation whose time on the critical path exceeds what it takes on average in the other requests of the route by
    the most.

    Returns
    -------
    One row per slow request, in order of places: the columns of `Asked.requests`, `typical` (Duration, the median of
    the route), `step` (String, `service::operation`), `step_service`, `step_name` (String), `excess` (Duration, what
    the step took more).
    """
    well = asked.requests.filter(~pl.col("failed") & ~pl.col("refused"))
    known = asked.frame[well["place"]].with_columns(well["route"])
    found = outliers(known, by=ROUTE, min_count=LEAST_REQUESTS).filter(pl.col("times") >= LEAST_TIMES)
    slow = well.join(found.select("trace_id", "span_id", "typical"), on=["trace_id", "span_id"], maintain_order="left")
    return slow.join(_steps(asked, well, slow), on="place", how="left", maintain_order="left")


def _steps(asked: Asked, well: pl.DataFrame, slow: pl.DataFrame) -> pl.DataFrame:
    """Say of each slow request which operation took more time on its path than it usually does."""
    routes = well.join(slow.select(ROUTE).unique(), on=ROUTE, how="semi")
    of_root = routes.select("trace_id", *ROUTE, "place", slow=pl.col("place").is_in(slow["place"].implode()))
    # The path of a request begins at its root; a trace may hold other fragments.
    roots = of_root.with_columns(root_span_id=routes["span_id"])
    sections = critical_path(asked.spans_of(routes)).rename({"service_name": "step_service", "name": "step_name"})
    step = ["step_service", "step_name"]
    times = (
        sections.lazy()
        .join(roots.lazy(), on=["trace_id", "root_span_id"])
        .group_by("place", *ROUTE, "slow", *step)
        .agg(pl.col("duration").sum())
    )
    usual = (
        times.filter(~pl.col("slow"))
        .group_by(*ROUTE, *step)
        .agg(pl.col("duration").sum().alias("usual"))
        .join(of_root.lazy().filter(~pl.col("slow")).group_by(ROUTE).len("others"), on=ROUTE)
        .select(*ROUTE, *step, usual=pl.col("usual") / pl.col("others"))
    )
    return (
        times.filter("slow")
        .join(usual, on=[*ROUTE, *step], how="left")
        .with_columns(excess=pl.col("duration") - pl.col("usual").fill_null(pl.duration()))
        .sort("place", "excess", *step, descending=[False, True, False, False])
        .group_by("place", maintain_order=True)
        .agg(pl.col(*step, "excess").first())
        .with_columns(pl.format(OPERATION, *step).alias("step"))
        .collect()
    )

"""Error rates: how often spans fail."""

from __future__ import annotations

from typing import Final

import polars as pl

from tracelab.analysis.failures import has_failed
from tracelab.analysis.grouping import By, Every, Spans, grouped_by, names_of
from tracelab.analysis.intervals import wilson
from tracelab.conforming import takes_any_frame
from tracelab.options import flag

_MADE: Final = ("spans", "errors", "error_rate", "lower", "upper", "exemplar_trace_id")
_ALL: Final = "__all"


@takes_any_frame
def error_rates(
    spans: Spans,
    *,
    by: By = "service_name",
    every: Every = None,
    entry_only: bool = True,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Measure how often spans fail.

    A span has failed if its status is error (the loaders read Jaeger's `error=true` and its kin as that). Where the
    status is unset, codes count as failures too, as the OpenTelemetry conventions have it, and for every format alike.
    Of HTTP (`http.response.status_code`, and only where that is missing `http.status_code`): 500 and more; a 4xx is the
    fault of who asked, and so a failure on client and producer spans only. Of gRPC (`rpc.grpc.status_code`,
    `rpc.response.status_code`, as number or name): on a server span UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED,
    INTERNAL, UNAVAILABLE and DATA_LOSS (2, 4, 12, 13, 14, 15), on a span of any other kind all but OK. A status of ok
    is the last word. Exception events alone are no failure: an exception may have been handled.

    Parameters
    ----------
    spans
        The spans.
    by
        What to tell apart: a column, an attribute's key, an expression, or a list of these. None: everything together.
    every
        The length of windows of time, such as `1m` or a timedelta; a span belongs to the window that it starts in.
    entry_only
        Only spans at which a request enters a service (see `is_entry`).
    confidence
        The confidence of the intervals.

    Returns
    -------
    One row per group and window, sorted by these: the columns of `by` under their names, `window` (Datetime, its start;
    only with `every`), `spans`, `errors` (UInt32), `error_rate`, `lower`, `upper` (Float64; Wilson's interval, 1927),
    `exemplar_trace_id` (String, the smallest id of a trace with such an error; null if there is none).

    Raises
    ------
    TracelabError
        The confidence does not lie between 0 and 1, or another option is not what it should be.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api ====!
    ...
    ... api ====
    ... ''')
    >>> error_rates(spans).select("service_name", "spans", "errors", "error_rate").row(0)
    ('api', 2, 1, 0.5)
    """
    groups = grouped_by(spans, by, every, made=_MADE)
    names = names_of(groups)
    lower, upper = wilson(pl.col("errors"), pl.col("spans"), confidence=confidence)
    rows = spans.lazy().filter(pl.col("entry")) if flag("entry_only", entry_only) else spans.lazy()
    return (
        rows.select(*groups, pl.col("trace_id").alias("__trace_id"), has_failed(spans).alias("__failed"))
        .group_by(names or [pl.lit(0).alias(_ALL)])
        .agg(
            spans=pl.len(),
            errors=pl.col("__failed").sum(),
            exemplar_trace_id=pl.col("__trace_id").filter(pl.col("__failed")).min(),
        )
        .select(
            *names,
            pl.col("spans", "errors").cast(pl.UInt32),
            error_rate=pl.col("errors") / pl.col("spans"),
            lower=lower,
            upper=upper,
            exemplar_trace_id="exemplar_trace_id",
        )
        .sort(names or ["spans"], nulls_last=True)
        .collect(engine="streaming")
    )

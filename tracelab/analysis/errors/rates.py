"""Error rates: how often spans fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.failures import has_failed
from tracelab.analysis.grouping import By, Every, Spans, grouped_by, names_of
from tracelab.analysis.intervals import checked_confidence, wilson
from tracelab.conforming import takes_any_frame
from tracelab.options import flag
from tracelab.sampling.estimation.samples import Sample
from tracelab.sampling.estimation.shares import shares
from tracelab.sampling.estimation.totals import totals
from tracelab.sampling.estimation.weighing import (
    WEIGHT,
    checked_weights,
    counted,
    estimated,
    estimated_names,
    floats,
    grouped,
    quality,
    weight_column,
)

if TYPE_CHECKING:
    from tracelab.sampling.estimation.weighing import Weights

_RATE: Final = ("spans", "errors", "error_rate", "lower", "upper")
_EXEMPLAR: Final = "exemplar_trace_id"
_ALL: Final = "__all"


@takes_any_frame
def error_rates(
    spans: Spans,
    *,
    by: By = "service_name",
    every: Every = None,
    entry_only: bool = True,
    confidence: float = 0.95,
    weights: Weights = None,
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
    weights
        How many spans each span stands for, where spans were sampled: a column, such as the `sampling_weight` of
        `with_weights`, or an expression; null is not known. Without, every span counts once.

    Returns
    -------
    One row per group and window, sorted by these: the columns of `by` under their names, `window` (Datetime, its start;
    only with `every`), `spans`, `errors` (UInt32), `error_rate`, `lower`, `upper` (Float64; Wilson's interval, 1927),
    `exemplar_trace_id` (String, the smallest id of a trace with such an error; null if there is none).

    With `weights` the rate and its bounds are of all spans that there were, `spans` and `errors` those that were seen,
    and before `exemplar_trace_id` stand `estimated_spans`, `estimated_spans_lower`, `estimated_spans_upper`,
    `estimated_errors`, `estimated_errors_lower`, `estimated_errors_upper` (Float64), `effective_sample_size` (Float64,
    how many traces, each with as many spans and the same weight, would tell as much), `unknown_weight` (UInt32, spans
    whose weight is null). Where there is such a span, what would rest on it is null.

    Raises
    ------
    TracelabError
        The confidence does not lie between 0 and 1, or another option is not what it should be, or a weight is none.

    Notes
    -----
    With weights the intervals say what *all* traces of the time would have shown, had none been dropped: what is kept
    with certainty is not uncertain. Without, they say what other spans of the same kind would show. All spans of a
    trace are taken to be kept or dropped together. A weight stands for others that were dropped by chance: of what is
    never kept (no policy matches it) no weight can tell, and `sampling_report` says where a policy does so. Where all
    errors that were seen were sure to be kept, and others were not, all errors are taken to be kept.

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
    weight = weight_column(spans, weights)
    groups = grouped_by(
        spans, by, every, made=[*_RATE, *(estimated_names("spans", "errors") if weight else []), _EXEMPLAR]
    )
    if weight:
        return _weighted(spans, groups, weight, entry_only=flag("entry_only", entry_only), confidence=confidence)
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
            exemplar_trace_id=_EXEMPLAR,
        )
        .sort(names or ["spans"], nulls_last=True)
        .collect(engine="streaming")
    )


def _weighted(
    spans: Spans, groups: list[pl.Expr], weight: list[pl.Expr], *, entry_only: bool, confidence: float
) -> pl.DataFrame:
    """Answer with what each span stands for."""
    confidence = checked_confidence(confidence)
    names = names_of(groups)
    rows = (
        spans.lazy()
        .filter(pl.col("entry") if entry_only else pl.lit(value=True))
        .select(*groups, *weight, pl.col("trace_id").alias("__trace_id"), has_failed(spans).alias("__failed"))
        .collect()
    )
    found, group = grouped(rows, names)
    sample = Sample.of(rows["__trace_id"], group, checked_weights(rows[WEIGHT]), groups=found.height)
    failed = rows["__failed"].fill_null(value=False).to_numpy()
    rate = shares(sample, failed, confidence=confidence)
    exemplars = (
        pl.LazyFrame({"group": group, "id": rows["__trace_id"], "failed": failed})
        .filter("failed")
        .group_by("group")
        .agg(pl.col("id").min())
        .collect()
    )
    return (
        found.lazy()
        .with_columns(
            pl.Series("spans", np.bincount(group, minlength=found.height)).cast(pl.UInt32),
            pl.Series("errors", np.bincount(group, weights=failed, minlength=found.height)).cast(pl.UInt32),
            floats("error_rate", rate.value),
            floats("lower", rate.lower),
            floats("upper", rate.upper),
            pl.Series(_EXEMPLAR, np.arange(found.height)).replace_strict(
                exemplars["group"], exemplars["id"], default=None, return_dtype=pl.String
            ),
            *counted("spans", sample, confidence=confidence),
            *estimated("errors", totals(sample, failed, confidence=confidence)),
            *quality(sample),
        )
        .select(*names, *_RATE, *estimated_names("spans", "errors"), _EXEMPLAR)
        .sort(names or ["spans"], nulls_last=True)
        .collect()
    )

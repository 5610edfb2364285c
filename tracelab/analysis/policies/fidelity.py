"""What a policy keeps, and what the figures of what it keeps are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.analysis.errors.rates import error_rates
from tracelab.analysis.grouping import By, Every, Spans, grouped_by, names_of
from tracelab.analysis.latency.percentiles import latency_percentiles, percentile_names
from tracelab.analysis.policies.replayed import BROKEN, BYTES, TRACE, measured, replayed
from tracelab.conforming import takes_any_frame
from tracelab.options import flag
from tracelab.options import quantiles as checked_quantiles
from tracelab.sampling.decided import SAMPLING_WEIGHT
from tracelab.sampling.deciding import KEPT, UNTOLD

if TYPE_CHECKING:
    from collections.abc import Sequence

QUANTILES: Final = (0.5, 0.95, 0.99)
_ALL: Final = "__all"
_TRACES: Final = ("traces", "traces_kept")
_VOLUMES: Final = ("spans", "spans_kept", "bytes", "bytes_kept", "broken_traces")
_ASKED: Final = ("requests", "requests_kept", "errors", "errors_kept")
_RATES: Final = ("error_rate", "error_rate_kept", "error_rate_weighted", "error_rate_lower", "error_rate_upper")
_ESTIMATES: Final = ("_weighted", "_lower", "_upper")
_KNOWN: Final = ("effective_sample_size", "unknown_weight")
_TRUST: Final = (*_KNOWN, "untold_requests")


@takes_any_frame
def sampling_report(
    spans: Spans,
    policy: Any,
    *,
    by: By = "service_name",
    every: Every = None,
    quantiles: Sequence[float] | float = QUANTILES,
    entry_only: bool = True,
    confidence: float = 0.95,
    arrival: Any = None,
    missing_parents: str = "root",
) -> pl.DataFrame:
    """Say what a sampling policy would have kept of these spans, and how right its figures would have been.

    Every figure stands three times: as it is, as one reads it off the kept spans when every span counts once (which is
    what most tools show), and estimated from the kept spans by their weights, with the interval of that.

    Parameters
    ----------
    spans
        The spans, taken for all that there was.
    policy
        A head sampler, or a fleet of them, or tail policies, as `sampling_decisions` takes them.
    by
        What to tell apart: a column, an attribute's key, an expression, or a list of these. None: everything together.
    every
        The length of windows of time, such as `1m`; a span belongs to the window that it starts in.
    quantiles
        Which quantiles of the durations.
    entry_only
        Durations and errors only of spans at which a request enters a service (see `is_entry`).
    confidence
        The confidence of the intervals.
    arrival
        Of tail policies: when each span came, as in `sample_tail`.
    missing_parents
        Of head samplers: what became of parents that are not in the frame, as in `sample_head`.

    Returns
    -------
    One row per group and window, sorted by these: the columns of `by` under their names, `window` (Datetime, its start;
    only with `every`), `traces`, `traces_kept` (UInt32; a trace is kept where one of its spans is), `error_rate`,
    `error_rate_kept`, `error_rate_weighted`, `error_rate_lower`, `error_rate_upper` (Float64), then for each quantile,
    named as a percentile, `p95`, `p95_kept`, `p95_weighted`, `p95_lower`, `p95_upper` (Duration),
    `effective_sample_size` (Float64, see `latency_percentiles`), `unknown_weight` (UInt32, kept requests whose
    probability is not known: what rests on them is null), `untold_requests` (UInt32, requests that are not kept, and
    for which no kept one stands: the policy never keeps their like, or with a probability that is not known; where
    there are any, all that is weighted is null, as no weight makes up for what is never seen), `requests`,
    `requests_kept`, `errors`, `errors_kept` (UInt32, of entry spans), `spans`, `spans_kept` (UInt32), `bytes`,
    `bytes_kept` (Int64, of the spans as protobuf of OTLP; resources, which are sent once per request, are not in it)
    and `broken_traces` (UInt32, traces of which a kept span lost its parent to the policy).

    Raises
    ------
    TracelabError
        The policy is refused, or another option is not what it should be.
    SchemaError
        The spans cannot be conformed, or `arrival` gives no times.

    Examples
    --------
    >>> from tracelab.sampling import presets
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api  ==========
    ...   db ..=====!
    ...
    ... api  ====
    ... ''')
    >>> report = sampling_report(spans, presets.production(ratio=0))
    >>> report.select("service_name", "traces", "traces_kept", "error_rate", "error_rate_kept").rows()
    [('api', 2, 1, 0.0, 0.0), ('db', 1, 1, 1.0, 1.0)]
    """
    wanted = checked_quantiles(quantiles)
    options = {"by": by, "every": every, "entry_only": flag("entry_only", entry_only), "confidence": confidence}
    keys = grouped_by(spans, by, every, made=[*_TRACES, *_RATES, *_TRUST, *_ASKED, *_VOLUMES])
    frame = replayed(measured(spans.lazy().collect()), policy, arrival=arrival, missing_parents=missing_parents)
    names = names_of(keys)
    true = true_figures(frame, names, wanted, options)
    found = compared_figures(true, frame, names, wanted, options)
    told = _joined([_volumes(frame, keys, names), found], names)
    counts = pl.col(*_ASKED, "unknown_weight").fill_null(0)
    percentiles = [f"{name}{end}" for name in percentile_names(wanted) for end in ("", "_kept", *_ESTIMATES)]
    # Wide tables are read from the left: first what the question was, the volumes at the end.
    columns = [*names, *_TRACES, *_RATES, *percentiles, *_TRUST, *_ASKED, *_VOLUMES]
    return told.with_columns(counts).select(columns).sort(names or "traces", nulls_last=True)


def true_figures(
    frame: pl.DataFrame, names: list[str], quantiles: list[float], options: dict[str, Any]
) -> pl.DataFrame:
    """Measure error rates and percentiles of all there was."""
    rates = error_rates(frame, **options).select(*names, "error_rate", "errors", requests="spans")
    lengths = latency_percentiles(frame, quantiles=quantiles, wide=True, **options)
    return _joined([rates, lengths.select(*names, *percentile_names(quantiles))], names)


def compared_figures(
    true: pl.DataFrame, told: pl.DataFrame, names: list[str], quantiles: list[float], options: dict[str, Any]
) -> pl.DataFrame:
    """Put beside true figures those of the spans that a policy keeps, as kept and estimated.

    Where some requests are such as are never kept there is no estimate.
    """
    untold = error_rates(told.filter(UNTOLD), **options).select(*names, untold_requests="spans")
    found = _joined([true, *_kept_figures(told.filter(KEPT), names, quantiles, options), untold], names)
    estimates = [f"{name}{end}" for name in ("error_rate", *percentile_names(quantiles)) for end in _ESTIMATES]
    return found.with_columns(pl.col("untold_requests").fill_null(0)).with_columns(
        pl.when(pl.col("untold_requests") == 0).then(pl.col(estimates))
    )


def _kept_figures(
    kept: pl.DataFrame, names: list[str], quantiles: list[float], options: dict[str, Any]
) -> list[pl.DataFrame]:
    """Measure error rates and percentiles of the spans that a policy keeps: as kept, then estimated by weights."""
    percentiles = percentile_names(quantiles)
    lengths = {**options, "quantiles": quantiles, "wide": True}
    return [
        error_rates(kept, **options).select(
            *names, error_rate_kept="error_rate", requests_kept="spans", errors_kept="errors"
        ),
        error_rates(kept, weights=SAMPLING_WEIGHT, **options).select(
            *names, *_KNOWN, error_rate_weighted="error_rate", error_rate_lower="lower", error_rate_upper="upper"
        ),
        latency_percentiles(kept, **lengths).select(*names, pl.col(percentiles).name.suffix("_kept")),
        latency_percentiles(kept, weights=SAMPLING_WEIGHT, **lengths).select(
            *names,
            pl.col(percentiles).name.suffix("_weighted"),
            *(f"{name}_{end}" for name in percentiles for end in ("lower", "upper")),
        ),
    ]


def _joined(parts: list[pl.DataFrame], names: list[str]) -> pl.DataFrame:
    """Put answers about the same groups side by side, for the groups of the first."""
    first, *others = (part.lazy() if names else part.lazy().with_columns(pl.lit(0).alias(_ALL)) for part in parts)
    for part in others:
        first = first.join(part, on=names or [_ALL], how="left", nulls_equal=True)
    return first.drop(_ALL, strict=False).collect()


def _volumes(frame: pl.DataFrame, keys: list[pl.Expr], names: list[str]) -> pl.DataFrame:
    """Count what there is and what is kept of it."""
    rows = frame.lazy().select(*keys, TRACE, BYTES, KEPT, BROKEN)
    grouped = rows.group_by(names) if names else rows.group_by(pl.lit(0).alias(_ALL))
    return (
        grouped.agg(
            traces=pl.col(TRACE).n_unique(),
            traces_kept=pl.col(TRACE).filter(KEPT).n_unique(),
            spans=pl.len(),
            spans_kept=pl.col(KEPT).sum(),
            bytes=pl.col(BYTES).sum(),
            bytes_kept=pl.col(BYTES).filter(KEPT).sum(),
            broken_traces=pl.col(TRACE).filter(BROKEN).n_unique(),
        )
        .with_columns(pl.col("traces", "traces_kept", "spans", "spans_kept", "broken_traces").cast(pl.UInt32))
        .collect()
    )

"""How long things take: exact quantiles with intervals, of spans and of whole traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.analysis.grouping import By, Spans, keys, names_of, required, window
from tracelab.analysis.intervals import checked_confidence, order_statistics
from tracelab.analysis.summary import whole_traces
from tracelab.errors import TracelabError
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.analysis.forest import Ints

Floats: TypeAlias = npt.NDArray[np.float64]

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)
_LENGTH, _TRACE, _ORDER, _ALL = "__duration", "__trace_id", "__order", "__all"


def latency_percentiles(
    spans: Spans,
    *,
    by: By = "service_name",
    quantiles: Sequence[float] = QUANTILES,
    every: str | None = None,
    entry_only: bool = True,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Measure how long spans take.

    Parameters
    ----------
    spans
        The spans.
    by
        What to tell apart: a column, an attribute's key, an expression, or a list of these. None: everything together.
    quantiles
        Which quantiles, as shares of 1. They interpolate linearly between the two nearest spans.
    every
        The length of windows of time, such as `1m`; a span belongs to the window that it starts in.
    entry_only
        Only spans at which a request enters a service (see `is_entry`): what its callers wait for.
    confidence
        The confidence of the intervals.

    Returns
    -------
    One row per group, window and quantile, sorted by these: the columns of `by` under their names, `window` (Datetime,
    its start; only with `every`), `quantile` (Float64), `duration` (Duration), `lower`, `upper` (Duration, the
    confidence interval; null where the group is too small to have one), `count` (UInt32, the spans of the group),
    `exemplar_trace_id` (String, the trace of the span that is nearest to the quantile).

    Raises
    ------
    TracelabError
        A quantile or the confidence does not lie between 0 and 1, or `every` is no length of time.

    Notes
    -----
    The intervals are those of order statistics: they hold whatever the distribution, and their bounds are durations
    that were seen. They take spans for independent, which spans of one trace are not quite. For whole traces see
    `trace_latency_percentiles`.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api ====
    ...
    ... api ======
    ... ''')
    >>> latency_percentiles(spans, quantiles=[0.5]).select("quantile", "duration", "count").row(0)
    (0.5, datetime.timedelta(microseconds=5000), 2)
    """
    required(spans, "trace_id", "start_time", "duration", "entry")
    groups = [*keys(spans, by), *window(every)]
    rows = spans.lazy().filter(pl.col("entry")) if entry_only else spans.lazy()
    return _percentiles(rows, groups, quantiles, confidence)


def trace_latency_percentiles(
    spans: Spans,
    *,
    by: By = ("service_name", "name"),
    quantiles: Sequence[float] = QUANTILES,
    every: str | None = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Measure how long whole traces take, from the first start to the last end of any span.

    Parameters
    ----------
    spans
        The spans. Pass whole traces: a trace whose spans were filtered is as long as what is left of it.
    by
        What to tell apart, as in `latency_percentiles`, read from the span that begins the trace: its root (the one
        that starts first where there are several or none).
    quantiles, every, confidence
        As in `latency_percentiles`.

    Returns
    -------
    One row per group, window and quantile, with the columns of `latency_percentiles`: those of `by`, `window`
    (Datetime; only with `every`), `quantile` (Float64), `duration`, `lower`, `upper` (Duration), `count` (UInt32, the
    traces of the group), `exemplar_trace_id` (String).

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    ====
    ...   mail  ...=======
    ... ''')
    >>> trace_latency_percentiles(spans, quantiles=[0.5])["duration"].item()
    datetime.timedelta(microseconds=10000)
    """
    traces = whole_traces(spans, keys(spans, by))
    named = [pl.col(key) for key in names_of(keys(spans, by))]
    return _percentiles(traces.lazy(), [*named, *window(every)], quantiles, confidence)


def _percentiles(
    rows: pl.LazyFrame, groups: list[pl.Expr], quantiles: Sequence[float], confidence: float
) -> pl.DataFrame:
    shares = np.array(_checked_quantiles(quantiles))
    names = names_of(groups)
    length = pl.col("duration").to_physical().alias(_LENGTH)
    rows_in = rows.select(*groups, length, pl.col("trace_id").alias(_TRACE)).with_row_index(_ORDER).collect()
    by: list[str] | list[pl.Expr] = names or [pl.lit(0).alias(_ALL)]
    grouped = rows_in.lazy().group_by(by).agg(pl.col(_ORDER).sort_by(_LENGTH, maintain_order=True)).collect()
    order = grouped[_ORDER].explode().to_numpy().astype(np.int64)
    counts = grouped[_ORDER].list.len().to_numpy().astype(np.int64)
    values = rows_in[_LENGTH].to_numpy()[order]
    begins = (np.cumsum(counts) - counts)[:, None]
    exact = (counts[:, None] - 1) * shares
    below = exact.astype(np.int64)
    low, high = values[begins + below], values[begins + np.minimum(below + 1, counts[:, None] - 1)]
    duration = low + np.rint((exact - below) * (high - low)).astype(np.int64)
    nearest = begins + np.rint(exact).astype(np.int64)
    lower, upper = _bounds(values, begins, counts, shares, checked_confidence(confidence))
    return (
        grouped[np.repeat(np.arange(counts.size), shares.size)]
        .select(
            *names,
            pl.Series("quantile", np.tile(shares, counts.size), dtype=pl.Float64),
            pl.Series("duration", duration.ravel()).cast(DURATION),
            pl.Series("lower", lower, dtype=pl.Int64).cast(DURATION),
            pl.Series("upper", upper, dtype=pl.Int64).cast(DURATION),
            pl.Series("count", np.repeat(counts, shares.size)).cast(pl.UInt32),
            _exemplars(rows_in[_TRACE], order, values, begins.ravel(), nearest.ravel()),
        )
        .sort([*names, "quantile"], nulls_last=True)
    )


def _checked_quantiles(quantiles: Sequence[float]) -> list[float]:
    wanted = sorted(set(quantiles))
    for quantile in wanted:
        if not 0 <= quantile <= 1:
            raise TracelabError(f"A quantile lies between 0 and 1, got {quantile!r}. The 95th percentile is 0.95.")
    return [float(quantile) for quantile in wanted]


def _bounds(
    values: Ints, begins: Ints, counts: Ints, shares: Floats, confidence: float
) -> tuple[list[int | None], list[int | None]]:
    """Look up the order statistics that bound every quantile; groups of one size have the same places."""
    lower: list[int | None] = []
    upper: list[int | None] = []
    for begin, count in zip(begins.ravel().tolist(), counts.tolist(), strict=True):
        for share in shares.tolist():
            places = order_statistics(count, share, confidence)
            lower.append(None if places is None else int(values[begin + places[0]]))
            upper.append(None if places is None else int(values[begin + places[1]]))
    return lower, upper


def _exemplars(traces: pl.Series, order: Ints, values: Ints, begins: Ints, nearest: Ints) -> pl.Series:
    """Name for each quantile the trace of its nearest span; of spans that last equally long the smallest trace id."""
    fresh = np.concatenate(([True], values[1:] != values[:-1]))[: values.size]
    fresh[begins] = True
    run = np.cumsum(fresh) - 1
    wanted, which = np.unique(run[nearest], return_inverse=True)
    looked_at = np.zeros(values.size, dtype=bool)
    looked_at[np.flatnonzero(fresh)[wanted]] = True
    within = np.flatnonzero(looked_at[np.flatnonzero(fresh)[run]]) if values.size else order
    found = (
        pl.DataFrame({"run": run[within], "trace": traces.gather(order[within])})
        .group_by("run")
        .agg(pl.col("trace").min())
        .sort("run")
    )
    return found["trace"].gather(which).alias("exemplar_trace_id")

"""Histograms: how durations are spread, and how that changes over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.grouping import grouped_by, names_of
from tracelab.conforming import takes_any_frame
from tracelab.options import flag, whole
from tracelab.sampling.estimation.samples import Sample
from tracelab.sampling.estimation.weighing import (
    WEIGHT,
    checked_weights,
    counted,
    estimated_names,
    grouped,
    quality,
    weight_column,
)
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.analysis.grouping import By, Every, Spans
    from tracelab.array_types import Ints
    from tracelab.sampling.estimation.weighing import Weights

_LENGTH, _TRACE, _BIN, _FAILED = "__duration", "__trace_id", "__bin", "__failed"
_NARROWEST: Final = 1
_MOST_BINS: Final = 10_000
_CONFIDENCE: Final = 0.95
_MADE: Final = ("lower", "upper", "count", "exemplar_trace_id")


@takes_any_frame
def latency_histogram(
    spans: Spans,
    *,
    by: By = None,
    every: Every = "1m",
    bins: int = 40,
    entry_only: bool = True,
    weights: Weights = None,
) -> pl.DataFrame:
    """Count spans by how long they took, over time.

    Bins grow by a constant factor, from the shortest to the longest duration in the frame, and are the same for all
    groups and windows.

    Parameters
    ----------
    spans
        The spans.
    by
        What to tell apart: a column, an attribute's key, an expression, or a list of these. None: everything together.
    every
        The length of windows of time, such as `1m` or a timedelta; a span belongs to the window that it starts in.
        None: no windows.
    bins
        How many bins at most, up to 10,000; whole nanoseconds may leave fewer.
    entry_only
        Only spans at which a request enters a service (see `is_entry`).
    weights
        How many spans each span stands for, where spans were sampled: a column, such as the `sampling_weight` of
        `with_weights`, or an expression; null is not known. Without, every span counts once.

    Returns
    -------
    One row per group, window and bin that has spans, sorted by these: the columns of `by` under their names, `window`
    (Datetime, its start; only with `every`), `lower`, `upper` (Duration; a bin holds what is at least `lower` and less
    than `upper`, the last one its `upper` too), `count` (UInt32), `exemplar_trace_id` (String, the smallest trace id).

    With `weights` before `exemplar_trace_id` stand `estimated_count`, `estimated_count_lower`, `estimated_count_upper`
    (Float64, how many spans there were, with an interval of 95 %), `effective_sample_size` (Float64, how many traces,
    each with as many spans and the same weight, would tell as much), `unknown_weight` (UInt32, spans whose weight is
    null). Where there is such a span, the others are null.

    Raises
    ------
    TracelabError
        `bins` is no number of bins, or another option is not what it should be, or a weight is none.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api =
    ...
    ... api ====
    ...
    ... api ==
    ... ''')
    >>> bins = latency_histogram(spans, bins=2, every=None)
    >>> bins.select(pl.col("lower", "upper").dt.total_milliseconds(), "count").rows()
    [(1, 2, 1), (2, 4, 2)]
    """
    most = whole("bins", bins, least=1, most=_MOST_BINS)
    weight = weight_column(spans, weights)
    groups = grouped_by(spans, by, every, made=(*_MADE, *(estimated_names("count") if weight else ())))
    names = names_of(groups)
    rows = spans.lazy().filter(pl.col("entry")) if flag("entry_only", entry_only) else spans.lazy()
    selected = rows.select(
        *groups, *weight, pl.col("duration").to_physical().alias(_LENGTH), pl.col("trace_id").alias(_TRACE)
    ).collect()
    edges = _edges(selected[_LENGTH], most)
    inner = edges[1:-1]
    bin_of = np.searchsorted(inner, selected[_LENGTH].to_numpy(), side="right")
    lower, upper = pl.Series(edges[:-1]).cast(DURATION), pl.Series(edges[1:]).cast(DURATION)
    binned = selected.with_columns(pl.Series(_BIN, bin_of).cast(pl.UInt32))
    answer = (
        binned.lazy()
        .group_by(*names, _BIN)
        .agg(count=pl.len().cast(pl.UInt32), exemplar_trace_id=pl.col(_TRACE).min())
        .sort([*names, _BIN], nulls_last=True)
        .collect()
    )
    if weight:
        estimates, on = _estimates(binned, [*names, _BIN]), [*names, _BIN]
        answer = answer.join(estimates, on=on, how="left", nulls_equal=True, maintain_order="left")
    return answer.select(
        *names,
        pl.lit(lower).gather(pl.col(_BIN)).alias("lower"),
        pl.lit(upper).gather(pl.col(_BIN)).alias("upper"),
        "count",
        *(estimated_names("count") if weight else ()),
        "exemplar_trace_id",
    )


def _estimates(binned: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Estimate for each group and bin how many spans there were."""
    found, group = grouped(binned, names)
    sample = Sample.of(binned[_TRACE], group, checked_weights(binned[WEIGHT]), groups=found.height)
    return found.with_columns(*counted("count", sample, confidence=_CONFIDENCE), *quality(sample))


def _edges(lengths: pl.Series, bins: int) -> Ints:
    """Give the edges of the bins in nanoseconds; the first bin begins at 0 where some span takes no time."""
    values = lengths.to_numpy()
    positive = values[values > 0]
    if not positive.size:
        return np.array([0, _NARROWEST])
    low, high = int(positive.min()), int(positive.max())
    edges = np.unique(np.rint(np.geomspace(low, high, bins + 1)).astype(np.int64))
    edges[0], edges[-1] = low, high
    if edges.size < 2:
        edges = np.array([low, low + _NARROWEST])
    if positive.size < values.size:
        edges[0] = 0
    return edges

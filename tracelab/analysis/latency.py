"""How long things take: exact quantiles with intervals, of spans and of whole traces."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.analysis.grouping import By, Spans, keys, names_of, required, window
from tracelab.analysis.intervals import checked_confidence, order_statistics
from tracelab.analysis.summary import whole_traces
from tracelab.conforming import takes_any_frame
from tracelab.errors import TracelabError
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.analysis.forest import Ints

Floats: TypeAlias = npt.NDArray[np.float64]

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)
_LENGTH, _TRACE, _ALL = "__duration", "__trace_id", "__all"
_WORTH_A_THREAD: Final = 512
_WORTH_SELECTING: Final = 4096


@takes_any_frame
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


@takes_any_frame
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
    found = rows.select(*groups, length, pl.col("trace_id").alias(_TRACE), pl.lit(0).alias(_ALL)).collect()
    grouped = found.lazy().group_by(names or _ALL).agg(_LENGTH).collect()
    lengths = grouped[_LENGTH].explode().to_numpy()
    counts = grouped[_LENGTH].list.len().to_numpy().astype(np.int64)
    begins = np.cumsum(counts) - counts
    exact = (counts[:, None] - 1) * shares
    below = exact.astype(np.int64)
    above = np.minimum(below + 1, counts[:, None] - 1)
    bounds = _bounds(counts, shares, checked_confidence(confidence))
    values = _arranged(lengths, begins, counts, np.concatenate((below, above, *bounds), axis=1))
    low, high, *limits = (values[begins[:, None] + places] for places in (below, above, *bounds))
    nearest = values[begins[:, None] + np.rint(exact).astype(np.int64)]
    known = pl.Series((bounds[0] >= 0).ravel())
    repeated = grouped.select(names or _ALL)[np.repeat(np.arange(counts.size), shares.size)].with_columns(
        pl.Series("quantile", np.tile(shares, counts.size), dtype=pl.Float64),
        _durations("duration", low + np.rint((exact - below) * (high - low)).astype(np.int64)),
        _durations("lower", limits[0]),
        _durations("upper", limits[1]),
        pl.Series("count", np.repeat(counts, shares.size)).cast(pl.UInt32),
        pl.Series(_LENGTH, nearest.ravel()),
    )
    return (
        _with_exemplars(repeated, found, names or [_ALL])
        .select(
            *names,
            "quantile",
            "duration",
            pl.when(known).then("lower").alias("lower"),
            pl.when(known).then("upper").alias("upper"),
            "count",
            "exemplar_trace_id",
        )
        .sort([*names, "quantile"], nulls_last=True)
        .collect()
    )


def _checked_quantiles(quantiles: Sequence[float]) -> list[float]:
    wanted = sorted(set(quantiles))
    for quantile in wanted:
        if not 0 <= quantile <= 1:
            raise TracelabError(f"A quantile lies between 0 and 1, got {quantile!r}. The 95th percentile is 0.95.")
    return [float(quantile) for quantile in wanted]


def _bounds(counts: Ints, shares: Floats, confidence: float) -> tuple[Ints, Ints]:
    """Give the places of the order statistics that bound each quantile of each group, -1 where there are none."""
    sizes, which = np.unique(counts, return_inverse=True)
    places = [
        order_statistics(size, share, confidence) or (-1, -1) for size in sizes.tolist() for share in shares.tolist()
    ]
    table = np.array(places, dtype=np.int64).reshape(sizes.size, shares.size, 2)[which]
    return table[..., 0], table[..., 1]


def _arranged(lengths: Ints, begins: Ints, counts: Ints, places: Ints) -> Ints:
    """Put into the places that matter what would be there if each group was sorted; small groups are sorted."""
    values = lengths.copy()

    def arrange(group: int) -> None:
        begin, count = int(begins[group]), int(counts[group])
        block = values[begin : begin + count]
        if count < _WORTH_SELECTING:
            block.sort()
        else:
            block.partition(np.unique(np.maximum(places[group], 0)))

    for group in np.flatnonzero((counts > 1) & (counts < _WORTH_A_THREAD)).tolist():
        arrange(group)
    with ThreadPoolExecutor() as threads:
        list(threads.map(arrange, np.flatnonzero(counts >= _WORTH_A_THREAD).tolist()))
    return values


def _with_exemplars(quantiles: pl.DataFrame, spans: pl.DataFrame, names: list[str]) -> pl.LazyFrame:
    """Name for each quantile the trace of its nearest span; of spans that last equally long the smallest trace id."""
    first = (
        spans.lazy()
        .filter(pl.col(_LENGTH).is_in(quantiles[_LENGTH].unique().implode()))
        .group_by(*names, _LENGTH)
        .agg(exemplar_trace_id=pl.col(_TRACE).min())
    )
    return quantiles.lazy().join(first, on=[*names, _LENGTH], how="left", nulls_equal=True, maintain_order="left")


def _durations(name: str, nanoseconds: Ints) -> pl.Series:
    return pl.Series(name, nanoseconds.ravel()).cast(DURATION)

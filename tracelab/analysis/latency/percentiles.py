"""Percentiles: exact quantiles with intervals, of spans and of whole traces."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import numpy as np
import polars as pl

from tracelab.analysis.grouping import By, Every, Spans, grouped_by, keys, names_of, window
from tracelab.analysis.intervals import NOWHERE, checked_confidence, lone_order_statistic, order_statistics
from tracelab.analysis.traces import whole_traces
from tracelab.conforming import takes_any_frame
from tracelab.options import choice, flag
from tracelab.options import quantiles as checked_quantiles
from tracelab.sampling.estimation.quantiles import quantiles as weighted_quantiles
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
    from collections.abc import Sequence

    from tracelab.array_types import Flags, Floats, Ints
    from tracelab.sampling.estimation.weighing import Weights

Order: TypeAlias = Literal["keys", "worst"]

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)
_LENGTH, _TRACE, _ALL, _WORST = "__duration", "__trace_id", "__all", "__worst"
_MADE: Final = ("quantile", "duration", "lower", "upper", "count", "exemplar_trace_id")
_NOT_KNOWN: Final = -1
_WORTH_A_THREAD: Final = 512
_WORTH_SELECTING: Final = 4096


@dataclass(frozen=True, slots=True)
class _Percentiles:
    """The quantiles of every group: arrays with a row per group and a column per quantile.

    Attributes
    ----------
    names
        The columns that tell groups apart.
    spans, groups
        What was measured, and the groups with their columns.
    counts
        How many were measured in each group.
    lengths
        The quantiles in nanoseconds.
    limits, known
        Their lower and upper bounds, and which of these there are.
    nearest
        The length of the span that is nearest to each.
    estimates
        With weights the further columns of each group.
    """

    names: list[str]
    spans: pl.DataFrame
    groups: pl.DataFrame
    counts: Ints
    lengths: Ints
    limits: tuple[Ints, Ints]
    known: tuple[Flags, Flags]
    nearest: Ints
    estimates: tuple[pl.Series, ...] = ()


@takes_any_frame
def latency_percentiles(
    spans: Spans,
    *,
    by: By = "service_name",
    quantiles: Sequence[float] | float = QUANTILES,
    every: Every = None,
    entry_only: bool = True,
    confidence: float = 0.95,
    wide: bool = False,
    order: Order | None = None,
    weights: Weights = None,
) -> pl.DataFrame:
    """Measure how long spans take.

    Parameters
    ----------
    spans
        The spans.
    by
        What to tell apart: a column, an attribute's key, an expression, or a list of these. None: everything together.
    quantiles
        Which quantiles, as shares of 1; a single number is one. They interpolate linearly between the two nearest
        spans.
    every
        The length of windows of time, such as `1m` or a timedelta; a span belongs to the window that it starts in.
    entry_only
        Only spans at which a request enters a service (see `is_entry`): what its callers wait for.
    confidence
        The confidence of the intervals.
    wide
        Put the quantiles of a group side by side.
    order
        `"keys"`: by the columns of `by`, then by window. `"worst"`: the groups (and windows) whose highest quantile is
        longest come first, then by keys. Without: worst first where quantiles stand side by side, else by keys.
    weights
        How many spans each span stands for, where spans were sampled: a column, such as the `sampling_weight` of
        `with_weights`, or an expression; null is not known. Without, every span counts once.

    Returns
    -------
    One row per group, window and quantile, in that order: the columns of `by` under their names, `window` (Datetime,
    its start; only with `every`), `quantile` (Float64), `duration` (Duration), `lower`, `upper` (Duration, the
    confidence interval; see below where one or both are null), `count` (UInt32, the spans of the group),
    `exemplar_trace_id` (String, the trace of the span that is nearest to the quantile).

    With `wide` one row per group and window: the columns of `by`, `window`, `count`, then for each quantile, named as a
    percentile, `p50`, `p50_lower`, `p50_upper` (Duration) and so on (0.999 is `p99.9`), and `exemplar_trace_id` (of the
    highest quantile).

    With `weights` quantiles and bounds are of all spans that there were, `count` is of those that were seen, and before
    `exemplar_trace_id` stand `estimated_count`, `estimated_count_lower`, `estimated_count_upper` (Float64),
    `effective_sample_size` (Float64, how many traces, each with as many spans and the same weight, would tell as much),
    `unknown_weight` (UInt32, spans whose weight is null). Where there is such a span, what would rest on it is null.

    Raises
    ------
    TracelabError
        A quantile or the confidence does not lie between 0 and 1, or another option is not what it should be, or a
        weight is none.

    Notes
    -----
    The intervals are those of order statistics: they hold whatever the distribution, and their bounds are durations
    that were seen. They take spans for independent, which spans of one trace are not quite. For whole traces see
    `trace_latency_percentiles`.

    Each bound is wrong in at most half of the cases that the confidence leaves, so both together in no more than it
    leaves. A group may be too small to have both. Then one may stand alone, the other is null: at least `lower`, or at
    most `upper`, which holds with a confidence of (1 + `confidence`) / 2, that is 97.5 % where `confidence` is 0.95.
    The median has no bound in groups of less than 6, the 99th percentile has no upper one in those of less than 368.

    With weights the intervals are for traces that were kept or dropped as a whole. They say what *all* traces of the
    time would have shown, had none been dropped: where all are kept with certainty, nothing is uncertain. Where few of
    the traces that stand for many were seen, others may lie beyond all that was seen, and a bound is null.

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
    weight = weight_column(spans, weights)
    asked = _Asked(quantiles, confidence, wide, order, weighted=bool(weight))
    groups = grouped_by(spans, by, every, made=asked.made)
    rows = spans.lazy().filter(pl.col("entry")) if flag("entry_only", entry_only) else spans.lazy()
    return asked.answer(rows, groups, weight)


@takes_any_frame
def trace_latency_percentiles(
    spans: Spans,
    *,
    by: By = ("service_name", "name"),
    quantiles: Sequence[float] | float = QUANTILES,
    every: Every = None,
    confidence: float = 0.95,
    wide: bool = False,
    order: Order | None = None,
    weights: Weights = None,
) -> pl.DataFrame:
    """Measure how long whole traces take, from the first start to the last end of any span.

    Parameters
    ----------
    spans
        The spans. Pass whole traces: a trace whose spans were filtered is as long as what is left of it.
    by
        What to tell apart, as in `latency_percentiles`, read from the span that begins the trace: its root (the one
        that starts first where there are several or none).
    quantiles, every, confidence, wide, order
        As in `latency_percentiles`.
    weights
        As in `latency_percentiles`. A trace is seen whole only if all of its spans are, so that it has the largest of
        their weights, and none where one of them is null.

    Returns
    -------
    One row per group, window and quantile, with the columns of `latency_percentiles`: those of `by`, `window`
    (Datetime; only with `every`), `quantile` (Float64), `duration`, `lower`, `upper` (Duration), `count` (UInt32, the
    traces of the group), `exemplar_trace_id` (String). With `wide` one row per group and window, and with `weights`
    further columns, as told there; `unknown_weight` counts traces.

    Raises
    ------
    TracelabError
        A quantile or the confidence does not lie between 0 and 1, or another option is not what it should be, or a
        weight is none.

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
    weight = weight_column(spans, weights)
    asked = _Asked(quantiles, confidence, wide, order, weighted=bool(weight))
    windows = window(every)
    found = keys(spans, by, made=[*asked.made, *names_of(windows)])
    traces = whole_traces(spans, found, weight)
    return asked.answer(traces.lazy(), [*map(pl.col, names_of(found)), *windows], [pl.col(WEIGHT)] if weight else [])


class _Asked:
    """How percentiles are to be answered, checked."""

    def __init__(
        self, quantiles: object, confidence: float, wide: object, order: str | None, *, weighted: bool
    ) -> None:
        self.shares = np.array(checked_quantiles(quantiles))
        self.confidence = checked_confidence(confidence)
        self.wide = flag("wide", wide)
        self.weighted = weighted
        self.order = ("worst" if self.wide else "keys") if order is None else choice("order", order, get_args(Order))

    @property
    def made(self) -> list[str]:
        """The columns that the answer makes."""
        names = [
            f"{name}{side}" for name in percentile_names(self.shares.tolist()) for side in ("", "_lower", "_upper")
        ]
        made = ["count", *names, "exemplar_trace_id"] if self.wide else list(_MADE)
        return [*made, *(estimated_names("count") if self.weighted else [])]

    def answer(self, rows: pl.LazyFrame, groups: list[pl.Expr], weight: list[pl.Expr]) -> pl.DataFrame:
        """Measure and put into the form that is asked for."""
        if weight:
            found = _weighted(rows, groups, weight, self.shares, self.confidence)
        else:
            found = _percentiles(rows, groups, self.shares, self.confidence)
        form = _side_by_side if self.wide else _below_each_other
        return form(found, self.shares, worst_first=self.order == "worst")


def _percentiles(rows: pl.LazyFrame, groups: list[pl.Expr], shares: Floats, confidence: float) -> _Percentiles:
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
    lower, upper = _bounds(counts, shares, confidence)
    # A small group's lower bound may be its longest span, its quantile lies just below that one: say no more than it.
    bounds = np.minimum(lower, below), np.where(upper >= 0, np.maximum(upper, above), NOWHERE)
    values = _arranged(lengths, begins, counts, np.concatenate((below, above, *bounds), axis=1))
    low, high, *limits = (values[begins[:, None] + places] for places in (below, above, *bounds))
    return _Percentiles(
        names=names,
        spans=found,
        groups=grouped.select(names or _ALL),
        counts=counts,
        lengths=low + np.rint((exact - below) * (high - low)).astype(np.int64),
        limits=(limits[0], limits[1]),
        known=(bounds[0] >= 0, bounds[1] >= 0),
        nearest=values[begins[:, None] + np.rint(exact).astype(np.int64)],
    )


def _weighted(
    rows: pl.LazyFrame, groups: list[pl.Expr], weight: list[pl.Expr], shares: Floats, confidence: float
) -> _Percentiles:
    """Measure with what each span, or trace, stands for."""
    names = names_of(groups)
    length = pl.col("duration").to_physical().alias(_LENGTH)
    found = rows.select(*groups, *weight, length, pl.col("trace_id").alias(_TRACE), pl.lit(0).alias(_ALL)).collect()
    different, group = grouped(found, names or [_ALL])
    sample = Sample.of(found[_TRACE], group, checked_weights(found[WEIGHT]), groups=different.height)
    lengths = found[_LENGTH].to_numpy()
    quantiles = weighted_quantiles(sample, lengths, shares, confidence=confidence)
    nearest = lengths[quantiles.nearest] if lengths.size else np.zeros(quantiles.nearest.shape, dtype=np.int64)
    return _Percentiles(
        names=names,
        spans=found.drop(WEIGHT),
        groups=different,
        counts=np.bincount(group, minlength=different.height).astype(np.int64),
        lengths=_whole(quantiles.value),
        limits=(_whole(quantiles.lower), _whole(quantiles.upper)),
        known=(~np.isnan(quantiles.lower), ~np.isnan(quantiles.upper)),
        nearest=np.where(quantiles.nearest < 0, _NOT_KNOWN, nearest),
        estimates=(*counted("count", sample, confidence=confidence), *quality(sample)),
    )


def _whole(values: Floats) -> Ints:
    return np.where(np.isnan(values), _NOT_KNOWN, np.rint(values)).astype(np.int64)


def _side_by_side(found: _Percentiles, shares: Floats, *, worst_first: bool) -> pl.DataFrame:
    """Put the quantiles of a group into one row."""
    columns = []
    for number, name in enumerate(percentile_names(shares.tolist())):
        length = _durations(name, found.lengths[:, number])
        columns.append(length.set(pl.Series(found.lengths[:, number] == _NOT_KNOWN), None))
        for side, limit, known in zip(("lower", "upper"), found.limits, found.known, strict=True):
            bound = _durations(f"{name}_{side}", limit[:, number])
            columns.append(bound.zip_with(pl.Series(known[:, number]), pl.Series([None], dtype=DURATION)))
    rows = found.groups.with_columns(
        pl.Series("count", found.counts).cast(pl.UInt32),
        *columns,
        *found.estimates,
        pl.Series(_LENGTH, found.nearest[:, -1]),
    )
    worst = [pl.col(percentile_names(shares.tolist())[-1]).to_physical() * -1] if worst_first else []
    return (
        _with_exemplars(rows, found.spans, found.names or [_ALL])
        .select(
            *found.names,
            "count",
            *(column.name for column in columns),
            *(column.name for column in found.estimates),
            "exemplar_trace_id",
        )
        .sort([*worst, *found.names] or ["count"], nulls_last=True)
        .collect()
    )


def _below_each_other(found: _Percentiles, shares: Floats, *, worst_first: bool) -> pl.DataFrame:
    """Give each quantile of a group a row."""
    names = found.names
    rows = found.groups[np.repeat(np.arange(found.counts.size), shares.size)].with_columns(
        pl.Series("quantile", np.tile(shares, found.counts.size), dtype=pl.Float64),
        _durations("duration", found.lengths).set(pl.Series(found.lengths.ravel() == _NOT_KNOWN), None),
        _durations("lower", found.limits[0]),
        _durations("upper", found.limits[1]),
        pl.Series("count", np.repeat(found.counts, shares.size)).cast(pl.UInt32),
        *(column.gather(np.repeat(np.arange(found.counts.size), shares.size)) for column in found.estimates),
        pl.Series(_LENGTH, found.nearest.ravel()),
        pl.Series(_WORST, np.repeat(-found.lengths[:, -1], shares.size)),
    )
    known = {side: pl.Series(known.ravel()) for side, known in zip(("lower", "upper"), found.known, strict=True)}
    return (
        _with_exemplars(rows, found.spans, names or [_ALL])
        .select(
            *names,
            "quantile",
            "duration",
            *(pl.when(there).then(side).alias(side) for side, there in known.items()),
            "count",
            *(column.name for column in found.estimates),
            "exemplar_trace_id",
            _WORST,
        )
        .sort([*([_WORST] if worst_first else []), *names, "quantile"], nulls_last=True)
        .drop(_WORST)
        .collect()
    )


def percentile_names(shares: Sequence[float]) -> list[str]:
    """Name quantiles as percentiles, without rounding any: p50, p99.9."""
    percent = [format(Decimal(repr(share)) * 100, "f") for share in shares]
    return [f"p{text.rstrip('0').rstrip('.') if '.' in text else text}" for text in percent]


def _bounds(counts: Ints, shares: Floats, confidence: float) -> tuple[Ints, Ints]:
    """Give the places of the order statistics that bound each quantile of each group, -1 where there are none."""
    sizes, which = np.unique(counts, return_inverse=True)
    places = [
        order_statistics(size, share, confidence) or lone_order_statistic(size, share, confidence)
        for size in sizes.tolist()
        for share in shares.tolist()
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

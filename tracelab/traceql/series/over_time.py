"""One metric over time: spans to series.

A series is the points of one set of labels. Between the stages series are a frame of `interval`, the labels and
`value`, with no row where there is no point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.errors import QueryError
from tracelab.sampling.estimation.weighing import WEIGHT
from tracelab.traceql.expressions.values import TEXT, Value, as_number, as_whole, one_column, texts_of
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    from tracelab.traceql.series.windows import Window

COUNTING: Final = ("rate", "count_over_time")
BUCKETED: Final = ("quantile_over_time", "histogram_over_time")
_SUMMING: Final = ("sum_over_time", "avg_over_time")
QUANTILE: Final = "p"
BUCKET: Final = "__bucket"
MAX_POINTS: Final = 10_000_000
_SECONDS: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Series:
    """Points: a frame of `interval`, the columns in `labels`, and `value`."""

    frame: pl.DataFrame
    labels: tuple[str, ...] = ()


def value_columns(metric: n.Metric, value: Value) -> dict[str, pl.Expr]:
    """Give what a metric needs of its argument on each span: a number, or the bucket that it falls into."""
    if metric.function not in BUCKETED:
        parts = [
            as_number(kind, part) * (_SECONDS if kind == n.DURATION else 1)
            for kind, part in value.kinds.items()
            if kind in n.NUMERIC
        ]
        if TEXT in value.kinds:
            parts.append(value.kinds[TEXT].cast(pl.Float64, strict=False))
        return {"number": pl.coalesce([*parts, pl.lit(None, dtype=pl.Float64)])}
    columns = {"exponent": pl.lit(None, dtype=pl.Int64), "in_seconds": pl.lit(False)}
    wholes = {kind: as_whole(kind, part) for kind, part in value.kinds.items() if kind in (n.INT, n.DURATION)}
    if TEXT in value.kinds:
        wholes[TEXT] = value.kinds[TEXT].cast(pl.Int64, strict=False)
    if wholes:
        columns["exponent"] = pl.coalesce([_exponent(whole) for whole in wholes.values()])
    if n.DURATION in wholes:
        columns["in_seconds"] = wholes[n.DURATION].is_not_null()
    return columns


def counted(metric: n.Metric, spans: pl.DataFrame, keys: dict[str, dict[str, str]], window: Window) -> Series:
    """Aggregate spans into the points of one metric.

    Parameters
    ----------
    metric
        The metric.
    spans
        One row per span with its `interval`, what `value_columns` gives, and the key columns; with `WEIGHT`, where
        spans have weights (NaN is not known, and neither is what rests on it).
    keys
        For each label the columns that hold it, by kind.
    window
        The range of time.
    """
    columns = [name for kinds in keys.values() for name in kinds.values()]
    labels = tuple(keys)
    weighted = WEIGHT in spans.columns
    if metric.function in BUCKETED:
        parts, bucket = spans.drop_nulls("exponent"), ["interval", *columns, "exponent", "in_seconds"]
        if weighted:
            buckets = _summed(parts.with_columns(number=1.0), bucket, mean=False).rename({"value": "count"})
        else:
            buckets = parts.group_by(bucket).agg(count=pl.len())
        found = labelled(buckets, keys, ("interval", "exponent", "in_seconds", "count"))
        if metric.function == "histogram_over_time":
            return _histogram(found, labels, window)
        return _quantiles(metric, found, labels, window)
    if metric.function in _SUMMING:
        grouped = _summed(spans, ["interval", *columns], mean=metric.function == "avg_over_time")
    elif weighted and metric.function in COUNTING:
        grouped = _summed(spans.with_columns(number=1.0), ["interval", *columns], mean=False)
    else:
        grouped = spans.group_by("interval", *columns).agg(value=_aggregate(metric.function)).drop_nulls("value")
    series = Series(labelled(grouped, keys, ("interval", "value")), labels)
    if metric.function not in COUNTING:
        return series
    if metric.function == "rate":
        series = Series(series.frame.with_columns(pl.col("value") / window.seconds), labels)
    return filled(series, window)


def filled(series: Series, window: Window) -> Series:
    """Put a zero where a series has no point."""
    intervals = pl.DataFrame({"interval": np.arange(window.count)})
    if series.labels:
        different = series.frame.select(series.labels).unique()
        if different.height * window.count > MAX_POINTS:
            raise QueryError(
                f"{different.height:,} series of {window.count:,} intervals are {different.height * window.count:,} "
                f"points, {MAX_POINTS:,} are the most; choose a larger step, or group by what has fewer values"
            )
        grid = different.join(intervals, how="cross")
    else:
        grid = intervals.filter(series.frame.height > 0)
    keys = ["interval", *series.labels]
    full = grid.join(series.frame, on=keys, how="left", nulls_equal=True)
    return Series(full.with_columns(pl.col("value").fill_null(0.0)).select(*keys, "value"), series.labels)


def merged(frame: pl.DataFrame, kinds: dict[str, str]) -> pl.Series:
    """Bring the columns of one label together."""
    there = {kind: frame[name] for kind, name in kinds.items() if frame[name].null_count() < frame.height}
    # Labels have plain dtypes: keywords, durations and lists are text.
    plain = set(there) <= {n.INT, n.FLOAT, n.BOOL, n.STRING, TEXT}
    return one_column(there, frame.height) if plain else texts_of(there)


def _aggregate(function: str) -> pl.Expr:
    number = pl.col("number")
    match function:
        case "min_over_time":
            return number.min()
        case "max_over_time":
            return number.max()
    return pl.len().cast(pl.Float64)


def _summed(spans: pl.DataFrame, keys: list[str], *, mean: bool) -> pl.DataFrame:
    """Add up the numbers of each group one after another, as they stand in the frame, times their weights if any.

    Sums of floats depend on the order in which they are added, which polars leaves to its threads: the same spans shall
    give the same bytes.
    """
    there = spans.drop_nulls("number")
    groups = there.select(keys).unique(maintain_order=True).with_row_index("group")
    placed = there.join(groups, on=keys, how="left", nulls_equal=True, maintain_order="left")
    group, number = placed["group"].to_numpy(), placed["number"].to_numpy()
    weight = placed[WEIGHT].to_numpy() if WEIGHT in placed.columns else None
    summed = number if weight is None else number * weight
    value = np.bincount(group, weights=summed, minlength=groups.height).astype(np.float64)
    if mean and groups.height:
        value = value / np.bincount(group, weights=weight, minlength=groups.height)
    return groups.select(*keys, value=pl.Series(value, dtype=pl.Float64))


def labelled(frame: pl.DataFrame, keys: dict[str, dict[str, str]], kept: tuple[str, ...]) -> pl.DataFrame:
    """Replace the key columns by one column for each label."""
    return frame.select(*kept).with_columns(merged(frame, kinds).alias(label) for label, kinds in keys.items())


def _exponent(whole: pl.Expr) -> pl.Expr:
    """Give the exponent of the smallest power of two that is not below a number; null below 2."""
    # Doubles hold every int up to 2^53: above that a logarithm may miss the edge, so the neighbours are tried.
    guess = (whole - 1).cast(pl.Float64).log(2).floor().cast(pl.Int64, strict=False).clip(0, 62)
    power = pl.lit(2, dtype=pl.Int64).pow(guess.cast(pl.UInt32))
    exponent = pl.when(power >= whole).then(guess).otherwise(guess + 1)
    return pl.when(whole >= 2).then(exponent)


def _bucket() -> pl.Expr:
    size = pl.lit(2.0).pow(pl.col("exponent"))
    return pl.when("in_seconds").then(size * _SECONDS).otherwise(size)


def _histogram(buckets: pl.DataFrame, labels: tuple[str, ...], window: Window) -> Series:
    frame = buckets.select("interval", *labels, _bucket().alias(BUCKET), value=pl.col("count").cast(pl.Float64))
    keys = (*labels, BUCKET)
    summed = frame.group_by("interval", *keys).agg(pl.col("value").sum())
    return filled(Series(summed, keys), window)


def _quantiles(metric: n.Metric, buckets: pl.DataFrame, labels: tuple[str, ...], window: Window) -> Series:
    """Give one series per quantile, read from the buckets of each interval."""
    keys = ["interval", *labels]
    ordered = (
        buckets.with_columns(_bucket().alias("bucket"))
        .group_by(*keys, "bucket")
        .agg(pl.col("count").sum().cast(pl.Float64))
        .sort(*keys, "bucket", nulls_last=True)
    )
    parts = [
        ordered.group_by(keys, maintain_order=True).agg(value=_quantile(q)).with_columns(pl.lit(q).alias(QUANTILE))
        for q in metric.quantiles
    ]
    frame = pl.concat(parts).select("interval", *labels, QUANTILE, "value")
    return filled(Series(frame, (*labels, QUANTILE)), window)


def _quantile(q: float) -> pl.Expr:
    """Read a quantile from a group's buckets, sorted: between two edges it grows exponentially."""
    count, bucket = pl.col("count"), pl.col("bucket")
    need = (count.sum() * q).ceil().clip(1)
    through = count.cum_sum()
    hit = (through >= need).arg_max()
    high = bucket.get(hit).log(2)
    low = pl.when(hit > 0).then(bucket.shift(1).get(hit).log(2)).otherwise(high - 1)
    share = (need - (through.get(hit) - count.get(hit))) / count.get(hit)
    return (
        pl.when(count.is_nan().any())
        .then(float("nan"))
        .when(through.get(hit) == need)
        .then(bucket.get(hit))
        .otherwise(pl.lit(2.0).pow(low + (high - low) * share))
    )

"""What follows a metric: ranks, thresholds, and arithmetic between series."""

from __future__ import annotations

from typing import Final, cast

import polars as pl

from tracelab.traceql.series.over_time import Series
from tracelab.traceql.syntax import nodes as n

_SECONDS: Final = 1e-9


def after(series: Series, stages: tuple[n.SecondStage, ...]) -> Series:
    """Apply second stages from left to right."""
    for stage in stages:
        series = ranked(series, stage) if isinstance(stage, n.Rank) else passed(series, stage)
    return series


def ranked(series: Series, rank: n.Rank) -> Series:
    """Keep the points of the k largest (or smallest) series of each interval.

    Of equal values `topk` keeps the one whose labels come first in the alphabet, `bottomk` the one whose come last.
    A value that is not known has no rank, and stands behind all that are.
    """
    if not series.labels:
        return series
    frame = series.frame
    if frame.select(series.labels).n_unique() <= rank.limit:
        return series
    top = rank.function == "topk"
    text = pl.concat_str([pl.col(label).cast(pl.String).fill_null("") for label in series.labels], separator="\x00")
    placed = frame.with_columns(text.alias("traceql order")).sort(
        "interval",
        pl.col("value").fill_nan(None),
        "traceql order",
        descending=[False, top, not top],
        nulls_last=[False, True, False],
    )
    kept = placed.filter(pl.int_range(pl.len()).over("interval") < rank.limit)
    return Series(kept.drop("traceql order"), series.labels)


def passed(series: Series, threshold: n.Threshold) -> Series:
    """Keep the points for which a comparison holds; durations are meant in seconds."""
    literal = cast("n.Static", threshold.value)
    number = float(cast("float", literal.value))
    limit = number * _SECONDS if literal.type == n.DURATION else number
    value = pl.col("value")
    tests = {
        "=": value == limit,
        "!=": value != limit,
        "<": value < limit,
        "<=": value <= limit,
        ">": value > limit,
        ">=": value >= limit,
    }
    return Series(series.frame.filter(tests[threshold.operator], value.is_not_nan()), series.labels)


def combined(operator: str, left: Series | float, right: Series | float) -> Series:
    """Calculate with two metrics, or with a metric and a number.

    Series are matched by their labels; a metric without labels goes with every series of the other. Where a side has no
    point, or something is divided by zero, the result has none.
    """
    if isinstance(left, Series) and isinstance(right, Series):
        return _matched(operator, left, right)
    if isinstance(left, Series):
        return _points(operator, left.frame, pl.col("value"), pl.lit(right), left.labels)
    known = cast("Series", right)
    return _points(operator, known.frame, pl.lit(left), pl.col("value"), known.labels)


def _matched(operator: str, left: Series, right: Series) -> Series:
    if not left.labels or not right.labels:
        joined = left.frame.join(right.frame, on="interval")
        labels = left.labels or right.labels
    else:
        labels = tuple(dict.fromkeys((*left.labels, *right.labels)))
        a, b = _with_labels(left, labels, right), _with_labels(right, labels, left)
        joined = a.join(b, on=["interval", *labels], nulls_equal=True)
    return _points(operator, joined, pl.col("value"), pl.col("value_right"), labels)


def _with_labels(series: Series, labels: tuple[str, ...], other: Series) -> pl.DataFrame:
    """Give a side the labels that only the other has, and the same dtypes."""
    columns = []
    for label in labels:
        mine, theirs = series.frame.schema.get(label), other.frame.schema.get(label)
        if mine is None:
            columns.append(pl.lit(None, dtype=theirs).alias(label))
        else:
            columns.append(pl.col(label) if theirs in (None, mine) else pl.col(label).cast(pl.String))
    return series.frame.select("interval", *columns, "value")


def _points(operator: str, frame: pl.DataFrame, a: pl.Expr, b: pl.Expr, labels: tuple[str, ...]) -> Series:
    results = {"+": a + b, "-": a - b, "*": a * b, "/": pl.when(b != 0).then(a / b)}
    value = results[operator].cast(pl.Float64).fill_nan(None).alias("value")
    return Series(frame.select("interval", *labels, value).drop_nulls("value"), labels)

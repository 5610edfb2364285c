"""Outliers: spans that took far longer than the others of their group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.grouping import keys, names_of
from tracelab.conforming import takes_any_frame
from tracelab.options import above, whole
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.analysis.grouping import By, Spans

_FIXED: Final = ("trace_id", "span_id", "service_name", "name")
_MADE: Final = ("start_time", "duration", "typical", "times", "score", "count")
_TO_SIGMA: Final = 1.4826  # of a normal distribution: standard deviation / median absolute deviation
_MEAN_TO_SIGMA: Final = 1.2533  # and standard deviation / mean absolute deviation


@takes_any_frame
def outliers(
    spans: Spans, *, by: By = ("service_name", "name"), threshold: float = 3.5, min_count: int = 20
) -> pl.DataFrame:
    r"""Find spans that took far longer than their like.

    Durations spread over factors, not sums, so distances are measured on a log scale: how many robust standard
    deviations the logarithm of a span's duration lies above the median of its group.

    Parameters
    ----------
    spans
        The spans.
    by
        Which spans are alike: a column, an attribute's key, an expression, or a list of these.
    threshold
        From which score on a span is an outlier.
    min_count
        How many spans a group must have to tell what is usual there.

    Returns
    -------
    One row per outlier, highest score first, then by ids: `trace_id`, `span_id`, `service_name`, `name` (String), any
    other columns of `by`, `start_time` (Datetime), `duration`, `typical` (Duration, the median of its group), `times`
    (Float64, `duration` / `typical`), `score` (Float64, robust standard deviations), `count` (UInt32, of the group).

    Raises
    ------
    TracelabError
        The threshold is not above 0, `min_count` is no number of spans, or `by` names no groups.

    Notes
    -----
    The score is the modified z-score of Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993), who suggest
    3.5: the distance from the median over 1.4826 times the median absolute deviation; where more than half of a group
    are equal, over 1.2533 times the mean absolute deviation.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw("\n\n".join(["api ===", "api ====", "api ====="] * 8 + ["api " + 90 * "="]))
    >>> outliers(spans).select("name", "duration", "times").rows()
    [('api', datetime.timedelta(microseconds=90000), 22.5)]
    """
    limit = above("threshold", threshold, 0, why="3.5 is usual.")
    fewest = whole("min_count", min_count, least=1, why="20 is usual.")
    said = keys(spans, by, made=_MADE)
    tags = [f"__by_{number}" for number in range(len(said))]
    shown = {tag: name for tag, name in zip(tags, names_of(said), strict=True) if name not in _FIXED}
    group: list[str] | list[pl.Expr] = tags or [pl.lit(0)]
    far = pl.col("log") - pl.col("log").median().over(group)
    spread, mean_spread = far.abs().median().over(group), far.abs().mean().over(group)
    return (
        spans.lazy()
        .select(*_FIXED, "start_time", "duration", *(key.alias(tag) for key, tag in zip(said, tags, strict=True)))
        .with_columns(
            log=pl.col("duration").to_physical().clip(lower_bound=1).log(),
            typical=pl.col("duration").to_physical().median().over(group),
            count=pl.len().over(group),
        )
        .with_columns(far=far)
        .collect()
        .lazy()
        .with_columns(spread=pl.when(spread > 0).then(spread * _TO_SIGMA).otherwise(mean_spread * _MEAN_TO_SIGMA))
        .filter((pl.col("count") >= fewest) & (pl.col("far") >= limit * pl.col("spread")) & (pl.col("far") > 0))
        .select(
            *_FIXED,
            *(pl.col(tag).alias(name) for tag, name in shown.items()),
            "start_time",
            "duration",
            pl.col("typical").round().cast(pl.Int64).cast(DURATION),
            (pl.col("duration").to_physical() / pl.col("typical")).alias("times"),
            (pl.col("far") / pl.col("spread")).alias("score"),
            pl.col("count").cast(pl.UInt32),
        )
        .sort("score", "trace_id", "span_id", descending=[True, False, False])
        .collect()
    )

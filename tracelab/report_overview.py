"""The tables that the report shows, on its page and on the command line: answers side by side, the worst on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.calls.repeated_calls import repeated_calls
from tracelab.analysis.errors.rates import error_rates
from tracelab.analysis.errors.routes import route
from tracelab.analysis.grouping import items_of, keys
from tracelab.analysis.latency.gaps import gaps
from tracelab.analysis.latency.percentiles import latency_percentiles

if TYPE_CHECKING:
    from tracelab.analysis.grouping import By, Spans

BY: Final = ("route", "service_name")
"""What requests are told apart by: `route` is their method and route, where the spans have no column of that name."""

TREND: Final = "p95_over_time"
PERCENTILES: Final = ("p50", "p90", "p95", "p99")
_RATE: Final = ("error_rate", "lower", "upper")
_BOUNDED: Final = tuple(f"{each}{end}" for each in PERCENTILES for end in ("", "_lower", "_upper"))
_MADE: Final = (
    *("window", "count", "spans", "errors", "change", "requests", "per_second"),
    *(*_RATE, *_BOUNDED, TREND, "exemplar_trace_id"),
)
_WINDOWS: Final = 24
_ROUTE: Final = "route"
# Lengths of windows that people think in, in seconds; beyond the last, in days.
_ROUND: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)


def requests_by(spans: Spans, by: By = BY) -> pl.DataFrame:
    """Put the requests that enter services side by side: how many, how many failed, how long they took.

    Returns
    -------
    One row per group, that which surely fails most first, then that with the longest p99: the columns of `by`,
    `requests` (UInt32), `per_second` (Float64, over the time from the first start to the last; null where that is
    none), `error_rate`, `lower`, `upper` (Float64), `p50`, `p50_lower`, `p50_upper` and so on to `p99_upper`
    (Duration), `p95_over_time` (List(Float64), seconds, in windows of equal length; null where one has no requests),
    `exemplar_trace_id` (String, of the p99).
    """
    groups = keys_of(spans, by)
    seconds = _seconds(spans)
    latency = latency_percentiles(spans, by=groups, wide=True, order="keys")
    names = latency.columns[: latency.columns.index("count")]
    rates = error_rates(spans, by=groups).drop("spans", "errors", "exemplar_trace_id")
    trend = _trends(spans, groups, names, seconds)
    return (
        latency.pipe(_beside, rates, names)
        .pipe(_beside, trend, names)
        .with_columns(per_second=pl.col("count") / pl.lit(seconds or None, dtype=pl.Float64))
        .select(
            *names,
            pl.col("count").alias("requests"),
            "per_second",
            *_RATE,
            *_BOUNDED,
            TREND,
            "exemplar_trace_id",
        )
        .sort("lower", "p99", *names, descending=[True, True, *(False for _ in names)], nulls_last=True)
    )


def requests_beside(spans: Spans, baseline: Spans, by: By = BY) -> pl.DataFrame:
    """Lay the requests of two dumps side by side.

    Returns
    -------
    One row per group, those that changed first, then those with the most requests: the columns of `by`, `change`
    (String: what the intervals of both sides show, such as `slower` or `fails more`, `new` or `gone`; null where they
    show nothing), `before_requests`, `after_requests` (UInt32), and of `error_rate` (Float64), `p50` and `p95`
    (Duration) the same with their bounds: `before_p50`, `before_p50_lower`, `before_p50_upper`, `after_p50` and so on.

    A change is told where the intervals of both sides do not touch. That is stricter than the intervals are: of figures
    that did not change fewer than one in a hundred looks like one that did.
    """
    before, after = (_measured(frame, by, side) for frame, side in ((baseline, "before"), (spans, "after")))
    keys = before.columns[: before.columns.index("before_requests")]
    figures = [*before.columns, *after.columns]
    order = [
        name
        for figure in ("requests", "error_rate", "p50", "p95")
        for side in ("before", "after")
        for name in (f"{side}_{figure}", f"{side}_{figure}_lower", f"{side}_{figure}_upper")
        if name in figures
    ]
    joined = before.join(after, on=keys, how="full", coalesce=True, nulls_equal=True) if keys else before.hstack(after)
    return (
        joined.with_columns(change=_change())
        .select(*keys, "change", *order)
        .sort(
            pl.col("change").is_null(),
            pl.max_horizontal("before_requests", "after_requests"),
            *keys,
            descending=[False, True, *(False for _ in keys)],
            nulls_last=True,
        )
    )


def repetitions(spans: Spans) -> pl.DataFrame:
    """Put the runs of `repeated_calls` together by operation.

    Returns
    -------
    One row per operation and call that it repeats, that with the longest total first: `parent_service_name`,
    `parent_name`, `service_name`, `name` (String), `runs` (UInt32, how many spans do that), `traces` (UInt32), `calls`
    (Float64, the median of a run), `most_calls` (UInt32), `total` (Duration, of all calls), `elapsed` (Duration, the
    median time from the first start of a run to its last end), `sequential_share` (Float64, of the runs: no call
    started before the one before it had ended), `exemplar_trace_id` (String, the first trace with most calls).
    """
    keys = ("parent_service_name", "parent_name", "service_name", "name")
    return (
        repeated_calls(spans)
        .lazy()
        .group_by(keys)
        .agg(
            runs=pl.len().cast(pl.UInt32),
            traces=pl.col("trace_id").n_unique().cast(pl.UInt32),
            calls=pl.col("count").median(),
            most_calls=pl.col("count").max(),
            total=pl.col("total").sum(),
            elapsed=pl.col("elapsed").median(),
            sequential_share=pl.col("sequential").mean(),
            exemplar_trace_id=pl.col("trace_id").sort_by("count", "trace_id", descending=[True, False]).first(),
        )
        .sort("total", *keys, descending=[True, *(False for _ in keys)], nulls_last=True)
        .collect()
    )


def waits(spans: Spans) -> pl.DataFrame:
    """Put the gaps of spans together by operation and by what stands around them.

    Returns
    -------
    One row per operation and place in it, that with the longest total first: `service_name`, `name`, `after`, `before`
    (String, null at the beginning and at the end), `gaps` (UInt32), `traces` (UInt32), `total` (Duration), `median`
    (Duration, of a gap), `share` (Float64, the median of what a gap is of its span), `exemplar_trace_id` (String, the
    first trace with the longest).
    """
    keys = ("service_name", "name", "after", "before")
    return (
        gaps(spans)
        .lazy()
        .group_by(keys)
        .agg(
            gaps=pl.len().cast(pl.UInt32),
            traces=pl.col("trace_id").n_unique().cast(pl.UInt32),
            total=pl.col("duration").sum(),
            median=pl.col("duration").median(),
            share=pl.col("share").median(),
            exemplar_trace_id=pl.col("trace_id").sort_by("duration", "trace_id", descending=[True, False]).first(),
        )
        .sort("total", *keys, descending=[True, *(False for _ in keys)], nulls_last=True)
        .collect()
    )


def keys_of(spans: Spans, by: By) -> list[pl.Expr]:
    """Read `by`, in which `route` is the method and route of a request where the spans have no such column.

    Raises
    ------
    TracelabError
        It names no groups of spans, or has a name of which the answer makes a column of its own.
    """
    known = spans.lazy().collect_schema()
    # An expression has no truth of its own: it is asked what it is before it is compared.
    items = [
        route() if isinstance(item, str) and item == _ROUTE and _ROUTE not in known else item
        for item in items_of("by", by)
    ]
    return keys(spans, items, made=_MADE)


def _seconds(spans: Spans) -> float:
    """Say over how many seconds requests began."""
    start = pl.col("start_time")
    return float(spans.lazy().select((start.max() - start.min()).dt.total_nanoseconds()).collect().item() or 0) / 1e9


def window_of(seconds: float) -> str:
    """Choose the length of windows that a sparkline shows: a round one, some two dozen of which make the whole."""
    least = seconds / _WINDOWS
    fitting = next((length for length in _ROUND if length >= least), 0)
    if seconds < _WINDOWS:
        return f"{max(int(seconds * 1e9 / _WINDOWS), 1)}ns"
    return f"{fitting}s" if fitting else f"{-(-int(least) // 86_400)}d"


def _trends(spans: Spans, groups: list[pl.Expr], names: list[str], seconds: float) -> pl.DataFrame:
    """Give each group its 95th percentile window by window."""
    points = latency_percentiles(spans, by=groups, quantiles=0.95, every=window_of(seconds), wide=True, order="keys")
    windows = points.select(pl.col("window").unique().sort())
    rows = points.select(names or pl.lit(0).alias("__all")).unique()
    grid = rows.join(windows, how="cross") if names else windows
    return (
        grid.join(points, on=[*names, "window"], how="left", nulls_equal=True)
        .sort("window")
        .group_by(names or [pl.lit(0).alias("__all")])
        .agg(pl.col("p95").dt.total_nanoseconds().truediv(1e9).alias(TREND))
        .drop([] if names else ["__all"])
    )


def _beside(left: pl.DataFrame, right: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    if not names:
        return left.hstack(right)
    return left.join(right, on=names, how="left", nulls_equal=True)


def _measured(spans: Spans, by: By, side: str) -> pl.DataFrame:
    """Give what is compared of a side, under names that say of which."""
    table = requests_by(spans, by).rename({"lower": "error_rate_lower", "upper": "error_rate_upper"})
    keys = table.columns[: table.columns.index("requests")]
    figures = [f"{each}{end}" for each in ("error_rate", "p50", "p95") for end in ("", "_lower", "_upper")]
    return table.select(*keys, pl.col("requests", *figures).name.prefix(f"{side}_"))


def _change() -> pl.Expr:
    """Say what the intervals of both sides show."""
    slower = _beyond("p50", "after", "before") | _beyond("p95", "after", "before")
    faster = _beyond("p50", "before", "after") | _beyond("p95", "before", "after")
    words = [
        (pl.col("before_requests").is_null(), "new"),
        (pl.col("after_requests").is_null(), "gone"),
        (_beyond("error_rate", "after", "before"), "fails more"),
        (_beyond("error_rate", "before", "after"), "fails less"),
        (slower, "slower"),
        (faster, "faster"),
    ]
    told = pl.concat_str(
        [pl.when(holds).then(pl.lit(word)) for holds, word in words], separator=", ", ignore_nulls=True
    )
    return pl.when(told != "").then(told)


def _beyond(figure: str, more: str, less: str) -> pl.Expr:
    """Tell whether a figure is larger on one side, whatever it is within the intervals; not where there are none."""
    return (pl.col(f"{more}_{figure}_lower") > pl.col(f"{less}_{figure}_upper")).fill_null(value=False)

"""what_if: how long traces would take from end to end if some of their spans took less time, or more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.analysis.latency.percentiles import QUANTILES, percentile_names
from tracelab.options import quantiles as checked_quantiles
from tracelab.options import share, whole
from tracelab.retiming.changing import change_of
from tracelab.retiming.tracing import chosen_cohort
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.array_types import Floats, Ints
    from tracelab.differences.sides import Where
    from tracelab.retiming.changing import Length, Part


_SEED: Final = 20_260_501
_DRAWN: Final = 20_000
_AT_ONCE: Final = 400_000


def what_if(
    spans: Any,
    where: Where,
    *,
    factor: float | None = None,
    duration: Length | None = None,
    remove: bool = False,
    part: Part = "whole",
    quantiles: Sequence[float] | float = QUANTILES,
    confidence: float = 0.95,
    resamples: int = 200,
) -> pl.DataFrame:
    """Say how long traces would take from end to end if some of their spans took less time, or more.

    Each trace is retimed along the order that its spans show. What the order leaves open is bounded: the truth lies
    between an optimistic and a pessimistic answer, and where there is nothing to guess both are the same.

    Parameters
    ----------
    spans
        The spans, of whole traces.
    where
        Which spans change: TraceQL, such as `{ name = "SELECT" }`, or an expression of polars.
    factor
        By what their time is multiplied: 0.5 is half of it, 2 is twice as long.
    duration
        How long they take instead: text such as `10ms`, or a timedelta.
    remove
        They take no time at all. One of these three is given.
    part
        `"whole"`: a span changes with all that is below it; of chosen spans below each other the highest does.
        `"self"`: only its own work does, while none of those that it waited for ran (with `factor` or `remove`).
    quantiles
        Which quantiles of the durations from end to end to give, as shares of 1.
    confidence
        How sure the intervals are.
    resamples
        How often traces are drawn anew for the intervals.

    Returns
    -------
    One row for the mean, then one per quantile: `measure` (String: `mean`, `p50` ...), `before` (Duration),
    `after_optimistic`, `after_pessimistic` (Duration), `saved_optimistic`, `saved_pessimistic` (Duration, below 0 where
    traces would take longer), `saved_lower`, `saved_upper` (Duration, an interval by bootstrap over traces: from the
    lower end of what is saved in the pessimistic case to the upper end in the optimistic one; null where there are
    fewer than two traces, or too few for the quantile: below 72 for p95 and 368 for p99, with a confidence of 0.95),
    `saved_share_optimistic`, `saved_share_pessimistic` (Float64, shares of `before`; null where that is 0), `traces`
    (UInt32), `changed_traces` (UInt32, those that may take more or less time), `chosen_spans` (UInt32),
    `unawaited_spans` (UInt32, those of the chosen that can change nothing: nobody waited for them, or they hang from a
    parent that was not received). Without traces there are no rows.

    Raises
    ------
    TracelabError
        There is not just one of `factor`, `duration` and `remove`, or an option is not what it should be, or `where` is
        no condition.
    QueryError
        `where` is no query for spans.
    SchemaError
        The frame cannot be conformed.

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Notes
    -----
    A trace takes as long as the span that begins it. A parent is read as work of its own and groups of children in
    turn, where a group is what ran without a pause: one child, or several that overlap. Its own work stays as long as
    it was. What comes after a group of one child waited for it. After several it may have followed the last to end
    (optimistic) or waited for all of them (pessimistic), or may have followed another of them, if no more than twice
    the longest work of the parent that is seen lies between. Among children that overlap it is not known who waited for
    whom. There the bounds hold for all programs that are made of waiting (for one, for all, for the first, for a free
    place in a pool) and of work that takes as long as before. No parent ends before those that it waited for.

    Nobody waits for what was left running, nor for the consumer of a message (see `critical_path`): to change these
    changes nothing. Children count as far as they lie within their parents. What lies beyond the spans, such as queues
    that get shorter for other requests too, is not in the answer.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    ==========
    ...   auth .===
    ...   db   .=====
    ...   log  .......==
    ... ''')
    >>> mean = what_if(spans, "{ name = `db` }", factor=0.2)[0]
    >>> mean.select(pl.col("before", "^after_.*$").dt.total_milliseconds()).row(0)
    (10, 6, 8)
    """
    change = change_of(factor, duration, remove, part)
    shares = checked_quantiles(quantiles)
    confidence = share("confidence", confidence, ends=False, why="0.95 is usual.")
    resamples = whole("resamples", resamples, least=20)
    cohort, chosen = chosen_cohort(spans, where)
    low, high = cohort.retimed(chosen, change)
    before = cohort.before
    return saved_table(
        before,
        low,
        high,
        shares=shares,
        confidence=confidence,
        resamples=resamples,
    ).with_columns(
        pl.lit(before.size).cast(pl.UInt32).alias("traces"),
        pl.lit(int(np.count_nonzero((low != before) | (high != before)))).cast(pl.UInt32).alias("changed_traces"),
        pl.lit(int(np.count_nonzero(chosen))).cast(pl.UInt32).alias("chosen_spans"),
        pl.lit(int(np.count_nonzero(chosen & ~cohort.counted))).cast(pl.UInt32).alias("unawaited_spans"),
    )


def saved_table(
    before: Ints, low: Ints, high: Ints, *, shares: Sequence[float], confidence: float, resamples: int
) -> pl.DataFrame:
    """Give a row per measure: before, after and what is saved, of durations of traces."""
    measures = ["mean", *percentile_names(shares)] if before.size else []
    was, least, most = (_measured(values[None, :].astype(np.float64), shares)[0] for values in (before, low, high))
    lower, upper = _intervals(before, low, high, shares, confidence, resamples)
    columns = {
        "before": was,
        "after_optimistic": least,
        "after_pessimistic": most,
    }
    rounded = {name: np.rint(values).astype(np.int64) for name, values in columns.items()}
    rounded["saved_optimistic"] = rounded["before"] - rounded["after_optimistic"]
    rounded["saved_pessimistic"] = rounded["before"] - rounded["after_pessimistic"]
    return pl.DataFrame(
        [
            pl.Series("measure", measures, dtype=pl.String),
            *(pl.Series(name, values).cast(DURATION) for name, values in rounded.items()),
            _estimates("saved_lower", lower),
            _estimates("saved_upper", upper),
        ]
    ).with_columns(
        (
            pl.when(pl.col("before") > pl.duration())
            .then(pl.col(f"saved_{side}").to_physical() / pl.col("before").to_physical())
            .alias(f"saved_share_{side}")
        )
        for side in ("optimistic", "pessimistic")
    )


def _measured(values: Floats, shares: Sequence[float]) -> Floats:
    """Give the mean and the quantiles of each row; nothing of rows that are empty."""
    if not values.shape[1]:
        return np.zeros((values.shape[0], 0))
    return np.column_stack((values.mean(axis=1), np.quantile(values, shares, axis=1).T))


def _intervals(
    before: Ints, low: Ints, high: Ints, shares: Sequence[float], confidence: float, resamples: int
) -> tuple[Floats, Floats]:
    """Bound what is saved by each measure; nan where there are fewer than two traces.

    Of very many traces a part is drawn each time, and the deviations are scaled down: P. J. Bickel, F. Götze and W. R.
    van Zwet, "Resampling fewer than n observations" (1997).
    """
    count = before.size
    if count < 2:
        nothing = np.full(count * (1 + len(shares)), np.nan)
        return nothing, nothing.copy()
    rng = np.random.default_rng(_SEED)
    drawn = min(count, _DRAWN)
    at_once = max(_AT_ONCE // drawn, 1)
    least, most = [], []
    for begin in range(0, resamples, at_once):
        some = rng.integers(0, count, (min(at_once, resamples - begin), drawn))
        was = _measured(before[some].astype(np.float64), shares)
        least.append(was - _measured(high[some].astype(np.float64), shares))
        most.append(was - _measured(low[some].astype(np.float64), shares))
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(np.concatenate(least), tail, axis=0), np.quantile(np.concatenate(most), 1 - tail, axis=0)
    if drawn < count:
        known = [_measured(values[None, :].astype(np.float64), shares)[0] for values in (before, high, low)]
        scale = (drawn / count) ** 0.5
        lower = known[0] - known[1] + scale * (lower - (known[0] - known[1]))
        upper = known[0] - known[2] + scale * (upper - (known[0] - known[2]))
    # A quantile that may lie beyond all traces that there are is reached by no draw of them.
    beyond = np.array([False, *(max(part, 1 - part) ** count > tail for part in shares)])
    return np.where(beyond, np.nan, lower), np.where(beyond, np.nan, upper)


def _estimates(name: str, nanoseconds: Floats) -> pl.Series:
    missing = pl.Series(np.isnan(nanoseconds))
    return pl.Series(name, np.rint(np.nan_to_num(nanoseconds)).astype(np.int64)).set(missing, None).cast(DURATION)

"""trace_diff: what changed between two cohorts of traces, call path by call path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.clocks.doubts import warn_of_skew
from tracelab.conforming import span_frame
from tracelab.differences.paths.cohort import KEYS, By, Cohort, cohort_of, labels_of, placed
from tracelab.differences.paths.exact import rounded, shared_out
from tracelab.differences.paths.resampling import resampled
from tracelab.options import choice, share, whole
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.array_types import Floats, Ints

CHANGE: Final = pl.Enum(["both", "new", "gone", "moved"])
_BOTH, _NEW, _GONE, _MOVED = range(4)
_AROUND: Final = 0.02
_FEWEST_AROUND: Final = 5


@dataclass(frozen=True)
class Totals:
    """What is known of both cohorts as a whole, in nanoseconds; None where a cohort is empty.

    Attributes
    ----------
    before_traces, after_traces
        How many traces there are.
    before_mean, after_mean, difference
        Means from end to end, and their difference.
    lower, upper
        The interval of the difference.
    before_quantile, after_quantile
        The quantile that was asked for.
    quantile_lower, quantile_upper
        The interval of its difference.
    """

    before_traces: int
    after_traces: int
    before_mean: int
    after_mean: int
    difference: int
    lower: float
    upper: float
    before_quantile: float
    after_quantile: float
    quantile_lower: float
    quantile_upper: float


def trace_diff(
    before: Any,
    after: Any,
    *,
    by: By = "call path",
    quantile: float = 0.95,
    confidence: float = 0.95,
    resamples: int = 200,
) -> pl.DataFrame:
    """Lay two cohorts of traces side by side, call path by call path.

    Parameters
    ----------
    before, after
        The spans of either cohort: one trace or many.
    by
        What is laid side by side: each `"call path"`, each `"operation"` (a name of a service) wherever it is called
        from, or each `"service"`.
    quantile
        Of which quantile of the end-to-end durations the difference is broken down too, as an estimate.
    confidence
        How sure the intervals are.
    resamples
        How often traces are drawn anew for the intervals.

    Returns
    -------
    One row per call path: `call_path`, `service_name`, `name` (String; without `call_path` by operation, `service_name`
    alone by service), `change` (Enum: both, new, gone, moved; moved where the same operation was called from elsewhere
    before), `moved_from` (String, the call path that it had before; null if it did not move; by call path alone),
    `before_traces`, `after_traces` (UInt32, traces that have it), `before_count`,
    `after_count` (Float64, spans per trace), `before_error_rate`, `after_error_rate` (Float64, of its spans; null where
    it has none), `before_critical`, `after_critical` (Duration, what it takes of the critical path of a trace on
    average), `critical_difference` (Duration; these add up to the difference of the mean durations from end to end, to
    the nanosecond), `critical_lower`, `critical_upper` (Duration, its interval by bootstrap over traces; null where a
    cohort has fewer than two traces), `before_self`, `after_self` (Duration, self time per trace), `self_difference`
    (Duration), `before_duration`, `after_duration` (Duration, the mean of its spans; null where it has none),
    `quantile_difference` (Duration, an estimate: what of the difference of the quantile is due to it, from traces
    whose durations are next to the quantile). Sorted by the size of `critical_difference`, largest first, then by what
    it is called.

    Raises
    ------
    TracelabError
        An option is none.
    SchemaError
        A frame cannot be conformed.

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Notes
    -----
    A trace lasts from end to end as long as the span that begins it. Its critical path covers that span from start to
    end, so that what call paths take of it adds up to the whole. Means are rounded to nanoseconds so that their
    differences still add up. Fragments of a trace whose parent is missing are counted, but for the critical path.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> before = draw('''
    ... api    ======
    ...   db   .==
    ... ''')
    >>> after = draw('''
    ... api    =========
    ...   db   .=====
    ... ''')
    >>> trace_diff(before, after).select("call_path", "critical_difference").rows()[0]
    ('api::api > db::db', datetime.timedelta(microseconds=3000))
    """
    found = differences_of(before, after, by=by, quantile=quantile, confidence=confidence, resamples=resamples)[0]
    return found.drop("number", "parent")


def differences_of(
    before: Any, after: Any, *, by: By = "call path", quantile: float, confidence: float, resamples: int
) -> tuple[pl.DataFrame, Totals]:
    """Give the answer of `trace_diff`, with a number of each call path and of its parent, and what is known of all."""
    choice("by", by, list(KEYS))
    quantile = share("quantile", quantile, ends=False, why="0.95 is usual.")
    confidence = share("confidence", confidence, ends=False, why="0.95 is usual.")
    resamples = whole("resamples", resamples, least=20)
    parts = placed(_eager(before), by), placed(_eager(after), by)
    warn_of_skew(*((part.frame, part.forest) for part in parts))
    codes, labels = labels_of(parts, by)
    one, other = (cohort_of(part, code, labels.height) for part, code in zip(parts, codes, strict=True))
    intervals = resampled(one, other, resamples=resamples, confidence=confidence, quantile=quantile)
    change, moved_from = _changes(one, other, labels)
    moved = {"moved_from": moved_from} if by == "call path" else {}
    columns: dict[str, Any] = {
        "number": np.arange(labels.height),
        **labels.to_dict(),
        "change": pl.Series(CHANGE.categories).cast(CHANGE).gather(pl.Series(change)),
        **moved,
        "before_traces": pl.Series(one.having).cast(pl.UInt32),
        "after_traces": pl.Series(other.having).cast(pl.UInt32),
        "before_count": _per(one.spans, one.traces),
        "after_count": _per(other.spans, other.traces),
        "before_error_rate": _rates(one),
        "after_error_rate": _rates(other),
        "before_critical": _means(one.critical_sum, one.traces),
        "after_critical": _means(other.critical_sum, other.traces),
        "critical_difference": _lengths(_exact_differences(one, other)),
        "critical_lower": _estimates(intervals.lower),
        "critical_upper": _estimates(intervals.upper),
        "before_self": _means(one.own_sum, one.traces),
        "after_self": _means(other.own_sum, other.traces),
        "self_difference": _lengths(_mean(other.own_sum, other.traces) - _mean(one.own_sum, one.traces)),
        "before_duration": _of_spans(one),
        "after_duration": _of_spans(other),
        "quantile_difference": _lengths(_quantile_differences(one, other, quantile)),
    }
    answer = pl.DataFrame(columns).sort(
        pl.col("critical_difference").abs(), *KEYS[by], descending=[True, *[False] * len(KEYS[by])], maintain_order=True
    )
    totals = Totals(
        one.traces,
        other.traces,
        rounded(int(one.total.sum()), one.traces),
        rounded(int(other.total.sum()), other.traces),
        _difference(one, other),
        float(intervals.mean[0]),
        float(intervals.mean[1]),
        float(np.quantile(one.total, quantile)) if one.traces else float("nan"),
        float(np.quantile(other.total, quantile)) if other.traces else float("nan"),
        float(intervals.quantile[0]),
        float(intervals.quantile[1]),
    )
    return answer, totals


def _eager(spans: Any) -> pl.DataFrame:
    frame = span_frame(spans)
    return frame.collect() if isinstance(frame, pl.LazyFrame) else frame


def _difference(before: Cohort, after: Cohort) -> int:
    """Give the difference of the means from end to end; of an empty cohort the mean is 0."""
    return sum(_exact_differences(before, after))


def _exact_differences(before: Cohort, after: Cohort) -> list[int]:
    """Give the difference of each call path, in nanoseconds that add up to the rounded whole."""
    one, other = max(before.traces, 1), max(after.traces, 1)
    sums = zip(before.critical_sum.tolist(), after.critical_sum.tolist(), strict=True)
    return shared_out([new * one - old * other for old, new in sums], one * other)


def _quantile_differences(before: Cohort, after: Cohort, quantile: float) -> list[int]:
    """Break the difference of a quantile down by what the traces next to it were waiting for."""
    (one, at), (other, then) = (_around(cohort, quantile) for cohort in (before, after))
    return _fitted(other - one, then - at)


def _fitted(parts: Floats, total: float) -> list[int]:
    """Round parts to whole numbers that add up to a total."""
    off = total - parts.sum()
    size = np.abs(parts).sum()
    spread = parts + (off * np.abs(parts) / size if size else 0.0)
    return shared_out([int(value * 1_000) for value in spread.tolist()], 1_000)


def _around(cohort: Cohort, quantile: float) -> tuple[Floats, float]:
    """Give what call paths take in traces next to a quantile, scaled to add up to it, and the quantile."""
    paths = cohort.critical.shape[0]
    if not cohort.traces:
        return np.zeros(paths), 0.0
    order = np.argsort(cohort.total, kind="stable")
    at = quantile * (cohort.traces - 1)
    reach = max(_FEWEST_AROUND, round(_AROUND * cohort.traces)) / 2
    near = order[max(int(at - reach), 0) : int(np.ceil(at + reach)) + 1]
    means = np.asarray(cohort.critical[:, near].sum(axis=1)).ravel() / near.size
    value = float(np.quantile(cohort.total, quantile))
    total = float(means.sum())
    return means * (value / total if total else 0.0), value


def _changes(before: Cohort, after: Cohort, labels: pl.DataFrame) -> tuple[Ints, list[str | None]]:
    """Say which call paths are new, gone or moved; a new one has moved if one of the same operation is gone.

    Operations and services are where they are, so that they cannot move.
    """
    there = before.spans > 0, after.spans > 0
    change = np.where(there[0] & there[1], _BOTH, np.where(there[1], _NEW, _GONE))
    moved: list[str | None] = [None] * change.size
    if "call_path" not in labels.columns:
        return change, moved
    operations = list(zip(labels["service_name"].to_list(), labels["name"].to_list(), strict=True))
    paths = labels["call_path"].to_list()
    gone: dict[tuple[str, str], list[int]] = {}
    for place in np.flatnonzero(change == _GONE).tolist():
        gone.setdefault(operations[place], []).append(place)
    for place in np.flatnonzero(change == _NEW).tolist():
        if gone.get(operations[place]):
            change[place] = _MOVED
            moved[place] = paths[gone[operations[place]].pop(0)]
    return change, moved


def _per(count: Ints, traces: int) -> Floats:
    return np.asarray(count / max(traces, 1))


def _rates(cohort: Cohort) -> pl.Series:
    rate = pl.Series(cohort.failed / np.maximum(cohort.spans, 1))
    return rate.set(pl.Series(cohort.spans == 0), None)


def _mean(sums: Ints, traces: int) -> Ints:
    return np.rint(sums / max(traces, 1)).astype(np.int64)


def _means(sums: Ints, traces: int) -> pl.Series:
    return _lengths(_mean(sums, traces))


def _of_spans(cohort: Cohort) -> pl.Series:
    return _lengths(_mean(cohort.duration_sum, 1) // np.maximum(cohort.spans, 1)).set(
        pl.Series(cohort.spans == 0), None
    )


def _lengths(nanoseconds: Any) -> pl.Series:
    return pl.Series(np.asarray(nanoseconds, dtype=np.int64)).cast(DURATION)


def _estimates(nanoseconds: Floats) -> pl.Series:
    missing = pl.Series(np.isnan(nanoseconds))
    return pl.Series(np.rint(np.nan_to_num(nanoseconds)).astype(np.int64)).set(missing, None).cast(DURATION)

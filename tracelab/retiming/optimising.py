"""optimise: which operation gives the most if it gets a little faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from tracelab.analysis.critical_paths.paths import path_sections
from tracelab.analysis.grouping import By, keys, names_of
from tracelab.options import share, whole
from tracelab.retiming.changing import Change
from tracelab.retiming.tracing import Cohort, cohort_of, eager_frame
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.array_types import Floats, Ints

_SEED: Final = 20_260_501
_AT_ONCE: Final = 1_000_000
_PLACE, _LENGTH, _TRACE, _TIME = "__place", "__length", "__trace", "__time"
_SIDES: Final = ("optimistic", "pessimistic")
_MADE: Final = (
    "spans", "traces", "path_share", "all_traces", "operations",
    "saved_lower", "saved_upper",
    *(f"{name}_{side}" for name in ("saved", "saved_share", "quantile_saved") for side in _SIDES),
)  # fmt: skip


def optimise(
    spans: Any,
    *,
    by: By = ("service_name", "name"),
    saving: float = 0.1,
    limit: int = 20,
    quantile: float = 0.95,
    confidence: float = 0.95,
    resamples: int = 200,
) -> pl.DataFrame:
    """Say which operation gives traces the most if its own work takes a little less time.

    Parameters
    ----------
    spans
        The spans, of whole traces.
    by
        What an operation is: a column, an attribute's key, an expression, or a list of these.
    saving
        What share of its own work each operation saves, at all of its spans: 0.1 is 10 %.
    limit
        How many operations are tried, those first that own most of the critical paths.
    quantile
        For which quantile of the durations from end to end the answer says what is saved, beside the mean.
    confidence
        How sure the intervals are.
    resamples
        How often traces are drawn anew for the intervals.

    Returns
    -------
    One row per operation that was tried, the one first that saves the most in the pessimistic case, then in the
    optimistic one, then by keys: the columns of `by` under their names, `saved_optimistic`, `saved_pessimistic`
    (Duration, of the mean duration from end to end), `saved_lower`, `saved_upper` (Duration, an interval by bootstrap
    over traces, from the lower end of the pessimistic to the upper end of the optimistic case; null where there are
    fewer than two traces), `saved_share_optimistic`, `saved_share_pessimistic` (Float64, of that mean; null where it is
    0), `quantile_saved_optimistic`, `quantile_saved_pessimistic` (Duration, of the quantile), `path_share` (Float64,
    what it owns of the critical paths; null where they have no length), `spans`, `traces` (UInt32, that it has),
    `all_traces` (UInt32, that the means are over), `operations` (UInt32, how many there are, tried or not).

    Raises
    ------
    TracelabError
        An option is not what it should be.
    SchemaError
        `by` names no column, or the frame cannot be conformed.

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

    Notes
    -----
    Each operation is tried as `what_if(spans, ..., factor=1 - saving, part="self")` has it: only what it does itself
    gets faster, since what it calls is the work of others. Savings of several operations do not add up where these ran
    at once.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    ====================
    ...   auth .====
    ...   db   .....==============
    ... ''')
    >>> optimise(spans).select("name", "saved_share_pessimistic").rows()
    [('db', 0.07), ('auth', 0.02), ('api', 0.01)]
    """
    saving = share("saving", saving, ends=True, why="10 % is 0.1.")
    limit = whole("limit", limit, least=1)
    quantile = share("quantile", quantile, ends=False, why="0.95 is usual.")
    confidence = share("confidence", confidence, ends=False, why="0.95 is usual.")
    resamples = whole("resamples", resamples, least=20)
    frame = eager_frame(spans)
    found = keys(frame, by, made=_MADE)
    names = [f"__by{number}" for number in range(len(found))]
    cohort = cohort_of(frame, *(key.alias(name) for key, name in zip(found, names, strict=True)))
    operations = _operations(cohort, names)
    tried = operations.head(limit)
    change = Change(1 - saving, None, "self")
    most, least = (np.zeros((tried.height, cohort.root.size), dtype=np.int64) for _ in _SIDES)
    for row, places in enumerate(tried[_PLACE]):
        chosen = np.zeros(cohort.frame.height, dtype=bool)
        chosen[places.to_numpy()] = True
        low, high = cohort.retimed(chosen, change)
        most[row], least[row] = cohort.before - low, cohort.before - high
    columns = _columns(cohort, most, least, quantile, confidence, resamples)
    total = int(operations[_TIME].sum())
    return (
        tried.with_columns(
            **columns,
            path_share=pl.col(_TIME) / total if total else pl.lit(None, dtype=pl.Float64),
            all_traces=pl.lit(cohort.root.size).cast(pl.UInt32),
            operations=pl.lit(operations.height).cast(pl.UInt32),
        )
        .sort("saved_pessimistic", "saved_optimistic", *names, descending=[True, True, *(False for _ in names)])
        .select(
            *(pl.col(name).alias(shown) for name, shown in zip(names, names_of(found), strict=True)),
            *columns,
            "path_share",
            "spans",
            "traces",
            "all_traces",
            "operations",
        )
    )


def _operations(cohort: Cohort, names: list[str]) -> pl.DataFrame:
    """List operations with the places of their spans, those first that own most of the critical paths."""
    frame, forest = cohort.frame, cohort.forest
    sections = path_sections(frame, forest, method="tracelab")
    leads = np.zeros(frame.height, dtype=bool)
    leads[cohort.root] = True
    owned = np.zeros(frame.height, dtype=np.int64)
    counted = leads[forest.root[sections.owner]]
    np.add.at(owned, sections.owner[counted], (sections.end - sections.start)[counted])
    by = [pl.col(name) for name in names] or [pl.lit(0).alias("__all")]
    return (
        frame.lazy()
        .select(
            *names,
            pl.Series(_TIME, owned),
            pl.Series(_TRACE, forest.trace),
            pl.int_range(pl.len()).alias(_PLACE),
        )
        .group_by(by)
        .agg(
            pl.col(_PLACE),
            pl.col(_TIME).sum(),
            spans=pl.len().cast(pl.UInt32),
            traces=pl.col(_TRACE).n_unique().cast(pl.UInt32),
        )
        .filter(pl.col("spans") > 0)
        .sort(_TIME, *names, descending=[True, *(False for _ in names)])
        .collect()
    )


def _columns(
    cohort: Cohort, most: Ints, least: Ints, quantile: float, confidence: float, resamples: int
) -> dict[str, pl.Series]:
    """Give what is saved on average and of a quantile, of what each trace saves, with a row per operation."""
    before, traces = cohort.before, cohort.root.size
    columns: dict[str, pl.Series] = {}
    if not traces:
        return {name: pl.Series([], dtype=dtype) for name, dtype in _dtypes().items()}
    means = {side: values.mean(axis=1) for side, values in zip(_SIDES, (most, least), strict=True)}
    for side in _SIDES:
        columns[f"saved_{side}"] = _lengths(means[side])
    lower, upper = _intervals(least, most, confidence, resamples)
    columns |= {"saved_lower": _lengths(lower), "saved_upper": _lengths(upper)}
    whole_mean = float(before.mean())
    for side in _SIDES:
        columns[f"saved_share_{side}"] = pl.Series(
            [value / whole_mean if whole_mean else None for value in means[side].tolist()], dtype=pl.Float64
        )
    at = float(np.quantile(before, quantile))
    for side, saved in zip(_SIDES, (most, least), strict=True):
        columns[f"quantile_saved_{side}"] = _lengths(at - np.quantile(before - saved, quantile, axis=1))
    return columns


def _dtypes() -> dict[str, pl.DataType]:
    names = [f"saved_{side}" for side in _SIDES] + ["saved_lower", "saved_upper"]
    shares = [f"saved_share_{side}" for side in _SIDES]
    quantiles = [f"quantile_saved_{side}" for side in _SIDES]
    return {
        **dict.fromkeys(names, DURATION),
        **dict.fromkeys(shares, pl.Float64()),
        **dict.fromkeys(quantiles, DURATION),
    }


def _intervals(low: Ints, high: Ints, confidence: float, resamples: int) -> tuple[Floats, Floats]:
    """Bound the means by drawing traces anew, as many as there are; nan where there are fewer than two."""
    traces = low.shape[1]
    if traces < 2:
        return np.full(low.shape[0], np.nan), np.full(low.shape[0], np.nan)
    rng = np.random.default_rng(_SEED)
    at_once = max(_AT_ONCE // traces, 1)
    least, most = [], []
    saved = low.T.astype(np.float64), high.T.astype(np.float64)
    for begin in range(0, resamples, at_once):
        count = min(at_once, resamples - begin)
        times = rng.multinomial(traces, np.full(traces, 1 / traces), count).astype(np.float64) / traces
        least.append(times @ saved[0])
        most.append(times @ saved[1])
    tail = (1 - confidence) / 2
    return np.quantile(np.concatenate(least), tail, axis=0), np.quantile(np.concatenate(most), 1 - tail, axis=0)


def _lengths(nanoseconds: Floats) -> pl.Series:
    missing = pl.Series(np.isnan(nanoseconds))
    return pl.Series(np.rint(np.nan_to_num(nanoseconds)).astype(np.int64)).set(missing, None).cast(DURATION)

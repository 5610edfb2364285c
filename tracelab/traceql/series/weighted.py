"""How surely points are known where spans stand for others that were dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.sampling.estimation.samples import Sample
from tracelab.sampling.estimation.totals import totals
from tracelab.sampling.estimation.weighing import EFFECTIVE, UNKNOWN, WEIGHT, floats, grouped, quality
from tracelab.traceql.series.over_time import COUNTING, Series, labelled

if TYPE_CHECKING:
    from tracelab.traceql.series.windows import Window
    from tracelab.traceql.syntax import nodes as n

TRACE: Final = "traceql trace"
SURENESS: Final = ("lower", "upper", EFFECTIVE, UNKNOWN)
_DTYPES: Final = dict(zip(SURENESS, (pl.Float64(), pl.Float64(), pl.Float64(), pl.UInt32()), strict=True))
_CONFIDENCE: Final = 0.95


def sureness(metric: n.Metric, spans: pl.DataFrame, keys: dict[str, dict[str, str]], window: Window) -> Series:
    """Give for each point the bounds of a count or rate, how many traces it is worth, and what is unknown.

    Parameters
    ----------
    metric
        The metric.
    spans
        What `counted` takes, with `WEIGHT` and `TRACE`.
    keys, window
        As there.
    """
    columns = ["interval", *(name for kinds in keys.values() for name in kinds.values())]
    there = spans.drop_nulls("number") if "number" in spans.columns else spans
    there = there.drop_nulls("exponent") if "exponent" in there.columns else there
    points, group = grouped(there, columns)
    sample = Sample.of(there[TRACE], group, there[WEIGHT].to_numpy(), groups=points.height)
    lower = upper = np.full(points.height, np.nan)
    if metric.function in COUNTING:
        found = totals(sample, np.ones(group.size, dtype=np.bool_), confidence=_CONFIDENCE)
        unit = window.seconds if metric.function == "rate" else 1.0
        lower, upper = found.lower / unit, found.upper / unit
    whole = points.with_columns(floats("lower", lower), floats("upper", upper), *quality(sample))
    return Series(labelled(whole, keys, ("interval", *SURENESS)), tuple(keys))


def with_sureness(series: Series, known: Series | None) -> pl.DataFrame:
    """Add to the points of a query how surely each is known; null after arithmetic, which is not followed."""
    points = series.frame.with_columns(pl.col("value").fill_nan(None))
    if known is None:
        return points.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in _DTYPES.items())
    on = ["interval", *known.labels]
    joined = points.join(known.frame, on=on, how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(pl.col(UNKNOWN).fill_null(0))

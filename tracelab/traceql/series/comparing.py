"""compare(): how often each value of each attribute occurs in a selection of spans, and in the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.attribute_values import AttributeValues, attribute_values, columns_with_attributes
from tracelab.numbering import renumbered
from tracelab.sampling.estimation.weighing import WEIGHT, checked_weights
from tracelab.traceql.expressions.values import as_text, column_value
from tracelab.traceql.series.over_time import Series, filled
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracelab.array_types import Floats, Ints
    from tracelab.traceql.series.windows import Window
    from tracelab.traceql.spansets.plans import Plan

META_TYPE: Final = "__meta_type"
META_ERROR: Final = "__meta_error"
_TOO_MANY: Final = "__too_many_values__"
_NIL: Final = "nil"
_INTRINSICS: Final = ("rootName", "rootServiceName", "statusMessage")
_COLUMNS: Final = {
    "name": "name",
    "kind": "kind",
    "status": "status_code",
    "instrumentation:name": "scope_name",
    "instrumentation:version": "scope_version",
    "resource.service.name": "service_name",
}
"""Intrinsics, and the one attribute, that have a column under another name."""

_CELL: Final = "traceql cell"
_POINTS: Final = pl.Schema(
    {
        META_TYPE: pl.String(),
        "attribute": pl.String(),
        "text": pl.String(),
        "value": pl.Float64(),
        "interval": pl.Int64(),
    }
)


def compared_attributes(
    spans: pl.LazyFrame,
    plan: Plan,
    conditions: list[pl.Expr],
    metric: n.Compare,
    window: Window,
    weight: Sequence[pl.Expr] = (),
) -> Series:
    """Count, in the selection and in the baseline, the spans with each value of each attribute, by weight if any.

    Values are text; of every attribute the `metric.top` most frequent ones are shown. The totals of an attribute have
    the value `nil`.
    """
    selection = plan.compiler.condition(metric.selection)
    if metric.start:
        selection &= pl.col("start_time").to_physical().is_between(metric.start, metric.end, closed="right")
    intrinsics = {name: plan.compiler.value(n.Intrinsic(name)).kinds[n.STRING] for name in _INTRINSICS}
    frame = (
        plan.columns.with_helpers(spans)
        .with_columns(
            # The interval and the side in one number, which is what everything is counted by.
            (window.interval() * 2 + selection.fill_null(False).cast(pl.Int64)).alias(_CELL),
            *(value.alias(f"traceql {name}") for name, value in intrinsics.items()),
            *weight,
        )
        .filter(*conditions, pl.col(_CELL).is_not_null())
        .select(
            _CELL,
            *([WEIGHT] if weight else []),
            *(f"traceql {name}" for name in intrinsics),
            *(name for name in plan.columns.schema if name in _COLUMNS.values()),
            *columns_with_attributes(plan.columns.schema),
        )
        .collect()
    )
    counting = _Counting(
        frame[_CELL].to_numpy(), checked_weights(frame[WEIGHT]) if weight else None, window.count, metric.top
    )
    fixed = {name: f"traceql {name}" for name in intrinsics} | _COLUMNS
    parts = [counting.shown(values) for values in attribute_values(frame, fixed=fixed)]
    counted = pl.concat([_POINTS.to_frame(), *(shown for shown, _ in parts)])
    points = filled(Series(counted, (META_TYPE, "attribute", "text")), window).frame
    cut = pl.DataFrame(
        {"attribute": [name for _, name in parts if name]}, schema={"attribute": pl.String()}
    ).with_columns(
        pl.lit(window.count - 1, dtype=pl.Int64).alias("interval"),
        pl.lit(_TOO_MANY).alias(META_ERROR),
        pl.lit(_NIL).alias("text"),
    )
    together = pl.concat([points.with_columns(pl.lit(None, dtype=pl.String).alias(META_ERROR)), cut], how="diagonal")
    names = sorted(together["attribute"].unique())
    labels = [META_TYPE, META_ERROR] if cut.height else [META_TYPE]
    columns = [pl.when(pl.col("attribute") == name).then("text").alias(name) for name in names]
    return Series(together.select("interval", *labels, *columns, "value"), (*labels, *names))


@dataclass(frozen=True)
class _Counting:
    """What values are counted by.

    Attributes
    ----------
    cell
        For every span its interval and side in one number.
    weight
        How much each span counts; None if each counts once.
    intervals
        How many intervals there are.
    top
        How many values of an attribute are shown on each side.
    """

    cell: Ints
    weight: Floats | None
    intervals: int
    top: int

    def shown(self, attribute: AttributeValues) -> tuple[pl.DataFrame, str | None]:
        """Count the most frequent values of one attribute on each side, and all of them together.

        Gives the counts, and the attribute's name if it has more values than are shown.
        """
        code, cell, value = self._counted(attribute)
        order = _order(attribute.values)
        parts, cut = [], False
        for side, name in enumerate(("baseline", "selection")):
            own = cell % 2 == side
            of, interval, counts = code[own], cell[own] // 2, value[own]
            known, sums = _sums(of, counts)
            ranked = known[np.lexsort((order[known], -sums))]
            cut |= ranked.size > self.top
            shown = np.isin(of, ranked[: self.top])
            texts = _texts(attribute.values.gather(pl.Series(of[shown])))
            parts.append(_points(attribute.name, name, texts, counts[shown], interval[shown]))
            intervals, totals = _sums(interval, counts)
            nil = pl.repeat(_NIL, totals.size, eager=True)
            parts.append(_points(attribute.name, f"{name}_total", nil, totals, intervals))
        return pl.concat(parts), attribute.name if cut else None

    def _counted(self, attribute: AttributeValues) -> tuple[Ints, Ints, Floats]:
        """Count every value in every cell where it is: number of the value, cell, and how often it is there."""
        rows = attribute.rows
        cell = self.cell if rows is None else self.cell[rows]
        weight = self.weight if rows is None or self.weight is None else self.weight[rows]
        # Where there is no value the number is -1, which comes first so, and is left out in the end.
        number, distinct = renumbered((attribute.codes + 1) * (2 * self.intervals) + cell)
        value = np.bincount(number, weights=weight, minlength=distinct.size).astype(np.float64)
        code, there = distinct // (2 * self.intervals) - 1, distinct >= 2 * self.intervals
        return code[there], distinct[there] % (2 * self.intervals), value[there]


def _sums(numbers: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Give the different numbers, and the sum of the values of each."""
    number, distinct = renumbered(numbers)
    # Of nothing, numpy counts whole numbers even where there are weights.
    return distinct, np.bincount(number, weights=values, minlength=distinct.size).astype(np.float64)


def _order(values: pl.Series) -> Ints:
    """Say where each value stands among the others; lists stand as they come."""
    if isinstance(values.dtype, pl.List):
        return np.arange(values.len())
    return values.rank("dense").cast(pl.Int64).to_numpy()


def _texts(values: pl.Series) -> pl.Series:
    return values.to_frame("text").select(as_text(column_value(pl.col("text"), values.dtype))).to_series()


def _points(attribute: str, kind: str, texts: pl.Series, values: Floats, intervals: Ints) -> pl.DataFrame:
    return pl.DataFrame(
        {"text": texts, "value": values, "interval": intervals}, schema_overrides={"interval": pl.Int64}
    ).select(pl.lit(kind).alias(META_TYPE), pl.lit(attribute).alias("attribute"), "text", "value", "interval")

"""What is counted or averaged over the spans of each spanset, and how it is compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tracelab.traceql.expressions.operators import calculated, compared
from tracelab.traceql.expressions.values import NANOSECONDS, TEXT, Value, as_number, literal_value
from tracelab.traceql.syntax import nodes as n

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracelab.array_types import Ints


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something said of every spanset.

    Attributes
    ----------
    kind
        The kind of value, where `values` hold it.
    columns
        Where it is the same for all spans of a spanset: the columns that hold it on each span, by kind.
    values, labels
        Where it was worked out: a frame of `group` and `value`, and each span's group at that time.
    """

    kind: str
    columns: dict[str, str] = field(default_factory=dict)
    values: pl.DataFrame | None = None
    labels: Ints | None = None


def aggregated(aggregate: n.Aggregate, groups: Ints, columns: Mapping[str, pl.Series]) -> tuple[str, pl.DataFrame]:
    """Aggregate over groups of spans.

    Gives the kind of the result, and a frame of `group` and `value`; null where no span of a group has a number. Ints
    and durations stay such where all values are; any mix is a float.
    """
    if aggregate.argument is None:
        counts = np.bincount(groups)
        there = np.flatnonzero(counts)
        return n.INT, pl.DataFrame({"group": there, "value": counts[there]})
    numbers = {
        kind: column for kind, column in columns.items() if kind in n.NUMERIC and column.null_count() < column.len()
    }
    if TEXT in columns:
        texts = columns[TEXT].cast(pl.Float64, strict=False)
        numbers = {**numbers, "number": texts} if texts.null_count() < texts.len() else numbers
    frame = pl.DataFrame({"group": groups, **numbers})
    if len(numbers) == 1 and "number" not in numbers:
        kind = next(iter(numbers))
        value = pl.col(kind)
    else:
        kind = n.FLOAT
        parts = [as_number(name if name != "number" else n.FLOAT, pl.col(name)) for name in numbers]
        value = pl.coalesce([*parts, pl.lit(None, dtype=pl.Float64)])
    grouped = frame.select("group", value=value).drop_nulls("value").group_by("group")
    kind, result = _aggregate(aggregate.function, kind)
    return kind, grouped.agg(value=result)


def scalar_test(stage: n.ScalarFilter, values: Mapping[n.Scalar, tuple[str, str]]) -> pl.Expr:
    """Give the comparison of a scalar filter, over a frame that has the aggregates under these names."""
    return compared(stage.operator, _scalar(stage.left, values), _scalar(stage.right, values)).truth


def _aggregate(function: str, kind: str) -> tuple[str, pl.Expr]:
    value = pl.col("value")
    match function:
        case "min":
            return kind, value.min()
        case "max":
            return kind, value.max()
        case "sum":
            return kind, value.sum()
    if kind == n.DURATION:  # Tempo divides nanoseconds as ints
        return kind, (value.to_physical().sum() // pl.len().cast(pl.Int64)).cast(NANOSECONDS)
    return n.FLOAT, value.mean()


def _scalar(scalar: n.Scalar, values: Mapping[n.Scalar, tuple[str, str]]) -> Value:
    match scalar:
        case n.Static():
            return literal_value(scalar)
        case n.ScalarOperation():
            left = _scalar(scalar.first, values)
            for step in scalar.steps:
                left = calculated(step.operator, left, _scalar(step.operand, values))
            return left
    kind, name = values[scalar]
    return Value({kind: pl.col(name)})

"""The option `weights`: which column says how many spans each stands for, and what answers have because of it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl

from tracelab.errors import SchemaError, TracelabError
from tracelab.options import shown
from tracelab.sampling.decided import MOST_WEIGHT, SAMPLING_WEIGHT
from tracelab.sampling.estimation.totals import totals

if TYPE_CHECKING:
    from tracelab.array_types import Floats, Ints
    from tracelab.sampling.estimation.samples import Sample
    from tracelab.sampling.estimation.totals import Estimates

Weights: TypeAlias = str | pl.Expr | None

WEIGHT: Final = "__weight"
EFFECTIVE: Final = "effective_sample_size"
UNKNOWN: Final = "unknown_weight"

_HAIR: Final = 1e-9


def weight_column(spans: pl.DataFrame | pl.LazyFrame, weights: Weights) -> list[pl.Expr]:
    """Turn `weights` into the expression for the column that answers weigh by, as `WEIGHT`; nothing for None.

    Raises
    ------
    SchemaError
        There is no such column, or it holds no numbers.
    TracelabError
        It is neither a column nor an expression for one, or cannot be computed.
    """
    if weights is None:
        return []
    if not isinstance(weights, str | pl.Expr):
        raise TracelabError(
            f"`weights` must be the name of a column or an expression, got {shown(weights)}. "
            f"Write weights={SAMPLING_WEIGHT!r}, which with_weights adds, or None to count every span once."
        )
    schema = spans.lazy().collect_schema()
    if isinstance(weights, str) and weights not in schema:
        near = get_close_matches(weights, schema.names(), n=2, cutoff=0.6)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        made = " with_weights(spans) adds it." if weights == SAMPLING_WEIGHT else ""
        raise SchemaError(f"`weights` names {weights!r}, which is no column of the spans.{made or hint}")
    column = pl.col(weights) if isinstance(weights, str) else weights
    try:
        found = pl.DataFrame(schema=schema).select(column).schema
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise TracelabError(f"`weights` cannot be computed from these spans: {reason}.") from error
    if len(found) != 1:
        raise TracelabError(f"`weights` takes one column, got {len(found)}: {', '.join(found)}.")
    ((name, dtype),) = found.items()
    if not dtype.is_numeric() and dtype != pl.Null:
        raise SchemaError(
            f"`weights` reads {name!r}, which is {dtype}. Weights are numbers: how many spans each span stands for, "
            "1 over the probability that it is kept."
        )
    _fit(spans, column)
    return [column.cast(pl.Float64).alias(WEIGHT)]


def _fit(spans: pl.DataFrame | pl.LazyFrame, column: pl.Expr) -> None:
    """See that an expression has a weight for every span, or one for all of them."""
    if column.meta.is_column():
        return
    try:
        counts = spans.lazy().select(made=column.implode(), wanted=pl.len()).collect()
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise TracelabError(f"`weights` cannot be computed from these spans: {reason}.") from error
    made, wanted = counts["made"].list.len().item(), counts["wanted"].item()
    if made not in (1, wanted):
        raise TracelabError(
            f"`weights` needs a weight for every span, and {shown(str(column))} gives {made:,} for {wanted:,} spans."
        )


def checked_weights(values: pl.Series) -> Floats:
    """Give weights as an array, NaN where they are null.

    Raises
    ------
    TracelabError
        One is below 1, which no kept span can have, or larger than chances are written, or no number.
    """
    weights: Floats = values.to_numpy().astype(np.float64)
    wrong = values.is_not_null().to_numpy() & ~((weights >= 1 - _HAIR) & (weights <= MOST_WEIGHT))
    if wrong.any():
        example = float(weights[np.argmax(wrong)])
        meant = f" {example:g} looks like a probability: its weight is {1 / example:g}." if 0 < example < 1 else ""
        raise TracelabError(
            f"`weights` holds {example:g}, and {int(wrong.sum()):,} of {weights.size:,} are no weights: these lie "
            f"between 1 and 2^64, or are null where they are not known.{meant}"
        )
    return np.maximum(weights, 1.0)


def estimated(name: str, estimates: Estimates) -> list[pl.Series]:
    """Name an estimated total and its bounds; null where something is not known or without bound."""
    sides = {"": estimates.value, "_lower": estimates.lower, "_upper": estimates.upper}
    return [floats(f"estimated_{name}{side}", values) for side, values in sides.items()]


def estimated_names(*names: str) -> list[str]:
    """List the columns that `estimated` makes of some names, and those that every weighted answer has."""
    return [*(f"estimated_{name}{side}" for name in names for side in ("", "_lower", "_upper")), EFFECTIVE, UNKNOWN]


def counted(name: str, sample: Sample, *, confidence: float) -> list[pl.Series]:
    """Estimate how many items there were in each group."""
    return estimated(name, totals(sample, np.ones(sample.group.size, dtype=np.bool_), confidence=confidence))


def quality(sample: Sample) -> list[pl.Series]:
    """Say for each group how many traces it is worth, and how many items have no known weight."""
    unknown = np.bincount(sample.group[np.isnan(sample.weight)], minlength=sample.groups)
    return [floats(EFFECTIVE, sample.effective), pl.Series(UNKNOWN, unknown).cast(pl.UInt32)]


def floats(name: str, values: Floats) -> pl.Series:
    """Make a column of numbers, null where they are not known or have no bound."""
    return pl.Series(name, np.where(np.isfinite(values), values, np.nan), nan_to_null=True)


def grouped(rows: pl.DataFrame, names: list[str]) -> tuple[pl.DataFrame, Ints]:
    """Give the different values of some columns, and for each row the number of its own."""
    if not names:
        found = pl.DataFrame({"__all": [0] * min(rows.height, 1)})
        return found, np.zeros(rows.height, dtype=np.int64)
    groups = rows.lazy().select(names).unique(maintain_order=True).with_row_index("__group").collect()
    numbers = (
        rows.lazy().select(names).join(groups.lazy(), on=names, how="left", nulls_equal=True, maintain_order="left")
    )
    return groups.drop("__group"), numbers.select("__group").collect()["__group"].to_numpy().astype(np.int64)

"""What groups are called on a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence


def with_groups(answer: pl.DataFrame, keys: Sequence[str], *, otherwise: str = "all spans") -> pl.DataFrame:
    """Add the column `group`, which names the group of each row by its keys, whatever dtype they have."""
    texts = [_texts(answer[key]).fill_null("(none)") for key in keys]
    group = pl.concat_str(texts, separator=" · ") if texts else pl.lit(otherwise)
    return answer.with_columns(group.alias("group"))


def _texts(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Duration:
        texts = [None if length is None else format_duration(length) for length in values.dt.total_nanoseconds()]
    elif values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object):
        texts = [None if value is None else str(value) for value in values.to_list()]
    else:
        return values.cast(pl.String)
    return pl.Series(values.name, texts, dtype=pl.String)

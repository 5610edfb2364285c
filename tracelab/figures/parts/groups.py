"""What groups are called on a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence


def with_groups(answer: pl.DataFrame, keys: Sequence[str], *, otherwise: str = "all spans") -> pl.DataFrame:
    """Add `group`, which names the keys of each row, and `color`, the name that it gets its colour by.

    Keys may have any dtype. A group has the colour of its service where that is a key, else one of its own.
    """
    texts = {key: _texts(answer[key]).fill_null("(none)") for key in keys}
    group = pl.concat_str(list(texts.values()), separator=" · ") if texts else pl.lit(otherwise)
    return answer.with_columns(group.alias("group"), texts.get("service_name", group).alias("color"))


def _texts(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Duration:
        texts = [None if length is None else format_duration(length) for length in values.dt.total_nanoseconds()]
    elif values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object):
        texts = [None if value is None else str(value) for value in values.to_list()]
    else:
        return values.cast(pl.String)
    return pl.Series(values.name, texts, dtype=pl.String)

"""What trace states say of sampling: the thresholds and random values of OpenTelemetry's member `ot=th:...;rv:...`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from typing import Self

    from tracelab.sampling.ids import Numbers

NEVER: Final = 2**56
"""The threshold that no random value reaches; it has no text."""

_DIGITS: Final = 14
_MOST: Final = 256
_MEMBER: Final = r"(?:^|,)[ \t]*ot="
_SYNTAX: Final = r"^[a-z][a-z0-9]*:[A-Za-z0-9._-]*(?:;[a-z][a-z0-9]*:[A-Za-z0-9._-]*)*$"
_MENTIONED: Final = r"(?i)(?:^|;|=)\s*(?:th|rv)\s*:"


@dataclass(frozen=True)
class SamplingState:
    """What a column of trace states says of sampling, one value per row.

    A value is read where it is written as the specification says: `ot` stands once in the list, has 256 characters at
    most and no syntax of its own, and the key in it stands once, in lower-case hex. What the other members of the list
    are does not matter.

    Attributes
    ----------
    threshold
        UInt64: how many of the 2**56 random values are rejected; null where that is not said. A span stands for
        2**56 / (2**56 - threshold) spans, and nobody knows for how many without one.
    randomness
        UInt64: the explicit random value, of 56 bits; null where there is none.
    broken
        Boolean: a threshold or a random value is there that cannot be read.
    """

    threshold: pl.Series = field(repr=False)
    randomness: pl.Series = field(repr=False)
    broken: pl.Series = field(repr=False)

    @classmethod
    def of(cls, column: pl.Series) -> Self:
        """Read a column of W3C trace states."""
        texts = pl.DataFrame({"text": column.cast(pl.String)})
        values = texts.unique().lazy().pipe(_read).collect()
        rows = texts.join(values, on="text", how="left", nulls_equal=True, maintain_order="left")
        return cls(rows["threshold"], rows["randomness"], rows["broken"])


def probability(thresholds: pl.Series) -> pl.Series:
    """Give the share of the random values that reach a threshold; null where there is none."""
    return ((NEVER - thresholds.cast(pl.Int64)) / NEVER).alias("sampling_probability")


def threshold_texts(thresholds: Numbers) -> pl.Series:
    """Write thresholds as `th` does, without the zeros at the end; null where there is none that could be reached."""
    different, place = np.unique(thresholds, return_inverse=True)
    texts = [f"{int(value):014x}".rstrip("0") or "0" if value < NEVER else None for value in different]
    return pl.Series("th", texts, dtype=pl.String).gather(pl.Series(place.ravel()))


def _read(texts: pl.LazyFrame) -> pl.LazyFrame:
    text, ot = pl.col("text"), pl.col("ot")
    member = texts.select(
        text,
        ot=text.str.extract(_MEMBER + r"([^,]*)").str.strip_chars_end(" \t"),
        members=text.str.count_matches(_MEMBER),
    )
    whole = (pl.col("members") == 1) & (ot.str.len_bytes() <= _MOST) & ot.str.contains(_SYNTAX)
    values = member.with_columns(
        threshold=pl.when(whole).then(_digits("th", f"{{1,{_DIGITS}}}").str.pad_end(_DIGITS, "0")),
        randomness=pl.when(whole).then(_digits("rv", f"{{{_DIGITS}}}")),
    )
    said = pl.when(pl.col("members") > 1).then(text).otherwise(ot).str.count_matches(_MENTIONED)
    understood = pl.sum_horizontal(pl.col("threshold", "randomness").is_not_null().cast(pl.UInt32))
    return values.select(
        text,
        *(pl.col(name).str.to_integer(base=16, dtype=pl.UInt64) for name in ("threshold", "randomness")),
        broken=(said > understood).fill_null(value=False),
    )


def _digits(key: str, times: str) -> pl.Expr:
    """Read the hex digits of a key that stands once."""
    once = pl.col("ot").str.count_matches(f"(?:^|;){key}:") == 1
    return pl.when(once).then(pl.col("ot").str.extract(f"(?:^|;){key}:([0-9a-f]{times})(?:;|$)"))

"""Trace ids as numbers: each different one once, as samplers decide on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.forest import numbered

if TYPE_CHECKING:
    from typing import Self

    from tracelab.array_types import Flags, Ints

Numbers: TypeAlias = npt.NDArray[np.uint64]
Bytes: TypeAlias = npt.NDArray[np.uint8]

_DIGITS: Final = r"^(?:[0-9a-fA-F]{16}|[0-9a-fA-F]{32})$"


@dataclass(frozen=True)
class TraceIds:
    """The different trace ids of a column; every array has one item per id, but for `number`.

    An id of 32 hex digits is read as its 16 bytes, one of 16 digits as the lower 8 of them, as the Collector's
    receivers do. Any other text names a trace, but nothing can be decided on it: it is not `known`, and its bytes are
    zero.

    Attributes
    ----------
    texts
        The ids as they are written.
    number
        For every row of the column, which of the ids it has.
    high, low
        The first and the last 8 bytes.
    known
        Whether there are 16 bytes.
    """

    texts: pl.Series
    number: Ints = field(repr=False)
    high: Numbers = field(repr=False)
    low: Numbers = field(repr=False)
    known: Flags = field(repr=False)

    @classmethod
    def of(cls, column: pl.Series) -> Self:
        """Read a column of trace ids; null is an id of its own, which is not known."""
        return cls._read(*distinct(column))

    @classmethod
    def each(cls, texts: pl.Series) -> Self:
        """Read trace ids of which each is there once."""
        return cls._read(texts, np.arange(texts.len()))

    @classmethod
    def _read(cls, texts: pl.Series, number: Ints) -> Self:
        # A regular expression and whole numbers are several times faster than to decode hex to bytes.
        digits = pl.when(pl.col("id").str.contains(_DIGITS)).then(pl.col("id").str.zfill(32)).alias("id")
        halves = texts.to_frame("id").select(digits).select(_half(0).alias("high"), _half(16).alias("low"))
        known = halves["low"].is_not_null().to_numpy()
        high, low = (halves[name].fill_null(0).to_numpy() for name in halves.columns)
        return cls(texts, number, high, low, known)

    @property
    def valid(self) -> Flags:
        """True where an SDK takes the id for one: it has 16 bytes, which are not all zero."""
        some: Flags = (self.high | self.low) != 0
        return self.known & some

    @property
    def bytes(self) -> Bytes:
        """The 16 bytes of every id, a row each."""
        halves = np.stack((self.high, self.low), axis=1)
        return halves.astype(">u8").view(np.uint8)

    @property
    def randomness(self) -> Numbers:
        """The last 56 bits, which decide where a trace state says nothing else."""
        return self.low & np.uint64(2**56 - 1)


def distinct(column: pl.Series) -> tuple[pl.Series, Ints]:
    """Give the different values of a text column, null being one too, and which of them each row has."""
    number = numbered(column)
    if column.null_count():
        number = np.where(number >= 0, number, number.max(initial=-1) + 1)
    rows = np.zeros(int(number.max(initial=-1)) + 1, dtype=np.int64)
    rows[number] = np.arange(number.size)
    return column.gather(pl.Series(rows)), number


def _half(first: int) -> pl.Expr:
    """Read 16 of the 32 digits."""
    return pl.col("id").str.slice(first, 16).str.to_integer(base=16, dtype=pl.UInt64)

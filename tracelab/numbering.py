"""Values as small numbers: what is counted, compared and grouped is told apart by them, which is fast."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from tracelab.array_types import Ints

SEED: Final = secrets.randbits(64)
"""What hashes of texts begin with, so that nobody can make two texts of one hash."""

_DENSE: Final = 1 << 22
_SAMPLE: Final = 4_096
_REPEATING: Final = 0.3
_BITS: Final = 20


def coded(values: pl.Series) -> tuple[Ints, pl.Series]:
    """Give numbers to the distinct values of a column in the order in which they come; null is -1."""
    if values.null_count() == values.len():
        return np.full(values.len(), -1, dtype=np.int64), values.clear()
    if isinstance(values.dtype, pl.Categorical | pl.Enum):
        values = values.cast(pl.String)
    if not values.null_count() and values[0] == values[-1] and (values == values[0]).all():
        return np.zeros(values.len(), dtype=np.int64), values.head(1)
    found = _hashed(values) if values.len() > _SAMPLE else None
    if found is None:
        found = _compared(values)
    return found[0], values.gather(pl.Series(found[1]))


def _compared(values: pl.Series) -> tuple[Ints, Ints]:
    """Give numbers to values by comparing them; list where each one comes first."""
    if values.dtype == pl.String:
        # A category is numbered by when it is first seen, from 0 in categories that nobody else uses.
        codes = values.cast(pl.Categorical(pl.Categories.random())).to_physical()
        numbers = codes.cast(pl.Int64).fill_null(-1).to_numpy()
        count = int(numbers.max()) + 1
        return numbers, first_places(numbers, count, count + 1)[:-1]
    distinct = values.arg_unique().sort()
    distinct = distinct.filter(values.gather(distinct).is_not_null())
    ranks = values.rank("dense").cast(pl.Int64)
    table = np.full(distinct.len() + 1, -1, dtype=np.int64)
    table[ranks.gather(distinct).to_numpy()] = np.arange(distinct.len())
    return table[ranks.fill_null(0).to_numpy()], distinct.cast(pl.Int64).to_numpy()


def _hashed(values: pl.Series) -> tuple[Ints, Ints] | None:
    """Give numbers to values by their hashes, which is faster than comparing; list where each one comes first.

    None where that does not pay, since most differ, or where two hashes share their upper bits. The hashes have 64 bits
    and begin with a number that nobody knows, so that two values with the same one are not to be had.
    """
    sample = values.gather_every(max(1, values.len() // _SAMPLE))
    if sample.n_unique() > _REPEATING * sample.len():
        return None
    hashes = values.hash(SEED).to_numpy()
    short = (hashes >> np.uint64(64 - _BITS)).view(np.int64)
    whole = np.empty(1 << _BITS, dtype=np.uint64)
    whole[short] = hashes
    if not np.array_equal(whole[short], hashes):
        return None
    there = np.zeros(1 << _BITS, dtype=bool)
    there[short] = True
    distinct = np.flatnonzero(there)
    first = first_places(short, distinct.size, 1 << _BITS)
    distinct = distinct[np.argsort(first[distinct])]
    number = np.empty(1 << _BITS, dtype=np.int64)
    if values.null_count():
        none = short[int(values.is_null().arg_max() or 0)]
        number[none] = -1
        distinct = distinct[distinct != none]
    number[distinct] = np.arange(distinct.size)
    return number[short], first[distinct]


def first_places(numbers: Ints, count: int, most: int) -> Ints:
    """List where each of so many numbers below `most` comes first; -1 is written at the end of the list.

    What is in the list for numbers that do not come means nothing.
    """
    begin = numbers[:_SAMPLE]  # where most of them come
    if np.unique(begin[begin >= 0]).size < count:
        begin = numbers
    first = np.empty(most, dtype=np.int64)
    first[begin[::-1]] = np.arange(begin.size - 1, -1, -1)  # the last that is written stays
    return first


def renumbered(values: Ints) -> tuple[Ints, Ints]:
    """Give numbers from 0 on to the distinct values of an array, in their order; and list them."""
    most = int(values.max(initial=0)) + 1
    if most <= _DENSE and not (values.size and values.min() < 0):  # counting is ten times as fast as sorting
        distinct = np.flatnonzero(np.bincount(values, minlength=most))
        table = np.zeros(most, dtype=np.int64)
        table[distinct] = np.arange(distinct.size)
        return table[values], distinct
    distinct, number = np.unique(values, return_inverse=True)
    return number, distinct


def gathered(texts: pl.Series, numbers: Ints) -> pl.Series:
    """Give the texts of numbers, null where a number is -1."""
    if not texts.len():
        return pl.repeat(None, numbers.size, dtype=pl.String, eager=True).alias(texts.name)
    index = pl.Series(numbers)
    return texts.gather(index.set(index < 0, None))

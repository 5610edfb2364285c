"""The hash that Refinery decides by, and draws in place of its random numbers."""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from tracelab.array_types import Flags, Ints

_SALT: Final = b"5VQ8l2jE5aJLPVqk"
_MOST: Final = 2**32 - 1
_FEWEST_BITS: Final = 53


def chosen(ids: pl.Series, rate: int) -> Flags:
    """Mark the traces that the deterministic sampler keeps; `ids` are as Honeycomb writes them.

    It hashes each id by SHA-1, which only a loop can do: ids are given once each.
    """
    if rate <= 1:
        return np.ones(ids.len(), dtype=np.bool_)
    return _first_bytes(ids, _SALT, 4).view(">u4").ravel() <= _MOST // (rate % 2**32 or 1)


def drawn(ids: pl.Series, rates: Ints, seed: int) -> Flags:
    """Draw one in `rate` of the traces, where Refinery takes a random number: here a hash of the seed and the id.

    The first 8 bytes of SHA-1 of the id, `tracelab` and the seed are a number below 1 (of 53 bits), and a trace is kept
    where it is below 1 / rate. A higher rate keeps none that a lower one would not; rates below 1 keep none.
    """
    words = _first_bytes(ids, f"tracelab{seed}".encode(), 8).view(">u8").ravel().astype(np.uint64)
    share = (words >> np.uint64(64 - _FEWEST_BITS)).astype(np.float64) / 2.0**_FEWEST_BITS
    return (rates > 0) & (share * rates < 1)


def _first_bytes(ids: pl.Series, salt: bytes, width: int) -> npt.NDArray[np.uint8]:
    digests = b"".join([sha1(text.encode() + salt, usedforsecurity=False).digest()[:width] for text in ids.to_list()])
    return np.frombuffer(digests, dtype=np.uint8).reshape(-1, width)

"""FNV-1a, the hash that the Collector samples by: of a text, or of a prefix and each of many trace ids at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tracelab.sampling.ids import Bytes, Numbers

_START_32: Final = 0x811C9DC5
_START_64: Final = 0xCBF29CE484222325
_PRIME_32: Final = 0x01000193
_PRIME_64: Final = 0x00000100000001B3


def fnv1a_32(prefix: bytes, rows: Bytes) -> npt.NDArray[np.uint32]:
    """Hash the prefix and each row of bytes to 32 bits."""
    start = _after(prefix, _START_32, _PRIME_32, 2**32 - 1)
    hashes = np.full(len(rows), start, dtype=np.uint32)
    for column in rows.T:
        hashes ^= column
        hashes *= np.uint32(_PRIME_32)
    return hashes


def fnv1a_64(prefix: bytes, rows: Bytes) -> Numbers:
    """Hash the prefix and each row of bytes to 64 bits."""
    start = _after(prefix, _START_64, _PRIME_64, 2**64 - 1)
    hashes = np.full(len(rows), start, dtype=np.uint64)
    for column in rows.T:
        hashes ^= column
        hashes *= np.uint64(_PRIME_64)
    return hashes


def fnv1a_64_of(content: bytes) -> int:
    """Hash one text to 64 bits."""
    return _after(content, _START_64, _PRIME_64, 2**64 - 1)


def _after(prefix: bytes, start: int, prime: int, mask: int) -> int:
    """Hash the prefix, which is the same for all rows, by itself."""
    for byte in prefix:
        start = (start ^ byte) * prime & mask
    return start

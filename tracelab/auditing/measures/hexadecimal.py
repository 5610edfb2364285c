"""Ids as bytes: whether they are hex, and the numbers that they are."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

TRACE_ID_WIDTH: Final = 32
SPAN_ID_WIDTH: Final = 16

_CHUNK: Final = 1 << 18  # as much as stays in the processor's cache
_LOOSE: Final = 2
_ZERO, _A, _NINE, _F = 48, 97, 9, 5


def are_hex(ids: pl.Series, width: int) -> bool:
    """Tell whether all ids are lower-case hex of this width, above 12 characters.

    True is sure; False may also be because of bytes that other ids of the same memory have.
    """
    lengths = ids.str.len_bytes().to_numpy()
    if not ids.len():
        return True
    if ids.null_count() or int(lengths.min()) != width or int(lengths.max()) != width:
        return False
    array: Any = ids.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
    texts = [np.frombuffer(buffer, dtype=np.uint8) for buffer in array.buffers()[2:]]  # not validity and views
    if sum(text.size for text in texts) > _LOOSE * width * ids.len():  # of ids most of which were filtered out
        return bool(ids.str.contains("^[0-9a-f]+$").all())
    return all(_digits_only(text[at : at + _CHUNK]) for text in texts for at in range(0, text.size, _CHUNK))


def in_bytes(ids: pl.Series, width: int) -> npt.NDArray[np.uint8]:
    """Give the bytes of ids that are hex of this width, a row per id."""
    array: Any = ids.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, content = array.buffers()
    begin = int(np.frombuffer(offsets, dtype=np.int64, count=1, offset=8 * array.offset)[0]) if len(array) else 0
    text = np.frombuffer(content or b"", dtype=np.uint8, count=len(array) * width, offset=begin)
    digits = ((text & 15) + 9 * (text >> 6)).astype(np.uint8)
    pairs = digits.reshape(-1, width // 2, 2)
    held: npt.NDArray[np.uint8] = np.left_shift(pairs[:, :, 0], 4) | pairs[:, :, 1]
    return held


def _digits_only(text: npt.NDArray[np.uint8]) -> bool:
    # What is below the first digit or letter wraps around and is as much too large as what is above the last.
    return bool(((text - _ZERO <= _NINE) | (text - _A <= _F)).all())

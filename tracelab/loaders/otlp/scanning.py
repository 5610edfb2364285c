"""Bytes of JSON text as arrays: all places at once where something stands, and text without what was taken out."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

NUMBER_WIDTH: Final = 8
FIRST: Final = 10_000_000
"""The number of the first thing that was taken out; all have eight digits."""
_POWERS: Final = 10 ** np.arange(NUMBER_WIDTH - 1, -1, -1)
_ZERO: Final = np.uint8(ord("0"))


def words_of(content: bytes | bytearray, width: int = 8) -> Any:
    """Give the bytes from each place on, as many as `width` says: as numbers if eight, else as they are."""
    count = max(len(content) - width + 1, 0)
    return np.ndarray((count,), dtype="<u8" if width == 8 else f"V{width}", buffer=content, strides=(1,))


def slices(content: bytes | bytearray, starts: Ints, ends: Ints) -> Any:
    """Cut text at ascending places."""
    bounds = np.empty(2 * starts.size, dtype=np.int32)
    bounds[::2], bounds[1::2] = starts, ends
    array = pa.BinaryArray.from_buffers(
        pa.binary(), max(bounds.size - 1, 0), [None, pa.py_buffer(bounds), pa.py_buffer(content)]
    )
    places = np.arange(0, bounds.size, 2, dtype=np.int32)
    return array.take(pa.Array.from_buffers(pa.int32(), places.size, [None, pa.py_buffer(places)]))


def without(content: bytes | bytearray, starts: Ints, ends: Ints) -> bytearray:
    """Put a number in the place of each text that begins and ends here, none of which may be shorter than a number."""
    kept = slices(content, np.append(0, ends - NUMBER_WIDTH), np.append(starts, len(content)))
    _, offsets, held = kept.buffers()
    places = np.frombuffer(offsets, dtype=np.int32, count=len(kept) + 1)
    rest = bytearray(memoryview(held)[: places[-1]])
    numbers = FIRST + np.arange(starts.size)
    digits = (numbers[:, None] // _POWERS % 10).astype(np.uint8) + _ZERO
    words_of(rest)[places[1:-1]] = digits.view("<u8").ravel()
    return rest


def is_utf8(content: bytes) -> bool:
    """Tell whether bytes are text."""
    if content.isascii():
        return True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def strings(fixed: Any, there: Flags | None = None) -> pl.Series:
    """Make a column of texts that all have the same number of bytes, more than 12; null where `there` says no."""
    width = fixed.dtype.itemsize
    content = fixed.view(np.uint8)
    views = np.empty((fixed.size, 4), dtype=np.uint32)
    views[:, 0] = width
    views[:, 1] = content.reshape(-1, width)[:, :4].copy().view(np.uint32).ravel()
    views[:, 2] = 0
    views[:, 3] = np.arange(0, fixed.size * width, width, dtype=np.uint32)
    valid = None
    if there is not None and not there.all():
        valid = pa.py_buffer(np.packbits(there, bitorder="little"))
        views[~there] = 0
    array = pa.Array.from_buffers(pa.string_view(), fixed.size, [valid, pa.py_buffer(views), pa.py_buffer(content)])
    series: pl.Series = pl.from_arrow(array)  # type: ignore[assignment]
    return series

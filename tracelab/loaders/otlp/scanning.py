"""Bytes of JSON text as arrays: all places at once where something stands, and text without what was taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Text = bytes | bytearray | memoryview

NUMBER_WIDTH: Final = 8
FIRST: Final = 10_000_000
"""The number of the first thing that was taken out; all have eight digits."""
_DIGITS: Final = np.array([int.from_bytes(b"%04d" % number, "little") for number in range(10_000)], dtype=np.uint64)
"""Every half of a number as it is written."""
_ZEROS, _ABOVE_NINE, _HIGHEST = (np.uint64(int.from_bytes(8 * byte)) for byte in (b"0", b"\x76", b"\x80"))
_JOINED: Final = [
    (np.uint64(10), np.uint64(8), np.uint64(0x00FF00FF00FF00FF)),
    (np.uint64(100), np.uint64(16), np.uint64(0x0000FFFF0000FFFF)),
    (np.uint64(10_000), np.uint64(32), np.uint64(0x00000000FFFFFFFF)),
]
_ONLY_BIT: Final = np.array([bits.bit_length() - 1 if bits.bit_count() == 1 else -1 for bits in range(256)])
"""Which bit of a byte is set, -1 if it is not one."""
_BLOCK: Final = 1 << 19
_INLINE: Final = 12
"""Texts up to this length stand in the views themselves."""


def words_of(content: Text, width: int = 8) -> Any:
    """Give the bytes from each place on, as many as `width` says: as numbers if eight, else as they are."""
    count = max(len(content) - width + 1, 0)
    return np.ndarray((count,), dtype="<u8" if width == 8 else f"V{width}", buffer=content, strides=(1,))


def slices(content: Text, starts: Ints, ends: Ints) -> Any:
    """Cut text at ascending places."""
    bounds = np.empty(2 * starts.size, dtype=np.int32)
    bounds[::2], bounds[1::2] = starts, ends
    array = pa.BinaryArray.from_buffers(
        pa.binary(), max(bounds.size - 1, 0), [None, pa.py_buffer(bounds), pa.py_buffer(content)]
    )
    places = np.arange(0, bounds.size, 2, dtype=np.int32)
    return array.take(pa.Array.from_buffers(pa.int32(), places.size, [None, pa.py_buffer(places)]))


def views(content: Text, starts: Ints, ends: Ints) -> Any:
    """Cut text at any places without copying it."""
    lengths = ends - starts
    if not starts.size or int(lengths.min()) <= _INLINE:
        return slices(content, starts, ends)
    array = np.empty((starts.size, 4), dtype=np.uint32)
    array[:, 0] = lengths
    array[:, 1] = np.ndarray((len(content) - 3,), dtype="<u4", buffer=content, strides=(1,))[starts]
    array[:, 2] = 0
    array[:, 3] = starts
    return pa.Array.from_buffers(
        pa.binary_view(), starts.size, [None, pa.py_buffer(array.ravel()), pa.py_buffer(content)]
    )


def places_of(content: Text, literal: bytes) -> Ints:
    """Find where a literal stands, block by block, for what the processor has at hand is looked at fastest."""
    text = np.frombuffer(content, dtype=np.uint8)
    # Past the last place words would reach beyond the text.
    last = text.size - max(len(literal), 8) + 1
    found = [np.zeros(0, dtype=np.int64)]
    both, third = np.empty((2, _BLOCK), dtype=np.bool_)
    for start in range(0, last, _BLOCK):
        size = min(_BLOCK, last - start)
        # The first byte is common, the third is telling.
        same = np.equal(text[start : start + size], literal[0], out=both[:size])
        same &= np.equal(text[start + 2 : start + 2 + size], literal[2], out=third[:size])
        found.append(_set_places(same) + start)
    places = np.concatenate(found)
    there = are(words_of(content), places, literal)
    return places if there.all() else places[there]


def _set_places(flags: Flags) -> Ints:
    """Find where flags are set, which few are: eight at a time, twice as fast as one by one."""
    packed = np.packbits(flags, bitorder="little")
    filled = np.flatnonzero(packed != 0)
    bits = _ONLY_BIT[packed[filled]]
    return np.flatnonzero(flags) if (bits < 0).any() else (filled << 3) + bits


def are(words: Any, places: Ints, literal: bytes) -> Flags:
    """Tell where a literal stands."""
    same: Flags = np.ones(places.size, dtype=bool)
    for offset in sorted({*range(0, len(literal) - 7, 8), max(len(literal) - 8, 0)}):
        word = literal[offset : offset + 8]
        found = words[places + offset]
        if len(word) < 8:
            found &= np.uint64(2 ** (8 * len(word)) - 1)
        same &= found == np.uint64(int.from_bytes(word, "little"))
        if not same.any():
            break
    return same


def ranges(counts: Ints, which: Ints) -> Ints:
    """Give the places of all items of some lists, which stand one after another and have so many items each."""
    held = counts[which]
    starts = (np.cumsum(counts) - counts)[which]
    places: Ints = np.arange(int(held.sum())) + np.repeat(starts - (np.cumsum(held) - held), held)
    return places


def put_numbers(text: bytearray | memoryview, places: Ints, numbers: Ints) -> None:
    """Write numbers, which count from the first, into text."""
    first, last = np.divmod((FIRST + numbers).astype(np.uint32), np.uint32(_DIGITS.size))
    words_of(text)[places] = _DIGITS[last] << np.uint64(32) | _DIGITS[first]


def eight_digits(words: Any, places: Ints) -> tuple[npt.NDArray[np.uint64], Flags]:
    """Read numbers of eight digits, and tell which are none: pairs of digits are joined, then pairs of these."""
    numbers = words[places] - _ZEROS
    # What is no digit is below zero or above nine, which shows in the highest bit of its byte.
    fits: Flags = (numbers | (numbers + _ABOVE_NINE)) & _HIGHEST == 0
    for factor, bits, kept in _JOINED:
        numbers = (numbers * factor + (numbers >> bits)) & kept
    return numbers, fits


@dataclass(frozen=True, slots=True)
class Shorter:
    """Text that had something taken out of it, in whose place there is a number.

    Attributes
    ----------
    text
        What is left.
    numbers
        Where the numbers stand in it, which count what was taken out.
    starts, ends
        Where that stood.
    """

    text: Text
    numbers: Ints
    starts: Ints
    ends: Ints

    def moved(self, places: Ints) -> tuple[Ints, Flags]:
        """Tell where places of the whole text are now, and which of them are still there."""
        passed = np.searchsorted(self.ends, places, side="right")
        there = passed == np.searchsorted(self.starts, places, side="right")
        shorter = np.append(0, np.cumsum(self.ends - self.starts - NUMBER_WIDTH))
        return (places - shorter[passed])[there], there


def without(content: Text, starts: Ints, ends: Ints) -> Shorter:
    """Put a number in the place of each text that begins and ends here, none of which may be shorter than a number."""
    kept = slices(content, np.append(0, ends - NUMBER_WIDTH), np.append(starts, len(content)))
    _, offsets, held = kept.buffers()
    places = np.frombuffer(offsets, dtype=np.int32, count=len(kept) + 1)
    numbers = places[1:-1].astype(np.int64)
    text = memoryview(held)[: places[-1]]
    put_numbers(text, numbers, np.arange(starts.size))
    return Shorter(text, numbers, starts, ends)


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

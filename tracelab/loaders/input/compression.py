"""Compressed bytes, seen by their first bytes and read as what they hold, within bounds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, cast

import zstandard

from tracelab.errors import LoadError

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
BZIP2: Final = b"BZh"
XZ: Final = b"\xfd7zXZ\x00"
BLOCK: Final = 1 << 20
DAMAGE: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
_LAYERS: Final = 3
_ZSTD_WINDOW: Final = 1 << 27
_XZ_MEMORY: Final = 1 << 28
_BOMB_BYTES: Final = 1 << 30
_BOMB_RATIO: Final = 250


def decompressed(raw: io.RawIOBase) -> tuple[BinaryIO, bool]:
    """Look through up to three layers of compression; say whether there was one."""
    file: Any = io.BufferedReader(_Telling(raw), BLOCK)
    for layer in range(_LAYERS):
        magic = file.peek(len(XZ))[: len(XZ)]
        if magic.startswith(GZIP):
            file = gzip.GzipFile(fileobj=file, mode="rb")
        elif magic.startswith(ZSTD):
            decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
            file = decompressor.stream_reader(file, read_size=BLOCK, read_across_frames=True)
        elif magic.startswith(BZIP2):
            file = bz2.BZ2File(file)
        elif magic == XZ:
            file = _Xz(file)
        else:
            return cast("BinaryIO", file), layer > 0
        file = io.BufferedReader(_Telling(file), BLOCK)
    return cast("BinaryIO", file), True


class _Telling(io.RawIOBase):
    """A file that gives enough at once to tell what it is: a socket, say, may begin with a single byte."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view, size = memoryview(buffer), 0
        while size < min(len(XZ), len(view)) and (read := self._file.readinto(view[size:])):
            size += read
        return size


@dataclass(slots=True)
class Tally:
    """What was read of a file, and what came out of it: as one stream, as members, as members of these."""

    name: str
    read: int = 0
    given: dict[int, int] = field(default_factory=dict)

    def give(self, size: int, depth: int) -> None:
        """Count what came out.

        Raises
        ------
        LoadError
            It is so much more than went in that somebody must have meant harm.
        """
        given = self.given[depth] = self.given.get(depth, 0) + size
        if given > _BOMB_BYTES and given > _BOMB_RATIO * max(self.read, 1):
            raise LoadError(
                f"{self.name}: {self.read:,} bytes hold more than {given:,} bytes: this looks like a "
                "decompression bomb. If it is none, decompress it first."
            )


class _Xz(io.RawIOBase):
    """Decompressed xz, as `lzma.LZMAFile` gives it, but with a bound for the memory that the data may ask for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decompressor = self._fresh()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._decompressor.eof or self._next_stream():
            block = self._rest
            if not block and self._decompressor.needs_input and not (block := self._file.read(BLOCK)):
                raise EOFError("it ends in the middle")
            content = self._decompressor.decompress(block, len(buffer))
            self._rest = b""
            if content:
                buffer[: len(content)] = content
                return len(content)
        return 0

    def _next_stream(self) -> bool:
        """Go on with the next stream, if one follows; there may be zeros between them."""
        rest = self._decompressor.unused_data
        while not (rest := rest.lstrip(b"\0")):
            rest = self._file.read(BLOCK)
            if not rest:
                return False
        self._decompressor, self._rest = self._fresh(), rest
        return True

    @staticmethod
    def _fresh() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

"""Archives of dumps: zip and tar, each member read as a source of its own, nothing of it written under its name."""

from __future__ import annotations

import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, TypeVar, cast

from tracelab.errors import LoadError, TracelabError
from tracelab.loaders.input.compression import BLOCK
from tracelab.loaders.input.sibling_files import serves_a_block
from tracelab.loaders.input.sources import Source, Stream, may_be_dump
from tracelab.markup import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OTHERS: Final = {b"7z\xbc\xaf\x27\x1c": "7-Zip", b"Rar!\x1a\x07": "RAR"}
_ENCRYPTED: Final = 1
_NESTED: Final = 2
_MEMBERS: Final = 100_000
_IN_MEMORY: Final = 64 << 20
_LONGEST_NAME: Final = 200
_TAR_BUFFER: Final = 1 << 16
_SEPARATORS: Final = re.compile(r"[/\\]+")
_BROKEN: Final = (
    *(zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, struct.error),
    # What the standard library lets through where sizes, names or headers in an archive are no sane ones.
    *(OSError, EOFError, ValueError, ArithmeticError, IndexError, NotImplementedError, RuntimeError, MemoryError),
)

T = TypeVar("T")


class BrokenArchive(LoadError):  # noqa: N818 - it never leaves the loaders
    """An archive that cannot be read to its end; members that could be read were given."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A source that is no archive, or a member of one; in place of its bytes there may be why it cannot be read."""

    name: str
    content: Stream | LoadError

    def stream(self) -> Stream:
        """Give its bytes.

        Raises
        ------
        LoadError
            There are none to be had.
        """
        if isinstance(self.content, LoadError):
            raise self.content
        return self.content


def leaves(sources: Iterable[Source], advance: Callable[[int], object]) -> Generator[Leaf]:
    """Give each source as it is, or every member of the archive that it is that may be a dump by its name.

    Each is to be read before the next is asked for, and is closed then, or with the generator.
    """
    for source in sources:
        yield from _opened(source, partial(Stream, source, advance), advance, 0)


def _opened(
    source: Source, opener: Callable[[], Stream], advance: Callable[[int], object], depth: int
) -> Iterator[Leaf]:
    try:
        stream = opener()
    except LoadError as error:
        yield Leaf(source.name, error)
        return
    try:
        try:
            kind = _kind(stream, depth)
        except LoadError as error:
            yield Leaf(source.name, error)
            return
        if kind is None:
            yield Leaf(source.name, stream)
        else:
            yield from _some(source.name, kind(_Archive(source, stream, advance, depth)))
    finally:
        stream.close()


def _kind(stream: Stream, depth: int) -> Callable[[_Archive], Iterator[Leaf]] | None:
    """Tell archives by their first bytes.

    Raises
    ------
    LoadError
        It is an archive of a kind that is not read, or stands too deep in others.
    """
    head = stream.peek(tarfile.BLOCKSIZE)
    known = _of_zip if head.startswith(ZIP) else _of_tar if _is_tar(head) else None
    if known is not None and depth == _NESTED:
        raise LoadError(f"{stream.name}: an archive in an archive is read, but none in that. Unpack the outer one.")
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            raise LoadError(
                f"{stream.name}: it is an archive of {name}, which is not read. Unpack it, or use zip or tar."
            )
    return known


def _is_tar(head: bytes) -> bool:
    """Say whether a tar header begins here; old ones have no magic, but all have a checksum."""
    try:
        return bool(tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape").name)
    except (tarfile.TarError, ValueError, ArithmeticError):
        return False


@dataclass(slots=True)
class _Archive:
    """An archive that is being read, and what its members need."""

    source: Source
    stream: Stream
    advance: Callable[[int], object]
    depth: int
    count: int = 0

    @property
    def name(self) -> str:
        return self.source.name

    def members(self, name: str, opener: Callable[[], IO[bytes] | None]) -> Iterator[Leaf]:
        """Give a member, or its members if it is an archive itself."""
        path = PurePosixPath(*(part for part in _SEPARATORS.split(name) if part not in ("", ".", "..")))
        if not path.parts or name[-1] in "/\\" or not may_be_dump(path) or serves_a_block(path.name):
            return
        shown = visible(name)
        shown = shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}…"
        member = Source(f"{self.name}!/{shown}", None, lambda: cast("BinaryIO", _Member(member.name, opener)))
        yield from _opened(
            member, lambda: Stream(member, _nowhere, self.stream.tally, self.depth + 1), _nowhere, self.depth + 1
        )

    def counted(self) -> None:
        """Count a member, wanted or not.

        Raises
        ------
        LoadError
            There are too many of them.
        """
        self.count += 1
        if self.count > _MEMBERS:
            raise LoadError(f"{self.name}: it has more than {_MEMBERS:,} members. Unpack it and read the folder.")


def _some(name: str, found: Iterator[Leaf]) -> Iterator[Leaf]:
    """Give members; where there are none, or no more because of damage, say so in the archive's name."""
    count = 0
    reason = ""
    try:
        for leaf in found:
            count += 1
            yield leaf
    except LoadError as error:
        reason = str(error)
    except TracelabError:
        raise
    except _BROKEN as error:
        reason = f"{name}: the archive is damaged ({_said(error)}). Copy it or make it again."
    if count and reason:
        yield Leaf(name, BrokenArchive(reason))
    elif not count:
        empty = f"{name}: no dumps are in the archive; what is hidden, or code or prose by its name, is left out."
        yield Leaf(name, LoadError(reason or empty))


def _of_zip(archive: _Archive) -> Iterator[Leaf]:
    with _seekable(archive) as file, zipfile.ZipFile(file) as opened:
        for info in opened.infolist():
            archive.counted()
            yield from archive.members(info.filename, partial(_zip_member, opened, info))


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile("it is encrypted")
    return archive.open(info)


@contextmanager
def _seekable(archive: _Archive) -> Iterator[IO[bytes]]:
    """Give a file in which one can jump: the table of a zip archive stands at its end."""
    stream, source = archive.stream, archive.source
    if source.reopens and source.size is not None and not stream.compressed:
        watched = _Watched(source.open(), archive.advance, source.size - stream.tally.read)
        # Members may lie over one another, so what is read is no measure for what went in.
        stream.tally.read = source.size
        with io.BufferedReader(watched) as file:
            yield file
        return
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
        while block := stream.read(BLOCK):
            copy.write(block)
        copy.seek(0)
        yield copy


def _of_tar(archive: _Archive) -> Iterator[Leaf]:
    checked = _Checked()
    with tarfile.open(
        fileobj=cast("BinaryIO", archive.stream),
        mode="r|",
        tarinfo=checked.headers(),
        ignore_zeros=True,
        errors="replace",
        bufsize=_TAR_BUFFER,
    ) as opened:
        while (info := opened.next()) is not None:
            archive.counted()
            if info.isreg():
                yield from archive.members(info.name, partial(opened.extractfile, info))
    if checked.damage:
        raise LoadError(f"{archive.name}: the archive is damaged: {checked.damage}. Copy it or make it again.")


@dataclass(slots=True)
class _Checked:
    """What is wrong with the headers of a tar archive, which the standard library steps over in silence."""

    damage: str = ""
    ended: bool = False

    def headers(self) -> type[tarfile.TarInfo]:
        """Make the class of the archive's headers."""

        class Header(tarfile.TarInfo):
            """A header that is looked at on its way."""

            @classmethod
            def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
                return self.checked(buf, lambda: super(Header, cls).frombuf(buf, encoding, errors))

        return Header

    def checked(self, header: bytes | bytearray, parse: Callable[[], T]) -> T:
        """Note what is wrong with a header; after a block of zeros nothing is expected."""
        if len(header) < tarfile.BLOCKSIZE and not self.ended:
            self.damage = self.damage or "it ends in the middle"
        blank = not any(header)
        try:
            parsed = parse()
        except tarfile.HeaderError:
            if not blank and not self.ended:
                self.damage = self.damage or "it has a member without a valid header"
            self.ended = self.ended or blank
            raise
        self.ended = False
        return parsed


class _Member(io.RawIOBase):
    """A member of an archive, whose errors are those of a dump."""

    def __init__(self, name: str, opener: Callable[[], IO[bytes] | None]) -> None:
        self._name = name
        # It is closed in the end also if it never was opened.
        self._file: Any = None
        self._file = self._tried(opener)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> Any:
        return self._tried(lambda: self._file.read(size))

    def close(self) -> None:
        if not self.closed and self._file is not None:
            self._file.close()
        super().close()

    def _tried(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except TracelabError:
            raise
        except _BROKEN as error:
            raise LoadError(
                f"{self._name}: it cannot be read from the archive ({_said(error)}). Unpack it with another tool."
            ) from error


class _Watched(io.RawIOBase):
    """A file that tells how much was read of it, but never more than it holds."""

    def __init__(self, file: BinaryIO, advance: Callable[[int], object], left: int) -> None:
        self._file: Any = file
        self._advance = advance
        self._left = left

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        position: int = self._file.seek(offset, whence)
        return position

    def readinto(self, buffer: Any) -> int:
        size: int = self._file.readinto(buffer) or 0
        self._tell(size)
        return size

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._tell(self._left)
        super().close()

    def _tell(self, size: int) -> None:
        told = min(size, self._left)
        self._left -= told
        self._advance(told)


def _said(error: BaseException) -> str:
    return f"{error!s:.200}" or type(error).__name__


def _nowhere(size: int) -> None:
    """Count nothing: the archive's own bytes are counted."""

"""Where dumps come from: paths, globs, folders, addresses, bytes, file objects; decompressed by what the bytes say."""

from __future__ import annotations

import codecs
import glob
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final, Protocol, cast

from tracelab.errors import LoadError, SourceError, TracelabError
from tracelab.loaders.input.addresses import files_at, is_address, local_path
from tracelab.loaders.input.compression import BLOCK, DAMAGE, Tally, decompressed
from tracelab.loaders.input.sibling_files import without_companions
from tracelab.options import file_path

_GLOB: Final = frozenset("*?[")
_NO_DUMPS: Final = frozenset(
    (
        ".cfg",
        ".css",
        ".go",
        ".html",
        ".ini",
        ".ipynb",
        ".java",
        ".js",
        ".lock",
        ".md",
        ".mod",
        ".png",
        ".proto",
        ".py",
        ".pyc",
        ".rs",
        ".rst",
        ".sh",
        ".sum",
        ".svg",
        ".toml",
        ".ts",
        ".yaml",
        ".yml",
    )
)
_NOTHING_YET: Final = (
    "The file object has no bytes yet and does not wait for them. Let it wait (`os.set_blocking`), or pass its bytes."
)
_MANIFESTS: Final = frozenset(("package.json", "package-lock.json", "requirements.txt", "tsconfig.json"))


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or bytes in memory: its name and how to open it."""

    name: str
    size: int | None
    open: Callable[[], BinaryIO]
    path: Path | None = None
    reopens: bool = False
    """Whether it can be opened again, and one can jump in it."""


def sources_of(source: Any) -> list[Source]:
    """Find every file that a source stands for, in a fixed order.

    Raises
    ------
    SourceError
        There is no such file, or it may not be read, or it is nothing that has bytes.
    """
    if isinstance(source, str) and is_address(source):
        return _files_at(source)
    if isinstance(source, str | Path):
        return _files(source)
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
        return [Source("<bytes>", len(content), lambda: io.BytesIO(content), reopens=True)]
    if hasattr(source, "read"):
        return [_open_file(source)]
    if isinstance(source, Mapping):
        raise SourceError(
            "A dump that is decoded already is no source. "
            "Pass its path, or its text as bytes: json.dumps(...).encode()."
        )
    if isinstance(source, Iterable) and not hasattr(source, "columns"):
        found = [item for each in source for item in sources_of(each)]
        if not found:
            raise SourceError("An empty list of sources was given. Name at least one file.")
        return found
    if hasattr(source, "__fspath__"):
        return _files(Path(source))
    if hasattr(source, "columns"):
        raise SourceError(
            f"A {type(source).__name__} is a frame, and no source. What `read` gave is read already; a frame of your "
            "own is read as rows from what its write_parquet or to_parquet wrote."
        )
    raise SourceError(
        f"A {type(source).__name__} is no source. "
        "Pass a path, a glob, a folder, an address, bytes, a file object or a list."
    )


class Readable(Protocol):
    """Bytes that can be looked at before they are read, and given back."""

    name: str

    def peek(self, size: int) -> bytes: ...
    def read(self, size: int) -> bytes: ...
    def readinto(self, buffer: memoryview) -> int: ...
    def unread(self, content: bytes) -> None: ...


class Stream:
    """Decompressed bytes that count how far they have come, and can be looked at before they are read.

    `tally` is that of the archive which the source is a member of, so many archives deep.
    """

    def __init__(
        self, source: Source, advance: Callable[[int], object], tally: Tally | None = None, depth: int = 0
    ) -> None:
        self.name = source.name
        self.tally = tally or Tally(source.name)
        self._depth = depth
        self.tally.give(0, depth)
        self._raw = _Counting(source.open(), advance if tally else self._counting(advance))
        self._held = b""
        self.offset = 0
        try:
            self._file, self.compressed = decompressed(self._raw)
        except BaseException as error:
            self.close()
            if isinstance(error, DAMAGE):
                raise self._damaged(error) from error
            raise
        self.path = None if self.compressed else source.path

    def _counting(self, advance: Callable[[int], object]) -> Callable[[int], object]:
        def counted(size: int) -> None:
            self.tally.read += size
            advance(size)

        return counted

    def peek(self, size: int) -> bytes:
        """Give the next bytes, at least `size` of them unless the input ends before."""
        while len(self._held) < size:
            block = self._read(max(size - len(self._held), BLOCK))
            if not block:
                break
            self._held += block
        return self._held[:size]

    def read(self, size: int) -> bytes:
        """Read the next bytes, exactly `size` of them unless the input ends before."""
        parts = []
        missing = size
        if self._held:
            parts.append(self._held[:size])
            self._held = self._held[size:]
            missing -= len(parts[0])
        while missing > 0:
            block = self._read(missing)
            if not block:
                break
            parts.append(block)
            missing -= len(block)
        content = parts[0] if len(parts) == 1 else b"".join(parts)
        self.offset += len(content)
        return content

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer, as far as the input goes; gives how much was read. It spares the memory of a block."""
        size = min(len(self._held), len(buffer))
        buffer[:size], self._held = self._held[:size], self._held[size:]
        while size < len(buffer) and (read := self._read_into(buffer[size:])):
            size += read
        self.offset += size
        return size

    def read_all(self) -> bytes:
        """Read everything that is left."""
        parts = []
        while block := self.read(8 * BLOCK):
            parts.append(block)
        return b"".join(parts)

    def unread(self, content: bytes) -> None:
        """Give bytes back that were just read."""
        self._held = content + self._held
        self.offset -= len(content)

    def close(self) -> None:
        """Close the file, unless it was the caller's."""
        self._raw.close()

    def _damaged(self, error: BaseException) -> TracelabError:
        if isinstance(error, OSError) and error.errno is not None:
            return SourceError(f"{self.name}: {error.strerror}. Check the file and its permissions.")
        if isinstance(error, TimeoutError | ConnectionError):
            return SourceError(
                f"{self.name}: {str(error) or type(error).__name__}. Check the connection, and read it again."
            )
        return LoadError(
            f"{self.name}: the compressed data is damaged near byte {self._raw.count:,} ({error}). "
            "Copy the file again, or decompress it with a tool that saves what can be saved."
        )

    def _read(self, size: int) -> bytes:
        try:
            block = self._file.read(size)
        except DAMAGE as error:
            raise self._damaged(error) from error
        self._tell(len(block))
        return block

    def _read_into(self, buffer: memoryview) -> int:
        try:
            size: int = self._file.readinto(buffer)  # type: ignore[attr-defined]  # all of them have it
        except DAMAGE as error:
            raise self._damaged(error) from error
        self._tell(size)
        return size

    def _tell(self, size: int) -> None:
        if self.compressed or self._depth:
            self.tally.give(size, self._depth)


class Derived(ABC):
    """Bytes that are made of another stream, as many as are asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._held = b""

    @abstractmethod
    def _more(self, size: int) -> bytes | None:
        """Make some more, at best as many as these; None at the end."""

    def peek(self, size: int) -> bytes:
        """Give the next bytes, at least `size` of them unless the input ends before."""
        parts, held = [self._held], len(self._held)
        while held < size and (more := self._more(size - held)) is not None:
            parts.append(more)
            held += len(more)
        self._held = b"".join(parts)
        return self._held[:size]

    def read(self, size: int) -> bytes:
        """Read the next bytes, exactly `size` of them unless the input ends before."""
        content = self.peek(size)
        self._held = self._held[size:]
        return content

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer, as far as the input goes; gives how much was read."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def unread(self, content: bytes) -> None:
        """Give bytes back that were just read."""
        self._held = content + self._held


class Recoded(Derived):
    """Bytes of another encoding, read as UTF-8."""

    def __init__(self, stream: Readable, encoding: str) -> None:
        super().__init__(stream.name)
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ended = False

    def _more(self, size: int) -> bytes | None:
        if self._ended:
            return None
        block = self._stream.read(max(2 * size, BLOCK))
        self._ended = not block
        text = self._decoder.decode(block, final=self._ended)
        return text.removeprefix("\ufeff").encode("utf-8", "replace")


class _Counting(io.RawIOBase):
    """A file that tells how much was read of it."""

    def __init__(self, file: BinaryIO, advance: Callable[[int], object]) -> None:
        self._file = file
        self._advance = advance
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if isinstance(self._file, io.BufferedReader | io.FileIO):
            size = self._file.readinto(buffer)
            if size is None:
                raise SourceError(_NOTHING_YET)
        else:
            block = self._block(len(buffer))
            size = len(block)
            buffer[:size] = block
        self.count += size
        self._advance(size)
        return size

    def _block(self, size: int) -> bytes | bytearray | memoryview:
        """Read from what only has `read`, which anybody may have written."""
        block: Any = self._file.read(size)
        if isinstance(block, str):
            raise SourceError("The file object gives text. Open it in binary mode: open(path, 'rb').")
        if block is None:
            raise SourceError(_NOTHING_YET)
        if not isinstance(block, bytes | bytearray | memoryview):
            raise SourceError(
                f"The file object gives {type(block).__name__} instead of bytes. Pass the bytes themselves."
            )
        if len(block) > size:
            raise SourceError(
                f"The file object was asked for {size:,} bytes at most and gave {len(block):,}. "
                "Pass the bytes themselves."
            )
        return block

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


class _Kept(io.RawIOBase):
    """The caller's file object: it is read but never closed."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> Any:
        return self._file.read(size)


def _open_file(file: Any) -> Source:
    name = getattr(file, "name", None)
    return Source(
        str(name) if isinstance(name, str | Path) else "<file object>", None, lambda: cast("BinaryIO", _Kept(file))
    )


def _files_at(address: str) -> list[Source]:
    path = local_path(address)
    if path is not None:
        return _files(path)
    return [Source(found.name, found.size, found.open) for found in files_at(address, may_be_dump)]


def _files(source: str | Path) -> list[Source]:
    path = file_path("source", source)
    try:
        if path.is_dir():
            return _folder(path)
        if path.is_file():
            return [_file(path)]
        if path.exists():
            return [Source(str(path), None, lambda: path.open("rb"), path)]
    except SourceError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SourceError(f"{source!s:.200}: {why}. Check the path.") from error
    if _GLOB & set(str(path)):
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns
        files = [_file(each) for each in without_companions([each for each in found if each.is_file()])]
        if files:
            return files
        raise SourceError(f"No file matches {source!s:.200}. Check the pattern and the folder it starts in.")
    near = sorted(each.name for each in path.parent.iterdir())[:5] if path.parent.is_dir() else []
    hint = f" In {path.parent} there are: {', '.join(near)}." if near else f" There is no folder {path.parent} either."
    raise SourceError(f"There is no file {source!s:.200}.{hint}")


def _folder(path: Path) -> list[Source]:
    """List the files below a folder that may be dumps: not what is hidden, nor what is code or prose by its name."""
    found = sorted(each for each in path.rglob("*") if may_be_dump(each.relative_to(path)) and each.is_file())
    found = without_companions(found)
    if not found:
        raise SourceError(f"The folder {path} holds no dumps. Name the folder that they are in, or a file.")
    return [_file(each) for each in found]


def may_be_dump(path: PurePath) -> bool:
    """Say whether a file below a folder may be a dump: it is not hidden, nor code or prose by its name."""
    hidden = any(part.startswith((".", "_")) or part == "node_modules" for part in path.parts)
    return not hidden and path.suffix.lower() not in _NO_DUMPS and path.name.lower() not in _MANIFESTS


def _file(path: Path) -> Source:
    def opened() -> BinaryIO:
        try:
            return path.open("rb")
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}. Check the file and its permissions.") from error

    return Source(str(path), path.stat().st_size, opened, path, reopens=True)

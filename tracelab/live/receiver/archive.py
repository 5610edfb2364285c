"""The file that a receiver appends what it takes to, as OTLP JSON lines, before a sender is answered."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tracelab.errors import SourceError
from tracelab.files import check_target
from tracelab.options import file_path

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS: Final = (".gz", ".zst", ".bz2", ".xz", ".zip", ".parquet")


class Archive:
    """A file of OTLP JSON lines, which only grows.

    A line that cannot be written whole is taken back, so that what is there stays readable.
    """

    def __init__(self, path: Any) -> None:
        self.path = file_path("path", path)
        if self.path.suffix in _OTHERS:
            raise SourceError(
                f"{self.path}: what is received is appended as OTLP JSON lines, which {self.path.suffix} is not. "
                "Name a .jsonl file; `tracelab convert` makes another of it."
            )
        check_target(self.path)
        self.lines = 0
        self.failures = 0
        self.failing = False
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._file = _opened(self.path)
        except OSError as error:
            raise SourceError(
                f"{self.path}: {error.strerror or error}. Check the folder and its permissions."
            ) from error

    def append(self, lines: bytes) -> None:
        """Write whole lines, each with its end, or nothing.

        Raises
        ------
        OSError
            They cannot be written now.
        """
        with self._lock:
            if self._closed:
                raise OSError(f"{self.path} is closed")
            try:
                self._append(lines)
            except OSError:
                self.failures += 1
                self.failing = True
                raise
            self.failing = False
            self.lines += lines.count(b"\n")

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._file)

    def _append(self, lines: bytes) -> None:
        if self._is_gone():
            # Somebody moved it away, as log rotation does; what comes now goes to a new one.
            with suppress(OSError):
                os.close(self._file)
            self._file = _opened(self.path)
        end = os.fstat(self._file)
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            if stat.S_ISREG(end.st_mode):
                os.ftruncate(self._file, end.st_size)
            raise

    def _is_gone(self) -> bool:
        try:
            return not os.path.samestat(self.path.stat(), os.fstat(self._file))
        except OSError:
            return True


def _opened(path: Path) -> int:
    """Open a file to append to; a last line without an end gets one."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        size = os.fstat(file).st_size
        if size and stat.S_ISREG(os.fstat(file).st_mode):
            os.lseek(file, size - 1, os.SEEK_SET)
            if os.read(file, 1) != b"\n":
                os.write(file, b"\n")
    except OSError:
        os.close(file)
        raise
    return file

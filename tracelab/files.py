"""Files that are written: whole or not at all, and refused before there is anything to write."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from tracelab.errors import OutputError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator


def expanded(path: str | Path) -> Path:
    """Put somebody's home in place of the `~` or `~user` that a path begins with.

    Raises
    ------
    SourceError
        There is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise SourceError(
            f"{path!s:.200}: nobody here has such a home. Check the name, or write the whole path."
        ) from error


def holds_files(path: Path) -> bool:
    """Say whether a path is a folder that is not empty."""
    try:
        return any(path.iterdir())
    except (OSError, ValueError):  # it is no folder, or none that one may look into
        return False


def check_target(target: Path, *, folder: bool = False) -> None:
    """Refuse a place where no file, or no folder, can be written.

    Raises
    ------
    OutputError
        The folder that it is to stand in is missing, something else is there, or one may not write there.
    """
    if "\0" in str(target):
        raise OutputError(f"{str(target)!r:.200} holds a NUL, which no name may. Choose another name.")
    try:
        holder = target if folder and target.is_dir() else target.parent
        if not holder.exists():
            raise OutputError(f"{target}: there is no folder {holder}. Make it first, or choose another place.")
        if not holder.is_dir():
            raise OutputError(f"{target}: {holder} is no folder. Choose another place.")
        if folder and target.exists() and not target.is_dir():
            raise OutputError(f"{target} is a file and no folder. Choose another name.")
        if not folder and target.is_dir():
            raise OutputError(f"{target} is a folder. Name a file in it.")
        if not os.access(target if target.exists() else holder, os.W_OK):
            raise OutputError(f"{target} may not be written to. Check the permissions, or choose another place.")
        if not target.exists() or target.is_file() or target.is_dir():
            _try_writing(_place_of(Path(os.path.realpath(target))))
    except OSError as error:
        raise OutputError(f"{target!s:.200}: {error.strerror}. Choose another name.") from error


def _place_of(real: Path) -> Path:
    """Say in which folder a file, or what goes into a folder, is written until it is whole."""
    return real if real.is_dir() else real.parent


def _try_writing(folder: Path) -> None:
    """Make a file and take it away: permissions say nothing of file systems that hold no files of one's own."""
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"No file can be made in {folder}: {error.strerror or error}. Choose another place."
        ) from error


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a path to write a file or make a folder at; what was written takes its place when all went well.

    Until then what stood there stays as it was. A run that is interrupted leaves nothing behind. What is no file, such
    as a pipe, is written to as it is.

    Raises
    ------
    OutputError
        It cannot be written, or not to its end: the disk is full, say.
    """
    try:
        with _replacing(target) as part:
            yield part
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}. Make room, or choose another place."
        ) from error


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    if target.exists() and not target.is_file() and not target.is_dir():
        yield target  # not where its link leads: that of /dev/stdout leads nowhere for a pipe
        return
    real = Path(os.path.realpath(target))  # a link stays a link
    part = _place_of(real) / f".tracelab-{token_hex(6)}.part"  # hidden, so that nobody reads it for a dump
    try:
        yield part
        if real.is_dir():
            for each in sorted(part.iterdir()):
                each.replace(real / each.name)
        else:
            if real.is_file():
                shutil.copymode(real, part)
            part.replace(real)
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)

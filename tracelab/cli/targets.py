"""Files that commands write: what may be replaced, and what must not be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelab.cli.terminal import USAGE, is_output, stop, usage
from tracelab.display.words import format_bytes
from tracelab.exporting.writing import check_writing
from tracelab.files import check_target, expanded, holds_files
from tracelab.loaders.input.sources import sources_of

if TYPE_CHECKING:
    from pathlib import Path


def checked_target(source: str, target: Path, *, force: bool) -> Path:
    """Check before any work whether spans can be written there, and give the place."""
    with usage():
        refuse_stream(target)
        if force and holds_files(expanded(target)):
            stop(f"--force replaces files only, and {target} is a folder that holds some. Choose another name.", USAGE)
        written = check_writing(target)
    keep_sources(source, written)
    _keep_files(written, force=force)
    return written


def checked_file(target: Path, *sources: str, force: bool) -> Path:
    """Check before any work whether a file of any kind can be written there, and give the place."""
    with usage():
        written = expanded(target)
        refuse_stream(written)
        check_target(written)
    for source in sources:
        keep_sources(source, written)
    _keep_files(written, force=force)
    return written


def _keep_files(target: Path, *, force: bool) -> None:
    """Refuse to replace a file that nobody said is to be replaced."""
    if not force and target.is_file():
        stop(f"{target} is there. Choose another name, or pass --force to replace it.", USAGE)


def keep_sources(path: str, target: Path) -> None:
    """Refuse to write over a file that is read; what is on the web is none."""
    if path.lower().startswith(("http://", "https://")):
        return
    for source in sources_of(path):
        if source.path is not None and target.exists() and target.samefile(source.path):
            stop(f"{target} is what is read; it would be written over. Choose another name.", USAGE)


def refuse_stream(target: Path) -> None:
    """Refuse to write a file into the output, where what is said about it stands."""
    if str(target) == "-" or is_output(target):
        stop(f"{target}: the output holds what is said here, and no file. Name a file.", USAGE)


def size_told(path: Path) -> str:
    return f", {format_bytes(path.stat().st_size)}" if path.is_file() else ""

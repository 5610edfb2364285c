"""Files that commands write: what may be replaced, and what must not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracelab.checking.markdown import MARK
from tracelab.cli.terminal import USAGE, is_output, stop, usage
from tracelab.display.words import format_bytes
from tracelab.exporting.writing import check_writing
from tracelab.files import expanded, holds_files
from tracelab.loaders.input.sources import sources_of

if TYPE_CHECKING:
    from pathlib import Path

_HTML: Final = b"<!doctype html"
_SARIF: Final = b"sarif"
_JUNIT: Final = b"<testsuite"
_VERDICT: Final = MARK.encode()


def checked_target(source: str, target: Path, *, force: bool) -> Path:
    """Check before any work whether spans can be written there, and give the place."""
    with usage():
        refuse_stream(target)
        if force and holds_files(expanded(target)):
            stop(f"--force replaces files only, and {target} is a folder that holds some. Choose another name.", USAGE)
        written = check_writing(target)
    keep_sources(source, written)
    if not force and written.is_file():
        stop(f"{written} is there. Choose another name, or pass --force to replace it.", USAGE)
    return written


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


def is_page(path: Path) -> bool:
    """Say whether a file is an HTML page, such as an earlier report, or empty."""
    head = _head(path, len(_HTML))
    return head is not None and (head.lower() == _HTML or not head)


def is_sarif(path: Path) -> bool:
    """Say whether a file is SARIF, such as that of an earlier audit, or empty."""
    head = _head(path, 200)
    return head is not None and (_SARIF in head or not head)


def is_junit(path: Path) -> bool:
    """Say whether a file is JUnit XML, such as that of an earlier check, or empty."""
    head = _head(path, 200)
    return head is not None and (_JUNIT in head or not head)


def is_verdict(path: Path) -> bool:
    """Say whether a file is the Markdown of an earlier check, or empty."""
    head = _head(path, len(_VERDICT))
    return head is not None and (head == _VERDICT or not head)


def _head(path: Path, size: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:  # one may write to it, but not look
        return None


def size_told(path: Path) -> str:
    return f", {format_bytes(path.stat().st_size)}" if path.is_file() else ""

"""Keeping span frames: parquet for oneself, OTLP JSON lines for other tools."""

from __future__ import annotations

import errno
import gzip
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import polars as pl
import zstandard

from tracelab.conforming import conform, takes_any_frame
from tracelab.errors import SourceError
from tracelab.files import check_target, replacing
from tracelab.loaders.otlp.writer import lines
from tracelab.options import file_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROWS_IN_PART: Final = 500_000
_HOUR: Final = "%Y-%m-%dT%H"
_PARQUET: Final = ".parquet"
_LINES: Final = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_SYSTEM_ERROR: Final = re.compile(r"\(os error ([0-9]{1,5})\)")
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_SUFFIXES: Final = (
    ".parquet, .jsonl, .jsonl.gz, .jsonl.zst, .perfetto.json, .perfetto.json.gz, or no suffix for a folder"
)


@takes_any_frame
def write(spans: pl.DataFrame | pl.LazyFrame, path: str | Path) -> Path:
    """Write what loaders read back with nothing lost: parquet and OTLP JSON lines.

    `tracelab.write` says what each keeps, and writes for other programs too.
    """
    target = check_writing(path)
    frame = conform(spans)
    with replacing(target) as part, _full_disks():
        if _is_folder(target):
            _write_folder(frame, part)
        elif target.name.endswith(_PARQUET):
            frame.lazy().sink_parquet(part, compression="zstd")
        else:
            _write_lines(frame, part, target.suffix)
    return target


def check_writing(path: str | Path) -> Path:
    """Say where `write` would write, or refuse it, before there are spans to write.

    Raises
    ------
    SourceError
        It is no path, the suffix is unknown, the folder already holds files, or it cannot be written there.
    """
    target = file_path("path", path)
    folder = _is_folder(target)
    if not folder and not target.name.endswith((_PARQUET, *_LINES)):
        raise SourceError(f"{target}: the suffix {target.suffix!r} says nothing. Use one of: {_SUFFIXES}.")
    check_target(target, folder=folder)
    if folder and target.is_dir() and any(target.iterdir()):
        raise SourceError(f"The folder {target} already holds files. Choose another, or empty it first.")
    return target


def _is_folder(target: Path) -> bool:
    """Say whether spans are written as a folder: by a name without a suffix, or into a folder that is there."""
    return not target.name.endswith((_PARQUET, *_LINES)) and (not target.suffix or os.path.isdir(target))  # noqa: PTH112 - no error for a name that is too long


@contextmanager
def _full_disks() -> Iterator[None]:
    """Let a disk that is full be what it is: polars tells of it in the words of an error in computing."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        code = _SYSTEM_ERROR.search(str(error))
        if code is None or int(code[1]) not in _NO_ROOM:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1]))) from error


def _write_lines(spans: pl.DataFrame | pl.LazyFrame, target: Path, suffix: str) -> None:
    frame = spans.collect() if isinstance(spans, pl.LazyFrame) else spans
    with _opened(target, suffix) as file:
        for line in lines(frame):
            file.write(line)


def _opened(target: Path, suffix: str) -> BinaryIO:
    if suffix == ".gz":
        return cast("BinaryIO", gzip.open(target, "wb", compresslevel=6))
    if suffix == ".zst":
        return cast("BinaryIO", zstandard.open(target, "wb"))
    return target.open("wb")


def _write_folder(spans: pl.DataFrame | pl.LazyFrame, target: Path) -> None:
    frame = spans.collect() if isinstance(spans, pl.LazyFrame) else spans
    for name, part in _parts(frame):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        part.write_parquet(target / name, compression="zstd")


def _parts(spans: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Cut a frame by hour and hash; a trace is never cut, and rows keep their order."""
    keys = spans.select(
        hour=pl.col("start_time").min().over("trace_id").dt.strftime(_HOUR), hash=pl.col("trace_id").hash()
    ).with_row_index("row")
    if not spans.height:
        yield "hour=none/part-00.parquet", spans
    for (hour,), rows in keys.group_by(["hour"], maintain_order=True):
        count = -(-rows.height // _ROWS_IN_PART)
        for number in range(count):
            chosen: Any = rows.filter(pl.col("hash") % count == number)["row"]
            if chosen.len():
                yield f"hour={hour}/part-{number:02}.parquet", spans[chosen]

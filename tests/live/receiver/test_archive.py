from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from tracelab.errors import SourceError
from tracelab.live.receiver.archive import Archive

if TYPE_CHECKING:
    from pathlib import Path


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_bytes(b"before\n")
    archive = Archive(path)
    archive.append(b"one\n")
    assert path.read_bytes() == b"before\none\n"
    archive.append(b"two\nthree\n")
    archive.close()
    assert path.read_bytes() == b"before\none\ntwo\nthree\n"
    assert archive.lines == 3


def test_a_last_line_that_broke_off_gets_an_end(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_bytes(b'{"half"')
    archive = Archive(path)
    archive.append(b"one\n")
    archive.close()
    assert path.read_bytes() == b'{"half"\none\n'


@pytest.mark.parametrize("name", ["kept.jsonl.gz", "kept.parquet", "missing/kept.jsonl", "a\0b"])
def test_a_place_where_no_lines_can_be_written_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError):
        Archive(f"{tmp_path}/{name}")


def test_a_folder_and_nothing_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path, "", 5):
        with pytest.raises(SourceError):
            Archive(place)


def test_a_file_that_is_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    archive = Archive(path)
    archive.append(b"one\n")
    path.rename(tmp_path / "rotated.jsonl")
    archive.append(b"two\n")
    archive.close()
    assert (tmp_path / "rotated.jsonl").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


def test_a_line_that_cannot_be_written_whole_is_taken_back(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    path = tmp_path / "kept.jsonl"
    archive = Archive(path)
    archive.append(b"one\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            archive.append(b"x" * 2000 + b"\n")
        assert path.read_bytes() == b"one\n"
        assert archive.failing
        archive.append(b"two\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)
    assert path.read_bytes() == b"one\ntwo\n"
    assert (archive.failures, archive.failing) == (1, False)
    archive.close()


def test_nothing_is_written_after_closing(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "kept.jsonl")
    archive.close()
    archive.close()
    with pytest.raises(OSError, match="closed"):
        archive.append(b"one\n")

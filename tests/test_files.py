from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

import tracelab as tl
from tracelab.errors import OutputError, SourceError
from tracelab.files import check_target, expanded, holds_files, replacing
from tracelab.synthetic import draw


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    target.chmod(0o640)
    with replacing(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("error", "told"), [(KeyboardInterrupt, KeyboardInterrupt), (OSError, OutputError), (MemoryError, MemoryError)]
)
def test_what_is_interrupted_leaves_what_was_there(
    tmp_path: Path, error: type[BaseException], told: type[BaseException]
) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(told):
        half_written(target, error)
    with pytest.raises(told):
        half_made(tmp_path / "folder", error)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def half_written(target: Path, error: type[BaseException]) -> None:
    with replacing(target) as part:
        part.write_text("hal")
        raise error


def half_made(target: Path, error: type[BaseException]) -> None:
    with replacing(target) as part:
        part.mkdir()
        (part / "x").write_text("x")
        raise error


def test_a_folder_takes_its_place_also_where_an_empty_one_is(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with replacing(tmp_path / name) as part:
            (part / "hour").mkdir(parents=True)
            (part / "hour" / "x").touch()
        assert [each.name for each in (tmp_path / name).iterdir()] == ["hour"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["empty", "new"]


def test_links_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with replacing(tmp_path / "link") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    with replacing(Path(os.devnull)) as part:
        part.write_text("gone")
    assert not Path(os.devnull).is_file()


def test_places_that_cannot_be_written_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for target, message in (
        (tmp_path / "no" / "x", "there is no folder"),
        (tmp_path / "file" / "x", "is no folder"),
        (tmp_path / "folder", "is a folder"),
        (tmp_path / ("x" * 300), "name too long"),
        (tmp_path / "nul\0", "holds a NUL"),
    ):
        with pytest.raises(SourceError, match=f"(?i){message}"):
            check_target(target)
    with pytest.raises(SourceError, match="is a file"):
        check_target(tmp_path / "file", folder=True)
    check_target(tmp_path / "folder", folder=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SourceError, match="may not be written"):
        check_target(tmp_path / "file")


def test_a_place_that_holds_no_files_of_ours_is_refused_whatever_its_permissions_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if Path("/proc/self").is_dir():
        with pytest.raises(SourceError, match=r"No file can be made in /proc: .*Choose another place"):
            check_target(Path("/proc/r.html"))

    def full(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    check_target(tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tracelab.files.TemporaryFile", full)
    with pytest.raises(SourceError, match="Read-only file system"):
        check_target(tmp_path / "r.html")
    check_target(Path(os.devnull))


def test_only_a_folder_with_something_in_it_holds_files(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    found = [holds_files(path) for path in (tmp_path, tmp_path / "empty", tmp_path / "file", tmp_path / "no")]
    assert found == [True, False, False, False]


def test_a_home_is_found_and_that_of_nobody_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert expanded("~/x") == tmp_path / "x"
    with pytest.raises(SourceError, match="~nobody-here/x: nobody here has such a home"):
        expanded("~nobody-here/x")
    for asks in (tl.read, tl.scan, lambda path: tl.write(draw("api ="), path)):
        with pytest.raises(SourceError, match="nobody here"):
            asks("~nobody-here/x")

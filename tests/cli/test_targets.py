from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tracelab as tl

if TYPE_CHECKING:
    from collections.abc import Iterator
from tests.cli.running import program, run


def test_audit_replaces_a_file_only_by_force(dump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with monkeypatch.context() as patched:
        patched.setattr(tl, "read", lambda _: pytest.fail("it was read"))
        for target in (tmp_path / "no" / "o.sarif", tmp_path, Path(dump), notes):
            text = run("audit", dump, "--sarif", str(target), code=2)
            assert text.startswith("error: ")
            assert text.count("\n") == 1
    assert notes.read_text() == "mine"
    if os.path.exists("/dev/stdout"):  # noqa: PTH110 - a link to a device
        refused = program("audit", dump, "--sarif", "/dev/stdout")
        assert (refused.returncode, refused.stdout) == (2, b"")
    run("audit", dump, "--sarif", str(notes), "--force")
    assert notes.read_text().startswith("{")
    assert "--force" in run("audit", dump, "--sarif", str(notes), code=2)


def test_an_interrupted_conversion_leaves_what_was_there(
    dump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    target = tmp_path / "kept.jsonl"
    target.write_text("old")
    monkeypatch.setattr("tracelab.loaders.writing.lines", interrupted)
    run("convert", dump, str(target), "--force", code=130)
    assert target.read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dump.jsonl", "kept.jsonl"]


def test_a_report_checks_its_target_before_it_reads(dump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with monkeypatch.context() as patched:
        patched.setattr(tl, "read", lambda _: pytest.fail("it was read"))
        for target in (tmp_path / "no" / "r.html", tmp_path, Path(dump), notes):
            text = run("report", dump, "-o", str(target), code=2)
            assert text.startswith("error: ")
            assert text.count("\n") == 1
    assert notes.read_text() == "mine"
    run("report", dump, "-o", str(notes), "--force")
    assert "--force" in run("report", dump, "-o", str(notes), code=2)  # an earlier report too
    assert notes.read_bytes().startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("words", [("report", "DUMP", "-o", "TARGET"), ("convert", "DUMP", "TARGET")])
def test_no_file_is_written_into_the_output(words: tuple[str, ...], dump: str, tmp_path: Path) -> None:
    shown = tmp_path / "shown.jsonl"
    for target in ("-", str(shown)):
        with shown.open("wb") as out:
            done = subprocess.run(
                [sys.executable, "-m", "tracelab", *(w.replace("DUMP", dump).replace("TARGET", target) for w in words)],
                stdout=out,
                stderr=subprocess.PIPE,
                check=False,
                cwd=tmp_path,
            )
        assert done.returncode == 2
        assert (
            done.stderr == f"error: {target}: the output holds what is said here, and no file. Name a file.\n".encode()
        )
    assert sorted(tmp_path.iterdir()) == [Path(dump), shown]


def test_a_report_goes_through_no_pipe_of_its_own_tables_but_through_any_other(dump: str, tmp_path: Path) -> None:
    if not os.path.exists("/dev/stdout"):  # noqa: PTH110 - a link to a device
        pytest.skip("this system has no /dev/stdout")
    refused = program("report", dump, "-o", "/dev/stdout")
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert program("report", dump, "-o", os.devnull).returncode == 0
    through = tmp_path / "page.html"
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            f"'{sys.executable}' -m tracelab report '{dump}' -o /dev/fd/3 3>&1 >/dev/null | cat > '{through}'",
        ],
        check=True,
        capture_output=True,
    )
    assert done.stderr == b""
    assert through.read_bytes().startswith(b"<!DOCTYPE html>")


def test_convert_replaces_only_by_force_and_never_its_source(dump: str, tmp_path: Path) -> None:
    target = str(tmp_path / "kept.parquet")
    run("convert", dump, target)
    assert "--force" in run("convert", dump, target, code=2)
    run("convert", dump, target, "--force")
    assert "written over" in run("convert", dump, dump, "--force", code=2)
    assert "written over" in run("convert", str(tmp_path), dump, "--force", code=2)
    assert "already holds files" in run("convert", dump, str(tmp_path), code=2)
    forced = run("convert", dump, str(tmp_path), "--force", code=2)
    assert forced.startswith(f"error: --force replaces files only, and {tmp_path} is a folder that holds some.")
    assert "says nothing" in run("convert", dump, str(tmp_path / "x.csv"), code=2)
    assert tl.read(dump).equals(tl.read(target))


WRITING = (
    ("report", "DUMP", "-o", "TARGET"),
    ("convert", "DUMP", "TARGET"),
    ("sample", "DUMP", "--policy", "always_on", "-o", "TARGET"),
    ("audit", "DUMP", "--sarif", "TARGET"),
)


@pytest.mark.parametrize("words", WRITING)
def test_what_cannot_be_written_is_2_whatever_the_command(
    words: tuple[str, ...], dump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("mine")
    for target in (tmp_path / "no" / "folder.jsonl", there):
        text = run(*(word.replace("DUMP", dump).replace("TARGET", str(target)) for word in words), code=2)
        assert text.startswith("error: ")
        assert text.count("\n") == 1
    assert there.read_text() == "mine"

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_text", full)
        patched.setattr("tracelab.loaders.writing.lines", full)
        text = run(*(w.replace("DUMP", dump).replace("TARGET", f"{tmp_path}/full.jsonl") for w in words), code=2)
    assert "full.jsonl cannot be written: No space left on device." in text
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dump.jsonl", "there.jsonl"]


@pytest.mark.parametrize("words", WRITING[:1])
def test_a_device_that_is_full_is_one_line(words: tuple[str, ...], dump: str) -> None:
    if not os.path.exists("/dev/full"):  # noqa: PTH110 - a device
        pytest.skip("this system has no /dev/full")
    done = program(*(word.replace("DUMP", dump).replace("TARGET", "/dev/full") for word in words))
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: /dev/full cannot be written: ")
    assert done.stderr.count(b"\n") == 1

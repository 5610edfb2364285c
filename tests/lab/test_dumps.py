from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import tracelab as tl
from tracelab.lab import dump_named
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

SPANS = draw("api =")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with a folder of dumps in it."""
    (tmp_path / "work" / "traces").mkdir(parents=True)
    for name in ("a.jsonl", "b.jsonl.gz"):
        tl.write(SPANS, tmp_path / "work" / "traces" / name)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("words", "folder", "file_name", "title", "literal"),
    [
        (["traces/a.jsonl"], "traces", "a", "a.jsonl", '"a.jsonl"'),
        (["traces/b.jsonl.gz"], "traces", "b", "b.jsonl.gz", '"b.jsonl.gz"'),
        (["traces"], ".", "traces", "traces", '"traces"'),
        (["traces/"], ".", "traces", "traces", '"traces"'),
        (["."], ".", "work", "work", '"."'),
        ([".."], ".", None, None, '".."'),
        (["traces/*.jsonl*"], "traces", "traces", "*.jsonl*", '"*.jsonl*"'),
        (["*/a.jsonl"], ".", "work", "*/a.jsonl", '"*/a.jsonl"'),
        (
            ["traces/a.jsonl", "traces/b.jsonl.gz"],
            "traces",
            "a and 1 more",
            "a.jsonl and 1 more",
            '[\n    "a.jsonl",\n    "b.jsonl.gz",\n]',
        ),
    ],
)
def test_a_dump_has_a_folder_a_name_and_a_way_to_be_read(
    here: Path, words: list[str], folder: str, file_name: str | None, title: str | None, literal: str
) -> None:
    dump = dump_named(words)
    assert dump.folder == (here / folder).resolve()
    assert file_name is None or dump.file_name == file_name
    assert title is None or dump.title == title
    assert dump.literal(dump.folder) == literal


def test_a_notebook_farther_away_names_the_whole_path(here: Path) -> None:
    dump = dump_named(["traces/a.jsonl"])
    assert dump.literal(here / "notebooks") == '"../traces/a.jsonl"'
    assert dump.literal(here.parent / "elsewhere" / "notebooks") == f'"{here}/traces/a.jsonl"'


def test_a_glob_below_a_folder_with_brackets_is_read_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "[x]").mkdir()
    tl.write(SPANS, tmp_path / "[x]" / "a.jsonl")
    monkeypatch.chdir(tmp_path / "[x]")
    dump = dump_named(["*.jsonl"])
    assert dump.literal(dump.folder) == '"*.jsonl"'
    assert tl.read(dump.places[0].read_as()).equals(SPANS)


def test_a_home_folder_may_be_written_with_a_tilde(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    assert dump_named(["~/traces/a.jsonl"]).folder == here / "traces"
    assert dump_named(["~/traces/*.jsonl"]).folder == here / "traces"


@pytest.mark.parametrize("word", ["", "nothing.json", "traces/*.nothing", "~nobody-of-that-name/x.json"])
def test_what_is_not_there_is_refused(here: Path, word: str) -> None:
    assert here.is_dir()
    with pytest.raises(tl.SourceError):
        dump_named([word])


def test_a_pipe_cannot_be_read_again(here: Path) -> None:
    os.mkfifo(here / "pipe")
    with pytest.raises(tl.SourceError, match="Save it to a file"):
        dump_named(["pipe"])


@pytest.mark.parametrize("name", ["...", "-", "\n", "x" * 300, "日" * 80])
def test_every_file_name_is_one_that_a_file_can_have(here: Path, name: str) -> None:
    for kept in (here / "traces").iterdir():
        kept.unlink()
    (here / "traces").rename(here / name[:80])
    tl.write(SPANS, here / name[:80] / "a.jsonl")
    file_name = dump_named([name[:80]]).file_name
    (here / f"{file_name}-2.ipynb").touch()
    assert not file_name.startswith((".", "-"))


def test_an_address_is_no_dump_for_a_notebook() -> None:
    with pytest.raises(tl.SourceError, match=r"https://host/x\.json is an address.*tracelab\.read") as caught:
        dump_named(["https://me:hush-hush@host/x.json"])
    assert "hush" not in str(caught.value)

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import tracelab as tl
from tracelab import lab
from tracelab.cli import app
from tracelab.cli.commands import lab as command
from tracelab.lab import server
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from collections.abc import Callable


class Served:
    """Stands in for JupyterLab, and keeps what it was asked."""

    def __init__(self, *, came_to: int = 8888) -> None:
        self.came_to = came_to
        self.asked: dict[str, object] = {}

    def __call__(
        self, notebook: Path, *, root: Path, port: int, browser: bool, listening: Callable[[str, int], object]
    ) -> None:
        self.asked = {"notebook": notebook, "root": root, "port": port, "browser": browser}
        listening(f"http://127.0.0.1:{self.came_to}/lab?token=secret", self.came_to)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    stand_in = Served()
    monkeypatch.setattr(lab, "serve", stand_in)
    monkeypatch.chdir(tmp_path)
    tl.write(draw("api ="), tmp_path / "dump.jsonl")
    return stand_in


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["lab", *words], env={"COLUMNS": "60"})
    assert done.exit_code == code, done.output
    return done.output


def test_a_dump_is_opened_in_its_own_folder_and_all_is_said(served: Served, tmp_path: Path) -> None:
    text = run("dump.jsonl", "--no-browser", "--port", "8888")
    assert served.asked == {"notebook": tmp_path / "dump.ipynb", "root": tmp_path, "port": 8888, "browser": False}
    assert f"Made a notebook: {tmp_path / 'dump.ipynb'}" in text.splitlines()
    assert "JupyterLab: http://127.0.0.1:8888/lab?token=secret" in text.splitlines()


def test_another_folder_may_be_named(served: Served, tmp_path: Path) -> None:
    run("dump.jsonl", "--notebook-dir", "books")
    assert served.asked["notebook"] == tmp_path / "books" / "dump.ipynb"
    run("--notebook-dir", "samples")
    assert served.asked["root"] == tmp_path / "samples"


def test_a_port_that_is_taken_is_said(served: Served) -> None:
    served.came_to = 8889
    assert "Port 8888 is taken, so JupyterLab listens on 8889." in run("dump.jsonl")
    assert "Port" not in run("dump.jsonl", "--port", "0")


@pytest.mark.parametrize(
    "words", [["nothing.json"], ["dump.jsonl", "nothing*.json"], [""], ["dump.jsonl", "--port=-1"]]
)
def test_what_is_not_there_is_a_mistake_in_the_command(served: Served, words: list[str]) -> None:
    assert "Traceback" not in run(*words, code=2)
    assert not served.asked


def test_what_is_no_dump_is_a_sentence_and_leaves_no_notebook(served: Served, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "no trace dump" in run("notes.txt", code=1)
    assert not served.asked
    assert list(tmp_path.glob("*.ipynb")) == []


def test_a_hostile_name_does_not_reach_the_terminal(served: Served, tmp_path: Path) -> None:
    name = "\x1b[2J[bold]x\u202e.jsonl"
    (tmp_path / "dump.jsonl").rename(tmp_path / name)
    assert "\x1b" not in run(name)
    assert "\x1b" not in run(f"{name}.gone", code=2)
    assert served.asked


def test_without_jupyterlab_it_says_how_to_install_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    assert 'pip install "tracelab-kit[lab]"' in " ".join(run(code=1).split())
    assert not served.asked


def test_a_kernel_finds_the_package_that_we_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["here", "/a$b"]))
    paths = server.environment()["PYTHONPATH"].split(os.pathsep)
    assert str(tmp_path / "here") in paths
    assert "/a$$b" in paths
    assert str(Path(tl.__file__).parents[1]) in paths or "site-packages" in tl.__file__

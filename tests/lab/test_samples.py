from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

import tracelab as tl
from tracelab.lab import samples
from tracelab.lab.samples import PARTS, sample_notebooks

ROOT = Path(__file__).parents[2]


def test_copies_stand_to_each_other_as_the_originals_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    opened = sample_notebooks()
    assert opened.root == tmp_path / "tracelab-notebooks"
    assert opened.notebook == opened.root / "notebooks" / "01_first_look.ipynb"
    assert str(opened.root) in opened.notes[0]
    copies = sorted((opened.root / "notebooks").iterdir())
    assert [copy.name for copy in copies] == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    for copy in copies:
        assert copy.read_bytes() == (ROOT / "notebooks" / copy.name).read_bytes()
        text = "".join("".join(cell["source"]) for cell in json.loads(copy.read_text())["cells"])
        needed = re.findall(r"\.\./(?:sample_data|examples)/[\w./-]+|(?<=\]\()[\w./-]+", text)
        assert [path for path in needed if not (copy.parent / path).is_file()] == []


def test_copies_that_are_there_are_left_alone(tmp_path: Path) -> None:
    first = sample_notebooks(tmp_path)
    first.notebook.write_text("mine")
    (tmp_path / "notebooks" / "02_percentile_report.ipynb").unlink()
    again = sample_notebooks(tmp_path)
    assert first.notebook.read_text() == "mine"
    assert (tmp_path / "notebooks" / "02_percentile_report.ipynb").is_file()
    assert "Copied 1 of" in again.notes[0]
    assert "as you left them" in sample_notebooks(tmp_path).notes[0]


def test_who_stands_in_the_folder_of_copies_gets_no_second_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = sample_notebooks().root
    monkeypatch.chdir(root / "notebooks")
    assert sample_notebooks().root == root


def test_an_installation_without_samples_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_HOMES", (tmp_path,))
    with pytest.raises(tl.SourceError, match="not installed"):
        sample_notebooks(tmp_path / "copies")
    assert not (tmp_path / "copies").exists()


def test_a_wheel_holds_what_is_copied() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    wanted = {f"/{part}" for part in PARTS}
    assert wanted <= set(built["wheel"]["include"])
    assert wanted <= set(built["sdist"]["include"])
    folders = {part.partition("/")[0] for part in PARTS}
    assert built["wheel"]["sources"] == {folder: f"tracelab/samples/{folder}" for folder in folders}

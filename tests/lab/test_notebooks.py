from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import tracelab as tl
from tracelab.lab import Opened, check, dump_named, dumps, notebook_about
from tracelab.lab.markdown import in_markdown
from tracelab.synthetic import draw

HOSTILE = "a'b\"c \\ {x} `$y$` <b>[z](z)\n%matplotlib\u202e.jsonl"
ONE_SPAN = draw("api =")
NO_ERRORS = draw("""
api      ==========
  db     .==
""")
FRAGMENTS = draw("""
api      ==========!  parent=00000000000000ff
  db     .==!

web      .            trace=2
""")


def about(path: Path, *, folder: Path | None = None) -> Opened:
    return notebook_about(dump_named([str(path)]), folder=folder)


def read(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    return notebook


def run(path: Path) -> Any:
    environment = os.environ | {"PYTHONPATH": str(Path(tl.__file__).parents[1])}
    client = NotebookClient(read(path), resources={"metadata": {"path": str(path.parent)}}, timeout=300)
    return client.execute(env=environment)


def code(path: Path) -> str:
    return str(next(cell["source"] for cell in read(path)["cells"] if cell["cell_type"] == "code"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["sample", "one span", "fragments", "empty services", "hostile name"])
def test_every_cell_runs_whatever_the_dump_holds(kind: str, tmp_path: Path, sample_data: Path) -> None:
    path = tmp_path / "dump.jsonl"
    match kind:
        case "sample":
            path = tmp_path / "content.otlp.jsonl.gz"
            shutil.copy(sample_data / path.name, path)
        case "one span":
            tl.write(ONE_SPAN, path)
        case "fragments":
            tl.write(FRAGMENTS, path)
        case "empty services":
            span = {"traceId": "1" * 32, "spanId": "1" * 16, "startTimeUnixNano": "5", "endTimeUnixNano": "5"}
            empty = {"attributes": [{"key": "service.name", "value": {"stringValue": ""}}]}
            parts = [{"resource": empty, "scopeSpans": [{"spans": [span]}]}, {"scopeSpans": [{"spans": [span]}]}]
            path.write_text(json.dumps({"resourceSpans": parts}))
        case "hostile name":
            path = tmp_path / HOSTILE
            tl.write(NO_ERRORS, path)
    executed = run(about(path).notebook)
    outputs = [output for cell in executed["cells"] for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error"]
    said = [output["text"] for output in outputs if output["output_type"] == "stream"]
    assert all("LoadWarning" in text for text in said)
    assert bool(said) == (kind == "empty services")
    last = executed["cells"][-1]["outputs"][-1]
    assert "application/vnd.jupyter.widget-view+json" in last["data"]
    assert "Gantt" in last["data"]["text/plain"]


def test_the_notebook_is_about_the_dump_beside_it_and_has_no_outputs(here: Path) -> None:
    tl.write(ONE_SPAN, here / "my-dump.jsonl")
    opened = about(Path("my-dump.jsonl"))
    notebook = read(opened.notebook)
    assert (opened.notebook, opened.root) == (here / "my-dump.ipynb", here)
    assert "`my-dump.jsonl`" in notebook["cells"][0]["source"]
    assert 'dump = "my-dump.jsonl"\n' in code(opened.notebook)
    assert not [cell for cell in notebook["cells"] if cell.get("outputs") or cell.get("execution_count")]


def test_the_same_dump_gives_the_same_bytes(tmp_path: Path) -> None:
    tl.write(ONE_SPAN, tmp_path / "dump.jsonl")
    first = about(tmp_path / "dump.jsonl").notebook
    content = first.read_bytes()
    first.unlink()
    assert about(tmp_path / "dump.jsonl").notebook.read_bytes() == content


def test_a_notebook_that_the_user_changed_is_opened_and_not_overwritten(tmp_path: Path) -> None:
    dump = tmp_path / "dump.jsonl"
    tl.write(ONE_SPAN, dump)
    first = about(dump)
    changed = first.notebook.read_text().replace("It is yours", "It is mine")
    first.notebook.write_text(changed)
    again = about(dump)
    assert again.notebook == first.notebook
    assert again.notebook.read_text() == changed
    assert "was there" in again.notes[0]
    assert len(again.notes) == 1


def test_a_dump_that_changed_after_the_notebook_was_saved_is_said(tmp_path: Path) -> None:
    dump = tmp_path / "dump.jsonl"
    tl.write(ONE_SPAN, dump)
    about(dump)
    os.utime(dump, (time.time() + 60, time.time() + 60))
    assert "changed" in about(dump).notes[-1]


@pytest.mark.parametrize("theirs", ['{"cells": []}', "[]", "no notebook", '{"metadata": {"tracelab": {"dump": 5}}}'])
def test_a_file_of_that_name_about_something_else_is_left_alone(tmp_path: Path, theirs: str) -> None:
    dump = tmp_path / "dump.jsonl"
    tl.write(ONE_SPAN, dump)
    (tmp_path / "dump.ipynb").write_text(theirs)
    opened = about(dump)
    assert opened.notebook.name == "dump-2.ipynb"
    assert (tmp_path / "dump.ipynb").read_text() == theirs
    assert about(dump).notebook == opened.notebook


def test_two_dumps_of_one_name_get_two_notebooks_in_one_folder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        tl.write(ONE_SPAN, tmp_path / name / "dump.jsonl")
    made = [about(tmp_path / name / "dump.jsonl", folder=tmp_path / "new" / "books") for name in ("one", "two")]
    assert [opened.notebook.name for opened in made] == ["dump.ipynb", "dump-2.ipynb"]
    assert {opened.root for opened in made} == {tmp_path / "new" / "books"}


def test_a_folder_where_nothing_can_be_written_is_said_and_the_current_one_taken(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = here / "locked"
    locked.mkdir()
    tl.write(ONE_SPAN, locked / "dump.jsonl")
    # A chmod would not stop root, who runs the tests in a container.
    writable = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != locked and writable(path, mode))
    opened = about(locked / "dump.jsonl")
    assert opened.notebook == here / "dump.ipynb"
    assert str(locked) in opened.notes[0]
    assert 'dump = "locked/dump.jsonl"\n' in code(opened.notebook)
    with pytest.raises(tl.SourceError, match="--notebook-dir"):
        about(locked / "dump.jsonl", folder=locked)


def test_a_file_is_no_folder_for_notebooks(tmp_path: Path) -> None:
    tl.write(ONE_SPAN, tmp_path / "dump.jsonl")
    with pytest.raises(tl.SourceError, match="cannot be made"):
        about(tmp_path / "dump.jsonl", folder=tmp_path / "dump.jsonl")


@pytest.mark.parametrize("name", [HOSTILE, "~x.jsonl", "[1]*.jsonl", ".hidden.jsonl", "\udcff.jsonl", "%magic!.jsonl"])
def test_any_name_is_found_again_from_the_notebook(here: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "in").mkdir()
    tl.write(ONE_SPAN, here / "in" / "dump.jsonl")
    (here / "in" / "dump.jsonl").rename(here / "in" / name)
    monkeypatch.chdir(here / "in")
    opened = notebook_about(dump_named([name]))
    found: dict[str, Any] = {}
    magic, _, python = code(opened.notebook).partition("\n")
    assert magic == "%load_ext tracelab"
    exec(python.rpartition("\n")[0], found)  # noqa: S102
    assert found["spans"].equals(ONE_SPAN)
    assert not opened.notebook.name.startswith(".")
    assert set(opened.notebook.name).isdisjoint("\n\"'`$<>*?[]\\/:\u202e\udcff~%")
    assert notebook_about(dump_named([name])).notebook == opened.notebook


def test_what_holds_no_spans_is_refused_before_a_notebook_is_made(tmp_path: Path) -> None:
    for name, content in (("empty.json", '{"resourceSpans": []}'), ("other.json", '{"a": 1}'), ("nothing.json", "")):
        (tmp_path / name).write_text(content)
        with pytest.raises(tl.LoadError):
            check(dump_named([str(tmp_path / name)]))


def test_markdown_shows_a_name_as_it_is() -> None:
    assert in_markdown("my_dump (1).json.gz") == "`my_dump (1).json.gz`"
    shown = in_markdown(HOSTILE)
    assert set("<>`$\\{}[]*\n\u202e").isdisjoint(shown.removeprefix("<code>").removesuffix("</code>"))
    assert len(in_markdown("x" * 5000)) < 300


def test_a_large_dump_is_not_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = tmp_path / "large.json"
    dump.write_text("no dump")
    monkeypatch.setattr(dumps, "_QUICKLY_READ", 3)
    check(dump_named([str(dump)]))
    monkeypatch.setattr(dumps, "_QUICKLY_READ", 1000)
    with pytest.raises(tl.LoadError):
        check(dump_named([str(dump)]))

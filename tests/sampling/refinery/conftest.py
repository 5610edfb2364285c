"""Refinery's own code, where Go and its modules can be had."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Ask: TypeAlias = Callable[[Any], Any]

HERE = Path(__file__).parent
GO = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
BUILD_SECONDS = 600


def go(folder: Path, *arguments: str) -> str:
    if GO is None:
        pytest.skip("Go is not installed")
    done = subprocess.run(
        [GO, *arguments],
        cwd=folder,
        env=os.environ | {"GOFLAGS": "-mod=mod"},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode and ("module" in done.stderr or "dial" in done.stderr):
        pytest.skip(f"a Go module cannot be had: {done.stderr.strip().splitlines()[-1]}")
    assert not done.returncode, done.stderr
    return done.stdout


def asking(program: Path) -> Ask:
    def ask(question: Any) -> Any:
        done = subprocess.run([program], input=json.dumps(question), capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture(scope="session")
def ask_refinery(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Refinery 1.21, the newest that is a Go module of its own, and husky 0.22: what they have is as in version 2."""
    folder = tmp_path_factory.mktemp("refinery") / "reference"
    shutil.copytree(HERE / "reference", folder)
    go(folder, "build", "-o", "ask", ".")
    return asking(folder / "ask")


@pytest.fixture(scope="session")
def ask_dynsampler(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """dynsampler-go 0.6.3, with a clock that is turned by hand."""
    folder = tmp_path_factory.mktemp("dynsampler") / "reference"
    shutil.copytree(HERE / "dynamic_reference", folder)
    empty = tmp_path_factory.mktemp("module")
    (empty / "go.mod").write_text("module none\n\ngo 1.20\n")
    place = json.loads(go(empty, "mod", "download", "-json", "github.com/honeycombio/dynsampler-go@v0.6.3"))["Dir"]
    (folder / "dynsampler").mkdir()
    for path in Path(place).iterdir():
        if path.name == "go.mod" or (path.suffix == ".go" and not path.name.endswith("_test.go")):
            shutil.copyfile(path, folder / "dynsampler" / path.name)
    shutil.copyfile(folder / "export.go.txt", folder / "dynsampler" / "export.go")
    go(folder, "build", "-o", "ask", ".")
    return asking(folder / "ask")

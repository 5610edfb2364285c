"""The house rules that tools can check: format, lint, types, floors, and what importing costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_code_is_formatted() -> None:
    run(str(BIN / "ruff"), "format", "--check", ".")


def test_code_is_free_of_lint() -> None:
    run(str(BIN / "ruff"), "check", ".")


def test_types_hold() -> None:
    run(str(BIN / "mypy"))


def test_rooms_import_only_from_lower_floors() -> None:
    run(str(BIN / "lint-imports"), "--no-cache")


@pytest.mark.parametrize("module", ["plotly", "ipywidgets", "anywidget", "pandas", "networkx", "jupyterlab"])
def test_importing_tracelab_loads_nothing_heavy(module: str) -> None:
    run(sys.executable, "-c", f"import sys, tracelab; assert {module!r} not in sys.modules")


def test_no_group_is_repeated_possessively() -> None:
    """Python before 3.11.5 matches `(?:...)*+` wrongly where the group backtracks; `(?>(?:...)*)` it matches right."""
    files = [path for path in (ROOT / "tracelab").rglob("*.py") if re.search(r"\)[*+?]\+", path.read_text())]
    assert [path.name for path in files] == []

"""What the notebooks say and show, and the dumps that they read, each read once."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

import tracelab as tl
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

NOTEBOOKS = ROOT / "notebooks"


@pytest.fixture(scope="session")
def content(sample_data: Path) -> pl.DataFrame:
    """The spans of the small system: two services."""
    return tl.read(sample_data / "content.otlp.jsonl.gz")


@pytest.fixture(scope="session")
def shop(sample_data: Path) -> pl.DataFrame:
    """The spans of the shop: eight services with planted faults."""
    return tl.read(sample_data / "shop.otlp.jsonl.gz")


@cache
def cells(notebook: str) -> list[dict[str, Any]]:
    """The cells of a notebook, such as `01_first_look`."""
    book: dict[str, Any] = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))
    return list(book["cells"])


def says(notebook: str, sentence: str) -> None:
    """Assert that the text of a notebook holds this sentence (line breaks count as spaces)."""
    text = "\n\n".join("".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "markdown")
    assert _on_one_line(sentence) in _on_one_line(text), f"{notebook} does not say: {sentence}"


def shows(notebook: str, *parts: str) -> None:
    """Assert that one saved output of a notebook holds all these parts, as a reader sees them."""
    seen = outputs(notebook)
    assert any(all(part in text for part in parts) for text in seen), f"{notebook} shows nowhere: {parts}"


def runs(notebook: str, code: str) -> None:
    """Assert that a code cell of a notebook holds this code (line breaks and indents count as spaces)."""
    code_cells = ["".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert any(_on_one_line(code) in _on_one_line(cell) for cell in code_cells), f"{notebook} runs nowhere: {code}"


def outputs(notebook: str) -> list[str]:
    """The saved outputs as a reader sees them: what was printed, and tables with `|` between their cells.

    Bounds stand in brackets behind their figure; what a table says below a name only where it is narrow is left out.
    """
    return [_seen(output) for cell in cells(notebook) for output in cell.get("outputs", [])]


def _seen(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "text/html" in data:
        table = re.sub(r"<style>.*?</style>", "", "".join(data["text/html"]), flags=re.DOTALL)
        table = re.sub(r' ?<small class="under[^"]*">.*?</small>', "", table, flags=re.DOTALL)
        table = re.sub("(<small>.*?) \N{EN DASH} (.*?</small>)", r"\1 - \2", re.sub("<wbr>", "", table))
        table = re.sub(r"</(?:tr|p)>", "\n", re.sub(r"</t[dh]>", " | ", table))
        return html.unescape(re.sub(r"<[^>]*>", "", table))
    return "".join(output.get("text") or data.get("text/markdown") or data.get("text/plain") or "")


def _on_one_line(text: str) -> str:
    return " ".join(text.split())

"""What the README shows of reports, checks and exports runs as it stands there, and does what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import tracelab as tl

if TYPE_CHECKING:
    from pathlib import Path

TITLE = "The report, the gate, and what leaves the house"


@pytest.fixture(scope="module")
def folder(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the block in a folder of its own, and give that."""
    text = (sample_data.parent / "README.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {TITLE}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```python\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"tl": tl}
    written = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(written)
        code = block.replace('"sample_data/', f'"{sample_data.as_posix()}/')
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102 - it is the README of this project
    return written


def test_the_block_writes_what_it_names(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"shop.html", "shop.perfetto.json", "outcomes.csv"}


def test_the_page_needs_no_network(folder: Path) -> None:
    page = (folder / "shop.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert "load_price_list" in page


def test_what_perfetto_opens_is_read_back(folder: Path) -> None:
    assert tl.read(folder / "shop.perfetto.json").height == 37_405

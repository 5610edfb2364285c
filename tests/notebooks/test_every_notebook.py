from __future__ import annotations

import re

import pytest

from tests.notebooks.conftest import NOTEBOOKS, cells, outputs

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NAMES)
def test_durations_read_as_words(notebook: str) -> None:
    seen = "\n".join(outputs(notebook))
    assert not re.findall(r"\d{4,}(?:ns|µs)|\d+s \d+(?:ns|µs|ms)", seen)
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert "".join(code[0]["source"]).startswith("%load_ext tracelab\n")


@pytest.mark.parametrize("notebook", NAMES)
def test_each_cell_was_run_once_in_order_and_shows_one_thing(notebook: str) -> None:
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        kinds = [output["output_type"] for output in cell["outputs"]]
        assert len(kinds) <= 1, "".join(cell["source"])
        assert "error" not in kinds


@pytest.mark.parametrize("notebook", NAMES)
def test_nothing_hangs_on_the_environment(notebook: str) -> None:
    assert not any("environ" in line for cell in cells(notebook) for line in cell["source"])

"""Tables in a real JupyterLab: its own layout gives them the room that their columns are chosen by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import CHROMIUM, PATIENCE

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

CELLS = (
    "%load_ext tracelab\nimport tracelab as tl\nfrom tracelab.synthetic import generate",
    "tl.latency_percentiles(generate(200, seed=1), wide=True)",
)
SEEN = "() => [...document.querySelectorAll('.tracelab-table th')].filter(head => head.offsetParent).length"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


def test_columns_fit_the_output_of_a_cell(open_notebook: OpenNotebook) -> None:
    page = open_notebook("tables", *CELLS)
    page.locator(".lm-MenuBar-item", has_text="Run").first.click()
    page.locator(".lm-Menu-item:visible", has_text=re.compile("^Run All Cells")).click()
    table = page.locator(".tracelab-table").first
    table.wait_for(timeout=PATIENCE, state="attached")
    assert page.evaluate(SEEN) == 7
    assert table.evaluate("box => box.scrollWidth - box.clientWidth") == 0
    assert table.evaluate("box => box.clientWidth") > 600
    table.evaluate("box => { box.style.width = '360px' }")
    assert 2 <= page.evaluate(SEEN) < 7
    assert table.locator(".left-out").is_visible()

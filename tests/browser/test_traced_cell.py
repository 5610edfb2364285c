"""`%%trace` in a real JupyterLab and browser: the timeline stands below the cell, also of one that awaits or fails."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_lab_dump import CHROMIUM, ERRORS, PATIENCE, lab, own_jupyter, page, playwright, run_all_cells

__all__ = ["own_jupyter", "page"]

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

SET_UP = """%load_ext tracelab
import asyncio, time
from opentelemetry import trace
tracer = trace.get_tracer("shop")"""
AWAITS = """%%trace
async def price(number):
    with tracer.start_as_current_span(f"price {number}"):
        await asyncio.sleep(number / 100)

with tracer.start_as_current_span("basket"):
    with tracer.start_as_current_span("user"):
        time.sleep(0.02)
    await asyncio.gather(*map(price, range(1, 4)))"""
FAILS = """%%trace
with tracer.start_as_current_span("pay"):
    raise KeyError("stock")"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


def written(folder: Path, *cells: str) -> None:
    made: list[dict[str, object]] = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": text}
        for n, text in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    book = {"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "traced.ipynb").write_text(json.dumps(book), encoding="utf-8")


def test_the_timeline_stands_below_the_cell_and_errors_after_it(
    tmp_path: Path,
    sample_data: Path,
    own_jupyter: dict[str, str],
    page: Page,
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.copy(sample_data / "content.otlp.jsonl.gz", mine / "dump.jsonl.gz")
    written(mine, SET_UP, AWAITS, FAILS)
    # What is out of sight draws no rows, and a page goes to the cell that failed: so all of it is in sight.
    page.set_viewport_size({"width": 1400, "height": 3_000})
    with lab("dump.jsonl.gz", folder=mine, environment=own_jupyter) as (address, _):
        run_all_cells(page, re.sub(r"/lab\S*\?", "/lab/tree/traced.ipynb?", address))
        gantts = page.locator(".tracelab-gantt")
        gantts.nth(1).wait_for(timeout=PATIENCE, state="attached")
        for number, rows in enumerate((["basket", "user", "price 1", "price 2", "price 3"], ["pay"])):
            names = gantts.nth(number).locator(".names .name .words")
            playwright.expect(names).to_have_text(rows, timeout=PATIENCE)
        assert page.locator(ERRORS).count() == 1
        failing = page.locator(".jp-Cell").nth(2).locator(".jp-OutputArea-output")
        assert failing.nth(0).locator(".tracelab-gantt").count() == 1
        assert "KeyError" in failing.nth(1).inner_text()

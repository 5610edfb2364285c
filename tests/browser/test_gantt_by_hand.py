"""The gantt in a real JupyterLab and a real browser: the wheel, the keys, the triangles, and names that mean harm."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60_000
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
LARGE = """import tracelab as tl
large = tl.widgets.Gantt(tl.synthetic.generate(5_000, spans_per_trace=20_000), rows=20)
large"""
HOSTILE = """evil = tl.synthetic.draw('''
<script>document.title="owned"</script>::<b>bold</b>   =====  note=<img/src=x/onerror=document.title="owned">
  svc$x$::<a/href="javascript:alert(1)">click</a>      .==!
''')
hostile = tl.widgets.Gantt(evil)
hostile.selected_span_id = evil["span_id"][0]
hostile"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def lab_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run JupyterLab on a folder with one notebook, with settings of its own."""
    folder = tmp_path_factory.mktemp("lab")
    cells: list[dict[str, object]] = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for n, source in enumerate((LARGE, HOSTILE))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    book = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "gantt.ipynb").write_text(json.dumps(book), encoding="utf-8")
    settings = folder / ".settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{place}_DIR": str(folder / f".{place}") for place in ("CONFIG", "DATA", "RUNTIME")}
    root = str(Path(__file__).parents[2])
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    with (folder / "log").open("w") as out:
        environment = {**os.environ, **own, "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"), "PYTHONPATH": root}
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/status")
            yield f"http://127.0.0.1:{port}/lab/tree/gantt.ipynb?reset"
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.fixture(scope="module")
def page(lab_url: str) -> Iterator[Page]:
    """Open the notebook and run all of it."""
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(lab_url)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE, state="attached")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=PATIENCE)
        page.locator(".lm-MenuBar-item", has_text="Run").first.click()
        page.locator(".lm-Menu-item:visible", has_text="Run All Cells").first.click()
        page.locator(".tracelab-gantt").nth(1).locator(".x2y2 .bars .point").first.wait_for(
            timeout=PATIENCE, state="attached"
        )
        yield page
        browser.close()


def test_gantt_scrolls_with_the_wheel_and_answers_keys(page: Page) -> None:
    gantt = page.locator(".tracelab-gantt").first
    gantt.scroll_into_view_if_needed()
    gantt.get_by_text("rows 1 to 20 of 5,000").wait_for(timeout=PATIENCE)
    page.wait_for_timeout(500)
    x, y = middle(gantt)
    page.mouse.move(x, y)
    page.mouse.wheel(0, 2000)
    gantt.get_by_text("rows 101 to 120 of 5,000").wait_for(timeout=PATIENCE)
    page.mouse.click(x, y)
    gantt.get_by_text("span id", exact=True).wait_for(timeout=PATIENCE)
    before = gantt.locator(".widget-html").last.inner_text()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("([pane, old]) => pane.innerText !== old", arg=[pane(gantt), before], timeout=PATIENCE)
    page.keyboard.press("Home")
    gantt.get_by_text("rows 1 to 20 of 5,000").wait_for(timeout=PATIENCE)
    page.locator(".jp-Notebook").click(position={"x": 5, "y": 5})


def test_gantt_folds_by_its_triangles(page: Page) -> None:
    gantt = page.locator(".tracelab-gantt").first
    gantt.scroll_into_view_if_needed()
    box = gantt.locator(".y2tick text").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 4, box["y"] + box["height"] / 2)
    gantt.get_by_text("rows 1 to 1 of 1", exact=True).wait_for(timeout=PATIENCE)
    assert "(+4,999)" in (gantt.locator(".y2tick text").first.text_content() or "")


def test_gantt_shows_names_that_mean_harm_as_text(page: Page) -> None:
    gantt = page.locator(".tracelab-gantt").nth(1)
    gantt.get_by_text("span id", exact=True).wait_for(timeout=PATIENCE)
    assert "owned" not in page.title()
    assert gantt.locator("script, img, .widget-html a, .js-plotly-plot text a, .js-plotly-plot text b").count() == 0
    labels = " ".join(gantt.locator(".y2tick text").all_text_contents()).replace("\u00a0", " ")
    assert "<b>bold</b>" in labels
    assert '<a/href="javascript:alert(1)">click</a>' in labels


def middle(gantt: Locator) -> tuple[float, float]:
    box = gantt.locator(".js-plotly-plot").bounding_box()
    assert box is not None
    return box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.5


def pane(gantt: Locator) -> object:
    return gantt.locator(".widget-html").last.element_handle()


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            urlopen(url, timeout=1).close()  # noqa: S310  (our own server)
        except URLError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("JupyterLab did not start")

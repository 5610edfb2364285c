"""The gantt in a real JupyterLab and a real browser, started as a user starts it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120_000
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
BARS = ".jupyter-widgets .js-plotly-plot .x2y2 .bars .point path"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def lab_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `tracelab lab` on a copy of the repository's notebooks, as a clone would have them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("lab") / "log"
    with log.open("w") as out:
        command = [sys.executable, "-m", "tracelab", "lab", "--no-browser", "--port", str(port)]
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            for _ in range(300):
                if found := re.search(rf"http://127\.0\.0\.1:{port}/lab\S*\?token=(\w+)", log.read_text()):
                    break
                time.sleep(0.2)
            else:
                pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")
            yield f"http://127.0.0.1:{port}/lab/tree/notebooks/01_first_look.ipynb?reset&token={found[1]}"
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.fixture
def page() -> Iterator[Page]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


def test_the_first_notebook_runs_and_a_click_on_a_bar_shows_its_details(lab_url: str, page: Page) -> None:
    page.goto(lab_url)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE, state="attached")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=PATIENCE)
    page.locator(".lm-MenuBar-item", has_text="Run").first.click()
    page.locator(".lm-Menu-item:visible", has_text=re.compile("^Run All Cells")).click()
    page.wait_for_selector(BARS, timeout=PATIENCE)
    page.locator(".jupyter-widgets .js-plotly-plot").first.scroll_into_view_if_needed()
    # The notebook selects a span itself in a later cell: wait for it, so that the click comes last.
    page.wait_for_timeout(5000)
    widest = max(page.locator(BARS).all(), key=lambda bar: (bar.bounding_box() or {"width": 0})["width"])
    box = widest.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    details = page.locator(".jupyter-widgets.widget-html").last
    details.get_by_text("span id", exact=True).wait_for(timeout=PATIENCE)
    assert "service" in details.inner_text()
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0

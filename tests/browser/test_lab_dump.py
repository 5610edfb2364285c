"""`tracelab lab my-dump.jsonl` as a user runs it: from a folder of one's own, in a real JupyterLab and browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tracelab as tl

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 240_000
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
BARS = ".jupyter-widgets .js-plotly-plot .bars .point path"
ERRORS = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr']"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture
def own_jupyter(tmp_path: Path) -> dict[str, str]:
    """Give the user another `python3` kernel, of an interpreter that is gone, and no other settings."""
    kernel = tmp_path / "jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["/no/such/python"], "display_name": "Old Python", "language": "python"}))
    return {
        "JUPYTER_PATH": str(tmp_path / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "settings"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }


@pytest.fixture
def page() -> Iterator[Page]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser.new_page(viewport={"width": 1400, "height": 1000})
        browser.close()


@contextmanager
def lab(*words: str, folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Run `tracelab lab`, and give its address and what it said until then; stop it as a user does."""
    command = [sys.executable, "-m", "tracelab", "lab", *words, "--no-browser", "--port", "0"]
    server = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert server.stdout is not None
    said: list[str] = []
    late = threading.Timer(120, server.kill)
    late.start()
    try:
        for line in server.stdout:
            said.append(line.rstrip())
            if found := re.search(r"http://127\.0\.0\.1:\d+/lab\S*\?token=\w+", line):
                break
        else:
            pytest.fail("JupyterLab did not start:\n" + "\n".join(said))
        late.cancel()
        yield found[0], said
    finally:
        late.cancel()
        server.send_signal(signal.SIGINT)
        rest, _ = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "Traceback" not in rest
    assert list(Path(environment["JUPYTER_DATA_DIR"]).glob("runtime/kernel-*")) == []


def run_all_cells(page: Page, address: str) -> None:
    """Run the notebook to its end, and bring the gantt into view: cells out of view are not drawn."""
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE, state="attached")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=PATIENCE)
    gantt = page.locator(".jupyter-widgets .js-plotly-plot").first
    for _ in range(3):
        page.locator(".lm-MenuBar-item", has_text="Run").first.click()
        page.locator(".lm-Menu-item:visible", has_text=re.compile("^Run All Cells")).click()
        # On a busy machine the menu may be there before the notebook listens to it; running twice does no harm.
        with suppress(playwright.TimeoutError):
            gantt.wait_for(timeout=PATIENCE / 3, state="attached")
            break
    gantt.scroll_into_view_if_needed(timeout=PATIENCE)


def changes_of_the_repository() -> str:
    done = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_dump_opens_as_a_fresh_notebook_that_runs_to_the_gantt(
    tmp_path: Path, sample_data: Path, own_jupyter: dict[str, str], page: Page
) -> None:
    before = changes_of_the_repository()
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.copy(sample_data / "content.otlp.jsonl.gz", mine / "my-dump.jsonl.gz")
    slowest = tl.trace_summary(tl.read(mine / "my-dump.jsonl.gz")).sort("duration", descending=True)["trace_id"][0]
    with lab("my-dump.jsonl.gz", folder=mine, environment=own_jupyter) as (address, said):
        assert any("my-dump.ipynb" in line for line in said)
        run_all_cells(page, address)
        page.locator(BARS).first.wait_for(timeout=PATIENCE)
        page.locator("h1", has_text="my-dump.jsonl.gz").wait_for(timeout=PATIENCE)
        page.locator(".jp-DirListing-itemText", has_text="my-dump.ipynb").wait_for(timeout=PATIENCE)
        assert page.locator(".jp-DirListing-itemText").all_inner_texts() == ["my-dump.ipynb", "my-dump.jsonl.gz"]
        assert page.locator(ERRORS).count() == 0
        assert slowest in str(page.locator(".tracelab-traces input").get_attribute("placeholder"))
        page.keyboard.press("Control+s")
        page.wait_for_function("!document.querySelector('.jp-mod-dirty')", timeout=PATIENCE)
    assert sorted(path.name for path in mine.iterdir() if not path.name.startswith(".")) == [
        "my-dump.ipynb",
        "my-dump.jsonl.gz",
    ]
    assert changes_of_the_repository() == before


def test_without_a_dump_copies_of_the_samples_open_and_run(
    tmp_path: Path, own_jupyter: dict[str, str], page: Page
) -> None:
    before = changes_of_the_repository()
    with lab(folder=tmp_path, environment=own_jupyter) as (address, said):
        assert any(str(tmp_path / "tracelab-notebooks") in line for line in said)
        run_all_cells(page, address)
        page.locator(BARS).first.wait_for(timeout=PATIENCE)
        assert page.locator(ERRORS).count() == 0
        assert page.locator(".jp-DirListing-itemText", has_text="02_percentile_report.ipynb").count() == 1
    assert changes_of_the_repository() == before

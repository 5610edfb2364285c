"""Traces that arrive while one looks: a real SDK sends to the receiver of a notebook, in a real JupyterLab."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60_000
RECEIVE = """import tracelab as tl
live = tl.receive(http_port=0, grpc_port=None)
widget = tl.widgets.Live(live, rows=8)
widget"""
WHERE = "print(live.http_url)"
BUSY = """import pathlib, time
end = time.monotonic() + 60
while not pathlib.Path({seen!r}).exists() and time.monotonic() < end:
    time.sleep(0.1)"""
ASK = "widget.selected['name'].to_list()"
REQUESTS = '''"""Requests that take no time, but for a slow one, one that fails, and one of a hostile name."""
import time
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("test")
now = time.time_ns()
for seconds in range(60, 36, -1):
    start = now - seconds * 1_000_000_000
    tracer.start_span("GET /cart", start_time=start).end(start + 5_000_000)
tracer.start_span("GET /cart", start_time=now - 2_000_000_000).end(now)
failed = tracer.start_span("POST /order")
failed.set_status(trace.Status(trace.StatusCode.ERROR))
failed.end()
tracer.start_span('<img src=x onerror=document.title="owned"><b>bold</b>\\u202e').end()
'''

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that ends the cell which keeps the kernel busy."""
    return tmp_path_factory.mktemp("live") / "seen"


@pytest.fixture(scope="module")
def page(open_notebook: Callable[..., Page], seen: Path) -> Page:
    page = open_notebook("live", RECEIVE, WHERE, BUSY.format(seen=str(seen)), ASK)
    run(page, 0)
    listing(page).locator(".note").wait_for(timeout=PATIENCE)
    run(page, 1)
    page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea-output").wait_for(timeout=PATIENCE)
    return page


def run(page: Page, cell: int) -> None:
    page.locator(".jp-Cell").nth(cell).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def listing(page: Page) -> Locator:
    return page.locator(".tracelab-arrivals")


def rows(page: Page) -> Locator:
    return listing(page).locator("tbody tr")


def address(page: Page) -> str:
    return page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea-output").inner_text().strip()


def send(page: Page, *command: str) -> None:
    """Run a program that sends to the receiver of the notebook."""
    variables = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": address(page), "OTEL_SERVICE_NAME": "web"}
    subprocess.run([sys.executable, *command], env=variables, check=True, timeout=60)


def test_live_says_where_to_send_and_then_lists_what_comes(page: Page) -> None:
    assert f"Send OTLP to {address(page)} (HTTP)" in listing(page).locator(".note").inner_text()
    assert not listing(page).locator("table").is_visible()
    send(page, str(ROOT / "examples" / "first_trace" / "breakfast.py"))
    rows(page).get_by_text("breakfast").wait_for(timeout=PATIENCE)
    playwright.expect(listing(page).locator(".note")).to_be_hidden(timeout=PATIENCE)
    playwright.expect(rows(page).locator(".spans")).to_have_text(["6"], timeout=PATIENCE)
    page.locator(".tracelab-status", has_text="6 spans in 1 trace").wait_for(timeout=PATIENCE)


def test_live_marks_errors_and_slow_ones_and_shows_harmful_names_as_text(page: Page) -> None:
    send(page, "-c", REQUESTS)
    rows(page).locator(".name", has_text="<img src=x").wait_for(timeout=PATIENCE)
    playwright.expect(rows(page)).to_have_count(8, timeout=PATIENCE)
    assert rows(page).locator(".name").first.inner_text().endswith(r"<b>bold</b>\u202e")
    assert listing(page).locator("img, b").count() == 0
    assert "owned" not in page.title()
    assert rows(page).filter(has_text="POST /order").locator(".errors").inner_text() == "1 error"
    (slow,) = [mark for mark in rows(page).locator(".slow").all() if mark.get_attribute("title")]
    assert "longer than the p95 of 25 traces that began alike" in (slow.get_attribute("title") or "")
    assert slow.locator("xpath=ancestor::tr").locator(".duration").inner_text() == "2 s"


def test_live_opens_the_timeline_of_what_is_clicked(page: Page) -> None:
    rows(page).filter(has_text="POST /order").click()
    title = page.locator(".tracelab-live .tracelab-gantt .tracelab-title")
    title.get_by_text("POST /order").wait_for(timeout=PATIENCE)
    chosen = rows(page).filter(has_text="POST /order")
    playwright.expect(chosen).to_have_attribute("aria-selected", "true", timeout=PATIENCE)
    page.locator(".tracelab-live .names .name").first.wait_for(timeout=PATIENCE, state="attached")


def test_live_goes_by_the_keys(page: Page) -> None:
    rows(page).first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    wanted = rows(page).nth(1)
    playwright.expect(wanted).to_have_attribute("aria-selected", "true", timeout=PATIENCE)
    title = page.locator(".tracelab-live .tracelab-gantt .tracelab-title .tracelab-quiet")
    playwright.expect(title).to_have_text(wanted.get_attribute("data-trace") or "", timeout=PATIENCE)
    run(page, 3)
    page.locator(".jp-Cell").nth(3).get_by_text("POST /order").last.wait_for(timeout=PATIENCE)


def test_live_keeps_up_while_a_cell_runs(page: Page, seen: Path) -> None:
    # Not the kernel's status, which is that of the last message: what the widget sends is handled beside the cell.
    prompt = page.locator(".jp-Cell").nth(2).locator(".jp-InputPrompt")
    run(page, 2)
    prompt.get_by_text("[*]:").wait_for(timeout=PATIENCE)
    send(page, str(ROOT / "examples" / "first_trace" / "breakfast.py"))
    rows(page).first.get_by_text("breakfast").wait_for(timeout=PATIENCE / 2)
    assert prompt.inner_text() == "[*]:"
    seen.touch()
    prompt.get_by_text(re.compile(r"\[\d+\]:")).wait_for(timeout=PATIENCE)


def test_live_pauses(page: Page) -> None:
    before = rows(page).first.get_attribute("data-trace")
    page.get_by_role("button", name="pause").click()
    page.locator(".tracelab-status", has_text="paused").wait_for(timeout=PATIENCE)
    send(page, str(ROOT / "examples" / "first_trace" / "breakfast.py"))
    page.locator(".tracelab-status", has_text="45 spans").wait_for(timeout=PATIENCE)
    assert rows(page).first.get_attribute("data-trace") == before
    page.get_by_role("button", name="go on").click()
    page.wait_for_function(
        "([list, old]) => list.querySelector('tbody tr').dataset.trace !== old",
        arg=[listing(page).element_handle(), before],
        timeout=PATIENCE,
    )


def test_live_fits_a_narrow_page_and_follows_the_theme(page: Page) -> None:
    color = "row => getComputedStyle(row).color"
    light = rows(page).first.evaluate(color)
    page.locator(".lm-MenuBar-item", has_text="Settings").first.click()
    page.locator(".lm-Menu-item:visible", has_text="Theme").first.click()
    page.locator(".lm-Menu-item:visible", has_text="JupyterLab Dark").first.click()
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'", timeout=PATIENCE)
    page.wait_for_timeout(500)
    assert rows(page).first.evaluate(color) != light
    listing(page).evaluate("list => { list.closest('.tracelab-live').style.maxWidth = '340px'; }")
    page.wait_for_timeout(300)
    assert listing(page).evaluate("list => list.scrollWidth <= list.clientWidth")
    assert not rows(page).locator(".start").first.is_visible()
    assert rows(page).locator(".duration").first.is_visible()

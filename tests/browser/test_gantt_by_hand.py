"""The gantt in a real JupyterLab and a real browser: wheel, keys, pointer, filter, themes, names that mean harm."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60_000
LARGE = """import tracelab as tl
large = tl.widgets.Gantt(tl.synthetic.generate(5_000, spans_per_trace=20_000), rows=20)
large"""
SMALL = """shop = tl.synthetic.draw('''
web::GET /pay     ..==================
  web::render     ..=
  bank::charge    .....==========!
    bank::ledger  ....====
''')
small = tl.widgets.Gantt(shop)
small"""
HOSTILE = """evil = tl.synthetic.draw('''
<script>document.title="owned"</script>::<b>bold</b>   =====  note=<img/src=x/onerror=document.title="owned">
  svc$x$::<a/href="javascript:alert(1)">click</a>      .==!

db::statement  =
''')
evil = evil.with_columns(evil["name"].replace("statement", "SELECT *\\nFROM \\u202ex"))
hostile = tl.widgets.Gantt(evil)
hostile.selected_span_id = evil["span_id"][0]
hostile"""
BUSY = "import time; time.sleep(600)"
SHOWS = """([gantt, names]) => {
  const shown = [...gantt.querySelectorAll('.names .name .words')].map(words => words.textContent);
  return JSON.stringify(shown) === JSON.stringify(names);
}"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def page(open_notebook: Callable[..., Page]) -> Page:
    """Open the notebook and run all of it but its last cell."""
    page = open_notebook("gantt", LARGE, SMALL, HOSTILE, BUSY)
    page.locator(".jp-Cell").nth(3).locator(".cm-content").click()
    choose(page, "Run", "Run All Above Selected Cell")
    for number in range(3):
        of(page, number).locator(".names .name").first.wait_for(timeout=PATIENCE, state="attached")
    return page


def choose(page: Page, menu: str, item: str) -> None:
    page.locator(".lm-MenuBar-item", has_text=menu).first.click()
    page.locator(".lm-Menu-item:visible", has_text=item).first.click()


def of(page: Page, number: int) -> Locator:
    return page.locator(".tracelab-gantt").nth(number)


def shown(page: Page, number: int) -> Locator:
    """Bring a gantt to where the pointer can reach it."""
    gantt = of(page, number)
    gantt.locator(".names .name").first.wait_for(timeout=PATIENCE, state="attached")
    gantt.locator(".js-plotly-plot").evaluate("plot => plot.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(400)  # a scroll that began on the page goes on with the page
    return gantt


def box(part: Locator) -> tuple[float, float, float, float]:
    found = part.bounding_box()
    assert found is not None
    return found["x"], found["y"], found["width"], found["height"]


def middle(gantt: Locator) -> tuple[float, float]:
    x, y, width, height = box(gantt.locator(".js-plotly-plot"))
    return x + width * 0.7, y + height * 0.5


def names_are(gantt: Locator, *names: str) -> None:
    """Wait for these rows, white space and all: the parts of a widget are drawn one after the other."""
    with suppress(playwright.TimeoutError):
        gantt.page.wait_for_function(SHOWS, arg=[gantt.element_handle(), list(names)], timeout=PATIENCE)
    assert gantt.locator(".names .name .words").all_text_contents() == list(names)


def reads(gantt: Locator, text: str) -> None:
    gantt.get_by_text(text, exact=True).wait_for(timeout=PATIENCE)


def test_gantt_scrolls_with_the_wheel_and_answers_keys(page: Page) -> None:
    gantt = shown(page, 0)
    reads(gantt, "rows 1 to 20 of 5,000")
    x, y = middle(gantt)
    page.mouse.move(x, y)
    page.mouse.wheel(0, 2000)
    reads(gantt, "rows 101 to 120 of 5,000")
    page.mouse.click(x, y)
    reads(gantt, "span id")
    pane = gantt.locator(".widget-html").last
    before = pane.inner_text()
    page.keyboard.press("ArrowDown")
    page.wait_for_function(
        "([pane, old]) => pane.innerText !== old", arg=[pane.element_handle(), before], timeout=PATIENCE
    )
    page.keyboard.press("Home")
    reads(gantt, "rows 1 to 20 of 5,000")


def test_gantt_tooltip_comes_over_both_ends_of_a_bar_and_over_its_name(page: Page) -> None:
    gantt = shown(page, 1)
    x, y, width, height = box(gantt.locator(".x2y2 .bars .point path").nth(0))
    tip = gantt.get_by_role("tooltip")
    for at in (x + 2, x + width / 2, x + width - 2):
        page.mouse.move(x + width / 2, y - 60)
        tip.wait_for(state="hidden", timeout=PATIENCE)
        page.mouse.move(at, y + height / 2)
        tip.wait_for(timeout=PATIENCE)
        assert tip.inner_text().splitlines()[:2] == ["GET /pay", "web, internal"]
    x, y, width, height = box(gantt.locator(".names .words").nth(3))
    page.mouse.move(x + 3, y + height / 2)
    gantt.get_by_role("tooltip").get_by_text("starts 1 ms before its parent").wait_for(timeout=PATIENCE)


def test_gantt_filter_acts_while_one_types_and_says_that_nothing_matches(page: Page) -> None:
    gantt = shown(page, 1)
    field = gantt.get_by_placeholder("filter by service or name")
    field.press_sequentially("ledg")
    reads(gantt, "rows 1 to 3 of 3")
    names_are(gantt, "GET /pay", "charge", "ledger")
    field.press_sequentially("xyz")
    reads(gantt, "No span matches “ledgxyz”.")
    names_are(gantt)
    playwright.expect(gantt.locator(".x2y2 .bars .point")).to_have_count(0, timeout=PATIENCE)
    reads(gantt, "no rows")
    field.fill("")
    reads(gantt, "rows 1 to 4 of 4")


def test_gantt_keys_are_of_the_rows_after_a_click_on_one(page: Page) -> None:
    gantt = shown(page, 1)
    field = gantt.get_by_placeholder("filter by service or name")
    field.fill("bank")
    reads(gantt, "rows 1 to 3 of 3")
    field.click()
    x, y, width, height = box(gantt.locator(".x2y2 .bars .point path").nth(1))
    page.mouse.click(x + width / 2, y + height / 2)
    gantt.locator(".widget-html").last.get_by_text("charge", exact=True).wait_for(timeout=PATIENCE)
    page.keyboard.press("ArrowDown")
    gantt.locator(".widget-html").last.get_by_text("ledger", exact=True).wait_for(timeout=PATIENCE)
    playwright.expect(field).to_have_value("bank", timeout=PATIENCE)
    field.fill("")
    reads(gantt, "rows 1 to 4 of 4")


def test_gantt_fold_by_a_triangle_keeps_the_path(page: Page) -> None:
    gantt = shown(page, 1)
    path = gantt.locator(".x2y2 .trace.bars").nth(1).locator(".point path")
    before = path.count()
    x, y, width, height = box(gantt.locator(".names .fold").first)
    words = box(gantt.locator(".names .words").first)
    assert 0 <= words[0] - (x + width) < 4
    page.mouse.click(x + width / 2, y + height / 2)
    reads(gantt, "rows 1 to 1 of 1")
    reads(gantt, "(+3)")
    playwright.expect(path).to_have_count(1, timeout=PATIENCE)
    bar = box(gantt.locator(".x2y2 .bars .point path").first)
    assert box(path.first)[2] == pytest.approx(bar[2], abs=4)
    page.mouse.click(x + width / 2, y + height / 2)
    reads(gantt, "rows 1 to 4 of 4")
    page.wait_for_function("([all, n]) => all.querySelectorAll('.point').length === n", timeout=PATIENCE,
        arg=[gantt.locator(".x2y2 .trace.bars").nth(1).element_handle(), before])  # fmt: skip


def test_gantt_finds_a_trace_by_its_id(page: Page) -> None:
    gantt = shown(page, 1)
    field = gantt.locator(".tracelab-traces input")
    field.fill("nothing like it")
    gantt.get_by_text("There is no trace").wait_for(timeout=PATIENCE)
    trace_id = gantt.locator(".tracelab-title .tracelab-quiet").inner_text()
    field.fill(trace_id)
    gantt.get_by_text("There is no trace").wait_for(timeout=PATIENCE, state="detached")
    playwright.expect(field).to_have_attribute("placeholder", re.compile(trace_id), timeout=PATIENCE)


def test_gantt_shows_names_that_mean_harm_as_text(page: Page) -> None:
    gantt = shown(page, 2)
    reads(gantt, "span id")
    x, y, _, height = box(gantt.locator(".names .words").nth(1))
    page.mouse.move(x + 3, y + height / 2)
    gantt.get_by_role("tooltip").wait_for(timeout=PATIENCE)
    assert "owned" not in page.title()
    assert gantt.locator("script, img, .widget-html a, .js-plotly-plot text a, .js-plotly-plot text b").count() == 0
    assert gantt.locator(".tracelab-surface :is(a, b, img, script)").count() == 0
    names_are(gantt, "<b>bold</b>", '<a/href="javascript:alert(1)">click</a>')


def test_gantt_finds_a_trace_by_what_the_browser_makes_of_a_name_of_several_lines(page: Page) -> None:
    gantt = shown(page, 2)
    field = gantt.locator(".tracelab-traces input")
    offered = gantt.locator(".tracelab-traces option").evaluate_all("parts => parts.map(part => part.value)")
    label = next(label for label in offered if "SELECT" in label)
    assert r"SELECT *\nFROM \u202ex" in label
    field.fill(label)
    gantt.locator(".tracelab-title", has_text="db: SELECT *").wait_for(timeout=PATIENCE)
    playwright.expect(field).to_have_attribute("placeholder", label, timeout=PATIENCE)
    names_are(gantt, r"SELECT * FROM \u202ex")


def test_gantt_follows_the_theme(page: Page) -> None:
    gantt = shown(page, 1)
    color = "part => getComputedStyle(part).color + getComputedStyle(part).fill"
    parts = [gantt.locator(".names .words").nth(1), gantt.locator(".xtick text, .x2tick text").first]
    light = [part.evaluate(color) for part in parts]
    page.evaluate("document.body.dataset.jpThemeLight")
    choose(page, "Settings", "Theme")
    page.locator(".lm-Menu-item:visible", has_text="JupyterLab Dark").first.click()
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'", timeout=PATIENCE)
    page.wait_for_timeout(500)
    dark = [part.evaluate(color) for part in parts]
    assert all(before != after for before, after in zip(light, dark, strict=True))
    paper = gantt.locator(".main-svg").first.evaluate("svg => getComputedStyle(svg).backgroundColor")
    assert paper in {"rgba(0, 0, 0, 0)", "transparent"}
    plot = gantt.locator(".bglayer .bg")
    assert plot.count() == 0 or plot.first.evaluate("rect => getComputedStyle(rect).fillOpacity") == "0"


def test_gantt_scrolls_while_the_kernel_is_busy(page: Page) -> None:
    """It comes last, since the kernel answers nobody afterwards."""
    gantt = shown(page, 0)
    reads(gantt, "rows 1 to 20 of 5,000")
    page.locator(".jp-Cell").nth(3).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    page.get_by_text("Python 3 (ipykernel) | Busy").wait_for(timeout=PATIENCE)
    gantt = shown(page, 0)
    mark = gantt.locator(".x2y2 .bars .point path").nth(30)
    name = gantt.locator(".names .name").nth(30)
    before = box(mark)[1], box(name)[1]
    page.mouse.move(*middle(gantt))
    page.mouse.wheel(0, 400)
    reads(gantt, "rows 21 to 40 of 5,000")
    assert [before[0] - box(mark)[1], before[1] - box(name)[1]] == pytest.approx([400, 400], abs=1)

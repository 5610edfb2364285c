"""The audit in a real JupyterLab: clicks, keys, filters, exemplars, a clipboard, themes, names that mean harm."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60_000
MADE = """import tracelab as tl
from tests.auditing.handmade import finding, findings
shop = tl.synthetic.draw('''
web::GET /pay     ==========
  web::render     .=
  bank::charge    ..======!
    bank::ledger  ...==

web::GET /health  =
''')
pay, health = shop["trace_id"][0], shop["trace_id"][4]
made = findings(
    finding("missing-client-span", "error", "web", caller="web", callee="bank", count=3, out_of=4,
            exemplar_trace_ids=[pay, pay, health], exemplar_span_ids=[*shop["span_id"][[2, 3]], shop["span_id"][4]]),
    finding("clock-skew", "warning", "bank", finding="The clock of the bank is late."),
    *(finding("unbounded-span-names", "info", f"service-{n:03d}") for n in range(998)),
)
audit = tl.widgets.Audit(shop, findings=made)
audit"""
HOSTILE = """evil = tl.synthetic.draw('''
<script>document.title="owned"</script>::<b>bold</b>   =====  note=<img/src=x/onerror=document.title="owned">
''')
bad, text = evil["service_name"][0], '<img src=x onerror="document.title=\\'owned\\'"><b>bold</b>\\u202e'
hostile = tl.widgets.Audit(evil, findings=findings(
    finding(text, "error", bad, caller=bad, callee=text, finding=text, fix=text, explanation=text, detail=text,
            exemplar_trace_ids=evil["trace_id"].to_list(), exemplar_span_ids=evil["span_id"].to_list())))
hostile.selected_row = 0
hostile"""
ASK = "audit.selected_row, audit.exemplar, audit.selected['rule'].to_list()"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def page(open_notebook: Callable[..., Page]) -> Page:
    page = open_notebook("audit", MADE, HOSTILE, ASK)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for cell in (0, 1):
        run(page, cell)
        of(page, cell).locator(".finding").first.wait_for(timeout=PATIENCE)
    of(page, 0).locator(".list").scroll_into_view_if_needed()
    return page


def run(page: Page, cell: int) -> None:
    page.locator(".jp-Cell").nth(cell).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def of(page: Page, number: int) -> Locator:
    return page.locator(".tracelab-audit").nth(number)


def shows(page: Page, exemplar: str, span: str) -> None:
    """Wait until an exemplar is named, its span is told of below the timeline, and marked in it."""
    audit = of(page, 0)
    playwright.expect(audit.locator(".which")).to_have_text(exemplar, timeout=PATIENCE)
    audit.locator(".tracelab-gantt .widget-html").last.get_by_text(span, exact=True).wait_for(timeout=PATIENCE)
    playwright.expect(audit.locator(".tracelab-surface .selected")).to_be_visible(timeout=PATIENCE)


def test_audit_holds_only_the_rows_in_view_of_a_thousand_findings(page: Page) -> None:
    audit = of(page, 0)
    audit.locator(".tracelab-counts", has_text="1,000 findings").wait_for(timeout=PATIENCE)
    assert audit.locator(".finding").count() < 60
    assert audit.locator(".card").is_hidden()
    assert audit.locator(".tracelab-gantt").count() == 0
    audit.locator(".list").evaluate("list => { list.scrollTop = list.scrollHeight / 2; }")
    audit.locator(".finding", has_text="service-499").wait_for(timeout=PATIENCE)
    assert audit.locator(".finding").count() < 60
    audit.locator(".list").evaluate("list => { list.scrollTop = 0; }")
    audit.locator(".finding", has_text="web → bank").wait_for(timeout=PATIENCE)


def test_audit_click_shows_what_was_seen_and_the_exemplar(page: Page) -> None:
    audit = of(page, 0)
    audit.locator(".finding", has_text="web → bank").click()
    shows(page, "exemplar 1 of 3", "charge")
    card = audit.locator(".card")
    assert card.locator(".title").inner_text() == "A request came from another service without a client span"
    assert card.locator(".facts").inner_text().startswith("3 of 4 spans · 75.0 % (30.1 % to 95.4 %")
    assert audit.locator(".finding[aria-selected=true]").count() == 1


def test_audit_goes_to_the_next_exemplar_and_back_by_buttons(page: Page) -> None:
    audit = of(page, 0)
    audit.get_by_role("button", name="Next exemplar").click()
    shows(page, "exemplar 2 of 3", "ledger")
    audit.get_by_role("button", name="Next exemplar").click()
    shows(page, "exemplar 3 of 3", "GET /health")
    assert audit.get_by_role("button", name="Next exemplar").is_disabled()
    playwright.expect(audit.locator(".names .words")).to_have_text(["GET /health"], timeout=PATIENCE)
    audit.get_by_role("button", name="Previous exemplar").click()
    shows(page, "exemplar 2 of 3", "ledger")


def test_audit_copies_what_to_do(page: Page) -> None:
    audit = of(page, 0)
    copy = audit.locator("button.copy")
    copy.click()
    playwright.expect(copy).to_have_text("copied", timeout=PATIENCE)
    assert page.evaluate("navigator.clipboard.readText()") == "Mend missing-client-span of web, and look again."
    playwright.expect(copy).to_have_text("copy", timeout=PATIENCE)


def test_audit_copies_without_a_clipboard_too(page: Page) -> None:
    """As on a page that came over plain HTTP."""
    copy = of(page, 0).locator("button.copy")
    page.evaluate("""() => {
      document.addEventListener("copy", () => { window.copied = String(document.activeElement.value); }, {once: true});
      navigator.clipboard.writeText = () => Promise.reject(new Error("not here"));
    }""")
    copy.click()
    playwright.expect(copy).to_have_text("copied", timeout=PATIENCE)
    assert page.evaluate("window.copied") == "Mend missing-client-span of web, and look again."


def test_audit_goes_by_the_keys(page: Page) -> None:
    audit = of(page, 0)
    audit.locator(".list").focus()
    page.keyboard.press("ArrowRight")
    shows(page, "exemplar 3 of 3", "GET /health")
    page.keyboard.press("ArrowLeft")
    shows(page, "exemplar 2 of 3", "ledger")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    audit.locator(".card .says", has_text="The clock of the bank is late.").wait_for(timeout=PATIENCE)
    playwright.expect(audit.locator(".tracelab-gantt")).to_have_count(0, timeout=PATIENCE)
    page.keyboard.press("End")
    audit.locator(".finding.active", has_text="service-997").wait_for(timeout=PATIENCE)
    page.keyboard.press("Enter")
    audit.locator(".card .says", has_text="service-997").wait_for(timeout=PATIENCE)
    page.keyboard.press("Escape")
    audit.locator(".card").wait_for(timeout=PATIENCE, state="hidden")
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    shows(page, "exemplar 1 of 3", "charge")
    audit.get_by_role("button", name="Next exemplar").focus()
    page.keyboard.press("Enter")
    shows(page, "exemplar 2 of 3", "ledger")
    run(page, 2)
    page.get_by_text("(0, 1, ['missing-client-span'])").wait_for(timeout=PATIENCE)


def test_audit_filters_by_severity_service_and_words(page: Page) -> None:
    audit = of(page, 0)
    audit.get_by_role("button", name=re.compile("info 998")).click()
    audit.locator(".tracelab-counts", has_text="2 of 1,000 findings").wait_for(timeout=PATIENCE)
    playwright.expect(audit.locator(".finding")).to_have_count(2, timeout=PATIENCE)
    audit.get_by_placeholder("filter by any word").press_sequentially("clock bank")
    playwright.expect(audit.locator(".finding .rule")).to_have_text(["clock-skew"], timeout=PATIENCE)
    audit.locator(".tracelab-services input").fill("web")
    audit.locator(".note", has_text="No finding is like that").wait_for(timeout=PATIENCE)
    assert audit.locator(".list").is_hidden()
    audit.locator(".tracelab-services input").fill("")
    audit.get_by_placeholder("filter by any word").fill("")
    playwright.expect(audit.locator(".finding")).to_have_count(2, timeout=PATIENCE)
    assert audit.locator(".finding[aria-selected=true] .where").inner_text() == "web → bank"


def test_audit_shows_text_that_means_harm_as_text(page: Page) -> None:
    audit = of(page, 1)
    audit.locator(".names .name").first.wait_for(timeout=PATIENCE, state="attached")
    assert "owned" not in page.title()
    assert audit.locator("script, img, .tracelab-findings a, .tracelab-findings .says b").count() == 0
    harm = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>\\u202e"
    assert audit.locator(".card .says").inner_text() == harm
    assert audit.locator(".fix .words span").inner_text() == harm
    assert audit.locator(".finding .where").inner_text().startswith('<script>document.title="owned"</script> → <img')


def test_audit_fits_a_narrow_page_and_follows_the_theme(page: Page) -> None:
    audit = of(page, 0)
    colors = "part => getComputedStyle(part).color"
    parts = [audit.locator(selector).first for selector in (".finding .where", ".card .says", ".chip.error")]
    light = [part.evaluate(colors) for part in parts]
    page.locator(".lm-MenuBar-item", has_text="Settings").first.click()
    page.locator(".lm-Menu-item:visible", has_text="Theme").first.click()
    page.locator(".lm-Menu-item:visible", has_text="JupyterLab Dark").first.click()
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'", timeout=PATIENCE)
    page.wait_for_timeout(500)
    assert all(before != part.evaluate(colors) for before, part in zip(light, parts, strict=True))
    audit.evaluate("audit => { audit.style.maxWidth = '360px'; }")
    page.wait_for_timeout(500)
    assert audit.locator(".tracelab-findings").evaluate("part => part.scrollWidth <= part.clientWidth")
    assert not audit.locator(".finding .count").first.is_visible()
    assert audit.locator(".finding .share").first.is_visible()

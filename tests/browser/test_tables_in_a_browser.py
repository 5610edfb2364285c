"""Tables in a page: sorted, filtered and read with a mouse, with keys, on a phone, on paper."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tracelab.display.tables import SCRIPT, STYLE, show, shown

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    OpenPage = Callable[..., Any]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
EVIL = "<img src=x onerror=\"document.title='run'\"></script><script>document.title='run'</script>"
SEEN = "[...document.querySelectorAll('{}')].filter(part => part.offsetParent)"
ROWS = f"() => {SEEN.format('tbody tr')}.map(row => row.cells[0].innerText)"
HEADS = f"() => {SEEN.format('th')}.map(head => head.innerText.trim())"
TOO_WIDE = """() => {
  const box = document.querySelector('.tracelab-table');
  return box.scrollWidth - box.clientWidth;
}"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

TIMES = pl.DataFrame(
    {
        "took": pl.Series([1_020, 977, None, 1_021, 90_000, 3], dtype=pl.Int64).cast(pl.Duration("ms")),
        "name": ["b", EVIL, "a", "a", "c", "d"],
    }
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any) -> Iterator[OpenPage]:
    pages: list[Any] = []

    def opened(html: str, *, width: int = 1280) -> Any:
        page = chromium.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.set_content(
            f"<!DOCTYPE html><title>calm</title><style>{STYLE}</style><script>{SCRIPT}</script><body>{html}</body>"
        )
        return page

    yield opened
    for page in pages:
        page.close()


def test_a_click_sorts_by_values_and_a_third_one_brings_the_order_back(opened: OpenPage) -> None:
    page = opened(shown(TIMES, rows=9).html(interactive=True))
    before = page.evaluate(ROWS)
    head = page.locator("th").first
    head.locator("button").click()
    assert page.evaluate(ROWS) == ["3 ms", "977 ms", "1.02 s", "1.02 s", "1 m 30 s", "–"]  # noqa: RUF001
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert page.evaluate(ROWS) == ["1 m 30 s", "1.02 s", "1.02 s", "977 ms", "3 ms", "–"]  # noqa: RUF001
    assert head.get_attribute("aria-sort") == "descending"
    head.locator("button").click()
    assert page.evaluate(ROWS) == before
    assert head.get_attribute("aria-sort") is None
    assert page.title() == "calm"


def test_rows_that_are_alike_keep_their_order_and_one_heading_sorts_at_a_time(opened: OpenPage) -> None:
    page = opened(shown(TIMES, rows=9).html(interactive=True))
    page.locator("th button").nth(0).click()
    page.locator("th button").nth(1).click()
    assert page.evaluate(ROWS)[1:3] == ["–", "1.02 s"]  # noqa: RUF001 - both are named a
    assert page.locator("th[aria-sort]").count() == 1


def test_keys_do_what_a_mouse_does(opened: OpenPage) -> None:
    frame = pl.DataFrame({"n": range(10, 0, -1)})
    page = opened(shown(frame, rows=99).html(interactive=True))
    page.keyboard.press("Tab")
    page.keyboard.type("1")
    assert page.evaluate(ROWS) == ["10", "1"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(ROWS) == ["1", "10"]
    assert page.get_by_label("Filter rows").input_value() == "1"
    assert page.locator("output").inner_text() == "2 of 10"


def test_few_rows_have_no_filter_and_no_script_no_controls(opened: OpenPage) -> None:
    assert opened(shown(TIMES, rows=9).html(interactive=True)).locator("input[type=search]").count() == 0
    frame = pl.DataFrame({"n": range(20)})
    assert opened(shown(frame, rows=99).html()).locator("button, input[type=search]").count() == 0


def test_a_filter_takes_words_as_they_are(opened: OpenPage) -> None:
    frame = pl.DataFrame({"name": [EVIL, "GET /a(b", "get /c", *"123456"]})
    page = opened(shown(frame, rows=99).html(interactive=True))
    box = page.get_by_label("Filter rows")
    for text, found in (("a(b", 1), ("GET", 2), ("/c get", 1), (".*", 0), ("<img", 1), ("", 9)):
        box.fill(text)
        assert len(page.evaluate(ROWS)) == found
    assert page.title() == "calm"


def test_ten_thousand_rows_are_sorted_and_filtered_at_once(opened: OpenPage) -> None:
    rows = 10_000
    frame = pl.DataFrame(
        {
            "n": [number * 7_919 % rows for number in range(rows)],
            "took": [timedelta(microseconds=number * 7_919) for number in range(rows)],
        }
    )
    page = opened(shown(frame, rows=rows).html(interactive=True))
    took = page.evaluate("""() => {
      const start = performance.now();
      document.querySelector('th button').click();
      const box = document.querySelector('input[type=search]');
      box.value = '999';
      box.dispatchEvent(new Event('input'));
      return performance.now() - start;
    }""")
    assert page.evaluate(ROWS)[0] == "999"
    assert took < 2_000


def wide() -> pl.DataFrame:
    bounds = {
        f"{name}{end}": [timedelta(milliseconds=ms), timedelta(milliseconds=ms + 5)]
        for name, ms in (("p50", 20), ("p90", 200), ("p95", 979), ("p99", 1_480))
        for end in ("", "_lower", "_upper")
    }
    return pl.DataFrame(
        {
            "service_name": ["content-analysis", "payments"],
            "count": [12_927, 3_000],
            **bounds,
            "finding": ["a sentence of many words that says what was found, and where " * 3] * 2,
            "exemplar_trace_id": ["ab" * 16, "cd" * 16],
        }
    )


@pytest.mark.parametrize("width", [320, 390, 600, 800, 1000, 1280, 1600])
def test_a_table_fits_its_window_and_says_what_it_leaves_out(opened: OpenPage, width: int) -> None:
    page = opened(shown(wide(), rows=9).html(interactive=True), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE) <= 0
    heads = page.evaluate(HEADS)
    missing = 8 - len(heads)
    assert heads[0] == "service name"
    assert page.locator(".left-out").is_visible() == bool(missing)
    assert page.locator(".left-out code:visible").count() == missing
    assert missing == 0 or width < 1600
    if missing:
        page.get_by_label("All columns").check()
        assert len(page.evaluate(HEADS)) == 8
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not page.locator(".left-out").is_visible()


def test_columns_come_back_in_a_notebook_too(opened: OpenPage) -> None:
    page = opened(show(wide())._repr_html_(), width=390)
    assert len(page.evaluate(HEADS)) < 8
    page.get_by_label("All columns").check()
    assert len(page.evaluate(HEADS)) == 8


def test_a_table_takes_room_where_its_parent_fits_its_content(opened: OpenPage) -> None:
    page = opened(f'<div style="display: inline-block">{shown(wide(), rows=9).html()}</div>')
    assert len(page.evaluate(HEADS)) > 2


def test_all_rows_are_printed_whatever_was_filtered(opened: OpenPage) -> None:
    page = opened(shown(pl.DataFrame({"n": range(300)}), rows=999).html(interactive=True))
    page.get_by_label("Filter rows").fill("17")
    assert len(page.evaluate(ROWS)) < 300
    page.emulate_media(media="print")
    assert len(page.evaluate(ROWS)) == 300
    assert not page.locator(".filter").is_visible()
    assert page.pdf(format="A4").count(b"/Type /Page\n") > 3

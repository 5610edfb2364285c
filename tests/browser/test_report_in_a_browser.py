"""The report as a page: on a phone and on a desk, light, dark and on paper."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
PHONE, DESK = 390, 1280
LONG = "recommendation-service-of-the-northern-region"
SPANS = draw("""
web::GET /a/long/route/of/many/parts/that/goes/on/and/on    ==========
  web::render_the_page_with_all_its_many_parts_and_pieces   .=
    bank::charge_the_card_of_the_customer_who_has_ordered   ..======!
""")
OUT_OF_CARDS = """() => [...document.querySelectorAll('h1, h2, p, section')].filter(part => {
  const room = (part.closest('section') ?? document.querySelector('main')).getBoundingClientRect();
  const words = document.createRange();
  words.selectNodeContents(part);
  const right = part.matches('section') ? part.getBoundingClientRect().right : words.getBoundingClientRect().right;
  return right > room.right + 1;
}).map(part => part.textContent.slice(0, 60))"""
FIGURES = """() => [...document.querySelectorAll('.js-plotly-plot')].map(plot => {
  const whole = plot.getBoundingClientRect();
  const holder = plot.closest('.figure');
  const texts = [...plot.querySelectorAll('.gtitle, .xtick text, .ytick text, .textpoint text')];
  return {
    width: whole.width, inner: plot._fullLayout._size.w,
    scrolls: getComputedStyle(holder).overflowX, seen: holder.clientWidth, all: holder.scrollWidth,
    cut: texts.filter(text => {
      const box = text.getBoundingClientRect();
      return box.left < whole.left - 1 || box.right > whole.right + 1;
    }).map(text => text.textContent),
  };
})"""
COLORS = """() => [document.body, ...document.querySelectorAll('main section, h1, h2, p, th, td')].map(part => {
  const style = getComputedStyle(part);
  return [part.localName, style.color, style.backgroundColor];
})"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    tl.write_report(SPANS.with_columns(service_name=pl.col("service_name") + LONG), path, title="x" * 190)
    return path


def opened(
    chromium: Any, report: Path, *, width: int, scheme: Literal["light", "dark"] = "light", paper: bool = False
) -> Any:
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    if paper:
        page.emulate_media(media="print", color_scheme=scheme)
    page.goto(report.as_uri())
    page.wait_for_function(
        "() => [...document.querySelectorAll('.plotly-graph-div')].every(plot => plot.querySelector('.gtitle'))"
    )
    return page


def brightness(color: str) -> float:
    """Give the relative luminance of a colour as a browser writes it."""
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_no_page_of_a_report_scrolls_sideways_and_no_text_leaves_its_card(
    chromium: Any, report: Path, width: int
) -> None:
    page = opened(chromium, report, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OUT_OF_CARDS) == []
    page.close()


def test_figures_of_a_report_stay_readable_on_a_phone_and_scroll(chromium: Any, report: Path) -> None:
    page = opened(chromium, report, width=PHONE)
    figures = page.evaluate(FIGURES)
    assert len(figures) == 3
    for figure in figures:
        assert figure["width"] == figure["all"] == 700
        assert figure["seen"] < PHONE
        assert figure["scrolls"] == "auto"
        assert figure["inner"] > 250
        assert figure["cut"] == []
    page.close()


def test_what_a_report_says_of_the_rows_of_a_table_is_not_dimmed_twice(chromium: Any, report: Path) -> None:
    page = opened(chromium, report, width=DESK)
    color = "part => getComputedStyle(part).color"
    note, cell = (page.locator(f".tracelab-table {part}").first.evaluate(color) for part in ("p", "td"))
    assert note == cell
    page.close()


def test_figures_of_a_report_take_the_room_that_a_desk_gives(chromium: Any, report: Path) -> None:
    page = opened(chromium, report, width=DESK)
    for figure in page.evaluate(FIGURES):
        assert figure["width"] == figure["all"] == figure["seen"] > 1000
    page.close()


@pytest.mark.parametrize(("scheme", "paper", "dark"), [
    ("light", False, False), ("dark", False, True), ("dark", True, False),
])  # fmt: skip
def test_a_report_follows_the_scheme_of_the_reader_and_is_light_on_paper(
    chromium: Any, report: Path, scheme: Literal["light", "dark"], paper: bool, dark: bool
) -> None:
    page = opened(chromium, report, width=DESK, scheme=scheme, paper=paper)
    parts = page.evaluate(COLORS)
    grounds = [brightness(ground) for part, _, ground in parts if part in {"body", "section"}]
    inks = [brightness(color) for part, color, _ in parts if part not in {"body", "section"}]
    assert {part for part, _, _ in parts} >= {"body", "section", "h1", "h2", "p", "th", "td"}
    brighter, darker = (min(inks), max(grounds)) if dark else (min(grounds), max(inks))
    assert (brighter + 0.05) / (darker + 0.05) > 4.5
    page.close()

"""The report as a page: on a phone and on a desk, light, dark and on paper."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import pytest

import tracelab as tl
from tests.reporting.page.drawn import SHOP
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
EVIL = "</script><img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
OUT_OF_CARDS = """() => [...document.querySelectorAll('h1, h2, h3, p, li, section')].filter(part => {
  const room = (part.closest('section, nav ul') ?? document.querySelector('main')).getBoundingClientRect();
  const words = document.createRange();
  words.selectNodeContents(part);
  const right = part.matches('section') ? part.getBoundingClientRect().right : words.getBoundingClientRect().right;
  return right > room.right + 1 && !part.closest('nav, .drawing');
}).map(part => part.textContent.slice(0, 60))"""
FIGURES = """() => [
  ...document.querySelectorAll('.js-plotly-plot'),
].filter(plot => !plot.closest('details:not([open])')).map(plot => {
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
COLORS = """() => [
  document.body, ...document.querySelectorAll('main section, h1, h2, p, th, td, li a'),
].map(part => {
  const style = getComputedStyle(part);
  return [part.localName, style.color, style.backgroundColor];
})"""
UNFOLDED = "[...document.querySelectorAll('.figure')].filter(each => !each.closest('details:not([open])'))"
DRAWN = "document.querySelectorAll('.drawing.js-plotly-plot').length"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report of names that are too long for most places."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    tl.write_report(SPANS.with_columns(service_name=pl.col("service_name") + LONG), path, title="x" * 190)
    return path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report of many requests beside a baseline."""
    path = tmp_path_factory.mktemp("report") / "shop.html"
    tl.write_report(SHOP, path, baseline=SHOP)
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report in which every name would like to run."""
    path = tmp_path_factory.mktemp("report") / "hostile.html"
    names = ("name", "service_name", "status_message", "trace_id")
    tl.write_report(SHOP.with_columns(pl.concat_str(pl.lit(EVIL), name).alias(name) for name in names), path)
    return path


def opened(
    chromium: Any, report: Path, *, width: int, scheme: Literal["light", "dark"] = "light", paper: bool = False
) -> Any:
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    if paper:
        page.emulate_media(media="print", color_scheme=scheme)
    page.goto(report.as_uri())
    return page


def seen_through(page: Any) -> None:
    """Turn the page from its beginning to its end, so that every figure has been in view."""
    page.evaluate("""async () => {
      for (const figure of document.querySelectorAll('.figure')) {
        figure.scrollIntoView();
        await new Promise(resolve => setTimeout(resolve, 30));
      }
      scrollTo(0, 0);
    }""")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.drawing')].every(plot => plot.closest('details:not([open])') || "
        "plot.querySelector('.gtitle'))"
    )


def brightness(color: str) -> float:
    """Give the relative luminance of a colour as a browser writes it."""
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("which", ["report", "shop", "hostile"])
def test_no_page_of_a_report_scrolls_sideways_and_no_text_leaves_its_card(
    chromium: Any, which: str, width: int, request: pytest.FixtureRequest
) -> None:
    page = opened(chromium, request.getfixturevalue(which), width=width)
    seen_through(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OUT_OF_CARDS) == []
    page.close()


@pytest.mark.parametrize("which", ["shop", "hostile"])
def test_a_report_asks_nobody_and_complains_of_nothing_and_runs_no_name(
    chromium: Any, which: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(which)
    page = chromium.new_page(viewport={"width": DESK, "height": 800})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    for folded in page.locator("summary").all():
        folded.click()
    seen_through(page)
    assert page.evaluate(DRAWN) == page.locator(".figure").count() > 4
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert page.title() != "run"
    page.close()


def test_figures_are_drawn_when_they_come_into_view(chromium: Any, shop: Path) -> None:
    page = opened(chromium, shop, width=DESK)
    page.wait_for_timeout(300)
    assert page.evaluate(DRAWN) < page.locator(".figure").count() / 2
    seen_through(page)
    folded = page.locator("details:not([open]) .figure").count()
    assert page.evaluate(DRAWN) == page.locator(".figure").count() - folded
    page.close()


def test_links_lead_to_timelines_also_to_folded_ones(chromium: Any, shop: Path) -> None:
    page = opened(chromium, shop, width=DESK)
    page.locator("#findings a", has_text="A trace").first.click()
    page.wait_for_function("() => document.querySelector(':target .gtitle')")
    folded = page.locator("details.other").first.get_attribute("id")
    page.evaluate("id => { location.hash = id; }", folded)
    page.wait_for_function("() => document.querySelector('details.other[open] .gtitle')")
    place = page.locator("details.other[open]").bounding_box()
    assert 0 < place["y"] < 800
    page.close()


def test_tables_of_a_report_are_sorted_and_filtered(chromium: Any, shop: Path) -> None:
    page = opened(chromium, shop, width=DESK)
    routes = "[...document.querySelectorAll('#requests tbody tr:not([hidden])')].map(row => row.cells[0].innerText)"
    assert page.evaluate(routes) == ["POST /pay", "charge", "GET /list"]
    header = page.locator("#requests th button", has_text="p50")
    header.click()
    ascending = page.evaluate(routes)
    header.click()
    assert page.evaluate(routes) == ascending[::-1]
    page.close()


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_list_of_contents_stays_in_view_and_can_be_reached(chromium: Any, shop: Path, width: int) -> None:
    page = opened(chromium, shop, width=width)
    last = page.locator("nav a").last
    last.scroll_into_view_if_needed()
    last.click()
    page.wait_for_timeout(200)
    assert page.locator("nav").bounding_box()["y"] == 0
    assert page.evaluate("document.documentElement.scrollWidth") == width
    heading = page.locator("#traces h2").bounding_box()
    assert page.locator("nav").bounding_box()["height"] <= heading["y"] < 800
    page.close()


def test_figures_of_a_report_stay_readable_on_a_phone_and_scroll(chromium: Any, report: Path) -> None:
    page = opened(chromium, report, width=PHONE)
    seen_through(page)
    figures = page.evaluate(FIGURES)
    assert len(figures) >= 2
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
    seen_through(page)
    for figure in page.evaluate(FIGURES):
        assert figure["width"] == figure["all"] == figure["seen"] > 1000
    page.close()


def test_on_paper_all_is_drawn_and_unfolded_and_then_it_is_as_it_was(chromium: Any, shop: Path) -> None:
    page = opened(chromium, shop, width=DESK)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.wait_for_timeout(300)
    shown = page.evaluate(f"{UNFOLDED}.length")
    assert page.evaluate(DRAWN) == shown > 3
    assert page.locator("details.more:not([open])").count() == 0
    widths = page.evaluate(FIGURES)
    assert {round(figure["width"] / figure["all"]) for figure in widths} == {1}
    assert all(figure["cut"] == [] for figure in widths)
    hidden = "[...document.querySelectorAll('tbody tr')].filter(row => getComputedStyle(row).display === 'none').length"
    assert page.evaluate(hidden) == 0
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.wait_for_timeout(300)
    for figure in page.evaluate(FIGURES):
        assert figure["width"] == figure["seen"]
    page.close()


def test_a_report_makes_a_document_of_several_sheets(chromium: Any, shop: Path) -> None:
    page = opened(chromium, shop, width=DESK)
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page/") + paper.count(b"/Type /Page ") >= 3
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
    assert {part for part, _, _ in parts} >= {"body", "section", "h1", "h2", "p", "th", "td", "a"}
    brighter, darker = (min(inks), max(grounds)) if dark else (min(grounds), max(inks))
    assert (brighter + 0.05) / (darker + 0.05) > 4.5
    page.close()

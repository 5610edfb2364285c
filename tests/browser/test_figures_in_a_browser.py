"""Every figure in a real browser: what plotly complains about, and whether texts stand on one another."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from plotly.offline import get_plotlyjs

import tracelab as tl
from tests.figures.every import FIGURES
from tracelab.synthetic import draw, generate

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import ConsoleMessage, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>$x$</b>"
NEW = """async ([figure, width]) => {
  document.body.innerHTML = "<div id='figure'></div>";
  const place = document.getElementById("figure");
  const {data, layout} = JSON.parse(figure);
  place.style.width = (layout.width ?? width) + "px";
  place.style.height = layout.height + "px";
  await Plotly.newPlot(place, data, {...layout, width: layout.width ?? width}, {displayModeBar: false});
}"""
TEXTS = """() => {
  const place = document.getElementById("figure");
  const whole = place.getBoundingClientRect();
  const kinds = {title: ".gtitle", legend: ".legend .legendtext", axis: ".xtitle, .ytitle",
                 tick: ".xtick text, .ytick text"};
  return Object.entries(kinds).flatMap(([kind, selector]) => [...place.querySelectorAll(selector)].map(text => {
    const box = text.getBoundingClientRect();
    return {kind, text: text.textContent, left: box.left - whole.left, right: box.right - whole.left,
            top: box.top - whole.top, bottom: box.bottom - whole.top, width: whole.width, height: whole.height};
  }));
}"""

LABELS = """() => {
  const boxes = selector => [...document.querySelectorAll(selector)].map(part => {
    const {left, right, top, bottom} = part.getBoundingClientRect();
    return {text: part.textContent, left, right, top, bottom};
  });
  return {labels: boxes("#figure .textpoint text").filter(label => label.text),
          marks: boxes("#figure .scatterlayer .point")};
}"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore::tracelab.SkewWarning"),  # of the shop, which has a clock that is behind
]


class Browser:
    """One page, on which figures are drawn one after the other."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.set_content("<html><head><title>quiet</title></head><body style='margin: 0'></body></html>")
        page.add_script_tag(content=get_plotlyjs())

    def _heard(self, message: ConsoleMessage) -> None:
        # Plotly writes its warnings with console.trace, whose type is its own.
        if message.type in {"warning", "error", "trace"} or "WARN" in message.text:
            self.complaints.append(message.text)

    def draw(self, figure: Any, *, width: int = 700) -> list[dict[str, Any]]:
        self.complaints.clear()
        self.page.evaluate(NEW, [figure.to_json(), width])
        return list(self.page.evaluate(TEXTS))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield Browser(chromium.new_page(viewport={"width": 1200, "height": 900}))
        chromium.close()


@pytest.fixture(scope="module")
def frames(sample_data: Path) -> dict[str, pl.DataFrame]:
    content = tl.read(sample_data / "content.otlp.jsonl.gz")
    many = generate(1_500, spans_per_trace=40)
    numbers = (many["span_id"].hash(3) % 60).cast(pl.String)
    return {
        "shop": tl.read(sample_data / "shop.otlp.jsonl.gz"),
        "content": content,
        "one span": draw("api::GET ====="),
        "no time": content.with_columns(duration=pl.lit(0, dtype=pl.Int64).cast(pl.Duration("ns"))),
        "long names": content.with_columns(pl.col("service_name", "name") + "-of-the-shop" * 25),
        "hostile names": content.with_columns(pl.col("service_name", "name") + HOSTILE),
        "60 services": many.with_columns(service_name=pl.lit("service-") + numbers),
    }


FRAMES = ("shop", "content", "one span", "no time", "long names", "hostile names", "60 services")
OURS = [name for name in FIGURES if name != "gantt"]


def overlapping(first: dict[str, Any], second: dict[str, Any]) -> bool:
    across = min(first["right"], second["right"]) - max(first["left"], second["left"])
    down = min(first["bottom"], second["bottom"]) - max(first["top"], second["top"])
    return bool(across > 1 and down > 3)


@pytest.mark.parametrize("frame", FRAMES)
def test_plotly_has_nothing_to_complain_about(browser: Browser, frames: dict[str, pl.DataFrame], frame: str) -> None:
    heard = {}
    for name, figure in FIGURES.items():
        browser.draw(figure(frames[frame]))
        if browser.complaints:
            heard[name] = list(browser.complaints)
    assert heard == {}
    assert browser.page.title() == "quiet"


@pytest.mark.parametrize("width", [700, 1100])
@pytest.mark.parametrize("frame", FRAMES)
def test_no_text_is_cut_or_stands_on_another(
    browser: Browser, frames: dict[str, pl.DataFrame], frame: str, width: int
) -> None:
    wrong = {}
    for name in OURS:
        texts = browser.draw(FIGURES[name](frames[frame]), width=width)
        assert any(text["kind"] == "title" for text in texts)
        cut = [
            text["text"]
            for text in texts
            if text["left"] < -2 or text["right"] > text["width"] + 2 or text["top"] < -2
            or text["bottom"] > text["height"] + 2
        ]  # fmt: skip
        # A legend with more lines than half a figure is high scrolls: what is not in view is neither cut nor drawn.
        seen = [text for text in texts if text["kind"] != "legend" or text["bottom"] < text["height"]]
        crossed = [
            (one["text"], other["text"])
            for place, one in enumerate(seen)
            for other in seen[place + 1 :]
            if overlapping(one, other)
        ]
        if cut or crossed:
            wrong[name] = {"cut": cut, "crossed": crossed[:5]}
    assert wrong == {}, str(wrong)[:3000]


def test_plotly_complains_about_a_list_where_one_color_goes(browser: Browser) -> None:
    """Show that the tests above would hear it."""
    figure = tl.plot_error_rates(draw("api::GET =====!"))
    figure.data[0].marker.color = [figure.data[0].marker.color]
    figure.data[0].marker.pattern = {"shape": "/", "fillmode": "overlay"}
    browser.draw(figure)
    assert any("Invalid color specifier" in complaint for complaint in browser.complaints)


@pytest.mark.parametrize("width", [700, 1100])
def test_numbers_of_policies_cover_neither_points_nor_each_other(
    browser: Browser, frames: dict[str, pl.DataFrame], width: int
) -> None:
    half, production = tl.sampling.TraceIdRatioBased(0.5), tl.sampling.presets.production()
    close = {str(ratio): tl.sampling.presets.production(ratio=ratio) for ratio in (0.08, 0.09, 0.1, 0.11, 0.13)}
    browser.draw(
        tl.plot_sampling_report(frames["shop"], {"half": half, "same": half, "p": production, **close}), width=width
    )
    drawn = browser.page.evaluate(LABELS)
    labels, marks = drawn["labels"], drawn["marks"]
    assert len(labels) >= 10
    assert [
        (one, other) for place, one in enumerate(labels) for other in labels[:place] if overlapping(one, other)
    ] == []
    assert [(label, mark) for label in labels for mark in marks if overlapping(label, mark)] == []

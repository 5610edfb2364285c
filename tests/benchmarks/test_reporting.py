"""How large a report of a million spans is, how long it takes to write, and how long a browser to open.

    pytest tests/benchmarks/test_reporting.py -o addopts= -s

Run it on a calm machine.
"""

from __future__ import annotations

import shutil
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import pytest

import tracelab as tl
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

MILLION: Final = 1_000_000
LARGEST: Final = 8_000_000
"""Bytes of a report, of which plotly itself takes 4.8 million."""

LONGEST: Final = 2.0
"""Seconds of script until a report stands."""

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    spans = generate(MILLION, seed=1)
    begin = perf_counter()
    tl.write_report(spans, path)
    print(f"{perf_counter() - begin:.1f} s, {path.stat().st_size / 1e6:.1f} MB")  # noqa: T201
    return path


def test_a_report_of_a_million_spans_is_small(page: Path) -> None:
    assert page.stat().st_size < LARGEST


def test_a_trace_of_many_spans_adds_little_to_a_report(tmp_path: Path) -> None:
    sizes = []
    for count in (100, 100_000):
        spans: pl.DataFrame = generate(count, seed=1, spans_per_trace=count)
        tl.write_report(spans, tmp_path / "report.html")
        sizes.append((tmp_path / "report.html").stat().st_size)
    assert sizes[1] < sizes[0] + 500_000


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_a_report_of_a_million_spans_opens_fast(page: Path) -> None:
    playwright: Any = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        session = opened.context.new_cdp_session(opened)
        session.send("Performance.enable")
        opened.goto(page.as_uri())
        opened.wait_for_timeout(2_000)
        measured = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        browser.close()
    print(f"{measured['ScriptDuration']:.2f} s of script")  # noqa: T201
    assert measured["ScriptDuration"] < LONGEST

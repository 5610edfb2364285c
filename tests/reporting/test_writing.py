from __future__ import annotations

import re
import warnings
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.reporting.page.drawn import SHOP
from tracelab.errors import SourceError
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

SPANS = draw("""
web::GET /   =====  kind=server
  db::SELECT .==!
""")
SKEWED = draw("\n\n".join(["web::GET .....=====  kind=client\n  db::query =====      kind=server"] * 3))


def written(spans: Any, folder: Path, **options: Any) -> str:
    page = folder / "report.html"
    tl.write_report(spans, page, **options)
    return page.read_text(encoding="utf-8")


def body(text: str) -> str:
    """Give what stands before plotly's own script."""
    return text[text.index("<body>") : text.index("<noscript>")]


def test_a_report_is_one_file_that_needs_no_network(tmp_path: Path) -> None:
    text = written(SPANS, tmp_path)
    assert "<script src" not in text
    assert "connect-src" not in text
    assert "default-src 'none'" in text
    assert not re.search(r'(?:src|href)="(?!#|data:,")', text[: text.index("<noscript>")])


def test_a_report_begins_with_findings_and_has_its_sections_in_order(tmp_path: Path) -> None:
    text = body(written(SHOP, tmp_path))
    anchors = re.findall(r'<section id="([a-z]+)"', text)
    wanted = [
        *(
            "findings",
            "changes",
            "requests",
            "answers",
            "origins",
            "time",
            "repetition",
            "gaps",
            "context",
            "clocks",
            "map",
        ),
        *("timelines", "traces"),
    ]
    assert anchors == wanted
    assert re.findall(r"<nav.*?</nav>", text)[0].count("<li>") == len(wanted) - 1  # clocks stand below context
    assert text.index("were answered 502") < text.index("<table>")


def test_every_link_within_a_report_leads_to_a_place_of_it(tmp_path: Path) -> None:
    text = body(written(SHOP, tmp_path))
    places = re.findall(r' id="([^"]+)"', text)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(places)
    assert any(place.startswith("trace-") for place in places)


def test_with_an_address_ids_lead_to_the_pages_of_a_server(tmp_path: Path) -> None:
    text = body(written(SHOP, tmp_path, trace_url="https://jaeger.example/trace/{trace_id}?x='a\"b"))
    trace_id = SHOP["trace_id"][0]
    assert f'https://jaeger.example/trace/{trace_id}?x=\'a&quot;b" target="_blank" rel="noopener noreferrer"' in text


@pytest.mark.parametrize(
    "url", ["ftp://x/{trace_id}", "javascript:alert({trace_id})", "http://x/", "//x/{trace_id}", "http:///{trace_id}",
            "", 5, "http://{trace_id}/x", "http://x/ {trace_id}", "http://x/\n{trace_id}", "http://[x/{trace_id}"],
)  # fmt: skip
def test_an_address_without_a_place_for_ids_or_of_no_server_is_refused(url: Any, tmp_path: Path) -> None:
    with pytest.raises(tl.TracelabError, match=r"`trace_url` must .*\{trace_id\}"):
        tl.write_report(SPANS, tmp_path / "report.html", trace_url=url)
    assert not list(tmp_path.iterdir())


class Scripts(HTMLParser):
    """What a browser would run, and what handlers it would set."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.handlers: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        self.scripts += tag == "script" and given.get("type") != "application/json"
        self.handlers += [name for name in given if name.startswith("on")]


def test_hostile_names_stay_text_everywhere(tmp_path: Path) -> None:
    evil = '</script></title><script>alert(1)</script><img src=x onerror=alert(1)>" onload="x\' $\\(x\\)$'
    names = ("name", "service_name", "status_message", "trace_id", "scope_name")
    hostile = SHOP.with_columns(pl.concat_str(pl.lit(evil), name).alias(name) for name in names)
    text = written(hostile, tmp_path, title=evil, notes=evil, baseline=hostile)
    found = Scripts()
    found.feed(text)
    assert found.scripts == 3  # plotly, tables, the page
    assert found.handlers == []
    assert "img" not in found.tags


def test_what_acts_on_text_is_shown_as_an_escape(tmp_path: Path) -> None:
    evil = "GET\x1b[31m\u202e\u2066\x00\x9b\u200b</title>"
    names = ("name", "service_name", "status_message")
    text = written(SPANS.with_columns(pl.lit(evil).alias(name) for name in names), tmp_path, title=evil)
    assert not {"\u202e", "\u2066", "\x00", "\x9b", "\u200b"} & set(text)  # plotly's own script holds others
    assert "GET\x1b" not in text
    assert "GET\\x1b[31m\\u202e" in text


def test_a_report_refuses_no_spans_and_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(tl.TracelabError, match="no spans to report on"):
        tl.write_report(SPANS.clear(), tmp_path / "report.html")
    with pytest.raises(tl.TracelabError, match="The baseline holds no spans"):
        tl.write_report(SPANS, tmp_path / "report.html", baseline=SPANS.clear())
    with pytest.raises(tl.SourceError, match="there is no folder"):
        tl.write_report(SPANS, tmp_path / "no" / "such" / "folder.html")
    assert not list(tmp_path.iterdir())


def test_a_report_that_fails_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "report.html"
    page.write_text("before")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(tl.SourceError, match="cannot be written: No space left"):
        tl.write_report(SPANS, page)
    assert page.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize("path", [None, 5, [], b"x.html", ""])
def test_a_report_wants_a_path(path: Any) -> None:
    with pytest.raises(SourceError, match="`path` must be the path of a file or folder, got"):
        tl.write_report(SPANS, path)


@pytest.mark.parametrize(
    "option", [{"title": 5}, {"notes": 5}, {"notes": [5]}, {"progress": "yes"}, {"by": "no_such"}, {"by": 7}]
)
def test_an_option_that_is_none_is_refused_before_any_work(option: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(tl.TracelabError, match=f"`{next(iter(option))}`"):
        tl.write_report(SPANS, tmp_path / "report.html", **option)
    assert not list(tmp_path.iterdir())


def test_a_warning_is_said_once_and_points_at_who_asked(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tl.write_report(SKEWED, tmp_path / "report.html")
    assert [(each.category, each.filename) for each in caught] == [(tl.SkewWarning, __file__)]


def test_a_report_says_what_it_rests_on(tmp_path: Path) -> None:
    text = body(written(SPANS, tmp_path, title="The <shop>", notes=["3 lines were skipped.", "So it is."]))
    assert "<h1>The &lt;shop&gt;</h1>" in text
    for told in (
        "2 spans in 1 trace of 2 services",
        "No span is known to be missing.",
        "3 lines were skipped.",
        "So it is.",
    ):
        assert f"{told}" in text


def test_the_same_spans_make_the_same_page(tmp_path: Path) -> None:
    first = written(SHOP, tmp_path)
    assert written(SHOP.sample(fraction=1, shuffle=True, seed=3), tmp_path) == first


def test_a_baseline_is_laid_beside(tmp_path: Path) -> None:
    slow = SHOP.with_columns(duration=pl.col("duration") * 3)
    text = body(written(slow, tmp_path, baseline=SHOP))
    assert 'id="baseline"' in text
    assert "Beside a baseline of" in text
    assert "slower" in text


@pytest.mark.parametrize(
    "by", [None, "name", ["service_name"], pl.col("service_name").alias("team"), "http.response.status_code"]
)
def test_requests_are_told_apart_by_what_one_wants(by: Any, tmp_path: Path) -> None:
    assert 'id="requests"' in written(SHOP, tmp_path, by=by, baseline=SHOP)


def test_spans_without_requests_make_a_page_too(tmp_path: Path) -> None:
    text = body(written(draw("job =  kind=consumer"), tmp_path))
    for told in ("No request came from outside.", "Nothing failed.", "There are no long gaps."):
        assert told in text

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.errors import SourceError
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

SPANS = draw("""
web::GET /   =====
  db::SELECT .==!
""")


def test_write_report_writes_one_file_that_needs_no_network(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    tl.write_report(SPANS, page)
    text = page.read_text(encoding="utf-8")
    assert "Latency percentiles by service" in text
    assert SPANS["trace_id"][0] in text
    assert "<link" not in text
    assert "<script src" not in text


def test_write_report_shows_hostile_names_as_text(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    evil = "</script><script>alert(1)</script>"
    tl.write_report(
        SPANS.with_columns(pl.lit(evil).alias("name"), pl.lit(evil).alias("service_name")), page, title=evil
    )
    assert "<script>alert" not in page.read_text(encoding="utf-8")


def test_write_report_refuses_no_spans_and_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(tl.TracelabError, match="no spans"):
        tl.write_report(SPANS.clear(), tmp_path / "report.html")
    with pytest.raises(tl.SourceError, match="there is no folder"):
        tl.write_report(SPANS, tmp_path / "no" / "such" / "folder.html")


def test_write_report_shows_controls_as_escapes(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    evil = "GET\x1b[31m\u202e\u2066\x00\x9b\u200b</title>"
    names = ("name", "service_name", "status_message")
    tl.write_report(SPANS.with_columns(pl.lit(evil).alias(name) for name in names), page, title=evil)
    text = page.read_text(encoding="utf-8")
    assert not {"\u202e", "\u2066", "\x00", "\x9b", "\u200b"} & set(text)  # plotly's own script holds others
    assert "GET\x1b" not in text
    assert "GET\\x1b[31m\\u202e" in text


def test_write_report_says_durations_and_shares_in_words(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    tl.write_report(SPANS, page)
    text = page.read_text(encoding="utf-8")
    assert '<td class="number">5 ms</td>' in text
    assert '<td class="number">100 %</td>' in text
    assert "2 spans in 1 trace of 2 services" in text


def test_a_report_that_fails_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "report.html"
    page.write_text("before")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(tl.SourceError, match="No space left"):
        tl.write_report(SPANS, page)
    assert page.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize("path", [None, 5, [], b"x.html", ""])
def test_write_report_wants_a_path(path: Any) -> None:
    with pytest.raises(SourceError, match="`path` must be the path of a file or folder, got"):
        tl.write_report(SPANS, path)

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tracelab as tl
from tests.reporting.page.drawn import SHOP
from tracelab.reporting.page import timelines
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MANY = draw("\n\n".join(f"web::GET /{n} {'=' * (n + 5)} kind=server" for n in range(60)))


def test_every_trace_that_the_page_names_leads_to_its_timeline(tmp_path: Path) -> None:
    for spans in (SHOP, MANY):
        tl.write_report(spans, tmp_path / "report.html")
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert re.search(r'<td class="id[^"]*"[^>]*><a href="#trace-', text)
        assert not re.search(r'<td class="id[^"]*"[^>]*>(?!<a )', text)
        assert text.count('<details class="other"') == text.count("<summary>Trace ")


def test_timelines_end_where_there_is_no_more_room_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timelines, "_ROOM", 30_000)
    tl.write_report(MANY, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    drawn = text.count('<details class="other"')
    assert 0 < drawn < 60
    assert f"For {60 - drawn} more there is no room" in text
    assert re.search(r'<td class="id[^"]*"[^>]*>[0-9a-f]{32}</td>', text)

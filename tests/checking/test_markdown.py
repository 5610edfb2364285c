from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from tests.checking.made import ALL, EVIL, checked
from tracelab.checking.markdown import MARK, as_markdown, escaped
from tracelab.checking.wording import linking
from tracelab.markup import visible


class Page(HTMLParser):
    """What a parser of Markdown made of it: the tags, the links, and the text of each cell."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.cells: list[str] = []
        self.open = False
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag in ("td", "th"):
            self.cells.append("")
            self.open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.open = False

    def handle_data(self, data: str) -> None:
        if self.open:
            self.cells[-1] += data


def written(url: str | None = None) -> str:
    return as_markdown(ALL, name=f"after {EVIL}", link=linking(url))


def test_the_worst_stand_first() -> None:
    page = Page(written())
    rows = [page.cells[place : place + 4] for place in range(0, len(page.cells), 4)]
    assert [row[0].split(" ", 1)[1] for row in rows[1:]] == [
        "fails",
        "fails",
        "fails (warning)",
        "not tested",
        "cannot tell",
        "cannot tell",
        "holds",
    ]
    assert rows[1][1:] == ["slow" + "no_errors", "p95 9 s", "a" * 32]
    assert written().startswith(
        f"{MARK}\n### tracelab check: 3 rules fail, 1 is not tested, 2 cannot be judged, 1 holds\n"
    )


def test_hostile_names_stay_text() -> None:
    page = Page(written())
    assert set(page.tags) <= {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}
    assert page.links == []
    assert len(page.cells) % 4 == 0
    assert visible(EVIL) in [*page.cells]
    assert "@somebody" not in re.sub(r"<!--.*?-->", "|", written())


def test_traces_are_links_to_where_they_are_shown() -> None:
    page = Page(written("https://jaeger.example/trace/{trace_id}?x=1"))
    assert page.links[0] == f"https://jaeger.example/trace/{'a' * 32}?x=1"
    assert all(link.startswith("https://jaeger.example/trace/") for link in page.links)
    assert {"a"} == set(page.tags) - {"h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}


@pytest.mark.parametrize("text", ["POST /orders_by_day", "a.b-c(d)", "p95 < 3", "x__y", "_x_", "~~a~~", "a|b", "\\|"])
def test_texts_show_as_they_are(text: str) -> None:
    page = Page(f"| a |\n| --- |\n| {escaped(text)} |\n")
    assert page.cells[1] == text
    assert "em" not in page.tags


def test_no_rules_make_an_empty_table() -> None:
    assert "no rules" in as_markdown(checked(), name="x", link=linking(None))

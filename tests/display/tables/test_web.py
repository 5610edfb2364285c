from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracelab as tl
from tracelab.display.tables import SCRIPT, STYLE, shown

EVIL = "</td></script><img src=x onerror=alert(1)>\x1b[31m\u202e$x$\"'`&quot;"
TAGS = {
    "div", "table", "thead", "tbody", "tr", "th", "td", "p", "wbr", "small", "code", "b", "label", "input", "a", "svg",
    "polyline",
}  # fmt: skip
ATTRIBUTES = {
    "class", "scope", "title", "type", "href", "target", "rel", "role", "aria-label", "viewbox", "width", "height",
    "points", "data-interactive", "data-sort", "data-place",
}  # fmt: skip


class Page(HTMLParser):
    """What a browser would make of HTML: which tags there are, which attributes, which text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def places(series: pl.Series) -> list[str | None]:
    cells = re.findall(r"<td[^>]*>", shown(series.to_frame("x"), rows=99).html(interactive=True))
    found = [re.search(r'data-place="(\d+)"', cell) for cell in cells]
    return [match and match.group(1) for match in found]


@given(st.text(), st.text(min_size=1), st.text())
def test_nothing_of_a_frame_is_more_than_text(text: str, name: str, address: str) -> None:
    frame = pl.DataFrame({name: [text], "list": [[text]]})
    page = Page(shown(frame, rows=1, links={name: lambda _: address}).html(interactive=True))
    assert page.tags <= TAGS
    assert set(page.attributes) <= ATTRIBUTES


def test_hostile_text_stays_text_everywhere() -> None:
    frame = pl.DataFrame(
        {
            EVIL: [EVIL],
            "link": [EVIL],
            "links": [[EVIL, None]],
            "trend": pl.Series([[1.0]]),
            "enum": pl.Series([EVIL], dtype=pl.Enum([EVIL])),
            "struct": [{EVIL: EVIL}],
        }
    )
    links = {name: lambda value: f'#"><img onload=alert(1)>{value}' for name in ("link", "links")}
    good = {name: lambda _: "https://x/?a='\"><img>" for name in ("link", "links")}
    for each in (links, good):
        page = Page(shown(frame, rows=1, links=each, trends=["trend"]).html(interactive=True))
        assert page.tags <= TAGS
        assert set(page.attributes) <= ATTRIBUTES
        assert page.text.count("<img src=x onerror=alert(1)>") >= 5
        assert not {"\x1b", "\u202e"} & set(page.text)


@pytest.mark.parametrize("address", ["http://jaeger/trace/1", "HTTPS://jaeger/?a=1&b='2'", "#trace-1"])
def test_links_lead_to_pages_and_places(address: str) -> None:
    page = Page(shown(pl.DataFrame({"trace_id": ["1"]}), rows=1, links={"trace_id": lambda _: address}).html())
    assert page.attributes["href"] == [address]
    assert page.attributes.get("rel") == (None if address[0] == "#" else ["noopener noreferrer"])


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "//evil", "file:///x",
     "/path", "", "#", "http://a b", "\x01http://x", "vbscript:x", None, 5],
)  # fmt: skip
def test_what_leads_elsewhere_stays_text(address: Any) -> None:
    page = Page(shown(pl.DataFrame({"trace_id": ["1"]}), rows=1, links={"trace_id": lambda _: address}).html())
    assert "a" not in page.tags
    assert "1 row" in page.text


def test_every_value_of_a_list_is_a_link() -> None:
    frame = pl.DataFrame({"exemplars": [["a", "b", "c", "d", "e"], None, []]})
    html = shown(frame, rows=9, links={"exemplars": lambda value: f"#{value}"}).html()
    assert Page(html).attributes["href"] == ["#a", "#b", "#c", "#d", "#e"]


def test_rows_sort_by_values_and_not_by_words() -> None:
    took = pl.Series([timedelta(seconds=1.02), timedelta(milliseconds=977), None, timedelta(seconds=1.0201)])
    assert places(took) == ["2", "1", None, "3"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pl.Series([1.0, None, float("nan"), float("inf"), -1.0]), ["2", None, None, "3", "1"]),
        (pl.Series([2**63, 2**63 - 1], dtype=pl.UInt64), ["2", "1"]),
        (pl.Series([Decimal("10.5"), Decimal("9.75")]), ["2", "1"]),
        (pl.Series(["b", "a"], dtype=pl.Enum(["b", "a"])), ["1", "2"]),
        (pl.Series(["b", "A", "c"], dtype=pl.Categorical), ["2", "1", "3"]),
        (pl.Series(["b", "A", None]), ["2", "1", None]),
        (pl.Series([time(2), time(1)]), ["2", "1"]),
        (pl.Series([date(2026, 1, 1), date(2025, 1, 1)]), ["2", "1"]),
        (pl.Series([datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]), ["2", "1"]),
        (pl.Series([2, 1]).cast(pl.Duration("ms")), ["2", "1"]),
        (pl.Series([True, None, False]), ["2", None, "1"]),
        (pl.Series([None, None]), [None, None]),
        (pl.Series([["b"], ["a"], None]), ["2", "1", None]),
        (pl.Series([b"aa", b"b"]), ["2", "1"]),
    ],
)
def test_values_of_any_dtype_have_a_place(values: pl.Series, expected: list[str | None]) -> None:
    assert places(values) == expected


def test_an_object_has_a_place() -> None:
    assert places(pl.Series([{1}, {0}], dtype=pl.Object)) == ["2", "1"]


def test_a_table_that_is_not_interactive_carries_nothing_to_sort_by() -> None:
    assert "data-" not in shown(pl.DataFrame({"x": [1, 2]}), rows=9).html()


def test_bounds_stand_small_in_the_cell_of_their_figure() -> None:
    frame = pl.DataFrame({"error_rate": [0.04], "lower": [0.011], "upper": [0.035]})
    html = shown(frame, rows=1).html(interactive=True)
    assert '<td class="number" data-place="1">4.0 % <small>(1.1 – <wbr>3.5 %)</small></td>' in html  # noqa: RUF001
    assert 'title="error_rate (Float64), between lower and upper"' in html
    assert "1 row; bounds in brackets" in html


def test_columns_give_way_in_the_order_of_their_importance() -> None:
    frame = pl.DataFrame(
        {
            "exemplar_trace_id": ["ab" * 16] * 2,
            "service_name": ["gateway", "orders"],
            "route": ["GET /"] * 2,
            "spans": [1, 2],
            "share": [0.5, 0.25],
        }
    )
    html = shown(frame, rows=9).html()
    heads = re.findall(r'<th scope="col"(?: class="[^"]*?(?:from(\d+))?")? title="(\w+)', html)
    steps = {name: int(step or 0) for step, name in heads}
    assert steps["service_name"] == 0
    assert steps["share"] <= steps["route"] <= steps["spans"] < steps["exemplar_trace_id"]
    for step in set(steps.values()) - {0}:
        assert f".from{step} {{ display: none; }}" in STYLE
    assert "(<b></b> of 5 columns)" in html


def test_a_notebook_gets_only_the_rules_that_its_table_needs() -> None:
    assert "@container tracelab-table (width < 160px)" not in tl.show(pl.DataFrame({"x": [1]}))._repr_html_()
    assert len(tl.show(pl.DataFrame({"x": [1]}))._repr_html_()) < len(STYLE) / 2


def test_the_script_never_reads_text_as_html() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|on\w+=", SCRIPT)
    assert "</" not in SCRIPT
    assert "<" not in STYLE.replace("(width < ", "")


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame(),
        pl.DataFrame(schema={"x": pl.Int64, "x_lower": pl.Int64, "trace_id": pl.String}),
        pl.DataFrame({f"column_{number}": [number] for number in range(200)}),
        pl.DataFrame({"x" * 10_000: [1], "y_" * 5_000: ["z" * 10_000]}),
        pl.DataFrame({"اسم الخدمة": ["بوابة"], "שֵׁם": ["שער"]}),
        pl.DataFrame({"x": [[[1, None]], []], "y": [{"a": [{"b": 1}]}, None]}),
        pl.DataFrame({"": [None], " ": [float("nan")], "\n": [float("-inf")]}),
    ],
)
def test_any_frame_is_shown(frame: pl.DataFrame) -> None:
    for interactive in (False, True):
        page = Page(shown(frame, rows=9).html(interactive=interactive))
        assert page.tags <= TAGS
    for width in (20, 80, 300):
        text = shown(frame, rows=9).text(width=width)
        assert max(map(len, text.split("\n"))) <= width


REQUESTS = pl.DataFrame(
    {
        "route": ["POST /api/orders", "GET /api/recommendations"],
        "service_name": ["gateway", "recommender"],
        "requests": [1157, 275],
        "error_rate": [0.121, 0.036],
        "error_rate_lower": [0.098, 0.023],
        "error_rate_upper": [0.149, 0.055],
        **{f"p{n}": [timedelta(milliseconds=n), timedelta(milliseconds=2 * n)] for n in (50, 90, 95, 99)},
        "exemplar_trace_id": ["a" * 32, "b" * 32],
    }
)


def test_a_service_stands_below_its_route_where_its_column_is_left_out() -> None:
    html = shown(REQUESTS, rows=9).html(interactive=True)
    step = re.search(r'<th scope="col" class="from(\d+)" title="service_name ', html)
    assert step
    assert f'<small class="under under{step.group(1)}">recommender</small></td>' in html
    left_out = re.findall(r'<code class="under under\d+">(\w+)</code>', html)
    assert "service_name" not in left_out
    assert "exemplar_trace_id" in left_out


def test_a_phone_shows_routes_how_many_requests_failed_and_one_percentile() -> None:
    html = shown(REQUESTS, rows=9).html(interactive=True)
    steps = re.findall(r'<th scope="col" class="number(?: from(\d+))?" title="(\w+) ', html)
    below = {name: int(step or 0) for step, name in steps}
    assert max(below[name] for name in ("requests", "error_rate", "p95")) <= 340 < below["p90"]


def test_nothing_stands_below_a_route_without_a_service() -> None:
    assert "<small" not in shown(REQUESTS.select("route", "requests"), rows=9).html()


def test_links_to_exemplars_are_folded_and_stay_before_other_figures() -> None:
    links = {"exemplar_trace_id": lambda value: f"#{value}"}
    frame = REQUESTS.with_columns(per_second=pl.lit(1.5))
    html = shown(frame, rows=9, links=links).html(interactive=True)
    assert f'class="id folded"><a href="#{"a" * 32}">{"a" * 32}</a></td>' in re.sub(
        r' data-place="\d+"| from\d+', "", html
    )
    steps = {name: int(step or 0) for step, name in re.findall(r'(?:from(\d+))?" title="(\w+) ', html)}
    assert steps["exemplar_trace_id"] < steps["per_second"] <= steps["service_name"]
    assert "folded" not in shown(frame, rows=9).html(interactive=True)
    assert "folded" not in shown(frame, rows=9, links=links).html()

"""Addresses as people copy them from a browser."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelab.live.servers.links import Link, link_of

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:16686",
        "http://localhost:16686/",
        "https://joe:x@host/jaeger/",
        "https://grafana/api/datasources/proxy/uid/abc",
        "http://localhost:16686/search",
    ],
)
def test_a_bare_address_may_be_a_server(url: str) -> None:
    assert link_of(url) == Link()


@pytest.mark.parametrize(
    "url",
    [
        "https://host/dumps/a.json",
        "https://host/a.jsonl.gz?X-Amz-Signature=x",
        "https://host/download?id=5",
        f"http://localhost:16686/api/traces/{TRACE}?raw=true",
        "http://localhost:16686/api/traces?service=shop",
        f"http://localhost:3200/tempo/api/v2/traces/{TRACE}",
        "s3://bucket/dumps",
        "http://[bad",
        "dumps/a",
    ],
)
def test_an_address_of_a_dump_is_none_of_a_server(url: str) -> None:
    assert link_of(url) is None


def test_the_page_of_a_trace_names_it() -> None:
    link = link_of(f"http://host/jaeger/trace/{TRACE.upper()}?uiFind=db&x=1")
    assert link == Link(trace_id=TRACE, unheeded=("x",))


@pytest.mark.parametrize(
    ("query", "options"),
    [
        (
            (
                "end=1700000003000000&limit=20&lookback=1h&maxDuration&minDuration=5ms&operation=GET%20%2F&service=shop"
                "&start=1700000000000000&tags=%7B%22error%22%3A%22true%22%7D"
            ),
            {
                "service": "shop",
                "operation": "GET /",
                "min_duration": "5ms",
                "start": 1_700_000_000_000_000_000,
                "end": 1_700_000_003_000_000_000,
                "tags": {"error": "true"},
                "limit": 20,
            },
        ),
        ("service=shop&lookback=2d&operation=all", {"service": "shop", "lookback": "2d"}),
        ("service=shop&lookback=custom&tags=%7B&limit=0&start=x", {"service": "shop"}),
    ],
)
def test_a_search_of_jaegers_page_is_read(query: str, options: dict[str, Any]) -> None:
    assert link_of(f"http://host/search?{query}") == Link(options=options)


def test_a_question_to_tempo_is_read() -> None:
    link = link_of("http://host/tempo/api/search?q=%7B+status+%3D+error+%7D&start=1700000000&end=1700000060&limit=5")
    assert link is not None
    assert link.options == {
        "query": "{ status = error }",
        "start": 1_700_000_000_000_000_000,
        "end": 1_700_000_060_000_000_000,
        "limit": 5,
    }


def test_what_is_not_understood_is_named() -> None:
    link = link_of("http://host/search?service=shop&traceID=1&traceID=2&view=list")
    assert link is not None
    assert link.unheeded == ("traceID",)


@given(st.text())
def test_no_address_breaks_it(text: str) -> None:
    for url in (text, f"http://host/{text}", f"http://host/search?{text}", f"http://host/search?start={text}"):
        link_of(url)

from __future__ import annotations

import warnings

import pytest

from tests.traceql.shop import EVENTFUL, SHOP
from tracelab.traceql import QueryWarning, query, query_metrics, search


def complaints(text: str) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        query(SHOP, text)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "{ span.http.status = 500 }",
            "No span has `span.http.status`. Near names: `span.http.status_code` (1 spans).",
        ),
        ("{ .regoin = `eu` }", "Near names: `span.region` (5 spans)."),
        ("{ resource.region = `eu` }", "Near names: `span.region` (5 spans)."),
        ("{ span.duration > 2s }", "Without its scope, `duration` is the span's own."),
        ("{ parent.regio = `eu` }", "No span has `parent.regio`"),
        ("{ } | by(.regio)", "No span has `.regio`"),
        ("{ } | select(.regio)", "No span has `.regio`"),
        ("{ span.retries = `2` }", "`span.retries` is an int on every span, never like `2`; compare it with a number."),
        ("{ span.region > 2 }", "`span.region` is text on every span, never like 2; compare it with a text in quotes."),
        ("{ span.slow = `true` }", "compare it with true or false."),
    ],
)
def test_query_warns_of_names_and_types_that_no_span_has(text: str, words: str) -> None:
    (complaint,) = complaints(text)
    assert words in complaint


@pytest.mark.parametrize(
    "text",
    [
        "{ .region = `eu` }",
        "{ .nobody = nil }",
        "{ span.retries > 1.5 }",
        "{ .service.name = `x` }",
        "{ span.retries > 2ms }",
    ],
)
def test_query_does_not_warn_of(text: str) -> None:
    assert complaints(text) == []


def test_query_knows_the_attributes_of_events_and_links() -> None:
    query(EVENTFUL, "{ event.type = `x` && link.why = `y` && .code = 1 }")
    with pytest.warns(QueryWarning, match=r"Near names: `event.type` \(1 spans\)"):
        query(EVENTFUL, "{ event.typ = `x` }")


def test_a_warning_points_at_the_line_that_asked() -> None:
    for ask in (query, search):
        with pytest.warns(QueryWarning) as caught:
            ask(SHOP, "{ .nobody = 1 }")
        assert caught[0].filename == __file__
    with pytest.warns(QueryWarning) as caught:
        query_metrics(SHOP, "{ .nobody = 1 } | rate()")
    assert caught[0].filename == __file__

from __future__ import annotations

import polars as pl
import pytest

from tests.traceql.shop import ALL, names
from tracelab.conforming import conform
from tracelab.schema import ATTRIBUTES
from tracelab.synthetic import draw


@pytest.mark.filterwarnings("ignore::tracelab.traceql.QueryWarning")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ }", ALL),
        ("{ false }", []),
        ("{ name = `GET /pay` }", ["GET /pay"]),
        ("{ name =~ `.*e.*` && name !~ `ren.*` }", ["charge", "beneath"]),
        ("{ duration > 5ms }", ["GET /pay"]),
        ("{ duration >= 5000000 }", ["GET /pay", "charge"]),
        ("{ duration = 0ns }", ["log"]),
        ("{ duration < 1.5ms && duration > 0.5ms }", ["SELECT", "DELETE", "beneath"]),
        ("{ status = error }", ["SELECT", "charge"]),
        ("{ status != unset && kind = client }", ["SELECT", "charge"]),
        ("{ resource.service.name = `bank` }", ["charge", "log"]),
        ("{ .service.name = `bank` }", ["charge", "log"]),
        ("{ span.http.status_code >= 500 }", ["GET /pay"]),
        ("{ span.http.status_code = 500.0 }", ["GET /pay"]),
        ("{ span.db.rows > 1 }", ["SELECT"]),
        ("{ .retries }", []),
        ("{ .slow }", ["GET /pay"]),
        ("{ !.slow }", []),
        ("{ .slow != false }", ["GET /pay"]),
        ("{ .region = `eu` || .region = `us` }", ["SELECT", "charge", "log", "nightly", "orphan"]),
        ("{ .region != `eu` }", ["charge", "orphan"]),
        ("{ .region != `eu` && .region != `us` }", []),
        ("{ `eu` < .region }", ["charge", "orphan"]),
        ("{ .region !~ `e.` }", ["charge", "orphan"]),
        ("{ !(.region = `eu`) }", ["GET /pay", "render", "charge", "DELETE", "orphan", "beneath"]),
        ("{ .region = nil }", ["GET /pay", "render", "DELETE", "beneath"]),
        ("{ .region = nil || .region != `eu` }", ["GET /pay", "render", "charge", "DELETE", "orphan", "beneath"]),
        ("{ .region != nil && .retries != nil }", ["charge"]),
        ("{ .retries + 1 = 3 }", ["GET /pay", "DELETE"]),
        ("{ .retries / 2 = 3 }", ["charge"]),
        ("{ .retries / 2.0 = 3.5 }", ["charge"]),
        ("{ .retries % 2 = 1 }", ["charge"]),
        ("{ 2 ^ .retries = 4 }", ["GET /pay", "DELETE"]),
        ("{ -.retries < -2 }", ["charge"]),
        ("{ .retries * 1ms = duration }", []),
        ("{ .retries + .missing = 1 || .retries = 0 }", ["render"]),
        ("{ .db.rows % 1 = 0.5 }", ["SELECT"]),
        ("{ .db.rows / 0 > 1000 }", ["SELECT"]),
        ("{ .missing || true }", ALL),
        ("{ false && .missing }", []),
        ("{ .retries = .http.status_code }", []),
        ("{ statusMessage = `` }", ALL),
        ("{ span:id = `2` || span:id = `0000000000000003` }", ["render", "SELECT"]),
        ("{ span:parentID = `0000000000000000` }", ["GET /pay", "nightly"]),
        ("{ span:parentID = `` }", ["GET /pay", "nightly"]),
        ("{ trace:id = `02` }", ["nightly", "DELETE"]),
        ("{ span:childCount = 2 }", ["GET /pay"]),
        ("{ traceDuration > 9ms }", ["GET /pay", "render", "SELECT", "charge", "log"]),
        ("{ rootName = `nightly` }", ["nightly", "DELETE"]),
        ("{ rootServiceName = `` }", ["orphan", "beneath"]),
        ("{ nestedSetParent = -1 }", ["GET /pay", "nightly"]),
        ("{ nestedSetParent = 0 }", ["orphan", "beneath"]),
        ("{ nestedSetLeft = 2 && nestedSetRight = 5 }", ["render"]),
        ("{ nestedSetLeft = 1 }", ["GET /pay", "nightly"]),
        ("{ parent = nil }", ["GET /pay", "nightly", "orphan"]),
        ("{ parent.region = `us` }", ["log", "beneath"]),
        ("{ parent.span.retries = 2 }", ["render", "charge"]),
        ("{ root.http.status_code = 500 && kind = client }", ["SELECT", "charge"]),
        ("{ root.resource.service.name = `job` }", ["nightly", "DELETE"]),
        ("{ kind = client } | { status = error }", ["SELECT", "charge"]),
        ("duration > 4ms && service.name = `bank`", ["charge"]),
    ],
)
def test_query_filters_spans(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_query_tells_the_spans_of_different_types_apart() -> None:
    spans = conform(
        draw("a =\nb =\nc =\nd =").with_columns(
            **{
                "span.v": pl.Series(["1", "1", "1.0", "true"]),
                "span.v:type": pl.Series(["int", "string", "double", "bool"]),
            }
        )
    )
    assert names("{ .v = 1 }", spans) == ["a", "c"]
    assert names("{ .v = `1` }", spans) == ["b"]
    assert names("{ .v != `2` }", spans) == ["b"]
    assert names("{ .v }", spans) == ["d"]
    assert names("{ .v != nil }", spans) == ["a", "b", "c", "d"]
    assert names("{ } | by(.v) | count() = 1", spans) == ["a", "b", "c", "d"]


def test_query_reads_attributes_that_have_no_column() -> None:
    entries = [
        {"span.x": "1", "span.x:type": "int"},
        {"resource.x": "1"},
        {"span.x": "2.5", "span.x:type": "double"},
        None,
    ]
    spans = draw("a =\nb =\nc =\nd =").with_columns(more_attributes=pl.Series(entries, dtype=ATTRIBUTES))
    assert names("{ .x = 1 }", spans) == ["a"]
    assert names("{ .x = `1` }", spans) == ["b"]
    assert names("{ span.x > 1 }", spans) == ["c"]
    assert names("{ .x = nil }", spans) == ["d"]


def test_query_lets_a_span_attribute_shadow_its_resource() -> None:
    spans = conform(draw("a = x=one\nb =").with_columns(**{"resource.x": pl.Series(["two", "two"])}))
    assert names("{ .x = `two` }", spans) == ["b"]
    assert names("{ resource.x = `two` }", spans) == ["a", "b"]


LISTS = conform(
    draw("a =\nb =\nc =\nd =").with_columns(
        **{
            "span.tags": pl.Series([["x", "y"], ["y"], [], None]),
            "span.sizes": pl.Series([[1, 5], [3], None, []], dtype=pl.List(pl.Int64)),
        }
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ .tags = `x` }", ["a"]),
        ("{ .tags != `x` }", ["b"]),
        ("{ .tags =~ `x|z` }", ["a"]),
        ("{ .tags !~ `x|z` }", ["b"]),
        ("{ `y` = .tags }", ["a", "b"]),
        ("{ .tags = `x` && .tags = `y` }", ["a"]),
        ("{ .sizes > 4 }", ["a"]),
        ("{ 4 > .sizes }", ["a", "b"]),
        ("{ .sizes >= 2.5 }", ["a", "b"]),
        ("{ .sizes = `x` }", []),
        ("{ .tags = nil }", ["c", "d"]),
        ("{ .tags != nil }", ["a", "b"]),
        ("{ .tags = name }", []),
    ],
)
@pytest.mark.filterwarnings("ignore::tracelab.traceql.QueryWarning")
def test_query_compares_lists(text: str, expected: list[str]) -> None:
    assert names(text, LISTS) == expected

"""What a policy loses altogether."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.sampling import AlwaysOff, AlwaysOn, presets
from tracelab.synthetic import draw

SPANS = draw("""
web::GET /cart      ====   user.id=ann
  stock::look       ..=

web::GET /pay       ====!  user.id=bob

web::GET /pay       ====!  user.id=ann
""")


def lost(spans: pl.DataFrame, policy: object, **options: str) -> list[tuple[str, str | None, str | None]]:
    found = tl.sampling_losses(spans, policy, **options)
    return [tuple(row) for row in found.select("kind", "service_name", "value").rows()]


def test_keeping_everything_loses_nothing() -> None:
    assert lost(SPANS, AlwaysOn()) == []


def test_keeping_errors_only_loses_what_does_not_fail() -> None:
    assert lost(SPANS, presets.production(ratio=0)) == [
        ("route", "stock", "look"),
        ("route", "web", "GET /cart"),
        ("service", "stock", None),
    ]


def test_keeping_nothing_loses_everything_the_most_frequent_first() -> None:
    found = tl.sampling_losses(SPANS, AlwaysOff())
    assert [row for row in found.select("kind", "value", "traces").rows() if row[0] in {"failure", "user"}] == [
        ("failure", "GET /pay", 2),
        ("user", "ann", 2),
        ("user", "bob", 1),
    ]
    assert set(found["exemplar_trace_id"]) <= set(SPANS["trace_id"])


def test_users_are_told_by_an_attribute_of_ones_own() -> None:
    spans = SPANS.with_columns(pl.lit("t1").alias("span.tenant"))
    assert ("user", None, "t1") in lost(spans, AlwaysOff(), user="tenant")
    with pytest.raises(tl.SchemaError, match="`user` names 'tennant'"):
        lost(spans, AlwaysOff(), user="tennant")


def test_routes_are_method_and_route_where_these_are_known() -> None:
    spans = SPANS.with_columns(
        pl.lit("GET").alias("span.http.request.method"), pl.lit("/pay/{id}").alias("span.http.route")
    )
    assert ("route", "web", "GET /pay/{id}") in lost(spans, AlwaysOff())


def test_no_spans_have_nothing_to_lose() -> None:
    assert lost(SPANS.clear(), AlwaysOff()) == []


@pytest.mark.parametrize("wrong", [[], ["name"], 5, True])
def test_users_are_named_by_one_key(wrong: Any) -> None:
    with pytest.raises(tl.TracelabError, match="`user` must be the key of an attribute"):
        tl.sampling_losses(draw("api =!"), AlwaysOff(), user=wrong)


@pytest.mark.parametrize("column", ["duration", "events"])
def test_what_is_no_text_names_no_users(column: str) -> None:
    for call in (tl.sampling_losses, lambda spans, policy, user: tl.compare_policies(spans, {"a": policy}, user=user)):
        with pytest.raises(tl.SchemaError, match=f"`user` reads '{column}', which is "):
            call(draw("api =!"), AlwaysOff(), user=column)


def test_near_names_of_users_are_those_of_the_spans() -> None:
    with pytest.raises(tl.SchemaError, match=r"Did you mean [^_]*\?$"):
        tl.sampling_losses(draw("api =! usr=7"), AlwaysOff(), user="user")

"""Old and new names of the same thing in one service."""

from __future__ import annotations

import polars as pl

import tracelab as tl
from tracelab.synthetic import draw


def mixed(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(pl.col("rule") == "mixed-attribute-names")


def test_a_service_that_writes_both_on_different_spans_is_found() -> None:
    spans = draw("""
        web === http.method=GET
        web === http.request.method=GET
        web === http.request.method=GET
        web ===
    """)
    (row,) = mixed(spans).to_dicts()
    assert (row["severity"], row["count"], row["out_of"]) == ("warning", 1, 3)
    assert "http.method and http.request.method" in row["finding"]


def test_two_services_of_two_generations_are_no_mixture() -> None:
    spans = draw("""
        web === http.method=GET
        api === http.request.method=GET
    """)
    assert mixed(spans).height == 0


def test_both_on_the_same_spans_are_a_migration_on_purpose() -> None:
    found = mixed(draw("web === http.method=GET http.request.method=GET"))
    assert found["severity"].to_list() == ["info"]


def test_other_things_under_old_and_new_names_are_no_mixture() -> None:
    spans = draw("""
        web === http.method=GET
        web === db.system.name=redis
    """)
    assert mixed(spans).height == 0


def test_names_that_spans_of_all_sorts_share_are_compared_within_a_library() -> None:
    spans = draw("""
        web === net.host.name=web
        web === server.address=db
    """)
    assert mixed(spans.with_columns(scope_name=pl.Series(["http", "db"]))).height == 0
    assert mixed(spans.with_columns(scope_name=pl.lit("http"))).height == 1


def test_instances_whose_resources_differ_are_found() -> None:
    spans = draw("""
        web ===
        web ===
    """).with_columns(
        **{
            "resource.deployment.environment": pl.Series(["live", None]),
            "resource.deployment.environment.name": pl.Series([None, "live"]),
        }
    )
    assert mixed(spans)["severity"].to_list() == ["warning"]

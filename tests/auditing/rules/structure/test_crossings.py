"""Calls in which the span of one side is missing between two that are there."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw


def _found(spans: pl.DataFrame, rule: str) -> list[tuple[object, ...]]:
    found = tl.audit(spans).filter(pl.col("rule") == rule)
    return sorted(found.select("severity", "caller", "callee", "count", "out_of").rows())


@pytest.mark.parametrize("kind", ["server", "consumer"])
def test_a_span_that_comes_in_below_a_server_span_of_another_service_lacks_a_client_span(kind: str) -> None:
    spans = draw(f"""
        web::GET /pay   ========== kind=server
          bank::pay     ..=====    kind={kind}

        web::GET /pay   ========== kind=server
          web::POST     .=======   kind=client
            bank::pay   ..=====    kind={kind}
    """)
    assert _found(spans, "missing-client-span") == [("warning", "web", "bank", 1, 2)]


def test_a_client_span_between_two_services_is_no_missing_client_span() -> None:
    spans = draw("""
        web::GET /pay     ========== kind=server
          web::POST       .=======   kind=client
            bank::pay     ..=====    kind=server
              bank::check ..===
    """)
    assert _found(spans, "missing-client-span") == []
    assert _found(spans, "internal-across-services") == []


def test_a_server_span_below_that_of_a_proxy_is_only_worth_to_know() -> None:
    found = tl.audit(
        draw("""
        web::GET /pay           ========  kind=client
          bank.shop::*          .======   kind=server upstream_cluster="inbound|8080||"
            bank::GET /pay      ..====    kind=server
        """)
    ).filter(rule="missing-client-span")
    assert found.select("severity", "caller", "callee").rows() == [("info", "bank.shop", "bank")]


def test_a_server_span_that_shares_the_id_of_its_client_span_lacks_none() -> None:
    spans = draw("""
        web::GET /pay   ========== kind=server
          web::POST     .=======   kind=client span_id=00000000000000aa
          bank::pay     ..=====    kind=server span_id=00000000000000aa

        web::GET /pay   ========== kind=server
          bank::pay     ..=====    kind=server
    """)
    assert _found(spans, "missing-client-span") == [("warning", "web", "bank", 1, 2)]


def test_a_call_that_was_exported_twice_lacks_its_client_span_all_the_same() -> None:
    spans = draw("""
        web::GET /pay   ========== kind=server
          web::POST     .===       kind=client
            bank::pay   .===       kind=server
          bank::pay     ..=====    kind=server
    """)
    assert _found(pl.concat([spans, spans]), "missing-client-span") == [("warning", "web", "bank", 2, 4)]


def test_a_service_that_makes_no_client_span_of_anything_is_only_worth_to_know() -> None:
    spans = draw("""
        web::page    ==========
          bank::pay  ..=====    kind=server
    """)
    assert _found(spans, "missing-client-span") == [("info", "web", "bank", 1, 1)]


def test_an_internal_span_below_a_client_span_of_another_service_is_found() -> None:
    spans = draw("""
        web::GET /pay     ========== kind=server
          web::POST       .=======   kind=client
            bank::pay     ..=====
    """)
    assert _found(spans, "internal-across-services") == [("warning", "web", "bank", 1, 1)]


def test_services_that_write_no_kinds_give_nothing_above_info() -> None:
    spans = draw("""
        web         ==========
          api       .=======
            db      ..=====
    """)
    assert _found(spans, "internal-across-services") == [
        ("info", "api", "db", 1, 1),
        ("info", "web", "api", 1, 1),
    ]

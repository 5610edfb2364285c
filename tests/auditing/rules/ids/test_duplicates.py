"""Ids that several spans of a trace have: copies, Zipkin's shared spans, and ids that clash."""

from __future__ import annotations

from typing import Any

import polars as pl

import tracelab as tl
from tracelab.synthetic import draw, generate

RULES = ("duplicate-span-id", "exported-twice", "shared-span-id")


def found(spans: pl.DataFrame) -> list[tuple[Any, ...]]:
    told = tl.audit(spans).filter(pl.col("rule").is_in(RULES))
    return told.select("rule", "severity", "service_name", "caller", "count", "out_of").rows()


def test_different_spans_with_one_id_clash() -> None:
    spans = draw("""
        web::GET      ==========
          db::SELECT  .==         span_id=00000000000000aa
          db::UPDATE  ....==      span_id=00000000000000aa
          db::DELETE  ........=
    """)
    assert found(spans) == [("duplicate-span-id", "error", "db", None, 2, 3)]


def test_the_same_id_in_another_trace_is_no_duplicate() -> None:
    spans = draw("""
        web::GET  ==  span_id=00000000000000aa

        web::GET  ==  span_id=00000000000000aa
    """)
    assert found(spans) == []


def test_spans_that_came_twice_are_copies() -> None:
    spans = draw("""
        web::GET      ==========
          db::SELECT  .==
          db::UPDATE  ....==
    """)
    twice = tl.with_tree(pl.concat([spans, spans.filter(pl.col("name") == "SELECT")]))
    assert found(twice) == [("exported-twice", "warning", "db", None, 1, 3)]


def test_two_calls_that_begin_at_one_instant_are_no_copies() -> None:
    spans = draw("""
        web::GET      ==========
          db::SELECT  .==         span_id=00000000000000aa
          db::SELECT  .===        span_id=00000000000000aa
    """)
    assert found(spans) == [("duplicate-span-id", "error", "db", None, 2, 2)]


def test_client_and_server_with_one_id_are_a_shared_span_of_zipkin() -> None:
    spans = draw("""
        web::GET      ==========  kind=server
          web::POST   .=======    kind=client span_id=00000000000000aa
          pay::POST   ..=====     kind=server span_id=00000000000000aa
    """)
    assert found(spans) == [("shared-span-id", "info", "pay", "web", 1, 1)]


def test_a_shared_span_among_others_that_are_not_shared_is_taken_for_a_duplicate() -> None:
    spans = draw("""
        web::GET      ==========  kind=server
          web::POST   .==         kind=client span_id=00000000000000aa
          pay::POST   .=          kind=server span_id=00000000000000aa
          web::GET    ...==       kind=client
            bank::GET ...=        kind=server
          web::GET    .....==     kind=client
            bank::GET .....=      kind=server
    """)
    assert [row[:2] for row in found(spans)] == [("shared-span-id", "warning")]


def test_three_spans_with_one_id_are_no_shared_span() -> None:
    spans = draw("""
        web::POST   =======    kind=client span_id=00000000000000aa
        pay::POST   .=====     kind=server span_id=00000000000000aa
        pay::POST   ...====    kind=server span_id=00000000000000aa
    """)
    assert {row[0] for row in found(spans)} == {"duplicate-span-id"}


def test_ids_of_spans_that_differ_are_no_finding() -> None:
    assert found(generate(20_000, seed=4)) == []

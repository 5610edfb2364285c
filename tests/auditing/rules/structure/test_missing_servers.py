"""Calls that no server span answers."""

from __future__ import annotations

import polars as pl

import tracelab as tl
from tests.auditing.repeating import repeat, without

_SHOP = """
    web::GET /           ==============  kind=server
      web::GET           .=====          kind=client server.address=stock
        stock::GET       ..===           kind=server
      orders::work       .......======
        orders::GET      .......=====    kind=client server.address=stock
          stock::GET     ........===     kind=server
"""
_TIMES = 60


def _found(spans: pl.DataFrame) -> list[tuple[object, ...]]:
    found = tl.audit(spans).filter(pl.col("rule") == "missing-server-span")
    return sorted(found.select("severity", "caller", "callee", "count", "out_of", "explanation").rows())


def _answers_to_orders() -> pl.Expr:
    return (pl.col("service_name") == "stock") & (pl.col("start_time").dt.millisecond() % 100 == 8)


def test_calls_that_are_answered_lack_no_server_span() -> None:
    assert _found(without(repeat(_SHOP, _TIMES), pl.lit(value=False))) == []


def test_calls_on_one_edge_that_are_never_answered_by_a_service_that_answers_others_are_found() -> None:
    assert _found(without(repeat(_SHOP, _TIMES), _answers_to_orders())) == [
        ("warning", "orders", "stock", _TIMES, _TIMES, None)
    ]


def test_a_service_that_answers_others_with_internal_spans_is_instrumented_too() -> None:
    unkind = pl.when(pl.col("service_name") == "stock").then(pl.lit("internal"))
    spans = repeat(_SHOP, _TIMES)
    kinds = unkind.otherwise(pl.col("kind").cast(pl.String)).cast(spans.schema["kind"]).alias("kind")
    assert _found(without(spans.with_columns(kinds), _answers_to_orders())) == [
        ("warning", "orders", "stock", _TIMES, _TIMES, None)
    ]


def test_calls_of_a_service_that_makes_no_server_spans_at_all_are_none_of_an_instrumented_one() -> None:
    assert _found(without(repeat(_SHOP, _TIMES), pl.col("service_name") == "stock")) == []


def test_calls_that_are_seldom_not_answered_are_only_worth_to_know() -> None:
    some = without(repeat(_SHOP, _TIMES), _answers_to_orders() & pl.col("number").is_in([7, 30, 41]))
    assert [row[:5] for row in _found(some)] == [("info", "orders", "stock", 3, _TIMES)]


def test_calls_that_failed_may_never_have_arrived() -> None:
    failed = (pl.col("service_name") == "orders") & (pl.col("kind") == "client")
    status = pl.when(failed).then(pl.lit("error")).otherwise(pl.col("status_code").cast(pl.String))
    spans = repeat(_SHOP, _TIMES).with_columns(status.cast(pl.Enum(["unset", "ok", "error"])).alias("status_code"))
    assert _found(without(spans, _answers_to_orders())) == []


def test_calls_to_the_outside_are_not_meant_for_a_service_that_is_called_alike() -> None:
    outside = pl.when(pl.col("service_name") == "orders").then(pl.lit("stock.example.com"))
    spans = repeat(_SHOP, _TIMES).with_columns(outside.otherwise("span.server.address").alias("span.server.address"))
    assert _found(without(spans, _answers_to_orders())) == []


def test_a_call_around_a_span_whose_parent_is_missing_is_told_by_that_alone() -> None:
    deeper = _SHOP + "            stock::look  .........="
    found = tl.audit(without(repeat(deeper, _TIMES), _answers_to_orders()))
    assert found.filter(pl.col("rule").str.starts_with("missing-"))["rule"].to_list() == ["missing-parent"]


def test_a_service_that_is_silent_for_a_while_lost_its_export() -> None:
    lost = (pl.col("service_name") == "stock") & pl.col("number").is_between(20, 34)
    assert {row[5] for row in _found(without(repeat(_SHOP, _TIMES), lost))} == {"lost-export"}

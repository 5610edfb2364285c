"""Roots that should be none."""

from __future__ import annotations

import polars as pl

import tracelab as tl
from tracelab.synthetic import draw

_TORN = """
    web::GET /pay     ==========       kind=server
      web::POST       .========        kind=client

    bank::pay         ..=====          kind=server
"""


def _found(spans: pl.DataFrame, rule: str) -> list[tuple[object, ...]]:
    found = tl.audit(spans).filter(pl.col("rule") == rule)
    return found.select("severity", "service_name", "caller", "callee", "count", "out_of").rows()


def _in_one_trace(picture: str) -> pl.DataFrame:
    """Draw, and put everything into one trace, with times as they are drawn."""
    spans = draw(picture)
    number = pl.col("trace_id").str.to_integer(base=16) - 1
    first = spans["trace_id"][0]
    return spans.with_columns(
        start_time=pl.col("start_time") - pl.duration(seconds=number, time_unit="ns"), trace_id=pl.lit(first)
    ).select(pl.exclude("depth", "tree_left", "tree_right", "entry"))


def _times(count: int) -> pl.DataFrame:
    """Draw the torn trace several times, with ids of their own."""
    torn = _in_one_trace(_TORN)
    ids = ("trace_id", "span_id", "parent_span_id")
    numbered = [[(pl.lit(str(one)) + pl.col(name).str.slice(1)).alias(name) for name in ids] for one in range(count)]
    return pl.concat(torn.with_columns(*columns) for columns in numbered)


def test_a_root_inside_of_a_call_of_the_same_trace_lost_its_parent_on_that_edge() -> None:
    assert _found(_times(3), "several-roots") == [("warning", "bank", "web", "bank", 3, 3)]


def test_one_or_two_roots_inside_of_a_call_may_be_there_by_chance() -> None:
    assert _found(_times(2), "several-roots") == [("info", "bank", "web", "bank", 2, 2)]


def test_a_root_that_ran_inside_of_nothing_is_only_worth_to_know() -> None:
    spans = _in_one_trace("""
        web::GET /pay   ====             kind=server

        web::GET /pay   ........====     kind=server
    """)
    assert _found(spans, "several-roots") == [("info", "web", None, None, 1, 2)]


def test_one_root_a_trace_is_not_several() -> None:
    assert _found(draw(_TORN), "several-roots") == []


def test_a_trace_that_begins_with_a_call_is_worth_to_know() -> None:
    spans = draw("""
        job::GET      ====  kind=client
          web::GET /  .==   kind=server

        job::run      ====
          job::GET    .==   kind=client
    """)
    assert _found(spans, "client-root") == [("info", "job", None, None, 1, 2)]


def test_what_was_exported_twice_is_one_root() -> None:
    spans = draw("api ==== kind=server")
    twice = pl.concat([spans, spans]).select(pl.exclude("depth", "tree_left", "tree_right", "entry"))
    assert all(row[0] == "info" for row in _found(twice, "several-roots"))

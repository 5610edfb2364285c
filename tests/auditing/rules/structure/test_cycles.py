"""Spans that are below themselves."""

from __future__ import annotations

import polars as pl

import tracelab as tl
from tracelab.synthetic import draw


def _cycles(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(pl.col("rule") == "span-cycle")


def test_a_span_that_names_itself_is_found_and_no_parent_is_missing() -> None:
    spans = draw("""
        api   =====
          api::work  .==
    """).with_columns(parent_span_id=pl.coalesce("parent_span_id", "span_id"))
    found = tl.audit(spans)
    assert found.select("rule", "service_name", "count", "out_of").rows() == [("span-cycle", "api", 1, 2)]
    assert "name themselves" in found["finding"].item()


def test_a_ring_of_two_spans_is_found_where_it_was_cut() -> None:
    spans = draw("""
        api    =====
          work .===
    """)
    ring = spans.with_columns(parent_span_id=pl.coalesce("parent_span_id", pl.lit(spans["span_id"][1])))
    found = _cycles(ring)
    assert found.select("severity", "service_name", "count").rows() == [("error", "api", 1)]
    assert "a span below them" in found["finding"].item()


def test_a_trace_without_a_ring_has_no_cycle_even_if_its_parent_is_missing() -> None:
    spans = draw("""
        gone
          api   =====
            db  .==
    """)
    assert _cycles(spans).height == 0

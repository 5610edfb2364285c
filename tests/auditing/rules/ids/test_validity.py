"""Ids that are none, and ids of 64 bits."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw, generate

TWO = """
    web::GET  ====

    pay::GET  ====
"""
LONG = "4bf92f3577b34da6a3ce929d0e0e4736"
SHORT = "0000000000000000a3ce929d0e0e4736"


def found(spans: pl.DataFrame, rule: str) -> list[tuple[Any, ...]]:
    return tl.audit(spans).filter(rule=rule).select("severity", "service_name", "detail", "count", "out_of").rows()


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ("0" * 16, "zeros only"),
        ("0" * 8, "zeros only"),
        ("a3ce929d", "the wrong length"),
        ("a3ce929d" * 3, "the wrong length"),
        ("a3ce929d-e0e4736", "other characters than hex"),
        ("A3CE929D-E0E4736", "other characters than hex"),
    ],
)
def test_span_ids_that_are_none_are_found(bad: str, fault: str) -> None:
    spans = draw(TWO).with_columns(span_id=pl.Series([bad, "a3ce929d0e0e4736"]))
    assert found(spans, "invalid-id") == [("error", "web", f"span ids: {fault}", 1, 1)]


@pytest.mark.parametrize(("bad", "fault"), [("0" * 32, "zeros only"), (LONG[:20], "the wrong length")])
def test_trace_ids_that_are_none_are_found(bad: str, fault: str) -> None:
    spans = draw(TWO).with_columns(trace_id=pl.Series([LONG, bad]))
    assert found(tl.with_tree(spans), "invalid-id") == [("error", "pay", f"trace ids: {fault}", 1, 1)]


def test_upper_case_that_was_never_conformed_is_found() -> None:
    spans = draw(TWO).with_columns(span_id=pl.Series(["A3CE929D0E0E4736", "a3ce929d0e0e4737"]))
    assert found(spans, "invalid-id") == [("error", "web", "span ids: upper-case letters", 1, 1)]


def test_valid_ids_are_no_finding() -> None:
    spans = generate(20_000, seed=4)
    assert found(spans, "invalid-id") == []
    assert found(spans, "short-trace-id") == []


def test_few_spans_of_a_large_frame_are_judged_by_their_own_ids() -> None:
    spans = generate(20_000, seed=4)
    spans = spans.with_columns(span_id=pl.when(pl.int_range(pl.len()) < 9_000).then(pl.lit("?")).otherwise("span_id"))
    assert found(spans[9_000:9_100], "invalid-id") == []


def test_ids_of_64_bits_among_others_split_traces() -> None:
    spans = tl.with_tree(draw(TWO).with_columns(trace_id=pl.Series([LONG, SHORT])))
    assert found(spans, "short-trace-id") == [("warning", "pay", None, 1, 1)]


def test_ids_of_64_bits_everywhere_are_only_worth_to_know_but_of_sdks_that_make_none() -> None:
    spans = tl.with_tree(draw(TWO).with_columns(trace_id=pl.Series([SHORT, SHORT.replace("a", "b")])))
    assert {row[0] for row in found(spans, "short-trace-id")} == {"info"}
    sdk = spans.with_columns(pl.lit("java").alias("resource.telemetry.sdk.language"))
    assert {row[0] for row in found(sdk, "short-trace-id")} == {"warning"}


def test_small_numbers_are_no_ids_of_64_bits() -> None:
    assert found(draw(TWO), "short-trace-id") == []

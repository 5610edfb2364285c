"""Sampling thresholds: those that would have dropped the span, and those that differ from the parent's."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw

PICTURE = """
    web::GET   =====  kind=server
      pay::GET .===   kind=server
"""
HALF = "4bf92f3577b34da6a380000000000000"


def found(web: str | None, pay: str | None, *, trace_id: str = HALF) -> list[tuple[Any, ...]]:
    spans = draw(PICTURE).with_columns(trace_id=pl.lit(trace_id), trace_state=pl.Series([web, pay], dtype=pl.String))
    told = tl.audit(tl.with_tree(spans)).filter(rule="inconsistent-sampling-threshold")
    return told.select("severity", "service_name", "count", "out_of").rows()


@pytest.mark.parametrize("state", ["ot=th:8", "ot=th:80000000000000", "vendor=1,ot=th:8;rv:80000000000000", "ot=th:0"])
def test_randomness_at_or_above_the_threshold_is_sampled(state: str) -> None:
    assert found(state, state) == []


@pytest.mark.parametrize("state", ["ot=th:c", "ot=p:8;th:80000000000001", "a=b, ot=th:c;rv:bfffffffffffff"])
def test_a_threshold_above_the_randomness_would_have_dropped_the_span(state: str) -> None:
    assert found("ot=th:8", state) == [("warning", "pay", 1, 1)]


def test_the_randomness_that_is_given_counts_and_not_the_trace_id() -> None:
    assert found("ot=th:c;rv:d0000000000000", "ot=th:c;rv:d0000000000000") == []


def test_another_threshold_than_the_parents_may_be_that_of_a_sampler_of_its_own() -> None:
    assert found("ot=th:0", "ot=th:8") == [("info", "pay", 1, 1)]


@pytest.mark.parametrize(
    "state", [None, "", "vendor=th:c", "ot=rv:00000000000000", "ot=th:xyz", "ot=th:123456789abcdef"]
)
def test_without_a_threshold_nothing_is_said(state: str | None) -> None:
    assert found(state, state) == []


def test_ids_that_are_no_numbers_are_not_compared() -> None:
    assert found("ot=th:c", "ot=th:c", trace_id="order-17") == []

"""Spans outside of their parents: told as harmless where work goes on, and as wrong where no clock explains it."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tests.auditing.hosts import drawn
from tracelab.synthetic import generate


def found(spans: pl.DataFrame) -> pl.DataFrame:
    return tl.audit(spans).filter(pl.col("rule") == "child-outside-parent")


def test_work_that_ends_after_its_caller_is_worth_to_know_and_no_more() -> None:
    said = found(
        drawn("""
        web::POST  ====        kind=client
          pay::POST .========   kind=server
        """)
    )
    assert said.select("severity", "service_name", "caller", "callee", "count", "out_of").rows() == [
        ("info", "pay", "web", "pay", 1, 1)
    ]
    assert "by 5 ms" in said["finding"].item()


def test_messages_need_no_one_who_waits() -> None:
    spans = drawn("""
        web::send       ==        kind=producer
          mail::process  .======   kind=consumer
    """)
    assert not found(spans).height


def test_a_child_that_begins_before_its_parent_in_one_process_has_a_wrong_time() -> None:
    said = found(
        drawn("""
        web::GET     .....=====  host.name=a
          web::render ..====      host.name=a
        """)
    )
    assert said.select("severity", "count", "out_of").rows() == [("warning", 1, 1)]
    assert "begin before their parents in the same process, half of them by 3 ms" in said["finding"].item()


def test_a_child_that_begins_before_its_parent_elsewhere_may_have_another_clock() -> None:
    said = found(
        drawn("""
        web::GET  .....=====  kind=client host.name=a
          pay::GET ..====      kind=server host.name=b
        """)
    )
    assert said["severity"].to_list() == ["info"]


def test_a_service_that_calls_itself_may_do_so_on_another_host() -> None:
    said = found(
        drawn("""
        web::GET  .....=====  kind=client
          web::GET ..====      kind=server
        """)
    )
    assert said["severity"].to_list() == ["info"]


@pytest.mark.parametrize("by", [1, 2])
def test_what_rounding_explains_is_nothing(by: int) -> None:
    spans = drawn("""
        web::GET      =====
          web::render .====
    """)
    micro = tl.with_tree(
        spans.with_columns(pl.col("start_time") - pl.duration(microseconds=pl.col("depth") * (1000 + by)))
    )
    assert not found(micro).height


def test_a_wrong_clock_is_told_once() -> None:
    spans = generate(10_000, seed=5)
    moved = pl.when(pl.col("resource.host.name") == "payment-1").then(pl.col("start_time").dt.offset_by("-30ms"))
    wrong = tl.with_tree(spans.with_columns(moved.otherwise("start_time").alias("start_time")))
    rules = tl.audit(wrong)["rule"].to_list()
    assert "clock-skew" in rules
    assert "child-outside-parent" not in rules


def test_spans_within_their_parents_are_no_finding() -> None:
    assert not found(generate(10_000, seed=5)).height

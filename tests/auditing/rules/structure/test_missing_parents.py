"""Parents that are missing: whose they are, and what explains it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.auditing.repeating import repeat, without
from tracelab.synthetic import draw

SHOP = """
    web::GET /pay        ====================   kind=server
      web::POST          .==================    kind=client
        orders::pay      ..===============      kind=server
          orders::POST   ...=============       kind=client
            bank::charge ....==========         kind=server
              bank::work .....=======
"""
TIMES = 200
SAMPLE = Path(__file__).parents[4] / "sample_data" / "shop.otlp.jsonl.gz"


def _found(spans: pl.DataFrame) -> list[tuple[object, ...]]:
    found = tl.audit(spans).filter(pl.col("rule") == "missing-parent")
    return sorted(found.select("severity", "caller", "callee", "hop", "count", "out_of", "explanation").rows())


def _of(*services: str) -> pl.Expr:
    return pl.col("service_name").is_in(services)


def test_whole_traces_miss_no_parent() -> None:
    assert _found(without(repeat(SHOP, 3), pl.lit(value=False))) == []


def test_client_spans_that_are_always_missing_are_told_by_what_their_callees_run_inside_of() -> None:
    spans = without(repeat(SHOP, TIMES), _of("orders") & (pl.col("kind") == "client"))
    assert _found(spans) == [("warning", "orders", "bank", None, TIMES, TIMES, None)]


def test_client_spans_that_are_sometimes_missing_are_told_by_traces_that_are_whole() -> None:
    lost = _of("orders") & (pl.col("kind") == "client") & (pl.col("number") % 3 == 0)
    assert _found(without(repeat(SHOP, TIMES), lost)) == [("warning", "orders", "bank", None, 67, TIMES, None)]


def test_a_caller_that_never_sends_spans_is_not_known_where_a_trace_begins_with_what_it_calls() -> None:
    spans = without(repeat(SHOP, TIMES), _of("web"))
    assert _found(spans) == [("warning", None, "orders", None, TIMES, TIMES, None)]


def test_a_server_span_that_is_missing_tears_spans_of_its_own_process() -> None:
    spans = without(repeat(SHOP, TIMES), pl.col("name") == "charge")
    assert _found(spans) == [("warning", "bank", "bank", "in-process", TIMES, TIMES, None)]


def test_what_is_seldom_missing_is_only_worth_to_know() -> None:
    lost = (pl.col("name") == "charge") & pl.col("number").is_in([20, 90])
    assert _found(without(repeat(SHOP, TIMES), lost)) == [("info", "bank", "bank", "in-process", 2, TIMES, None)]


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_a_service_that_records_traces_by_a_ratio_of_their_ids_explains_its_orphans(ratio: float) -> None:
    low = pl.col("trace_id").str.slice(16).str.to_integer(base=16, dtype=pl.UInt64)
    spans = repeat(SHOP, TIMES)
    lost = _of("orders") & (low > int(ratio * 2**64))
    found = _found(without(spans, lost))
    assert [(row[0], row[1], row[2], row[6]) for row in found] == [("info", "orders", "bank", "sampling")]


def test_a_service_that_throws_dice_for_each_trace_explains_its_orphans() -> None:
    unlucky = np.flatnonzero(np.random.default_rng(1).random(TIMES) < 0.4)
    spans = without(repeat(SHOP, TIMES), _of("orders") & pl.col("number").is_in(unlucky.tolist()))
    assert _found(spans) == [("info", "orders", "bank", None, unlucky.size, TIMES, "sampling")]


def test_a_front_end_that_throws_dice_explains_traces_that_begin_with_what_it_calls() -> None:
    unlucky = np.flatnonzero(np.random.default_rng(2).random(TIMES) < 0.7)
    spans = without(repeat(SHOP, TIMES), _of("web") & pl.col("number").is_in(unlucky.tolist()))
    assert _found(spans) == [("info", "web", "orders", None, unlucky.size, TIMES, "sampling")]


def test_throwing_dice_for_single_spans_is_no_sampling_of_traces() -> None:
    unlucky = np.flatnonzero(np.random.default_rng(3).random(TIMES) < 0.4)
    lost = (pl.col("name") == "pay") & pl.col("number").is_in(unlucky.tolist())
    found = _found(without(repeat(SHOP, TIMES), lost))
    assert found == [("warning", "orders", "orders", "in-process", unlucky.size, TIMES, None)]


def test_a_service_that_is_silent_for_a_while_lost_its_export() -> None:
    spans = without(repeat(SHOP, TIMES), _of("orders") & pl.col("number").is_between(80, 99))
    assert _found(spans) == [("info", "orders", "bank", None, 20, TIMES, "lost-export")]


def test_an_instance_that_is_silent_for_a_while_lost_its_export() -> None:
    spans = repeat(SHOP, TIMES)
    instance = pl.when(pl.col("number") % 2 == 0).then(pl.lit("a")).otherwise(pl.lit("b"))
    spans = spans.with_columns(instance.alias("resource.service.instance.id"))
    lost = _of("orders") & pl.col("number").is_between(60, 139) & (pl.col("number") % 2 == 0)
    assert _found(without(spans, lost)) == [("info", "orders", "bank", None, 40, TIMES, "lost-export")]


@pytest.mark.parametrize("cut", ["start", "end"])
def test_a_dump_that_is_cut_explains_what_is_missing_at_its_ends(cut: str) -> None:
    spans = repeat(SHOP, TIMES, every_ms=2)
    first = spans["start_time"].min()
    since = (pl.col("start_time") - pl.lit(first)).dt.total_milliseconds()
    ended = since + pl.col("duration").dt.total_milliseconds()
    outside = since < 100 if cut == "start" else ended > 300
    found = _found(without(spans, outside))
    assert {(row[0], row[6]) for row in found} == {("info", "window")}


def test_a_trace_alone_is_only_worth_to_know() -> None:
    spans = draw("""
        gone
          bank::charge  ====   kind=server
    """)
    assert _found(spans) == [("info", None, "bank", None, 1, 1, None)]


@pytest.mark.parametrize(("gone", "callee"), [("gateway", "orders"), ("orders", "payments")])
def test_nobody_is_named_for_a_service_of_which_no_span_is_left(gone: str, callee: str) -> None:
    spans = tl.read(SAMPLE, progress=False).filter(pl.col("service_name") != gone)
    found = tl.audit(tl.with_tree(spans)).filter(
        pl.col("rule") == "missing-parent", pl.col("service_name") == callee, pl.col("severity") != "info"
    )
    assert found.select("caller", "callee").rows() == [(None, callee)]


LISTS = """
    web::GET /list      ============ kind=server
      web::call         .==========  kind=client
        stock::list     ..========   kind=server
"""
JOB = """
    job::nightly        ============
      job::call         .==========  kind=client
        stock::list     ..========   kind=server
"""
PAYS = """
    web::GET /pay       ============ kind=server
      web::call         .==========  kind=client
        stock::reserve  ..========   kind=server
"""


def _together(*pictures: str) -> pl.DataFrame:
    parts = [repeat(picture, TIMES, seed=seed) for seed, picture in enumerate(pictures, 1)]
    return pl.concat([part.with_columns(pl.col("number") + TIMES * seed) for seed, part in enumerate(parts)])


def test_a_caller_that_is_not_in_the_dump_is_not_taken_for_another_one_that_samples() -> None:
    spans = without(_together(LISTS, JOB, PAYS), _of("job"))
    assert _found(spans) == [("warning", None, "stock", None, TIMES, TIMES, None)]


def test_who_calls_what_nobody_else_calls_is_not_known() -> None:
    spans = without(_together(LISTS, JOB, PAYS, PAYS), _of("web"))
    assert _found(spans) == [("warning", None, "stock", None, 3 * TIMES, 3 * TIMES, None)]

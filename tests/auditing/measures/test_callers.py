"""Whose spans are missing: told where several may be, and not said where nobody can know."""

from __future__ import annotations

import numpy as np
import polars as pl

import tracelab as tl
from tests.auditing.repeating import repeat, without

_TWO_CALLERS = """
    web::GET /pay        ==============================   kind=server
      web::POST          .=============                   kind=client
        orders::pay      ..===========                    kind=server
          orders::POST   ...=========                     kind=client
            bank::charge ....=======                      kind=server
      web::PUT           ................=============    kind=client
        gifts::give      .................===========     kind=server
          gifts::POST    ..................=========      kind=client
            bank::charge ...................=======       kind=server
"""
_JOB = """
    payments::tick       ==========                       kind=consumer
      payments::POST     .========                        kind=client
        reviews::reserve ..======                         kind=server
"""
_PAGE = """
    bff::GET /           ==========================       kind=server
      bff::POST          .=======================         kind=client
        payments::pay    ..=====================          kind=server
          payments::POST ...===================           kind=client
            reviews::reserve ........======               kind=server
      bff::merge         ......===========
"""
_TIMES = 200


def _found(spans: pl.DataFrame) -> list[tuple[object, ...]]:
    found = tl.audit(spans).filter(pl.col("rule") == "missing-parent")
    return sorted(found.select("severity", "caller", "callee", "count", "explanation").rows())


def _unlucky(share: float) -> list[int]:
    return np.flatnonzero(np.random.default_rng(1).random(_TIMES) < share).tolist()


def test_the_caller_that_has_no_span_is_missing_and_not_the_one_that_calls_more_often() -> None:
    lost = _unlucky(0.6)
    spans = without(repeat(_TWO_CALLERS, _TIMES), (pl.col("service_name") == "gifts") & pl.col("number").is_in(lost))
    assert _found(spans) == [("info", "gifts", "bank", len(lost), "sampling")]


def test_a_caller_of_other_traces_is_not_missing_in_these() -> None:
    torn = (pl.col("service_name") == "orders") & (pl.col("kind") == "client") & pl.col("number").is_in(_unlucky(0.4))
    elsewhere = (pl.col("service_name") == "gifts") & (pl.col("number") % 5 > 0)
    no_gifts = (pl.col("number") % 5 > 0) & (pl.col("start_time").dt.millisecond() % 100 == 19)
    spans = without(repeat(_TWO_CALLERS, _TIMES), torn | elsewhere | no_gifts)
    assert [row[:3] for row in _found(spans)] == [("warning", "orders", "bank")]


def test_names_tell_callers_apart_though_another_service_names_every_span_anew() -> None:
    spans = repeat(_TWO_CALLERS, _TIMES)
    refund = (pl.col("service_name") == "bank") & (pl.col("start_time").dt.millisecond() % 100 == 19)
    anew = pl.when(pl.col("service_name") == "web").then(pl.col("name") + pl.col("number").cast(pl.String))
    spans = spans.with_columns(anew.when(refund).then(pl.lit("refund")).otherwise("name").alias("name"))
    lost = (pl.col("service_name") == "gifts") & (pl.col("kind") == "client") & pl.col("number").is_in(_unlucky(0.6))
    assert [row[:3] for row in _found(without(spans, lost))] == [("warning", "gifts", "bank")]


def test_where_other_work_went_on_and_the_usual_caller_is_missing_nobody_is_named() -> None:
    jobs, pages = repeat(_JOB, _TIMES, seed=1), repeat(_PAGE, _TIMES, seed=2)
    seen = pages.filter(pl.col("service_name") != "payments")
    spans = without(pl.concat([jobs, seen]), pl.lit(value=False))
    assert _found(spans) == [("warning", None, "reviews", _TIMES, None)]

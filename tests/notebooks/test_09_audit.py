from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl
import pytest

import tracelab as tl
from tests.notebooks import conftest

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOK = "09_audit"
says, shows, runs = (partial(each, NOTEBOOK) for each in (conftest.says, conftest.shows, conftest.runs))


@pytest.fixture(scope="module")
def found(shop: pl.DataFrame) -> pl.DataFrame:
    """What the audit finds in the shop."""
    return tl.audit(shop)


@pytest.fixture(scope="module")
def whole(shop: pl.DataFrame) -> pl.DataFrame:
    """The shop with the traces joined that surely belong together."""
    return tl.repair_splits(shop)


@pytest.fixture(scope="module")
def score(shop: pl.DataFrame) -> pl.DataFrame:
    """The Instrumentation Score of the shop's services."""
    return tl.instrumentation_score(shop)


def test_one_edge_is_red_and_it_is_a_service_s_own(found: pl.DataFrame) -> None:
    says("One edge is red, and it leads from `recommender` to itself.")
    errors = found.filter(severity="error")
    assert errors.select("rule", "service_name", "count", "out_of").rows() == [
        ("lost-in-process", "recommender", 373, 373)
    ]
    shows("error | lost-in-process | 1 | 1 | 373 |")


def test_the_context_is_lost_on_the_way_into_the_thread_pool(found: pl.DataFrame, shop: pl.DataFrame) -> None:
    says("all 373 times `rank_products` is the root of a trace of its own")
    ranked = shop.filter(name="rank_products")
    assert (ranked.height, ranked["parent_span_id"].null_count()) == (373, 373)
    says("The fix is one for Python, since that is what the service is written in.")
    shows("ThreadingInstrumentor", "rank_products")
    assert "contextvars" in found["fix"][0]


def test_sampling_explains_what_looks_like_lost_context(found: pl.DataFrame, shop: pl.DataFrame) -> None:
    says("The `mailer` has 214 spans that name a parent which is in no trace.")
    says("`fulfilment`, which samples by a ratio of its own, so that it is absent from these traces altogether")
    explained = found.drop_nulls("explanation")
    assert explained.select("rule", "severity", "explanation", "caller", "callee", "count").rows() == [
        ("missing-parent", "info", "sampling", "fulfilment", "mailer", 214)
    ]
    present = shop.filter(service_name="fulfilment")["trace_id"].unique()
    orphans = shop.filter(
        pl.col("parent_span_id").is_not_null()
        & ~pl.struct("trace_id", pl.col("parent_span_id").alias("span_id")).is_in(
            shop.select(pl.struct("trace_id", "span_id")).to_series().implode()
        )
    )
    assert set(orphans["service_name"]) == {"mailer"}
    assert orphans.height == 214
    assert not orphans["trace_id"].is_in(present.implode()).any()


def test_work_that_nobody_waits_for_is_no_fault(found: pl.DataFrame) -> None:
    says("27 times `payments` went on after the call of `orders` had ended, and 24 times `recommender` after that")
    late = found.filter(rule="child-outside-parent")
    assert set(late["severity"]) == {"info"}
    edges = {(caller, callee): count for caller, callee, count in late.select("caller", "callee", "count").rows()}
    assert (edges["orders", "payments"], edges["gateway", "recommender"]) == (27, 24)


def test_the_clock_that_is_behind_is_found(found: pl.DataFrame) -> None:
    (skew,) = found.filter(rule="clock-skew").rows(named=True)
    assert (skew["detail"], skew["count"], skew["out_of"]) == ("catalogue-2", 471, 527)
    shows("The clock of 'catalogue-2' is 39.1 ms (37.5 ms to 40.8 ms) behind")
    says("It was set 40 ms behind")


def test_required_attributes_that_no_span_has_often_have_an_old_name(shop: pl.DataFrame) -> None:
    coverage = tl.attribute_coverage(shop)
    missing = coverage.filter((pl.col("level") == "required") & (pl.col("share") == 0))
    old, rest = missing.drop_nulls("old_name"), missing.filter(pl.col("old_name").is_null())
    assert (old["carried_old"] == old["spans"]).all()
    assert old.height == 8
    assert set(rest["attribute"]) == {"messaging.operation.name", "gen_ai.operation.name"}
    says("In 8 of 13 rows all spans have the old name.")
    assert missing.height == 13
    shows("| db.system.name | 12,927 | 0 | db.system | 12,927 |")


def test_old_names_are_gone_once_they_are_renamed(shop: pl.DataFrame) -> None:
    says("The warnings about names are gone.")
    rules = set(tl.audit(tl.modernise(shop)).filter(pl.col("severity") != "info")["rule"])
    assert rules == {"lost-in-process", "clock-skew"}


def test_a_perfect_score_does_not_see_lost_context(score: pl.DataFrame) -> None:
    says("`recommender` has 100 points, and loses the context of every request.")
    says("Traces show seven or eight of the 19 rules")
    services = score.unique("service_name")
    assert dict(services.select("service_name", "score").rows())["recommender"] == 100
    assert set(services["assessed"]) == {7, 8}
    assert services["incomplete"].all()
    assert score.group_by("service_name").len()["len"].unique().to_list() == [19]


def test_what_fails_is_little(score: pl.DataFrame) -> None:
    says("three services do not say which instance they are, and the `mailer` has parents that are missing")
    failed = score.filter(result="failed").sort("rule", "service_name").select("rule", "service_name").rows()
    assert failed == [
        ("RES-001", "gateway"),
        ("RES-001", "orders"),
        ("RES-001", "payments"),
        ("SPA-002", "mailer"),
    ]


def test_traces_are_joined_where_that_is_sure(shop: pl.DataFrame, whole: pl.DataFrame) -> None:
    joined = whole.filter(pl.col("joined") & (pl.col("name") == "rank_products"))
    says("It joins 273 of the 373, the ones that can belong to one request only")
    assert joined.height == 273
    says("The trace of such a request has 22 or 23 spans, of which 5 were to be seen before.")
    after, before = (
        tl.trace_summary(frame).filter(pl.col("trace_id").is_in(joined["trace_id"].implode()))
        for frame in (whole, shop)
    )
    assert (set(after["spans"]), set(before["spans"])) == ({22, 23}, {5})
    assert shop["trace_id"].n_unique() - whole["trace_id"].n_unique() == 273


def test_the_command_that_is_named_is_one(sample_data: Path) -> None:
    says("`tracelab audit sample_data/shop.otlp.jsonl.gz` prints the findings and what to do about each")
    assert (sample_data / "shop.otlp.jsonl.gz").exists()

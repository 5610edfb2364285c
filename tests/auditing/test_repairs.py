"""Traces that are joined: only where it is sure, wholly, and so that it can be taken back."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracelab as tl
from tests.auditing.rules.splits.systems import MS, Group, System, cut
from tests.strategies import span_frames
from tracelab.synthetic import draw

SHOP = Path(__file__).parents[2] / "sample_data" / "shop.otlp.jsonl.gz"
ADDED = ["joined", "original_trace_id"]
TREE = ["depth", "tree_left", "tree_right", "entry"]


@cache
def shop() -> pl.DataFrame:
    if not SHOP.exists():
        pytest.skip("The sample is not beside these tests.")
    return tl.read(SHOP, progress=False)


def split(*, seed: int = 1, count: int = 200, strangers: int = 0, seconds: float = 60) -> System:
    """Make a shop that calls a bank, and a bank that goes on in traces of its own."""
    system = System(seed)
    requests = system.add(
        "shop", "POST /pay", "server", system.times(count, seconds=seconds), system.lengths(count, ms=30) + 8 * MS
    )
    called = calls(system, requests)
    charged = system.add("bank", "POST /charge", "server", *system.within(called))
    system.add("bank", "debit", "internal", *system.within(charged, ms=0.5), below=charged)
    system.add(
        "bank", "POST /charge", "server", system.times(strangers, seconds=seconds), system.lengths(strangers, ms=8)
    )
    return system


def calls(system: System, requests: Group) -> Group:
    attributes = {"span.server.address": "bank", "span.http.request.method": "POST"}
    return system.add("shop", "POST", "client", *system.within(requests, ms=2), below=requests, attributes=attributes)


def test_what_belongs_together_is_one_trace_again() -> None:
    spans = split().spans()
    repaired = tl.repair_splits(spans)
    joined = repaired.filter("joined")
    assert joined.height >= 0.9 * 400
    assert repaired["trace_id"].n_unique() == spans["trace_id"].n_unique() - joined.height / 2
    assert set(joined["name"]) == {"POST /charge", "debit"}
    assert joined["original_trace_id"].null_count() == 0
    assert repaired.filter(~pl.col("joined"))["original_trace_id"].count() == 0
    above = joined.filter(name="POST /charge").join(
        repaired, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], suffix="_above"
    )
    assert set(above["name_above"]) == {"POST"}
    assert above.height == joined.height / 2
    assert joined["depth"].min() == 2


@pytest.mark.parametrize(
    ("caller", "callee"), [("gateway", "orders"), ("orders", "payments"), ("gateway", "catalogue")]
)
def test_what_was_cut_is_joined_as_it_was_and_never_wrongly(caller: str, callee: str) -> None:
    spans, lost = cut(shop(), caller, callee)
    found = tl.repair_splits(spans).filter("joined").join(lost, on="span_id", suffix="_before")
    assert found.height >= 0.4 * lost.height
    assert (found["trace_id"] == found["trace_id_before"]).all()
    assert (found["parent_span_id"] == found["parent_span_id_before"]).all()


def test_many_strangers_make_it_doubtful_and_the_doubtful_stays_as_it_is() -> None:
    spans = split(strangers=200_000).spans()
    assert not tl.repair_splits(spans)["joined"].any()


def test_calls_that_nobody_answers_get_nothing_from_strangers() -> None:
    system = System(2)
    requests = system.add("shop", "POST /pay", "server", system.times(400, seconds=60), system.lengths(400, ms=30))
    calls(system, requests)
    system.add("bank", "POST /charge", "server", system.times(2_000, seconds=60), system.lengths(2_000, ms=8))
    assert not tl.repair_splits(system.spans())["joined"].any()


def test_work_that_a_thread_pool_lost_gets_back_below_its_request() -> None:
    repaired = tl.repair_splits(shop()).filter("joined")
    roots = repaired.filter(name="rank_products")
    assert roots.height > 200
    assert roots["parent_span_id"].null_count() == 0
    assert set(repaired["service_name"]) == {"recommender", "catalogue"}


def test_nothing_else_is_altered() -> None:
    spans = shop()
    repaired = tl.repair_splits(spans)
    assert repaired.columns == [*spans.columns, *ADDED]
    changed = [*TREE, "trace_id", "parent_span_id", *ADDED]
    assert repaired.drop(changed).equals(spans.drop(changed[:-2]))
    assert (
        repaired.filter(~pl.col("joined"))
        .select("span_id", "trace_id", "parent_span_id")
        .equals(spans.filter(~repaired["joined"]).select("span_id", "trace_id", "parent_span_id"))
    )
    assert tl.with_tree(repaired).equals(repaired)


def test_to_repair_twice_changes_nothing_more_and_what_comes_later_is_joined_too() -> None:
    spans = split().spans().sort("start_time", "span_id")
    repaired = tl.repair_splits(spans)
    assert tl.repair_splits(repaired).equals(repaired)
    half = tl.repair_splits(spans.head(300))
    later = pl.concat([half.drop(TREE), spans.slice(300).drop(TREE)], how="diagonal")
    again = tl.repair_splits(later).sort("start_time", "span_id")
    assert again.select(repaired.columns).equals(repaired)


def test_a_lazy_frame_stays_one() -> None:
    spans = split().spans()
    lazy = tl.repair_splits(spans.lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect_schema() == lazy.collect().schema
    assert lazy.collect().equals(tl.repair_splits(spans))


def test_a_span_id_that_is_there_already_keeps_traces_apart() -> None:
    spans = split().spans()
    taken = spans.filter(name="POST")["span_id"][0]
    clashing = spans.with_columns(span_id=pl.when(pl.col("name") == "debit").then(pl.lit(taken)).otherwise("span_id"))
    repaired = tl.repair_splits(tl.with_tree(clashing))
    assert not repaired.select("trace_id", "span_id").filter(pl.col("span_id") == taken).is_duplicated().any()


@given(span_frames())
@settings(max_examples=30)
def test_few_spans_are_never_joined_and_keep_all_they_have(spans: pl.DataFrame) -> None:
    repaired = tl.repair_splits(spans)
    assert repaired.drop(ADDED).equals(tl.repair_splits(repaired).drop(ADDED))
    assert not repaired["joined"].any()
    assert repaired.drop(ADDED).equals(spans)


@given(st.integers(0, 2**16), st.integers(30, 200), st.sampled_from([0, 100, 1000]))
@settings(max_examples=10, deadline=None)
def test_what_is_joined_lies_within_the_call_that_it_is_joined_to(seed: int, count: int, strangers: int) -> None:
    spans = split(seed=seed, count=count, strangers=strangers).spans()
    repaired = tl.repair_splits(spans)
    roots = repaired.filter("joined", name="POST /charge")
    above = roots.join(
        repaired, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], suffix="_above"
    )
    assert above.height == roots.height
    assert (above["start_time"] >= above["start_time_above"]).all()
    # Spans count up in the order in which they were added: each call belongs to the charge that is as many behind.
    behind = above.select(
        pl.col("span_id").str.to_integer(base=16) - pl.col("parent_span_id").str.to_integer(base=16)
    ).to_series()
    assert (behind != count).sum() <= 0.02 * count


def test_no_spans_stay_none() -> None:
    assert tl.repair_splits(draw("api =").clear()).height == 0

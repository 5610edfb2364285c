"""Planted faults: each leaves its mark in the spans, and the truth says where."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tests.auditing.planted import faults_of
from tracelab.workload.planting import FAULTS, TRUTH


def planted(kind: str, seeds: range = range(5)) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """Draw systems with one fault, where there is room for it."""
    drawn = [tl.synthetic.generate_system(seed, traces=160, faults={kind: 1}) for seed in seeds]
    return [(spans, truth) for spans, truth in drawn if truth.height]


@pytest.mark.parametrize("kind", FAULTS)
def test_every_kind_is_planted_and_told(kind: str) -> None:
    found = planted(kind)
    assert found
    for spans, truth in found:
        row = truth.row(0, named=True)
        assert truth.schema == TRUTH
        assert row["kind"] == kind
        assert row["rules"]
        assert set(row["services"]) <= {*spans["service_name"].unique()} | {row["service_name"]}
        assert set(row["span_ids"]) <= {*spans["span_id"]}
        if row["findable"]:
            assert row["count"] >= 5


def test_nobody_expects_an_error_type_under_names_from_before_there_was_one() -> None:
    faults = {"error-without-type": 1, "old-attribute-names": 3}
    told = set()
    for seed in range(15):
        spans, truth = tl.synthetic.generate_system(seed, traces=150, faults=faults)
        for fault in truth.filter(kind="error-without-type").to_dicts():
            new = spans.filter(pl.col("span_id").is_in(fault["span_ids"]))["span.http.request.method"].is_not_null()
            assert fault["severity"] == "warning" or not new.any()
            told.add(fault["severity"])
    assert told == {"warning", "info"}


def test_that_all_callees_take_over_the_ids_of_their_callers_is_only_worth_to_know() -> None:
    spans, truth = tl.synthetic.generate_system(300_054, faults=faults_of(300_054))
    shared = truth.filter(kind="shared-span-id")
    assert shared["severity"].to_list() == ["info"]
    servers = spans.filter((pl.col("kind") == "server") & pl.col("parent_span_id").is_not_null())
    clients = spans.filter(kind="client")
    assert servers.join(clients, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"]).is_empty()


def test_up_to_three_of_a_kind_have_places_of_their_own() -> None:
    for seed in range(4):
        _, truth = tl.synthetic.generate_system(seed, faults=dict.fromkeys(FAULTS, 3))
        edges = truth.filter(pl.col("caller").is_not_null())
        assert edges.select("caller", "callee").is_unique().all()
        assert truth.group_by("kind").len()["len"].max() == 3


def test_lost_context_makes_roots_of_the_callee() -> None:
    for spans, truth in planted("context-lost-http"):
        fault = truth.row(0, named=True)
        roots = spans.filter(
            pl.col("parent_span_id").is_null()
            & (pl.col("kind") == "server")
            & pl.col("span_id").is_in(fault["span_ids"])
        )
        assert set(roots["service_name"]) == {fault["callee"]}
        assert roots.height == fault["count"]


def test_context_lost_over_a_queue_leaves_neither_parent_nor_link() -> None:
    for spans, truth in planted("context-lost-queue", range(20)):
        consumers = spans.filter((pl.col("kind") == "consumer") & pl.col("parent_span_id").is_null())
        assert (consumers.filter(pl.col("links").list.len() == 0).height) == truth["count"][0]


def test_spans_that_are_not_exported_are_named_by_their_children() -> None:
    for kind in ("own-sampling", "lost-export", "parent-not-exported", "window-cut"):
        for spans, truth in planted(kind):
            known = spans.select("trace_id", parent_span_id="span_id")
            orphans = spans.filter(pl.col("parent_span_id").is_not_null()).join(
                known, on=["trace_id", "parent_span_id"], how="anti"
            )
            assert orphans.height == truth["count"][0]


def test_a_wrong_clock_moves_spans_and_their_events_alike() -> None:
    for spans, truth in planted("clock-skew", range(6)):
        seed_free = spans.explode("events").filter(pl.col("events").is_not_null())
        when = seed_free["events"].struct.field("time")
        assert ((when >= seed_free["start_time"]) & (when <= seed_free["start_time"] + seed_free["duration"])).all()
        assert truth["count"][0] >= 8


def test_what_was_exported_twice_is_there_twice_and_alike() -> None:
    for spans, truth in planted("exported-twice", range(6)):
        twice = spans.group_by("trace_id", "span_id").agg(pl.len(), pl.col("start_time").n_unique().alias("starts"))
        assert twice.filter(pl.col("len") == 2).height == truth["count"][0]
        assert twice["starts"].max() == 1


def test_trace_ids_go_wrong_in_the_ways_that_are_planted() -> None:
    for spans, truth in planted("short-trace-id", range(6)):
        short = spans.filter(pl.col("trace_id").str.starts_with("0" * 16))
        assert short["trace_id"].n_unique() == truth["count"][0]
    for spans, truth in planted("reused-trace-id", range(6)):
        roots = spans.filter(pl.col("parent_span_id").is_null()).group_by("trace_id").len()
        assert roots.filter(pl.col("len") > 1)["len"].sum() == truth["count"][0]


def test_a_fault_that_is_not_wanted_changes_nothing_else() -> None:
    clean, _ = tl.synthetic.generate_system(5)
    spans, truth = tl.synthetic.generate_system(5, faults={"secret-in-attributes": 1})
    assert truth.height == 1
    assert spans["span_id"].equals(clean["span_id"])
    assert spans.select(clean.columns[:10]).equals(clean.select(clean.columns[:10]))

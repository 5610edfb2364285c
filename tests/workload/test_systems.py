"""Random systems: the same for the same seed, legal where nothing is planted, and unlike each other."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tracelab.errors import TracelabError
from tracelab.schema import SPAN_SCHEMA, is_attribute

SEEDS = range(6)


@pytest.fixture(scope="module", params=SEEDS)
def clean(request: pytest.FixtureRequest) -> pl.DataFrame:
    spans, truth = tl.synthetic.generate_system(request.param)
    assert truth.is_empty()
    return spans


def test_the_same_seed_draws_the_same_system() -> None:
    (spans, truth), (again, same) = (
        tl.synthetic.generate_system(3, faults={"context-lost-http": 1, "double-instrumentation": 1}) for _ in range(2)
    )
    assert spans.equals(again)
    assert truth.equals(same)
    assert not spans.equals(tl.synthetic.generate_system(4)[0])


def test_a_system_is_a_span_frame(clean: pl.DataFrame) -> None:
    assert all(clean.schema[name] == dtype for name, dtype in SPAN_SCHEMA.items())
    assert all(name in SPAN_SCHEMA or is_attribute(name) for name in clean.columns)
    assert tl.conform(clean).equals(clean)


def test_systems_have_3_to_12_services_and_a_browser_at_the_most() -> None:
    drawn = [tl.synthetic.generate_system(seed, traces=60)[0] for seed in range(40)]
    counts = [spans["service_name"].n_unique() for spans in drawn]
    languages = {language for spans in drawn for language in spans["resource.telemetry.sdk.language"].unique()}
    assert min(counts) >= 2  # one of three may not be reached by 60 requests
    assert max(counts) <= 14
    assert {"python", "java", "nodejs", "go", "dotnet", "ruby", "webjs"} <= languages
    assert any((spans["links"].list.len() > 0).any() for spans in drawn)
    assert {"http", "grpc", "queue"} <= {hop for spans in drawn for hop in _hops(spans)}


def test_in_a_clean_system_every_parent_is_there_and_every_id_is_unique(clean: pl.DataFrame) -> None:
    known = clean.select("trace_id", "span_id")
    children = clean.filter(pl.col("parent_span_id").is_not_null())
    orphans = children.join(known, left_on=["trace_id", "parent_span_id"], right_on=["trace_id", "span_id"], how="anti")
    assert orphans.is_empty()
    assert known["span_id"].n_unique() == clean.height
    assert clean.filter(tl.schema.is_root()).height == clean["trace_id"].n_unique()


def test_in_a_clean_system_a_call_arrives_after_it_was_made(clean: pl.DataFrame) -> None:
    pairs = clean.join(
        clean.select("trace_id", "span_id", above="start_time"),
        left_on=["trace_id", "parent_span_id"],
        right_on=["trace_id", "span_id"],
    )
    assert (pairs["start_time"] >= pairs["above"]).all()


def test_in_a_clean_system_status_code_and_type_of_errors_agree(clean: pl.DataFrame) -> None:
    failed = pl.col("status_code") == "error"
    assert (clean["span.error.type"].is_not_null() == clean.select(failed).to_series()).all()
    if "span.http.response.status_code" in clean.columns:
        broken = clean.filter(pl.col("span.http.response.status_code") >= 500)
        assert (broken["status_code"] == "error").all()
    raised = clean.filter(pl.col("events").list.eval(pl.element().struct.field("name") == "exception").list.any())
    assert (raised["status_code"] == "error").all()


def test_in_a_clean_system_consumers_have_a_parent_or_a_link(clean: pl.DataFrame) -> None:
    consumers = clean.filter(pl.col("kind") == "consumer")
    assert ((consumers["parent_span_id"].is_not_null()) != (consumers["links"].list.len() > 0)).all()


def test_in_a_clean_system_thresholds_of_sampling_hold() -> None:
    for seed in range(40):
        spans, _ = tl.synthetic.generate_system(seed, traces=40)
        state = spans["trace_state"].drop_nulls()
        if state.len():
            threshold = state[0].removeprefix("ot=th:").ljust(14, "0")
            assert (spans["trace_id"].str.slice(18) >= threshold).all()


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(TracelabError, match="no kind of fault 'gremlins'"):
        tl.synthetic.generate_system(faults={"gremlins": 1})
    with pytest.raises(TracelabError, match="traces"):
        tl.synthetic.generate_system(traces=0)


def _hops(spans: pl.DataFrame) -> set[str]:
    keys = {"http": "span.http.route", "grpc": "span.rpc.method", "queue": "span.messaging.system"}
    return {hop for hop, key in keys.items() if key in spans.columns}

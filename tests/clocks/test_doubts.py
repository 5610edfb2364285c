"""Answers warn where clocks are further apart than what they tell, once, and never where they are not."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.clocks.made import MILLISECOND, made_calls
from tracelab.schema import DURATION
from tracelab.synthetic import draw, generate, generate_system

if TYPE_CHECKING:
    from collections.abc import Callable

EDGES = [("web-1", "pay-1"), ("web-1", "cart-1"), ("pay-1", "bank-1")]
ANSWERS: dict[str, Callable[[Any], Any]] = {
    "critical_path": tl.critical_path,
    "critical_path by jaeger": lambda spans: tl.critical_path(spans, method="jaeger"),
    "critical_path_profile": tl.critical_path_profile,
    "critical_services": tl.critical_services,
    "gaps": tl.gaps,
    "trace_diff": lambda spans: tl.trace_diff(spans, spans, resamples=20),
    "what_if": lambda spans: tl.what_if(spans, pl.col("depth") > 0, factor=0.5, resamples=20),
    "optimise": lambda spans: tl.optimise(spans, resamples=20),
    "with_slack": tl.with_slack,
    "root_causes": lambda spans: tl.root_causes(spans, spans),
    "with_self_time": tl.with_self_time,
    "with_self_time of a lazy frame": lambda spans: tl.with_self_time(spans.lazy()).collect(),
    "plot_gaps": tl.plot_gaps,
    "plot_trace_diff": lambda spans: tl.plot_trace_diff(spans, spans, resamples=20),
}
EVERY = pytest.mark.parametrize("name", ANSWERS)


def said(answer: Callable[[Any], Any], spans: Any) -> list[str]:
    """Give what an answer warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer(spans)
    assert all(warning.category is tl.SkewWarning for warning in caught)
    assert all(warning.filename == __file__ for warning in caught)
    return [str(warning.message) for warning in caught]


@EVERY
def test_an_answer_warns_once_and_says_what_to_do(name: str) -> None:
    spans = made_calls(EDGES, ahead={"pay-1": -40 * MILLISECOND})
    (text,) = said(ANSWERS[name], spans)
    assert re.match(r"The clock of 'pay-1' is 39(\.\d)? ms to 4\d(\.\d)? ms behind that of '(web|bank)-1', so", text)
    assert "20 of 20 calls looked at lie outside" in text
    assert "And 1 more pair of hosts." in text
    assert "correct_skew(spans)" in text
    assert said(ANSWERS[name], tl.correct_skew(spans)) == []


@EVERY
@pytest.mark.parametrize("ahead", [0, 20_000])
def test_clocks_that_are_close_enough_are_no_matter(name: str, ahead: int) -> None:
    assert said(ANSWERS[name], made_calls(EDGES, ahead={"pay-1": ahead})) == []


def test_only_one_bound_is_at_least() -> None:
    late = made_calls([("web-1", "m-1")], kinds=("producer", "consumer"), ahead={"m-1": -500 * MILLISECOND})
    (text,) = said(tl.critical_path, late)
    assert text.startswith("The clock of 'm-1' is at least 4")


@pytest.mark.parametrize("seed", range(8))
def test_generated_systems_with_right_clocks_are_not_doubted(seed: int) -> None:
    spans, _ = generate_system(100 + seed, traces=120)
    assert said(tl.critical_path, spans) == []


def test_generated_traces_are_not_doubted() -> None:
    assert said(tl.critical_path, generate(20_000, seed=5)) == []


def test_work_that_goes_on_and_calls_that_time_out_are_no_skew() -> None:
    spans = draw("\n".join(["""
    web::GET      ====          kind=client
      pay::do     .==========   kind=server
        pay::log  ...=========
      mail::send  ..=           kind=producer
        mail::got ......====    kind=consumer
    """] * 9))  # fmt: skip
    assert said(tl.critical_path, spans) == []


def test_two_calls_are_no_evidence() -> None:
    assert said(tl.critical_path, made_calls([("web-1", "pay-1")], times=2, ahead={"pay-1": 10**9})) == []


def test_names_that_would_act_on_a_terminal_do_not() -> None:
    spans = made_calls([("web-1", "pay-1")], ahead={"pay-1": 10**9})
    evil = spans.with_columns(pl.col("resource.host.name") + "\x1b[31m\n" + "x" * 500)
    (text,) = said(tl.critical_path, evil)
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) < 500


def test_of_many_calls_some_are_looked_at() -> None:
    spans = generate(200_000, seed=2, spans_per_trace=50)
    hosts = spans["resource.host.name"].unique().sort()
    later = pl.col("start_time") + pl.duration(milliseconds=90)
    moved = pl.when(pl.col("resource.host.name") == hosts[0]).then(later).otherwise("start_time")
    (text,) = said(tl.critical_path, tl.with_tree(spans.with_columns(moved.cast(pl.Datetime("ns", "UTC")))))
    assert f"The clock of {hosts[0]!r} is 8" in text


def test_a_clock_that_was_set_meanwhile_is_doubted_too() -> None:
    """No single offset is wrong most of the time then, so that no pair of hosts is skewed as a whole."""
    off, right = made_calls(EDGES[:1], times=200, ahead={"pay-1": 40 * MILLISECOND}), made_calls(EDGES[:1], times=200)
    early = pl.col("trace_id").str.tail(16) < f"{40:016x}"
    spans = pl.concat([off.filter(early), right.filter(~early)])
    (text,) = said(tl.critical_path, spans)
    assert re.match(
        r"The clock of 'pay-1' or that of 'web-1' has drifted, or was set, by (39|4\d)(\.\d)? ms meanwhile", text
    )
    assert "No single offset" in text


def test_calls_that_now_and_then_go_on_after_their_callers_are_no_drift() -> None:
    """A background job of another host, of kind internal, which nobody waits for."""
    rng = np.random.default_rng(3)
    spans = made_calls([("web-1", "job-1")], times=300, kinds=("internal", "internal"))
    longer = pl.Series(np.where(rng.random(spans.height) < 0.5, rng.integers(0, 200 * MILLISECOND, spans.height), 0))
    below = pl.col("parent_span_id").is_not_null()
    jobs = spans.with_columns(pl.when(below).then(pl.col("duration") + longer.cast(DURATION)).otherwise("duration"))
    assert tl.clock_skew(jobs)["drift"].null_count() == 1
    assert said(tl.correct_skew, jobs) == []

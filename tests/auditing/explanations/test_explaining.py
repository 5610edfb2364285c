"""What explains spans that are missing: each explanation is given where it is so, and not where it is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from tests.auditing.repeating import repeat, without
from tracelab.auditing.evidence import Evidence
from tracelab.auditing.explanations.explaining import EXPLANATIONS, explained
from tracelab.auditing.rules.structure.missing_parents import exposed

TIMES = 200
SHOP = """
    web::GET /pay        ====================   kind=server
      web::POST          .==================    kind=client
        orders::pay      ..===============      kind=server
          orders::POST   ...=============       kind=client
            bank::charge ....==========         kind=server
          orders::PUT    ...............=       kind=client
            mail::send   ...............=       kind=server
"""
ORDERS = pl.col("service_name") == "orders"
CALLS_OF_THE_BANK = ORDERS & (pl.col("name") == "POST")


def _explained(spans: pl.DataFrame, lost: pl.Expr) -> dict[str | None, int]:
    """Count the orphans by what explains them."""
    evidence = Evidence(without(spans, lost))
    exposures = exposed(evidence, np.flatnonzero(evidence.orphan))
    number = explained(evidence, exposures)[exposures.absent]
    return {EXPLANATIONS[one]: int((number == one).sum()) for one in np.unique(number).tolist()}


def _dice(share: float, *, seed: int = 0) -> pl.Expr:
    unlucky: npt.NDArray[np.int64] = np.flatnonzero(np.random.default_rng(seed).random(TIMES) < share)
    return pl.col("number").is_in(unlucky.tolist())


def _below(ratio: float) -> pl.Expr:
    """Mark the traces that a sampler by ratio drops: it compares the lower half of their ids."""
    low = pl.col("trace_id").str.slice(16).str.to_integer(base=16, dtype=pl.UInt64)
    return low >= int(ratio * 2**64)


@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.95])
def test_a_service_that_records_traces_by_a_ratio_of_their_ids_samples(ratio: float) -> None:
    assert set(_explained(repeat(SHOP, TIMES), ORDERS & _below(ratio))) == {"sampling"}


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_service_that_throws_dice_for_whole_traces_samples(share: float) -> None:
    assert set(_explained(repeat(SHOP, TIMES), ORDERS & _dice(share))) == {"sampling"}


def test_spans_that_are_always_missing_are_not_sampled() -> None:
    assert _explained(repeat(SHOP, TIMES), ORDERS) == {None: 2 * TIMES}
    assert _explained(repeat(SHOP, TIMES), CALLS_OF_THE_BANK) == {None: TIMES}


def test_spans_that_are_missing_in_traces_in_which_their_service_has_others_are_not_sampled() -> None:
    assert set(_explained(repeat(SHOP, TIMES), CALLS_OF_THE_BANK & _dice(0.5))) == {None}


def test_calls_that_are_always_missing_beside_others_that_are_sampled_stay_unexplained() -> None:
    job = """
        orders::nightly  =======   kind=internal
          orders::POST   .=====    kind=client
            bank::settle ..===     kind=server
    """
    both = pl.concat([repeat(SHOP, TIMES, seed=1), repeat(job, TIMES, seed=2).with_columns(pl.col("number") + TIMES)])
    is_job = pl.col("number") >= TIMES
    found = _explained(both, ORDERS & (is_job | _dice(0.3)))
    assert found[None] == TIMES
    assert set(found) == {None, "sampling"}


@pytest.mark.parametrize("end", ["first", "last"])
def test_what_is_missing_near_an_end_of_the_dump_lies_outside_of_its_window(end: str) -> None:
    spans = repeat(SHOP, TIMES, every_ms=2)
    since = (pl.col("start_time") - pl.lit(spans["start_time"].min())).dt.total_milliseconds()
    until = since + pl.col("duration").dt.total_milliseconds()
    assert set(_explained(spans, since < 100 if end == "first" else until > 300)) == {"window"}


def test_what_is_missing_all_along_is_not_explained_by_the_window_at_its_ends_either() -> None:
    spans = repeat(SHOP, TIMES, every_ms=2)
    assert set(_explained(spans, CALLS_OF_THE_BANK & (pl.col("number") % 2 == 0))) == {None}


def test_what_is_missing_in_the_middle_lies_inside_of_the_window() -> None:
    spans = repeat(SHOP, TIMES, every_ms=2)
    assert "window" not in _explained(spans, ORDERS & pl.col("number").is_between(90, 110))


def test_all_that_is_missing_while_its_service_is_silent_was_lost_on_export() -> None:
    assert _explained(repeat(SHOP, TIMES), ORDERS & pl.col("number").is_between(80, 99)) == {"lost-export": 40}


def test_one_instance_that_is_silent_while_others_go_on_lost_its_export() -> None:
    spans = repeat(SHOP, TIMES)
    instance = pl.when(pl.col("number") % 3 == 0).then(pl.lit("a")).otherwise(pl.lit("b"))
    spans = spans.with_columns(instance.alias("resource.service.instance.id"))
    lost = ORDERS & pl.col("number").is_between(60, 149) & (pl.col("number") % 3 == 0)
    assert _explained(spans, lost) == {"lost-export": 60}


@pytest.mark.parametrize("every", [5, 20])
def test_what_is_missing_now_and_then_was_not_lost_in_one_export(every: int) -> None:
    assert "lost-export" not in _explained(repeat(SHOP, TIMES), ORDERS & (pl.col("number") % every == 0))


def test_spans_of_one_kind_that_are_missing_for_a_while_are_not_a_lost_export() -> None:
    """While its other spans arrive, a service is not silent."""
    assert set(_explained(repeat(SHOP, TIMES), CALLS_OF_THE_BANK & pl.col("number").is_between(80, 99))) == {None}


def test_a_service_that_sends_spans_no_more_and_one_that_samples_are_told_apart() -> None:
    spans = repeat(SHOP, TIMES)
    web = pl.col("service_name") == "web"
    found = _explained(spans, (ORDERS & pl.col("number").is_between(80, 99)) | (web & _dice(0.5, seed=3)))
    assert set(found) == {"lost-export", "sampling"}


def test_nothing_is_explained_where_nothing_is_missing() -> None:
    assert _explained(repeat(SHOP, 5), pl.lit(value=False)) == {}

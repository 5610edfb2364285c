from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tests.checking.drawn import SHOP, many
from tracelab.conforming import with_tree
from tracelab.synthetic import draw


def checked(after: pl.DataFrame, before: pl.DataFrame, rule: str, **options: Any) -> tuple[str, str]:
    found = tl.check(after, rule, baseline=before, **options)
    return found["verdict"].item(), found["message"].item()


def copies(text: str, number: int) -> pl.DataFrame:
    one = draw(text)
    return with_tree(pl.concat([one.with_columns(trace_id=pl.lit(f"{place:032}")) for place in range(number)]))


PLAIN = "web::GET / ==== kind=server"
CALLS = "web::GET / ==== kind=server\n  pay::charge .== kind=server"
FAILS = "web::GET / ====! kind=server exception.type=Boom"


def test_a_call_that_is_in_all_traces_and_was_in_none_is_new() -> None:
    verdict, message = checked(copies(CALLS, 20), copies(PLAIN, 20), "no_new_edges")
    assert verdict == "fails"
    assert message.startswith(
        "1 call that the baseline has not, 1 of them by more than chance: web -> pay (in 20 traces)"
    )
    assert checked(copies(PLAIN, 20), copies(CALLS, 20), "no_new_edges")[0] == "holds"


def test_a_rare_call_may_have_been_missed_by_a_small_baseline() -> None:
    after = with_tree(pl.concat([copies(PLAIN, 300), copies(CALLS, 1).with_columns(trace_id=pl.lit("f" * 32))]))
    verdict, message = checked(after, copies(PLAIN, 10), "no_new_edges")
    assert verdict == "cannot tell"
    assert "none of them by more than chance" in message
    assert checked(after, copies(PLAIN, 10), "no_new_edges", confidence=None)[0] == "fails"


def test_a_kind_of_failure_that_was_not_there_is_new() -> None:
    verdict, message = checked(copies(FAILS, 20), copies(PLAIN, 20), "no_new_errors")
    assert verdict == "fails"
    assert "web::GET / Boom (in 20 traces)" in message
    assert checked(copies(FAILS, 20), copies(FAILS, 20), "no_new_errors")[0] == "holds"
    assert checked(SHOP, SHOP, 'no_new_errors(service="bank")')[0] == "holds"


def test_slower_by_far_fails_and_as_fast_as_before_holds() -> None:
    chance = random.Random(1)
    before = many([chance.uniform(9, 11) for _ in range(300)])
    slower = many([chance.uniform(14, 16) for _ in range(300)])
    verdict, message = checked(slower, before, 'not_slower(than=baseline, by="10%")')
    assert verdict == "fails"
    assert "of web::GET / went from" in message
    assert "the clearest of 2 figures" in message
    assert checked(before, slower, 'not_slower(by="10%")')[0] == "holds"
    assert checked(slower, before, 'not_slower(by="100%")')[0] == "holds"
    assert checked(many([15] * 3), many([10] * 3), 'not_slower("GET /", by="10%", quantile=0.5)')[0] == "cannot tell"
    assert checked(many([15] * 3), many([10] * 3), 'not_slower(by="10%")', confidence=None)[0] == "fails"


def test_no_difference_is_seldom_called_slower() -> None:
    chance = random.Random(7)
    told = [
        checked(
            many([chance.lognormvariate(3, 1) for _ in range(80)]),
            many([chance.lognormvariate(3, 1) for _ in range(80)]),
            "not_slower(by=0.0)",
        )[0]
        for _ in range(25)
    ]
    assert told.count("fails") <= 2


def test_operations_on_one_side_only_cannot_be_compared() -> None:
    verdict, message = checked(many([5], name="GET /new"), many([5], name="GET /old"), 'not_slower(by="10%")')
    assert (verdict, message) == ("not tested", "not tested, n = 0: No operation is on both sides.")
    assert (
        checked(many([5], name="GET /new"), many([5], name="GET /old"), 'not_failing_more(by="1%")')[0] == "not tested"
    )


def test_failing_more_often_is_told_in_points() -> None:
    before, worse = many([5] * 400, failing=4), many([5] * 400, failing=80)
    verdict, message = checked(worse, before, 'not_failing_more(than=baseline, by="5%")')
    assert verdict == "fails"
    assert message.startswith(
        "web::GET / failed in 1.0 % of 400 before and in 20.0 % of 400 now: +19.0 % of all (95 % interval"
    )
    assert checked(before, worse, 'not_failing_more(by="1%")')[0] == "holds"
    assert checked(before, before, 'not_failing_more(by="1%")')[0] == "cannot tell"
    assert checked(before, before, 'not_failing_more(by="1%")', confidence=None)[0] == "holds"


@pytest.mark.parametrize("rule", ["no_new_edges", 'not_slower(by="10%")', 'not_failing_more(by="1%")'])
def test_many_operations_are_asked_with_wider_intervals(rule: str) -> None:
    several = with_tree(
        pl.concat([many([5] * 50, name=f"GET /{name}") for name in "abc"]).with_columns(
            trace_id=pl.int_range(150).cast(pl.String).str.zfill(32)
        )
    )
    message = checked(several, several, rule)[1]
    assert rule == "no_new_edges" or "98.33 % interval" in message or "99.17 % interval" in message

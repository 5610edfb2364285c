from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from tests.traceql.shop import EVENTFUL, SHOP
from tracelab.traceql import QueryWarning, explain, gap, query, query_metrics, search

if TYPE_CHECKING:
    from collections.abc import Callable


def complaints(ask: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ask()
    assert all(warning.category is QueryWarning for warning in caught)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{ duration > 100 }", "`duration > 100` is read as 100 nanoseconds; did you mean 100ms?"),
        ("{ 100 < duration }", "`100 < duration` is read as 100 nanoseconds; did you mean 100ms?"),
        ("duration >= 2.5", "`duration >= 2.5` is read as 2.5 nanoseconds; did you mean 2.5ms?"),
        ("{ span:duration = 1 }", "`duration = 1` is read as 1 nanosecond; did you mean 1ms?"),
        ("{ trace:duration != 5 }", "`traceDuration != 5` is read as 5 nanoseconds; did you mean 5ms?"),
        ("{ -duration < -5 }", "`-duration < -5` is read as -5 nanoseconds; did you mean -5ms?"),
        ("{ duration > 2 * 50 }", "`duration > 100` is read as 100 nanoseconds; did you mean 100ms?"),
        ("{ duration * 2 > 100 }", "`duration * 2 > 100` is read as 100 nanoseconds; did you mean 100ms?"),
        ("{ duration + 1ms > 7 }", "`duration + 1ms > 7` is read as 7 nanoseconds; did you mean 7ms?"),
        ("{ !(duration > 9) }", "`duration > 9` is read as 9 nanoseconds; did you mean 9ms?"),
        ("{ status = error } >> { duration > 3 }", "`duration > 3` is read as 3 nanoseconds; did you mean 3ms?"),
        ("avg(duration) > 100", "`avg(duration) > 100` is read as 100 nanoseconds; did you mean 100ms?"),
        ("{ } | 5 < max(traceDuration)", "`5 < max(traceDuration)` is read as 5 nanoseconds; did you mean 5ms?"),
        (
            "{ } | sum(duration) / count() > 5",
            "`(sum(duration)) / (count()) > 5` is read as 5 nanoseconds; did you mean 5ms?",
        ),
        (
            "({ } | min(duration)) > 5",
            "`{ true }|min(duration) > 5` is read as 5 nanoseconds; did you mean 5ms?",
        ),
        (
            "{ duration > 100000000 }",
            "`duration > 100000000` is read as 100,000,000 nanoseconds, which is 100 ms; write 100ms.",
        ),
        (
            "{ duration < 1.5e9 }",
            "`duration < 1.5e+09` is read as 1,500,000,000 nanoseconds, which is 1.5 s; write 1.5s.",
        ),
    ],
)
def test_a_number_without_a_unit_beside_a_duration_is_warned_of(text: str, complaint: str) -> None:
    assert complaints(lambda: query(SHOP, text)) == [complaint]
    assert complaints(lambda: query(SHOP.lazy(), text).collect()) == [complaint]
    assert complaints(lambda: search(SHOP, text)) == [complaint]
    assert complaints(lambda: explain(text)) == [complaint]


def test_the_time_since_a_span_began_is_a_duration_too() -> None:
    told = complaints(lambda: query(EVENTFUL, "{ event:timeSinceStart > 5 }"))
    assert told == ["`event:timeSinceStart > 5` is read as 5 nanoseconds; did you mean 5ms?"]


@pytest.mark.parametrize(
    "text",
    [
        "{ duration > 100ms }",
        "{ duration > 0 }",
        "{ duration < maxInt }",
        "{ duration > 2 * 5ms }",
        "{ duration / 1000000 > 100 }",
        "{ duration * 0.000001 > 100 }",
        "{ duration / 1ms > 100 }",
        "{ duration > .retries }",
        "{ span:childCount > 2 && nestedSetLeft > 1 }",
        "count() > 2",
        "{ } | max(duration) / min(duration) > 2",
        "{ } | max(.retries) > 2",
    ],
)
def test_nothing_is_said_where_a_unit_was_written_or_none_is_needed(text: str) -> None:
    assert complaints(lambda: query(SHOP, text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "{ duration > 7 } | rate()",
        "({ duration > 7 } | rate()) / ({ } | rate())",
        "{ } | compare({ duration > 7 })",
        "{ } | max(duration) > 7 | rate()",
    ],
)
def test_metrics_queries_warn_of_their_filters(text: str) -> None:
    (complaint,) = complaints(lambda: query_metrics(SHOP, text))
    assert "7 nanoseconds; did you mean 7ms?" in complaint


def test_a_threshold_of_a_metric_is_in_seconds_and_needs_no_unit() -> None:
    assert complaints(lambda: query_metrics(SHOP, "{ } | max_over_time(duration) > 5")) == []


def test_gap_warns_of_both_of_its_queries() -> None:
    told = complaints(lambda: gap(SHOP, "duration > 1", "duration > 2"))
    assert [complaint[:14] for complaint in told] == ["`duration > 1`", "`duration > 2`"]


def test_of_many_numbers_the_first_are_told_and_the_rest_counted() -> None:
    told = complaints(lambda: query(SHOP, " || ".join(f"duration > {number}" for number in range(1, 9))))
    assert len(told) == 6
    assert told[-1] == "This query has 3 more comparisons of durations with numbers, which are read as nanoseconds."

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelab.errors import TracelabError
from tracelab.units import format_duration, from_timedelta, parse_duration


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1ns", 1),
        ("1.5us", 1_500),
        ("2µs", 2_000),
        ("2μs", 2_000),
        ("250ms", 250_000_000),
        ("1m30s", 90_000_000_000),
        (" 1h 2m ", 3_720_000_000_000),
        ("-2ms", -2_000_000),
        ("1w", 604_800_000_000_000),
        ("0.000000001s", 1),
        ("9007199254740993ns", 9_007_199_254_740_993),
    ],
)
def test_parse_duration_reads_what_people_write(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "5", "s", "1.5x", "1s and more", "1..5s", "--1s x"])
def test_parse_duration_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(TracelabError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(999, "999 ns"), (999_600, "1 ms"), (12_345_678, "12.3 ms"), (-1_500, "-1.5 µs"), (59_990_000_000, "1 m")],
)
def test_format_duration_keeps_three_digits(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0.4 ns"),
        (999.6, "1 µs"),
        (176_544_033, "177 ms"),
        (999_400_000, "999 ms"),
        (999_600_000, "1 s"),
        (1_023_912_047, "1.02 s"),
        (-1_023_912_047, "-1.02 s"),
        (59_940_000_000, "59.9 s"),
        (90_000_000_000, "1 m 30 s"),
        (3_599_600_000_000, "1 h"),
        (86_399_000_000_000, "1 d"),
        (9_223_372_036_854_775_807, "106752 d"),
    ],
)
def test_format_duration_chooses_the_unit_after_rounding(nanoseconds: float, text: str) -> None:
    assert format_duration(nanoseconds) == text


@given(st.integers(-(2**63), 2**63))
def test_what_format_duration_writes_parse_duration_reads(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == pytest.approx(nanoseconds, rel=0.021)


@given(st.integers(-60_000_000_000, 60_000_000_000))
def test_below_a_minute_three_digits_are_right(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == pytest.approx(nanoseconds, rel=0.0051)


def test_timedeltas_are_counted_to_the_last_digit_those_of_pandas_too() -> None:
    assert from_timedelta(timedelta.max) == (999_999_999 * 86_400 + 86_399) * 10**9 + 999_999_000
    assert from_timedelta(timedelta(microseconds=-1)) == -1_000
    pandas = pytest.importorskip("pandas")
    assert from_timedelta(pandas.Timedelta("2D 1500ns")) == 2 * 86_400 * 10**9 + 1_500
    assert from_timedelta(pandas.Timedelta("-1ns")) == -1

"""Lengths of time as Go reads them."""

from __future__ import annotations

import pytest

from tracelab.sampling.durations import parse_go_duration

LONGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("30s", 30_000_000_000),
        ("1h1m1.5s", 3_661_500_000_000),
        ("1.s", 1_000_000_000),
        (".5ms", 500_000),
        ("+2us", 2_000),
        ("1\u00b5s", 1_000),
        ("1\u03bcs", 1_000),
        ("-1m", -60_000_000_000),
        ("0", 0),
        ("-0", 0),
        ("0" * 50 + "1s", 1_000_000_000),
        ("0." + "3" * 500 + "s", 333_333_333),
        ("0.9ns", 0),
    ],
)
def test_lengths_of_time_are_those_of_go(text: str, nanoseconds: int) -> None:
    assert parse_go_duration(text) == nanoseconds


def test_the_longest_and_the_most_negative_length_are_those_of_64_bits() -> None:
    assert parse_go_duration(f"{LONGEST}ns") == LONGEST
    assert parse_go_duration(f"{LONGEST + 1}ns") is None
    assert parse_go_duration(f"-{LONGEST + 1}ns") == -LONGEST - 1
    assert parse_go_duration(f"{LONGEST}ns1ns") is None


@pytest.mark.parametrize(
    "text",
    ["", "-", "+", "3", "s", ".", ".s", "1", "1d", "1S", "1s ", " 1s", "1 s", "1e3s", "1..5s", "--1s", "00", "\u0661s",
     "9999999h", "9" * 30 + "s", "9" * 5_000 + "s"],
)  # fmt: skip
def test_what_go_does_not_take_for_a_length_is_none(text: str) -> None:
    assert parse_go_duration(text) is None

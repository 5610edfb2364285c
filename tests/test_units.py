from __future__ import annotations

import pytest

from tracelab.errors import TracelabError
from tracelab.units import format_duration, parse_duration


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

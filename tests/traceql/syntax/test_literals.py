from __future__ import annotations

import math

import pytest

from tracelab.traceql.syntax.literals import (
    duration_from_text,
    duration_text,
    float_text,
    name_text,
    string_text,
    unescaped,
)

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("10ns", 10),
        ("3us", 3_000),
        ("3µs", 3_000),
        ("2m30s", 150 * SECOND),
        ("1h15m30.918273645s", 4_530_918_273_645),
        (".5s", SECOND // 2),
        ("5.s", 5 * SECOND),
        ("1d12h", 36 * 3600 * SECOND),
        ("1w", 7 * 86_400 * SECOND),
        ("1y", 365 * 86_400 * SECOND),
        ("30s2m", 150 * SECOND),
        ("1.5d", None),
        ("1.5", None),
        ("12h1d", None),
        ("sm", None),
        ("999999999h", None),
    ],
)
def test_duration_from_text_reads_go_and_prometheus_forms(text: str, nanoseconds: int | None) -> None:
    assert duration_from_text(text) == nanoseconds


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0s"), (1, "1ns"), (1_100, "1.1µs"), (2_000_000, "2ms"), (61 * SECOND, "1m1s"), (3_600 * SECOND, "1h0m0s")],
)
def test_duration_text_writes_as_go_does(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text
    assert duration_text(-nanoseconds) == (f"-{text}" if nanoseconds else text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3.0"), (0.1, "0.1"), (123456.0, "123456.0"), (1234567.0, "1.234567e+06"), (1e-5, "1e-05"), (-2.5, "-2.5")],
)
def test_float_text_never_looks_like_an_int(value: float, text: str) -> None:
    assert float_text(value) == text


def test_float_text_names_what_is_no_number() -> None:
    assert [float_text(value) for value in (math.nan, math.inf, -math.inf)] == ["NaN", "+Inf", "-Inf"]


def test_string_text_falls_back_to_quotes() -> None:
    assert string_text('say "hi"') == '`say "hi"`'
    assert string_text("tick ` tock\n") == '"tick ` tock\\n"'


@pytest.mark.parametrize(
    ("body", "value", "bad"),
    [
        (r"a\"b", 'a"b', None),
        (r"\\", "\\", None),
        (r"\u00e4\U0001F600", "ä😀", None),
        (r"\303\244", "ä", None),
        (r"\x", "", 0),
        (r"ok\'", "ok", 2),
        (r"\ud800", "", 0),
    ],
)
def test_unescaped_reads_go_escapes_and_finds_bad_ones(body: str, value: str, bad: int | None) -> None:
    assert unescaped(body) == (value, bad)


def test_name_text_quotes_what_would_end_a_name() -> None:
    assert name_text("a b", bare=True) == '"a b"'
    assert name_text('a"b', bare=False) == r'"a\"b"'
    assert name_text("3x", bare=False) == "3x"

"""Thresholds and random values of trace states."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from tracelab.sampling.ids import TraceIds
from tracelab.sampling.trace_state import (
    AS_IT_IS,
    NEVER,
    SamplingState,
    hex_texts,
    probability,
    threshold_texts,
    with_sampling,
)


def read(*texts: str | None) -> list[tuple[int | None, int | None, bool]]:
    state = SamplingState.of(pl.Series(texts, dtype=pl.String))
    return list(zip(state.threshold.to_list(), state.randomness.to_list(), state.broken.to_list(), strict=True))


def test_a_threshold_is_filled_with_zeros_at_its_end() -> None:
    assert read("ot=th:8", "ot=th:08", "ot=th:0", "ot=th:ffffffffffffff") == [
        (2**55, None, False),
        (2**51, None, False),
        (0, None, False),
        (2**56 - 1, None, False),
    ]


def test_both_are_found_among_other_members_and_keys() -> None:
    text = "vendor=ot=th:1, \tot=p:8;rv:00000000000abc;x:A.b_c-;th:c \t,zz=th:4"
    assert read(text) == [(0xC << 52, 0xABC, False)]


def test_rows_keep_their_order_and_equal_texts_one_answer() -> None:
    assert read("ot=th:8", None, "ot=th:c", "", "ot=th:8") == [
        (2**55, None, False),
        (None, None, False),
        (0xC << 52, None, False),
        (None, None, False),
        (2**55, None, False),
    ]


@pytest.mark.parametrize(
    "text", [None, "", "ot=", "ot=p:8", "not=th:8", "a=b", "o=t", "ot", "x=ot=th:8", ",,,", "ot=x:th"]
)
def test_where_nothing_is_said_nothing_is_broken(text: str | None) -> None:
    assert read(text) == [(None, None, False)]


@pytest.mark.parametrize(
    "text",
    [
        "ot=th:",
        "ot=th:g",
        "ot=th:C",
        "ot=TH:c",
        "ot=th: c",
        "ot= th:c",
        "ot=th:c;",
        "ot=;th:c",
        "ot=th:c;th:c",
        "ot=th:c;th:8",
        "ot=th:c,ot=th:c",
        "ot=th:123456789012345",
        "ot=rv:123",
        "ot=rv:123456789012345",
        "ot=rv:0000000000000A",
        "ot=th:0x1",
        "ot=th:+1",
        "ot=th:1_1",
        "ot=th:c;\u00e9:1",
        "ot=th:c;x",
        "ot=th:c;x:" + "1" * 250,
    ],
)
def test_what_breaks_the_syntax_is_marked_and_not_guessed(text: str) -> None:
    assert read(text) == [(None, None, True)]


def test_one_value_that_cannot_be_read_leaves_the_other() -> None:
    assert read("ot=th:C;rv:00000000000001") == [(None, 1, True)]
    assert read("ot=rv:1;th:c") == [(0xC << 52, None, True)]


def test_a_column_of_nothing_says_nothing() -> None:
    state = SamplingState.of(pl.Series([None, None]))
    assert state.threshold.to_list() == state.randomness.to_list() == [None, None]
    assert SamplingState.of(pl.Series([], dtype=pl.String)).threshold.len() == 0


def test_thresholds_are_decoded_as_the_vectors_say(vectors: dict[str, Any]) -> None:
    randomness = TraceIds.of(pl.Series(vectors["ids"]))
    for case in vectors["th_decode"]:
        state = SamplingState.of(pl.Series([f"ot=th:{case['th']}"]))
        threshold = state.threshold.item()
        assert (threshold is not None) == case["valid"], case
        if case["valid"]:
            assert threshold == case["threshold"]
            assert probability(state.threshold).item() == case["probability"]
            kept = (randomness.randomness >= threshold)[randomness.number]
            assert "".join(map(str, kept.astype(int))) == case["keep"]


def test_thresholds_are_written_as_the_vectors_say(vectors: dict[str, Any]) -> None:
    cases = vectors["th_full_precision_python_js"]
    numbers = [NEVER if case["th"] is None else int(case["threshold_hex14"], 16) for case in cases]
    assert threshold_texts(np.array(numbers, dtype=np.uint64)).to_list() == [case["th"] for case in cases]


def test_what_is_written_is_read_again() -> None:
    numbers = np.random.default_rng(1).integers(0, NEVER, 1000, dtype=np.uint64) & ~np.uint64(0xFFFFF)
    texts = "ot=th:" + threshold_texts(numbers)
    assert SamplingState.of(texts).threshold.to_list() == numbers.tolist()


@pytest.mark.parametrize(
    ("text", "threshold", "expected"),
    [
        (None, 2**55, "ot=th:8"),
        ("", 0, "ot=th:0"),
        ("x=1", 2**55, "ot=th:8,x=1"),
        ("x=1 , ot=p:7;th:4;rv:00000000000001 ,\ty=2,,", 2**55, "ot=th:8;rv:00000000000001;p:7,x=1,y=2"),
        ("ot=th:4", NEVER, None),
        ("ot=th:4,x=1", NEVER, "x=1"),
        ("ot=th:4;rv:00000000000001", NEVER, "ot=rv:00000000000001"),
        ("ot=th:C;p:1", AS_IT_IS, "ot=th:C;p:1"),
        ("not=th:4", 2**55, "ot=th:8,not=th:4"),
    ],
)
def test_thresholds_are_written_into_trace_states(text: str | None, threshold: int, expected: str | None) -> None:
    texts = pl.Series([text, "other=1", text], dtype=pl.String)
    found = with_sampling(texts, thresholds=np.array([threshold, NEVER, threshold]))
    assert found.to_list() == [expected, "other=1", expected]


def test_random_values_are_written_where_they_are_new() -> None:
    texts = pl.Series(["ot=rv:00000000000001;th:8", None, "x=1"])
    randomness = np.array([AS_IT_IS, 2**56 - 1, NEVER])
    found = with_sampling(texts, thresholds=np.full(3, 2**55), randomness=randomness, order=("rv", "th"))
    assert found.to_list() == ["ot=rv:00000000000001;th:8", "ot=rv:ffffffffffffff;th:8", "ot=th:8,x=1"]


def test_random_values_have_14_digits() -> None:
    numbers = [0, 1, 0xABCDEF, 2**56 - 1, NEVER]
    assert hex_texts(np.array(numbers)).to_list() == [*(f"{number:014x}" for number in numbers[:-1]), None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (None, None, False)),
        (None, (None, None, False)),
        ("ot=th:C;rv:ABCDEFabcdef00", (0xC << 52, 0xABCDEFABCDEF00, False)),
        ("ot=th:8;th:4", (4 << 52, None, False)),
        ("ot=th:8,ot=p:1", (None, None, False)),
        ("ot=th:8;th:x", (None, None, True)),
        ("ot=th:8,ot=th:", (None, None, True)),
        ("ot=th:8,X=1", (None, None, True)),
        ("ot=th:8," + ",".join(f"k{number}=1" for number in range(31)), (None, None, True)),
    ],
)
def test_the_collector_reads_otherwise(text: str | None, expected: tuple[int | None, int | None, bool]) -> None:
    state = SamplingState.of_collector(pl.Series([text], dtype=pl.String))
    assert (state.threshold.item(), state.randomness.item(), state.broken.item()) == expected

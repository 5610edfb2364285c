"""Thresholds and random values of trace states."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from tracelab.sampling.ids import TraceIds
from tracelab.sampling.trace_state import NEVER, SamplingState, probability, threshold_texts


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

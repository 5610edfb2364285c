"""Trace ids as numbers."""

from __future__ import annotations

import polars as pl
import pytest

from tracelab.sampling.ids import TraceIds

LONG = "0123456789abcdef0011223344556677"
SHORT = "00112233445566ff"


def test_every_row_finds_its_id_again() -> None:
    column = pl.Series([LONG, SHORT, LONG, "none", SHORT, None, LONG, None])
    ids = TraceIds.of(column)
    assert ids.texts.gather(pl.Series(ids.number)).to_list() == column.to_list()
    assert ids.texts.n_unique() == ids.texts.len() == 4


def test_the_halves_are_the_bytes() -> None:
    ids = TraceIds.of(pl.Series([LONG]))
    assert ids.high.tolist() == [0x0123456789ABCDEF]
    assert ids.low.tolist() == [0x0011223344556677]
    assert bytes(ids.bytes[0]).hex() == LONG
    assert ids.randomness.tolist() == [0x11223344556677]


def test_an_id_of_16_digits_is_the_lower_half() -> None:
    ids = TraceIds.of(pl.Series([SHORT]))
    assert bytes(ids.bytes[0]).hex() == "0" * 16 + SHORT
    assert ids.known.all()
    assert ids.valid.all()


def test_capitals_are_digits_too() -> None:
    ids = TraceIds.of(pl.Series([LONG.upper()]))
    assert bytes(ids.bytes[0]).hex() == LONG


@pytest.mark.parametrize(
    "text",
    ["", "0", LONG[:-1], LONG + "0", LONG[:-1] + "g", "é" * 16, " " + LONG[1:], LONG + "\n", "0x" + LONG[2:], None],
)
def test_what_is_no_id_is_not_known_and_counted(text: str | None) -> None:
    ids = TraceIds.of(pl.Series([LONG, text, text], dtype=pl.String))
    assert ids.known[ids.number].tolist() == [True, False, False]
    assert not ids.valid[ids.number[1]]
    assert not ids.bytes[ids.number[1]].any()


def test_zeros_are_known_and_not_valid() -> None:
    ids = TraceIds.of(pl.Series(["0" * 32]))
    assert ids.known.all()
    assert not ids.valid.any()


def test_no_rows_are_no_ids() -> None:
    ids = TraceIds.of(pl.Series([], dtype=pl.String))
    assert ids.texts.len() == ids.number.size == ids.low.size == 0
    assert ids.bytes.shape == (0, 16)

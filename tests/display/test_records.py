from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tracelab.display.records import as_csv, as_json

if TYPE_CHECKING:
    from polars._typing import TimeUnit

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "\uff1d1"]


def cells(frame: pl.DataFrame) -> list[list[str]]:
    return list(csv.reader(io.StringIO(as_csv(frame), newline="")))


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_and_no_heading_of_csv_is_a_formula(formula: str) -> None:
    kinds = pl.Series([formula], dtype=pl.Enum([formula]))
    for frame in (pl.DataFrame({"a": [formula]}), pl.DataFrame({formula: ["x"]}), kinds.to_frame("a")):
        texts = [cell for row in cells(frame) for cell in row]
        assert not any(text.lstrip().startswith(("=", "+", "-", "@", "\uff1d")) for text in texts)
        assert any(text.startswith("'") for text in texts)


def test_numbers_in_csv_stay_numbers() -> None:
    frame = pl.DataFrame({"value": [-1.5], "n": [-3], "took": [timedelta(milliseconds=-2)]})
    assert cells(frame)[1] == ["-1.5", "-3", "-0.002"]


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_seconds_are_exact_decimals(unit: TimeUnit) -> None:
    digits = {"ns": 9, "us": 6, "ms": 3}[unit]
    counts = [3 * 10**digits // 10, 0, 10 ** (digits + 1), 1, -7, 2**62 + 1, None]
    frame = pl.Series("took", counts).cast(pl.Duration(unit)).to_frame().with_row_index()
    texts = [row[1] for row in cells(frame)[1:]]
    assert texts[:3] == ["0.3", "0", "10"]
    assert [Decimal(text).scaleb(digits) if text else None for text in texts] == counts
    written = [json.loads(line)["took"] for line in as_json(frame).splitlines()]
    assert written == [float(text) if text else None for text in texts]


def test_csv_writes_nested_values_as_json_and_controls_as_escapes() -> None:
    frame = pl.DataFrame({"ids": [["a", "b"]], "name": ['x\x1b[31m\u202e,"\ny']})
    assert cells(frame)[1] == ['["a", "b"]', 'x\\x1b[31m\\u202e,"\ny']


def test_json_is_exact_and_acts_on_no_terminal() -> None:
    evil = '=1\x00\x1b\x7f\x9b\u202e\u200b\u2028\U000e0041é🙂\n\t\r"\\'
    text = as_json(
        pl.DataFrame({evil: [evil], "when": [datetime(2026, 5, 1, tzinfo=UTC)], "took": [timedelta(seconds=1.5)]})
    )
    assert json.loads(text) == {evil: evil, "when": "2026-05-01T00:00:00.000000+00:00", "took": 1.5}
    assert not set("\x00\x1b\x7f\x9b\u202e\u200b\u2028\U000e0041") & set(text)
    assert "é🙂" in text

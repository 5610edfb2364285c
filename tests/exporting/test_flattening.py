"""Flat answers: every answer can be written as CSV and Excel, by polars itself."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tests.property.test_door_laws import FUNCTIONS, OPTIONS, OTHER, SPANS
from tracelab.schema import ATTRIBUTES

pytestmark = [
    pytest.mark.filterwarnings("ignore::tracelab.QueryWarning"),
    pytest.mark.filterwarnings("ignore::tracelab.SamplingWarning"),
    pytest.mark.filterwarnings("ignore::tracelab.SkewWarning"),
]
xlsxwriter = pytest.importorskip("xlsxwriter", reason="xlsxwriter is not installed")
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def frames() -> list[str]:
    return [name for name in FUNCTIONS if not name.startswith("plot_") and name not in {"plan_sampling", "to_markdown"}]


@pytest.mark.parametrize("name", frames())
def test_every_answer_can_be_written(name: str) -> None:
    found: Any = getattr(tl, name)(SPANS, *OTHER.get(name, ()), **OPTIONS.get(name, {}))
    flat = tl.flatten(found)
    again = pl.read_csv(io.StringIO(flat.write_csv()), infer_schema=False)
    assert again.height == flat.height
    assert again.columns == flat.columns
    flat.write_excel(io.BytesIO())


def test_durations_are_numbers_in_a_column_that_says_the_unit() -> None:
    frame = pl.DataFrame({"p95": [timedelta(seconds=1.5), None]}, schema={"p95": pl.Duration("us")})
    assert tl.flatten(frame).to_dict(as_series=False) == {"p95_ms": [1500.0, None]}
    for unit, value in {"s": 1.5, "us": 1.5e6, "ns": 1.5e9}.items():
        assert tl.flatten(frame, unit=unit)[f"p95_{unit}"][0] == value
    with pytest.raises(tl.TracelabError, match="`unit` must be one of"):
        tl.flatten(frame, unit="m")


def test_times_are_utc_without_a_zone() -> None:
    frame = pl.DataFrame({"t": [START], "d": [date(2026, 5, 1)]}).with_columns(
        pl.col("t").dt.convert_time_zone("Asia/Tokyo")
    )
    flat = tl.flatten(frame)
    assert flat["t_utc"][0] == START.replace(tzinfo=None)
    assert flat["d"].dtype == pl.Date


def test_text_that_would_run_is_guarded_and_other_text_is_not() -> None:
    frame = pl.DataFrame({"=cmd()": ["=1+1", "@x", "GET /", None], "e": pl.Series(["-a"] * 4, dtype=pl.Enum(["-a"]))})
    assert tl.flatten(frame).to_dict(as_series=False) == {"'=cmd()": ["'=1+1", "'@x", "GET /", None], "e": ["'-a"] * 4}


def test_nested_values_are_text() -> None:
    frame = pl.DataFrame(
        {
            "names": [["=a", "b"], []],
            "events": [[{"at": START}], None],
            "pairs": pl.Series([{"k": "v"}, None], dtype=ATTRIBUTES),
            "raw": [b"\x00\xff", None],
        }
    )  # fmt: skip
    flat = tl.flatten(frame)
    assert flat["names"].to_list() == ["'=a; b", ""]
    assert flat["events"][0] == '[{"at": "2026-05-01 12:00:00+00:00"}]'
    assert flat["raw"].to_list() == ["00ff", None]
    assert '"k"' in flat["pairs"][0]


def test_numbers_that_a_spreadsheet_would_change_are_not_left_to_it() -> None:
    frame = pl.DataFrame({"x": [1.5, float("nan"), float("inf")], "big": [2**60, 1, None], "small": [1, 2, 3]})
    flat = tl.flatten(frame)
    assert flat["x"].to_list() == [1.5, None, None]
    assert flat["big"].to_list() == [str(2**60), "1", None]
    assert flat["small"].to_list() == [1, 2, 3]


def test_names_that_differ_in_capitals_only_are_told_apart() -> None:
    frame = pl.DataFrame({"rate": [1], "Rate": [2], "p_ms": [3.0], "p": [timedelta(1)]})
    assert tl.flatten(frame).columns == ["rate", "Rate_2", "p_ms", "p_ms_2"]


def test_long_text_is_cut_to_what_a_cell_holds() -> None:
    assert len(tl.flatten(pl.DataFrame({"x": ["a" * 40_000]}))["x"][0]) == 32_767


def test_any_frame_goes_in() -> None:
    frame = pl.DataFrame({"x": [1]})
    for form in (frame.lazy(), frame.to_pandas(), frame.to_arrow()):
        assert tl.flatten(form).rows() == [(1,)]
    with pytest.raises(tl.SchemaError, match="A str is no frame"):
        tl.flatten("x.csv")
